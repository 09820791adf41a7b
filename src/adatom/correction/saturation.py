"""Samples at the end of a converter's range, which tell only that the signal was larger."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import SettingError, UnitError
from adatom.numerics.channels import by_rows
from adatom.numerics.measures import measures_by_rows
from adatom.schema import FEATURES, Features, add_note
from adatom.units import quantity_from_text

# Converters repeat their last code exactly; what rounds in float32 differs by less than this.
_SAME: Final = 1e-6
# Noise near a peak reaches its highest value once; a clipped peak is flat at its top.
_LEAST_FLAT: Final = 3


class SaturationCorrection(NamedTuple):
    """Spectra without saturated samples, and how many each had."""

    spectra: Features
    n_saturated: Features
    """(..., measure): samples that are now NaN."""


def correct_saturation(spectra: Features, /, *, limit: str | None = None) -> SaturationCorrection:
    """Take out samples at the end of the converter's range: they become NaN.

    A lock-in or an amplifier that is driven over its range gives its last
    value, and a spectrum that looks flat there is none. Rows with such
    samples take no part in fits, and get the class of what they have.

    Parameters
    ----------
    spectra : Features
        Numpy gives numpy; dask gives dask, after one pass that finds the
        limit if it is not told. For data as recorded: after a derivative or
        a scaling the end of the range is no longer one value.
    limit : str, optional
        Magnitude at which the converter ends, in the unit of the data, such
        as "10 V", of both signs. By default the highest value of all is taken
        if three neighboring channels of a row have it, as noise never has,
        and the lowest likewise if it is below zero; counts repeat by nature,
        so that their limit must be told.

    Returns
    -------
    SaturationCorrection
        The spectra, and the number of samples taken out of each.

    Raises
    ------
    SettingError
        If the limit is not above zero.
    UnitError
        If the limit is in another unit than the data.

    Examples
    --------
    >>> rows = xr.DataArray([[1.5, 4.5, 10.0, 10.0, 10.0, 3.5]], dims=("site", "bias"))
    >>> correct_saturation(rows).spectra.values
    array([[1.5, 4.5, nan, nan, nan, 3.5]])
    """
    FEATURES.check(spectra)
    unit = str(spectra.attrs.get("units", "1"))
    lowest, highest = _found_limits(spectra) if limit is None else _told_limits(limit, unit)
    bottom, top = lowest * (1 - _SAME), highest * (1 - _SAME)

    def mended(rows: NDArray[Any]) -> NDArray[Any]:
        return np.where((rows >= top) | (rows <= bottom), np.nan, rows)

    def counted(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(((rows >= top) | (rows <= bottom)).sum(axis=1, keepdims=True))

    result = by_rows(spectra, mended)
    counts = measures_by_rows(spectra, counted, {"n_saturated": "1"}, name="n_saturated")
    ends = " and ".join(f"{end:g} {unit}" for end in (lowest, highest) if np.isfinite(end))
    if ends:
        add_note(result, f"Samples at {ends}, the end of the range, are NaN.")
    else:
        add_note(result, "No value is repeated at the end of a range: nothing is saturated.")
    return SaturationCorrection(result, counts)


def _told_limits(text: str, unit: str) -> tuple[float, float]:
    value, found = quantity_from_text(text, name="limit")
    if found != unit:
        msg = f"limit={text!r} is in {found}, the data are in {unit}"
        raise UnitError(msg)
    if not value > 0:
        msg = f"limit={text!r} must be above zero"
        raise SettingError(msg)
    return -value, value


def _found_limits(spectra: xr.DataArray) -> tuple[float, float]:
    """Give the lowest and the highest value where a row stays at them, else infinities."""
    if spectra.dtype.kind != "f":
        return -np.inf, np.inf
    found = by_rows(spectra, _flat_ends, n_columns=5).values.reshape(-1, 5).astype(np.float64)
    # Counts repeat by nature. A single row may be whole numbers by being at the end throughout.
    if found[:, 4].all():
        return -np.inf, np.inf
    highest, lowest = found[:, 0].max(), -found[:, 2].max()
    is_top = found[found[:, 1] > 0, 0].max(initial=0.0) >= highest * (1 - _SAME) > 0
    is_bottom = found[found[:, 3] > 0, 2].max(initial=0.0) >= -lowest * (1 - _SAME) > 0
    return float(lowest) if is_bottom else -np.inf, float(highest) if is_top else np.inf


def _flat_ends(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Give the highest value of every row, whether neighbors share it, and of -rows the same.

    And whether all of the row are whole numbers.
    """
    values = np.where(np.isfinite(rows), rows, 0.0)
    are_whole = (values == np.round(values)).all(axis=1, keepdims=True)
    return np.hstack([_flat_top(rows), _flat_top(-rows), are_whole])


def _flat_top(rows: NDArray[Any]) -> NDArray[np.float64]:
    values = np.where(np.isfinite(rows), rows, 0.0)
    top = values.max(axis=1, keepdims=True)
    at = (values >= top * (1 - _SAME)) & (values > 0)
    n = rows.shape[1] - _LEAST_FLAT + 1
    if n < 1:
        return np.hstack([top, np.zeros_like(top)])
    together = np.logical_and.reduce([at[:, k : k + n] for k in range(_LEAST_FLAT)])
    return np.hstack([top, together.any(axis=1, keepdims=True)])
