"""Peak lists, each on an axis of its own, as maps on one axis and as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import UnitError
from adatom.io.draft import Draft
from adatom.io.guard import read_error
from adatom.io.kinds import map_from_draft
from adatom.io.layout import layout_of_signal
from adatom.io.lazy import LazyArray
from adatom.io.signals import RawAxis, RawFile, RawPeaks, RawSignal
from adatom.schema import SpectralMap, Table, table_from_columns
from adatom.units import Length, house_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_BINS: Final = 20_000_000
_MAX_TABLE: Final = 50_000_000
_TOLERANCE: Final = re.compile(r"\s*(?P<number>\d+\.?\d*|\.\d+)\s*(?P<unit>[a-zA-Z]+)\s*")


@dataclass(frozen=True)
class Bins:
    """Equal bins of mass, or of its logarithm, around whole multiples of their width."""

    width: float
    relative: bool
    first: int
    count: int

    def numbers(self, masses: NDArray[Any]) -> NDArray[np.int64]:
        """Give the number of the bin of every mass."""
        return _multiples(masses, self.width, self.relative) - self.first

    @property
    def centers(self) -> NDArray[np.float64]:
        """Give the mass in the middle of every bin."""
        multiples = self.first + np.arange(self.count)
        if self.relative:
            return np.asarray(np.exp(multiples * np.log1p(self.width)), float)
        return np.asarray(multiples * self.width, float)


def _multiples(masses: NDArray[Any], width: float, relative: bool) -> NDArray[np.int64]:
    scaled = np.log(masses.astype(float)) / np.log1p(width) if relative else masses / width
    return np.round(scaled).astype(np.int64)


def map_from_peaks(
    raw: RawFile,
    part: RawPeaks,
    /,
    *,
    mass_tolerance: str | None,
    pixel_size: Length | None,
) -> SpectralMap:
    """Sum the peaks of every pixel in bins of mass, lazily.

    Parameters
    ----------
    raw, part : RawFile, RawPeaks
        The file and its part.
    mass_tolerance : str
        Width of the bins: "0.1 Da", or "10 ppm" of the mass.
    pixel_size : length, optional
        As of `read_spectral_map`.

    Raises
    ------
    ReadError
        If no tolerance is given: peaks of each pixel have masses of their own.
    """
    if mass_tolerance is None:
        reason = "its spectra are lists of peaks, each with masses of its own"
        remedy = (
            'Say how near masses are one and the same, mass_tolerance="0.1 Da" or "10 ppm", or '
            "take every peak as it is with read_table"
        )
        raise read_error(raw.path, reason, remedy)
    if part.grid is None or part.index is None:
        raise read_error(raw.path, "its spectra lie on no grid", "Read it with read_table")
    width, relative = _tolerance(mass_tolerance)
    bins = _bins(raw, part, width, relative)
    axis = RawAxis(part.axis.name, part.axis.unit, values=bins.centers, stored="signal")
    note = (
        f"peaks were summed in bins of {mass_tolerance} around the multiples of it, "
        "whose middle is the mass told"
    )
    notes = [*part.notes, note]
    missing = part.grid[0] * part.grid[1] - len(part.index)
    if missing:
        notes.append(f"{missing} pixels were not measured: NaN")
    values = _binned(part, part.grid, part.index, bins)
    signal = RawSignal(
        values, (*part.space, axis), part.name, (), part.unit, part.metadata, tuple(notes)
    )
    draft = Draft(raw, signal, layout_of_signal(signal, ndim=3))
    return map_from_draft(draft, channel=None, pixel_size=pixel_size)


def _tolerance(text: str) -> tuple[float, bool]:
    """Give the width of bins, and whether it is relative to the mass."""
    match = _TOLERANCE.fullmatch(str(text))
    number, unit = (float(match["number"]), match["unit"]) if match else (0.0, "")
    if number > 0 and unit == "ppm":
        return number * 1e-6, True
    try:
        house, factor = house_unit(unit)
    except UnitError:
        house, factor = "", 0.0
    if house != "Da" or not number > 0:
        msg = f'mass_tolerance={text!r} is no width of mass: write "0.1 Da" or "10 ppm"'
        raise UnitError(msg)
    return number * factor, False


def _bins(raw: RawFile, part: RawPeaks, width: float, relative: bool) -> Bins:
    low, high = np.inf, -np.inf
    for number in np.flatnonzero(part.lengths).tolist():
        masses = part.read(number)[0]
        low, high = min(low, float(masses.min())), max(high, float(masses.max()))
    if not (np.isfinite([low, high]).all() and low > 0):
        reason = f"its masses run from {low:.6g} to {high:.6g}"
        raise read_error(raw.path, reason, "The file may be damaged: export it again")
    first, last = _multiples(np.array([low, high]), width, relative).tolist()
    if last - first >= _MAX_BINS:
        reason = f"masses from {low:.6g} to {high:.6g} make {last - first + 1} bins"
        raise read_error(raw.path, reason, "Give a larger mass_tolerance")
    return Bins(width, relative, first, last - first + 1)


def _binned(
    part: RawPeaks, shape: tuple[int, int], index: NDArray[np.int64], bins: Bins
) -> LazyArray:
    grid = np.full(shape[0] * shape[1], -1, np.int64)
    grid[index] = np.arange(len(index))
    full = (*shape, bins.count)
    dtype = np.dtype(np.float32)
    read = partial(_binned_spectra, part.read, bins)
    return LazyArray(full, dtype, partial(block_of_index, grid.reshape(shape), full, dtype, read))


def _binned_spectra(
    read: Callable[[int], tuple[NDArray[Any], NDArray[Any]]], bins: Bins, wanted: NDArray[np.int64]
) -> Iterator[NDArray[Any]]:
    for number in wanted.tolist():
        masses, intensities = read(number)
        yield np.bincount(bins.numbers(masses), intensities.astype(float), minlength=bins.count)


def block_of_index(
    grid: NDArray[np.int64],
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    read: Callable[[NDArray[np.int64]], Iterable[NDArray[Any]]],
    index: Any,  # noqa: ANN401 -- any index of numpy
    /,
) -> NDArray[Any]:
    """Give a block of a map of which only the spectra in it are read.

    Parameters
    ----------
    grid : numpy.ndarray of int, shape (y, x)
        Number of the spectrum of each pixel, -1 where none was measured.
    shape : tuple of int
        Of the map.
    dtype : numpy.dtype
        Of the map.
    read : callable
        Gives the spectra of some numbers one after the other.
    index : index of numpy
        Integers, slices, Ellipsis.
    """
    entries = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in entries:
        place = entries.index(Ellipsis)
        entries[place : place + 1] = [slice(None)] * (len(shape) + 1 - len(entries))
    entries += [slice(None)] * (len(shape) - len(entries))
    numbers = grid[entries[0], :][..., entries[1]]
    flat = np.ravel(numbers)
    channels = np.arange(shape[2])[entries[2]]
    block = np.empty((flat.size, *np.shape(channels)), dtype)
    measured = flat >= 0
    if not measured.all():
        block[~measured] = np.nan
    for row, spectrum in zip(np.flatnonzero(measured), read(flat[measured]), strict=True):
        block[row] = spectrum[entries[2]]
    return block.reshape(np.shape(numbers) + np.shape(channels))


def table_from_peaks(raw: RawFile, part: RawPeaks, /) -> Table:
    """Make a table with one row a peak: place, mass and intensity as in the file."""
    total = int(part.lengths.sum())
    if total > _MAX_TABLE:
        reason = f"it holds {total} peaks"
        raise read_error(raw.path, reason, 'Read it as a map: mass_tolerance="0.1 Da"')
    masses, intensities = np.empty(total), np.empty(total)
    edges = [0, *np.cumsum(part.lengths).tolist()]
    for number, (start, end) in enumerate(pairwise(edges)):
        masses[start:end], intensities[start:end] = part.read(number)
    columns: dict[str, Any]
    if part.grid is not None and part.index is not None:
        rows, pixels = np.divmod(np.repeat(part.index, part.lengths), part.grid[1])
        columns = {"pixel_row": rows, "pixel_column": pixels}
    else:
        columns = {"spectrum": np.repeat(np.arange(len(part.lengths)), part.lengths)}
    columns |= {"mass_to_charge": masses, "intensity": intensities}
    table = table_from_columns(columns, units={"mass_to_charge": "Da"})
    table.attrs.update({"source": raw.path.name, **part.metadata})
    if part.notes:
        table.attrs["notes"] = list(part.notes)
    return table
