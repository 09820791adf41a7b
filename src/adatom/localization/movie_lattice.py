"""The lattice of a crystal through a movie: its scale, how it drifts, and its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import NoLatticeError
from adatom.localization.absurd import without_absurd_pixels
from adatom.localization.detection import pixels_of_image, without_outliers
from adatom.localization.known_lattices import PlaneLattice
from adatom.localization.lattice_fit import fit_lattice, stretch_to_truth
from adatom.numerics.filters import wide_gaussian_filter
from adatom.numerics.lattice_phases import (
    BETWEEN,
    ORDERS,
    cell_shift,
    columns_of_cell,
    moved_waves,
    wave_amplitudes,
)
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.readers import reader_of
from adatom.schema import Image, Movie

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Frames, spread over the movie, in which the cell is measured: a median of more gains little.
_MEASURED: Final = 32
# How far cells of two frames may differ and still be of one lattice.
_ALIKE: Final = 0.1
# Waves of the lattice against those between them, in power: noise alone reaches 2 in one frame
# in a thousand.
_SEEN: Final = 3.0
# Impurities are a few pixels that outweigh the lattice, and its level varies over some cells.
_CLIP: Final = 0.98
_LEVEL: Final = 2.0
_ROUNDS: Final = 3


class MovieLattice(NamedTuple):
    """The lattice of a movie, in pixels of its frames.

    Attributes
    ----------
    matrix : ndarray, shape (2, 2)
        Columns are reciprocal vectors (y, x) in 1/px, the median of frames.
    columns : ndarray, shape (column, 2)
        Where columns are, from the middle of a frame that has not moved, in parts of the cell.
    shift : ndarray, shape (frame, 2)
        How far the lattice lies from where it was in the first frame that shows it, in px;
        NaN for frames that do not.
    power : ndarray, shape (frame,)
        Of its waves over that of noise.
    step : ndarray, shape (measured,)
        True size of a pixel in nm by the frames that were measured, NaN where none fits.
    measured : ndarray of int, shape (measured,)
        Which frames these are.
    """

    matrix: Floats
    columns: Floats
    shift: Floats
    power: Floats
    step: Floats
    measured: NDArray[np.int64]

    @property
    def cell(self) -> Floats:
        """Columns are the vectors of the cell (y, x) in px."""
        return np.asarray(np.linalg.inv(self.matrix).T)

    @property
    def distance(self) -> float:
        """Between neighboring columns, in px."""
        around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
        apart = (self.columns[:, None, None] - self.columns[None, :, None]) + around
        length = np.linalg.norm(apart @ self.cell.T, axis=-1)
        return float(length[length > 1e-6].min())

    def points(self, low: Floats, high: Floats, middle: Floats, /) -> Floats:
        """Give the places of columns between two corners, in px of the first frame."""
        corners = np.array([[y, x] for y in (low[0], high[0]) for x in (low[1], high[1])])
        parts = (corners - middle) @ self.matrix
        first, last = np.floor(parts.min(axis=0)) - 1, np.ceil(parts.max(axis=0)) + 1
        whole = np.stack(
            np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(first, last)), indexing="ij"), axis=-1
        ).reshape(-1, 1, 2)
        places = ((whole + self.columns) @ self.cell.T).reshape(-1, 2) + middle
        inside = ((places >= low) & (places <= high)).all(axis=1)
        return np.asarray(places[inside])


def frames_of_movie(movie: Movie, numbers: NDArray[np.int64], /) -> Iterator[Image]:
    """Read frames one by one, without pixels that are absurd."""
    read = reader_of(movie.data)
    # Readers give the last axis whole.
    rows = slice(0, movie.sizes["y"])
    place = {dim: movie.coords[dim] for dim in ("y", "x")}
    for k in numbers:
        values = np.asarray(read((slice(int(k), int(k) + 1), rows)))[0]
        image = xr.DataArray(values, dims=("y", "x"), coords=place, attrs=dict(movie.attrs))
        yield without_absurd_pixels(image)[0]


def find_movie_lattice(movie: Movie, known: PlaneLattice, stated: Floats | None, /) -> MovieLattice:
    """Find the cell by some frames, then how far it moved in all of them.

    Raises
    ------
    NoLatticeError
        If no frame that was measured shows the lattice.
    """
    n = movie.sizes["frame"]
    measured = np.unique(np.linspace(0, n - 1, min(n, _MEASURED)).round().astype(np.int64))
    matrix, step = _measured_cell(movie, known, measured, stated)
    length = float(1 / np.linalg.norm(matrix, axis=0).mean())
    waves = np.zeros((n, len(ORDERS)), dtype=complex)
    power = np.zeros(n)
    for k, image in enumerate(frames_of_movie(movie, np.arange(n))):
        flat = _flat(np.asarray(image.values, dtype=np.float64), length)
        waves[k] = wave_amplitudes(flat, matrix, ORDERS)
        noise = wave_amplitudes(flat, matrix, BETWEEN)
        power[k] = float((np.abs(waves[k]) ** 2).sum() / max((np.abs(noise) ** 2).sum(), 1e-300))
    seen = power > _SEEN
    if not seen.any():
        msg = (
            f"no frame shows the waves of {known.name} above noise: the best has {power.max():.2g} "
            f"times its power, {_SEEN:g} are needed: average frames, or name another lattice"
        )
        raise NoLatticeError(msg)
    parts, reference = _parts_of_cell(waves, seen, power)
    columns = _columns(reference, matrix, known)
    cell = np.asarray(np.linalg.inv(matrix).T)
    return MovieLattice(matrix, columns, _followed(parts, cell), power, step, measured)


def _measured_cell(
    movie: Movie, known: PlaneLattice, measured: NDArray[np.int64], stated: Floats | None
) -> tuple[Floats, Floats]:
    matrices: list[Floats] = []
    step = np.full(len(measured), np.nan)
    for k, image in enumerate(frames_of_movie(movie, measured)):
        try:
            pixels = without_outliers(pixels_of_image(image, None, contrast="bright"))
            matrix = fit_lattice(pixels, known, stated).cell.matrix
        except NoLatticeError:
            continue
        if matrices:
            # One of the cells that span the same lattice, that most like the first.
            whole = np.rint(np.linalg.solve(matrix, matrices[0]))
            matrix = matrix @ whole
            apart = np.abs(matrix - matrices[0]).max() / np.abs(matrices[0]).max()
            if abs(abs(np.linalg.det(whole)) - 1) > 1e-6 or apart > _ALIKE:
                continue
        matrices.append(matrix)
        step[k] = float(np.sqrt(abs(np.linalg.det(stretch_to_truth(matrix, known)))))
    if not matrices:
        msg = (
            f"none of {len(measured)} frames shows the lattice of {known.name}: average frames, "
            "or name another lattice"
        )
        raise NoLatticeError(msg)
    return np.median(matrices, axis=0), step


def _columns(reference: NDArray[np.complex128], matrix: Floats, known: PlaneLattice) -> Floats:
    """Give the columns of the mean cell; two in a hexagonal one are those of a honeycomb.

    Aberrations pull the maxima of a honeycomb off their places, but not its center.
    """
    columns = columns_of_cell(reference)
    is_hexagonal = abs(known.lengths[0] - known.lengths[1]) < 1e-9 and known.angle in {60.0, 120.0}
    if len(columns) != 2 or not is_hexagonal:
        return columns
    cell = np.linalg.inv(matrix).T
    # Thirds of the long diagonal of the cell, whichever that is.
    obtuse = float(cell[:, 0] @ cell[:, 1]) < 0
    third = np.array([1.0, -1.0]) / 3 if obtuse else np.array([1.0, 1.0]) / 3
    ideal = np.array([third, -third])
    radius = np.linalg.norm(ORDERS @ matrix.T, axis=1)
    fade = np.exp(-((radius / radius.min()) ** 2) / 2)
    waves = fade * np.exp(-2j * np.pi * ORDERS @ ideal.T).sum(axis=1)
    return np.asarray((ideal + cell_shift(reference, waves)) % 1.0)


def _flat(values: Floats, length: float) -> Floats:
    """Take off the level, and from impurities what would outweigh the lattice."""
    known = np.isfinite(values)
    filled = np.where(known, values, np.median(values[known]) if known.any() else 0.0)
    level: Floats = filled - wide_gaussian_filter(filled, _LEVEL * length)
    high = np.quantile(level, _CLIP)
    calm = np.clip(level, None, high)
    return np.asarray(calm - calm.mean())


def _parts_of_cell(
    waves: NDArray[np.complex128], seen: NDArray[np.bool_], power: Floats
) -> tuple[Floats, NDArray[np.complex128]]:
    """Give shifts in parts of the cell against the mean of all frames, and this mean."""
    parts = np.full((len(waves), 2), np.nan)
    numbers = np.flatnonzero(seen)
    reference = waves[numbers[np.argmax(power[numbers])]]
    for _ in range(_ROUNDS):
        total = np.zeros(len(ORDERS), dtype=complex)
        for k in numbers:
            parts[k] = cell_shift(waves[k], reference)
            total += moved_waves(waves[k], parts[k])
        reference = total / len(numbers)
    # The first frame lies where it does.
    start = parts[numbers[0]].copy()
    return parts - start, moved_waves(reference, -start)


def _followed(parts: Floats, cell: Floats) -> Floats:
    """Add whole vectors of the cell so that the lattice moves least from frame to frame."""
    shift = np.full(parts.shape, np.nan)
    last: Floats | None = None
    around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=np.float64)
    for k, part in enumerate(parts):
        if not np.isfinite(part).all():
            continue
        if last is not None:
            apart = part - last
            part = last + min(  # noqa: PLW2901
                (apart - np.rint(apart) + one for one in around),
                key=lambda step: float(np.linalg.norm(cell @ step)),
            )
        last = part
        shift[k] = cell @ part
    return shift


def scatter(values: Floats, /) -> float:
    """Give the standard deviation by the median distance from the median."""
    known = values[np.isfinite(values)]
    return SIGMA_OF_MAD * float(np.median(np.abs(known - np.median(known))))
