"""How many components rise above noise whose level differs from column to column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.optimize

from adatom.numerics.noise_rank import n_components_above_noise
from adatom.numerics.principal_axes import principal_axes, principal_variances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Noise alone exceeds its edge so far, in units of the fluctuation, once in a hundred times: the
# 99 % quantile of the distribution of Tracy and Widom for real data (Bejan 2005, table 2).
_QUANTILE: Final = 2.0234
# Signal seldom has more components; where it has, more are judged.
_FIRST_JUDGED: Final = 32


class ParallelAnalysis(NamedTuple):
    """Variances of components, and how large noise would make them."""

    n_components: int
    """Components that noise would not give."""
    null: NDArray[np.float64]
    """(component,), 99 % quantile of the largest variance of noise, the components before it taken
    for signal; beyond `n_components` that of all that is left."""


def parallel_analysis(
    variances: Floats, axes: Floats, column_variances: Floats, n_rows: int, /
) -> ParallelAnalysis:
    """Compare variances of components with those of noise of the same variance in every column.

    Horn [1]_ compared with random data; with many rows their largest
    variance is known without drawing any [2]_: it lies at the edge of the
    spectrum of noise, and fluctuates about it as told in [3]_, [4]_. Signal
    raises the variance of columns and would pass for noise; so each
    component that was found is taken out before the next is judged [2]_.

    Parameters
    ----------
    variances : array, shape (component,)
        Falling.
    axes : array, shape (component, column)
        Of these components, orthonormal.
    column_variances : array, shape (column,)
        Of all rows; their sum is that of all variances.
    n_rows : int
        Rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(500, 1)) * np.ones(20) + rng.normal(size=(500, 20))
    >>> covariance = np.cov(rows.T)
    >>> values, vectors = np.linalg.eigh(covariance)
    >>> parallel_analysis(values[::-1], vectors.T[::-1], np.diag(covariance), 500).n_components
    1

    References
    ----------
    .. [1] J. L. Horn, Psychometrika 30, 179 (1965).
    .. [2] E. Dobriban and A. B. Owen, J. R. Stat. Soc. B 81, 163 (2019), sec. 3 and 4.
    .. [3] N. El Karoui, Ann. Probab. 35, 663 (2007), theorem 1.
    .. [4] J. O. Lee and K. Schnelli, Ann. Appl. Probab. 26, 3786 (2016), for real data.
    """
    left = np.array(column_variances, dtype=np.float64)
    free = np.ones_like(left)
    null = np.zeros(len(variances))
    for number, (variance, axis) in enumerate(zip(variances, axes, strict=True)):
        # With a component its share of the noise went as well.
        noise = left / np.maximum(free, 0.1)
        null[number] = _largest_of_noise(noise, n_rows - 1 - number)
        if not variance > null[number]:
            null[number:] = null[number]
            return ParallelAnalysis(number, null)
        left = np.maximum(left - variance * axis**2, 0.0)
        free -= axis**2
    return ParallelAnalysis(len(variances), null)


def _largest_of_noise(column_variances: Floats, n_rows: int) -> float:
    """Give the 99 % quantile of the largest variance of independent noise in columns."""
    levels = column_variances[column_variances > 0]
    if n_rows < 1 or not len(levels):
        return 0.0
    scale = float(levels.max())
    levels = levels / scale

    def excess(place: float) -> float:
        pull = levels * place / (1 - levels * place)
        return float((pull**2).sum()) / n_rows - 1

    # The sum runs from zero to infinity between the bounds.
    place = scipy.optimize.brentq(excess, 0.0, 1 - 1e-12, xtol=1e-15)
    pull = levels * place / (1 - levels * place)
    edge = (1 + float(pull.sum()) / n_rows) / place
    width = (1 + float((pull**3).sum()) / n_rows) ** (1 / 3) / place
    return float(scale * (edge + _QUANTILE * width * n_rows ** (-2 / 3)))


def n_components_of(analysis: ParallelAnalysis, variances: Floats, n_rows: int, /) -> int:
    """Count the components that rise above noise by either reckoning.

    Parallel analysis knows that columns differ in noise, but takes their
    noise for independent: a detector that spreads a count over neighboring
    channels raises its first components above that. The median of all
    variances falls with such noise, but knows of one level only. A component
    that either explains by noise is none to rely on.
    """
    return min(analysis.n_components, n_components_above_noise(variances, n_rows))


def components_of(
    covariance: Floats, n_rows: int, /, *, at_least: int = 1
) -> tuple[ParallelAnalysis, Floats, Floats]:
    """Find all components above the noise, and `at_least` so many of the largest.

    Returns
    -------
    analysis : ParallelAnalysis
        Of as many components as there are axes.
    variances : array, shape (column,)
        Of all components.
    axes : array, shape (component, column)
        Of the first components; one at least is not above the noise, if
        there is such a one.
    """
    variances = principal_variances(covariance)
    number = min(max(at_least, _FIRST_JUDGED), len(covariance))
    while True:
        axes = principal_axes(covariance, number)
        found = parallel_analysis(variances[:number], axes, np.diag(covariance), n_rows)
        if found.n_components < number or number == len(covariance):
            return found, variances, axes
        number = min(4 * number, len(covariance))
