"""Independent components: scores that depend on one another as little as they can."""

from __future__ import annotations

import warnings
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.decomposition.asked import number_from_choice
from adatom.decomposition.models import PCAModel
from adatom.decomposition.pca import apply_pca, components_like, fit_pca
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

# Directions of components settle to a per cent on so many rows, in seconds.
_SAMPLE_ROWS: Final = 1 << 15
# One start in several ends in a poor optimum; the best of five is the same in nearly all seeds.
_STARTS: Final = 5
_ROUNDS: Final = 500
# Of a standard normal variable: mean of log(cosh(z)).
_NORMAL_LOG_COSH: Final = 0.37456720
# Components of so little variance relative to the first are rounding errors.
_NULL: Final = 1e-10


class IndependentComponents(NamedTuple):
    """Features as sums of components whose scores are independent of one another."""

    scores: Features
    """How much of each component is in each row, (..., component): mean 0, variance 1."""
    components: Features
    """(component, feature) in the unit of the features: what one standard deviation of a score
    adds to the mean of all rows."""
    summary: Table
    """A row a component: the share of the variance that was kept, skewness, excess kurtosis and
    negentropy of its scores."""
    model: PCAModel
    """The principal components that were turned, with the center."""


def decompose_ica(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_components: int | None = None,
    seed: int = 0,
) -> IndependentComponents:
    """Decompose features into components whose scores are independent.

    Principal components only are uncorrelated, and mix what is independent:
    a drift, a material, a fault of the detector. Here they are turned until
    their scores are as far from normal as can be (FastICA [1]_ with log
    cosh), which sums of independent scores are not. At most one component may
    be of normal scores. Components have negative parts, like principal
    ones; take `decompose_nmf` or `find_endmembers` for spectra of materials.

    Parameters
    ----------
    features : Features
        Numpy or dask inside, read block by block; rows with NaN take no
        part. Scores are held in memory; directions are found on a
        stratified sample of 32,768 rows if there are more.
    choice : Table, optional
        Whose ``attrs["n_classes"]`` is the number of components.
    n_components : int, optional
        How many; by default as many as principal components rise above
        white noise. Too many split one component in two.
    seed : int
        Of the starts, of which the best is kept, and of the sample.

    Returns
    -------
    IndependentComponents
        By falling share of the variance. The sign is that of positive
        skewness: what few rows have much of is positive.

    Raises
    ------
    SettingError
        If the number of components is out of range, or features vary along
        fewer directions.
    TooFewSitesError
        If fewer than two rows are measured.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> sources = rng.exponential(1.0, (500, 2)) * [2.0, 1.0]
    >>> rows = xr.DataArray(sources @ [[1, 1, 0], [0, 1, 1]], dims=("site", "feature"))
    >>> decompose_ica(rows, n_components=2).components.values.round() + 0.0
    array([[2., 2., 0.],
           [0., 1., 1.]])

    References
    ----------
    .. [1] A. Hyvarinen, IEEE Trans. Neural Netw. 10, 626 (1999); the implementation is that of
       scikit-learn.
    """
    FEATURES.check(features)
    number = n_components
    if choice is not None or n_components is not None:
        number = number_from_choice(
            choice, n_components, name="n_components", least=1, n_features=features.shape[-1]
        )
    model = fit_pca(features, n_components=number)
    spread = _spread(model)
    whole = apply_pca(features, model)
    flat = whole.values.reshape(-1, model.n_components)
    measured = np.isfinite(flat[:, 0])
    white = flat[measured] / spread.astype(flat.dtype)
    with single_threaded_blas():
        turn, converged, n_sample = _turn(white, seed)
        sources = white @ turn.T.astype(flat.dtype)
    sources, components = _arranged(sources, (turn * spread) @ model.basis)
    scores = np.full(flat.shape, np.nan, flat.dtype)
    scores[measured] = sources
    result = IndependentComponents(
        whole.copy(data=scores.reshape(whole.shape)),
        components_like(features, components),
        _summary(sources, components),
        model,
    )
    result.scores.attrs["units"] = "1"
    result.components.attrs["units"] = str(features.attrs.get("units", "1"))
    _tell(result, converged, n_sample, int(np.count_nonzero(measured)), measured.size)
    return result


