"""The response of an instrument to a pulse, told from decays alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

from adatom.curves.decay_models import Excitation, Timing, timing_of
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.decays import rise_of, total_of
from adatom.numerics.poisson_fits import PoissonFit, fit_poisson
from adatom.schema import FEATURES, Features, add_note
from adatom.units import Time

Floats = NDArray[np.float64]

# Lifetimes of the sum of all decays, over its mean time: three describe the sum of many.
_LIFETIMES: Final = (0.3, 1.0, 2.5)
_N: Final = len(_LIFETIMES)
_CENTER, _WIDTH, _LEVEL = 2 * _N, 2 * _N + 1, 2 * _N + 2
# From a tenth to half of its height a Gaussian edge takes 1.28 standard deviations.
_TENTH: Final = 1.2816
# The Gaussian rests long before lifetimes that many sums of three describe alike.
_STEPS: Final = 60


def estimate_response(decays: Features, /, *, period: Time | None = None) -> Features:
    """Estimate a Gaussian instrument response from how the decays rise.

    The sum of all decays is fitted with three exponentials convolved with a
    Gaussian, and a background, by maximum likelihood of the counts; the
    Gaussian is given. Better is a recorded response, which need not be a
    Gaussian: scattered light, or a dye whose lifetime is quenched.

    Parameters
    ----------
    decays : Features
        Counts (..., time) in ns with some channels before the pulse. One
        pass over them.
    period : time, optional
        Between two pulses, such as "12.5 ns" at 80 MHz.

    Returns
    -------
    Features
        (site, time), one row on the axis of the decays, its sum 1. Center
        and width (standard deviation) in ns are in the notes and as
        ``attrs["center"]`` and ``attrs["width"]``.

    Raises
    ------
    SettingError
        If no pulse shows, or the decays begin with it, so that its rise is
        not seen.

    Examples
    --------
    >>> from adatom.simulation import simulate_flim_map
    >>> made = simulate_flim_map(size=16)
    >>> response = estimate_response(made.decays, period="12.5 ns")
    >>> round(response.attrs["center"], 2), round(response.attrs["width"], 1)
    (1.5, 0.1)
    """
    FEATURES.check(decays)
    timing = timing_of(decays, period)
    total = total_of(blocks(decays)).counts
    rise = rise_of(total)
    if rise.half < 1:
        msg = (
            "the sum of the decays is high from its first channel on, its rise is not seen: "
            "give a recorded response to fit_decays, or use fit_decay_tails"
        )
        raise SettingError(msg)
    fit = _fit_rise(total, timing, rise.foot, rise.half, rise.level)
    center = float(fit.parameters[0, _CENTER])
    width = float(np.exp(fit.parameters[0, _WIDTH]))
    shares = _gaussian(timing.edges, center, width)[0]
    dim = str(decays.dims[-1])
    dtype = np.result_type(decays.dtype, np.float32)
    response = xr.DataArray(
        shares[None].astype(dtype),
        dims=("site", dim),
        coords={dim: decays.coords[dim]},
        name="response",
        attrs={"units": "1", "center": center, "width": width},
    )
    quality = float(fit.deviance[0]) / max(len(total) - _LEVEL - 1, 1)
    add_note(
        response,
        f"A Gaussian at {center:.4g} ns, standard deviation {width:.3g} ns, found from the rise of "
        f"the sum of all decays (deviance {quality:.3g} per degree of freedom).",
    )
    if width < 0.5 * float(timing.widths.min()):
        add_note(response, "It is narrower than a channel: its width is not resolved.")
    return response


def _gaussian(edges: Floats, center: float, width: float) -> tuple[Floats, Floats, Floats]:
    """Give shares of the channels, and slopes with the center and the log of the width."""
    scaled = (edges - center) / width
    density = np.exp(-(scaled**2) / 2) / np.sqrt(2 * np.pi)
    return np.diff(ndtr(scaled)), -np.diff(density) / width, -np.diff(density * scaled)


def _fit_rise(total: Floats, timing: Timing, foot: float, half: float, level: float) -> PoissonFit:
    channels = np.arange(len(timing.edges)) - 0.5
    begin, middle = np.interp([foot, half], channels, timing.edges)
    step = float(timing.widths.min())
    width = max((middle - begin) / _TENTH, step)
    since = timing.centers - middle
    left = np.where(since > 0, np.maximum(total - level, 0.0), 0.0)
    mean = float((left * since).sum() / left.sum()) if left.sum() > 0 else 0.1 * timing.window
    low, high = np.log(timing.lifetime_range)
    start = np.concatenate(
        [
            np.full(_N, max(total.sum() - level * len(total), 1.0) / _N),
            np.log(mean * np.array(_LIFETIMES)),
            [middle, np.log(width), level * len(total)],
        ]
    )
    widths = np.log([0.1 * step, timing.window / 8])
    lower = np.array([0.0] * _N + [low] * _N + [timing.edges[0], widths[0], 0.0])
    upper = np.array([np.inf] * _N + [high] * _N + [timing.edges[-1], widths[1], np.inf])
    excitation = Excitation(timing, np.zeros(len(total)))

    def expected(parameters: Floats, _numbers: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return _rise(parameters[0], excitation)

    return fit_poisson(
        expected, total[None], start[None], lower[None], upper[None], max_steps=_STEPS
    )


def _rise(parameters: Floats, excitation: Excitation) -> tuple[Floats, Floats]:
    timing = excitation.timing
    photons, tau = parameters[:_N], np.exp(parameters[_N:_CENTER])
    parts = _gaussian(timing.edges, parameters[_CENTER], np.exp(parameters[_WIDTH]))
    # A convolution is linear in the response, so its slopes are convolved alike.
    (shares, slopes), (by_center, _), (by_width, _) = (
        replace(excitation, response=part).shares(tau) for part in parts
    )
    jacobian = np.empty((len(timing.widths), _LEVEL + 1))
    jacobian[:, :_N] = shares.T
    jacobian[:, _N:_CENTER] = (slopes * photons[:, None]).T
    jacobian[:, _CENTER] = photons @ by_center
    jacobian[:, _WIDTH] = photons @ by_width
    jacobian[:, _LEVEL] = timing.widths / timing.window
    counts = photons @ shares + parameters[_LEVEL] * jacobian[:, _LEVEL]
    return counts[None], jacobian[None]
