"""Heights of Gaussians that stand at known places, all in one linear fit."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from adatom.numerics.pixel_bins import MOSTLY, average_pixels

# Beyond this many standard deviations a Gaussian is nothing.
_REACH: Final = 3.5
# Pixels per standard deviation that are enough; finer ones are averaged first.
_PER_WIDTH: Final = 2.0
_AT_ONCE: Final = 1000
# Errors of more unknowns than this are inferred from some of them.
_MOST_EXACT: Final = 200
_SAMPLED: Final = 128


class Heights(NamedTuple):
    """Heights at places, their standard errors, what lies under them, and how well they fit.

    `quality` is the mean squared residual around a place, relative to its
    median over all of them.
    """

    height: NDArray[np.float64]
    error: NDArray[np.float64]
    background: NDArray[np.float64]
    quality: NDArray[np.float64]


def fit_heights(
    image: NDArray[np.float64],
    usable: NDArray[np.bool_],
    places: NDArray[np.float64],
    covariance: NDArray[np.float64],
    /,
    *,
    knots: float,
) -> Heights:
    """Fit heights at fixed places (site, 2), over a background that bends between knots.

    As the model is linear, a column that is missing has the height 0 within
    its error: nothing has to be found first. `covariance` is the common shape,
    `knots` the distance of the background's knots, all in pixels.
    """
    widths = np.sqrt(np.linalg.eigvalsh(covariance))
    factor = max(1, int(widths[0] / _PER_WIDTH))
    values, share = average_pixels(image, usable & np.isfinite(image), (factor, factor))
    weight = np.where(share >= MOSTLY, share, 0.0)
    centers = (places - 0.5 * (factor - 1)) / factor
    shape = covariance / factor**2
    gaussians = _gaussian_columns(values.shape, centers, shape, float(widths[1] / factor))
    hats = sparse.kron(*(_hats(n, max(knots / factor, 2.0)) for n in values.shape), format="csc")
    weights, target = weight.ravel(), values.ravel()
    keep = weights > 0
    # Columns stay columns throughout: turning such matrices about takes longer than all else.
    model = sparse.hstack([gaussians, hats], format="csc")
    weighted = model.copy()
    weighted.data *= weights[model.indices]
    normal = (model.T @ weighted).tocsc()
    # Knots and places without pixels stay at zero.
    normal += sparse.diags_array(np.full(normal.shape[0], 1e-9 * float(normal.diagonal().max())))
    # Symmetric and positive: half as much fills up as without saying so.
    factors = linalg.splu(
        normal,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    found = factors.solve(weighted.T @ target)
    rest = np.where(keep, target - model @ found, np.nan)
    n = len(places)
    around = _around(gaussians)
    local = _mean_square(around, rest)
    # Each unknown takes up one pixel's worth of noise.
    noise = local * keep.sum() / max(keep.sum() - len(found), 1)
    variance = _inverse_diagonal(factors, normal, n)
    background = _mean(around, np.where(keep, hats @ found[n:], np.nan))
    middle = np.nanmedian(local) if np.isfinite(local).any() else 1.0
    return Heights(
        found[:n], np.sqrt(variance * noise), background, local / (middle if middle > 0 else 1.0)
    )


def _gaussian_columns(
    shape: tuple[int, ...],
    centers: NDArray[np.float64],
    covariance: NDArray[np.float64],
    width: float,
) -> sparse.csc_array[Any]:
    """Give a matrix (pixel, site) of unit Gaussians."""
    half = int(np.ceil(_REACH * width))
    steps = np.arange(-half, half + 1)
    inverse = np.linalg.inv(covariance)
    data, pixels, counts = [np.zeros(0)], [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=int)]
    # Windows of some sites at a time: those of all would be most of the memory.
    for at in range(0, len(centers), _AT_ONCE):
        some = centers[at : at + _AT_ONCE]
        pixel = np.rint(some).astype(np.int64)[:, None] + steps[:, None]
        away = pixel - some[:, None]
        # Products of two factors but for the turn of the ellipse.
        along_y, along_x = (
            np.where(
                (pixel[..., axis] >= 0) & (pixel[..., axis] < shape[axis]),
                np.exp(-0.5 * inverse[axis, axis] * away[..., axis] ** 2),
                0.0,
            )
            for axis in range(2)
        )
        values = along_y[:, :, None] * along_x[:, None, :]
        if inverse[0, 1]:
            values *= np.exp(-inverse[0, 1] * away[:, :, None, 0] * away[:, None, :, 1])
        values[values <= np.exp(-0.5 * _REACH**2)] = 0.0
        site, row, column = np.nonzero(values)
        flat = pixel[site, row, 0] * shape[1] + pixel[site, column, 1]
        data.append(values[site, row, column])
        pixels.append(flat.astype(np.int32))
        counts.append(np.bincount(site, minlength=len(some)))
    ends = np.append(0, np.cumsum(np.concatenate(counts)))
    size = int(np.prod(shape)), len(centers)
    return sparse.csc_array((np.concatenate(data), np.concatenate(pixels), ends), shape=size)


def _hats(n: int, distance: float) -> sparse.csr_array[Any]:
    """Give a matrix (pixel, knot) of straight lines between knots."""
    n_knots = max(2, int(np.ceil((n - 1) / distance)) + 1)
    at = np.arange(n) * (n_knots - 1) / max(n - 1, 1)
    first = np.minimum(at.astype(np.int64), n_knots - 2)
    part = at - first
    pixel = np.arange(n)
    return sparse.csr_array(
        (
            np.concatenate([1 - part, part]),
            (np.concatenate([pixel, pixel]), np.concatenate([first, first + 1])),
        ),
        shape=(n, n_knots),
    )


def _around(gaussians: sparse.csc_array[Any]) -> sparse.csr_array[Any]:
    """Give the weights (site, pixel) of the pixels of each place."""
    return gaussians.T.tocsr()


def _mean(around: sparse.csr_array[Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    total = around @ np.where(known, values, 0.0)
    count = around @ known.astype(float)
    mean: NDArray[np.float64] = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
    return mean


def _mean_square(around: sparse.csr_array[Any], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    return _mean(around, rest**2)


def _inverse_diagonal(
    factors: linalg.SuperLU, normal: sparse.csc_array[Any], n: int
) -> NDArray[np.float64]:
    """Give the first n entries of the inverse's diagonal; of many, by some that were solved."""
    plain = 1 / normal.diagonal()[:n]
    chosen = np.arange(n) if n <= _MOST_EXACT else np.linspace(0, n - 1, _SAMPLED).astype(int)
    exact = np.empty(len(chosen))
    for start in range(0, len(chosen), 128):
        columns = chosen[start : start + 128]
        unit = np.zeros((normal.shape[0], len(columns)))
        unit[columns, np.arange(len(columns))] = 1.0
        exact[start : start + 128] = factors.solve(unit)[columns, np.arange(len(columns))]
    if len(chosen) == n:
        return exact
    inferred: NDArray[np.float64] = plain * float(np.median(exact / plain[chosen]))
    return inferred
