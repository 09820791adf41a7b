"""Gaps of differential conductance, and where states begin on either side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.local_polynomials import noise_of_rows
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.sweeps import sweep_of
from adatom.schema import FEATURES, Features, add_note

# One noisy sample is no band edge.
_IN_A_ROW: Final = 3
# White noise of a map exceeds this nowhere.
_TIMES_NOISE: Final = 5.0


def estimate_gap(conductance: Features, /, *, level: float = 0.03) -> Features:
    """Find where dI/dV rises from nothing on either side of zero bias.

    An onset is where the conductance first rises above a level and stays
    above it for three samples, going outwards from zero bias, with the
    place between samples interpolated. It is an apparent gap: tip-induced
    band bending and thermal broadening (3.5 kT) are in it.

    Parameters
    ----------
    conductance : Features
        dI/dV with its zero right; last axis bias, one sweep across zero.
        Numpy gives numpy; dask gives dask.
    level : float
        Share of the highest conductance of the row that counts as states;
        five times the noise of the row if that is more. The onset depends on
        it, as on any such level: compare a few.

    Returns
    -------
    Features
        Last dim ``measure``: ``onset_negative``, ``onset_positive`` and
        ``gap``, their distance, in the unit of the bias, and ``level``, in that
        of the conductance. Where there are states at zero bias the gap is
        zero; where the sweep ends before states begin the onset is NaN.
        Samples that are NaN, as of a saturated amplifier, are no states;
        a row with NaN around zero bias is NaN.

    Raises
    ------
    SettingError
        If the level is not between zero and one, or the bias does not cross zero.

    Examples
    --------
    >>> import xarray as xr
    >>> bias = np.linspace(-1.0, 1.0, 41)
    >>> slope = np.clip(np.abs(bias) - 0.3, 0, None)
    >>> rows = xr.DataArray([slope], dims=("site", "bias"),
    ...     coords={"bias": ("bias", bias, {"units": "V"})}, attrs={"units": "nA/V"})
    >>> estimate_gap(rows, level=0.001).sel(measure="gap").values.round(2)
    array([0.6])
    """
    FEATURES.check(conductance)
    if not 0 < level < 1:
        msg = f"{level=} is a share of the highest conductance: it must be between 0 and 1"
        raise SettingError(msg)
    axis, unit = sweep_of(conductance)
    if not axis.min() < 0 < axis.max():
        msg = f"the bias runs from {axis.min():.4g} to {axis.max():.4g} {unit}: it must cross zero"
        raise SettingError(msg)
    order = np.argsort(axis, kind="stable")
    rising = axis[order]

    def work(rows: NDArray[Any]) -> NDArray[np.float64]:
        return _gaps(rows[:, order].astype(np.float64), rising, level)

    units = dict.fromkeys(("onset_negative", "onset_positive", "gap"), unit)
    units["level"] = str(conductance.attrs.get("units", "1"))
    result = measures_by_rows(conductance, work, units, name="gap")
    add_note(
        result,
        f"States are where dI/dV is above {level:g} of its highest value in the row, and above "
        f"{_TIMES_NOISE:g} times its noise.",
    )
    return result


def _gaps(
    rows: NDArray[np.float64], axis: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    start = int(np.searchsorted(axis, 0.0))
    near = slice(max(0, start - 2), start + 2)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(rows[:, near]).all(axis=1))
    rows = np.where(known[:, None], rows, 0.0)
    highest = np.where(np.isfinite(rows), rows, -np.inf).max(axis=1)
    levels = np.maximum(level * highest, _TIMES_NOISE * noise_of_rows(rows))
    upper = _onset(rows[:, start:], axis[start:], levels)
    lower = _onset(rows[:, :start][:, ::-1], axis[:start][::-1], levels)
    is_metal = np.median(rows[:, near], axis=1) > levels
    lower, upper = np.where(is_metal, np.nan, lower), np.where(is_metal, np.nan, upper)
    gap = np.where(is_metal, 0.0, upper - lower)
    return np.where(known[:, None], np.stack([lower, upper, gap, levels], axis=1), np.nan)


def _onset(
    rows: NDArray[np.float64], axis: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give where rows, read outwards from zero bias, rise above their level for good."""
    above = rows > levels[:, None]
    n = above.shape[1] - _IN_A_ROW + 1
    if n < 1:
        return np.full(len(rows), np.nan)
    stays = np.logical_and.reduce([above[:, k : k + n] for k in range(_IN_A_ROW)])
    first = stays.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    at = np.arange(len(rows))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (levels - rows[at, before]) / (rows[at, first] - rows[at, before])
    # A first sample that is above already has its onset before it.
    share = np.where(first == 0, 1.0, np.clip(share, 0, 1))
    place = axis[before] + share * (axis[first] - axis[before])
    return np.where(stays.any(axis=1), place, np.nan)
