"""How many components of features rise above white noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def n_components_above_noise(variances: NDArray[np.float64], n_rows: int, /) -> int:
    """Count the variances that white noise of the same median would not reach [1]_.

    Parameters
    ----------
    variances : array, shape (feature,)
        Eigenvalues of the sample covariance, falling.
    n_rows : int
        Rows that it was computed from.

    Examples
    --------
    >>> n_components_above_noise(np.array([9.0, *np.linspace(1.1, 0.9, 20)]), 10_000)
    1

    References
    ----------
    .. [1] V. A. Marchenko and L. A. Pastur, Math. USSR Sb. 1, 457 (1967); the median as in
       M. Gavish and D. L. Donoho, IEEE Trans. Inf. Theory 60, 5040 (2014), sec. III.E.
    """
    n_features = len(variances)
    # Of fewer rows than features only so many variances differ from zero.
    real = variances[: min(n_features, max(n_rows - 1, 1))]
    ratio = n_features / max(n_rows - 1, 1)
    noise = float(np.median(real)) / _marchenko_pastur_median(ratio)
    # Two thirds of a root above the edge lie the fluctuations of the largest noise variance.
    edge = (1 + np.sqrt(ratio)) ** 2 * (1 + 2 * min(n_rows, n_features) ** (-2 / 3))
    return int(np.count_nonzero(variances > noise * edge))


def _marchenko_pastur_median(ratio: float) -> float:
    """Find the median of the variances, other than zero, of unit white noise."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    # x = middle + radius cos(t) takes the square roots at both edges out of the integral.
    angle = (np.arange(20_000) + 0.5) * np.pi / 20_000
    x = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    density = np.sin(angle) ** 2 / x
    heights = np.cumsum(density)
    return float(x[np.searchsorted(heights, heights[-1] / 2)])
