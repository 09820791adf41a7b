"""The shift of a lattice from the phases of its Bragg reflections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.spectrum import hann

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Waves = NDArray[np.complex128]

# Bins from a reflection at which the noise is measured: beyond the main lobe of a Hann window.
_BESIDE: Final = ((3, 0), (-3, 0), (0, 3), (0, -3), (3, 3), (-3, -3), (3, -3), (-3, 3))
_ROUNDS: Final = 4


class PhaseShifts(NamedTuple):
    """Shifts of frames from phases.

    Attributes
    ----------
    shift : ndarray, shape (frame, 2)
        In pixels; NaN where no two reflections stand above the noise.
    error : ndarray, shape (frame, 2)
        Standard errors.
    coherence : ndarray, shape (frame,)
        Share of the strength of reflections that has the phase of a shifted lattice.
    """

    shift: Floats
    error: Floats
    coherence: Floats


def reflection_waves(frame: Floats, frequency: Floats, /) -> tuple[Waves, Floats]:
    """Measure the complex strength of reflections in a frame, and the mean power beside them.

    Parameters
    ----------
    frame : ndarray, shape (y, x)
        NaN: not measured.
    frequency : ndarray, shape (reflection, 2)
        In cycles per pixel.
    """
    measured = np.isfinite(frame)
    taper = np.outer(hann(frame.shape[0]), hann(frame.shape[1])) * measured
    values = np.where(measured, frame, 0.0)
    values = (values - (values * taper).sum() / max(taper.sum(), 1e-300)) * taper
    bins = 1 / np.array(frame.shape, dtype=float)
    beside = frequency[:, None, :] + np.array(_BESIDE) * bins
    everywhere = np.concatenate([frequency, beside.reshape(-1, 2)])
    found = _transform(values, everywhere) / max(float(taper.sum()), 1e-300)
    waves, around = found[: len(frequency)], found[len(frequency) :]
    # The median, since beside one reflection there may lie another.
    power = np.median(np.abs(around.reshape(len(frequency), -1)) ** 2, axis=1) / np.log(2)
    return waves, power


def _transform(values: Floats, frequency: Floats) -> Waves:
    y, x = (np.arange(size) for size in values.shape)
    rows = np.exp(-2j * np.pi * frequency[:, :1] * y) @ values
    return np.asarray((rows * np.exp(-2j * np.pi * frequency[:, 1:] * x)).sum(axis=1))


def shifts_from_phases(
    waves: Waves, noise: Floats, frequency: Floats, start: Floats, /
) -> PhaseShifts:
    """Find shifts from phases, each the nearest to its start: others are lattice vectors away.

    Parameters
    ----------
    waves : ndarray, shape (frame, reflection)
    noise : ndarray, shape (frame, reflection)
        Power beside the reflections.
    frequency : ndarray, shape (reflection, 2)
    start : ndarray, shape (frame, 2)
        In pixels, to a quarter of the lattice vectors or so; NaN where not known.
    """
    shift = start.copy()
    known = np.asarray(np.isfinite(start).all(axis=1))
    error = np.full(start.shape, np.nan)
    coherence = np.full(len(start), np.nan)
    for _ in range(_ROUNDS):
        turned = waves * np.exp(2j * np.pi * (np.where(known[:, None], shift, 0) @ frequency.T))
        common = turned[known].mean(axis=0)
        for k in np.flatnonzero(known):
            weight = np.abs(common) ** 2 / np.maximum(noise[k], 1e-300)
            left = -np.angle(turned[k] * np.conj(common)) / (2 * np.pi)
            normal = (frequency.T * weight) @ frequency
            if not np.linalg.cond(normal) < 1e8:
                shift[k] = np.nan
                continue
            bread = np.linalg.inv(normal)
            step = bread @ ((frequency.T * weight) @ left)
            shift[k] = shift[k] + step
            # A phase has the variance noise / (2 strength^2) of its wave, or what the fit leaves.
            free = len(frequency) - 2
            rest = 2 * (2 * np.pi) ** 2 * (weight * (left - frequency @ step) ** 2).sum()
            worse = max(1.0, rest / free) if free else 1.0
            error[k] = np.sqrt(np.diag(bread) * worse / 2) / (2 * np.pi)
            strength = np.abs(waves[k]) * np.abs(common)
            coherence[k] = float(
                np.real((turned[k] * np.conj(common)).sum()) / max(strength.sum(), 1e-300)
            )
        known &= np.isfinite(shift).all(axis=1)
    return PhaseShifts(shift, error, coherence)
