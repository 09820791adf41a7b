"""Non-negative matrix factorization, in blocks, the same bits whatever the chunks."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.decomposition.asked import number_from_choice
from adatom.decomposition.endmembers import find_endmembers
from adatom.decomposition.pca import components_like, rows_like
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Block, Blocks, blocks, blocks_from_array
from adatom.numerics.folds import add_states, fold
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

Loss = Literal["frobenius", "poisson"]

# The first rounds go over a sample of rows, which settles the components up to details.
_SAMPLE_ROWS: Final = 1 << 13
# Rounds stop when one of them lowers the loss by less than this share of the fall so far.
_AT_REST: Final = 1e-4
_MOST_ROUNDS: Final = 300
# Sweeps over the components for the scores of a row, which start from those of the round before.
_SWEEPS: Final = 4
# Keeps quotients finite where a component vanishes; far below any count.
_TINY: Final = 1e-12


class Factorization(NamedTuple):
    """Features as sums of components, neither of which is ever negative."""

    scores: Features
    """How much of each component is in each row: (..., component)."""
    components: Features
    """(component, feature), each with the sum one, so that scores are total intensities."""
    summary: Table
    """One row a component: its share of all intensity; `attrs` tell of the fit."""


class _Sums(NamedTuple):
    loss: NDArray[np.float64]
    scatter: NDArray[np.float64]
    products: NDArray[np.float64]


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

    The components start from the purest spectra (`find_endmembers`) and move
    first over a sample of rows, then over all, block by block: each round
    reads the features once. With "frobenius" scores and components are
    updated one after the other by hierarchical alternating least squares
    [1]_, with "poisson" by the multiplicative rules for the likelihood of
    counts [2]_. The result depends on the start: non-negative factors are
    not unique.

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
        Rounds over all rows; a note tells if they did not suffice.
    seed : int
        Of the start.

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
    .. [2] D. D. Lee and H. S. Seung, Adv. Neural Inf. Process. Syst. 13, 556 (2000).
    """
    FEATURES.check(features)
    number = number_from_choice(
        choice, n_components, name="n_components", least=1, n_features=features.shape[-1]
    )
    cut = blocks(features)
    moments = moments_of(cut)
    n_rows = int(moments.counts.sum())
    if n_rows < number:
        msg = f"{n_rows} measured rows cannot hold {number} components"
        raise TooFewSitesError(msg)
    _refuse_negative(cut)
    start = _start(features, number, moments.mean, seed)
    if n_rows > 2 * _SAMPLE_ROWS:
        sample = sample_of(cut, moments.counts, n_rows=_SAMPLE_ROWS, seed=seed)
        start = _fitted(blocks_from_array(sample), start, loss, max_rounds).components
    fit = _fitted(cut, start, loss, max_rounds)
    return _result(features, fit, loss)


class _Fit(NamedTuple):
    scores: NDArray[Any]
    components: NDArray[np.float64]
    loss: float
    n_rounds: int
    converged: bool


def _refuse_negative(cut: Blocks) -> None:
    lowest = fold(cut, lambda block: block.values.min(initial=np.inf), min)
    if lowest < 0:
        msg = (
            f"the least value is {lowest:.6g}, non-negative components need values of zero or "
            "more: give them as measured, before a background is taken off, or clip noise at zero"
        )
        raise SettingError(msg)


