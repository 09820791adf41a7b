"""Decays as points of a plane: cosine and sine transform at the repetition of the laser."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.curves.decay_models import check_same_channels, nanoseconds, timing_of
from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows
from adatom.numerics.decays import total_of
from adatom.numerics.measures import measures_by_rows
from adatom.schema import FEATURES, Features, add_note
from adatom.units import Time

_NAMES: Final = ["g", "s"]


def phasors_from_decays(
    decays: Features,
    reference: Features | None = None,
    /,
    *,
    period: Time | None = None,
    harmonic: int = 1,
    reference_lifetime: Time | None = None,
) -> Features:
    """Turn every decay into a point (g, s) of the phasor plot [1]_.

    ``g = sum n cos(w t) / sum n`` and ``s = sum n sin(w t) / sum n``, with
    ``w = 2 pi harmonic / period``. A single lifetime lies on the half circle
    of radius 1/2 around (1/2, 0), a mixture on the line between its parts,
    at its *photon* fractions. Take the background off first,
    `correction.correct_decay_background`: it draws points to the origin.

    Parameters
    ----------
    decays : Features
        Counts (..., time) in ns. Numpy gives numpy; dask gives dask.
    reference : Features, optional
        What the instrument makes of a known decay: turned and stretched to
        where it belongs, it takes the decays along [2]_. The instrument
        response recorded or from `estimate_response`, or, with
        `reference_lifetime`, a dye. All rows are summed. Without it the
        pulse is taken to be at time zero and infinitely short.
    period : time, optional
        Between two pulses, such as "12.5 ns" at 80 MHz; by default the whole
        window of the time axis.
    harmonic : int
        Of the repetition frequency. Higher ones part short lifetimes.
    reference_lifetime : time, optional
        Of the reference, if it is a dye with one lifetime.

    Returns
    -------
    Features
        (..., phasor) with g and s, without unit; the angular frequency in
        1/ns is ``attrs["angular_frequency"]``. Rows without counts are NaN.
        The photon-weighted center of many rows is the phasor of their sum.

    Raises
    ------
    SettingError
        If the harmonic is below 1, the period shorter than the window, or a
        lifetime is given without reference.
    KindError
        If the axis is no time, or that of the reference differs.

    Examples
    --------
    >>> time = ("time", np.arange(0.005, 12.5, 0.01), {"units": "ns"})
    >>> counts = np.exp(-time[1] / 2.0)[None]
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> phasors_from_decays(decays, period="12.5 ns").values.round(2)
    array([[0.5, 0.5]])

    References
    ----------
    .. [1] M. A. Digman et al., Biophys. J. 94, L14 (2008).
    .. [2] S. Ranjit et al., Nat. Protoc. 13, 1979 (2018).
    """
    FEATURES.check(decays)
    if harmonic < 1 or (reference is None and reference_lifetime is not None):
        msg = f"{harmonic=} must be 1 or more; {reference_lifetime=} needs a reference"
        raise SettingError(msg)
    timing = timing_of(decays, period)
    omega = 2 * np.pi * harmonic / (timing.period or timing.window)
    waves = np.exp(1j * omega * timing.centers)
    turn = 1.0 + 0.0j
    if reference is not None:
        turn = _calibration(reference, decays, waves, omega, reference_lifetime)
    waves = waves * turn

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        total = wide.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = 1 / np.where(total > 0, total, np.nan)
        return np.stack([(wide * wave).sum(axis=1) * share for wave in (waves.real, waves.imag)], 1)

    phasors = by_rows(decays, work, n_columns=2).rename(measure="phasor")
    phasors = phasors.assign_coords(phasor=_NAMES).rename("phasor")
    phasors.attrs = {"units": "1", "angular_frequency": float(omega)}
    span = timing.period or timing.window
    add_note(phasors, f"Phasors of harmonic {harmonic} of {1e3 / span:.5g} MHz.")
    if timing.window < 0.99 * span:
        add_note(
            phasors,
            f"The window of {timing.window:.4g} ns is shorter than the period of {span:.4g} ns: "
            "long lifetimes lie off the half circle",
        )
    return phasors


def _calibration(
    reference: xr.DataArray,
    decays: xr.DataArray,
    waves: NDArray[np.complex128],
    omega: float,
    lifetime: Time | None,
) -> complex:
    """Give the factor that takes the reference to where it belongs."""
    FEATURES.check(reference, name="reference")
    check_same_channels(timing_of(decays, None), reference, name="reference")
    counts = total_of(blocks(reference)).counts
    if not counts.sum() > 0:
        msg = "the reference holds no counts"
        raise KindError(msg)
    found = complex((counts * waves).sum() / counts.sum())
    tau = 0.0 if lifetime is None else nanoseconds(lifetime, name="reference_lifetime")
    return 1 / (1 - 1j * omega * tau) / found


def _plane(phasors: Features) -> tuple[xr.DataArray, float]:
    FEATURES.check(phasors, name="phasors")
    omega = phasors.attrs.get("angular_frequency")
    if phasors.dims[-1] != "phasor" or phasors.sizes["phasor"] != 2 or omega is None:
        msg = (
            f"found dims {tuple(phasors.dims)}, need (..., phasor) with g and s and "
            "attrs['angular_frequency']: make them with curves.phasors_from_decays"
        )
        raise KindError(msg)
    return phasors, float(omega)


def lifetimes_from_phasors(phasors: Features, /) -> Features:
    """Give the lifetime by phase and the lifetime by modulation of every phasor [1]_.

    Both are the lifetime of a single exponential; of a mixture the one by
    phase is the shorter.

    Parameters
    ----------
    phasors : Features
        Of `phasors_from_decays`. Numpy gives numpy; dask gives dask.

    Returns
    -------
    Features
        (..., component) in ns, "phase" and "modulation"; NaN where noise
        puts a phasor where no lifetime does: left of the s axis, below the
        g axis, or out of the circle of radius one.

    Raises
    ------
    KindError
        If these are no phasors.

    Examples
    --------
    >>> phasors = xr.DataArray([[0.5, 0.5]], dims=("site", "phasor"),
    ...     attrs={"angular_frequency": 0.5})
    >>> lifetimes_from_phasors(phasors).values.round(6)
    array([[2., 2.]])

    References
    ----------
    .. [1] R. D. Spencer and G. Weber, Ann. N. Y. Acad. Sci. 158, 361 (1969).
    """
    plane, omega = _plane(phasors)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        g, s = rows.astype(np.float64).T
        square = g**2 + s**2
        with np.errstate(invalid="ignore", divide="ignore"):
            phase = np.where((g > 0) & (s >= 0), s / (omega * g), np.nan)
            modulation = np.where(square <= 1, np.sqrt(1 / square - 1) / omega, np.nan)
        return np.stack([phase, modulation], 1)

    found = by_rows(plane, work, n_columns=2).rename(measure="component").rename("lifetime")
    found = found.assign_coords(component=["phase", "modulation"])
    found.attrs = {"units": "ns"}
    return found


class PhasorFractions(NamedTuple):
    """Fractions of two lifetimes, by their phasors."""

    fractions: Features
    """(..., component), photon fractions; below 0 or above 1 by noise."""
    amplitude_fractions: Features
    """(..., component), shares of the emission at time zero."""
    distances: Features
    """(..., measure): how far from the line a phasor is, to the origin's side
    above zero: small where it is a mixture of these two."""


def fractions_from_phasors(
    phasors: Features, /, *, lifetimes: tuple[Time, Time]
) -> PhasorFractions:
    """Split every phasor into two known lifetimes, by projection on the line between them [1]_.

    Parameters
    ----------
    phasors : Features
        Of `phasors_from_decays`, calibrated. Numpy gives numpy; dask gives dask.
    lifetimes : tuple of two times
        Such as ("0.8 ns", "2.0 ns").

    Returns
    -------
    PhasorFractions
        Not clipped, so that means over pixels are right.

    Raises
    ------
    SettingError
        If the lifetimes are equal or not above zero.
    KindError
        If these are no phasors.

    Examples
    --------
    >>> phasors = xr.DataArray([[0.75, 0.25]], dims=("site", "phasor"),
    ...     attrs={"angular_frequency": 0.5})
    >>> fractions_from_phasors(phasors, lifetimes=("0 ns", "2 ns"))
    Traceback (most recent call last):
    adatom.errors.SettingError: lifetimes=('0 ns', '2 ns') must be two different times above zero
    >>> fractions_from_phasors(phasors, lifetimes=("2 ns", "1e-6 ns")).fractions.values.round(4)
    array([[0.5, 0.5]])

    References
    ----------
    .. [1] M. A. Digman et al., Biophys. J. 94, L14 (2008).
    """
    plane, omega = _plane(phasors)
    one, other = (nanoseconds(text, name="lifetimes") for text in lifetimes)
    if not min(one, other) > 0 or one == other:
        msg = f"{lifetimes=} must be two different times above zero"
        raise SettingError(msg)
    first, second = (1 / (1 - 1j * omega * tau) for tau in (one, other))
    along = first - second

    def parts(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        here = (rows[:, 0].astype(float) + 1j * rows[:, 1] - second) / along
        return here.real, here.imag * abs(along)

    def light(rows: NDArray[Any]) -> NDArray[Any]:
        share, _ = parts(rows)
        return np.stack([share, 1 - share], 1)

    def emitters(rows: NDArray[Any]) -> NDArray[Any]:
        share, _ = parts(rows)
        heights = np.stack([share / one, (1 - share) / other], 1)
        return np.asarray(heights / heights.sum(axis=1, keepdims=True))

    # Counted so that the inside of the half circle, where three lifetimes mix, is above zero.
    side = float(np.sign(((0.5 - second) / along).imag))

    def off(rows: NDArray[Any]) -> NDArray[Any]:
        return side * parts(rows)[1][:, None]

    made = [by_rows(plane, work, n_columns=2) for work in (light, emitters)]
    named = [part.rename(measure="component").assign_coords(component=[1, 2]) for part in made]
    distances = measures_by_rows(plane, off, {"distance_from_line": "1"}, name="distance_from_line")
    for part, name in zip(named, ("photon_fraction", "amplitude_fraction"), strict=True):
        part.name = name
    for part in named:
        part.attrs = {"units": "1"}
    return PhasorFractions(named[0], named[1], distances)
