"""What a file holds, before it becomes a kind of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

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
class RawSignal:
    """One dataset of a file, in the file's own order and units.

    Attributes
    ----------
    values : array_like
        Numpy or dask; of colors, the last dimension is the color.
    axes : tuple of RawAxis
        One for each dimension of `values` but the color.
    name : str
        What `dataset=` calls it.
    colors : tuple of str
        Names along the last dimension, empty for plain numbers.
    unit : str
        Of the values, as in the file.
    metadata : mapping
        What JSON can hold: title, instrument, beam_energy (eV), date.
    notes : tuple of str
        What the reader has to tell.
    """

    values: Any
    axes: tuple[RawAxis, ...]
    name: str = ""
    colors: tuple[str, ...] = ()
    unit: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
class RawFile:
    """All datasets of a file.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    format_name : str
        As in `list_formats`.
    signals : sequence of RawSignal
        In the order of the file.
    """

    path: Path
    format_name: str
    signals: Sequence[RawSignal]


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