def _start(
    features: xr.DataArray, number: int, mean: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Start from the purest spectra, raised above zero, where updates could not leave it."""
    floor = 1e-3 * np.maximum(mean, mean.max() * 1e-3) + _TINY
    if number == 1:
        return np.asarray(np.maximum(mean, floor)[None])
    found = find_endmembers(features, n_endmembers=number, seed=seed).spectra.values
    return np.asarray(np.maximum(found, floor), dtype=np.float64)


def _fitted(cut: Blocks, start: NDArray[np.float64], loss: Loss, max_rounds: int) -> _Fit:
    """Go over all blocks, again and again, until the loss is at rest."""
    components = start / start.sum(axis=1, keepdims=True)
    scores = np.full((cut.n_rows, len(start)), np.nan)
    pass_over = _least_squares_pass if loss == "frobenius" else _poisson_pass
    update = _least_squares_update if loss == "frobenius" else _poisson_update
    first = before = np.inf
    for number in range(1, max_rounds + 1):
        sums = pass_over(cut, components, scores)
        now = float(sums.loss)
        first = now if number == 1 else first
        if number > 2 and before - now <= _AT_REST * (first - now) * 0.1:
            return _Fit(scores, components, now, number, converged=True)
        before = now
        if number < max_rounds:
            components, scale = update(components, sums)
            scores *= scale
    return _Fit(scores, components, before, max_rounds, converged=False)


def _least_squares_pass(
    cut: Blocks, components: NDArray[np.float64], scores: NDArray[np.float64]
) -> _Sums:
    """Improve the scores of every row for the components as they are, and sum over rows."""
    gram = components @ components.T
    transposed = components.T.astype(cut.dtype)

    def step(block: Block) -> _Sums:
        rows = block.values
        products = (rows @ transposed).astype(np.float64)
        old = scores[block.rows][block.measured]
        found = _swept(products, gram, old)
        _put(scores, block, found)
        squares = np.einsum("ij,ij->", rows, rows, dtype=np.float64)
        fitted = np.einsum("ij,ij->", found @ gram, found)
        left = squares - 2 * np.einsum("ij,ij->", products, found) + fitted
        crossed = (found.T.astype(cut.dtype) @ rows).astype(np.float64)
        return _Sums(np.asarray(left), found.T @ found, crossed)

    return fold(cut, step, add_states)


def _swept(
    products: NDArray[np.float64], gram: NDArray[np.float64], old: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve for scores one component after the other, from where they were."""
    diagonal = np.maximum(np.diag(gram), _TINY)
    found = np.where(np.isfinite(old), old, np.maximum(products, 0) / gram.sum(axis=1))
    # Columns are contiguous in this layout, which doubles the speed of the sweeps.
    found = np.asfortranarray(found)
    for _ in range(_SWEEPS):
        for k in range(len(gram)):
            step = (products[:, k] - found @ gram[:, k]) / diagonal[k]
            np.maximum(found[:, k] + step, 0.0, out=found[:, k])
    return found


def _put(scores: NDArray[np.float64], block: Block, found: NDArray[np.float64]) -> None:
    if block.measured.all():
        scores[block.rows] = found
    else:
        part = scores[block.rows]
        part[block.measured] = found
        scores[block.rows] = part


def _least_squares_update(
    components: NDArray[np.float64], sums: _Sums
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Improve the components from sums over all rows; give what scores are to be scaled by."""
    moved = components.copy()
    diagonal = np.maximum(np.diag(sums.scatter), _TINY)
    for _ in range(_SWEEPS):
        for k in range(len(moved)):
            step = (sums.products[k] - sums.scatter[k] @ moved) / diagonal[k]
            moved[k] = np.maximum(moved[k] + step, 0.0)
    return _with_sum_one(moved, components)


def _poisson_pass(
    cut: Blocks, components: NDArray[np.float64], scores: NDArray[np.float64]
) -> _Sums:
    """Update scores once by the multiplicative rule, and sum what the components need."""
    spectra = components.astype(cut.dtype)

    def step(block: Block) -> _Sums:
        rows = block.values
        total = rows.sum(axis=1, keepdims=True, dtype=np.float64)
        old = scores[block.rows][block.measured]
        guess = np.where(np.isfinite(old), old, total / len(components))
        for _ in range(2):
            model = np.maximum(guess.astype(cut.dtype) @ spectra, _TINY)
            # The components have the sum one, by which the rule divides.
            guess = guess * ((rows / model) @ spectra.T)
        _put(scores, block, guess)
        model = np.maximum(guess.astype(cut.dtype) @ spectra, _TINY)
        ratio = rows / model
        logs = np.zeros_like(ratio)
        np.log(ratio, out=logs, where=ratio > 0)
        deviance = np.einsum("ij,ij->", rows, logs, dtype=np.float64)
        deviance += model.sum(dtype=np.float64) - rows.sum(dtype=np.float64)
        crossed = (guess.T.astype(cut.dtype) @ ratio).astype(np.float64)
        return _Sums(np.asarray(2 * deviance), guess.sum(axis=0), crossed)

    return fold(cut, step, add_states)


def _poisson_update(
    components: NDArray[np.float64], sums: _Sums
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    moved = components * sums.products / np.maximum(sums.scatter, _TINY)[:, None]
    return _with_sum_one(moved, components)


def _with_sum_one(
    moved: NDArray[np.float64], before: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale components to the sum one; what vanished stays as it was, with no scores."""
    sums = moved.sum(axis=1)
    lost = sums <= _TINY
    scaled = np.where(lost[:, None], before, moved / np.where(lost, 1.0, sums)[:, None])
    return scaled, np.where(lost, 0.0, sums)


def _result(features: xr.DataArray, fit: _Fit, loss: Loss) -> Factorization:
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
