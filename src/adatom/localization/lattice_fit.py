"""A lattice of known shape measured in the spectrum of an image, and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import NoLatticeError
from adatom.numerics.indexing import (
    Cell,
    candidate_cells,
    filling,
    fitted_matrix,
    indexed,
    unseen_factor,
)
from adatom.numerics.peaks import thin_out
from adatom.numerics.reflections import ERROR_AT_NOISE, Spots, find_spots, measure_spots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.known_lattices import PlaneLattice

    Floats = NDArray[np.float64]

# A cell explains an image when it leaves out no more of the power than superstructures hold.
# The first reflections of a honeycomb are a quarter as strong as the next at least, which is
# more; those of alternating columns that look alike may be less.
LEFT_OUT = 0.15
LEFT_OUT_FAINT = 0.03
# A lattice holds the strongest reflection, and so much of the power beside other grains ...
LEAST = 0.4
# ... and of its reflections within reach of the strong ones so many are there: half may be
# forbidden or faint.
FEWEST_TAKEN = 0.5
# A scale wrong by more than this logarithm, a third, is not believed where another cell fits the
# stated one at least twice as well and holds this share of the power that the best cell holds.
BELIEVED = 0.288
LEAST_AS_STATED = 0.5
# Parts, half as long as the image, in which the lattice is measured again. They overlap: the
# nine of them are worth so many independent ones.
PARTS = 3
INDEPENDENT = 6.0
FEWEST_PERIODS = 4.0
WEAKEST = 8.0

_TRY = "choose a part with a clear lattice by regions=, average frames, or name another lattice"


class LatticeFit(NamedTuple):
    """A lattice in an image, in pixels.

    Attributes
    ----------
    cell : Cell
        Reciprocal vectors of the primitive cell.
    spots : Spots
        As measured.
    log_stretch : ndarray, shape (part, 3)
        Of parts of the image: `strain` of their stretches.
    weight : ndarray, shape (part,)
    floor : float
        Standard error of a strain that noise alone makes.
    """

    cell: Cell
    spots: Spots
    log_stretch: Floats
    weight: Floats
    floor: float

    @property
    def n_independent(self) -> float:
        """How many measurements the parts are worth; below 2 they tell nothing."""
        if not self.weight.size:
            return 0.0
        share = self.weight / self.weight.sum()
        return min(1 / float((share**2).sum()), INDEPENDENT)

    def errors(self, known: PlaneLattice) -> Floats:
        """Give standard errors of mean strain, half the difference of yy and xx, and shear."""
        if self.n_independent < 2:
            return np.full(3, self.floor)
        apart = self.log_stretch - strain(stretch_to_truth(self.cell.matrix, known))
        share = (self.weight / self.weight.sum())[:, None]
        squares = (share * apart**2).sum(axis=0) / (self.n_independent - 1)
        return np.asarray(np.maximum(np.sqrt(squares), self.floor))


def fit_lattice(
    pixels: NDArray[np.float32], known: PlaneLattice, step: Floats | None, /
) -> LatticeFit:
    """Find the cell of a known shape in an image and measure its vectors.

    Parameters
    ----------
    pixels : ndarray, shape (y, x)
        About zero.
    known : PlaneLattice
    step : ndarray of two floats, optional
        Of a pixel in nm as stated: to choose among several cells.

    Raises
    ------
    NoLatticeError
        If the spectrum shows no two reflections, or none that fit.
    """
    size = (pixels.shape[0], pixels.shape[1])
    spots = _measured_spots(pixels, find_spots(pixels))
    if len(spots.power) < 2:
        msg = (
            f"the power spectrum of the image shows {len(spots.power)} reflections above its "
            f"noise, a lattice needs 2 or more: {_TRY}"
        )
        raise NoLatticeError(msg)
    frequency, power = spots.frequency, spots.power
    cell = _chosen_cell(spots, known, step, size)
    # Counted anew with vectors on which all reflections agree.
    for _ in range(2):
        mine = cell.belongs
        matrix = fitted_matrix(frequency[mine], cell.indices[mine], np.sqrt(power[mine]))
        again = indexed(matrix, frequency, power, size)
        cell = again if unseen_factor(again.indices[again.belongs]) else cell
    return LatticeFit(cell, spots, *_measured_parts(pixels, cell, spots, known))


def _measured_spots(pixels: NDArray[np.float32], found: Spots) -> Spots:
    """Measure spots; of those that came to lie on one place, or on none, one or none is kept."""
    frequency, power = measure_spots(pixels, found.frequency)
    bins = frequency * np.array(pixels.shape)
    kept = thin_out(bins, power, distance=1.0)
    kept = kept[np.linalg.norm(bins[kept], axis=1) >= FEWEST_PERIODS / 2]
    return Spots(frequency[kept], power[kept], found.noise[kept])


def _chosen_cell(
    spots: Spots, known: PlaneLattice, step: Floats | None, size: tuple[int, int]
) -> Cell:
    ideal = np.asarray(np.linalg.inv(known.primitive).T, dtype=float)
    cells = candidate_cells(spots.frequency, spots.power, ideal, size)
    cells = [cell for cell in cells if cell.explained >= LEAST and cell.belongs[0]]
    chosen = _by_power(cells, spots.power, known)
    if step is not None:
        chosen = _as_stated(chosen, cells, spots.power, known, step)
    if chosen is None:
        periods = ", ".join(f"{1 / np.hypot(*one):.4g}" for one in spots.frequency[:6])
        msg = (
            f"the image shows reflections with periods of {periods} px, the strongest first, but "
            f"none that lattice={known.name!r} has, even stretched by 30 %: {_TRY}"
        )
        raise NoLatticeError(msg)
    return chosen


def _by_power(cells: list[Cell], power: Floats, known: PlaneLattice) -> Cell | None:
    """Choose the smallest cell that leaves out no more than superstructures hold."""
    seen = [cell for cell in cells if _is_seen(cell, power)]
    best = max((cell.explained for cell in seen), default=0.0)
    least = (1 - (LEFT_OUT_FAINT if known.faint else LEFT_OUT)) * best
    return _smallest([cell for cell in seen if cell.explained >= least], known)


def _as_stated(
    chosen: Cell | None, cells: list[Cell], power: Floats, known: PlaneLattice, step: Floats
) -> Cell | None:
    """Choose another cell if only the chosen one makes the stated scale absurd."""
    off = np.inf if chosen is None else _off(chosen, known, step)
    if off <= BELIEVED:
        return chosen
    # Where alternating columns look just alike, half of the reflections are not seen.
    missing = (1, 2) if known.faint else (1,)
    least = 0.0 if chosen is None else LEAST_AS_STATED * chosen.explained
    others = [
        cell
        for cell in cells
        if cell.explained >= least
        and _off(cell, known, step) < min(BELIEVED, off / 2)
        and any(_is_seen(cell, power, missing=factor) for factor in missing)
    ]
    return _smallest(others, known) or chosen


def _smallest(cells: list[Cell], known: PlaneLattice) -> Cell | None:
    """Choose the smallest cell, of like ones that which is distorted and turned least."""
    area = [abs(np.linalg.det(cell.matrix)) for cell in cells]
    alike = [cell for cell, one in zip(cells, area, strict=True) if one > 0.8 * max(area)]
    return max(alike, key=lambda cell: _likeness(cell, known), default=None)


def _is_seen(cell: Cell, power: Floats, *, missing: int = 1) -> bool:
    """Tell whether all reflections of a cell, or but one in some, are there."""
    return (
        unseen_factor(cell.indices[cell.belongs]) == missing
        and filling(cell, power) >= FEWEST_TAKEN / missing
    )


def _off(cell: Cell, known: PlaneLattice, step: Floats) -> float:
    """Give by how much lengths would be wrong, as a logarithm."""
    area = np.linalg.det(stretch_to_truth(cell.matrix, known))
    return abs(float(np.log(area / step.prod()))) / 2


def _likeness(cell: Cell, known: PlaneLattice) -> float:
    """Weigh explained power against distortion; of like cells the one turned least is best."""
    values = np.linalg.eigvalsh(stretch_to_truth(cell.matrix, known))
    return cell.explained - float(np.log(values[1] / values[0])) - 1e-6 * abs(turn(cell, known))


def turn(cell: Cell, known: PlaneLattice, /) -> float:
    """Give the direction of the side a in the image, in deg from +x towards +y."""
    a = np.linalg.inv(cell.matrix).T @ np.linalg.solve(known.primitive, known.cell[:, 0])
    return float(np.degrees(np.arctan2(a[0], a[1])))


def stretch_to_truth(matrix: Floats, known: PlaneLattice, /) -> Floats:
    """Give the matrix from places in px to true ones in nm, rotated by nothing."""
    return stretch_part(known.primitive @ matrix.T)


def stretch_part(matrix: Floats, /) -> Floats:
    """Give the symmetric factor S of a matrix R S with a rotation R."""
    _, values, axes = np.linalg.svd(matrix)
    return np.asarray(axes.T @ np.diag(values) @ axes)


def strain(stretch: Floats, /) -> Floats:
    """Give mean, half the difference of yy and xx, and yx of the logarithm of a stretch."""
    values, vectors = np.linalg.eigh(stretch)
    logs = vectors @ np.diag(np.log(values)) @ vectors.T
    return np.array([logs.trace() / 2, (logs[0, 0] - logs[1, 1]) / 2, logs[0, 1]])


def _measured_parts(
    pixels: NDArray[np.float32], cell: Cell, spots: Spots, known: PlaneLattice
) -> tuple[Floats, Floats, float]:
    """Measure the lattice again in parts of the image: strains, weights, error by noise."""
    mine = cell.belongs
    frequency, indices, noise = spots.frequency[mine], cell.indices[mine], spots.noise[mine]
    noise = np.maximum(noise, 1e-9 * spots.power.max())
    length = np.linalg.norm(frequency * np.array(pixels.shape), axis=1)
    sure = length**2 * spots.power[mine] / noise
    floor = ERROR_AT_NOISE / float(np.sqrt(sure.sum()))
    half = np.array(pixels.shape) // 2
    logs, weights = [], []
    for index in np.ndindex(PARTS, PARTS):
        y, x = np.array(index) * (np.array(pixels.shape) - half) // (PARTS - 1)
        part = pixels[y : y + half[0], x : x + half[1]]
        place, power = measure_spots(part - part.mean(), frequency)
        # What wandered off to another spot or to noise is no measurement.
        seen = (power > WEAKEST * noise) & (
            np.linalg.norm((place - frequency) * half, axis=1) < FEWEST_PERIODS / 2
        )
        if not unseen_factor(indices[seen]):
            continue
        matrix = fitted_matrix(place[seen], indices[seen], np.sqrt(power[seen]))
        if np.linalg.norm(matrix * half[:, None], axis=0).min() < FEWEST_PERIODS:
            continue
        logs.append(strain(stretch_to_truth(matrix, known)))
        weights.append(float(np.sqrt(power[seen]).sum()))
    return np.reshape(logs, (-1, 3)), np.array(weights), floor
