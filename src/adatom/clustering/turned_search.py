"""The best mixture with hidden operations: starts, number of classes, symmetry of each class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.sparse.csgraph

from adatom.clustering.mixtures import Designs, log_densities_of, log_sum
from adatom.clustering.modes import LIKE_HEIGHTS, is_valley_between
from adatom.clustering.turned_mixtures import (
    LEAST_MEMBERS,
    TurnedFit,
    TurnedMixture,
    fit_turned_mixture,
    mixture_from_turned,
    turned_back,
    turned_kmeans,
)
from adatom.numerics.blocks import blocks_from_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Of more rows a sample tells the same number of classes, sooner; with many operations every row
# is seen in as many orientations.
_SWEEP_ROWS: Final = 4096
_SWEEP_ROWS_OF_MANY: Final = 2048
_MANY_OPERATIONS: Final = 5
_N_STARTS: Final = 6
# So many of the starts by k-means are followed by a few passes, the best of them to the end.
_FOLLOWED: Final = 2
_TRIAL_PASSES: Final = 10
_SWEEP_PASSES: Final = 60
_AT_REST: Final = 2.5e-5
# After so many further classes that did not lower the BIC, more do not either.
_IN_VAIN: Final = 3
# Turned means of a class that are farther apart than so many of its standard deviations are
# plainly different: no test is needed.
_APART: Final = 5.0
_SYMMETRY_PASSES: Final = 30
_MOST_OUTLIERS: Final = 0.15


class TurnedSweep(NamedTuple):
    """The best mixture of 1, 2, ... classes, on a sample."""

    fits: list[TurnedFit]
    bics: list[float]
    """Infinite where a class has too few rows."""
    n_modes: int
    """Classes of the mixture of the least BIC that a valley parts from all denser ones."""


def search_turned_mixture(
    rows: Floats,
    operations: Floats,
    subgroups: list[tuple[int, ...]],
    /,
    *,
    spread: Floats,
    n_classes: int | None,
    max_classes: int,
    background: bool,
    seed: int,
) -> tuple[TurnedFit, TurnedSweep]:
    """Fit the mixture of a number of classes, or of that with the least BIC.

    Parameters
    ----------
    rows : ndarray, shape (row, component)
        About the mean of all orientations.
    operations, subgroups
        The group in this subspace, and its subgroups as numbers of operations.
    spread : ndarray, shape (component,)
        Variance of all rows in all orientations.
    n_classes : int, optional
        Number of classes; by default found.
    max_classes : int
        Largest number tried.
    background : bool
        Whether rows may belong to no class.
    seed : int
        Of the sample and the starts.
    """
    rng = np.random.default_rng(seed)
    few = rows
    n_few = _SWEEP_ROWS if len(operations) < _MANY_OPERATIONS else _SWEEP_ROWS_OF_MANY
    if len(rows) > n_few:
        few = rows[np.sort(rng.choice(len(rows), n_few, replace=False))]
    designs = Designs(blocks_from_array(few))
    fits: list[TurnedFit] = []
    bics: list[float] = []
    for number in range(1, (n_classes or max_classes) + 1):
        before = fits[-1].mixture if fits else None
        bic, fit = _best_of(designs, few, number, before, operations, spread, background, rng)
        fits.append(fit)
        bics.append(bic)
        if n_classes is None and number - 1 - int(np.argmin(bics)) >= _IN_VAIN:
            break
    best = fits[-1] if n_classes is not None else fits[int(np.argmin(bics))]
    n_modes = len(best.mixture.weights)
    if n_classes is None:
        summits = _summits(best.mixture, few)
        n_modes = len(summits)
        if n_modes < len(best.mixture.weights):
            again = _from_means(designs, few, best.mixture, summits)
            best = min(again, fits[n_modes - 1], key=_judged)
    everything = designs if few is rows else Designs(blocks_from_array(rows))
    fit = fit_turned_mixture(everything, best.mixture)
    fit = _with_symmetries(fit, everything, few, subgroups)
    return fit, TurnedSweep(fits, bics, n_modes)


def _best_of(
    designs: Designs,
    rows: Floats,
    number: int,
    before: TurnedMixture | None,
    operations: Floats,
    spread: Floats,
    background: bool,
    rng: np.random.Generator,
) -> tuple[float, TurnedFit]:
    """Follow the most promising starts, and let the BIC choose between one width and several."""
    starts = _starts(rows, number, before, operations, spread, rng)
    trials = [
        _trial(designs, part, labels, turns, number, operations, spread, background)
        for part, labels, turns in starts
    ]
    best = max(trials, key=lambda fit: fit.log_likelihood)
    return _best_form(designs, best.mixture)


class _Start(NamedTuple):
    rows: Floats
    labels: NDArray[np.int64]
    turns: NDArray[np.int64]


def _starts(
    rows: Floats,
    number: int,
    before: TurnedMixture | None,
    operations: Floats,
    spread: Floats,
    rng: np.random.Generator,
) -> list[_Start]:
    """Sort rows by k-means, in plain axes, equalized ones, and those of the classes before.

    Means are drawn to outliers: once a mixture of fewer classes knows them, they take no part.
    """
    plain = np.ones(len(spread))
    if number == 1 or before is None:
        return _best_starts(rows, plain, 1, operations, rng)
    few = _without_outliers(rows, before)
    equal = np.sqrt(np.maximum(_spread(few, operations), np.finfo(float).tiny ** 0.5))
    width = np.sqrt(np.diagonal(before.covariances, axis1=1, axis2=2).mean(axis=0))
    starts = _best_starts(few, plain, number, operations, rng)
    starts += _best_starts(few, equal, number, operations, rng)
    # One more class where rows are farthest from all others.
    starts += _best_starts(few, width, number, operations, rng, known=before.means)
    if few is not rows:
        starts += _best_starts(rows, plain, number, operations, rng)
    return starts


def _without_outliers(rows: Floats, mixture: TurnedMixture) -> Floats:
    """Leave out the rows of no class; if they are many, they are classes still to be found."""
    if not mixture.background:
        return rows
    logs = log_densities_of(mixture.expanded())(rows)[0]
    in_class = logs.argmax(axis=0) < len(logs) - 1
    return rows[in_class] if in_class.mean() > 1 - _MOST_OUTLIERS else rows


def _spread(rows: Floats, operations: Floats) -> Floats:
    """Give the variance of rows in all orientations."""
    squares = [((rows @ operation.T) ** 2).mean(axis=0) for operation in operations]
    return np.asarray(np.mean(squares, axis=0))


def _best_starts(
    rows: Floats,
    scale: Floats,
    number: int,
    operations: Floats,
    rng: np.random.Generator,
    *,
    known: Floats | None = None,
) -> list[_Start]:
    scaled = rows / scale
    known = None if known is None else known / scale
    found = [
        turned_kmeans(scaled, number, operations, rng=rng, known=known)
        for _ in range(_N_STARTS if number > 1 else 1)
    ]
    found.sort(key=lambda one: one[0])
    return [_Start(rows, labels, turns) for _, labels, turns in found[:_FOLLOWED]]


def _trial(
    designs: Designs,
    rows: Floats,
    labels: NDArray[np.int64],
    turns: NDArray[np.int64],
    number: int,
    operations: Floats,
    spread: Floats,
    background: bool,
) -> TurnedFit:
    start = mixture_from_turned(
        rows,
        labels,
        turns,
        n_classes=number,
        operations=operations,
        spread=spread,
        background=background,
    )
    return fit_turned_mixture(designs, start, n_passes=_TRIAL_PASSES, at_rest=_AT_REST)


def _best_form(designs: Designs, start: TurnedMixture) -> tuple[float, TurnedFit]:
    tied = fit_turned_mixture(designs, start, at_rest=_AT_REST, n_passes=_SWEEP_PASSES)
    ends = [tied]
    if len(start.weights) > 1:
        own = replace(tied.mixture, form="full")
        ends.append(fit_turned_mixture(designs, own, at_rest=_AT_REST, n_passes=_SWEEP_PASSES))
    return min(((_judged(fit), fit) for fit in ends), key=lambda entry: entry[0])


def _judged(fit: TurnedFit) -> float:
    small = fit.mixture.weights.min() * fit.n_rows < LEAST_MEMBERS
    return np.inf if small and len(fit.mixture.weights) > 1 else fit.bic


def _summits(mixture: TurnedMixture, rows: Floats) -> list[int]:
    """List the classes that a valley sets apart from every denser class, in any orientation.

    As `modes.count_modes`, with the orientations of a class taken together.
    """
    n, n_operations = len(mixture.weights), len(mixture.operations)
    labels = log_densities_of(mixture.expanded())(rows)[0].argmax(axis=0)
    # The background is no class: on its slope a valley would be sought beside a summit.
    expanded = replace(mixture, background=False).expanded()
    densities = log_densities_of(expanded)
    # Turned back, all rows of a class are rows of its first orientation.
    back = turned_back(rows, labels % n_operations, mixture.operations)
    number = np.where(labels < n * n_operations, labels // n_operations, -1)
    members = [back[number == k] for k in range(n)]
    inverses = np.linalg.inv(expanded.covariances)
    heights = log_sum(densities(mixture.means)[0])
    order = np.lexsort((np.arange(n), -heights))
    joined = np.zeros((n, n), dtype=bool)
    for rank, a in enumerate(order):
        for b in order[:rank]:
            turn = _nearest_turn(mixture, a, b)
            there = b * n_operations + turn
            parted = is_valley_between(
                densities,
                np.stack([mixture.means[a], expanded.means[there]]),
                np.stack([inverses[a * n_operations], inverses[there]]),
                members[a],
                members[b] @ mixture.operations[turn].T,
            )
            if parted:
                continue
            joined[a, b] = True
            if heights[a] < heights[b] - np.log(LIKE_HEIGHTS):
                break
    groups = scipy.sparse.csgraph.connected_components(joined, directed=False)[1]
    firsts = {int(groups[k]): int(k) for k in order[::-1]}
    return sorted(firsts.values())


def _nearest_turn(mixture: TurnedMixture, first: int, second: int) -> int:
    """Find the operation that brings the second class nearest to the first."""
    away = mixture.operations @ mixture.means[second] - mixture.means[first]
    inverse = np.linalg.inv(mixture.covariances[first])
    return int(np.einsum("gi,ij,gj->g", away, inverse, away).argmin())


def _from_means(
    designs: Designs, rows: Floats, mixture: TurnedMixture, kept: list[int]
) -> TurnedFit:
    """Fit as many classes as there are summits, from these."""
    width = np.sqrt(np.diagonal(mixture.covariances, axis1=1, axis2=2).mean(axis=0))
    rows = _without_outliers(rows, mixture)
    _, labels, turns = turned_kmeans(
        rows / width,
        len(kept),
        mixture.operations,
        rng=np.random.default_rng(0),
        known=mixture.means[kept] / width,
    )
    trial = _trial(
        designs,
        rows,
        labels,
        turns,
        len(kept),
        mixture.operations,
        mixture.spread,
        mixture.background,
    )
    return _best_form(designs, trial.mixture)[1]


def _with_symmetries(
    fit: TurnedFit, designs: Designs, rows: Floats, subgroups: list[tuple[int, ...]]
) -> TurnedFit:
    """Give every class the largest symmetry that nothing speaks against.

    The likelihood of a class without symmetry is never lower: it sorts noise by orientation. A
    class is symmetric if that is worth less than the numbers that it takes, by the BIC, or if no
    valley parts its turned means from one another.
    """
    for k in range(len(fit.mixture.weights)):
        apart = _distances_of_turns(fit.mixture, k)
        # Turned means that run into one another may do so in a chain: all that they make up.
        alike = _turns_without_valley(fit.mixture, k, rows, apart)
        one = next(kept for kept in reversed(subgroups) if alike <= set(kept))
        for kept in subgroups:
            if len(kept) == 1 or (kept != one and apart[list(kept)].max() > _APART):
                continue
            trial = fit_turned_mixture(
                designs,
                _symmetrized(fit.mixture, k, kept),
                n_passes=_SYMMETRY_PASSES,
                at_rest=_AT_REST,
            )
            if kept == one or trial.bic <= fit.bic:
                fit = trial
                break
    return fit


def _turns_without_valley(
    mixture: TurnedMixture, number: int, rows: Floats, apart: Floats
) -> set[int]:
    """List the operations whose mean of a class runs into that of the class itself."""
    n_operations = len(mixture.operations)
    labels = log_densities_of(mixture.expanded())(rows)[0].argmax(axis=0)
    expanded = replace(mixture, background=False).expanded()
    densities = log_densities_of(expanded)
    own = labels // n_operations == number
    own &= labels < len(mixture.weights) * n_operations
    back = turned_back(rows[own], labels[own] % n_operations, mixture.operations)
    inverses = np.linalg.inv(expanded.covariances).astype(np.float64)
    joined = {0}
    for g in range(1, n_operations):
        pair = [number * n_operations, number * n_operations + g]
        if apart[g] <= _APART and not is_valley_between(
            densities,
            expanded.means[pair],
            inverses[pair],
            back,
            back @ mixture.operations[g].T,
        ):
            joined.add(g)
    return joined


def _distances_of_turns(mixture: TurnedMixture, number: int) -> Floats:
    """Measure how far every turned mean of a class is from the mean, in its own widths."""
    mean, covariance = mixture.means[number], mixture.covariances[number]
    away = mixture.operations @ mean - mean
    squares: Floats = np.einsum("gi,ij,gj->g", away, np.linalg.inv(covariance), away)
    return np.sqrt(squares)


def _symmetrized(mixture: TurnedMixture, number: int, kept: tuple[int, ...]) -> TurnedMixture:
    operations = mixture.operations[list(kept)]
    turned = operations @ mixture.means[number]
    mean = turned.mean(axis=0)
    covariance = operations @ mixture.covariances[number] @ operations.transpose(0, 2, 1)
    covariance = covariance.mean(axis=0)
    if mixture.form == "full":
        # What told the turned means apart is now within the class.
        covariance = covariance + (turned - mean).T @ (turned - mean) / len(kept)
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    means[number], covariances[number] = mean, covariance
    symmetry = (*mixture.symmetry[:number], kept, *mixture.symmetry[number + 1 :])
    return replace(mixture, means=means, covariances=covariances, symmetry=symmetry)
