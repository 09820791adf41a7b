"""Whether a Markov chain describes tracks: tests against simulated tracks, and their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.dynamics.counting import pair_counts, triple_counts
from adatom.numerics.hidden_chains import Sequences, drawn_chains
from adatom.numerics.markov_chains import (
    log_likelihood,
    powers,
    sorted_eigenvalues,
    stationary_distribution,
    strong_parts,
)
from adatom.numerics.markov_estimates import (
    likely_matrix,
    normalized_rows,
    reversible_matrix,
)
from adatom.schema import Table, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

# Of twice a logarithm of a likelihood ratio.
_ROUNDING: Final = 1e-8
_SURE: Final = 0.05
# Below it a state is forgotten within one frame: label noise alone would look like this.
FORGOTTEN: Final = float(np.exp(-1.0))
_MOST_DRAWN: Final = 40_000_000
_AT_ONCE: Final = 1_000_000
_FEWEST: Final = 19
# So many one-way steps are listed by name.
_MOST_LISTED: Final = 5


class Visits(NamedTuple):
    """Observations sorted by track, then frame, and the lags up to which pairs are looked at."""

    track: Integers
    frame: Integers
    state: Integers
    names: list[str]
    n_lags: int

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.names)


class Verdict(NamedTuple):
    """A row of the table of tests."""

    test: str
    statistic: float
    p_value: float
    verdict: str


class _Judged(NamedTuple):
    """Statistics (walk,) of observed or simulated tracks."""

    memory: Floats
    order: Floats
    longer: Floats
    reversibility: Floats


def table_of(verdicts: list[Verdict]) -> Table:
    """Lay out verdicts as a table."""
    columns = {name: [getattr(row, name) for row in verdicts] for name in Verdict._fields}
    return table_from_columns(columns, units={"statistic": "1", "p_value": "1"})


def tested(visits: Visits, by_lag: Floats, *, n_simulated: int, seed: int) -> list[Verdict]:
    """Test tracks against chains simulated with the same gaps, starts and ends."""
    rng = np.random.default_rng(seed)
    base = int(_pairs(visits, visits.state).sum(axis=(-1, -2)).argmax()) + 1
    here = _judged(visits, visits.state, base)
    fit = likely_matrix(by_lag)
    matrix = fit.matrix
    # What was met at ends of tracks only is not known to stay.
    followed = np.flatnonzero(fit.steps.sum(axis=1) > 0)
    known = normalized_rows(matrix[np.ix_(followed, followed)])
    balanced = likely_matrix(by_lag, reversible=True).matrix
    share = np.bincount(visits.state, minlength=visits.n_states) / len(visits.state)
    drawn_anew = np.broadcast_to(share, matrix.shape)
    draw = _Simulator(visits, base, n_simulated, rng)
    p_memory = _p_value(here.memory, draw(drawn_anew, lambda judged: judged.memory))
    order, longer = draw(matrix, lambda judged: np.stack([judged.order, judged.longer]))
    p_balance = _p_value(here.reversibility, draw(balanced, lambda judged: judged.reversibility))
    return [
        memory_verdict(known, float(here.memory[0]), p_memory),
        _order_verdict(float(here.order[0]), _p_value(here.order, order), visits),
        _longer_verdict(visits, base, float(here.longer[0]), _p_value(here.longer, longer)),
        _reversibility_verdict(matrix, visits.names, float(here.reversibility[0]), p_balance),
        _one_way_verdict(visits),
    ]


def told_of_matrix(matrix: Floats, names: list[str]) -> list[Verdict]:
    """Judge a matrix that came without counts: no p-values, but what its entries say."""
    flow = _cycle_text(matrix, names)
    text = f"irreversible as it stands: {flow}" if flow else "no net flow along any cycle"
    nan = float("nan")
    return [
        memory_verdict(matrix, nan, nan),
        Verdict("reversibility", nan, nan, f"{text} (without counts nothing tells how surely)"),
    ]


def memory_verdict(matrix: Floats, statistic: float, p_value: float) -> Verdict:
    """Say whether the chain can be told from states drawn anew in every frame."""
    if len(matrix) < 2:
        return Verdict("memory", statistic, p_value, "one state only: nothing to be told apart")
    modulus = np.abs(sorted_eigenvalues(matrix))
    listed = ", ".join(f"{value:.2g}" for value in modulus)
    second = float(modulus[1])
    if p_value >= _SURE:
        text = (
            f"memoryless: cannot be told from states drawn anew in every frame (p = {p_value:.2g}),"
            f" nor from label noise; eigenvalue moduli {listed}"
        )
    elif second < FORGOTTEN:
        time = -1 / np.log(max(second, 1e-12))
        text = (
            "nearly memoryless, cannot be told from label noise: eigenvalue moduli "
            f"{listed}, so that a state is forgotten in {time:.2g} frames"
        )
    else:
        how = "and some are never left"
        # Short of one by rounding alone.
        if second < 1 - 1e-12:
            how = f"the slowest for {-1 / np.log(second):.3g} frames"
        text = f"states last, {how}; eigenvalue moduli {listed}"
    return Verdict("memory", statistic, p_value, text)


class _Simulator:
    """Draws tracks of a matrix, some at a time, and keeps statistics of each."""

    def __init__(self, visits: Visits, base: int, n: int, rng: np.random.Generator) -> None:
        self._visits, self._base, self._rng = visits, base, rng
        self._sequences = Sequences.of(visits.track, visits.frame)
        starts = self._sequences.place[0]
        first = np.bincount(visits.state[starts], minlength=visits.n_states)
        self._first = first / first.sum()
        size = len(visits.state)
        self.n = min(n, max(_FEWEST, _MOST_DRAWN // size))
        self._at_once = max(1, _AT_ONCE // size)

    def __call__(self, matrix: Floats, keep: Callable[[_Judged], Floats]) -> Floats:
        kept = []
        for begin in range(0, self.n, self._at_once):
            states = drawn_chains(
                self._sequences,
                matrix,
                self._first,
                self._rng,
                n_walks=min(self._at_once, self.n - begin),
                n_observations=len(self._visits.state),
            )
            kept.append(keep(_judged(self._visits, states, self._base)))
        return np.concatenate(kept, axis=-1)


def _p_value(observed: Floats, simulated: Floats) -> float:
    # Where a statistic is zero but for rounding, none of the simulated ones is smaller.
    least = observed[0] * (1 - 1e-12) - _ROUNDING
    return float((1 + (simulated >= least).sum()) / (1 + simulated.size))


def _pairs(visits: Visits, states: Integers) -> Integers:
    return pair_counts(
        visits.track, visits.frame, states, n_states=visits.n_states, n_lags=visits.n_lags
    )


def _judged(visits: Visits, states: Integers, base: int) -> _Judged:
    walks = np.atleast_2d(states)
    pairs = _pairs(visits, walks).astype(float)
    triples = triple_counts(visits.track, visits.frame, walks, n_states=visits.n_states).astype(
        float
    )
    one = pairs[:, base - 1]
    matrix = normalized_rows(one)
    likely = log_likelihood(one, matrix)
    balanced = log_likelihood(one, reversible_matrix(one))
    return _Judged(
        _dependence(one),
        # Of each state in the middle, where one came from against where one goes.
        _dependence(np.moveaxis(triples, -2, -3)).sum(axis=-1),
        _deviation(pairs, matrix, base),
        2 * (likely - balanced),
    )


def _dependence(counts: Floats) -> Floats:
    """Give G^2 of tables (..., i, j) against independence."""
    total = counts.sum(axis=(-1, -2), keepdims=True)
    expected = counts.sum(axis=-1, keepdims=True) * counts.sum(axis=-2, keepdims=True)
    expected = expected / np.maximum(total, 1)
    ratio = np.divide(counts, expected, out=np.ones_like(counts), where=counts > 0)
    measure: Floats = 2 * (counts * np.log(ratio)).sum(axis=(-1, -2))
    return measure


def _deviation(pairs: Floats, matrix: Floats, base: int) -> Floats:
    """Sum over longer lags how far pairs are from powers of the matrix of the base lag."""
    n_powers = pairs.shape[1] // base
    every = powers(matrix, longest=n_powers)
    total = np.zeros(len(pairs))
    for n in range(2, n_powers + 1):
        rows = pairs[:, n * base - 1].sum(axis=-1, keepdims=True)
        expected = rows * every[n]
        total += ((pairs[:, n * base - 1] - expected) ** 2 / np.maximum(expected, 1.0)).sum(
            axis=(-1, -2)
        )
    return total


def _order_verdict(statistic: float, p_value: float, visits: Visits) -> Verdict:
    n = int(triple_counts(visits.track, visits.frame, visits.state, n_states=visits.n_states).sum())
    if not n:
        text = "no three frames in a row: cannot be tested"
        return Verdict("first order", float("nan"), float("nan"), text)
    text = (
        f"the next state depends on the one before the last too (p = {p_value:.2g}): labels "
        "are wrong at times, or states hide others; fit_hidden_states parts them"
        if p_value < _SURE
        else f"one frame tells all of the next that three frames tell (p = {p_value:.2g})"
    )
    return Verdict("first order", statistic, p_value, text)


def _longer_verdict(visits: Visits, base: int, statistic: float, p_value: float) -> Verdict:
    if visits.n_lags // base < 2:
        text = "no longer lags: cannot be tested"
        return Verdict("Chapman-Kolmogorov", float("nan"), float("nan"), text)
    text = f"longer lags are as powers of one frame say (p = {p_value:.2g})"
    if p_value < _SURE:
        pairs = _pairs(visits, visits.state).astype(float)
        found = normalized_rows(pairs[2 * base - 1])
        said = np.linalg.matrix_power(normalized_rows(pairs[base - 1]), 2)
        weight = pairs[2 * base - 1].sum(axis=1)
        longer = float((weight * (np.diagonal(found) - np.diagonal(said))).sum()) > 0
        text = (
            f"longer lags remember more than single frames say (p = {p_value:.2g}), as where "
            "labels are wrong at times: see fit_hidden_states"
            if longer
            else f"longer lags are not as powers of one frame say (p = {p_value:.2g})"
        )
    return Verdict("Chapman-Kolmogorov", statistic, p_value, text)


def _reversibility_verdict(
    matrix: Floats, names: list[str], statistic: float, p_value: float
) -> Verdict:
    if len(matrix) < 3:
        text = "two states have no cycle: nothing to test but whether there is a way back"
        return Verdict("reversibility", float("nan"), float("nan"), text)
    text = f"detailed balance is not contradicted (p = {p_value:.2g})"
    if p_value < _SURE:
        text = f"irreversible (p = {p_value:.2g})"
        flow = _cycle_text(matrix, names)
        text += f": {flow}" if flow else ""
    return Verdict("reversibility", statistic, p_value, text)


def _cycle_text(matrix: Floats, names: list[str]) -> str:
    """Tell of the cycle of three states with the largest net flow, by Kolmogorov's criterion."""
    n = len(matrix)
    if n < 3 or len(set(strong_parts(matrix).tolist())) > 1:
        return ""
    share = stationary_distribution(matrix)
    best, told = 1e-9, ""
    for i in range(n):
        for j in range(i + 1, n):
            for k in range(j + 1, n):
                on = matrix[i, j] * matrix[j, k] * matrix[k, i]
                back = matrix[i, k] * matrix[k, j] * matrix[j, i]
                weight = abs(on - back) * float(share[[i, j, k]].sum())
                if weight > best and abs(np.log(max(on, 1e-12) / max(back, 1e-12))) > 0.01:
                    a, b, c = (i, j, k) if on > back else (i, k, j)
                    ratio = max(on, back) / max(min(on, back), 1e-300)
                    often = f"{ratio:.3g} times as likely as" if ratio < 1e4 else "met, never"
                    best = weight
                    ring = " -> ".join(names[state] for state in (a, b, c, a))
                    told = f"the cycle {ring} is {often} its reverse"
    return told


