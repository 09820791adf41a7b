"""What a file holds, before it becomes kinds of data: the parts of a file.

=================  ======================================================
`RawSignal`        numbers on axes: images, movies, maps, spectra
`RawPeaks`         spectra each on an axis of its own, as of peak lists
`RawCurves`        force curves in segments of different length
`RawTable`         named columns: sites, boxes, tables
`RawStructure`     atoms of a crystal or a molecule
`RawFile`          all parts of a file
=================  ======================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

COLORS = ("red", "green", "blue", "alpha")

Stored = Literal["stack", "signal", ""]
"""What a file says of an axis: that it counts measurements, or is measured, or nothing."""


@dataclass(frozen=True)
class RawAxis:
    """An axis as a file has it, in the file's own unit.

    Attributes
    ----------
    name : str
        As in the file; empty where it has none.
    unit : str
        As in the file; empty where it has none.
    scale, offset : float
        Value of index i is ``offset + i * scale``.
    values : numpy.ndarray, optional
        Values of an axis that is not uniform; then scale and offset are void.
    stored : {"stack", "signal", ""}
        Whether the file says that the axis counts measurements (HyperSpy's
        navigation axes) or is itself what was measured.
    """

    name: str = ""
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    values: NDArray[np.float64] | None = None
    stored: Stored = ""


@dataclass(frozen=True)
class Places:
    """Where spectra or curves were measured, if not on a grid.

    Attributes
    ----------
    y, x : numpy.ndarray
        One value for each entry; y points down.
    unit : str
        As in the file; empty where it has none.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    unit: str


@dataclass(frozen=True)
class RawSignal:
    """Numbers on axes, in the file's own order and units.

    Attributes
    ----------
    values : array_like
        Numpy, dask or `LazyArray`; of colors, the last dimension is the color.
    axes : tuple of RawAxis
        One for each dimension of `values` but the color.
    name : str
        What `dataset=` calls it.
    colors : tuple of str
        Names along the last dimension, empty for plain numbers.
    unit : str
        Of the values, as in the file.
    metadata : mapping
        What JSON can hold: title, instrument, beam_energy (eV), date, channel.
    notes : tuple of str
        What the reader has to tell.
    places : Places, optional
        Of the entries along the first axis, where these lie on no grid.
    preferred : str
        Why this one is read where several of its kind are in the file, as
        a sentence for the notes; empty for all others.
    original : xarray object, optional
        The data as they were, of files that adatom wrote.
    """

    values: Any
    axes: tuple[RawAxis, ...]
    name: str = ""
    colors: tuple[str, ...] = ()
    unit: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    places: Places | None = None
    preferred: str = ""
    original: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the color."""
        return tuple(int(size) for size in self.values.shape[: len(self.axes)])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        kind: np.dtype[Any] = self.values.dtype
        return kind


@dataclass(frozen=True)
class RawPeaks:
    """Spectra of which each has an axis of its own, as peak lists of masses.

    Attributes
    ----------
    lengths : numpy.ndarray of int
        Number of peaks of each spectrum.
    read : callable
        Gives axis values and intensities of the spectrum of a number;
        picklable.
    axis : RawAxis
        Name and unit of the axis, "m/z" of masses.
    grid : tuple of two int, optional
        Rows and columns of the map that the spectra make.
    index : numpy.ndarray of int, optional
        Place of each spectrum in the flattened grid.
    space : tuple of RawAxis
        Axes y, x of the grid.
    """

    lengths: NDArray[np.int64]
    read: Callable[[int], tuple[NDArray[Any], NDArray[Any]]]
    axis: RawAxis
    grid: tuple[int, int] | None = None
    index: NDArray[np.int64] | None = None
    space: tuple[RawAxis, ...] = (RawAxis("y"), RawAxis("x"))
    name: str = ""
    unit: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    preferred: str = ""


@dataclass(frozen=True)
class RawCurves:
    """Force curves: channels recorded together, in segments of any length.

    Attributes
    ----------
    lengths : numpy.ndarray of int, shape (curve, segment)
        Number of samples; 0 where a curve lacks the segment.
    segments : tuple of str
        Such as "approach", "pause", "retract", in the order of time.
    channels : mapping of str to str
        Name ("force", "height", "time", "deflection" ...) -> unit in the file.
    read : callable
        Gives, for the number of a curve, for every channel one array a
        segment; picklable.
    places : Places, optional
        Where the curves were measured.
    original : xarray object, optional
        The data as they were, of files that adatom wrote.
    """

    lengths: NDArray[np.int64]
    segments: tuple[str, ...]
    channels: Mapping[str, str]
    read: Callable[[int], Mapping[str, Sequence[NDArray[Any]]]]
    places: Places | None = None
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    preferred: str = ""
    original: Any = None


@dataclass(frozen=True)
class RawTable:
    """Named columns of equal length.

    Attributes
    ----------
    columns : mapping of str to numpy.ndarray
        Numbers or text. Columns named y and x make it a table of sites, with
        ``frame``, ``track``, ``score``, ``species`` and others as in the
        conventions.
    units : mapping of str to str
        Units of columns, as in the file.
    original : xarray object, optional
        The data as they were, of files that adatom wrote.
    """

    columns: Mapping[str, NDArray[Any]]
    units: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    preferred: str = ""
    original: Any = None


@dataclass(frozen=True)
class RawStructure:
    """Atoms.

    Attributes
    ----------
    atoms : ase.Atoms
        In angstrom, as ASE has them.
    """

    atoms: Atoms
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    preferred: str = ""


RawPart = RawSignal | RawPeaks | RawCurves | RawTable | RawStructure


@dataclass(frozen=True)
class RawFile:
    """All parts of a file.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    format_name : str
        Key of the format in `formats.FORMATS`.
    parts : sequence of RawPart
        In the order of the file.
    """

    path: Path
    format_name: str
    parts: Sequence[RawPart]


def plain_axes(ndim: int) -> tuple[RawAxis, ...]:
    """Make axes for an array of which nothing else is known."""
    return tuple(RawAxis() for _ in range(ndim))


def axis_from_values(name: str, unit: str, values: NDArray[np.float64], /) -> RawAxis:
    """Make an axis of its values, with a scale where they are uniform."""
    steps = np.diff(values)
    if steps.size and np.isfinite(steps).all() and np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        step = float(values[-1] - values[0]) / steps.size
        return RawAxis(name, unit, step, float(values[0]))
    return RawAxis(name, unit, values=values)
