"""Spectra so much stronger than all others that the instrument must have failed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.measures import measures_by_rows
from adatom.schema import FEATURES, Features, add_note


class OutlierCorrection(NamedTuple):
    """Spectra without outliers, and how strong each was."""

    spectra: Features
    """Rows that are outliers are NaN throughout."""
    strength: Features
    """(..., measure): peak of every row over the median of all peaks."""


def correct_outlier_spectra(spectra: Features, /, *, factor: float = 6.0) -> OutlierCorrection:
    """Take out rows whose peak is many times that of the usual row.

    A probe that loses contact, or a fit that ran away in the instrument,
    gives spectra hundreds of times too strong. Means, principal components
    and k-means then describe these alone: classes of one pixel. Rows that
    are taken out are NaN, so that they get no class and stay visible as
    places that were not measured.

    Parameters
    ----------
    spectra : Features
        Numpy gives numpy; dask gives dask, after one pass for the peaks.
        Take off a background before, since the peak is of the magnitude.
    factor : float
        A row is an outlier if its largest magnitude is above the median of
        those of all rows by this factor. Six leaves the rows of any map in
        which the strong material is up to six times as strong as the usual
        one; look at the histogram of ``strength`` to choose another.

    Returns
    -------
    OutlierCorrection
        The spectra, and the strength of every row: above `factor` it was
        taken out.

    Raises
    ------
    SettingError
        If the factor is not above one, or no row has a signal.

    Examples
    --------
    >>> rows = xr.DataArray([[1.0, -1.0], [2.0, 0.0], [0.0, 900.0]], dims=("site", "bias"))
    >>> correct_outlier_spectra(rows).spectra.values
    array([[ 1., -1.],
           [ 2.,  0.],
           [nan, nan]])
    """
    FEATURES.check(spectra)
    if not factor > 1:
        msg = f"{factor=} must be above one: the peak of a usual row is one"
        raise SettingError(msg)
    peaks = measures_by_rows(spectra, _peaks, {"peak": "1"}, name="peak").compute()
    known = peaks.values[np.isfinite(peaks.values)]
    usual = float(np.median(known)) if known.size else 0.0
    if not usual > 0:
        msg = (
            f"the median peak of {peaks.size} rows is {usual:g}: more than half of the rows have "
            "no signal, so that nothing tells a usual row"
        )
        raise SettingError(msg)
    limit = factor * usual
    strength = (peaks / usual).astype(peaks.dtype)
    strength = strength.assign_coords(measure=("measure", ["strength"]))
    strength.name, strength.attrs = "strength", {"units": "1"}
    result = _without(spectra, peaks[..., 0] > limit)
    count = int((peaks.values > limit).sum())
    unit = str(spectra.attrs.get("units", "1"))
    add_note(
        result,
        f"{count} of {peaks.size} rows have a peak above {factor:g} times the median peak of "
        f"{usual:.4g} {unit}: they are NaN.",
    )
    return OutlierCorrection(result, strength)


def _peaks(rows: NDArray[Any]) -> NDArray[Any]:
    # A row of NaN alone has no peak; one with an infinity has an infinite one.
    known = ~np.isnan(rows)
    peaks = np.where(known, np.abs(rows), 0).max(axis=1)
    return np.where(known.any(axis=1), peaks, np.nan)[:, None]


def _without(spectra: xr.DataArray, is_outlier: xr.DataArray) -> xr.DataArray:
    dtype = np.result_type(spectra.dtype, np.float32)
    # Compared by place, not by label: indexes of places need not be there.
    kept = ~is_outlier.values[..., None]
    values = spectra.data.astype(dtype)
    if hasattr(values, "dask"):
        import dask.array as da

        kept = da.from_array(kept, chunks=(*values.chunks[:-1], 1))  # type: ignore[no-untyped-call]
        made = da.where(kept, values, dtype.type(np.nan))
    else:
        made = np.where(kept, values, dtype.type(np.nan))
    return spectra.copy(data=made)
