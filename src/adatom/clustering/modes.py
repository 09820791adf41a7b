"""The best mixture for every number of classes, and how many modes its density has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.sparse.csgraph
import scipy.stats

from adatom.clustering.gaussian_mixture import kmeans_labels
from adatom.clustering.mixtures import (
    Designs,
    Fit,
    Mixture,
    fit_mixture,
    log_densities_of,
    log_sum,
    mixture_from_labels,
)
from adatom.numerics.blocks import blocks_from_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.clustering.mixtures import Densities
    from adatom.clustering.models import Covariance

_FORMS: Final[tuple[Covariance, ...]] = ("spherical", "tied", "full")
# Enough passes to tell good starts from bad ones.
_TRIAL_PASSES: Final = 12
# A class must have two rows: one row alone is an outlier, not a class.
_LEAST_MEMBERS: Final = 1.5
# A tenth of a unit of log-likelihood in four thousand rows decides nothing.
_AT_REST: Final = 2.5e-5
# After so many further classes that did not lower the BIC, more do not either.
_IN_VAIN: Final = 3
# A form whose BIC per row is so much above that of the best after the trial does not catch up.
_HOPELESS: Final = 0.2
# A valley is a density below this share of the lower of the two summits beside it.
_VALLEY: Final = 0.95
_LINE: Final = np.linspace(0, 1, 41)
# Rows scattered evenly show so low a valley in fewer cases than this, by chance.
_CHANCE: Final = 0.01
# A few rows far from all others have too few to prove a valley; the mixture sees it this deep.
_DEEP: Final = 0.2
# Densities at two summits are alike within this factor.
LIKE_HEIGHTS: Final = 3.0
# Rows are counted in windows of a quarter of the way from summit to summit.
_WINDOWS: Final = 4


class Sweep(NamedTuple):
    """The best mixture of 1, 2, ... classes."""

    fits: list[Fit]
    bics: list[float]
    """Infinite where a class has fewer than two rows."""
    names: list[str]
    """In words, what sort of mixture each is."""


def sweep_mixtures(rows: NDArray[np.float64], /, *, max_classes: int, seed: int) -> Sweep:
    """Fit mixtures of every number of classes and form, and keep the best of each number.

    The sweep ends early where more classes only make it worse.

    Parameters
    ----------
    rows : array, shape (row, component)
        About their mean, in principal axes.
    max_classes : int
        Largest number.
    seed : int
        Of the starts.
    """
    spread = np.maximum(rows.var(axis=0), np.finfo(float).tiny ** 0.25)
    designs = Designs(blocks_from_array(rows))
    fits: list[Fit] = []
    bics: list[float] = []
    names: list[str] = []
    for number in range(1, max_classes + 1):
        starts = _starting_labels(rows, number, fits[-1] if fits else None, spread, seed)
        bic, best, name = _best_of_forms(designs, rows, starts, spread)
        fits.append(best)
        bics.append(bic)
        names.append(name)
        if number - 1 - int(np.argmin(bics)) >= _IN_VAIN:
            break
    return Sweep(fits, bics, names)


def _starting_labels(
    rows: NDArray[np.float64],
    number: int,
    before: Fit | None,
    spread: NDArray[np.float64],
    seed: int,
) -> list[NDArray[Any]]:
    if number == 1:
        return [np.zeros(len(rows), dtype=np.int64)]
    starts = [
        kmeans_labels(rows, number, seed=seed, n_starts=6),
        kmeans_labels(rows / np.sqrt(spread), number, seed=seed, n_starts=6),
    ]
    if before is not None:
        starts.append(_split_labels(rows, before.mixture))
    return starts


def _split_labels(rows: NDArray[np.float64], mixture: Mixture) -> NDArray[Any]:
    """Cut in two the class that looks least like one: across the axis where it is flattest."""
    logs, _ = log_densities_of(mixture)(rows)
    labels = logs.argmax(axis=0)
    n = len(mixture.weights)
    best, cut = -np.inf, labels
    for number in range(n):
        part = rows[labels == number]
        if len(part) < 4:
            continue
        whitened = (part - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-12)
        halves = kmeans_labels(whitened, 2, seed=number, n_starts=4)
        if not 0 < halves.sum() < len(halves):
            continue
        means = np.stack([whitened[halves == h].mean(axis=0) for h in (0, 1)])
        gain = len(part) * float(((means[0] - means[1]) ** 2).sum())
        if gain > best:
            best = gain
            cut = labels.copy()
            cut[np.flatnonzero(labels == number)[halves == 1]] = n
    return np.asarray(cut)


def _best_of_forms(
    designs: Designs,
    rows: NDArray[np.float64],
    starts: list[NDArray[Any]],
    spread: NDArray[np.float64],
) -> tuple[float, Fit, str]:
    """Try every form from every start shortly, and follow the promising forms to the end."""
    number = int(starts[0].max()) + 1
    trials: dict[Covariance, Fit] = {}
    for form in _FORMS if number > 1 else ("spherical", "full"):
        fits = [
            fit_mixture(
                designs,
                mixture_from_labels(rows, labels, n_classes=number, spread=spread, covariance=form),
                spread=spread,
                n_passes=_TRIAL_PASSES,
                at_rest=_AT_REST,
            )
            for labels in starts
        ]
        trials[form] = max(fits, key=lambda fit: fit.log_likelihood)
    least = min(fit.bic for fit in trials.values())
    found: list[tuple[float, Fit, str]] = []
    for form, trial in trials.items():
        if trial.bic > least + _HOPELESS * len(rows):
            continue
        for freedom, tails in ((np.inf, "Gaussian"), (10.0, "heavy-tailed")):
            start = replace(trial.mixture, freedom=freedom)
            fit = fit_mixture(designs, start, spread=spread, at_rest=_AT_REST, n_passes=100)
            small = fit.mixture.weights.min() * len(rows) < _LEAST_MEMBERS
            found.append((np.inf if small else fit.bic, fit, f"{form}, {tails}"))
    return min(found, key=lambda entry: entry[0])


def count_modes(mixture: Mixture, rows: NDArray[np.float64], /) -> int:
    """Count the classes of a mixture that a valley sets apart from every denser class.

    Between two elliptical classes every mode and every valley lies on one
    curve [1]_; the density of the whole mixture is followed along it, and a
    valley found there must show in the rows as well: several Gaussians that
    stand for one even plateau have valleys between them that the rows lack.

    A class that runs into a much denser one is part of that one alone, so
    that a wide class of junk does not join what it surrounds; classes of
    like density may join in a chain.

    References
    ----------
    .. [1] S. Ray and B. G. Lindsay, Ann. Stat. 33, 2042 (2005), eq. 4.
    """
    n = len(mixture.weights)
    densities = log_densities_of(mixture)
    labels = densities(rows)[0].argmax(axis=0)
    inverses = np.linalg.inv(mixture.covariances).astype(np.float64)
    heights = log_sum(densities(mixture.means)[0])
    joined = np.zeros((n, n), dtype=bool)
    # From the densest class down; of equal heights the first is taken for the higher one.
    order = np.lexsort((np.arange(n), -heights))
    for rank, a in enumerate(order):
        for b in order[:rank]:
            parted = is_valley_between(
                densities,
                mixture.means[[a, b]],
                inverses[[a, b]],
                rows[labels == a],
                rows[labels == b],
            )
            if parted:
                continue
            joined[a, b] = True
            if heights[a] < heights[b] - np.log(LIKE_HEIGHTS):
                break
    return int(scipy.sparse.csgraph.connected_components(joined, directed=False)[0])


def is_valley_between(
    densities: Densities,
    means: NDArray[np.float64],
    inverses: NDArray[np.float64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    /,
) -> bool:
    """Tell whether a valley parts two classes, in the density of the mixture and in the rows.

    Parameters
    ----------
    densities : callable
        Of the whole mixture, from `log_densities_of`.
    means, inverses : array, shape (2, component) and (2, component, component)
        Of the two classes: means, and inverse covariances.
    first, second : array, shape (row, component)
        Rows of the two.
    """
    line = _ridge_line(means, inverses)
    depth, place = _deepest(log_sum(densities(line)[0]))
    if not depth < _VALLEY:
        return False
    return _shows_in_rows(first, second, line[[0, place, -1]], inverses, depth)


def _ridge_line(means: NDArray[np.float64], inverses: NDArray[np.float64]) -> NDArray[np.float64]:
    pulls = np.einsum("kij,kj->ki", inverses, means)
    metric = (1 - _LINE)[:, None, None] * inverses[0] + _LINE[:, None, None] * inverses[1]
    pull = (1 - _LINE)[:, None] * pulls[0] + _LINE[:, None] * pulls[1]
    return np.linalg.solve(metric, pull[..., None])[..., 0]


def _deepest(logs: NDArray[np.float64]) -> tuple[float, int]:
    """Find the deepest valley: its density over that of the lower summit beside it, its place."""
    before, after = np.maximum.accumulate(logs), np.maximum.accumulate(logs[::-1])[::-1]
    depths = logs - np.minimum(before, after)
    place = int(np.argmin(depths))
    return float(np.exp(depths[place])), place


def _shows_in_rows(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    stations: NDArray[np.float64],
    inverses: NDArray[np.float64],
    depth: float,
) -> bool:
    """Tell whether fewer rows lie about the valley than about the lower summit.

    Rows of the two classes are projected on the line that parts them best;
    the share that decides lies midway between an even density and the
    valley of the mixture. So few must be no chance among rows that are
    scattered evenly, unless the valley of the mixture is deep.
    """
    pooled = np.linalg.inv(np.linalg.inv(inverses[0]) + np.linalg.inv(inverses[1]))
    axis = pooled @ (stations[2] - stations[0])
    marks = stations @ axis
    width = abs(marks[2] - marks[0]) / _WINDOWS
    places = np.concatenate([first, second]) @ axis
    counts = [int(np.count_nonzero(abs(places - mark) <= width / 2)) for mark in marks]
    lower = min(counts[0], counts[2])
    chance = float(scipy.stats.binom.cdf(counts[1], counts[1] + lower, 0.5))
    return counts[1] <= (1 + depth) / 2 * lower and (chance < _CHANCE or depth < _DEEP)
