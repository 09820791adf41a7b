"""Sites as maps that a network learns, and back from its maps to sites.

A cell is a square of 2 x 2 pixels of the picture; cell (i, j) has its center at
row 2 i + 0.5 and column 2 j + 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.numerics.peaks import thin_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float32]

STRIDE: Final = 2
"""Pixels of the picture per cell, along each axis."""

RADIUS: Final = 1.1
"""A cell belongs to a site within this many cells of its center: 2 to 5 cells do."""

# Two sites nearer to one another than this, in cells, are one: networks are made
# for neighbors 3 cells apart and more.
_ONE_SITE: Final = 1.6
# Of the places pointed to, in pixels of the picture.
_BLUR: Final = 1.0


class SiteMaps(NamedTuple):
    """What a network should say, per cell.

    Attributes
    ----------
    center : ndarray, shape (y, x)
        1 where the cell belongs to a site, else 0.
    offset : ndarray, shape (2, y, x)
        From the cell's center down and across to its site, in cells; 0 where there is none.
    number : ndarray of int, shape (y, x)
        Class of the site; -1 where there is none.
    turn : ndarray, shape (2, y, x)
        Cosine and sine of the site's orientation times the symmetry; both 0
        where there is no site or its orientation is not known.
    """

    center: Grid
    offset: Grid
    number: NDArray[np.int64]
    turn: Grid


class Batch(NamedTuple):
    """Pictures and what a network should say of them.

    Attributes
    ----------
    picture : ndarray, shape (batch, 1, 2 y, 2 x)
    center, lattice, weight : ndarray, shape (batch, y, x)
        1 or 0; where the weight is 0 neither is judged.
    offset : ndarray, shape (batch, 2, y, x)
    number : ndarray of int, shape (batch, y, x)
        Class of the site that a cell belongs to; -1 for none.
    turn : ndarray, shape (batch, 2, y, x)
        As in `SiteMaps`.
    """

    picture: Grid
    center: Grid
    offset: Grid
    lattice: Grid
    weight: Grid
    number: NDArray[np.int64]
    turn: Grid


class DecodedSites(NamedTuple):
    """Sites read from maps.

    Attributes
    ----------
    position : ndarray, shape (site, 2)
        Row and column in pixels of the picture.
    score : ndarray, shape (site,)
        Between 0 and 1.
    """

    position: NDArray[np.float64]
    score: NDArray[np.float64]


def maps_from_positions(
    positions: NDArray[np.floating],
    shape: tuple[int, int],
    /,
    *,
    number: NDArray[np.integer] | None = None,
    turn: NDArray[np.floating] | None = None,
    radius: float = RADIUS,
) -> SiteMaps:
    """Make the maps of sites.

    Parameters
    ----------
    positions : ndarray, shape (site, 2)
        Row and column in pixels of the picture; sites outside of it count where they reach in.
    shape : tuple of int
        Rows and columns of the picture, both even.
    number : ndarray of int, shape (site,), optional
        Class of each site; 0 for all by default.
    turn : ndarray, shape (site, 2), optional
        Cosine and sine of the orientation of each times its symmetry; both 0 if not known.
    radius : float
        In cells. A cell within reach of two sites belongs to the nearer one.

    Examples
    --------
    >>> maps = maps_from_positions(np.array([[10.5, 12.5]]), (32, 32))
    >>> int(maps.center.sum()), maps.offset[:, 4, 6].tolist()
    (5, [1.0, 0.0])
    """
    rows, columns = (n // STRIDE for n in shape)
    center = np.zeros((rows, columns), np.float32)
    offset = np.zeros((2, rows, columns), np.float32)
    classes = np.full((rows, columns), -1, np.int64)
    place = (np.asarray(positions, float).reshape(-1, 2) - 0.5) / STRIDE
    span = np.arange(-int(np.ceil(radius)), int(np.ceil(radius)) + 1)
    around = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2)
    cell = np.rint(place).astype(np.int64)[:, None, :] + around
    away = place[:, None, :] - cell
    distance = np.hypot(*np.moveaxis(away, -1, 0))
    inside = ((cell >= 0) & (cell < (rows, columns))).all(axis=-1) & (distance <= radius)
    # The nearest site is written last and stays.
    order = np.argsort(-distance[inside], kind="stable")
    i, j = cell[inside][order].T
    center[i, j] = 1
    offset[:, i, j] = away[inside][order].T
    kinds = np.zeros(len(place), np.int64) if number is None else np.asarray(number, np.int64)
    classes[i, j] = np.broadcast_to(kinds[:, None], inside.shape)[inside][order]
    turns = np.zeros((2, rows, columns), np.float32)
    if turn is not None:
        turns[:, i, j] = np.broadcast_to(turn[:, None, :], (*inside.shape, 2))[inside][order].T
    return SiteMaps(center, offset, classes, turns)


def positions_from_maps(center: Grid, offset: Grid, /, *, least: float = 0.1) -> DecodedSites:
    """Read sites from the maps of a network.

    Every cell points to a place, and counts as surely as it belongs to a
    site. Where they crowd is a site; touching atoms, whose cells point
    apart, are told so. Its place is the mean of the places pointed to, its
    score how surely the place itself belongs to a site.

    Parameters
    ----------
    center : ndarray, shape (y, x)
        Probability of belonging to a site (after the logistic function).
    offset : ndarray, shape (2, y, x)
        In cells.
    least : float
        Sites of a lower score are not given.

    Examples
    --------
    >>> truth = np.array([[10.0, 12.3], [20.4, 21.0]])
    >>> maps = maps_from_positions(truth, (32, 32))
    >>> found = positions_from_maps(maps.center, maps.offset)
    >>> bool(np.allclose(found.position, truth)), bool((found.score > 0.95).all())
    (True, True)
    """
    cells = np.argwhere(center > 0.25 * least)
    if not len(cells):
        return DecodedSites(np.empty((0, 2)), np.empty(0))
    i, j = cells.T
    weight = np.asarray(center[i, j], dtype=float)
    target = cells + np.asarray(offset[:, i, j], dtype=float).T
    peaks = _crowded_places(target, weight, center.shape)
    place = _centers_of_mass(target, weight, peaks)
    score = scipy.ndimage.map_coordinates(
        np.pad(np.asarray(center, np.float32), 1), place.T + 1, order=1, mode="nearest"
    )
    kept = np.flatnonzero(score >= least)
    kept = kept[np.sort(thin_out(place[kept], score[kept], distance=_ONE_SITE))]
    return DecodedSites(place[kept] * STRIDE + 0.5, score[kept].astype(float))


def turns_from_angles(angle: NDArray[np.floating], symmetry: int, /) -> Grid:
    """Give cosine and sine (site, 2) of angles in deg times their symmetry; 0, 0 for NaN.

    Examples
    --------
    >>> turns = turns_from_angles(np.array([0.0, 45.0, 180.0, np.nan]), 2)
    >>> abs(turns).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
    """
    turned = np.deg2rad(symmetry * np.asarray(angle, dtype=float))
    turns = np.stack([np.cos(turned), np.sin(turned)], axis=-1)
    return np.asarray(np.nan_to_num(turns), np.float32)


def angles_from_turns(turns: NDArray[np.floating], symmetry: int, /) -> NDArray[np.float64]:
    """Give angles in deg, from 0 to 360 / symmetry, of cosines and sines (site, 2) of any length.

    Examples
    --------
    >>> angles_from_turns(np.array([[-0.1, 0.0], [0.0, -3.0]]), 2).tolist()
    [90.0, 135.0]
    """
    cosine, sine = np.asarray(turns, dtype=float).T
    period = 360.0 / symmetry
    return np.asarray(np.rad2deg(np.arctan2(sine, cosine)) / symmetry % period)


def _crowded_places(
    target: NDArray[np.float64], weight: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Find where many cells point to, to half a cell; in cells."""
    fine = (np.array(shape) + 2) * STRIDE
    pixel = np.clip(np.rint((target + 1) * STRIDE), 0, fine - 1).astype(np.intp)
    votes = np.bincount(
        np.ravel_multi_index(tuple(pixel.T), tuple(fine)), weights=weight, minlength=fine.prod()
    )
    smooth = scipy.ndimage.gaussian_filter(
        votes.reshape(fine).astype(np.float32), _BLUR, mode="constant", truncate=3.0
    )
    highest = scipy.ndimage.maximum_filter(smooth, 3, mode="constant")
    return np.argwhere((smooth == highest) & (smooth > 0)) / STRIDE - 1


def _centers_of_mass(
    target: NDArray[np.float64], weight: NDArray[np.float64], peaks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average the places that cells point to, of those for which a peak is the nearest."""
    distance, nearest = cKDTree(peaks).query(target, distance_upper_bound=1.0)
    near = np.isfinite(distance)
    total = np.bincount(nearest[near], weights=weight[near], minlength=len(peaks))
    sums = [
        np.bincount(nearest[near], weights=weight[near] * part[near], minlength=len(peaks))
        for part in target.T
    ]
    mean = np.stack(sums, axis=1) / np.maximum(total, np.finfo(float).tiny)[:, None]
    return np.where(total[:, None] > 0, mean, peaks)
