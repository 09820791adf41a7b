"""Plural scattering taken out of energy losses, and the thickness that causes it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import scipy.fft
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows, channel_axis_of, value_on_axis
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.moments import moments_of
from adatom.schema import FEATURES, Features, add_note

# A rise after the zero loss by so much over its valley is a loss; less may be noise.
_RISE: Final = 1.05
# The imaginary part of the logarithm is at most the thickness: beyond pi its branch is lost.
_THICKEST: Final = np.pi
# Of the axis, for the power law that continues a spectrum beyond its end.
_TAIL: Final = 0.1


def estimate_thickness(low_loss: Features, /, *, zero_loss_end: str | None = None) -> Features:
    """Give the thickness at every pixel in mean free paths of inelastic scattering [1]_.

    ``t / lambda = ln(I_total / I_zero)``, the log-ratio of all counts and
    those of the zero loss.

    Parameters
    ----------
    low_loss : Features
        From below the zero loss, which lies at zero (`correct_zero_loss`), up
        to 100 eV or more, since what lies beyond is not counted. Numpy gives
        numpy; dask gives dask.
    zero_loss_end : text, optional
        Such as "3 eV"; by default the valley between the zero loss and the
        first loss in the mean of all rows.

    Returns
    -------
    Features
        (..., measure), without unit; NaN where there are no counts.

    Raises
    ------
    SettingError
        If there is no valley, or zero does not lie on the axis.

    Examples
    --------
    >>> energy = ("energy", np.arange(-1.0, 6.0), {"units": "eV"})
    >>> rows = xr.DataArray([[0.0, 100, 0, 0, 8, 2, 0]], dims=("site", "energy"),
    ...     coords={"energy": energy})
    >>> estimate_thickness(rows).values.round(3)
    array([[0.095]])

    References
    ----------
    .. [1] R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed.
       (Springer 2011), eq. 5.1.
    """
    FEATURES.check(low_loss)
    axis, unit = channel_axis_of(low_loss)
    end = _zero_loss_end(low_loss, axis, unit, zero_loss_end)
    elastic = axis <= end

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        return _thickness(rows.astype(np.float64), elastic)[:, None]

    name = "thickness_in_mean_free_paths"
    thickness = measures_by_rows(low_loss, work, {name: "1"}, name=name)
    add_note(thickness, f"In mean free paths; the zero loss ends at {end:.4g} {unit}.")
    return thickness


def correct_plural_scattering(
    spectra: Features, low_loss: Features | None = None, /, *, zero_loss_end: str | None = None
) -> Features:
    """Take out losses of electrons that were scattered more than once.

    Spectra that hold their zero loss are deconvolved by the Fourier-log
    method [1]_: ``j = Z ln(J / Z)``, with the zero loss Z that ends at the
    valley before the first loss. Spectra of a core loss, with their low loss
    beside them, by the Fourier-ratio method [2]_: ``j = Z J_core / J_low``;
    take their background off before. Both keep the energy resolution, and so
    do not raise the noise.

    Parameters
    ----------
    spectra : Features
        Zero loss at zero, or core losses without background. A spectrum that
        has not fallen to zero at its end is continued by a power law. Numpy
        gives numpy; dask gives dask.
    low_loss : Features, optional
        Of the same rows and with the same step, zero loss at zero.
    zero_loss_end : text, optional
        As of `estimate_thickness`.

    Returns
    -------
    Features
        Singly scattered losses, as counts; of the Fourier-log method without
        the zero loss. NaN where a row has a NaN or no counts of the zero loss, or is
        thicker than 3.1 mean free paths, beyond which the logarithm is
        ambiguous.

    Raises
    ------
    SettingError
        If there is no valley, an axis has no equal steps, or zero does not
        lie on it.
    KindError
        If the two are not of the same rows.

    Examples
    --------
    >>> energy = np.arange(-8.0, 40.0)
    >>> spread = lambda at: np.exp(-((energy - at) / 1.5) ** 2)
    >>> twice = xr.DataArray([100 * spread(0) + 50 * spread(10) + 12.5 * spread(20)],
    ...     dims=("site", "energy"), coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> once = correct_plural_scattering(twice)
    >>> float(once.sel(energy=10).item().__round__()), float(abs(once.sel(energy=20)).item()) < 3
    (50.0, True)

    References
    ----------
    .. [1] R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed.
       (Springer 2011), sec. 4.1.1; first D. W. Johnson and J. C. H. Spence, J. Phys. D 7, 771
       (1974).
    .. [2] The same, sec. 4.1.2.
    """
    FEATURES.check(spectra)
    source = spectra
    if low_loss is not None:
        FEATURES.check(low_loss, name="low_loss")
        _check_pair(spectra, low_loss)
        source = low_loss
    axis, unit = channel_axis_of(source)
    _check_steps(axis, str(source.dims[-1]))
    end = _zero_loss_end(source, axis, unit, zero_loss_end)
    elastic = axis <= end
    if low_loss is None:
        result = by_rows(spectra, lambda rows: _fourier_log(rows.astype(np.float64), axis, elastic))
        add_note(
            result,
            "Plural scattering was taken out by the Fourier-log method; the zero loss, up to "
            f"{end:.4g} {unit}, is left out.",
        )
        return result
    result = _with_low_loss(spectra, low_loss, elastic)
    add_note(
        result,
        "Plural scattering was taken out by the Fourier-ratio method with the low losses beside; "
        f"their zero loss ends at {end:.4g} {unit}.",
    )
    return result


def _zero_loss_end(
    low_loss: xr.DataArray, axis: NDArray[np.float64], unit: str, asked: str | None
) -> float:
    """Give the energy of the valley between zero loss and first loss in the mean of all rows."""
    if not axis.min() <= 0 <= axis.max():
        msg = (
            f"the axis runs from {axis.min():.6g} to {axis.max():.6g} {unit}, without zero: give "
            "low losses whose zero loss was brought to zero (correct_zero_loss)"
        )
        raise SettingError(msg)
    if asked is not None:
        end = value_on_axis(asked, unit, name="zero_loss_end")
        if not 0 < end < axis.max():
            msg = f"zero_loss_end={asked!r} must lie between 0 and {axis.max():.6g} {unit}"
            raise SettingError(msg)
        return end
    mean = moments_of(blocks(low_loss)).mean
    after = mean[axis >= 0]
    lowest = np.minimum.accumulate(after)
    rises = after > np.maximum(_RISE * lowest, lowest + 0.001 * mean.max())
    rises[: int(np.argmax(after))] = False
    if not rises.any():
        msg = (
            "no valley between the zero loss and a first loss: the mean of all rows only falls; "
            'say where the zero loss ends, as zero_loss_end="3 eV"'
        )
        raise SettingError(msg)
    valley = int(np.argmin(after[: int(np.argmax(rises))]))
    return float(axis[axis >= 0][valley])


def _thickness(rows: NDArray[np.float64], elastic: NDArray[np.bool_]) -> NDArray[np.float64]:
    total, zero = rows.sum(axis=1), rows[:, elastic].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((zero > 0) & (total > 0), np.log(total / zero), np.nan)


def _fourier_log(
    rows: NDArray[np.float64], axis: NDArray[np.float64], elastic: NDArray[np.bool_]
) -> NDArray[np.float64]:
    n_channels = rows.shape[1]
    zero = np.where(elastic, rows, 0.0)
    length = scipy.fft.next_fast_len(3 * n_channels, real=True)
    whole = _continued(rows, axis, length)
    transform_zero = scipy.fft.rfft(zero, length, axis=1)
    transform = scipy.fft.rfft(whole, length, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        single = transform_zero * np.log(transform / transform_zero)
    # Where the zero loss has no such frequency nothing is left of the single losses either.
    single[~np.isfinite(single)] = 0.0
    made = scipy.fft.irfft(single, length, axis=1)[:, :n_channels]
    thickness = _thickness(rows, elastic)
    # A comparison with NaN is False: those rows are NaN too.
    return np.where((thickness <= _THICKEST)[:, None], made, np.nan)


def _continued(
    rows: NDArray[np.float64], axis: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    """Continue rows beyond their end by a power law that fades out, up to a length."""
    n_channels = rows.shape[1]
    n_tail = max(4, int(_TAIL * n_channels))
    step = (axis[-1] - axis[0]) / (n_channels - 1)
    first, second = rows[:, -2 * n_tail : -n_tail].mean(axis=1), rows[:, -n_tail:].mean(axis=1)
    energies = [axis[-k * n_tail : axis.size - (k - 1) * n_tail].mean() for k in (2, 1)]
    n_more = length - n_channels
    beyond = axis[-1] + step * np.arange(1, n_more + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        power = np.log(first / second) / np.log(energies[1] / max(energies[0], step))
    power = np.clip(np.where(np.isfinite(power), power, 6.0), 1.0, 12.0)
    tail = np.maximum(second, 0)[:, None] * (beyond / energies[1]) ** -power[:, None]
    # The last third stays empty, so that the end does not meet the beginning again.
    fade = np.clip((n_more * 2 / 3 - np.arange(n_more)) / max(n_more / 3, 1), 0, 1)
    tail *= 0.5 - 0.5 * np.cos(np.pi * fade)
    return np.concatenate([rows, tail], axis=1)


def _check_steps(axis: NDArray[np.float64], dim: str) -> None:
    steps = np.diff(axis)
    if axis.size < 8 or not (steps[0] > 0 and np.allclose(steps, steps.mean(), rtol=1e-3, atol=0)):
        msg = f"the axis {dim!r} needs eight channels or more in equal steps: use correct_sampling"
        raise SettingError(msg)


def _check_pair(spectra: xr.DataArray, low_loss: xr.DataArray) -> None:
    if spectra.dims[:-1] != low_loss.dims[:-1] or spectra.shape[:-1] != low_loss.shape[:-1]:
        msg = (
            f"core losses are {dict(spectra.sizes)}, low losses {dict(low_loss.sizes)}: give both "
            "of the same rows"
        )
        raise KindError(msg)
    (core, unit), (low, unit_low) = channel_axis_of(spectra), channel_axis_of(low_loss)
    if unit != unit_low:
        msg = f"core losses are in {unit}, low losses in {unit_low}"
        raise UnitError(msg)
    _check_steps(core, str(spectra.dims[-1]))
    _check_steps(low, str(low_loss.dims[-1]))
    steps = np.diff(core).mean(), np.diff(low).mean()
    if not np.isclose(*steps, rtol=1e-3):
        msg = (
            f"channels of the core losses are {steps[0]:.4g} {unit} wide, of the low losses "
            f'{steps[1]:.4g} {unit}: bring one to the other by correct_sampling(step="...")'
        )
        raise SettingError(msg)


def _with_low_loss(
    spectra: xr.DataArray, low_loss: xr.DataArray, elastic: NDArray[np.bool_]
) -> xr.DataArray:
    """Deconvolve rows of core losses, each of which carries its low losses at its end."""
    dim, n_core = spectra.dims[-1], spectra.shape[-1]
    dtype = np.result_type(spectra.dtype, np.float32)
    low_bare, core_bare = (
        xr.DataArray(one.astype(dtype).data, dims=spectra.dims) for one in (low_loss, spectra)
    )
    carried = xr.concat([core_bare, low_bare], dim=dim)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        return _fourier_ratio(wide[:, :n_core], wide[:, n_core:], elastic)

    made = by_rows(carried, work, n_columns=n_core)
    return spectra.copy(data=made.data)


def _fourier_ratio(
    core: NDArray[np.float64], low: NDArray[np.float64], elastic: NDArray[np.bool_]
) -> NDArray[np.float64]:
    n_channels = core.shape[1]
    length = scipy.fft.next_fast_len(2 * max(n_channels, low.shape[1]), real=True)
    # What scattered beyond the end comes from channels that were measured: none are missing.
    transform_low = scipy.fft.rfft(low, length, axis=1)
    transform_zero = scipy.fft.rfft(np.where(elastic, low, 0.0), length, axis=1)
    last = core[:, -max(4, n_channels // 20) :].mean(axis=1, keepdims=True)
    fade = 0.5 + 0.5 * np.cos(np.pi * np.linspace(0, 1, length - n_channels))
    padded = np.concatenate([core, last * fade], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = transform_zero / transform_low
    ratio[~np.isfinite(ratio)] = 0.0
    made = scipy.fft.irfft(scipy.fft.rfft(padded, axis=1) * ratio, length, axis=1)[:, :n_channels]
    # A single NaN of the low losses leaves no frequency known.
    counted = (np.where(elastic, low, 0.0).sum(axis=1) > 0) & np.isfinite(low).all(axis=1)
    return np.where(counted[:, None], made, np.nan)
