"""The best mixture with hidden operations: starts, number of classes, symmetry of each class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.clustering.mixtures import Designs
from adatom.clustering.turned_mixtures import (
    LEAST_MEMBERS,
    TurnedFit,
    TurnedMixture,
    fit_turned_mixture,
    mixture_from_turned,
    turned_kmeans,
)
from adatom.numerics.blocks import blocks_from_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Of more rows a sample tells the same number of classes, sooner.
_SWEEP_ROWS: Final = 4096
_SWEEP_STARTS: Final = 6
_TOLD_STARTS: Final = 20
# So many of the starts by k-means are followed by a few passes, the best of them to the end.
_FOLLOWED: Final = 3
_TRIAL_PASSES: Final = 10
_AT_REST: Final = 2.5e-5
# After so many further classes that did not lower the BIC, more do not either.
_IN_VAIN: Final = 3
# Turned means of a class that are farther apart than so many of its standard deviations are
# plainly different: no test is needed.
_APART: Final = 5.0
_SYMMETRY_PASSES: Final = 30


class TurnedSweep(NamedTuple):
    """The best mixture of 1, 2, ... classes, on a sample."""

    fits: list[TurnedFit]
    bics: list[float]
    """Infinite where a class has too few rows."""


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
    if len(rows) > _SWEEP_ROWS:
        few = rows[np.sort(rng.choice(len(rows), _SWEEP_ROWS, replace=False))]
    designs = Designs(blocks_from_array(few))
    numbers = range(1, max_classes + 1) if n_classes is None else [n_classes]
    fits: list[TurnedFit] = []
    bics: list[float] = []
    for number in numbers:
        before = fits[-1].mixture if fits else None
        bic, fit = _best_of(designs, few, number, before, operations, spread, background, rng)
        fits.append(fit)
        bics.append(bic)
        if len(bics) - 1 - int(np.argmin(bics)) >= _IN_VAIN:
            break
    best = fits[int(np.argmin(bics))]
    everything = designs if few is rows else Designs(blocks_from_array(rows))
    fit = _with_symmetries(fit_turned_mixture(everything, best.mixture), everything, subgroups)
    return fit, TurnedSweep(fits, bics)


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
    equal = np.sqrt(np.maximum(spread, np.finfo(float).tiny ** 0.5))
    starts = []
    n_starts = 1 if number == 1 else _TOLD_STARTS if before is None else _SWEEP_STARTS
    for scale in (np.ones_like(equal), equal) if number > 1 else (equal,):
        scaled = rows / scale
        found = [turned_kmeans(scaled, number, operations, rng=rng) for _ in range(n_starts)]
        found.sort(key=lambda one: one[0])
        starts += found[:_FOLLOWED]
    if before is not None and number > 1:
        # In the metric of the classes, one more class where rows are farthest from all others.
        width = np.sqrt(np.diagonal(before.covariances, axis1=1, axis2=2).mean(axis=0))
        found = [
            turned_kmeans(rows / width, number, operations, rng=rng, known=before.means / width)
            for _ in range(n_starts)
        ]
        found.sort(key=lambda one: one[0])
        starts += found[:_FOLLOWED]
    trials = [
        fit_turned_mixture(
            designs,
            mixture_from_turned(
                rows,
                labels,
                turns,
                n_classes=number,
                operations=operations,
                spread=spread,
                background=background,
            ),
            n_passes=_TRIAL_PASSES,
            at_rest=_AT_REST,
        )
        for _, labels, turns in starts
    ]
    best = max(trials, key=lambda fit: fit.log_likelihood)
    tied = fit_turned_mixture(designs, best.mixture, at_rest=_AT_REST)
    ends = [tied]
    if number > 1:
        ends.append(
            fit_turned_mixture(designs, replace(tied.mixture, form="full"), at_rest=_AT_REST)
        )
    return min(((_judged(fit), fit) for fit in ends), key=lambda entry: entry[0])


def _judged(fit: TurnedFit) -> float:
    small = fit.mixture.weights.min() * fit.n_rows < LEAST_MEMBERS
    return np.inf if small and len(fit.mixture.weights) > 1 else fit.bic


def _with_symmetries(
    fit: TurnedFit, designs: Designs, subgroups: list[tuple[int, ...]]
) -> TurnedFit:
    """Give every class the largest symmetry that the BIC does not speak against.

    The likelihood of a class without symmetry is never lower: it sorts noise by orientation. What
    that is worth is compared with the numbers that it takes.
    """
    for k in range(len(fit.mixture.weights)):
        apart = _distances_of_turns(fit.mixture, k)
        for kept in subgroups:
            if len(kept) == 1 or apart[list(kept)].max() > _APART:
                continue
            trial = fit_turned_mixture(
                designs,
                _symmetrized(fit.mixture, k, kept),
                n_passes=_SYMMETRY_PASSES,
                at_rest=_AT_REST,
            )
            if trial.bic <= fit.bic:
                fit = trial
                break
    return fit


def _distances_of_turns(mixture: TurnedMixture, number: int) -> Floats:
    """Measure how far every turned mean of a class is from the mean, in its own widths."""
    mean, covariance = mixture.means[number], mixture.covariances[number]
    away = mixture.operations @ mean - mean
    return np.sqrt(np.einsum("gi,ij,gj->g", away, np.linalg.inv(covariance), away))


def _symmetrized(
    mixture: TurnedMixture, number: int, kept: tuple[int, ...]
) -> TurnedMixture:
    operations = mixture.operations[list(kept)]
    turned = operations @ mixture.means[number]
    mean = turned.mean(axis=0)
    covariance = np.einsum(
        "gij,jl,gml->im", operations, mixture.covariances[number], operations
    ) / len(kept)
    if mixture.form == "full":
        # What told the turned means apart is now within the class.
        covariance = covariance + (turned - mean).T @ (turned - mean) / len(kept)
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    means[number], covariances[number] = mean, covariance
    symmetry = (*mixture.symmetry[:number], kept, *mixture.symmetry[number + 1 :])
    return replace(mixture, means=means, covariances=covariances, symmetry=symmetry)
