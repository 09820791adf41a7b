"""How wide the lines of spectra are, told from the spectra themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.signal

from adatom.numerics.medians import SIGMA_OF_MAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Above this many times the noise a peak of a thousand channels is no chance.
_CLEAR: Final = 5.0
# What is wider than this share of the axis cannot be told from a background.
_WIDEST: Final = 0.25
# Spectrometers sample their lines by three channels or more; what is narrower is a spike.
_NARROWEST: Final = 3.0
# Most of what stands out is no wider: a few broad humps of a background do not count.
_SHARE: Final = 0.75


def line_width_of(axis: NDArray[np.float64], spectrum: NDArray[np.float64], /) -> float | None:
    """Give a full width at half maximum that most lines of a spectrum do not exceed.

    The widths of all clear peaks at half of their prominence are counted by
    their prominence, and three quarters of it lie below: a few broad humps
    of a background do not sway it, nor many weak wiggles.

    Parameters
    ----------
    axis : array, shape (channel,)
        Strictly monotonic.
    spectrum : array, shape (channel,)
        Such as the mean of many, so that noise is low; finite.

    Returns
    -------
    float or None
        In the unit of the axis; None if no peak stands out of the noise.

    Examples
    --------
    >>> axis = np.arange(0.0, 200.0)
    >>> line = np.exp(-4 * np.log(2) * ((axis - 100) / 12) ** 2)
    >>> round(line_width_of(axis, line), 1)
    12.0
    """
    # Second differences see the noise, not the slopes of lines; sqrt(6) noises make one of them.
    second = np.diff(spectrum, 2)
    noise = SIGMA_OF_MAD * float(np.median(np.abs(second - np.median(second)))) / np.sqrt(6)
    least = max(_CLEAR * noise, 1e-9 * float(np.ptp(spectrum)))
    if not least > 0:
        return None
    peaks, found = scipy.signal.find_peaks(spectrum, prominence=least)
    _, _, left, right = scipy.signal.peak_widths(spectrum, peaks, rel_height=0.5)
    number = np.arange(len(axis))
    widths = np.abs(np.interp(right, number, axis) - np.interp(left, number, axis))
    kept = (widths <= _WIDEST * abs(axis[-1] - axis[0])) & (right - left >= _NARROWEST)
    if not kept.any():
        return None
    widths, weights = widths[kept], found["prominences"][kept]
    order = np.argsort(widths)
    share = np.cumsum(weights[order])
    return float(widths[order][np.searchsorted(share, _SHARE * share[-1])])
