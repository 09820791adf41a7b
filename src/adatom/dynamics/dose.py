"""Rates of transitions against the dose rate: what the beam drives, and what goes without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import TRANSITIONS, Table, Transitions, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_UNLIKE: Final = 0.05
# Of fewer transitions the logarithm of a rate tells nothing.
_FEW: Final = 3.0


def compare_rates_with_dose(
    transitions: list[Transitions],
    /,
    *,
    dose_rates: list[float],
    unit: str = "e/(nm^2 s)",
    confidence: float = 0.95,
) -> Table:
    """Fit rate = intercept + slope times dose rate for every transition of several movies.

    The slope is the cross-section of a transition that the beam drives, the intercept the
    rate without beam. The exponent of rate ~ dose rate^m is 1 where one electron
    suffices, 0 where the beam does nothing.

    Parameters
    ----------
    transitions : list of Transitions
        From `estimate_transitions`, one a movie, all of the same states, with different
        seeds or not: draws of movies are independent.
    dose_rates : list of float
        Of each movie, in `unit`.
    unit : str
        Of the dose rates, for labels.
    confidence : float
        Of the intervals.

    Returns
    -------
    Table
        A row a transition that was seen: ``state``, ``state_to``, ``intercept``, ``slope``,
        ``exponent``, each with ``_low`` and ``_high``; ``p_value`` of no slope,
        ``p_line`` of the scatter about the line. Movies weigh by the time that
        the state was watched. Intervals are of the draws of all movies.

    Raises
    ------
    KindError
        If movies have other states, or some have the time of a frame and some not.
    SettingError
        If there are not as many dose rates as movies, or fewer than two different ones.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> from adatom.dynamics import count_transitions, estimate_transitions
    >>> movies = []
    >>> for label in ([0, 0, 0, 0, 1, 1, 1, 0], [0, 1, 0, 1, 1, 0, 1, 0]):
    ...     tracks = sites_from_positions([0.0] * 8, [0.0] * 8, unit="nm", frame=range(8))
    ...     tracks = tracks.assign(track=("site", [0] * 8), label=("site", label))
    ...     counts = count_transitions(tracks)
    ...     movies.append(estimate_transitions(counts, frame_time="1 s"))
    >>> table = compare_rates_with_dose(movies, dose_rates=[1.0, 3.0])
    >>> table["slope"].values.round(2)
    array([0.38, 0.21])
    """
    _check_list(transitions)
    dose = np.asarray(dose_rates, dtype=float)
    if len(dose) != len(transitions) or not np.isfinite(dose).all() or (dose < 0).any():
        msg = f"{dose_rates=} must be a number from 0 for each of {len(transitions)} movies"
        raise SettingError(msg)
    if len(np.unique(dose)) < 2:
        msg = f"{dose_rates=}: a slope needs two different ones or more"
        raise SettingError(msg)
    if not 0 < confidence < 1:
        msg = f"{confidence=} must lie between 0 and 1"
        raise SettingError(msg)
    step, rate_unit = _checked(transitions)
    names = [str(name) for name in transitions[0]["state"].values]
    n_draws = min(movie.sizes["draw"] for movie in transitions)
    rate = np.stack([movie["probability"].values for movie in transitions]) / step
    # Draws of one movie go with draws of another in another order, since seeds may be alike.
    draws = (
        np.stack(
            [
                np.random.default_rng(k).permutation(movie["sample"].values)[:n_draws]
                for k, movie in enumerate(transitions)
            ]
        )
        / step[..., None]
    )
    count = np.stack([movie["expected_count"].values for movie in transitions])
    watched = count.sum(axis=2) * step[..., 0]
    rows: list[tuple[str | float, ...]] = [
        (
            names[i],
            names[j],
            *_line(
                dose, rate[:, i, j], draws[:, :, i, j], watched[:, i], count[:, i, j], confidence
            ),
        )
        for i in range(len(names))
        for j in range(len(names))
        if i != j and count[:, i, j].sum() >= 1 and (watched[:, i] > 0).all()
    ]
    return _table(rows, rate_unit, unit)


def _check_list(transitions: object) -> None:
    if not isinstance(transitions, list):
        msg = f"found {type(transitions).__name__}, need a list of transitions, one a movie"
        raise KindError(msg)


def _checked(transitions: list[Transitions]) -> tuple[Floats, str]:
    names = None
    for k, movie in enumerate(transitions):
        TRANSITIONS.check(movie, name=f"movie {k}")
        if "sample" not in movie or "expected_count" not in movie:
            msg = f"movie {k} has no 'sample': take what estimate_transitions gives"
            raise KindError(msg)
        here = [str(name) for name in movie["state"].values]
        if names not in {None, tuple(here)}:
            msg = f"movie {k} has states {here}, movie 0 {list(names or ())}: need the same"
            raise KindError(msg)
        names = tuple(here)
    told = [movie.attrs.get("frame_time") for movie in transitions]
    if any(time is None for time in told) and any(time is not None for time in told):
        msg = f"times of a frame are {told}: give frame_time= to estimate_transitions for all"
        raise KindError(msg)
    unit = "1/frame" if told[0] is None else "1/s"
    step = np.array([1.0 if time is None else float(time) for time in told])
    return step[:, None, None], unit


def _line(
    dose: Floats,
    rate: Floats,
    draws: Floats,
    watched: Floats,
    count: Floats,
    confidence: float,
) -> tuple[float, ...]:
    from scipy.stats import chi2

    outside = (1 - confidence) / 2
    values = np.column_stack([rate, draws])
    intercept, slope = _weighted_line(dose, values, watched)
    spread = np.maximum(draws.var(axis=1), 1e-300)
    left = rate - intercept[0] - slope[0] * dose
    free = len(dose) - 2
    p_line = float(chi2.sf((left**2 / spread).sum(), free)) if free else float("nan")
    above = float((slope[1:] > 0).mean())
    floor = 1 / (slope.size - 1)
    p_value = max(2 * min(above, 1 - above), floor)
    power = np.full(len(slope), np.nan)
    if (dose > 0).all() and (count >= _FEW).all():
        power = _weighted_line(np.log(dose), np.log(np.maximum(values, 1e-300)), count)[1]
    out = []
    for given in (intercept, slope, power):
        out += [float(given[0]), *np.quantile(given[1:], (outside, 1 - outside)).tolist()]
    return (*out, p_value, p_line)


def _weighted_line(x: Floats, values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Fit lines to columns of values (movie, column)."""
    share = weight / weight.sum()
    middle, level = share @ x, share @ values
    slope = (share * (x - middle)) @ (values - level) / (share @ (x - middle) ** 2)
    return level - slope * middle, slope


def _table(rows: list[tuple[str | float, ...]], rate_unit: str, unit: str) -> Table:
    ends = ("", "_low", "_high")
    names = ["state", "state_to"]
    names += [f"{what}{end}" for what in ("intercept", "slope", "exponent") for end in ends]
    names += ["p_value", "p_line"]
    given = list(zip(*rows)) if rows else [()] * len(names)
    units = {f"intercept{end}": rate_unit for end in ends}
    units |= {f"slope{end}": f"{rate_unit} per {unit}" for end in ends}
    units |= {f"exponent{end}": "1" for end in ends} | {"p_value": "1", "p_line": "1"}
    table = table_from_columns(dict(zip(names, map(list, given))), units=units)
    odd = [
        f"{a} -> {b}"
        for a, b, p in zip(table["state"].values, table["state_to"].values, table["p_line"].values)
        if p < _UNLIKE
    ]
    if odd:
        add_note(table, f"Not on a line within their errors: {', '.join(odd)}.")
    if rate_unit == "1/frame":
        add_note(table, "Rates are per frame: the slopes hold only if all frames took as long.")
    return table
