"""Mass spectra on the masses that show in them, pixel by pixel."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import channel_axis_of
from adatom.numerics.decays import total_of
from adatom.numerics.folds import map_to
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import SPECTRAL_MAP, SpectralMap, Table, add_note, table_from_columns

Floats = NDArray[np.float64]

_TOLERANCE: Final = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(ppm|Da)\s*")
# Background and noise of the mean spectrum are told from stretches of this many channels.
_STRETCH: Final = 1000


class MassPeaks(NamedTuple):
    """Spectra on the masses of peaks, and what is known of these."""

    spectra: SpectralMap
    """(y, x, mass_to_charge): the sum of every peak at every place."""
    peaks: Table
    """``mass_to_charge`` in Da, ``mean`` over all places, ``share`` of the
    places that have it, ``width``: how far apart in parts per million the
    two sides of its window are, less where two peaks are close."""


def find_mass_peaks(
    spectra: SpectralMap,
    /,
    *,
    tolerance: str = "10 ppm",
    snr: float = 5.0,
    min_share: float = 0.01,
    max_peaks: int = 2000,
) -> MassPeaks:
    """Find the masses of peaks in the mean of all spectra and sum each peak at every place.

    Pixels have masses of their own: bins of one width part a peak at their
    border, while a window around where the mean spectrum peaks keeps it
    whole. Every channel belongs to one peak at most: windows that overlap
    end half-way between the two peaks. What lies outside of all windows is
    left out, and told.

    Parameters
    ----------
    spectra : SpectralMap
        (y, x, mass_to_charge) in Da on one axis: continuous imzML as it is
        read, processed imzML with ``mass_tolerance`` a third of this
        tolerance or less. Read block by block, twice; the peaks are in memory.
    tolerance : str
        A peak reaches so far on either side, "10 ppm" of its mass or
        "0.05 Da": some three times the standard deviation of masses from
        pixel to pixel. 10 ppm for an Orbitrap or FT-ICR, 50 to 200 ppm for
        time of flight.
    snr : float
        A peak of the mean spectrum is so many times the noise above what is
        usual around it. Five, since there are some 1e5 channels. Where most
        channels are empty, as of centroids, there is no noise to compare with.
    min_share : float
        Peaks that fewer places have are noise of single places: 0.01 of
        10,000 pixels are 100.
    max_peaks : int
        Of more, the strongest are kept: components of 2000 ions take seconds.

    Returns
    -------
    MassPeaks

    Raises
    ------
    SettingError
        If a setting is out of range, no peak is found, or the axis is too
        coarse for the tolerance.
    KindError
        If the last axis is no mass.

    Examples
    --------
    >>> mass = ("mass_to_charge", 700 + 0.002 * np.arange(1000), {"units": "Da"})
    >>> rows = np.zeros((1, 3, 1000))
    >>> rows[0, 0, 299], rows[0, 1, 300], rows[0, 2, 301] = 5.0, 7.0, 5.0
    >>> axes = {"y": ("y", [0.0], {"units": "nm"}), "x": ("x", [0.0, 1.0, 2.0], {"units": "nm"})}
    >>> spectra = xr.DataArray(rows, dims=("y", "x", mass[0]), coords={**axes, mass[0]: mass})
    >>> found = find_mass_peaks(spectra)
    >>> found.spectra.mass_to_charge.values.round(3), found.spectra.values.ravel()
    (array([700.6]), array([5., 7., 5.]))
    """
    SPECTRAL_MAP.check(spectra)
    masses, unit = channel_axis_of(spectra)
    if unit != "Da" or not (np.diff(masses) > 0).all() or not masses[0] > 0:
        msg = f"the axis {spectra.dims[-1]!r} is in {unit}: need rising masses above zero in Da"
        raise KindError(msg)
    if not snr > 0 or not 0 <= min_share <= 1 or max_peaks < 1:
        msg = f"{snr=} and {max_peaks=} must be above zero and {min_share=} between 0 and 1"
        raise SettingError(msg)
    half = _half_widths(masses, tolerance)
    total = total_of(blocks(spectra))
    mean = total.counts / np.maximum(total.n_rows, 1)
    first, last, centers = _windows(masses, mean, half, snr)
    summed = _summed(spectra, first, last)
    measured = ~np.isnan(summed[:, :1])
    share = (summed > 0).sum(axis=0) / max(int(measured.sum()), 1)
    sums = np.add.reduceat(np.append(mean, 0.0), np.column_stack([first, last + 1]).ravel())[::2]
    kept = share >= min_share
    n_rare = int((~kept).sum())
    kept &= np.argsort(np.argsort(-sums * kept, kind="stable")) < max_peaks
    if not kept.any():
        msg = (
            f"none of {len(centers)} peaks is in {min_share:.2%} of the places or more: "
            "lower min_share"
        )
        raise SettingError(msg)
    held = sums[kept].sum() / max(float(np.nansum(mean)), 1e-300)
    told = (
        f"{int(kept.sum())} peaks within {tolerance} hold {held:.1%} of the intensity; left out "
        f"are {n_rare} that too few places have, {int((~kept).sum()) - n_rare} weaker ones, and "
        "what lies between."
    )
    dim = str(spectra.dims[-1])
    coords = {name: c for name, c in spectra.coords.items() if dim not in c.dims}
    result = xr.DataArray(
        summed[:, kept].reshape(*spectra.shape[:-1], -1),
        dims=spectra.dims,
        coords={**coords, dim: (dim, centers[kept], {"units": "Da"})},
        name=spectra.name,
        attrs=dict(spectra.attrs),
    )
    add_note(result, told)
    width = (masses[last] - masses[first]) / centers * 1e6
    columns = {"mass_to_charge": centers, "mean": sums, "share": share, "width": width}
    peaks = table_from_columns(
        {name: values[kept] for name, values in columns.items()},
        units={"mass_to_charge": "Da", "width": "ppm"},
    )
    add_note(peaks, told)
    return MassPeaks(result, peaks)


def _half_widths(masses: Floats, tolerance: str) -> Floats:
    match = _TOLERANCE.fullmatch(tolerance)
    if match is None or not float(match[1]) > 0:
        msg = f'{tolerance=} is no width of mass: write "10 ppm" or "0.05 Da"'
        raise UnitError(msg)
    number = float(match[1])
    half = masses * number * 1e-6 if match[2] == "ppm" else np.full(len(masses), number)
    steps = np.diff(masses)
    if len(steps) and np.median(steps / half[1:]) > 1:
        ppm = float(np.median(steps / masses[1:])) * 1e6
        msg = (
            f"{tolerance=} is less than the {ppm:.3g} ppm from channel to channel: give a larger "
            "one, or read with a smaller mass_tolerance"
        )
        raise SettingError(msg)
    return np.asarray(half)


def _windows(
    masses: Floats, mean: Floats, half: Floats, snr: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Give first and last channel and the center of every peak, by rising mass."""
    # The sum within the tolerance is highest where a window would hold most of a peak.
    low = np.searchsorted(masses, masses - half)
    high = np.searchsorted(masses, masses + half, side="right")
    running = np.concatenate([[0.0], np.cumsum(np.nan_to_num(mean))])
    around = running[high] - running[low]
    # Differences of sums leave some rounding where nothing is.
    around[around < 1e-12 * running[-1]] = 0.0
    usual, noise = _usual(around)
    chosen = _highest(masses, mean, around, half, (around > usual + snr * noise) & (around > 0))
    if not len(chosen):
        msg = f"no peak rises above {snr:g} times the noise of the mean spectrum: lower snr"
        raise SettingError(msg)
    first, last = low[chosen], high[chosen] - 1
    borders = (masses[chosen[1:]] + masses[chosen[:-1]]) / 2
    # A channel on the border belongs to the lighter peak.
    first[1:] = np.maximum(first[1:], np.searchsorted(masses, borders, side="right"))
    last[:-1] = np.minimum(last[:-1], np.searchsorted(masses, borders, side="right") - 1)
    weights = np.concatenate([[0.0], np.cumsum(np.nan_to_num(mean) * masses)])
    sums = running[last + 1] - running[first]
    centers = (weights[last + 1] - weights[first]) / np.where(sums > 0, sums, np.nan)
    centers = np.where(np.isfinite(centers), centers, masses[chosen])
    return first, last, np.clip(centers, masses[first], masses[last])


