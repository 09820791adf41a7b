"""Single channels struck by cosmic rays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import scipy.ndimage
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, Features, add_note

# Of a normal distribution: standard deviation over the median of absolute deviations.
_NORMAL: Final = 1.4826
# Neighbors on both sides, which a spike of one or two channels does not sway.
_WINDOW: Final = 7
# Lines differ from row to row; what is more than twice as high as usual is no line.
_USUAL: Final = 2.0
_SAMPLE_ROWS: Final = 2048
_MANY_ROWS, _SOME_ROWS = 200, 10


class SpikeCorrection(NamedTuple):
    """Spectra without spikes, and how many each of them had."""

    spectra: Features
    n_spikes: Features
    """(..., measure): channels that were replaced."""


def correct_spikes(spectra: Features, /, *, threshold: float = 8.0) -> SpikeCorrection:
    """Replace channels that stand out of their neighbors as no line can.

    A spike is higher than the median of its seven neighbors by `threshold`
    times the noise, where the noise is that of the row (from the differences
    of channels) or that of counts at this height, whichever is larger; by
    more than the median itself rises across the window; and by more than is
    usual at this channel in a sample of all rows, so that a sharp line which
    many rows have is no spike. It takes the value of that median.

    Parameters
    ----------
    spectra : Features
        Numpy gives numpy; dask gives dask. Lines narrower than three
        channels can look like spikes: compare with the notes.
    threshold : float
        Eight: a map of a million values has no noise above six.

    Returns
    -------
    SpikeCorrection
        The spectra, and the number of channels replaced in each.

    Raises
    ------
    SettingError
        If the threshold is not above zero.

    Examples
    --------
    >>> import xarray as xr
    >>> row = np.array([[5.0, 6, 5, 4, 5, 900, 5, 6, 4, 5, 6, 5]])
    >>> correct_spikes(xr.DataArray(row, dims=("site", "feature"))).spectra.values[0, 5]
    np.float64(5.0)
    """
    FEATURES.check(spectra)
    if not threshold > 0:
        msg = f"{threshold=} must be above zero"
        raise SettingError(msg)

    usual = _usual_excess(spectra)

    def mended(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        around, is_spike = _spikes(wide, threshold, usual)
        return np.where(is_spike, around, wide)

    def counted(rows: NDArray[Any]) -> NDArray[Any]:
        _, is_spike = _spikes(rows.astype(np.float64), threshold, usual)
        return np.asarray(is_spike.sum(axis=1, keepdims=True))

    result = by_rows(spectra, mended)
    add_note(result, f"Spikes above {threshold:g} times the noise took the median around them.")
    return SpikeCorrection(result, _as_measure(by_rows(spectra, counted, n_columns=1)))


def _as_measure(counts: xr.DataArray) -> xr.DataArray:
    counts.name = "n_spikes"
    counts.attrs = {"units": "1"}
    return counts


def _usual_excess(spectra: xr.DataArray) -> NDArray[np.float64]:
    """Give how far each channel stands above its neighbors in all but the highest of rows."""
    cut = blocks(spectra)
    counts = moments_of(cut).counts
    rows = sample_of(cut, counts, n_rows=_SAMPLE_ROWS, seed=0).astype(np.float64)
    # Among few rows the highest may well be the spike that is sought.
    share = 0.99 if len(rows) >= _MANY_ROWS else 0.9 if len(rows) >= _SOME_ROWS else None
    if share is None:
        return np.zeros(spectra.shape[-1])
    return np.asarray(np.quantile(rows - _medians_around(rows), share, axis=0))


def _medians_around(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(scipy.ndimage.median_filter(rows, size=(1, _WINDOW), mode="mirror"))


def _spikes(
    rows: NDArray[np.float64], threshold: float, usual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the medians around every channel, and which channels are spikes."""
    around = _medians_around(rows)
    steps = np.abs(np.diff(rows, axis=1))
    noise = _NORMAL * np.nanmedian(steps, axis=1, keepdims=True) / np.sqrt(2)
    counts = np.sqrt(np.maximum(around, 0)) if _are_counts(rows) else 0.0
    span = scipy.ndimage.maximum_filter(around, (1, _WINDOW), mode="mirror")
    span -= scipy.ndimage.minimum_filter(around, (1, _WINDOW), mode="mirror")
    scale = np.maximum(np.maximum(noise, counts), 1e-12 * np.nanmax(np.abs(rows), initial=1e-300))
    with np.errstate(invalid="ignore"):
        return around, rows - around > threshold * scale + span + _USUAL * usual


def _are_counts(rows: NDArray[np.float64]) -> bool:
    known = rows[np.isfinite(rows)]
    return bool(known.size) and bool((known >= 0).all() and (known == np.round(known)).all())
