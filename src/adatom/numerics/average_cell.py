"""The unit cell averaged over an image, and the columns that stand in it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from adatom.numerics.lattice_walk import Walk

# Of all cells, this share is left out at the bright and at the dark end of every pixel: dirt.
_TRIMMED: Final = 0.1
_MOST_CELLS: Final = 2000
# Points of the grid: columns are some pixels wide, and more points would only cost time.
_MOST_POINTS: Final = 900
_SHIFTS: Final = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=float)


class Cells(NamedTuple):
    """Cells of a walk whose four corners are known: their first corner and all four."""

    first: NDArray[np.int64]
    corners: NDArray[np.float64]


class CellColumns(NamedTuple):
    """Columns of a cell, the brightest first: fractions (k, 2), heights, and their one shape.

    `covariance` (y, x) is that of the Gaussian of every column, in pixels;
    `level` is what lies under all of them.
    """

    fraction: NDArray[np.float64]
    height: NDArray[np.float64]
    covariance: NDArray[np.float64]
    level: float


def whole_cells(walk: Walk, /) -> Cells:
    """List the cells of a walk with four corners, (cell, 2, 2, 2) along i, j, and y, x."""
    place = walk.place
    corners = np.stack(
        [
            np.stack([place[:-1, :-1], place[:-1, 1:]], axis=2),
            np.stack([place[1:, :-1], place[1:, 1:]], axis=2),
        ],
        axis=2,
    )
    known = np.isfinite(corners).all(axis=(2, 3, 4))
    return Cells(np.argwhere(known), corners[known])


def places_in_cells(
    corners: NDArray[np.float64], fraction: NDArray[np.float64], /
) -> NDArray[np.float64]:
    """Place fractions (k, 2) of the cell between its four corners, (cell, k, 2)."""
    along_i = np.stack([1 - fraction[:, 0], fraction[:, 0]], axis=1)
    along_j = np.stack([1 - fraction[:, 1], fraction[:, 1]], axis=1)
    placed: NDArray[np.float64] = np.einsum("ki,kj,cijx->ckx", along_i, along_j, corners)
    return placed


def average_cell(
    image: NDArray[np.float64], walk: Walk, vectors: NDArray[np.float64], /
) -> NDArray[np.float64]:
    """Average the image over all cells, on a grid of fractions of one pixel or a little more.

    Every cell follows its own corners, so that drift and distortion do not
    blur the average; single cells with dirt or defects are trimmed away.
    """
    corners = whole_cells(walk).corners
    corners = corners[:: -(-len(corners) // _MOST_CELLS)]
    inside = (corners >= 0).all(axis=(1, 2, 3)) & (
        (corners <= np.array(image.shape) - 1).all(axis=(1, 2, 3))
    )
    area = float(np.linalg.norm(vectors, axis=1).prod())
    step = max(1.0, float(np.sqrt(area / _MOST_POINTS)))
    rows, columns = (max(6, int(np.ceil(np.linalg.norm(v) / step))) for v in vectors)
    grid = np.stack(
        np.meshgrid(np.arange(rows) / rows, np.arange(columns) / columns, indexing="ij"), axis=-1
    ).reshape(-1, 2)
    places = places_in_cells(corners[inside], grid)
    values = ndimage.map_coordinates(image, np.moveaxis(places, -1, 0), order=1, mode="nearest")
    values.sort(axis=0)
    cut = int(_TRIMMED * len(values))
    mean: NDArray[np.float64] = values[cut : len(values) - cut].mean(axis=0).reshape(rows, columns)
    return mean


def fit_columns(
    cell: NDArray[np.float64], vectors: NDArray[np.float64], n_columns: int, /, *, apart: float
) -> CellColumns:
    """Fit a periodic cell by Gaussians of one shape, the highest first.

    Each next column is sought in what those before leave over, so that a weak
    one on the flank of a bright one is found, at least `apart` (in pixels)
    from all others. There are fewer than asked where nothing is left over.
    """
    shape = np.array(cell.shape)
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1)
    fractions = grid.reshape(-1, 2)
    values = cell.ravel()
    start = np.zeros(0)
    sigma = 0.15 * float(np.sqrt(abs(np.linalg.det(vectors)) / n_columns))
    common = np.array([float(cell.min()), np.log(sigma), np.log(sigma), 0.0])
    for number in range(n_columns):
        rest = values - _gaussians(common, start, fractions, vectors)
        smooth = ndimage.gaussian_filter(rest.reshape(cell.shape), 1.0, mode="wrap").ravel()
        for fraction in start.reshape(-1, 3)[:, :2]:
            smooth[_separation(fractions - fraction, vectors) < apart] = -np.inf
        peak = int(smooth.argmax())
        if not smooth[peak] > 0:
            break
        start = np.concatenate([start, [*fractions[peak], smooth[peak]]])
        last = number + 1 == n_columns
        found = optimize.least_squares(
            lambda p: _gaussians(p[:4], p[4:], fractions, vectors) - values,
            np.concatenate([common, start]),
            bounds=_bounds(common, start, vectors),
            x_scale=_scales(values, number + 1),
            max_nfev=100 if last else 6,
        ).x
        common, start = found[:4], found[4:]
    columns = start.reshape(-1, 3)
    order = np.argsort(-columns[:, 2], kind="stable")
    root = _root_of_covariance(common)
    return CellColumns(columns[order, :2], columns[order, 2], root @ root.T, float(common[0]))


def _bounds(
    common: NDArray[np.float64], columns: NDArray[np.float64], vectors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep heights positive, columns near where they were seen, and Gaussians within the cell."""
    widest = float(np.log(0.3 * np.linalg.norm(vectors, axis=1).max()))
    low = np.concatenate([[-np.inf, np.log(0.3), np.log(0.3), -np.exp(widest)], columns])
    high = np.concatenate([[np.inf, widest, widest, np.exp(widest)], columns])
    low[4:].reshape(-1, 3)[:] -= [0.12, 0.12, np.inf]
    high[4:].reshape(-1, 3)[:] += [0.12, 0.12, np.inf]
    low[6::3] = 0.0
    common[1:3] = np.clip(common[1:3], low[1] + 1e-3, widest - 1e-3)
    columns[2::3] = np.maximum(columns[2::3], 1e-12)
    return low, high


