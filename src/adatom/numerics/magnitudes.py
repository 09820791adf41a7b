"""Lengths of noisy vectors, which noise makes look longer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import chndtrinc

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beyond ten standard deviations the interval is that of a normal number plus 0.05 of one, which
# the table has at its end; its steps of 0.01 are finer than any interval needs.
_LAST: Final = 12.0
_STEP: Final = 0.01
_LEVEL: Final = 0.95
# Of an angle that may be any, in deg: 360 / sqrt(12).
ANY_ANGLE: Final = 103.923


class Magnitudes(NamedTuple):
    """Lengths of vectors with their errors, 95 % intervals, and angles (deg) with theirs."""

    length: NDArray[np.float64]
    error: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    angle: NDArray[np.float64]
    angle_error: NDArray[np.float64]


def magnitudes(vector: NDArray[np.float64], covariance: NDArray[np.float64], /) -> Magnitudes:
    """Estimate the lengths of vectors (site, 2: y, x) with covariances (site, 2, 2).

    Noise adds to the length p of a vector, whatever its direction. The
    estimate p - b^2 (1 - exp(-p^2 / b^2)) / (2 p), with b the noise across the
    vector, is nearly free of that beyond two standard deviations and never
    negative [1]_. The interval inverts the distribution of p, of alike noise
    along and across (noncentral chi squared with two degrees of freedom).

    References
    ----------
    .. [1] S. Plaszczynski et al., Mon. Not. R. Astron. Soc. 439, 4048 (2014).
    """
    seen = np.linalg.norm(vector, axis=1)
    safe = np.where(seen > 0, seen, 1.0)
    along = np.where(seen[:, None] > 0, vector / safe[:, None], np.array([0.0, 1.0]))
    across = np.stack([along[:, 1], -along[:, 0]], axis=1)
    error = np.sqrt(np.einsum("sa,sab,sb->s", along, covariance, along))
    off = np.einsum("sa,sab,sb->s", across, covariance, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 0, seen / error, np.inf)
    lower, upper = _interval(ratio)
    exact = error == 0
    angle = np.degrees(np.arctan2(vector[:, 0], vector[:, 1]))
    angle_error = np.minimum(np.degrees(np.sqrt(off)) / safe, ANY_ANGLE)
    return Magnitudes(
        seen - length_bias(seen, np.sqrt(off)),
        error,
        np.where(exact, seen, lower * error),
        np.where(exact, seen, upper * error),
        angle,
        np.where(seen > 0, angle_error, ANY_ANGLE),
    )


def length_bias(seen: NDArray[np.float64], across: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give by how much noise with the standard deviation `across` lengthens a vector."""
    square = across**2
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = square * -np.expm1(-(seen**2) / square) / (2 * seen)
    return np.where((square > 0) & (seen > 0), bias, 0.0)


@cache
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    ratio = np.arange(_STEP, _LAST + _STEP / 2, _STEP)
    tail = (1 - _LEVEL) / 2
    none = -np.expm1(-(ratio**2) / 2)
    bounds = []
    for share in (1 - tail, tail):
        some = none > share
        found = np.zeros_like(ratio)
        found[some] = np.sqrt(chndtrinc(ratio[some] ** 2, 2, share))
        bounds.append(found)
    # Vectors by chance shorter than noise ever makes them do not say that they are zero.
    return ratio, bounds[0], np.maximum(bounds[1], 1.0)


def _interval(ratio: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the interval of the true length in units of its error, by the length seen."""
    at, low, high = _table()
    inside = np.minimum(ratio, _LAST)
    more = np.where(np.isfinite(ratio), ratio - inside, np.nan)
    return np.interp(inside, at, low) + more, np.interp(inside, at, high) + more