def _usual(around: Floats) -> tuple[Floats, Floats]:
    """Give median and noise of stretches of the axis, between whose middles both run straight."""
    pieces = np.array_split(around, max(1, len(around) // _STRETCH))
    ends = np.cumsum([0, *map(len, pieces)])
    middles = (ends[1:] + ends[:-1]) / 2
    medians = np.array([np.median(piece) for piece in pieces])
    noises = np.array(
        [SIGMA_OF_MAD * np.median(np.abs(p - m)) for p, m in zip(pieces, medians, strict=True)]
    )
    channels = np.arange(len(around))
    return np.interp(channels, middles, medians), np.interp(channels, middles, noises)


def _highest(
    masses: Floats, mean: Floats, around: Floats, half: Floats, allowed: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Choose channels that are highest within the tolerance, and no two within it."""
    candidates = np.flatnonzero(allowed)
    # Of windows that hold the same the one around the highest channel.
    order = candidates[np.lexsort((candidates, -mean[candidates], -around[candidates]))]
    free = np.ones(len(masses), dtype=bool)
    chosen = []
    for channel in order.tolist():
        if not free[channel]:
            continue
        ends = (masses[channel] - half[channel], masses[channel] + half[channel])
        near = slice(*np.searchsorted(masses, ends))
        # The flank of a higher peak is no peak.
        if around[near].max() <= around[channel]:
            chosen.append(channel)
            free[near] = False
    return np.sort(np.array(chosen, dtype=np.intp))


def _summed(
    spectra: SpectralMap, first: NDArray[np.intp], last: NDArray[np.intp]
) -> NDArray[np.floating]:
    """Sum every window at every place, (place, peak); NaN where a spectrum has one."""
    cut = blocks(spectra)
    edges = np.column_stack([first, last + 1]).ravel()
    summed = np.full((cut.n_rows, len(first)), np.nan, cut.dtype)

    def work(rows: NDArray[Any]) -> list[NDArray[Any]]:
        # One channel more, so that a window may end with the axis.
        wide = np.pad(rows, ((0, 0), (0, 1)))
        return [np.add.reduceat(wide, edges, axis=1)[:, ::2]]

    map_to(cut, work, [summed])
    return summed
