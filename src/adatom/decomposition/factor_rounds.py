"""Rounds of non-negative factorization, each of them one pass over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from adatom.numerics.folds import add_states, fold_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks

    Floats = NDArray[np.float64]

Loss = Literal["frobenius", "poisson"]

# Rounds rest when one lowers the loss by less than this share. The deviance of N counts has a
# standard deviation of sqrt(2 N) by chance: of a million, some thousandth of it.
# In scores, where rounds cost a hundredth, they go on for longer.
_AT_REST: Final = {"scores": 3e-7, "frobenius": 1e-6, "poisson": 1e-5}
# Sweeps over the components for the scores of a row, which start from those of the round before.
_SWEEPS: Final = 4
# The first time scores start from a guess.
_FIRST_SWEEPS: Final = 20
# Keeps quotients finite where a component vanishes; far below any count.
TINY: Final = 1e-12


class View(NamedTuple):
    """How rows stand for spectra: a spectrum is `center` plus the row times `basis`."""

    center: Floats
    basis: Floats
    """(column, feature)"""
    left_out: float = 0.0
    """Squares of a spectrum outside of the basis, on average: noise that belongs to the loss."""


class Fit(NamedTuple):
    """Where rounds ended."""

    scores: Floats
    components: Floats
    loss: float
    n_rounds: int
    converged: bool


class _Sums(NamedTuple):
    loss: Floats
    size: Floats
    """What the loss would be without components: rounding errors scale with it."""
    scatter: Floats
    products: Floats


def least_squares_rounds(
    cut: Blocks,
    start: Floats,
    /,
    *,
    view: View | None = None,
    scores: Floats | None = None,
    max_rounds: int,
) -> Fit:
    """Update scores and components by hierarchical alternating least squares [1]_.

    Parameters
    ----------
    cut : Blocks
        Spectra, or what stands for them.
    start : array, shape (component, feature)
        Components to begin with.
    view : View, optional
        How rows stand for spectra, if they are not spectra themselves.
    scores : array, shape (row, component), optional
        Where the scores begin; changed in place.
    max_rounds : int
        At most.

    References
    ----------
    .. [1] A. Cichocki and A.-H. Phan, IEICE Trans. Fundam. E92-A, 708 (2009).
    """

    def round_(components: Floats, scores: Floats) -> _Sums:
        step = _least_squares_step(components, view, cut.dtype)
        sums = fold_map(cut, step, add_states, [scores], beside=[scores])
        if view is None:
            return sums
        # Sums of scores, then their products with the columns: back to features.
        totals, products = sums.products[:, :1], sums.products[:, 1:]
        return sums._replace(products=totals * view.center + products @ view.basis)

    at_rest = _AT_REST["frobenius" if view is None else "scores"]
    # Products with spectra are of their type, those with scores of float64.
    eps = float(np.finfo(cut.dtype if view is None else np.float64).eps)
    return _rounds(cut, start, scores, round_, _least_squares_update, at_rest, eps, max_rounds)


def poisson_rounds(cut: Blocks, start: Floats, first_scores: Any, /, *, max_rounds: int) -> Fit:  # noqa: ANN401 -- a function
    """Update scores and components by the multiplicative rules for counts [1]_.

    Parameters
    ----------
    cut : Blocks
        Counts.
    start : array, shape (component, feature)
        Components to begin with.
    first_scores : callable
        Gives scores to begin with for rows of counts.
    max_rounds : int
        At most.

    References
    ----------
    .. [1] D. D. Lee and H. S. Seung, Adv. Neural Inf. Process. Syst. 13, 556 (2000).
    """

    def round_(components: Floats, scores: Floats) -> _Sums:
        step = _poisson_step(components.astype(cut.dtype), first_scores)
        return fold_map(cut, step, add_states, [scores], beside=[scores])

    eps = float(np.finfo(cut.dtype).eps)
    at_rest = _AT_REST["poisson"]
    return _rounds(cut, start, None, round_, _poisson_update, at_rest, eps, max_rounds)


def _rounds(
    cut: Blocks,
    start: Floats,
    scores: Floats | None,
    round_: Callable[[Floats, Floats], _Sums],
    update: Callable[[Floats, _Sums], tuple[Floats, Floats]],
    at_rest: float,
    eps: float,
    max_rounds: int,
) -> Fit:
    """Go over all blocks, again and again, until the loss is at rest."""
    components = start / start.sum(axis=1, keepdims=True)
    if scores is None:
        scores = np.full((cut.n_rows, len(start)), np.nan)
    before = np.inf
    for number in range(1, max_rounds + 1):
        sums = round_(components, scores)
        # Of exact factors it is a rounding error of either sign.
        now = max(float(sums.loss), 0.0)
        if before - now <= max(at_rest * now, eps * float(sums.size)):
            return Fit(scores, components, now, number, converged=True)
        before = now
        if number < max_rounds:
            components, scale = update(components, sums)
            scores *= scale
    return Fit(scores, components, before, max_rounds, converged=False)


def _least_squares_step(
    components: Floats, view: View | None, dtype: np.dtype[Any]
) -> Callable[[Block, Floats], tuple[_Sums, list[Floats]]]:
    """Improve the scores of every row for the components as they are, and sum over rows."""
    gram = components @ components.T
    if view is None:
        projection, offset = components.T.astype(dtype), np.zeros(len(components))
    else:
        projection, offset = view.basis @ components.T, components @ view.center

    def step(block: Block, old: Floats) -> tuple[_Sums, list[Floats]]:
        rows = block.values
        products = (rows @ projection).astype(np.float64, copy=False) + offset
        found = swept_scores(products, gram, old)
        squares = np.einsum("ij,ij->", rows, rows, dtype=np.float64)
        crossed = (found.T.astype(rows.dtype) @ rows).astype(np.float64)
        if view is not None:
            shift = view.center @ view.center + view.left_out
            squares += 2 * rows.sum(axis=0, dtype=np.float64) @ (view.basis @ view.center)
            squares += len(rows) * shift
            crossed = np.column_stack([found.sum(axis=0), crossed])
        fitted = np.einsum("ij,ij->", found @ gram, found)
        left = squares - 2 * np.einsum("ij,ij->", products, found) + fitted
        sums = _Sums(np.asarray(left), np.asarray(squares), found.T @ found, crossed)
        return sums, [found]

    return step


def swept_scores(products: Floats, gram: Floats, old: Floats, /) -> Floats:
    """Solve for scores one component after the other, from where they were.

    Parameters
    ----------
    products : array, shape (row, component)
        Of the rows with the components.
    gram : array, shape (component, component)
        Products of the components.
    old : array, shape (row, component)
        Where to begin; NaN: from a guess.
    """
    diagonal = np.maximum(np.diag(gram), TINY)
    known = np.isfinite(old)
    guess = np.maximum(products, 0) / np.maximum(gram.sum(axis=1), TINY)
    # Columns are contiguous in this layout, which doubles the speed of the sweeps.
    found = np.asfortranarray(np.where(known, old, guess))
    for _ in range(_SWEEPS if known.all() else _FIRST_SWEEPS):
        for k in range(len(gram)):
            step = (products[:, k] - found @ gram[:, k]) / diagonal[k]
            np.maximum(found[:, k] + step, 0.0, out=found[:, k])
    return found


def _least_squares_update(components: Floats, sums: _Sums) -> tuple[Floats, Floats]:
    """Improve the components from sums over all rows; give what scores are to be scaled by."""
    moved = components.copy()
    diagonal = np.maximum(np.diag(sums.scatter), TINY)
    for _ in range(_SWEEPS):
        for k in range(len(moved)):
            step = (sums.products[k] - sums.scatter[k] @ moved) / diagonal[k]
            moved[k] = np.maximum(moved[k] + step, 0.0)
    return _with_sum_one(moved, components)


def _poisson_step(
    spectra: NDArray[Any],
    first_scores: Any,  # noqa: ANN401 -- a function
) -> Callable[[Block, Floats], tuple[_Sums, list[Floats]]]:
    """Update scores once by the multiplicative rule, and sum what the components need."""

    def step(block: Block, old: Floats) -> tuple[_Sums, list[Floats]]:
        rows = block.values
        known = np.isfinite(old)
        scores = old if known.all() else np.where(known, old, first_scores(rows))
        # The components have the sum one, by which the rule divides.
        scores = scores * (_ratio(rows, scores, spectra)[0] @ spectra.T)
        ratio, total = _ratio(rows, scores, spectra)
        crossed = (scores.T.astype(rows.dtype) @ ratio).astype(np.float64)
        counts = rows.sum(dtype=np.float64)
        # Where nothing was counted the product is zero, whatever the logarithm.
        logs = np.log(np.maximum(ratio, np.finfo(rows.dtype).tiny, out=ratio), out=ratio)
        deviance = 2 * (np.einsum("ij,ij->", rows, logs, dtype=np.float64) + total - counts)
        sums = _Sums(np.asarray(deviance), np.asarray(counts), scores.sum(axis=0), crossed)
        return sums, [scores]

    return step


def _ratio(rows: NDArray[Any], scores: Floats, spectra: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Give counts over the model of them, and the sum of the model."""
    model = scores.astype(rows.dtype) @ spectra
    np.maximum(model, TINY, out=model)
    total = float(model.sum(dtype=np.float64))
    return np.divide(rows, model, out=model), total


def _poisson_update(components: Floats, sums: _Sums) -> tuple[Floats, Floats]:
    moved = components * sums.products / np.maximum(sums.scatter, TINY)[:, None]
    return _with_sum_one(moved, components)


def _with_sum_one(moved: Floats, before: Floats) -> tuple[Floats, Floats]:
    """Scale components to the sum one; what vanished stays as it was, with no scores."""
    sums = moved.sum(axis=1)
    lost = sums <= TINY
    scaled = np.where(lost[:, None], before, moved / np.where(lost, 1.0, sums)[:, None])
    return scaled, np.where(lost, 0.0, sums)
