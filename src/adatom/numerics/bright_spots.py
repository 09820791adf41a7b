"""Spots that stand out from the columns of a crystal, apart from extended bright areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import ndimage

from adatom.numerics.medians import SIGMA_OF_MAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# In distances between neighbors: what one column fills, its surroundings, and where the level is
# taken from.
SPOT: Final = 0.3
_AROUND: Final = 1.5
_LEVEL: Final = 2.0
# Around a spot so much is left out before its surroundings are judged: the spot and its tails.
_OWN: Final = 1.3
# Brighter pixels would have a say of their own in the mean of surroundings.
_CLIP: Final = 0.98
# Of the weight of a whole filter, below which the pixels left say nothing.
_FEWEST: Final = 0.02


class Spots(NamedTuple):
    """Spots, strongest first, in pixels.

    Attributes
    ----------
    place : ndarray, shape (spot, 2)
        To a fraction of a pixel.
    height : ndarray, shape (spot,)
        Of the filtered image above its surroundings.
    score : ndarray, shape (spot,)
        How far it is above the usual maximum of the image, in standard
        deviations of these.
    error : ndarray, shape (spot,)
        Standard error of its place along an axis.
    around : ndarray, shape (spot,)
        How bright the surroundings are without the spot, in standard
        deviations of the frame.
    haze : ndarray, shape (spot,)
        How much brighter than usual the surroundings are, as a share of `height`.
    host : float
        Median of `height` at the columns, NaN without any.
    extended : ndarray of bool, shape (y, x)
        Where surroundings are brighter than `brightest`.
    """

    place: Floats
    height: Floats
    score: Floats
    error: Floats
    around: Floats
    haze: Floats
    host: float
    extended: Bools


def find_bright_spots(
    image: Floats, columns: Floats, distance: float, /, *, least: float, brightest: float
) -> Spots:
    """Find spots as small as a column, and areas that are bright all over.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        NaN where not measured.
    columns : ndarray, shape (column, 2)
        Places of columns in pixels, by which `host` is measured; may lie beyond the image.
    distance : float
        Between neighboring columns, in pixels.
    least : float
        Score of the faintest spot that is given.
    brightest : float
        Of surroundings, in standard deviations, beyond which they are extended.
    """
    known = np.isfinite(image)
    if not known.any() or np.ptp(image[known]) == 0:
        # A frame that was not measured, or a blank one, has no spots.
        none = np.zeros(0)
        blank = np.zeros(image.shape, dtype=bool)
        return Spots(np.zeros((0, 2)), none, none, none, none, none, float("nan"), blank)
    values = np.where(known, image, 0.0)
    sharp, gain = _smoothed(values, known, SPOT * distance)
    level, _ = _smoothed(values, known, _LEVEL * distance)
    # Near borders fewer pixels are averaged: noise is made alike everywhere.
    flat = np.where(known, (sharp - level) / gain, -np.inf)
    window = max(3, round(distance) | 1)
    tops = np.argwhere((flat == ndimage.maximum_filter(flat, size=window)) & known)
    heights = flat[tuple(tops.T)]
    middle = float(np.median(heights))
    spread = SIGMA_OF_MAD * float(np.median(np.abs(heights - middle)))
    score = (heights - middle) / max(spread, 1e-12 * max(abs(middle), 1e-300))
    order = np.argsort(-score, kind="stable")
    order = order[score[order] >= least]
    around, excess, extended = _surroundings(values, known, tops[order], distance, brightest)
    place = np.array([_vertex(flat, top) for top in tops[order]]).reshape(-1, 2)
    at = tuple(tops[order].T)
    # Of a Gaussian as wide as the filter: its width over the height in units of the noise.
    noise = SIGMA_OF_MAD * float(np.median(np.abs(flat[known] - np.median(flat[known]))))
    error = np.sqrt(2) * SPOT * distance * noise / np.maximum(heights[order], 1e-300)
    index = np.rint(columns).astype(int)
    inside = ((index >= 0) & (index < image.shape)).all(axis=1)
    host = (sharp - level)[tuple(index[inside].T)]
    return Spots(
        place,
        (sharp - level)[at],
        score[order],
        error,
        np.asarray(around[at]),
        np.asarray(excess[at] / np.maximum((sharp - level)[at], 1e-300)),
        float(np.median(host)) if host.size else float("nan"),
        extended,
    )


def _smoothed(values: Floats, known: Bools, width: float) -> tuple[Floats, Floats]:
    """Smooth what is known, and give by how much white noise stays, 1 far from borders."""
    weight = known.astype(np.float64)
    share = ndimage.gaussian_filter(weight, width, mode="constant")
    squares = ndimage.gaussian_filter(weight, width / np.sqrt(2), mode="constant")
    share = np.where(share > _FEWEST, share, np.inf)
    smooth = ndimage.gaussian_filter(values * weight, width, mode="constant") / share
    return smooth, np.where(np.isfinite(share), np.sqrt(squares) / share, 1.0)


def _surroundings(
    values: Floats, known: Bools, tops: NDArray[np.intp], distance: float, brightest: float
) -> tuple[Floats, Floats, Bools]:
    clipped = np.minimum(values, np.quantile(values[known], _CLIP))
    usable = known.copy()
    if len(tops):
        away = np.ones(known.shape, dtype=bool)
        away[tuple(tops.T)] = False
        usable &= ndimage.distance_transform_edt(away) > _OWN * distance
    mean, gain = _smoothed(clipped, usable, _AROUND * distance)
    middle = float(np.median(mean[usable]))
    spread = SIGMA_OF_MAD * float(np.median(np.abs(mean[usable] - middle)))
    around = (mean - middle) / (max(spread, 1e-300) * np.maximum(gain, 1.0))
    around = np.where(np.isfinite(around), around, 0.0)
    excess = np.where(usable | (mean != 0), mean - middle, 0.0)
    return around, excess, (around > brightest) & known


def _vertex(flat: Floats, top: NDArray[np.intp]) -> Floats:
    """Give the place of a maximum to a fraction of a pixel, by a parabola along each axis."""
    place = top.astype(np.float64)
    for axis in (0, 1):
        if not 0 < top[axis] < flat.shape[axis] - 1:
            continue
        step = np.eye(2, dtype=int)[axis]
        low, middle, high = (flat[tuple(top + k * step)] for k in (-1, 0, 1))
        bend = low - 2 * middle + high
        if np.isfinite(bend) and bend < 0:
            place[axis] += float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5))
    return place
