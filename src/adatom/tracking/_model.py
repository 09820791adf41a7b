"""What is likely of a link: its step, its change of class, misses, ends and new sites."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.tracking._steps import StepModel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.spatial import cKDTree

    from adatom.tracking._observed import Observed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# Bounds of probabilities: nothing is impossible in a short movie.
_LEAST: Final = 1e-4
_MOST: Final = 0.6
_TINY: Final = 1e-300
_RANGE_STEPS: Final = 60


@dataclass(frozen=True)
class LinkModel:
    """Rates by which links are weighed against ends and new sites.

    Attributes
    ----------
    steps : StepModel
    missed : float
        Probability that a site that is there is not found in a frame.
    ended : float
        Probability that a track ends from one frame to the next.
    new : float
        Sites that continue no track, in a frame and unit of area.
    change : ndarray, shape (class, class), optional
        Probability of each class given that of the frame before.
    prior : ndarray, shape (class,), optional
        Share of each class among all sites.
    max_distance : float, optional
        No link is longer in one step of time.
    """

    steps: StepModel
    missed: float
    ended: float
    new: float
    change: Floats | None = None
    prior: Floats | None = None
    max_distance: float | None = None

    def with_rates(self, missed: float, ended: float, new: float) -> LinkModel:
        """Take other rates, within reason."""
        return replace(
            self,
            missed=float(np.clip(missed, _LEAST, _MOST)),
            ended=float(np.clip(ended, _LEAST, _MOST)),
            new=max(float(new), _TINY),
        )


class Gap(NamedTuple):
    """What is common to all links over the same frames."""

    dt: float
    weight: Floats
    variance: Floats
    offset: float
    """Logarithm of the odds of a link, step and class left out."""
    reach: float
    change: Floats | None


def gap_of_frames(model: LinkModel, observed: Observed, first: int, last: int, /) -> Gap:
    """Prepare links from frame `first` to frame `last`.

    `Bayes <https://en.wikipedia.org/wiki/Bayes%27_theorem>`_: after k frames without
    it, a track is alive with a probability that follows from how often
    sites are missed and tracks end.
    """
    dt = float(observed.times[last] - observed.times[first])
    k = last - first - 1
    stays, missed = 1 - model.ended, model.missed
    alive = stays ** (k + 1) * missed**k
    dead = model.ended * sum((stays * missed) ** m for m in range(k + 1))
    seen = alive / (alive + dead) * (1 - missed)
    offset = float(np.log(seen) - np.log1p(-seen) - np.log(model.new))
    weight, variance = model.steps.weights(dt), model.steps.variances(dt)
    change = None
    best = 0.0
    if model.change is not None and model.prior is not None:
        power = max(1, round((observed.frames[last] - observed.frames[first]) / observed.step))
        change = np.linalg.matrix_power(model.change, power) / model.prior
        best = float(np.log(change.max()))
    reach = _range(weight, variance + 2 * model.steps.error**2, offset + best)
    if model.max_distance is not None:
        reach = min(reach, model.max_distance * float(np.sqrt(dt / model.steps.time_step)))
    return Gap(dt, weight, variance, offset, reach, change)


def _range(weight: Floats, variance: Floats, offset: float) -> float:
    """Find the distance at which a link is as likely as an end and a new site."""
    variance = np.maximum(variance, _TINY)
    low, high = 0.0, 40.0 * float(np.sqrt(variance.max()))
    density = weight / (2 * np.pi * variance)

    def odds(distance: float) -> float:
        return float(np.log(density @ np.exp(-(distance**2) / (2 * variance)) + _TINY)) + offset

    if odds(0.0) <= 0:
        return 0.0
    for _ in range(_RANGE_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if odds(middle) > 0 else (low, middle)
    return low


class Candidates(NamedTuple):
    """Links that are possible between rows (tracks) and sites of a frame."""

    row: Ints
    column: Ints
    gain: Floats
    distance: Floats
    reach: Floats


def candidates_of_gap(
    model: LinkModel,
    observed: Observed,
    gap: Gap,
    rows: tuple[Ints, cKDTree],
    columns: tuple[int, cKDTree],
    /,
) -> Candidates:
    """List the candidates between sites of one frame and of a later one, with their gain.

    Parameters
    ----------
    model, observed, gap
        As they are.
    rows : tuple
        Sites at which tracks were last seen, and their tree.
    columns : tuple
        First site of the later frame, and the tree of all its sites.
    """
    last, tree = rows
    first, others = columns
    near = tree.sparse_distance_matrix(others, gap.reach, output_type="ndarray")
    row, column, distance = near["i"], near["j"], near["v"]
    i, j = last[row], column + first
    gain = np.full(len(row), gap.offset)
    gain += _log_density(model, observed, gap, i, j, distance)
    if gap.change is not None and observed.posterior is not None and model.prior is not None:
        one, two = (_known(observed.posterior[k], model.prior) for k in (i, j))
        gain += np.log(np.einsum("ka,ab,kb->k", one, gap.change, two, optimize=True) + _TINY)
    return Candidates(row, column, gain, distance, np.full(len(row), gap.reach))


def _known(posterior: Floats, prior: Floats) -> Floats:
    """Take the shares of all sites for what was not classified."""
    return np.where(np.isfinite(posterior), posterior, prior)


def _log_density(
    model: LinkModel, observed: Observed, gap: Gap, i: Ints, j: Ints, distance: Floats
) -> Floats:
    """Give the logarithm of the probability of a step in a unit of area."""
    square = model.steps.error**2
    if observed.covariance is None:
        q = distance**2
        parts = [
            np.log(w / (2 * np.pi * (v + 2 * square) + _TINY)) - q / (2 * (v + 2 * square) + _TINY)
            for w, v in zip(gap.weight, gap.variance, strict=True)
        ]
        return _summed(parts)
    own = square * np.eye(2)
    one, two = (
        np.where(np.isfinite(c), c, own) for c in (observed.covariance[i], observed.covariance[j])
    )
    error = one + two
    step = observed.place[j] - observed.place[i]
    parts = []
    for w, v in zip(gap.weight, gap.variance, strict=True):
        yy, xx, yx = error[:, 0, 0] + v, error[:, 1, 1] + v, error[:, 0, 1]
        det = yy * xx - yx**2 + _TINY
        q = (xx * step[:, 0] ** 2 - 2 * yx * step[:, 0] * step[:, 1] + yy * step[:, 1] ** 2) / det
        parts.append(np.log(w / (2 * np.pi * np.sqrt(det))) - 0.5 * q)
    return _summed(parts)


def _summed(parts: list[Floats]) -> Floats:
    """Add probabilities of which the logarithms are given."""
    return parts[0] if len(parts) == 1 else np.asarray(np.logaddexp.reduce(parts, axis=0))


def model_in_attrs(model: LinkModel, memory: int, units: dict[str, str], /) -> dict[str, Any]:
    """Write a model as plain numbers, as attributes of sites keep them."""
    steps = model.steps
    return {
        "memory": memory,
        "weight": list(steps.weight),
        "diffusion": list(steps.diffusion),
        "position_error": steps.error,
        "time_step": steps.time_step,
        "missed": model.missed,
        "ended": model.ended,
        "new": model.new,
        "max_distance": model.max_distance,
        "change": None if model.change is None else model.change.tolist(),
        "prior": None if model.prior is None else model.prior.tolist(),
        **units,
    }


def model_from_attrs(attrs: dict[str, Any], /) -> tuple[LinkModel, int]:
    """Undo `model_in_attrs`: the model, and how many frames a site may be missed."""
    steps = StepModel(
        tuple(attrs["weight"]), tuple(attrs["diffusion"]), attrs["position_error"],
        attrs["time_step"],
    )  # fmt: skip
    change, prior = (
        None if attrs[name] is None else np.array(attrs[name]) for name in ("change", "prior")
    )
    model = LinkModel(
        steps, attrs["missed"], attrs["ended"], attrs["new"], change, prior, attrs["max_distance"]
    )
    return model, int(attrs["memory"])