def _scales(values: NDArray[np.float64], n_columns: int) -> NDArray[np.float64]:
    height = max(float(np.ptp(values)), np.finfo(float).tiny)
    return np.array([height, 0.3, 0.3, 1.0, *([0.1, 0.1, height] * n_columns)])


def _root_of_covariance(common: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[np.exp(common[1]), 0.0], [common[3], np.exp(common[2])]])


def _gaussians(
    common: NDArray[np.float64],
    columns: NDArray[np.float64],
    fractions: NDArray[np.float64],
    vectors: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum a level and periodic Gaussians (fraction, fraction, height) of one shape."""
    total = np.full(len(fractions), common[0])
    whiten = np.linalg.inv(_root_of_covariance(common)).T
    for *fraction, height in columns.reshape(-1, 3):
        away = fractions - fraction
        away -= np.rint(away)
        # The image of a column on the other side counts too, along either axis and along both.
        other = np.where(away > 0, -1.0, 1.0)
        for over in ((0, 0), (0, 1), (1, 0), (1, 1)):
            place = (away + other * over) @ vectors @ whiten
            total += height * np.exp(-0.5 * (place**2).sum(axis=1))
    return total


def _separation(steps: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the shortest distance of fractions of a periodic cell, in pixels."""
    away = (steps - np.rint(steps))[:, None] + _SHIFTS
    distance: NDArray[np.float64] = np.linalg.norm(away @ vectors, axis=2).min(axis=1)
    return distance
