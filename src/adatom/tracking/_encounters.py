"""Ends of tracks near the middles of others: candidates of merges, and how likely each is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.numerics.medians import SIGMA_OF_MAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.tracking._model import LinkModel
    from adatom.tracking._observed import Observed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# Candidates are looked for within so many standard deviations of a step, or this share of the
# mean distance of sites where that is more.
_STEPS: Final = 6.0
_OF_DISTANCE: Final = 0.75
# Rings of equal area in which chance neighbors are counted, those of so many sites.
_RINGS: Final = 12
_CHANCE_SITES: Final = 20_000
# Chance neighbors are nowhere rarer than this share of their mean.
_FLOOR: Final = 0.1
# Intensities are medians of so many sites on either side.
_SITES_OF_INTENSITY: Final = 5
# Residuals of intensities have the tails of Student's t: outliers are common.
_FREEDOM: Final = 3.0
_LEAST_SCATTER: Final = 0.02
_ROUNDS: Final = 200
# Steps to a merge are no shorter than half of others, in standard deviations.
_LEAST_VARIANCE: Final = 0.25


@dataclass(frozen=True)
class Directed:
    """Sites with their tracks, read forward (merges) or backward in time (splits).

    Attributes
    ----------
    observed : Observed
    track : ndarray of int, shape (n,)
    order : ndarray of int, shape (n,)
        Sites by track, then frame.
    rank : ndarray of int, shape (n,)
        Where each stands in that order.
    intensity : ndarray, shape (n,), optional
        NaN where it is not known or not positive.
    """

    observed: Observed
    track: Ints
    order: Ints
    rank: Ints
    intensity: Floats | None

    def beside(self, site: Ints, offset: int, /) -> Ints:
        """Give the site so many places later in the track of each, -1 where there is none."""
        at = self.rank[site] + offset
        inside = (at >= 0) & (at < len(self.order))
        other = self.order[np.clip(at, 0, len(self.order) - 1)]
        same = inside & (self.track[other] == self.track[site]) & (self.track[site] >= 0)
        return np.where(same, other, -1)

    def typical_intensity(self, site: Ints, direction: int, /) -> Floats:
        """Give the median intensity of some sites of a track, from each on or up to it."""
        if self.intensity is None:
            return np.full(len(site), np.nan)
        columns = [self.beside(site, direction * k) for k in range(_SITES_OF_INTENSITY)]
        values = np.stack([np.where(one >= 0, self.intensity[one], np.nan) for one in columns])
        found = np.full(len(site), np.nan)
        some = np.isfinite(values).any(axis=0)
        found[some] = np.nanmedian(values[:, some], axis=0)
        return found


def directed(observed: Observed, track: Ints, intensity: Floats | None, /) -> Directed:
    """Prepare sites to be read forward."""
    order = np.lexsort((observed.frame_of, track)).astype(np.intp)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return Directed(observed, track, order, rank, intensity)


def mirrored(seen: Directed, /) -> Directed:
    """Read the same sites backward: site k becomes the k-th from the end."""
    one = seen.observed
    backward = replace(
        one,
        site=one.site[::-1],
        place=one.place[::-1],
        start=(len(one.place) - one.start[::-1]).astype(np.intp),
        frames=one.frames[0] + one.frames[-1] - one.frames[::-1],
        times=one.times[0] + one.times[-1] - one.times[::-1],
        covariance=None,
        posterior=None,
    )
    intensity = None if seen.intensity is None else seen.intensity[::-1]
    return directed(backward, seen.track[::-1], intensity)


class Encounters(NamedTuple):
    """Candidates: the end of a track, and a later site of another that was there before.

    ``end`` and ``site`` (candidate,) are sites; ``missed``, frames between them in which the
    ended track was missed; ``variance`` of a step along an axis; ``chance``, density of
    chance neighbors; ``share`` of merges over so many missed frames; ``evidence``, logarithm
    of how much better intensities fit a merge; ``ratio``, intensity after over the sum of
    those before, NaN where not known.
    """

    end: Ints
    site: Ints
    distance: Floats
    missed: Ints
    variance: Floats
    chance: Floats
    share: Floats
    evidence: Floats
    ratio: Floats


class Ends(NamedTuple):
    """Last sites of tracks that are judged, and how many are not."""

    judged: Ints
    n_short: int
    n_late: int


def ends_of(seen: Directed, memory: int, min_length: int, /) -> Ends:
    """Give the ends of tracks: not of short ones, nor so late that they may be but missed."""
    numbers = seen.observed.frames
    all_sites = np.arange(len(seen.track))
    ends = all_sites[(seen.track >= 0) & (seen.beside(all_sites, 1) < 0)]
    limit = numbers[-1] - (memory + 1) * seen.observed.step
    late = numbers[seen.observed.frame_of[ends]] > limit
    short = ~late & (seen.beside(ends, 1 - min_length) < 0)
    return Ends(ends[~late & ~short], int(short.sum()), int(late.sum()))


def encounters_of(
    seen: Directed, model: LinkModel, memory: int, ends: Ints, max_distance: float | None, /
) -> Encounters:
    """List the sites of other tracks that are near an end, in the frames after it."""
    observed = seen.observed
    frame = observed.frame_of
    all_sites = np.arange(len(seen.track))
    # A track into which another merges was there before.
    going_on = (seen.track >= 0) & (seen.beside(all_sites, -1) >= 0)
    spread = 1 / np.sqrt(max(observed.density, 1e-300))
    parts: list[tuple[Ints, Ints, Floats, Ints, Floats, Floats, Floats]] = []
    background = _Background(seen, going_on)
    for f in np.unique(frame[ends]).tolist():
        mine = ends[frame[ends] == f]
        for later in range(f + 1, observed.n_frames):
            missed = round((observed.frames[later] - observed.frames[f]) / observed.step) - 1
            if missed > memory:
                break
            here = np.arange(observed.start[later], observed.start[later + 1])
            here = here[going_on[here]]
            dt = float(observed.times[later] - observed.times[f])
            variance = _variance(model, dt)
            reach = max(_STEPS * np.sqrt(variance), _OF_DISTANCE * spread)
            if max_distance is not None:
                reach = max_distance
            if not here.size:
                continue
            near = cKDTree(observed.place[mine]).sparse_distance_matrix(
                cKDTree(observed.place[here]), reach, output_type="ndarray"
            )
            share = (1 - model.missed) * model.missed**missed
            n = len(near)
            distance = near["v"]
            parts.append(
                (
                    mine[near["i"]], here[near["j"]], distance, np.full(n, missed),
                    np.full(n, variance), background.density(missed, distance, reach),
                    np.full(n, share),
                )
            )  # fmt: skip
    if not parts:
        nothing, none = np.zeros(0, dtype=np.intp), np.zeros(0)
        return Encounters(nothing, nothing, none, nothing, none, none, none, none, none)
    end, site, distance, missed_in, variances, chance, shares = (
        np.concatenate(one) for one in zip(*parts, strict=True)
    )
    evidence, ratio = _evidence(seen, end, site)
    return Encounters(end, site, distance, missed_in, variances, chance, shares, evidence, ratio)


def _variance(model: LinkModel, dt: float) -> float:
    """Give the variance along an axis of a step with the errors of both positions."""
    moved = float(model.steps.weights(dt) @ model.steps.variances(dt))
    return max(moved + 2 * model.steps.error**2, 1e-300)


class _Background:
    """Density of the sites of other tracks around sites whose track goes on."""

    def __init__(self, seen: Directed, going_on: NDArray[np.bool_]) -> None:
        self.seen, self.going_on = seen, going_on
        self._known: dict[int, tuple[float, Floats]] = {}

    def density(self, missed: int, distance: Floats, reach: float) -> Floats:
        """Give the density of chance neighbors at distances, so many frames later."""
        if missed not in self._known:
            self._known[missed] = reach, self._count(missed, reach)
        counted, density = self._known[missed]
        ring = np.minimum((distance / counted) ** 2 * _RINGS, _RINGS - 1).astype(np.intp)
        return density[ring]

    def _count(self, missed: int, reach: float) -> Floats:
        seen, observed = self.seen, self.seen.observed
        per_frame = max(len(observed.place) / observed.n_frames, 1.0)
        apart = missed + 1
        last = max(observed.n_frames - apart, 1)
        chosen = np.unique(np.linspace(0, last - 1, min(last, int(_CHANCE_SITES / per_frame) + 4)))
        counts, n_sites, n_others = np.zeros(_RINGS), 0, 0
        for f in chosen.astype(int).tolist():
            one, two = (
                np.arange(observed.start[k], observed.start[k + 1])
                for k in (f, min(f + apart, observed.n_frames - 1))
            )
            one = one[(seen.track[one] >= 0) & (seen.beside(one, 1) >= 0)]
            two = two[self.going_on[two]]
            if not (one.size and two.size):
                continue
            near = cKDTree(observed.place[one]).sparse_distance_matrix(
                cKDTree(observed.place[two]), reach, output_type="ndarray"
            )
            other = seen.track[one[near["i"]]] != seen.track[two[near["j"]]]
            squares = (near["v"][other] / reach) ** 2
            counts += np.histogram(squares, np.linspace(0, 1, _RINGS + 1))[0]
            n_sites += len(one)
            n_others += len(two)
        area = np.pi * reach**2 / _RINGS
        mean = max(counts.mean() / max(n_sites, 1) / area, 1e-3 * observed.density)
        # As if one more neighbor had been seen in every ring.
        smooth = (counts + 1) / (n_sites + 1 / (mean * area)) / area
        return np.asarray(np.maximum(smooth, _FLOOR * mean))


def _evidence(seen: Directed, end: Ints, site: Ints) -> tuple[Floats, Floats]:
    """Weigh intensities: the sum of both afterwards, or that of the one that went on."""
    if seen.intensity is None:
        return np.zeros(len(end)), np.full(len(end), np.nan)
    all_sites = np.arange(len(seen.track))
    inner = all_sites[(seen.track >= 0) & (seen.beside(all_sites, -1) >= 0)]
    inner = inner[:: max(1, len(inner) // _CHANCE_SITES)]
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = np.log(
            seen.typical_intensity(inner, 1) / seen.typical_intensity(seen.beside(inner, -1), -1)
        )
        usual = usual[np.isfinite(usual)]
        if usual.size < 2 * _SITES_OF_INTENSITY:
            return np.zeros(len(end)), np.full(len(end), np.nan)
        scatter = max(SIGMA_OF_MAD * float(np.median(np.abs(usual))), _LEAST_SCATTER)
        joined = seen.typical_intensity(site, 1)
        other = seen.typical_intensity(seen.beside(site, -1), -1)
        ratio = joined / (seen.typical_intensity(end, -1) + other)
        together, alone = np.log(ratio), np.log(joined / other)
        power = 0.5 * (_FREEDOM + 1)
        found = power * (
            np.log1p((alone / scatter) ** 2 / _FREEDOM)
            - np.log1p((together / scatter) ** 2 / _FREEDOM)
        )
    return np.where(np.isfinite(found), found, 0.0), ratio


class MergeRate(NamedTuple):
    """How common merges are among ends, and how far they reach."""

    share: float
    scale: float
    gain: float


def log_odds(found: Encounters, rate: MergeRate, /) -> Floats:
    """Give the logarithm of the odds of each candidate against an end by itself."""
    prior = np.log(rate.share) - np.log1p(-rate.share)
    return np.asarray(prior + _log_ratio(found, rate.scale))


def _log_ratio(found: Encounters, scale: float) -> Floats:
    variance = scale * found.variance
    near = -np.log(2 * np.pi * variance) - found.distance**2 / (2 * variance)
    return np.asarray(near + np.log(found.share) - np.log(found.chance) + found.evidence)


def rate_of_merges(found: Encounters, n_ends: int, /) -> MergeRate:
    """Find by expectation and maximization how common merges are, and their distances.

    The neighbors of an end are those of any site, by chance, and with the
    probability that is sought one more, at the distance of a step whose variance is scaled:
    where two become one, the site lies between them.
    """
    best = MergeRate(0.0, 1.0, 0.0)
    if not len(found.end):
        return best
    _, row = np.unique(found.end, return_inverse=True)
    widest = float((found.distance**2).max() / found.variance.min() / 8)
    for start in (1.0, np.sqrt(max(widest, 1.0)), max(widest, 1.0)):
        rate = _maximized(found, row, n_ends, start)
        if rate.gain > best.gain:
            best = rate
    return best


def _maximized(found: Encounters, row: Ints, n_ends: int, scale: float) -> MergeRate:
    share, gain = 0.1, -np.inf
    for _ in range(_ROUNDS):
        terms = np.exp(np.clip(_log_ratio(found, scale), -300.0, 300.0))
        total = np.bincount(row, weights=terms)
        mixed = 1 - share + share * total
        before, gain = gain, float(np.log(mixed).sum() + (n_ends - len(total)) * np.log1p(-share))
        mine = share * terms / mixed[row]
        # As if one end in twenty more had been seen to merge, in half a case.
        share = float(np.clip((mine.sum() + 0.5) / (n_ends + 10), 1e-6, 0.95))
        squares = float(mine @ (found.distance**2 / (2 * found.variance)))
        scale = max((squares + 1.0) / (float(mine.sum()) + 1.0), _LEAST_VARIANCE)
        if abs(gain - before) < 1e-7 * max(1.0, abs(gain)):
            break
    return MergeRate(share, scale, gain)
