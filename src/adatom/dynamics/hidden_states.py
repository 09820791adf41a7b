"""States behind labels that are sometimes wrong: kinetics apart from mislabelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.dynamics.estimating import frame_time_of, transitions_of
from adatom.dynamics.tracked_states import TrackedStates, tracked_states
from adatom.errors import KindError, SettingError
from adatom.numerics.hidden_chains import Emission, Sequences, drawn_states, smoothed
from adatom.numerics.markov_estimates import (
    dirichlet_rows,
    drawn_steps,
    expected_steps,
    normalized_rows,
    r_hat,
)
from adatom.schema import (
    FEATURES,
    SITES,
    Classes,
    Features,
    Sites,
    Transitions,
    add_note,
)
from adatom.units import Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_ROUNDS: Final = 500
# A likelihood that grows by less tells nothing more.
_SETTLED: Final = 1e-4
_N_WALKS: Final = 10
_FORGET: Final = 40
_POORLY_MIXED: Final = 1.2
_ROW_SUM: Final = 0.01
# Where confusions are not known: labels are right in so many of so many cases, to begin with.
_RIGHT: Final = 0.9
_TRUSTED: Final = 10.0
_LEAST: Final = 1e-12


class HiddenStates(NamedTuple):
    """What `fit_hidden_states` gives.

    Attributes
    ----------
    transitions : Transitions
        As of `estimate_transitions`, of the states behind the labels, with
        ``confusion``, ``confusion_low``, ``confusion_high`` (state, label).
    tracks : Sites
        With ``hidden_state``, -1 where not on a track, and
        ``hidden_state_probability`` (site, hidden), given the whole track.
    """

    transitions: Transitions
    tracks: Sites


class _Model(NamedTuple):
    matrix: Floats
    first: Floats
    emission: Floats


class _Observed(NamedTuple):
    """What was seen: labels, or likelihoods of every observation by itself."""

    sequences: Sequences
    label: NDArray[np.int64]
    own: Floats | None
    is_known: bool

    @property
    def is_learned(self) -> bool:
        """Whether confusions are estimated along."""
        return self.own is None and not self.is_known

    def emission(self, confusions: Floats) -> Emission:
        """Give likelihoods under confusions (walk, state, label)."""
        if self.own is None:
            return Emission(np.ascontiguousarray(np.moveaxis(confusions, -1, 0)), self.label)
        shape = (len(self.own), len(confusions), self.own.shape[1])
        table = np.broadcast_to(self.own[:, None], shape)
        return Emission(table, np.arange(len(self.own)))


def fit_hidden_states(
    tracks: Sites,
    classes: Classes | None = None,
    confusion: Features | None = None,
    /,
    *,
    of: str = "label",
    confidence: float = 0.95,
    n_samples: int = 1000,
    frame_time: Time | None = None,
    seed: int = 0,
) -> HiddenStates:
    """Fit the transitions of states of which labels tell only with errors.

    A wrong label looks like a transition there and back. In a hidden Markov model [1]_ the
    label is drawn from the classifier's confusion, so that errors and kinetics part:
    errors are forgotten at once, states are not. Intervals are of draws from
    the posterior [2]_ of matrix, start and, where not given, confusion.

    Parameters
    ----------
    tracks : Sites
        As for `count_transitions`.
    classes : Classes, optional
        Of the same sites. If they hold ``probability`` and no confusion is given, these
        are used, divided by the mean of each class, and confusion is not.
    confusion : Features, optional
        (state, label): the chance of each label in each true state, as validation of
        the classifier tells it; rows sum to 1. Estimated if left out, which
        only long-lived states allow.
    of : str
        The variable of the tracks that holds labels.
    confidence : float
        Of the intervals.
    n_samples : int
        Draws that are kept.
    frame_time : time, optional
        From frame to frame; by default that of the tracks, if they tell.
    seed : int
        Of the draws.

    Returns
    -------
    HiddenStates
        Matrix, confusion and states, with intervals.

    Raises
    ------
    KindError
        If sites are no tracks, or the confusion does not fit the labels.

    References
    ----------
    .. [1] L. R. Rabiner, Proc. IEEE 77, 257 (1989).
    .. [2] S. L. Scott, J. Am. Stat. Assoc. 97, 337 (2002).

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from adatom.schema import sites_from_positions
    >>> label = [0] * 20 + [1] * 20
    >>> tracks = sites_from_positions(np.zeros(40), np.zeros(40), unit="nm", frame=range(40))
    >>> tracks = tracks.assign(track=("site", np.zeros(40, int)), label=("site", label))
    >>> wrong = xr.DataArray([[0.9, 0.1], [0.1, 0.9]], dims=("state", "label"))
    >>> fitted = fit_hidden_states(tracks, None, wrong, n_samples=40)
    >>> fitted.tracks["hidden_state"].values[[0, 39]]
    array([0, 1])
    """
    if not 0 < confidence < 1 or n_samples < 20:
        msg = f"{confidence=} must lie between 0 and 1, {n_samples=} must be 20 or more"
        raise SettingError(msg)
    seen = tracked_states(tracks, classes, of)
    emission, names = _emission(confusion, seen)
    own = None
    if confusion is None and classes is not None and "probability" in classes:
        own = _own_likelihood(classes, seen)
    observed = _Observed(
        Sequences.of(seen.track, seen.frame), seen.state, own, confusion is not None
    )
    model, steps, chances = _likeliest(observed, emission)
    samples, emissions, mixing = _drawn(observed, model, steps, n_samples, seed)
    time = frame_time_of(seen.frame_time, frame_time)
    out = transitions_of(
        names,
        model.matrix,
        samples,
        steps,
        met=np.arange(len(names)),
        confidence=confidence,
        frame_time=time,
    )
    if own is None:
        _add_confusion(out, model.emission, emissions, seen.names, confidence)
    _tell(out, observed, model, chances, mixing)
    return HiddenStates(out, _with_states(tracks, seen, chances, names))


def _emission(confusion: Features | None, seen: TrackedStates) -> tuple[Floats, list[str]]:
    n = len(seen.names)
    if confusion is None:
        wrong = (1 - _RIGHT) / max(n - 1, 1)
        start = np.full((n, n), wrong)
        np.fill_diagonal(start, _RIGHT if n > 1 else 1.0)
        return start, seen.names
    FEATURES.check(confusion, name="the confusion")
    values = confusion.values.astype(float)
    if values.ndim != 2 or values.shape[1] < n:
        msg = (
            f"the confusion has shape {values.shape}, labels run over {n} "
            f"({', '.join(seen.names)}): need a row a state and a column a label"
        )
        raise KindError(msg)
    total = values.sum(axis=1)
    if not (values >= 0).all() or np.abs(total - 1).max() > _ROW_SUM:
        msg = (
            f"rows of the confusion sum to {total.round(3).tolist()}, need the chances of all "
            "labels in one true state, which sum to 1"
        )
        raise KindError(msg)
    dim = str(confusion.dims[0])
    names = [str(v) for v in confusion[dim].values] if dim in confusion.coords else seen.names
    names = names + [str(k) for k in range(len(names), len(values))]
    return np.maximum(values, _LEAST) / total[:, None], names[: len(values)]


def _own_likelihood(classes: Classes, seen: TrackedStates) -> Floats:
    probability = classes["probability"].values[seen.site].astype(float)
    if probability.shape[1] != len(seen.names):
        msg = (
            f"'probability' has {probability.shape[1]} classes, labels {len(seen.names)}: "
            "need as many"
        )
        raise KindError(msg)
    # By Bayes what the classifier took for the share of each class is divided out.
    share = np.maximum(probability.mean(axis=0), _LEAST)
    likelihood: Floats = np.maximum(probability / share, _LEAST)
    return likelihood


def _likeliest(observed: _Observed, emission: Floats) -> tuple[_Model, Floats, Floats]:
    n = len(emission)
    matrix = np.full((n, n), 0.2 / max(n - 1, 1))
    np.fill_diagonal(matrix, 0.8 if n > 1 else 1.0)
    model = _Model(matrix, np.full(n, 1 / n), emission)
    starts = observed.sequences.place[0]
    last = -np.inf
    for _ in range(_MAX_ROUNDS):
        found = smoothed(
            observed.sequences, model.matrix, model.first, observed.emission(model.emission[None])
        )
        steps = expected_steps(found.pairs, model.matrix)
        if found.log_likelihood - last < _SETTLED:
            break
        last = found.log_likelihood
        told = model.emission
        if observed.is_learned:
            told = normalized_rows(_label_counts(observed.label, found.states, n))
        model = _Model(normalized_rows(steps), found.states[starts].mean(axis=0), told)
    return model, steps, found.states


def _label_counts(label: NDArray[np.int64], states: Floats, n_labels: int) -> Floats:
    counts: Floats = np.zeros((n_labels, states.shape[1]))
    np.add.at(counts, label, states)
    trust = _TRUSTED * (np.full((n_labels, n_labels), (1 - _RIGHT) / max(n_labels - 1, 1)))
    np.fill_diagonal(trust, _TRUSTED * _RIGHT)
    weights: Floats = counts.T + trust
    return weights


def _drawn(
    observed: _Observed, model: _Model, steps: Floats, n_samples: int, seed: int
) -> tuple[Floats, Floats, float]:
    """Draw matrices and confusions, several walks side by side."""
    rng = np.random.default_rng(seed)
    n, sequences = len(model.first), observed.sequences
    prior = 1 / n
    inside = sequences.lag[1:] > 0
    now, before = sequences.place[1:][inside], sequences.place[:-1][inside]
    lag, longest = sequences.lag[1:][inside] - 1, sequences.longest_lag
    size = longest * n * n
    walk = np.arange(_N_WALKS)
    matrices = dirichlet_rows(np.broadcast_to(steps + prior, (_N_WALKS, n, n)), rng)
    first = np.broadcast_to(model.first, (_N_WALKS, n))
    emission = np.broadcast_to(model.emission, (_N_WALKS, *model.emission.shape))
    n_kept = -(-n_samples // _N_WALKS)
    kept, kept_emissions = np.empty((n_kept, _N_WALKS, n, n)), []
    for turn in range(-_FORGET, n_kept):
        states = drawn_states(sequences, matrices, first, observed.emission(emission), rng)
        cell = walk * size + (lag[:, None] * n + states[before]) * n + states[now]
        counts = np.bincount(cell.ravel(), minlength=_N_WALKS * size).astype(float)
        by_lag = np.moveaxis(counts.reshape(_N_WALKS, longest, n, n), 1, 0)
        matrices = dirichlet_rows(drawn_steps(by_lag, matrices, rng) + prior, rng)
        start = walk * n + states[sequences.place[0]]
        number = np.bincount(start.ravel(), minlength=_N_WALKS * n).reshape(_N_WALKS, n)
        first = dirichlet_rows(number.astype(float) + prior, rng)
        if observed.is_learned:
            one = np.eye(n)
            emission = dirichlet_rows(
                np.stack([_label_counts(observed.label, one[of], n) for of in states.T]), rng
            )
        if turn >= 0:
            kept[turn] = matrices
            kept_emissions.append(emission)
    every = np.concatenate(kept_emissions)[:n_samples]
    return kept.reshape(-1, n, n)[:n_samples], every, r_hat(kept)


def _add_confusion(
    out: Transitions, emission: Floats, emissions: Floats, labels: list[str], confidence: float
) -> None:
    outside = (1 - confidence) / 2
    low, high = np.quantile(emissions, (outside, 1 - outside), axis=0)
    n_labels = emission.shape[1]
    names = labels + [str(k) for k in range(len(labels), n_labels)]
    for name, values in (("", emission), ("_low", low), ("_high", high)):
        out[f"confusion{name}"] = (("state", "label"), values, {"units": "1"})
    out.coords["label"] = names


def _tell(
    out: Transitions, observed: _Observed, model: _Model, chances: Floats, mixing: float
) -> None:
    if observed.own is None:
        right = chances[np.arange(len(chances)), np.minimum(observed.label, chances.shape[1] - 1)]
        add_note(out, f"Labels are thought wrong in {1 - float(right.mean()):.1%} of observations.")
    if observed.is_learned:
        second = np.sort(np.abs(np.linalg.eigvals(model.matrix)))[::-1][1:2]
        text = "The confusion was estimated along with the kinetics, by how soon labels come back"
        if second.size and second[0] < np.exp(-1.0):
            text += ": these states do not last a frame, so that the two cannot be told apart"
        add_note(out, f"{text}.")
    if mixing > _POORLY_MIXED:
        add_note(out, f"Draws have not settled (R-hat {mixing:.2f}): intervals are rough.")
    out.attrs["r_hat"] = mixing


def _with_states(tracks: Sites, seen: TrackedStates, chances: Floats, names: list[str]) -> Sites:
    n = tracks.sizes["site"]
    probability = np.full((n, len(names)), np.nan)
    probability[seen.site] = chances
    state = np.full(n, -1, dtype=np.int64)
    state[seen.site] = chances.argmax(axis=1)
    out = tracks.assign(
        hidden_state=xr.DataArray(state, dims="site", attrs={"names": names}),
        hidden_state_probability=(("site", "hidden"), probability, {"units": "1"}),
    )
    SITES.check(out)
    return out
