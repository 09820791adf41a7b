"""Principal components, exactly at any size."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.decomposition.models import Decomposition, PCAModel, Weighting
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.blocks import Blocks, blocks, mapped_blocks
from adatom.numerics.folds import map_to
from adatom.numerics.moments import moments_of
from adatom.numerics.parallel_analysis import components_of, n_components_of
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

# The eigenvectors of so many take some minutes, their matrix half a gigabyte.
_MOST_FEATURES: Final = 8192


def fit_pca(
    features: Features,
    /,
    *,
    n_components: int | None = None,
    weighting: Weighting = "none",
) -> PCAModel:
    """Find principal components from one pass over the features, exactly.

    The products of all columns are summed block by block, so memory holds a
    few blocks and one matrix (feature, feature), whatever the number of rows.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part.
    n_components : int, optional
        How many to keep; by default those that rise above noise by parallel
        analysis [1]_ and above white noise of the median variance, one at
        least: see `choose_n_components`.
    weighting : {"none", "poisson"}
        "poisson" for counts: rows and columns are divided by the root of
        their means, which makes the noise of counts white [2]_; the mean
        then is not taken off, since a bilinear model of counts has none.

    Returns
    -------
    PCAModel

    Raises
    ------
    TooFewSitesError
        If fewer than two rows are measured.
    SettingError
        If `n_components` is below 1 or more than there are features, counts
        to be weighted are negative, or there are more than 8192 features,
        whose matrix of products would fill the memory.

    Examples
    --------
    >>> rows = xr.DataArray([[0.0, 0.0], [2.0, 2.1], [4.0, 4.2]], dims=("site", "feature"))
    >>> fit_pca(rows, n_components=1).basis.round(2)
    array([[0.69, 0.72]])

    References
    ----------
    .. [1] E. Dobriban and A. B. Owen, J. R. Stat. Soc. B 81, 163 (2019).
    .. [2] M. R. Keenan and P. G. Kotula, Surf. Interface Anal. 36, 203 (2004).
    """
    FEATURES.check(features)
    n_features = features.shape[-1]
    if n_components is not None and not 1 <= n_components <= n_features:
        msg = f"{n_components=} must lie between 1 and the {n_features} features"
        raise SettingError(msg)
    found = weighted_covariance(features, weighting)
    analysis, variances, axes = components_of(
        found.covariance, found.n_rows, at_least=n_components or 1
    )
    above = n_components_of(analysis, variances, found.n_rows)
    kept = max(above, 1) if n_components is None else n_components
    return PCAModel(
        center=found.center,
        basis=axes[:kept].copy(),
        variances=variances,
        column_weights=found.column_weights,
        n_rows=found.n_rows,
        n_above_noise=above,
        weighting=weighting,
        feature_dim=str(features.dims[-1]),
    )


class Covariance(NamedTuple):
    """Products of all columns of weighted features, on average over the rows."""

    covariance: NDArray[np.float64]
    center: NDArray[np.float64]
    """Taken off before."""
    column_weights: NDArray[np.float64]
    n_rows: int


def weighted_covariance(features: xr.DataArray, weighting: Weighting, /) -> Covariance:
    """Pass over features for their covariance, about their mean or, of counts, about zero.

    Raises
    ------
    TooFewSitesError
        If fewer than two rows are measured.
    SettingError
        If counts to be weighted are negative, or there are too many features.
    """
    cut = blocks(features)
    if cut.n_columns > _MOST_FEATURES:
        msg = (
            f"{cut.n_columns} features along {features.dims[-1]!r}: the matrix of their products "
            f"would take {8e-9 * cut.n_columns**2:.1f} GB, several times over. Keep a span "
            "(correction.choose_channels), join channels (correction.bins_from_channels) or find "
            f"peaks first: {_MOST_FEATURES} features are the most"
        )
        raise SettingError(msg)
    weights = column_weights(cut, weighting)
    moments = moments_of(weighted_blocks(cut, weights, weighting), scatter=True)
    n_rows = int(moments.counts.sum())
    if n_rows < 2:
        msg = (
            f"{n_rows} of {cut.n_rows} rows are measured throughout, components need 2 or more: "
            f"{_remedy(features)}"
        )
        raise TooFewSitesError(msg)
    assert moments.scatter is not None  # noqa: S101 -- asked for
    center, scatter = moments.mean, moments.scatter
    if weighting == "poisson":
        scatter = scatter + n_rows * np.outer(center, center)
        center = np.zeros_like(center)
    return Covariance(scatter / (n_rows - 1), center, weights, n_rows)


def _remedy(features: xr.DataArray) -> str:
    """Tell why hardly a row is measured throughout, and what to try."""
    last = str(features.dims[-1])
    is_known = features.notnull()
    places = [dim for dim in features.dims if dim != last]
    has_row = np.asarray(is_known.any(last).values)
    if not has_row.any():
        return (
            "all rows are NaN; look at what the steps before took out. Rows that lack a channel "
            "have no intensity to be divided by: leave such channels out before "
            "(correction.choose_channels), or fill them "
            "(correction.correct_stuck_channels with known)"
        )
    if has_row.sum() < 2:
        return "give more rows"
    n_empty = int((~is_known.any(places)).sum())
    if n_empty:
        return (
            f"{n_empty} of {features.shape[-1]} channels along {last!r} are NaN everywhere; leave "
            "them out (correction.choose_channels), or fill them "
            "(correction.correct_stuck_channels with known)"
        )
    return (
        f"every row lacks some of its {features.shape[-1]} features; leave those out, or fill them"
    )


def apply_pca(features: Features, model: PCAModel, /) -> Features:
    """Give the scores of features on components that were fitted before.

    Parameters
    ----------
    features : Features
        With the features that the model was fitted to. Read block by block.
    model : PCAModel
        Of `fit_pca`.

    Returns
    -------
    Features
        (..., component) in memory, in the unit of the features; NaN where a
        row has one. Scores times components, plus the center, give back the
        features but for what is left out.

    Raises
    ------
    KindError
        If the features are not those of the model.

    Examples
    --------
    >>> rows = xr.DataArray([[0.0, 0.0], [2.0, 2.1], [4.0, 4.2]], dims=("site", "feature"))
    >>> apply_pca(rows, fit_pca(rows, n_components=1)).values.round(1).ravel().tolist()
    [-2.9, 0.0, 2.9]
    """
    FEATURES.check(features)
    _check_fit(features, model)
    cut = blocks(features)
    scores = np.full((cut.n_rows, model.n_components), np.nan, cut.dtype)
    center = model.center.astype(cut.dtype)
    basis = model.basis.T.astype(cut.dtype)
    weigh = weigher_of(model.column_weights.astype(cut.dtype), model.weighting)

    def work(rows: NDArray[Any]) -> tuple[NDArray[Any]]:
        projected = (weigh(rows) - center) @ basis
        return (projected * row_weights(rows, model.weighting),)

    map_to(cut, work, [scores])
    return rows_like(features, scores)


def decompose_pca(
    features: Features,
    /,
    *,
    n_components: int | None = None,
    weighting: Weighting = "none",
) -> Decomposition:
    """Decompose features into principal components: scores, components and their variances.

    Parameters
    ----------
    features : Features
        As of `fit_pca`, which this calls, and then `apply_pca`.
    n_components : int, optional
        As of `fit_pca`.
    weighting : {"none", "poisson"}
        As of `fit_pca`.

    Returns
    -------
    Decomposition
        Scores in the unit of the features; components (component, feature)
        without unit; a summary with the share of the variance of each.

    Raises
    ------
    TooFewSitesError, SettingError
        As of `fit_pca`.

    Examples
    --------
    >>> rows = xr.DataArray([[0.0, 0.0], [2.0, 2.1], [4.0, 4.2]], dims=("site", "feature"))
    >>> decompose_pca(rows, n_components=1).summary["share"].values.round(3)
    array([1.])
    """
    model = fit_pca(features, n_components=n_components, weighting=weighting)
    scores = apply_pca(features, model)
    # Scores of noise have no classes: what chooses their number asks for this.
    scores.attrs["n_above_noise"] = model.n_above_noise
    n_missing = int(np.isnan(scores.values[..., 0]).sum())
    if n_missing:
        add_note(scores, f"{n_missing} rows are not measured throughout and have no scores")
    return Decomposition(
        scores,
        components_like(features, model.basis * model.column_weights),
        _summary(model),
        model,
    )


def column_weights(cut: Blocks, weighting: Weighting, /) -> NDArray[np.float64]:
    """Give the root of the mean of every column; of columns without counts, one."""
    if weighting == "none":
        return np.ones(cut.n_columns)
    mean = moments_of(cut).mean
    if (mean < 0).any():
        worst = int(np.argmin(mean))
        msg = (
            f'weighting="poisson" needs counts; the mean of feature {worst} is {mean[worst]:.6g}: '
            'give counts as measured, or weighting="none"'
        )
        raise SettingError(msg)
    return np.where(mean > 0, np.sqrt(mean), 1.0)


def row_weights(rows: NDArray[Any], weighting: Weighting, /) -> NDArray[Any]:
    """Give the root of the mean of every row, as a column; of rows without counts, one."""
    if weighting == "none":
        return np.ones((1, 1), rows.dtype)
    mean = rows.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.where(mean > 0, np.sqrt(np.maximum(mean, 0)), 1.0).astype(rows.dtype)


def weigher_of(weights: NDArray[Any], weighting: Weighting, /) -> Any:  # noqa: ANN401 -- a function
    """Give the function that divides rows by their weights and those of the columns."""
    if weighting == "none":
        return lambda rows: rows
    return lambda rows: rows / row_weights(rows, weighting) / weights


def weighted_blocks(cut: Blocks, weights: NDArray[np.float64], weighting: Weighting, /) -> Blocks:
    """Divide the rows of blocks by their weights and those of the columns."""
    if weighting == "none":
        return cut
    return mapped_blocks(cut, weigher_of(weights.astype(cut.dtype), weighting))


def _check_fit(features: xr.DataArray, model: PCAModel) -> None:
    found = (str(features.dims[-1]), features.shape[-1])
    needed = (model.feature_dim, len(model.center))
    if found != needed:
        msg = (
            f"features have {found[1]} values along {found[0]!r}, the components {needed[1]} along "
            f"{needed[0]!r}: apply them to features of the same sort"
        )
        raise KindError(msg)


def rows_like(features: xr.DataArray, scores: NDArray[Any], /) -> xr.DataArray:
    """Give scores (row, component) the places of the rows that they belong to."""
    last = features.dims[-1]
    kept = {name: coord for name, coord in features.coords.items() if last not in coord.dims}
    sizes = features.shape[:-1]
    attrs = {key: features.attrs[key] for key in ("units", "source") if key in features.attrs}
    return xr.DataArray(
        scores.reshape(*sizes, scores.shape[-1]),
        dims=(*features.dims[:-1], "component"),
        coords={**kept, "component": np.arange(scores.shape[-1])},
        name="score",
        attrs=attrs,
    )


def components_like(features: xr.DataArray, components: NDArray[np.float64], /) -> xr.DataArray:
    """Give components (component, feature) the axis of the features."""
    last = features.dims[-1]
    along = {name: coord for name, coord in features.coords.items() if coord.dims == (last,)}
    return xr.DataArray(
        components.astype(blocks(features).dtype),
        dims=("component", last),
        coords={**along, "component": np.arange(len(components))},
        name="component",
        attrs={"units": "1"},
    )


def _summary(model: PCAModel) -> Table:
    variances = model.variances[: model.n_components]
    total = model.variances.sum()
    share = variances / total if total > 0 else np.zeros_like(variances)
    table = table_from_columns(
        {
            "component": np.arange(model.n_components),
            "variance": variances,
            "share": share,
            "above_noise": np.arange(model.n_components) < model.n_above_noise,
        }
    )
    table.attrs.update(n_above_noise=model.n_above_noise, weighting=model.weighting)
    return table
