"""Transition matrices with intervals, from counts at any lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError
from adatom.numerics.markov_estimates import (
    likely_matrix,
    posterior_matrices,
    reversible_matrix,
)
from adatom.schema import FEATURES, TRANSITIONS, Features, Transitions, add_note
from adatom.units import TIME, Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POORLY_MIXED: Final = 1.1
_ROW_SUM: Final = 0.01


def estimate_transitions(
    counts: Transitions,
    /,
    *,
    reversible: bool = False,
    prior: float | None = None,
    confidence: float = 0.95,
    n_samples: int = 1000,
    frame_time: Time | None = None,
    seed: int = 0,
) -> Transitions:
    """Estimate the transition matrix of one frame, with intervals.

    The likelihood is sum_n C_ij(n) log (T^n)_ij over all lags n, maximized by expectation
    and maximization over the frames that were not seen. Intervals are those of
    the Dirichlet posterior; over gaps, paths are drawn [1]_.

    Parameters
    ----------
    counts : Transitions
        From `count_transitions`.
    reversible : bool
        Whether detailed balance is imposed: a process driven by a beam has
        none, so it is not unless asked for. Intervals are then those of
        the weighted likelihood [2]_.
    prior : float, optional
        Weight of every entry before anything was counted; by default 1 over the
        number of states, one transition a row.
    confidence : float
        Of the intervals: 0.95 is custom.
    n_samples : int
        Draws from the posterior that are kept.
    frame_time : time, optional
        From frame to frame, such as "0.5 s"; by default that of the tracks, and if
        they tell none, rates are per frame only.
    seed : int
        Of the draws.

    Returns
    -------
    Transitions
        * ``probability`` (state, state_to), of maximum likelihood, NaN in rows of
          states that were never seen to be followed by anything;
          ``probability_mean``, ``_low``, ``_high`` of the posterior;
        * ``rate``, ``rate_low``, ``rate_high`` (state, state_to): the probabilities off
          the diagonal over the time of one frame, in 1/s or 1/frame. A
          state that is left and met again between two frames is not seen;
        * ``expected_count`` (state, state_to): single steps, seen and in gaps;
        * ``sample`` (draw, state, state_to): draws from the posterior.

        ``attrs`` name the states ``never_seen``, ``never_left`` (absorbing, as far as seen)
        and ``never_followed`` (met at ends of tracks only); they stay in the matrix.

    Raises
    ------
    KindError
        If there are no counts.
    SettingError
        If a setting is out of its range.

    References
    ----------
    .. [1] M. A. Tanner and W. H. Wong, J. Am. Stat. Assoc. 82, 528 (1987).
    .. [2] M. A. Newton and A. E. Raftery, J. R. Stat. Soc. B 56, 3 (1994).

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> tracks = sites_from_positions([0.0] * 6, [0.0] * 6, unit="nm", frame=range(6))
    >>> tracks = tracks.assign(track=("site", [0] * 6), label=("site", [0, 0, 0, 1, 1, 0]))
    >>> from adatom.dynamics import count_transitions
    >>> estimate_transitions(count_transitions(tracks))["probability"].values.round(2)
    array([[0.67, 0.33],
           [0.5 , 0.5 ]])
    """
    TRANSITIONS.check(counts, name="the counts")
    if "count" not in counts or "lag" not in counts["count"].dims:
        msg = "there is no 'count' by lag: count_transitions gives it"
        raise KindError(msg)
    n_states = counts.sizes["state"]
    weight = 1 / n_states if prior is None else prior
    if not 0 < confidence < 1 or not weight > 0 or n_samples < 20:
        msg = (
            f"{confidence=} must lie between 0 and 1, {prior=} must be above 0, "
            f"{n_samples=} at least 20"
        )
        raise SettingError(msg)
    time = frame_time_of(counts.attrs.get("frame_time"), frame_time)
    by_lag = counts["count"].transpose("lag", "state", "state_to").values.astype(float)
    by_lag = by_lag[: max(1, int(np.flatnonzero(by_lag.any(axis=(1, 2))).max(initial=0)) + 1)]
    met = _met(counts, by_lag)
    known = np.ix_(np.arange(len(by_lag)), met, met)
    fit = likely_matrix(by_lag[known], reversible=reversible)
    draws = posterior_matrices(
        by_lag[known], prior=weight, n_samples=n_samples, seed=seed, start=fit.steps
    )
    samples = draws.matrices
    if reversible:
        samples = _reversible_draws(fit.steps, samples, weight)
    out = transitions_of(
        counts["state"].values.tolist(),
        fit.matrix,
        samples,
        fit.steps,
        met=met,
        confidence=confidence,
        frame_time=time,
    )
    out.attrs |= {"reversible": int(reversible), "log_likelihood": fit.log_likelihood}
    if draws.mixing > _POORLY_MIXED:
        add_note(
            out,
            f"Draws over gaps have not settled (R-hat {draws.mixing:.2f}): gaps are so many that "
            "intervals are rough. Link more closely, or take more frames.",
        )
    return out


def transitions_from_matrix(
    matrix: Features, /, *, state_names: list[str] | None = None
) -> Transitions:
    """Make transitions of a matrix that is known without counts, as one in print.

    Parameters
    ----------
    matrix : Features
        (state, state_to): rows sum to 1 up to rounding, and are made to.
    state_names : list of str, optional
        By default those of the coordinate ``state``, or numbers.

    Returns
    -------
    Transitions
        With ``probability`` (state, state_to); no intervals, since nothing tells them.

    Raises
    ------
    KindError
        If the matrix is not square, or a row is no distribution.

    Examples
    --------
    >>> import xarray as xr
    >>> matrix = xr.DataArray([[0.9, 0.1], [0.4, 0.6]], dims=("state", "state_to"))
    >>> transitions_from_matrix(matrix, state_names=["A", "B"])["probability"].values[1]
    array([0.4, 0.6])
    """
    FEATURES.check(matrix, name="the matrix")
    values = matrix.values.astype(float)
    n = len(values)
    if values.shape != (n, n):
        msg = f"the matrix has shape {values.shape}, need as many rows as columns"
        raise KindError(msg)
    total = values.sum(axis=1)
    if (
        not (np.isfinite(values).all() and (values >= 0).all())
        or np.abs(total - 1).max() > _ROW_SUM
    ):
        msg = f"rows sum to {total.round(3).tolist()}, need probabilities that sum to 1 each"
        raise KindError(msg)
    names = state_names
    if names is None:
        dim = str(matrix.dims[0])
        names = [str(v) for v in matrix[dim].values] if dim in matrix.coords else None
    names = [str(k) for k in range(n)] if names is None else names
    if len(names) != n:
        msg = f"{len(names)} names for {n} states, need as many"
        raise KindError(msg)
    out = xr.Dataset(
        {"probability": (("state", "state_to"), values / total[:, None], {"units": "1"})},
        coords={"state": names, "state_to": names},
    )
    add_note(out, "The matrix was given without counts: nothing tells how sure it is.")
    return out


def frame_time_of(told: float | None, given: str | None) -> float | None:
    """Give the time of a frame in s: as given, else as the data tell, else none."""
    if given is None:
        return None if told is None else float(told)
    value, unit = TIME.check(given, name="frame_time")
    seconds = value * (1e-9 if unit == "ns" else 1.0)
    if not seconds > 0:
        msg = f"frame_time={given!r} must be above 0"
        raise SettingError(msg)
    return seconds


def _met(counts: Transitions, by_lag: Floats) -> NDArray[np.int64]:
    met = by_lag.sum(axis=(0, 1)) + by_lag.sum(axis=(0, 2)) > 0
    for ends in ("first_count", "last_count"):
        if ends in counts:
            met |= counts[ends].values > 0
    if not met.any():
        msg = "no state was seen: there is nothing to estimate from"
        raise KindError(msg)
    return np.flatnonzero(met)


def _reversible_draws(steps: Floats, samples: Floats, prior: float) -> Floats:
    """Fit draws with detailed balance, each row weighted by what was seen of it."""
    rows = steps.sum(axis=1, keepdims=True) + prior
    return reversible_matrix(rows * samples)


def transitions_of(
    names: list[str],
    matrix: Floats,
    samples: Floats,
    steps: Floats,
    *,
    met: NDArray[np.int64],
    confidence: float,
    frame_time: float | None,
) -> Transitions:
    """Lay out an estimate for all states, those included that were never met."""
    n = len(names)
    followed = steps.sum(axis=1) > 0
    outside = (1 - confidence) / 2
    low, high = np.quantile(samples, (outside, 1 - outside), axis=0)
    # Where nothing was seen the likeliest is a bound, and the interval ends there.
    never = 0.01 / np.maximum(steps.sum(axis=1, keepdims=True), 1.0)
    low = np.where(matrix <= never, 0.0, low)
    high = np.where(matrix >= 1 - never, 1.0, high)

    def spread(values: Floats, fill: float = np.nan) -> Floats:
        out = np.full((*values.shape[:-2], n, n), fill)
        out[..., met[:, None], met] = values
        return out

    probability = spread(np.where(followed[:, None], matrix, np.nan))
    # A state that was never seen is never arrived at from those that were.
    unmet = np.setdiff1d(np.arange(n), met)
    seen = met[followed]
    probability[np.ix_(seen, unmet)] = 0.0
    mean = spread(samples.mean(axis=0))
    lows, highs = (
        spread(np.where(followed[:, None], low, 0.0), 0.0),
        spread(np.where(followed[:, None], high, 1.0), 1.0),
    )
    highs[np.ix_(seen, unmet)] = np.nan
    lows[np.ix_(seen, unmet)] = np.nan
    dims = ("state", "state_to")
    one = {"units": "1"}
    every = spread(samples)
    out = xr.Dataset(
        {
            "probability": (dims, probability, one),
            "probability_mean": (dims, mean, one),
            "probability_low": (dims, lows, one),
            "probability_high": (dims, highs, one),
            "expected_count": (dims, spread(steps, 0.0), one),
            "sample": (("draw", *dims), every, one),
        },
        coords={"state": names, "state_to": names},
        attrs={"confidence": confidence},
    )
    unit = "1/frame" if frame_time is None else "1/s"
    off = np.where(np.eye(n, dtype=bool), np.nan, 1.0) / (frame_time or 1.0)
    for name in ("", "_low", "_high"):
        out[f"rate{name}"] = (dims, out[f"probability{name}"].values * off, {"units": unit})
    if frame_time is not None:
        out.attrs["frame_time"] = frame_time
    _tell(out, met, followed, steps)
    return out


def _tell(
    out: Transitions, met: NDArray[np.int64], followed: NDArray[np.bool_], steps: Floats
) -> None:
    names = out["state"].values
    leaves = steps.sum(axis=1) - np.diagonal(steps)
    groups = {
        "never_seen": np.setdiff1d(np.arange(len(names)), met),
        "never_followed": met[~followed],
        "never_left": met[followed & (leaves < 0.01)],
    }
    for key, members in groups.items():
        out.attrs[key] = [str(names[k]) for k in members]
    words = {
        "never_seen": "never seen, without a row",
        "never_followed": "seen only at ends of tracks, without a row",
        "never_left": "never seen to be left (absorbing, or too seldom seen)",
    }
    for key, text in words.items():
        if out.attrs[key]:
            add_note(out, f"{', '.join(out.attrs[key])}: {text}.")
    if "frame_time" not in out.attrs:
        add_note(out, "No time of a frame is known: rates are per frame.")
