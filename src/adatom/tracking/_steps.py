"""How far sites move from frame to frame, told apart from chance neighbors, without links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.tracking._observed import Observed

    Floats = NDArray[np.float64]

_PAIRS_OF_FRAMES: Final = 40
_SITES: Final = 40_000
# Distances are counted in bins of equal ratio, of 6 % each.
_BINS: Final = 160
_NEAREST_BIN: Final = 1e-4
_REACH: Final = 2.5
_ROUNDS: Final = 200
_TRIAL: Final = 20
# A second, faster motion is believed if it explains the distances this much better, in
# logarithms of the number of pairs, and if it is no broad remainder of the background.
_GAIN_PER_LOG: Final = 3.0
_LEAST_WEIGHT: Final = 2e-3
_WIDEST: Final = 1 / 3
# Powers of what lies between the variance of one motion and the widest believed.
_STARTS: Final = (0.5, 0.75, 0.9)
# Hops over the distance of places, where rest itself takes both motions: pairs beyond so many
# widths of the slower ones, and so many standard deviations more than in one frame.
_BEYOND: Final = 5.0
_SURE: Final = 6.0
# Background where no two sites of a frame are so near, in shares of all.
_FLOOR: Final = 0.03
_SMOOTHED: Final = 15
# Frames whose distance in time is within this of the typical one are compared.
_TIME_TOLERANCE: Final = 0.1


@dataclass(frozen=True)
class StepModel:
    """A step is normally distributed, of one of a few variances.

    Attributes
    ----------
    weight : tuple of float
        Share of the steps of each motion within one `time_step`.
    diffusion : tuple of float
        Of each motion, in the unit of the sites squared and time.
    error : float
        Standard error of a position along an axis.
    time_step : float
        Typical time from frame to frame.
    found : float
        Share of sites that are found again in the next frame.
    found_later : float
        Share that is found again in the frame after it.
    """

    weight: tuple[float, ...]
    diffusion: tuple[float, ...]
    error: float
    time_step: float
    found: float = 0.9
    found_later: float = 0.9

    @property
    def mean_diffusion(self) -> float:
        """Diffusion coefficient over all steps."""
        return float(np.dot(self.weight, self.diffusion))

    def variances(self, dt: float, /) -> Floats:
        """Give the variance along an axis of each motion, errors of positions left out."""
        return 2.0 * np.array(self.diffusion) * dt

    def weights(self, dt: float, /) -> Floats:
        """Give the share of each motion: the longer the time, the likelier a fast step."""
        slow = self.weight[0] ** max(dt / self.time_step, 1e-6)
        if len(self.weight) == 1:
            return np.ones(1)
        faster = np.array(self.weight[1:])
        return np.array([slow, *((1.0 - slow) * faster / faster.sum())])


@dataclass(frozen=True)
class _Distances:
    """Distances of sites of different frames, and of those of one frame, counted in bins."""

    edges: Floats
    between: Floats
    within: Floats
    n_sites: int


@dataclass(frozen=True)
class _Spread:
    """Variances of the steps along an axis, with their weights."""

    weight: Floats
    variance: Floats
    found: float
    log_likelihood: float


def steps_from_sites(observed: Observed, /, *, error: float | None = None) -> StepModel:
    """Estimate diffusion and position error from distances of sites one and two frames apart.

    Distances of sites of different frames are of sites that moved and of
    chance neighbors. The latter are distributed as those within a frame, and
    so both parts are fitted by maximum likelihood (EM) before anything is
    linked. One and two frames of motion tell the diffusion from the error.

    Parameters
    ----------
    observed : Observed
        Of two frames or more.
    error : float, optional
        Position error if it is known.
    """
    dt = observed.time_step
    reach = reach_of_sites(observed)
    first = _spread(_distances(observed, 1, reach), reach)
    if first is None:
        # Nothing was found again: any step as long as the field is as good as another.
        return StepModel((1.0,), (reach**2 / (8 * dt),), 0.0, dt, 0.5, 0.5)
    second = _spread(_distances(observed, 2, reach), reach)
    square = _error_squared(observed, first, second, error)
    diffusion = np.maximum(first.variance - 2 * square, 1e-3 * first.variance) / (2 * dt)
    return StepModel(
        tuple(first.weight.tolist()),
        tuple(diffusion.tolist()),
        float(np.sqrt(square)),
        dt,
        first.found,
        first.found if second is None else second.found,
    )


def _error_squared(
    observed: Observed, first: _Spread, second: _Spread | None, error: float | None
) -> float:
    if error is not None:
        return min(error**2, 0.5 * float(first.variance[0]))
    if observed.covariance is not None:
        told = np.diagonal(observed.covariance, axis1=1, axis2=2).mean(axis=1)
        return min(float(np.nanmedian(told)), 0.5 * float(first.variance[0]))
    if second is None:
        return 0.0
    # sigma^2(n) = 2 D n dt + 2 s^2.
    # The slower motion tells it, for the share of the faster one is another after two frames.
    square = 0.5 * (2 * first.variance[0] - second.variance[0])
    return float(np.clip(square, 0.0, 0.5 * first.variance[0]))


def reach_of_sites(observed: Observed, /) -> float:
    """Give the distance up to which pairs are looked at: some neighbors of a site."""
    nearest = []
    for f in _spread_out(observed.n_frames, _PAIRS_OF_FRAMES):
        here = observed.place[observed.start[f] : observed.start[f + 1]]
        if len(here) > 1:
            nearest.append(cKDTree(here).query(here, k=2)[0][:, 1])
    field = float(np.linalg.norm(np.ptp(observed.place, axis=0))) or 1.0
    if not nearest:
        return field
    typical = float(np.median(np.concatenate(nearest)))
    return min(max(_REACH * typical, 1 / np.sqrt(observed.density)), field) or field


def _spread_out(n: int, most: int) -> list[int]:
    chosen: list[int] = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)).tolist()
    return chosen


def _distances(observed: Observed, lag: int, reach: float) -> _Distances:
    """Count distances of sites `lag` frames apart."""
    edges = np.concatenate([[0.0], reach * np.geomspace(_NEAREST_BIN, 1.0, _BINS)])
    between, within = np.zeros(_BINS), np.zeros(_BINS)
    apart = lag * observed.time_step
    gap = observed.times[lag:] - observed.times[:-lag]
    pairs = np.flatnonzero(np.abs(gap - apart) <= _TIME_TOLERANCE * apart)
    per_frame = len(observed.place) / observed.n_frames
    most = int(np.clip(_SITES / per_frame, 4, max(_PAIRS_OF_FRAMES, _SITES / 20 / per_frame)))
    n_sites = 0
    for f in pairs[_spread_out(len(pairs), most)].tolist() if pairs.size else []:
        one, two = (
            cKDTree(observed.place[observed.start[k] : observed.start[k + 1]]) for k in (f, f + lag)
        )
        between += _counted(one, two, edges, reach)
        own = _counted(two, two, edges, reach)
        # Each site is its own neighbor.
        own[0] -= two.n
        within += own * (one.n / two.n)
        n_sites += one.n
    return _Distances(edges, between, np.maximum(within, 0.0), n_sites)


def _counted(one: cKDTree, two: cKDTree, edges: Floats, reach: float) -> Floats:
    found = one.sparse_distance_matrix(two, reach, output_type="ndarray")["v"]
    return np.histogram(found, edges)[0].astype(float)


def _spread(seen: _Distances, reach: float) -> _Spread | None:
    """Fit one motion, or two where they explain the distances much better, and hops."""
    if seen.between.sum() == 0:
        return None
    area = np.diff(seen.edges**2)
    # Few pairs are near one another: bins are averaged, over half of their distance.
    near = np.ones(_SMOOTHED)
    mean = np.convolve(seen.within, near, "same") / np.convolve(area, near, "same")
    background = (mean + _FLOOR * (seen.within.sum() + 1) / reach**2) * area
    middle = 0.5 * (seen.edges[1:] ** 2 + seen.edges[:-1] ** 2)
    # Excess over chance tells where the steps are.
    excess = np.maximum(seen.between - background, 0.0) * (middle < (_WIDEST * reach) ** 2)
    start = float(excess @ middle / excess.sum() / 2) if excess.sum() > 0 else reach**2 / 50
    one = _maximized(seen, background, middle, np.array([start]))
    slow, widest = one.variance[0], (_WIDEST * reach) ** 2
    # Rare long steps are found from a start that is near them only.
    starts = [(0.3 * slow, 6 * slow), *((0.9 * slow, slow * (widest / slow) ** p) for p in _STARTS)]
    begun = max(
        (_maximized(seen, background, middle, np.array(start), rounds=_TRIAL) for start in starts),
        key=lambda fit: fit.log_likelihood,
    )
    two = _maximized(seen, background, middle, begun.variance, begun.weight)
    needed = _GAIN_PER_LOG * np.log(max(seen.n_sites, 2))
    believed = (
        two.log_likelihood - one.log_likelihood > needed
        and two.weight.min() > _LEAST_WEIGHT
        and np.sqrt(two.variance[1]) < _WIDEST * reach
        and two.variance[1] > 2 * two.variance[0]
    )
    return _with_hops(two if believed else one, seen, reach)


def _with_hops(fit: _Spread, seen: _Distances, reach: float) -> _Spread:
    """Add steps of one length much beyond all others, as of atoms that hop a lattice.

    Of such a length no Gaussian is a fair picture, and that of a part of one per cent
    is not found by likelihood; but where no two sites of a frame are so near, pairs of
    two frames are.
    """
    first = int(np.searchsorted(seen.edges, _BEYOND * np.sqrt(fit.variance[-1])))
    last = int(np.searchsorted(seen.edges, _WIDEST * reach))
    if last <= first:
        return fit
    more = np.cumsum((seen.between - seen.within)[first:last])
    sure = more / np.sqrt(np.cumsum((seen.between + seen.within)[first:last]) + 1.0)
    end = int(sure.argmax())
    share = more[end] / max(seen.n_sites, 1)
    if sure[end] < _SURE or share < _LEAST_WEIGHT:
        return fit
    part = slice(first, first + end + 1)
    square = 0.5 * (seen.edges[1:] ** 2 + seen.edges[:-1] ** 2)[part]
    excess = (seen.between - seen.within)[part]
    variance = float(np.clip(excess @ square / excess.sum(), square[0], square[-1]) / 2)
    found = min(fit.found + float(share), 1.0)
    weight = np.append(fit.weight * (1 - share / found), share / found)
    return _Spread(weight, np.append(fit.variance, variance), found, fit.log_likelihood)


def _maximized(
    seen: _Distances,
    background: Floats,
    middle: Floats,
    variance: Floats,
    weight: Floats | None = None,
    *,
    rounds: int = _ROUNDS,
) -> _Spread:
    """Fit by EM: Gaussian steps cut off at the reach, over a background of known shape."""
    counts, total = seen.between, seen.between.sum()
    shape = background / background.sum()
    limit = seen.edges[-1] ** 2
    share = 0.5 * (np.full(len(variance), 1 / len(variance)) if weight is None else weight)
    likelihood = -np.inf
    for _ in range(rounds):
        tail = np.exp(-(seen.edges[:, None] ** 2) / (2 * variance))
        inside = np.maximum(1 - tail[-1], 1e-12)
        parts = share * (tail[:-1] - tail[1:]) / inside
        mixed = parts.sum(axis=1) + (1 - share.sum()) * shape + 1e-300
        mine = counts[:, None] * parts / mixed[:, None]
        member = mine.sum(axis=0)
        before, likelihood = likelihood, float(counts @ np.log(mixed))
        share = np.clip(member / total, 1e-9, 1 - 1e-6)
        share *= min(1.0, (1 - 1e-6) / share.sum())
        mean = (mine * middle[:, None]).sum(axis=0) / np.maximum(member, 1e-12)
        # Squares of distances are exponential, cut off at the limit.
        cut = limit / np.expm1(np.minimum(limit / (2 * variance), 700.0))
        variance = np.clip(0.5 * (mean + cut), 1e-12 * limit, limit)
        if abs(likelihood - before) < 1e-8 * abs(likelihood):
            break
    order = np.argsort(variance)
    found = float(min(share.sum() * total / max(seen.n_sites, 1), 1.0))
    return _Spread(share[order] / share.sum(), variance[order], found, likelihood)