def _one_way_verdict(visits: Visits) -> Verdict:
    """Look for sets of states that tracks enter and never leave.

    Under time reversal a track that crosses once does so either way with the same chance.
    """
    same = visits.track[1:] == visits.track[:-1]
    n = visits.n_states
    count = np.zeros((n, n))
    np.add.at(count, (visits.state[:-1][same], visits.state[1:][same]), 1.0)
    part = strong_parts(count, least=0.5)
    crossing = np.flatnonzero(same & (part[visits.state[1:]] != part[visits.state[:-1]]))
    n_tracks = len(np.unique(visits.track[crossing]))
    if not n_tracks:
        text = "every state that was left was met again"
        return Verdict("one way", 0.0, 1.0, text)
    p_value = min(1.0, 2.0 * 0.5**n_tracks)
    ways = sorted({(int(visits.state[k]), int(visits.state[k + 1])) for k in crossing.tolist()})
    listed = ", ".join(
        f"{visits.names[a]} -> {visits.names[b]} ({int(count[a, b])})"
        for a, b in ways[:_MOST_LISTED]
    )
    text = f"{listed}: no way back in {n_tracks} tracks (p = {p_value:.2g})"
    text = f"irreversible, one way: {text}" if p_value < _SURE else f"too few to tell: {text}"
    return Verdict("one way", float(n_tracks), p_value, text)
