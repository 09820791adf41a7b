"""Single channels struck by cosmic rays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.special
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.blocks import Block, Blocks, blocks
from adatom.numerics.channels import bridged_rows, by_rows
from adatom.numerics.folds import fold
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.medians import SIGMA_OF_MAD, medians_of_rows
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, Features, add_note

# Neighbors on both sides, which a spike of one or two channels does not sway.
_WINDOW: Final = 7
# Lines differ from row to row; what is more than twice as high as usual is no line.
_USUAL: Final = 2.0
_SAMPLE_ROWS: Final = 2048
_LEAST_CHANNELS: Final = 3
_MANY_ROWS, _SOME_ROWS = 200, 10


class SpikeCorrection(NamedTuple):
    """Spectra without spikes, and how many each of them had."""

    spectra: Features
    n_spikes: Features
    """(..., measure): channels that were replaced."""


def correct_spikes(spectra: Features, /, *, threshold: float = 8.0) -> SpikeCorrection:
    """Replace channels that stand out of their neighbors as no line can.

    A spike is higher than the median of its seven neighbors by `threshold`
    times the noise, where the noise is that of the row (from second
    differences of channels, which a slope does not change) or that of counts
    at this height, one count at least, whichever is larger; by more than the
    median itself bends within the window; and by more than is usual at this
    channel in a sample of all rows, so that a sharp line which many rows have
    is no spike. It takes the value of that median. Gaps (NaN) stay, and are
    bridged where they stand beside what is judged.

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

    cut = blocks(spectra)
    are_counts = _are_counts(cut)
    usual = _usual_excess(cut, are_counts=are_counts)

    def mended(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        around, is_spike = _spikes(wide, threshold, usual, are_counts=are_counts)
        return np.where(is_spike, around, wide)

    def counted(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        _, is_spike = _spikes(wide, threshold, usual, are_counts=are_counts)
        return np.asarray(is_spike.sum(axis=1, keepdims=True))

    result = by_rows(spectra, mended)
    add_note(result, f"Spikes above {threshold:g} times the noise took the median around them.")
    n_spikes = measures_by_rows(spectra, counted, {"n_spikes": "1"}, name="n_spikes")
    return SpikeCorrection(result, n_spikes)


def _usual_excess(cut: Blocks, *, are_counts: bool) -> NDArray[np.float64]:
    """Give how far each channel stands above its neighbors, beyond noise, in most rows."""
    counts = moments_of(cut).counts
    rows = sample_of(cut, counts, n_rows=_SAMPLE_ROWS, seed=0).astype(np.float64)
    # Among few rows the highest may well be the spike that is sought.
    share = 0.99 if len(rows) >= _MANY_ROWS else 0.9 if len(rows) >= _SOME_ROWS else None
    if share is None:
        return np.zeros(cut.n_columns)
    around = _medians_around(rows)
    excess = np.quantile(rows - around, share, axis=0)
    # As many rows are this far above by noise alone.
    noise = scipy.special.ndtri(share) * np.median(_scale(rows, around, are_counts), axis=0)
    return np.asarray(np.maximum(excess - noise, 0.0))


def _medians_around(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(scipy.ndimage.median_filter(rows, size=(1, _WINDOW), mode="mirror"))


def _spikes(
    rows: NDArray[np.float64], threshold: float, usual: NDArray[np.float64], *, are_counts: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the medians around every channel, and which channels are spikes."""
    measured = np.isfinite(rows)
    around = _medians_around(bridged_rows(rows, measured))
    scale = _scale(rows, around, are_counts)
    limit = threshold * scale + _bend(around, scale) + _USUAL * usual
    # What is not measured stands out of nothing.
    apart = np.where(measured, rows, -np.inf) - around
    return around, apart > limit


def _scale(
    rows: NDArray[np.float64], around: NDArray[np.float64], are_counts: bool
) -> NDArray[np.float64]:
    """Give the noise of every channel: that of its row, or that of counts of this height."""
    if rows.shape[1] < _LEAST_CHANNELS:
        noise = np.zeros((len(rows), 1))
    else:
        # A slope has no second differences; those of white noise have six times its variance.
        bends = np.abs(np.diff(rows, n=2, axis=1))
        # Rows without any are not measured, and have no spikes.
        noise = SIGMA_OF_MAD * np.nan_to_num(medians_of_rows(bends)[:, None]) / np.sqrt(6)
    # Where next to nothing is counted one count is no spike.
    counts = np.sqrt(np.maximum(around, 1.0)) if are_counts else np.zeros((1, 1))
    largest = np.where(np.isfinite(rows), np.abs(rows), 0.0).max(axis=1, keepdims=True)
    least = 1e-12 * np.maximum(largest, 1e-300)
    return np.asarray(np.maximum(np.maximum(noise, counts), least))


def _bend(around: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how far the medians vary within the window, where that is more than a slope."""
    window = (1, _WINDOW)
    span = scipy.ndimage.maximum_filter(around, window, mode="mirror")
    span -= scipy.ndimage.minimum_filter(around, window, mode="mirror")
    half = _WINDOW // 2
    if around.shape[1] <= half:
        return np.asarray(span)
    padded = np.pad(around, ((0, 0), (half, half)), mode="reflect")
    curved = np.abs(padded[:, 2 * half :] + padded[:, : around.shape[1]] - 2 * around)
    # Beside a line the medians may happen to lie straight: the whole window tells. The largest of
    # the window that noise makes is less than three times the noise of a channel.
    most = scipy.ndimage.maximum_filter(curved, window, mode="mirror") - 3 * scale
    return np.asarray(np.minimum(span, np.maximum(most, 0.0)))


def _are_counts(cut: Blocks) -> bool:
    """Tell whether all that was measured are whole numbers, none of them negative."""

    def step(block: Block) -> bool:
        gaps = block.incomplete
        return all(
            bool((values >= 0).all() and (values == np.round(values)).all())
            for values in (block.values, gaps[np.isfinite(gaps)])
        )

    return fold(cut, step, _both)


def _both(first: bool, second: bool) -> bool:
    return first and second
