"""From neighbor vectors to means over like cells, and the same for simulated noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.cell_windows import Box, CellGrid, grid_of_cells, square_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors

# Weights of like parity add up to a half, so that a rotation that alternates from cell to cell
# stays, and a common one goes.
_ROTATION_WEIGHTS: Final = (0.125, 0.25, 0.25, 0.25, 0.125)
# Sites so many cells apart share no atom, and are alike in every cell doubled.
LAG: Final = 4
# Means over fewer than this share of the cells of a window are too noisy to fit.
_LEAST_FILLED: Final = 0.6
_BLOCK: Final = 32


class Noise(NamedTuple):
    """Standard deviations (y, x) of the positions of sites and of their neighbors."""

    site: NDArray[np.float64]
    neighbor: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CellField:
    """Sites whose vectors are averaged over cells.

    Attributes
    ----------
    matrix : ndarray, shape (site, 2, 2)
        By which each site's vectors were turned; zero: not aligned.
    center, neighbor : ndarray of int
        Numbers of the atoms at each site and in its slots; -1: none.
    n_atoms : int
        Atoms that are numbered; 0: noise is not to be simulated.
    grid : CellGrid
        Where sites stand.
    slots : ndarray, shape (neighbor, 2)
        Of the reference star.
    characters : tuple
        Wave vectors of a superlattice, in halves of the reciprocal cell.
    """

    matrix: NDArray[np.float64]
    center: NDArray[np.int64]
    neighbor: NDArray[np.int64]
    n_atoms: int
    grid: CellGrid
    slots: NDArray[np.float64]
    characters: tuple[tuple[int, int], ...] = ((0, 0),)

    @property
    def turning(self) -> NDArray[np.float64]:
        """The deviations (2 n,) of a small rotation, of length 1."""
        turned = np.stack([self.slots[:, 1], -self.slots[:, 0]], axis=1).ravel()
        unit: NDArray[np.float64] = turned / np.linalg.norm(turned)
        return unit

    def with_characters(self, characters: Sequence[tuple[int, int]], /) -> CellField:
        """Give the same field for a superlattice."""
        return replace(self, characters=tuple(characters))

    def unturned(
        self, deviation: NDArray[np.float64], /
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take off the rotation (rad) that the cells around have in common; give both."""
        flat = deviation.reshape(len(deviation), -1)
        length = float(np.linalg.norm(self.slots))
        common = self.grid.weighted(flat @ self.turning / length, _ROTATION_WEIGHTS)
        known = np.where(np.isfinite(common), common, 0.0)
        return flat - (known * length)[:, None] * self.turning, common

    def means(
        self, flat: NDArray[np.float64], size: int, /
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Average over size x size like cells; give the share of the window that was there."""
        if size == 1:
            return flat, np.isfinite(flat).mean(axis=1)
        means, counts = self.grid.means(flat, square_box(size), characters=self.characters)
        if len(self.characters) == 1:
            # Of the common rotation, which is zero by now, walls leave a rest.
            known = np.isfinite(means).all(axis=1)
            means[known] -= (means[known] @ self.turning)[:, None] * self.turning
        return means, counts.mean(axis=1) / self._n_like(size)

    def _n_like(self, size: int) -> int:
        """Count the cells of a whole window that are like its middle."""
        offset = np.indices((size, size)).reshape(2, -1).T - size // 2
        odd = (offset @ np.array(self.characters).T) % 2
        return int((odd == 0).all(axis=1).sum())

    def unevenness(self, flat: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Give how the two halves of the 5 x 5 cells around differ, along i and along j."""
        parts = []
        signs = [self.grid.signs(character) for character in self.characters]
        for first, second in (
            (Box(-2, -1, -2, 2), Box(1, 2, -2, 2)),
            (Box(-2, 2, -2, -1), Box(-2, 2, 1, 2)),
        ):
            for sign in signs:
                signed = sign[:, None] * flat
                before, after = (
                    self.grid.means(signed, first)[0],
                    self.grid.means(signed, second)[0],
                )
                parts.append(before - after)
        return np.concatenate(parts, axis=1)

    def simulated(self, noise: Noise, rng: np.random.Generator, /) -> NDArray[np.float64]:
        """Give the deviations (site, 2 n) that noise of every atom alone would make."""
        scale = rng.normal(size=(self.n_atoms, 2))
        vector = scale[self.neighbor] * noise.neighbor
        vector -= scale[self.center][:, None] * noise.site
        vector = np.einsum("sab,skb->ska", self.matrix, vector)
        vector[self.neighbor < 0] = np.nan
        flat: NDArray[np.float64] = vector.reshape(len(vector), -1)
        return flat


class Sampled(NamedTuple):
    """A field of some of the sites, and their numbers among all."""

    field: CellField
    sites: NDArray[np.int64]


def whole_field(aligned: AlignedVectors, lattice_index: NDArray[np.int64], /) -> CellField:
    """Make the field of all sites, for which noise is not simulated."""
    every = np.arange(len(aligned.group))
    return _field(aligned, lattice_index, aligned.group, every, simulates=False)


def sampled_field(
    aligned: AlignedVectors, lattice_index: NDArray[np.int64], /, *, n_sites: int, seed: int
) -> Sampled:
    """Make a field of square blocks of cells, spread evenly, of about so many sites."""
    held = np.flatnonzero(aligned.group >= 0)
    if len(held) <= 1.3 * n_sites:
        field = _field(aligned, lattice_index, aligned.group[held], held)
        return Sampled(field, held)
    block = np.floor_divide(lattice_index[held], _BLOCK)
    block -= block.min(axis=0)
    span = block.max(axis=0) + 1
    key = (aligned.group[held] * span[0] + block[:, 0]) * span[1] + block[:, 1]
    numbers, rank = np.unique(key, return_inverse=True)
    n_blocks = max(1, round(n_sites / len(held) * len(numbers)))
    # Every so many blocks in their order, from a start of chance: rows of blocks are all met.
    step = len(numbers) / n_blocks
    start = np.random.default_rng(seed).random()
    taken = np.zeros(len(numbers), dtype=bool)
    taken[((start + np.arange(n_blocks)) * step).astype(int) % len(numbers)] = True
    chosen = taken[rank]
    return Sampled(_field(aligned, lattice_index, rank[chosen], held[chosen]), held[chosen])


def _field(
    aligned: AlignedVectors,
    lattice_index: NDArray[np.int64],
    group: NDArray[np.int64],
    sites: NDArray[np.int64],
    *,
    simulates: bool = True,
) -> CellField:
    matrices = np.stack([*(each.matrix for each in aligned.alignments), np.zeros((2, 2))])
    neighbor = aligned.neighbor[sites]
    n_atoms, center, index = 0, sites, neighbor
    if simulates and aligned.itself:
        atoms, number = np.unique(np.concatenate([sites, neighbor.ravel()]), return_inverse=True)
        n_atoms = len(atoms)
        center = number[: len(sites)]
        index = number[len(sites) :].reshape(neighbor.shape)
    elif simulates:
        atoms, number = np.unique(neighbor, return_inverse=True)
        n_atoms = len(atoms) + len(sites)
        center = len(atoms) + np.arange(len(sites))
        index = number.reshape(neighbor.shape)
    return CellField(
        matrices[aligned.member[sites]],
        center,
        np.where(neighbor < 0, -1, index),
        n_atoms,
        grid_of_cells(lattice_index[sites], group),
        aligned.star.slots,
    )


def filled(share: NDArray[np.float64], means: NDArray[np.float64], /) -> NDArray[np.bool_]:
    """Tell which means are complete enough to fit."""
    enough: NDArray[np.bool_] = (share >= _LEAST_FILLED) & np.isfinite(means).all(axis=1)
    return enough


def find_characters(
    field: CellField, flat: NDArray[np.float64], whitening: NDArray[np.float64], /
) -> tuple[tuple[int, int], ...]:
    """Find wave vectors, in halves of the reciprocal cell, by which cells alternate.

    The correlation at odd distances falls below the mean of those at even
    distances on both sides where cells alternate, and nowhere else: what
    falls off slowly cancels. Distances of 3 to 5 cells share no atom.
    """
    rows = flat @ whitening.T
    rows = rows - np.nanmedian(rows, axis=0)
    # A row of dirt must not decide: no site counts for more than a strong signal.
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows * np.minimum(1.0, 10.0 / np.maximum(norm, 1e-9))
    drops, errors = [], []
    for direction in ((1, 0), (0, 1), (1, 1)):
        odd_1, even, odd_2 = (
            _correlation(field.grid, rows, (n * direction[0], n * direction[1]))
            for n in (LAG - 1, LAG, LAG + 1)
        )
        drops.append(even[0] - (odd_1[0] + odd_2[0]) / 2)
        errors.append(np.sqrt(even[1] ** 2 + (odd_1[1] ** 2 + odd_2[1] ** 2) / 4))
    along_i, along_j, along_both = np.array(drops) / 2
    power = {
        (1, 0): (along_i - along_j + along_both) / 2,
        (0, 1): (along_j - along_i + along_both) / 2,
        (1, 1): (along_i + along_j - along_both) / 2,
    }
    error = float(np.sqrt(np.square(errors).sum())) / 4
    # Six standard deviations, since terms of neighboring sites are correlated; and a tenth of
    # the strongest wave, which walls at one wave vector leave at the others.
    strongest = max(power.values())
    least = max(6 * error, 0.1 * strongest)
    found = [wave for wave, value in power.items() if value > least]
    if len(found) > 1:
        found = [(1, 0), (0, 1), (1, 1)]
    return ((0, 0), *found)


def _correlation(
    grid: CellGrid, rows: NDArray[np.float64], step: tuple[int, int]
) -> tuple[float, float]:
    to = grid.partners(step)
    here = np.flatnonzero(to >= 0)
    product = (rows[here] * rows[to[here]]).sum(axis=1)
    product = product[np.isfinite(product)]
    if len(product) < 10:
        return 0.0, np.inf
    return float(product.mean()), float(product.std() / np.sqrt(len(product)))
