"""How many components rise above the noise, with what it takes to see why."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adatom.decomposition.models import Weighting
from adatom.decomposition.pca import weighted_covariance
from adatom.errors import SettingError
from adatom.numerics.noise_rank import n_components_above_noise
from adatom.numerics.parallel_analysis import components_of, n_components_of
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

# A scree plot needs some noise beside the signal to show where it ends.
_LEAST_TOLD: Final = 30


def choose_n_components(
    features: Features, /, *, weighting: Weighting = "none", max_components: int = _LEAST_TOLD
) -> Table:
    """Find how many principal components rise above the noise.

    Parallel analysis [1]_ asks what noise alone would give: noise that is as
    strong in every channel as what is left there after the components before
    [2]_. With thousands of rows that is known without drawing random data,
    so the answer takes one pass over the features and no seed. Components
    count as long as their variance is more than the largest of noise would
    be in all but one of a hundred cases.

    Noise that channels share, as where a detector spreads counts over its
    neighbors, would pass for components so: those that white noise of the
    median variance [3]_ explains do not count either. The fewer of the two
    numbers is the answer.

    Noise needs not be the same in all channels, but in all rows: give counts
    with ``weighting="poisson"``, or spectra of one intensity.

    Parameters
    ----------
    features : Features
        As of `fit_pca`.
    weighting : {"none", "poisson"}
        As of `fit_pca`. With "poisson" the mean is a component as well: six
        materials have six, without weights five.
    max_components : int
        Rows of the table, for a scree plot; more if more rise above the
        noise.

    Returns
    -------
    Table
        One row a component: ``component``, its ``variance``, the variance
        that ``noise`` would have there, and whether it is ``above_noise``.
        ``attrs["n_components"]`` is the answer, 0 for noise alone, the fewer
        of ``attrs["n_by_parallel_analysis"]`` and, for noise of one level in
        all channels, ``attrs["n_above_white_noise"]``; ``attrs["reason"]``
        says why.

    Raises
    ------
    TooFewSitesError
        If fewer than two rows are measured.
    SettingError
        If `max_components` is below 1, or counts to be weighted are negative.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(400, 1)) * np.ones(10) + rng.normal(size=(400, 10))
    >>> table = choose_n_components(xr.DataArray(rows, dims=("site", "feature")))
    >>> table.attrs["n_components"]
    1

    References
    ----------
    .. [1] J. L. Horn, Psychometrika 30, 179 (1965).
    .. [2] E. Dobriban and A. B. Owen, J. R. Stat. Soc. B 81, 163 (2019).
    .. [3] V. A. Marchenko and L. A. Pastur, Math. USSR Sb. 1, 457 (1967).
    """
    FEATURES.check(features)
    if max_components < 1:
        msg = f"{max_components=} must be 1 or more"
        raise SettingError(msg)
    found = weighted_covariance(features, weighting)
    number = min(max_components, features.shape[-1])
    analysis, variances, axes = components_of(found.covariance, found.n_rows, at_least=number)
    answer = n_components_of(analysis, variances, found.n_rows)
    told = min(max(number, answer + 1), len(axes))
    table = table_from_columns(
        {
            "component": np.arange(told),
            "variance": variances[:told],
            "noise": analysis.null[:told],
            "above_noise": np.arange(told) < answer,
        }
    )
    white = n_components_above_noise(variances, found.n_rows)
    table.attrs.update(
        n_components=answer,
        n_by_parallel_analysis=analysis.n_components,
        n_above_white_noise=white,
        weighting=weighting,
    )
    table.attrs["reason"] = _reason(analysis.n_components, variances, analysis.null, white)
    if answer == features.shape[-1]:
        add_note(table, "all components rise above noise: there is none to compare them with")
    return table


def _reason(
    answer: int, variances: NDArray[np.float64], null: NDArray[np.float64], white: int
) -> str:
    parts = []
    if answer:
        ratio = variances[answer - 1] / null[answer - 1] if null[answer - 1] > 0 else np.inf
        parts.append(f"component {answer - 1} has {ratio:.3g} times the variance of noise")
    if answer < len(null) and null[answer] > 0:
        parts.append(f"component {answer} only {variances[answer] / null[answer]:.3g} times")
    parts.append(f"noise of one level in all channels would leave {white}")
    return "; ".join(parts)
