"""Hysteresis loops: where they switch, what stays at zero, and what they enclose."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.channels import channel_axis_of
from adatom.numerics.measures import measures_by_rows
from adatom.schema import FEATURES, Features, add_note

_LEAST_SAMPLES: Final = 5
# Products of branches are kept for so many values at once.
_VALUES_AT_ONCE: Final = 1 << 21


class _Branches(NamedTuple):
    """Samples of the sweep up and of the sweep down, each by rising voltage."""

    up: NDArray[np.intp]
    down: NDArray[np.intp]


def estimate_loops(loops: Features, /) -> Features:
    """Measure hysteresis loops: coercive voltages, remanence, imprint, area.

    Each branch, the sweep up and the sweep down, is fitted by the nearest
    curve that never turns back (isotonic regression [1]_), after single bad
    samples took the median of three: so a branch crosses any level once, and
    no smoothing moves it. Whether
    loops rise or fall with the voltage is found row by row. Names of the
    parameters follow [2]_.

    Parameters
    ----------
    loops : Features
        Response, last axis the voltage of one closed cycle in the order of
        the sweep, wherever it begins. Numpy gives numpy; dask gives dask. Take
        out failed rows first: `correction.correct_outlier_spectra`.

    Returns
    -------
    Features
        Last dim ``measure``:

        ``coercive_up``, ``coercive_down``
            Voltages at which the sweep up and the sweep down cross the
            midline between the two saturated states.
        ``imprint``, ``width``
            Their mean, and their difference.
        ``remanence_up``, ``remanence_down``
            Response at zero voltage on either branch.
        ``switchable``
            Difference of the remanences, on the sweep down less on the
            sweep up: positive where positive voltage leaves the larger response.
        ``area``
            Enclosed by the loop, as measured: the work of switching.
        ``explained``
            Share of the variance of the response that two branches without
            turns explain; a row of noise has about a third to two thirds
            by chance, a good loop above 0.9.

        Rows with NaN are NaN; so are crossings of rows without a loop, in
        which a branch does not cross the midline.

    Raises
    ------
    SettingError
        If the axis is not one closed cycle of a voltage across zero.

    Examples
    --------
    >>> import xarray as xr
    >>> voltage = np.array([0.0, 2, 4, 2, 0, -2, -4, -2])
    >>> response = [[-1.0, -1, 1, 1, 1, 1, -1, -1]]
    >>> loop = xr.DataArray(response, dims=("site", "bias"),
    ...     coords={"bias": ("bias", voltage, {"units": "V"})}, attrs={"units": "1"})
    >>> found = estimate_loops(loop)
    >>> found.sel(measure=["coercive_up", "coercive_down", "imprint"]).values
    array([[ 3., -3.,  0.]])

    References
    ----------
    .. [1] R. E. Barlow et al., Statistical Inference under Order Restrictions (Wiley 1972), ch. 1.
    .. [2] S. Jesse, H. N. Lee, S. V. Kalinin, Rev. Sci. Instrum. 77, 073702 (2006).
    """
    FEATURES.check(loops)
    axis, unit = channel_axis_of(loops)
    branches = _branches_of(axis, unit)
    response = str(loops.attrs.get("units", "1"))
    area = unit if response in {"", "1"} else f"{response} {unit}"
    units = dict.fromkeys(("coercive_up", "coercive_down", "imprint", "width"), unit)
    units |= dict.fromkeys(("remanence_up", "remanence_down", "switchable"), response)
    units |= {"area": area, "explained": "1"}

    def work(rows: NDArray[Any]) -> NDArray[np.float64]:
        return _loop_numbers(rows.astype(np.float64), axis, branches)

    result = measures_by_rows(loops, work, units, name="loop")
    add_note(result, "Branches were fitted by isotonic regression before they were read.")
    return result


def _branches_of(axis: NDArray[np.float64], unit: str) -> _Branches:
    """Cut one closed cycle at its two turning points; both are part of either branch."""
    n = len(axis)
    top, bottom = int(np.argmax(axis)), int(np.argmin(axis))
    up = np.arange(bottom, top + 1 if top > bottom else top + n + 1) % n
    down = np.arange(top, bottom + 1 if bottom > top else bottom + n + 1) % n
    steps = [np.diff(axis[up]), -np.diff(axis[down])]
    if (
        min(len(up), len(down)) < _LEAST_SAMPLES - 2
        or n < _LEAST_SAMPLES
        or any((step < 0).any() for step in steps)
        or not axis[bottom] < 0 < axis[top]
    ):
        msg = (
            f"the axis of {n} samples from {axis.min():.4g} to {axis.max():.4g} {unit} is not one "
            "closed cycle across zero: choose one cycle, in the order of the sweep"
        )
        raise SettingError(msg)
    return _Branches(up, down[::-1])


def _loop_numbers(
    rows: NDArray[np.float64], axis: NDArray[np.float64], branches: _Branches
) -> NDArray[np.float64]:
    up, down = branches
    known: NDArray[np.bool_] = np.asarray(np.isfinite(rows).all(axis=1))
    loops = np.where(known[:, None], rows, 0.0)
    fit_up, fit_down, sign, explained = _fitted(loops[:, up], loops[:, down])
    # As if all were rising: the midline is crossed from below.
    low, high = (sign * (fit_up[:, [end]] + fit_down[:, [end]]) / 2 for end in (0, -1))
    middle = (low + high) / 2
    crossing_up = _crossing(sign * fit_up, axis[up], middle)
    crossing_down = _crossing(sign * fit_down, axis[down], middle)
    remanence_up, remanence_down = _at_zero(fit_up, axis[up]), _at_zero(fit_down, axis[down])
    numbers = [
        crossing_up,
        crossing_down,
        (crossing_up + crossing_down) / 2,
        crossing_up - crossing_down,
        remanence_up,
        remanence_down,
        remanence_down - remanence_up,
        _area(loops, axis),
        explained,
    ]
    return np.where(known[:, None], np.stack(numbers, axis=1), np.nan)


def _fitted(up: NDArray[np.float64], down: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Fit both branches rising and falling; give the better, its sign, and what it explains."""
    halves = [_without_spikes(up), _without_spikes(down)]
    rising = [_isotonic(half) for half in halves]
    falling = [-_isotonic(-half) for half in halves]
    whole = np.hstack([up, down])
    misfits = [((np.hstack(fits) - whole) ** 2).sum(axis=1) for fits in (rising, falling)]
    falls = (misfits[1] < misfits[0])[:, None]
    fit_up, fit_down = (np.where(falls, b, a) for a, b in zip(rising, falling, strict=True))
    total = ((whole - whole.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = np.where(total > 0, 1 - np.minimum(*misfits) / total, np.nan)
    return fit_up, fit_down, np.where(falls, -1.0, 1.0), explained


def _without_spikes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the median of every three neighbors, which leaves what never turns back as it is."""
    made = rows.copy()
    made[:, 1:-1] = np.median([rows[:, :-2], rows[:, 1:-1], rows[:, 2:]], axis=0)
    return made


def _isotonic(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the nearest row that never falls, of every row.

    The value at i is the largest, over starts up to i, of the smallest,
    over ends from i on, of the mean between: the max-min formula.
    """
    n = rows.shape[1]
    made = np.empty_like(rows)
    lengths = np.arange(n)[None, :] - np.arange(n)[:, None] + 1
    is_span = lengths > 0
    at_once = max(1, _VALUES_AT_ONCE // (n * n))
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        sums = np.cumsum(np.hstack([np.zeros((len(some), 1)), some]), axis=1)
        means = (sums[:, None, 1:] - sums[:, :-1, None]) / np.where(is_span, lengths, 1)
        means = np.where(is_span, means, np.inf)
        # Smallest over ends from i on, for every start; then the largest over starts up to i.
        least = np.minimum.accumulate(means[:, :, ::-1], axis=2)[:, :, ::-1]
        made[start : start + at_once] = np.where(is_span, least, -np.inf).max(axis=1)
    return made


def _crossing(
    rows: NDArray[np.float64], axis: NDArray[np.float64], level: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give where rows that never fall cross a level, between samples; NaN where they do not."""
    below, above = rows < level, rows > level
    is_crossed = below.any(axis=1) & above.any(axis=1)
    last = np.where(is_crossed, below.sum(axis=1) - 1, 0)
    first = np.where(is_crossed, rows.shape[1] - above.sum(axis=1), 1)
    at = np.arange(len(rows))
    start, stop = rows[at, last], rows[at, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (level[:, 0] - start) / (stop - start)
    return np.where(is_crossed, axis[last] + share * (axis[first] - axis[last]), np.nan)


def _at_zero(rows: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    after = int(np.searchsorted(axis, 0.0))
    share = (0.0 - axis[after - 1]) / (axis[after] - axis[after - 1])
    return np.asarray((1 - share) * rows[:, after - 1] + share * rows[:, after])


def _area(loops: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the area of the closed polygon of every loop (shoelace formula)."""
    following = np.roll(loops, -1, axis=1)
    return np.asarray(np.abs((axis * following - np.roll(axis, -1) * loops).sum(axis=1)) / 2)
