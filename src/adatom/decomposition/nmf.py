"""Non-negative matrix factorization, in blocks, the same bits whatever the chunks."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.decomposition.asked import number_from_choice
from adatom.decomposition.endmembers import find_endmembers
from adatom.decomposition.factor_rounds import (
    TINY,
    Fit,
    Loss,
    View,
    least_squares_rounds,
    poisson_rounds,
    swept_scores,
)
from adatom.decomposition.models import Weighting
from adatom.decomposition.pca import (
    column_weights,
    components_like,
    row_weights,
    rows_like,
    weighted_blocks,
)
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Blocks, blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import map_to
from adatom.numerics.moments import Moments, moments_of, sample_of
from adatom.numerics.principal_axes import (
    MOST_COLUMNS,
    axes_of_rows,
    principal_axes,
    principal_variances,
)
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

# The first rounds go over a sample of rows, which settles the components up to details.
_SAMPLE_ROWS: Final = 1 << 14
# Of counts in all channels, at a hundred times the cost of scores, a smaller one.
_SAMPLE_SPECTRA: Final = 1 << 12
_MOST_ROUNDS: Final = 300
# Components of noise beside those of the signal do no harm, a missing one would.
_LEAST_AXES: Final = 20


class Factorization(NamedTuple):
    """Features as sums of components, neither of which is ever negative."""

    scores: Features
    """How much of each component is in each row: (..., component)."""
    components: Features
    """(component, feature), each with the sum one, so that scores are total intensities."""
    summary: Table
    """One row a component: its share of all intensity; `attrs` tell of the fit."""


def decompose_nmf(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_components: int | None = None,
    loss: Loss = "frobenius",
    max_rounds: int = _MOST_ROUNDS,
    seed: int = 0,
) -> Factorization:
    """Decompose features into non-negative components and scores.

    The components start from the purest spectra (`find_endmembers`). They
    move first in the scores of the rows on principal components, where a
    round costs a hundredth, then over all rows and channels, block by block,
    until a round lowers the loss by less than a millionth. With "frobenius"
    scores and components are updated one after the other by hierarchical
    alternating least squares [1]_; with "poisson", after rounds of least
    squares with the weights of counts [2]_, by the multiplicative rules for
    their likelihood [3]_. The result depends on the start: non-negative
    factors are not unique.

    Parameters
    ----------
    features : Features
        No value below zero. Rows with NaN take no part. Scores are held in
        memory, features are not.
    choice : Table, optional
        Whose ``attrs["n_classes"]`` is the number of components.
    n_components : int, optional
        How many; needed without `choice`. `decompose_pca` tells how many
        rise above the noise.
    loss : {"frobenius", "poisson"}
        Squared differences, for noise of one level; or the deviance of
        counts.
    max_rounds : int
        Rounds over all rows, each of which reads the features once; a note
        tells if they did not suffice.
    seed : int
        Of the start and of the sample.

    Returns
    -------
    Factorization
        Components by falling share of the intensity.

    Raises
    ------
    SettingError
        If a value is negative, or the number of components is missing or
        impossible.
    TooFewSitesError
        If there are fewer measured rows than components.

    Examples
    --------
    >>> pure = np.array([[4.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    >>> rows = xr.DataArray(np.array([[1, 0], [0, 1], [1, 2]]) @ pure, dims=("site", "feature"))
    >>> decompose_nmf(rows, n_components=2).components.values.round(2) + 0.0
    array([[0.  , 0.25, 0.75],
           [0.8 , 0.2 , 0.  ]])

    References
    ----------
    .. [1] A. Cichocki and A.-H. Phan, IEICE Trans. Fundam. E92-A, 708 (2009).
    .. [2] M. R. Keenan and P. G. Kotula, Surf. Interface Anal. 36, 203 (2004).
    .. [3] D. D. Lee and H. S. Seung, Adv. Neural Inf. Process. Syst. 13, 556 (2000).
    """
    FEATURES.check(features)
    number = number_from_choice(
        choice, n_components, name="n_components", least=1, n_features=features.shape[-1]
    )
    cut = blocks(features)
    with single_threaded_blas():
        fit = _fitted(cut, number, loss, max_rounds, seed)
    return _result(features, fit, loss)


def _fitted(cut: Blocks, number: int, loss: Loss, max_rounds: int, seed: int) -> Fit:
    weighting: Weighting = "poisson" if loss == "poisson" else "none"
    if loss == "poisson":
        _refuse_negative(moments_of(cut).lowest)
    weights = column_weights(cut, weighting)
    weighted = weighted_blocks(cut, weights, weighting)
    wide = weighted.n_columns > MOST_COLUMNS
    moments = moments_of(weighted, scatter=not wide)
    n_rows = int(moments.counts.sum())
    if n_rows < number:
        msg = f"{n_rows} measured rows cannot hold {number} components"
        raise TooFewSitesError(msg)
    _refuse_negative(moments.lowest)
    n_axes = max(_LEAST_AXES, 2 * number)
    if wide:
        view = _view_of_rows(weighted, moments, n_axes, seed)
    else:
        view = _principal_view(moments, n_axes)
    scores = _scores_in(view, weighted)
    components = _start(scores, view, number, seed)
    every = blocks_from_array(scores)
    if n_rows > 2 * _SAMPLE_ROWS:
        sample = sample_of(every, moments.counts, n_rows=_SAMPLE_ROWS, seed=seed)
        drawn = blocks_from_array(sample)
        components = least_squares_rounds(
            drawn, components, view=view, max_rounds=_MOST_ROUNDS
        ).components
    fit = least_squares_rounds(every, components, view=view, max_rounds=_MOST_ROUNDS)
    if loss == "frobenius":
        return least_squares_rounds(cut, fit.components, scores=fit.scores, max_rounds=max_rounds)
    return _fitted_to_counts(cut, fit.components, weights, moments, max_rounds, seed)


def _refuse_negative(lowest: float) -> None:
    if lowest < 0:
        msg = (
            f"the least value is {lowest:.6g}, non-negative components need values of zero or "
            "more: give them as measured, before a background is taken off, or clip noise at zero"
        )
        raise SettingError(msg)


def _principal_view(moments: Moments, n_axes: int) -> View:
    """Describe spectra by their first principal components."""
    assert moments.scatter is not None  # noqa: S101 -- asked for
    covariance = moments.scatter / moments.counts.sum()
    n_axes = min(n_axes, len(covariance))
    left_out = float(principal_variances(covariance)[n_axes:].sum())
    return View(moments.mean, principal_axes(covariance, n_axes), left_out)


def _view_of_rows(weighted: Blocks, moments: Moments, n_axes: int, seed: int) -> View:
    """Find the first components from the products of rows, where columns are too many.

    Exact where rows are no more than `MOST_COLUMNS`; else those of a sample.
    """
    rows = sample_of(weighted, moments.counts, n_rows=MOST_COLUMNS, seed=seed) - moments.mean
    variances, axes = axes_of_rows(rows)
    kept = float(variances[:n_axes].sum()) * max(len(rows) - 1, 1) / len(rows)
    total = moments.sum_of_squares / moments.counts.sum()
    return View(moments.mean, np.ascontiguousarray(axes[:n_axes]), max(0.0, total - kept))


def _scores_in(view: View, cut: Blocks) -> NDArray[Any]:
    """Project all rows on the basis of a view: NaN where they are not measured."""
    center, basis = view.center.astype(cut.dtype), view.basis.T.astype(cut.dtype)
    scores = np.full((cut.n_rows, len(view.basis)), np.nan, cut.dtype)
    map_to(cut, lambda rows: [(rows - center) @ basis], [scores])
    return scores


def _start(scores: NDArray[Any], view: View, number: int, seed: int) -> NDArray[np.float64]:
    """Start from the purest spectra, raised above zero, where updates could not leave it."""
    mean = view.center
    if number == 1:
        return _raised(mean[None], mean)
    rows = xr.DataArray(scores, dims=("row", "component"))
    found = find_endmembers(rows, n_endmembers=number, seed=seed).spectra.values
    return _raised(mean + found @ view.basis, mean)


def _raised(components: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    floor = 1e-3 * np.maximum(mean, mean.max() * 1e-3) + TINY
    return np.asarray(np.maximum(components, floor), dtype=np.float64)


def _fitted_to_counts(
    cut: Blocks,
    components: NDArray[np.float64],
    weights: NDArray[np.float64],
    moments: Moments,
    max_rounds: int,
    seed: int,
) -> Fit:
    """Go on from weighted least squares by the likelihood of counts."""
    inverse = (1 / weights).astype(cut.dtype)

    def first_scores_for(components: NDArray[np.float64]) -> Any:  # noqa: ANN401 -- a function
        scaled = components / components.sum(axis=1, keepdims=True) / weights
        gram = scaled @ scaled.T

        def first_scores(rows: NDArray[Any]) -> NDArray[np.float64]:
            share = row_weights(rows, "poisson")
            products = ((rows / share * inverse) @ scaled.T).astype(np.float64)
            unknown = np.full(products.shape, np.nan)
            scores = swept_scores(products, gram, unknown)
            # A score of zero could not rise again.
            raised = np.maximum(scores, 1e-3 * scores.mean(axis=1, keepdims=True) + TINY)
            return np.asarray(raised * share, dtype=np.float64)

        return first_scores

    components = components * weights
    components = _raised(components, components.mean(axis=0))
    if moments.counts.sum() > 2 * _SAMPLE_SPECTRA:
        sample = sample_of(cut, moments.counts, n_rows=_SAMPLE_SPECTRA, seed=seed)
        components = poisson_rounds(
            blocks_from_array(sample),
            components,
            first_scores_for(components),
            max_rounds=max_rounds,
        ).components
    return poisson_rounds(cut, components, first_scores_for(components), max_rounds=max_rounds)


def _result(features: xr.DataArray, fit: Fit, loss: Loss) -> Factorization:
    totals = np.nansum(fit.scores, axis=0)
    order = np.argsort(-totals, kind="stable")
    scores = rows_like(features, fit.scores[:, order].astype(blocks(features).dtype))
    components = components_like(features, fit.components[order])
    share = totals[order] / totals.sum() if totals.sum() > 0 else totals[order]
    summary = table_from_columns({"component": np.arange(len(order)), "share": share})
    summary.attrs.update(
        loss=loss, final_loss=fit.loss, n_rounds=fit.n_rounds, converged=fit.converged
    )
    if not fit.converged:
        add_note(scores, f"components still moved after {fit.n_rounds} rounds: raise max_rounds")
    return Factorization(scores, components, summary)
