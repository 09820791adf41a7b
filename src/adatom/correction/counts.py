"""The noise of counts made equal everywhere, and counts again from that."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows
from adatom.numerics.measures import measures_by_rows, named_measures
from adatom.numerics.moments import moments_of
from adatom.schema import FEATURES, Features, add_note


class ScaledCounts(NamedTuple):
    """Counts whose noise is white on the average, and what they were divided by."""

    spectra: Features
    rows: Features
    """(..., measure): the root of the mean of every row."""
    channels: Features
    """(measure, channel): the root of the mean of every channel, over that of all."""


def scaled_from_counts(counts: Features, /) -> ScaledCounts:
    """Divide counts by the roots of the means of their rows and channels [1]_.

    The variance of counts is their mean; where that is about a product of
    one number a row and one a channel, the noise becomes 1 throughout. It is
    what ``weighting="poisson"`` does inside of `decompose_pca`, as a step of
    its own for methods that do not know of counts.

    Parameters
    ----------
    counts : Features
        As measured, not below zero. Numpy gives numpy; dask gives dask, read
        once for the means.

    Returns
    -------
    ScaledCounts
        `counts_from_scaled` undoes it. Rows and channels without any counts
        are divided by one.

    Raises
    ------
    SettingError
        If the mean of a channel is negative: then these are no counts.

    Examples
    --------
    >>> rows = xr.DataArray([[1.0, 4.0], [4.0, 16.0]], dims=("site", "feature"))
    >>> scaled_from_counts(rows).spectra.values.round(6)
    array([[1., 2.],
           [2., 4.]])

    References
    ----------
    .. [1] M. R. Keenan and P. G. Kotula, Surf. Interface Anal. 36, 203 (2004).
    """
    FEATURES.check(counts)
    mean = moments_of(blocks(counts)).mean
    if (mean < 0).any():
        worst = int(np.argmin(mean))
        msg = f"the mean of channel {worst} is {mean[worst]:.6g}: give counts as measured"
        raise SettingError(msg)
    level = float(mean.mean())
    # One factor of the level is shared by both, so that the noise becomes 1.
    columns = np.where(mean > 0, np.sqrt(mean / level if level > 0 else mean), 1.0)

    def roots(rows: NDArray[Any]) -> NDArray[Any]:
        average = rows.astype(np.float64).mean(axis=1, keepdims=True)
        # NaN stays: such rows are not measured throughout.
        return np.where(average == 0, 1.0, np.sqrt(np.abs(average)))

    def scaled(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(rows.astype(np.float64) / roots(rows) / columns)

    result = by_rows(counts, scaled)
    result.attrs["units"] = "1"
    add_note(result, "Counts were divided by the roots of the means of their rows and channels.")
    weights = measures_by_rows(counts, roots, {"row_weight": "1"}, name="row_weight")
    dim = counts.dims[-1]
    along = {name: coord for name, coord in counts.coords.items() if coord.dims == (dim,)}
    channels = xr.DataArray(columns[None].astype(result.dtype), dims=("measure", dim), coords=along)
    named = named_measures(channels, {"channel_weight": "1"}, name="channel_weight")
    return ScaledCounts(result, weights, named)


def counts_from_scaled(spectra: Features, rows: Features, channels: Features, /) -> Features:
    """Multiply by the roots of means again: the inverse of `scaled_from_counts`.

    Parameters
    ----------
    spectra : Features
        Scaled, or a model of the scaled. Numpy gives numpy; dask gives dask.
    rows : Features
        As of `ScaledCounts`.
    channels : Features
        As of `ScaledCounts`.

    Returns
    -------
    Features
        In counts.

    Raises
    ------
    KindError
        If the weights are not of these rows and channels.

    Examples
    --------
    >>> rows = xr.DataArray([[1.0, 4.0], [4.0, 16.0]], dims=("site", "feature"))
    >>> counts_from_scaled(*scaled_from_counts(rows)).values.round(6)
    array([[ 1.,  4.],
           [ 4., 16.]])
    """
    FEATURES.check(spectra)
    FEATURES.check(rows, name="rows")
    FEATURES.check(channels, name="channels")
    if rows.shape != (*spectra.shape[:-1], 1) or channels.shape != (1, spectra.shape[-1]):
        msg = (
            f"weights are {dict(rows.sizes)} and {dict(channels.sizes)}, the spectra "
            f"{dict(spectra.sizes)}: give all that scaled_from_counts gave"
        )
        raise KindError(msg)
    # By position: coordinates may differ by rounding, and xarray would drop what does.
    weights = xr.DataArray(channels.data, dims=("measure", spectra.dims[-1]))[0]
    factors = xr.DataArray(rows.data, dims=(*spectra.dims[:-1], "measure"))[..., 0]
    result = (spectra * factors * weights).transpose(*spectra.dims)
    return result.astype(np.result_type(spectra.dtype, np.float32)).assign_attrs(spectra.attrs)


def roots_from_counts(
    counts: Features, /, *, gain: float = 1.0, readout: float = 0.0, offset: float = 0.0
) -> Features:
    """Turn counts into numbers whose noise is 1 everywhere: the Anscombe transform [1]_.

    ``2 sqrt(n + 3/8 + s^2)`` of ``n = (counts - offset) / gain`` electrons
    or photons and a readout noise of ``s = readout / gain`` of them [2]_.
    Below some four counts a channel the noise is less than 1.

    Parameters
    ----------
    counts : Features
        Numpy gives numpy; dask gives dask.
    gain : float
        Counts of the file for one electron or photon.
    readout : float
        Standard deviation of counts in the dark.
    offset : float
        Mean of counts in the dark.

    Returns
    -------
    Features
        Without unit. `counts_from_roots` with the same settings undoes it.

    Raises
    ------
    SettingError
        If the gain is not above zero, or the readout noise below zero.

    Examples
    --------
    >>> rows = xr.DataArray([[0.625, 99.625]], dims=("site", "feature"))
    >>> roots_from_counts(rows).values
    array([[ 2., 20.]])

    References
    ----------
    .. [1] F. J. Anscombe, Biometrika 35, 246 (1948).
    .. [2] M. Makitalo and A. Foi, IEEE Trans. Image Process. 22, 91 (2013).
    """
    FEATURES.check(counts)
    _check_detector(gain, readout)
    dark = 3 / 8 + (readout / gain) ** 2

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        # Below zero only by readout noise: the root of nothing.
        wide = (rows.astype(np.float64) - offset) / gain + dark
        return 2 * np.sqrt(np.where(wide < 0, 0.0, wide))

    result = by_rows(counts, work)
    result.attrs["units"] = "1"
    add_note(result, f"Anscombe transform, {gain=:g}, {readout=:g}, {offset=:g}.")
    return result


def counts_from_roots(
    roots: Features, /, *, gain: float = 1.0, readout: float = 0.0, offset: float = 0.0
) -> Features:
    """Turn means of roots into means of counts, without the bias of the plain square [1]_.

    Parameters
    ----------
    roots : Features
        Of `roots_from_counts`, after averaging, denoising or a decomposition.
        Numpy gives numpy; dask gives dask.
    gain : float
        As of `roots_from_counts`.
    readout : float
        As of `roots_from_counts`.
    offset : float
        As of `roots_from_counts`.

    Returns
    -------
    Features
        In counts.

    Raises
    ------
    SettingError
        If the gain is not above zero, or the readout noise below zero.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(5.0, (1, 100_000)).astype(float)
    >>> roots = roots_from_counts(xr.DataArray(counts, dims=("site", "feature")))
    >>> mean = roots.mean("feature", keepdims=True)
    >>> f"{counts_from_roots(mean).item():.1f}, squared {mean.item() ** 2 / 4 - 3 / 8:.1f}"
    '5.0, squared 4.7'

    References
    ----------
    .. [1] M. Makitalo and A. Foi, IEEE Trans. Image Process. 20, 2697 (2011), and 22, 91 (2013),
       in closed form.
    """
    FEATURES.check(roots)
    _check_detector(gain, readout)
    dark = (readout / gain) ** 2
    # The mean root of no electrons at all; of less nothing can be said but zero.
    least = 2 * np.sqrt(3 / 8 + dark)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = np.maximum(rows.astype(np.float64), least)
        root = np.sqrt(1.5)
        series = wide**2 / 4 + root / 4 / wide - 11 / 8 / wide**2 + 5 / 8 * root / wide**3
        return np.asarray(offset + gain * np.maximum(series - 1 / 8 - dark, 0.0))

    result = by_rows(roots, work)
    add_note(result, f"Inverse of the Anscombe transform, {gain=:g}, {readout=:g}, {offset=:g}.")
    return result


def _check_detector(gain: float, readout: float) -> None:
    if not (gain > 0 and readout >= 0):
        msg = f"{gain=} must be above zero and {readout=} not below"
        raise SettingError(msg)
