"""Transition matrices from counts at any lag: what happened in frames that were not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.markov_chains import log_likelihood, powers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_STEPS: Final = 2000
_SETTLED: Final = 1e-9
# Walks of the sampler side by side, and steps that each forgets its start in.
_N_WALKS: Final = 20
_FORGET: Final = 30
_MOST_ROUNDS: Final = 6
_WELL_MIXED: Final = 1.05


class Fit(NamedTuple):
    """A transition matrix, and the counts of single steps that are expected under it."""

    matrix: Floats
    steps: Floats
    log_likelihood: float


class Draws(NamedTuple):
    """Matrices (sample, i, j) of a posterior; the largest R-hat of their entries, 1 if exact."""

    matrices: Floats
    mixing: float


def expected_steps(counts: Floats, matrix: Floats, /) -> Floats:
    """Give the expected counts of single steps, given counts at lags 1, 2, ... (lag, i, j).

    Walkers that are at a and must be at j in r frames are alike wherever they came
    from, so that one sweep over r from the longest lag down to 1 is the
    exact forward-backward sum over all paths through unseen frames.

    Examples
    --------
    >>> counts = np.zeros((2, 2, 2))
    >>> counts[1, 0, 0] = 1.0
    >>> expected_steps(counts, np.array([[0.5, 0.5], [0.5, 0.5]]))
    array([[1. , 0.5],
           [0.5, 0. ]])
    """
    return _walked(counts, matrix, lambda number, chances: number[..., None] * chances)


def drawn_steps(counts: Floats, matrices: Floats, rng: np.random.Generator, /) -> Floats:
    """Draw counts of single steps (walk, i, j), for each of several matrices."""

    def drawn(number: Floats, chances: Floats) -> Floats:
        # Binomials one after the other are a multinomial, and take arrays of any shape.
        flow = np.zeros(chances.shape)
        there = number > 0
        flow[there] = rng.multinomial(number[there].astype(np.int64), chances[there])
        return flow

    return _walked(counts, matrices, drawn)


def _walked(counts: Floats, matrix: Floats, split: Callable[[Floats, Floats], Floats]) -> Floats:
    longest = len(counts)
    every = powers(matrix, longest=max(longest - 1, 1))
    number = np.zeros(matrix.shape)
    steps = np.zeros(matrix.shape)
    for lag in range(longest, 1, -1):
        number = number + counts[lag - 1]
        # At a, bound for j: next at b, (..., a, j, b).
        onward = np.swapaxes(every[lag - 1], -1, -2)[..., None, :, :]
        chances = matrix[..., :, None, :] * onward
        total = chances.sum(axis=-1, keepdims=True)
        chances = np.divide(chances, total, out=np.zeros_like(chances), where=total > 0)
        flow = split(number, chances)
        steps += flow.sum(axis=-2)
        number = np.swapaxes(flow.sum(axis=-3), -1, -2)
    every_step: Floats = steps + number + counts[0]
    return every_step


def normalized_rows(counts: Floats, /) -> Floats:
    """Divide by the sum of each row; a row without counts stays in its state.

    Examples
    --------
    >>> normalized_rows(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[0.25, 0.75],
           [0.  , 1.  ]])
    """
    total = counts.sum(axis=-1, keepdims=True)
    stay = np.broadcast_to(np.eye(counts.shape[-1]), counts.shape).copy()
    rows: Floats = np.divide(counts, total, out=stay, where=total > 0)
    return rows


def likely_matrix(counts: Floats, /, *, reversible: bool = False) -> Fit:
    """Maximize sum_n C_ij(n) log (T^n)_ij, by expectation and maximization over unseen frames.

    Examples
    --------
    >>> counts = np.array([[[6.0, 2.0], [1.0, 3.0]]])
    >>> likely_matrix(counts).matrix
    array([[0.75, 0.25],
           [0.25, 0.75]])
    """
    best = reversible_matrix if reversible else normalized_rows
    # Everything that was met may have happened at first, else it never could.
    met = counts.sum(axis=(0, 1)) + counts.sum(axis=(0, 2)) > 0
    pooled = counts.sum(axis=0) + 0.5 * np.outer(met, met) * (len(counts) > 1)
    matrix = best(pooled)
    steps = expected_steps(counts, matrix)
    last = -np.inf
    for _ in range(_MAX_STEPS):
        matrix = best(steps)
        likely = _log_likelihood(counts, matrix)
        steps = expected_steps(counts, matrix)
        if likely - last <= _SETTLED * (1 + abs(likely)):
            break
        last = likely
    return Fit(matrix, steps, likely)


def _log_likelihood(counts: Floats, matrix: Floats) -> float:
    return float(log_likelihood(counts, powers(matrix, longest=len(counts))[1:]).sum())


def reversible_matrix(counts: Floats, /) -> Floats:
    """Give the likeliest matrices with detailed balance, of counts (..., i, j) of single steps.

    The fixed point of x_ij = (C_ij + C_ji) / (C_i / x_i + C_j / x_j) [1]_.

    References
    ----------
    .. [1] J.-H. Prinz et al., J. Chem. Phys. 134, 174105 (2011), section III.B.

    Examples
    --------
    >>> reversible_matrix(np.array([[8.0, 2.0], [2.0, 2.0]]))
    array([[0.8, 0.2],
           [0.5, 0.5]])
    """
    both = counts + np.swapaxes(counts, -1, -2)
    rows = counts.sum(axis=-1)
    flow = both / np.maximum(both.sum(axis=(-1, -2), keepdims=True), 1e-300)
    for _ in range(_MAX_STEPS):
        weight = rows / np.maximum(flow.sum(axis=-1), 1e-200)
        pull = weight[..., :, None] + weight[..., None, :]
        new = np.divide(both, pull, out=np.zeros_like(both), where=pull > 0)
        new /= np.maximum(new.sum(axis=(-1, -2), keepdims=True), 1e-300)
        if np.abs(new - flow).max() <= _SETTLED:
            break
        flow = new
    return normalized_rows(flow)


def dirichlet_rows(weights: Floats, rng: np.random.Generator, /) -> Floats:
    """Draw stochastic matrices whose rows are Dirichlet of these weights (..., i, j)."""
    draws = rng.standard_gamma(weights)
    # Of very small weights all may underflow.
    draws = np.maximum(draws, 1e-300)
    rows: Floats = draws / draws.sum(axis=-1, keepdims=True)
    return rows


def posterior_matrices(
    counts: Floats, /, *, prior: float, n_samples: int, seed: int, start: Floats | None = None
) -> Draws:
    """Draw from the posterior of a transition matrix, rows Dirichlet of weight `prior` before.

    Counts at lag 1 alone have a Dirichlet posterior, drawn from exactly. Others are
    filled up by drawn paths (data augmentation [1]_), several walks side
    by side, until the walks agree.

    References
    ----------
    .. [1] M. A. Tanner and W. H. Wong, J. Am. Stat. Assoc. 82, 528 (1987).

    Examples
    --------
    >>> draws = posterior_matrices(np.full((1, 2, 2), 50.0), prior=0.5, n_samples=100, seed=0)
    >>> draws.matrices.shape, draws.mixing
    ((100, 2, 2), 1.0)
    """
    rng = np.random.default_rng(seed)
    n_states = counts.shape[-1]
    if not counts[1:].any():
        weights = np.broadcast_to(counts[0] + prior, (n_samples, n_states, n_states))
        return Draws(dirichlet_rows(weights, rng), 1.0)
    steps = likely_matrix(counts).steps if start is None else start
    walks = dirichlet_rows(np.broadcast_to(steps + prior, (_N_WALKS, *steps.shape)), rng)
    n_kept = -(-n_samples // _N_WALKS)
    for _ in range(_FORGET):
        walks = dirichlet_rows(drawn_steps(counts, walks, rng) + prior, rng)
    thin = 1
    for _ in range(_MOST_ROUNDS):
        kept = np.empty((n_kept, *walks.shape))
        for place in range(n_kept):
            for _ in range(thin):
                walks = dirichlet_rows(drawn_steps(counts, walks, rng) + prior, rng)
            kept[place] = walks
        mixing = r_hat(kept)
        if mixing < _WELL_MIXED:
            break
        thin *= 2
    return Draws(kept.reshape(-1, n_states, n_states)[:n_samples], mixing)


def r_hat(walks: Floats, /) -> float:
    """Give the largest ratio of overall to inner spread of walks (step, walk, i, j) [1]_.

    References
    ----------
    .. [1] A. Gelman and D. B. Rubin, Stat. Sci. 7, 457 (1992).
    """
    n = len(walks)
    if n < 4:
        return float("nan")
    inner = walks.var(axis=0, ddof=1).mean(axis=0)
    between = walks.mean(axis=0).var(axis=0, ddof=1)
    known = inner > 1e-20
    if not known.any():
        return 1.0
    return float(np.sqrt((n - 1) / n + between[known] / inner[known]).max())
