"""Rows of features brought to one intensity."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows
from adatom.numerics.folds import map_to
from adatom.numerics.medians import medians_of_rows
from adatom.schema import FEATURES, Features, add_note

Measure = Literal["norm", "sum", "max", "median", "rms"]

_WORDS: Final = {
    "norm": "Euclidean length",
    "sum": "sum",
    "max": "maximum",
    "median": "median above zero",
    "rms": "root of the mean square",
}


def correct_intensity(
    features: Features, spectra: Features | None = None, /, *, to: Measure = "norm"
) -> Features:
    """Bring all rows to one intensity, so that only their shape is left.

    Thickness, illumination and topography scale a whole spectrum; without
    this step classes are classes of brightness.

    Parameters
    ----------
    features : Features
        Numpy gives numpy; dask gives dask.
    spectra : Features, optional
        Of the same places, whose intensity is taken instead: of scores, say,
        that counts were decomposed into. Counts know their noise, shapes no
        longer do, so that components are counted right before the division.
        Read block by block.
    to : {"norm", "sum", "max", "median", "rms"}
        What becomes one: the Euclidean length, after which distances between
        rows are those of the spectral angle; the sum, after which counts are
        shares (the total ion current of mass spectra); the maximum; the
        median of what is above zero, which one strong ion does not sway; or
        the root of the mean square.

    Returns
    -------
    Features
        Without unit. Rows of which that is not above zero become NaN, since
        they have no shape: those without signal, and by their sum or maximum
        also those that are negative on the whole, and
        those of which a channel is NaN, since their intensity is not known.

    Raises
    ------
    KindError
        If the spectra are not of the places of the features.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[3.0, 4.0], [0.3, 0.4]], dims=("site", "feature"))
    >>> correct_intensity(rows).values
    array([[0.6, 0.8],
           [0.6, 0.8]])
    """
    FEATURES.check(features)
    if spectra is not None:
        return _over_intensity(features, spectra, to)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        size = _sizes(wide, to)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(size > 0, 1 / size, np.nan)[:, None] * wide

    result = by_rows(features, work)
    result.attrs["units"] = "1"
    add_note(result, f"Every row was divided by its {_WORDS[to]}.")
    return result


def _over_intensity(features: xr.DataArray, spectra: xr.DataArray, to: Measure) -> xr.DataArray:
    """Divide rows by the intensity of the spectra at their places."""
    FEATURES.check(spectra, name="spectra")
    places = features.dims[:-1]
    if spectra.dims[:-1] != places or spectra.shape[:-1] != features.shape[:-1]:
        msg = (
            f"features are {dict(features.sizes)}, the spectra {dict(spectra.sizes)}: "
            "they must be of the same places"
        )
        raise KindError(msg)
    cut = blocks(spectra)
    sizes = np.full(cut.n_rows, np.nan)
    map_to(cut, lambda rows: (_sizes(rows.astype(np.float64), to),), [sizes])
    divisor = xr.DataArray(sizes.reshape(features.shape[:-1]), dims=places)
    dtype = np.result_type(features.dtype, np.float32)
    divided = (features / divisor.where(divisor > 0)).astype(dtype)
    result = features.astype(dtype).copy(data=divided.transpose(*features.dims).data)
    result.attrs["units"] = "1"
    add_note(result, f"Every row was divided by the {_WORDS[to]} of its spectrum.")
    return result


def _sizes(rows: NDArray[np.float64], to: Measure) -> NDArray[np.float64]:
    """Give of every row what is to become one."""
    if to == "sum":
        return np.asarray(rows.sum(axis=1))
    if to == "max":
        return np.asarray(rows.max(axis=1))
    if to == "median":
        return _medians_above_zero(rows)
    squares = np.einsum("ij,ij->i", rows, rows)
    return np.asarray(np.sqrt(squares if to == "norm" else squares / rows.shape[1]))


def correct_thickness(spectra: Features, thickness: Features, /) -> Features:
    """Divide every spectrum by the thickness at its pixel, so that composition is left.

    Parameters
    ----------
    spectra : Features
        Of singly scattered losses, maps of elements, or X-ray counts of a
        thin foil, all of which grow with thickness. Numpy gives numpy; dask
        gives dask.
    thickness : Features
        (..., measure), one number a row, as of `estimate_thickness`.

    Returns
    -------
    Features
        For a thickness of one. NaN where the thickness is not above zero.

    Raises
    ------
    KindError
        If the thickness is not one number for each row.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[3.0, 4.0], [6.0, 8.0]], dims=("site", "feature"))
    >>> thickness = xr.DataArray([[0.5], [1.0]], dims=("site", "measure"))
    >>> correct_thickness(rows, thickness).values
    array([[6., 8.],
           [6., 8.]])
    """
    FEATURES.check(spectra)
    FEATURES.check(thickness, name="thickness")
    if thickness.dims[:-1] != spectra.dims[:-1] or thickness.shape != (*spectra.shape[:-1], 1):
        msg = (
            f"the thickness is {dict(thickness.sizes)}, need one number for each row of "
            f"{dict(spectra.sizes)}"
        )
        raise KindError(msg)
    dtype = np.result_type(spectra.dtype, np.float32)
    # By position: coordinates may differ by rounding, and xarray would drop what does.
    divisor = xr.DataArray(thickness.data, dims=thickness.dims)[..., 0].astype(np.float64)
    result = (spectra / divisor.where(divisor > 0)).astype(dtype)
    result = result.transpose(*spectra.dims).assign_attrs(spectra.attrs)
    add_note(result, "Every row was divided by the thickness at its pixel.")
    return result


def _medians_above_zero(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the median of the values above zero of every row; NaN where one is NaN or none is."""
    medians = medians_of_rows(np.where(rows > 0, rows, np.nan))
    return np.where(np.isnan(rows).any(axis=1), np.nan, medians)