def _spread(model: PCAModel) -> NDArray[np.float64]:
    """Give the standard deviation of every component, none of which may be zero."""
    spread: NDArray[np.float64] = np.sqrt(model.variances[: model.n_components])
    n_real = int(np.count_nonzero(spread > np.sqrt(_NULL) * spread[0]))
    if not n_real:
        msg = "the rows are all the same: there is nothing to decompose"
        raise SettingError(msg)
    if n_real < len(spread):
        msg = (
            f"the features vary along {n_real} directions, {len(spread)} components were asked "
            f"for: give n_components={n_real} or less"
        )
        raise SettingError(msg)
    return spread


def _arranged(
    sources: NDArray[Any], components: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Order components by falling share of the variance, and give each its sign."""
    order = np.argsort(-(components**2).sum(axis=1), kind="stable")
    sources, components = sources[:, order], components[order]
    sign = _signs(sources, components)
    return sources * sign.astype(sources.dtype), components * sign[:, None]


def _turn(white: NDArray[Any], seed: int) -> tuple[NDArray[np.float64], bool, int]:
    """Find the orthogonal turn of white scores that makes them least normal."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    cut = blocks_from_array(white)
    rows = sample_of(cut, moments_of(cut).counts, n_rows=_SAMPLE_ROWS, seed=seed)
    rows = rows.astype(np.float64)
    n = rows.shape[1]
    if n == 1:
        return np.ones((1, 1)), True, len(rows)
    rng = np.random.default_rng(seed)
    best, most, settled = np.eye(n), -np.inf, False
    for _ in range(_STARTS):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ConvergenceWarning)
            start = rng.normal(size=(n, n))
            found = FastICA(whiten=False, fun="logcosh", max_iter=_ROUNDS, w_init=start).fit(rows)
        turn = _orthogonal(np.asarray(found.components_, dtype=np.float64))
        contrast = float(_negentropy(rows @ turn.T).sum())
        if contrast > most:
            best, most, settled = turn, contrast, not told
    return best, settled, len(rows)


def _orthogonal(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    left, _, right = np.linalg.svd(turn)
    return np.asarray(left @ right)


def _negentropy(sources: NDArray[Any]) -> NDArray[np.float64]:
    """Give how far from normal each column is: the square of what log cosh has on average more."""
    wide = np.abs(sources.astype(np.float64))
    mean = (wide + np.log1p(np.exp(-2 * wide)) - np.log(2)).mean(axis=0)
    return np.asarray((mean - _NORMAL_LOG_COSH) ** 2)


def _signs(sources: NDArray[Any], components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give +1 or -1 a component; where scores are symmetric, by the largest channel."""
    skewness = (sources.astype(np.float64) ** 3).mean(axis=0)
    error = np.sqrt(6 / len(sources))
    largest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    sign = np.sign(np.where(np.abs(skewness) > 3 * error, skewness, largest))
    return np.where(sign == 0, 1.0, sign)


def _summary(sources: NDArray[Any], components: NDArray[np.float64]) -> Table:
    wide = sources.astype(np.float64)
    squares = (components**2).sum(axis=1)
    return table_from_columns(
        {
            "component": np.arange(len(components)),
            "share": squares / squares.sum(),
            "skewness": (wide**3).mean(axis=0),
            "kurtosis": (wide**4).mean(axis=0) - 3,
            "negentropy": _negentropy(wide),
        }
    )


def _tell(
    result: IndependentComponents, converged: bool, n_sample: int, n_rows: int, n_all: int
) -> None:
    negentropy = result.summary["negentropy"].values
    # The mean of log cosh of so many normal scores has a standard error of 0.43 / sqrt(n).
    n_normal = int(np.count_nonzero(negentropy < (3 * 0.43) ** 2 / n_sample))
    if n_normal > 1:
        add_note(
            result.scores,
            f"{n_normal} components have scores like normal ones: how these are turned among "
            "themselves means nothing",
        )
    if not converged:
        add_note(result.scores, f"components still turned after {_ROUNDS} rounds")
    if n_sample < n_rows:
        add_note(result.scores, f"turned on a stratified sample of {n_sample} of {n_rows} rows")
    if n_rows < n_all:
        add_note(result.scores, f"{n_all - n_rows} rows with NaN have no scores")
