"""Sweeps there and back, joined."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.channels import by_rows, channel_axis_of
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.sweeps import side_by_side
from adatom.schema import FEATURES, Features, add_note

_SAME: Final = 1e-6


class SweepMean(NamedTuple):
    """The mean of two sweeps, and how far they differ."""

    spectra: Features
    hysteresis: Features
    """(..., measure): root mean square of half the difference of the two."""


def mean_from_sweeps(forward: Features, backward: Features | None = None, /) -> SweepMean:
    """Average the sweep there and the sweep back.

    What is displaced in opposite directions by delay and capacitance falls
    out; what is left in ``hysteresis`` is drift, noise or real hysteresis:
    look where it is large. A loop of which the hysteresis is the point goes to
    `curves.estimate_loops` instead.

    Parameters
    ----------
    forward : Features
        One sweep, or one there and back along its last axis. Numpy gives
        numpy; dask gives dask.
    backward : Features, optional
        The sweep back where the file has it as a dataset of its own, such
        as "Current [bwd]", on the same axis.

    Returns
    -------
    SweepMean
        On a rising axis. Where one of the two is NaN the other is taken.

    Raises
    ------
    KindError
        If the two are not of the same places and channels.
    SettingError
        If there is no second sweep: the axis does not turn back once over
        the same values.

    Examples
    --------
    >>> import xarray as xr
    >>> bias = [0.0, 1.0, 2.0, 1.0, 0.0]
    >>> rows = xr.DataArray([[0.0, 1.0, 4.0, 3.0, 2.0]], dims=("site", "bias"),
    ...     coords={"bias": ("bias", bias, {"units": "V"})})
    >>> mean_from_sweeps(rows).spectra.values
    array([[1., 2., 4.]])
    """
    FEATURES.check(forward)
    if backward is None:
        axis, _ = channel_axis_of(forward)
        there, back = _halves(axis, str(forward.dims[-1]))
        both = forward
    else:
        FEATURES.check(backward, name="backward")
        axis, _ = channel_axis_of(forward)
        order = np.argsort(axis, kind="stable")
        there, back = order, order + len(axis)
        both = side_by_side(forward, backward)

    def mean(rows: NDArray[Any]) -> NDArray[np.float64]:
        one, other = (rows[:, part].astype(np.float64) for part in (there, back))
        return np.where(np.isnan(one), other, np.where(np.isnan(other), one, (one + other) / 2))

    def half_difference(rows: NDArray[Any]) -> NDArray[np.float64]:
        squares = ((rows[:, there].astype(np.float64) - rows[:, back]) / 2) ** 2
        known = np.isfinite(squares)
        total = np.where(known, squares, 0.0).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(total / known.sum(axis=1))[:, None])

    made = by_rows(both, mean, n_columns=len(there))
    dim = forward.dims[-1]
    result = forward.isel({dim: there}).astype(made.dtype, copy=False).copy(data=made.data)
    add_note(result, "The sweeps there and back were averaged.")
    unit = str(forward.attrs.get("units", "1"))
    units = {"hysteresis": unit}
    return SweepMean(result, measures_by_rows(both, half_difference, units, name="hysteresis"))


def _halves(axis: NDArray[np.float64], dim: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the channels of the sweep there and of the sweep back, both by rising axis."""
    turn = int(np.argmax(np.abs(axis - axis[0])))
    there = np.arange(turn + 1)
    # The turning point is shared, or measured twice.
    start = turn + 1 if turn + 1 < len(axis) and axis[turn + 1] == axis[turn] else turn
    back = np.arange(len(axis) - 1, start - 1, -1)
    reach = _SAME * float(np.ptp(axis))
    one_way = [len(part) > 2 and abs(np.sign(np.diff(axis[part])).sum()) == len(part) - 1
               for part in (there, back)]  # fmt: skip
    if (
        not all(one_way)
        or len(there) != len(back)
        or not (np.abs(axis[there] - axis[back]) <= reach).all()
    ):
        msg = (
            f"the {dim} axis does not go there and back over the same values: give the sweep back "
            "as second data, if the file has it as a dataset of its own"
        )
        raise SettingError(msg)
    order = np.argsort(axis[there], kind="stable")
    return there[order], back[order]
