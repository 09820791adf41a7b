"""What a transition matrix says: how long states last, what leads where, whether it is a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.sparse
import xarray as xr

from adatom.dynamics.chain_tests import Visits, table_of, tested, told_of_matrix
from adatom.errors import KindError, SettingError
from adatom.numerics.intervals import poisson_interval
from adatom.numerics.markov_chains import (
    closed_parts,
    first_passages,
    first_passages_of_any,
    sorted_eigenvalues,
    stationary_distribution,
)
from adatom.numerics.markov_estimates import normalized_rows
from adatom.numerics.metastable import metastable_groups
from adatom.schema import (
    TRANSITIONS,
    Table,
    Transitions,
    add_note,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_N_RESAMPLED: Final = 200
_FEWEST_TRACKS: Final = 5


class Kinetics(NamedTuple):
    """What `estimate_kinetics` gives.

    Attributes
    ----------
    states : Table
        A row a state: ``state``, ``count`` of observations, ``stationary`` share,
        ``lifetime``, ``death_rate``, ``birth_rate``, each with ``_low`` and ``_high``, and
        ``group`` of states that hold for long together, -1 where there are none.
    passages : Transitions
        ``passage``, ``_low``, ``_high`` (state, state_to): mean time until a state is
        first met, of return on the diagonal; inf where it may never be.
    spectrum : Table
        A row an eigenvalue: ``modulus``, ``_low``, ``_high``, ``real``, ``imaginary``,
        ``relaxation``, the time in which it is forgotten.
    timescales : Table
        Implied ``timescale``, ``_low``, ``_high`` of the ``process`` at every ``lag``: of a
        Markov chain the same at all.
    tests : Table
        ``test``, ``statistic``, ``p_value``, and the ``verdict`` in words.
    """

    states: Table
    passages: Transitions
    spectrum: Table
    timescales: Table
    tests: Table


class _Clock(NamedTuple):
    """Seconds a frame, or 1 where not known, with units of times and rates."""

    step: float
    time: str
    rate: str


def estimate_kinetics(
    transitions: Transitions,
    counts: Transitions | None = None,
    /,
    *,
    n_simulated: int = 200,
    seed: int = 0,
) -> Kinetics:
    """Estimate lifetimes, passages and spectrum of transitions, and test whether they are a chain.

    p-values are the share of tracks simulated without the effect, with the same gaps, starts
    and ends, whose statistic is as large: G^2 of one frame against the next (memory) and
    of the frame before against that after (first order) [1]_, squared deviations of
    longer lags from powers (Chapman-Kolmogorov), the likelihood ratio to detailed
    balance (reversibility), and the sign test of tracks that enter states without a way
    back (one way). A second eigenvalue below 1/e is forgotten within a frame:
    label noise alone would look like it, and the verdict says so.

    Parameters
    ----------
    transitions : Transitions
        From `estimate_transitions`, `fit_hidden_states` or `transitions_from_matrix`.
    counts : Transitions, optional
        From `count_transitions`: for tests, timescales, births and deaths. Those of
        labels, where states are hidden: the tests are then of the labels.
    n_simulated : int
        Simulated tracks of each test: 200 tell p-values down to 0.005.
    seed : int
        Of simulation and bootstrap.

    Returns
    -------
    Kinetics
        Intervals are of the draws in `transitions`; of timescales by bootstrap over tracks;
        of births and deaths exact ones of Poisson counts. Times are in s
        where the time of a frame is known, else in frames.

    Raises
    ------
    KindError
        If there is no ``probability``, or counts are of other states.
    SettingError
        If `n_simulated` is below 19.

    References
    ----------
    .. [1] T. W. Anderson and L. A. Goodman, Ann. Math. Stat. 28, 89 (1957).

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.dynamics import transitions_from_matrix
    >>> matrix = xr.DataArray([[0.9, 0.1], [0.3, 0.7]], dims=("state", "state_to"))
    >>> kinetics = estimate_kinetics(transitions_from_matrix(matrix))
    >>> kinetics.states["stationary"].values.round(2), kinetics.states["lifetime"].values.round(1)
    (array([0.75, 0.25]), array([10. ,  3.3]))
    """
    TRANSITIONS.check(transitions, name="the transitions")
    if "probability" not in transitions:
        msg = "there is no 'probability': estimate_transitions or transitions_from_matrix gives it"
        raise KindError(msg)
    if n_simulated < 19:
        msg = f"{n_simulated=} must be 19 or more, for a p-value of 0.05"
        raise SettingError(msg)
    if counts is not None:
        _check_counts(counts)
    matrix, samples, known, names = _known(transitions)
    clock = _clock(transitions)
    confidence = float(transitions.attrs.get("confidence", 0.95))
    outside = (1 - confidence) / 2
    states = _states(transitions, matrix, samples, known, clock, outside)
    if counts is not None:
        _add_turnover(states, counts, names, clock, confidence)
    if len(known) < len(names):
        left = ", ".join(names[k] for k in np.setdiff1d(np.arange(len(names)), known))
        add_note(states, f"{left}: no row in the matrix, kept here without numbers.")
    if counts is None:
        verdicts = told_of_matrix(matrix, [names[k] for k in known])
    else:
        visits, met = _visits(counts)
        by_lag = counts["count"].transpose("lag", "state", "state_to").values.astype(float)
        by_lag = by_lag[:, met[:, None], met]
        verdicts = tested(visits, by_lag, n_simulated=n_simulated, seed=seed)
    tests = table_of(verdicts)
    for row in verdicts:
        add_note(tests, f"{row.test}: {row.verdict}.")
    return Kinetics(
        states,
        _passages(transitions, matrix, samples, known, clock, outside),
        _spectrum(matrix, samples, clock, outside),
        _timescales(counts, clock, outside, seed),
        tests,
    )


def _check_counts(counts: Transitions) -> None:
    TRANSITIONS.check(counts, name="the counts")
    missing = [name for name in ("count", "pair_count", "visit_state") if name not in counts]
    if missing:
        msg = f"the counts lack {', '.join(missing)}: count_transitions gives them"
        raise KindError(msg)


def _known(
    transitions: Transitions,
) -> tuple[Floats, Floats | None, NDArray[np.int64], list[str]]:
    """Give the matrix among states that have a row; steps to others are left out of it."""
    names = [str(name) for name in transitions["state"].values]
    full = transitions["probability"].transpose("state", "state_to").values
    known = np.flatnonzero(~np.isnan(full).all(axis=1))
    if not len(known):
        msg = "no state has a row in the matrix: there is nothing to estimate from"
        raise KindError(msg)
    block = np.ix_(known, known)
    matrix = normalized_rows(np.nan_to_num(full[block]))
    if "sample" not in transitions:
        return matrix, None, known, names
    samples = transitions["sample"].transpose("draw", "state", "state_to").values
    return matrix, normalized_rows(samples[:, known[:, None], known]), known, names


def _clock(transitions: Transitions) -> _Clock:
    step = transitions.attrs.get("frame_time")
    return _Clock(1.0, "frame", "1/frame") if step is None else _Clock(float(step), "s", "1/s")


def _bounds(draws: Floats | None, like: Floats, outside: float) -> tuple[Floats, Floats]:
    if draws is None:
        return np.full_like(like, np.nan), np.full_like(like, np.nan)
    # Ranks, not what lies between two: times of what never happens are infinite.
    ranked = np.sort(draws, axis=0)
    last = len(ranked) - 1
    low, high = ranked[int(outside * last)], ranked[int(np.ceil((1 - outside) * last))]
    return low, high


def _states(
    transitions: Transitions,
    matrix: Floats,
    samples: Floats | None,
    known: NDArray[np.int64],
    clock: _Clock,
    outside: float,
) -> Table:
    names = [str(name) for name in transitions["state"].values]
    closed = closed_parts(matrix)
    share = np.full(len(matrix), np.nan)
    if len(closed) == 1:
        share = stationary_distribution(matrix)
    shares = None if samples is None or len(closed) > 1 else stationary_distribution(samples)

    def life(of: Floats) -> Floats:
        left = 1 - np.diagonal(of, axis1=-2, axis2=-1)
        mean: Floats = np.divide(
            clock.step, left, out=np.full(left.shape, np.inf), where=left > 1e-12
        )
        return mean

    lives = None if samples is None else life(samples)
    columns: dict[str, NDArray[np.generic] | list[str]] = {"state": names}
    lifetime = life(matrix)
    for name, value, draws in (("stationary", share, shares), ("lifetime", lifetime, lives)):
        low, high = _bounds(draws, value, outside)
        # The likeliest share of what is never come back to is a bound.
        low, high = np.fmin(low, value), np.fmax(high, value)
        for suffix, numbers in (("", value), ("_low", low), ("_high", high)):
            spread = np.full(len(names), np.nan)
            spread[known] = numbers
            columns[name + suffix] = spread
    group = np.full(len(names), -1, dtype=np.int64)
    groups = metastable_groups(matrix) if len(closed) == 1 else None
    if groups is not None:
        group[known] = groups
    columns["group"] = group
    units = {f"stationary{s}": "1" for s in ("", "_low", "_high")}
    units |= {f"lifetime{s}": clock.time for s in ("", "_low", "_high")}
    states = table_from_columns(columns, units=units)
    if len(closed) > 1:
        sets = "; ".join(", ".join(names[known[k]] for k in part) for part in closed)
        add_note(
            states,
            f"More than one set of states is never left ({sets}): where a chain "
            "ends depends on its start, so there is no one stationary distribution.",
        )
    if groups is None:
        add_note(states, "The spectrum has no gap: states are not grouped.")
    return states


def _passages(
    transitions: Transitions,
    matrix: Floats,
    samples: Floats | None,
    known: NDArray[np.int64],
    clock: _Clock,
    outside: float,
) -> Transitions:
    n = transitions.sizes["state"]
    steps = first_passages_of_any(matrix) * clock.step
    draws = None if samples is None else first_passages(samples) * clock.step
    low, high = _bounds(draws, steps, outside)
    dims = ("state", "state_to")
    out = xr.Dataset(coords={name: transitions[name].values for name in dims})
    for name, values in (
        ("", steps),
        ("_low", np.fmin(low, steps)),
        ("_high", np.fmax(high, steps)),
    ):
        spread = np.full((n, n), np.nan)
        spread[np.ix_(known, known)] = values
        out[f"passage{name}"] = (dims, spread, {"units": clock.time})
    return out


def _spectrum(matrix: Floats, samples: Floats | None, clock: _Clock, outside: float) -> Table:
    values = sorted_eigenvalues(matrix)
    modulus = np.abs(values)
    draws = None if samples is None else np.abs(sorted_eigenvalues(samples))
    low, high = _bounds(draws, modulus, outside)
    columns = {
        "modulus": modulus,
        "modulus_low": low,
        "modulus_high": high,
        "real": values.real,
        "imaginary": values.imag,
        "relaxation": _relaxation(modulus) * clock.step,
    }
    units = dict.fromkeys(columns, "1") | {"relaxation": clock.time}
    return table_from_columns(columns, units=units)


def _relaxation(modulus: Floats) -> Floats:
    inner = np.clip(modulus, 1e-300, None)
    rate = -np.log(inner)
    time: Floats = np.divide(1.0, rate, out=np.full(rate.shape, np.inf), where=rate > 1e-12)
    return time


def _visits(counts: Transitions) -> tuple[Visits, NDArray[np.int64]]:
    """Give the observations among the states that were met, and which these are."""
    met, state = np.unique(counts["visit_state"].values, return_inverse=True)
    visits = Visits(
        counts["visit_track"].values,
        counts["visit_frame"].values,
        state.astype(np.int64),
        [str(name) for name in counts["state"].values[met]],
        int(counts.attrs["n_lags"]),
    )
    return visits, met


def _timescales(counts: Transitions | None, clock: _Clock, outside: float, seed: int) -> Table:
    names = ("lag", "process", "timescale", "timescale_low", "timescale_high")
    units = dict.fromkeys(("lag", *names[2:]), clock.time)
    if counts is None:
        table = table_from_columns({name: np.zeros(0) for name in names}, units=units)
        add_note(table, "Without counts there are no longer lags.")
        return table
    visits, _ = _visits(counts)
    pairs = _pairs_by_track(visits)
    shape = (-1, visits.n_lags, visits.n_states, visits.n_states)
    n_tracks = pairs.shape[0]
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_tracks, np.full(n_tracks, 1 / n_tracks), size=_N_RESAMPLED)
    whole = np.asarray(pairs.sum(axis=0)).reshape(shape)
    drawn = np.asarray((scipy.sparse.csr_array(weights) @ pairs).toarray()).reshape(shape)
    rows = []
    for lag in range(1, visits.n_lags + 1):
        if not whole[0, lag - 1].any():
            continue
        scale = lag * clock.step
        found = _relaxation(_moduli(whole[:, lag - 1])[0]) * scale
        others = _relaxation(_moduli(drawn[:, lag - 1])) * scale
        low, high = _bounds(others, found, outside)
        if n_tracks < _FEWEST_TRACKS:
            low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
        rows += [(scale, k, found[k], low[k], high[k]) for k in range(1, visits.n_states)]
    columns = np.array(rows, dtype=float).reshape(-1, len(names)).T
    table = table_from_columns(dict(zip(names, columns)), units=units)
    table["process"] = table["process"].astype(np.int64)
    if n_tracks < _FEWEST_TRACKS:
        add_note(table, f"{n_tracks} tracks are too few for a bootstrap over tracks.")
    return table


def _moduli(counts: Floats) -> Floats:
    return np.abs(sorted_eigenvalues(normalized_rows(counts.astype(float))))


def _pairs_by_track(visits: Visits) -> scipy.sparse.csr_array:
    """Count pairs of every track, (track, lag * i * j)."""
    n = visits.n_states
    number = np.unique(visits.track, return_inverse=True)[1]
    tracks, cells = [], []
    for apart in range(1, visits.n_lags + 1):
        lag = visits.frame[apart:] - visits.frame[:-apart]
        rows = np.flatnonzero((number[apart:] == number[:-apart]) & (lag <= visits.n_lags))
        tracks.append(number[rows])
        cells.append((lag[rows] - 1) * n * n + visits.state[rows] * n + visits.state[rows + apart])
    place = (np.concatenate(tracks), np.concatenate(cells))
    shape = (int(number.max()) + 1, visits.n_lags * n * n)
    return scipy.sparse.coo_array((np.ones(len(place[0])), place), shape=shape).tocsr()


def _add_turnover(
    states: Table, counts: Transitions, names: list[str], clock: _Clock, confidence: float
) -> None:
    told = [str(name) for name in counts["state"].values]
    if told != names:
        add_note(
            states,
            f"Counts are of {', '.join(told)}, the matrix of {', '.join(names)}: births, deaths "
            "and observations are left out.",
        )
        return
    number = np.bincount(counts["visit_state"].values, minlength=len(names))
    states["count"] = ("row", number, {"units": "1"})
    exposures = {
        "death": counts["death_exposure"].values.astype(float),
        "birth": np.full(len(names), float(counts["birth_frames"])),
    }
    for what, exposure in exposures.items():
        events = counts[what].values
        low, high = poisson_interval(events, confidence=confidence)
        for suffix, value in (("", events), ("_low", low), ("_high", high)):
            rate = np.full(len(names), np.nan)
            np.divide(value, exposure * clock.step, out=rate, where=exposure > 0)
            states[f"{what}_rate{suffix}"] = ("row", rate, {"units": clock.rate})
    add_note(
        states,
        f"{int(counts['birth'].sum())} births and {int(counts['death'].sum())} deaths within the "
        "movie; tracks seen so near to its ends that they may go on unseen are not counted. "
        "Birth rates are of the whole field, death rates of one object.",
    )
