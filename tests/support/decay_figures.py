"""How near fits of simulated decays come to the truth and to the Cramer-Rao bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.clustering import class_sums
from adatom.curves import estimate_response, fit_decays
from adatom.simulation import Decay, FlimSimulation, PhotonTimer, simulate_flim_map

TIMER = PhotonTimer()
PERIOD = "12.5 ns"
LIFETIMES = (0.8, 2.0)
MIXED = 0.6
PHOTONS, BACKGROUND = 1000.0, 20.0


def simulated(seed: int) -> FlimSimulation:
    """Simulate two lifetimes and a 60/40 mixture of their light, 64 x 64 pixels or more each."""
    return simulate_flim_map(size=111, photons=PHOTONS, background=BACKGROUND, seed=seed)


class SumErrors(NamedTuple):
    """Relative errors from class sums."""

    own: NDArray[np.float64]
    """Of the lifetimes of the two pure classes, each fitted alone."""
    shared: NDArray[np.float64]
    """Of both lifetimes, fitted to all classes together."""
    fraction: float
    """Of the photon fraction of the faster in the mixture."""
    amplitude_fraction: float
    """Of its amplitude fraction."""


def sum_errors(made: FlimSimulation) -> SumErrors:
    """Fit the sums of the classes; the response is found from the decays as well."""
    response = estimate_response(made.decays, period=PERIOD)
    sums = class_sums(made.decays, made.classes)
    truth = np.array(LIFETIMES)
    own = fit_decays(sums[:2], response, period=PERIOD).lifetimes.values.ravel()
    both = fit_decays(sums, response, n_lifetimes=2, shared=True, period=PERIOD)
    amplitude = both.parameters.sel(parameter="amplitude_fraction_1").values[2]
    emitters = Decay(LIFETIMES, (MIXED, 1 - MIXED)).amplitude_fractions[0]
    return SumErrors(
        own / truth - 1,
        both.lifetimes.values[0] / truth - 1,
        float(both.fractions.values[2, 0] / MIXED - 1),
        float(amplitude / emitters - 1),
    )


class PixelErrors(NamedTuple):
    """Lifetimes of single pixels, class by class."""

    bias: NDArray[np.float64]
    """Mean over truth, less one."""
    over_bound: NDArray[np.float64]
    """Their standard deviation over the Cramer-Rao bound."""
    told: NDArray[np.float64]
    """The root of the mean square of their standard errors over that bound."""


def pixel_errors(made: FlimSimulation) -> PixelErrors:
    """Fit each pixel of the two pure classes alone."""
    response = estimate_response(made.decays, period=PERIOD)
    label = made.classes["label"].values
    rows = made.decays.values[label < 2]
    decays = xr.DataArray(
        rows.astype(float), dims=("site", "time"), coords={"time": made.decays.coords["time"]}
    )
    fit = fit_decays(decays, response, period=PERIOD)
    found = fit.lifetimes.values[:, 0]
    errors = fit.errors.sel(parameter="lifetime_1").values
    groups = [label[label < 2] == number for number in range(2)]
    bounds = np.array([lifetime_bound(tau) for tau in LIFETIMES])
    return PixelErrors(
        np.array([found[g].mean() for g in groups]) / LIFETIMES - 1,
        np.array([found[g].std() for g in groups]) / bounds,
        np.array([np.sqrt(np.nanmean(errors[g] ** 2)) for g in groups]) / bounds,
    )


def lifetime_bound(
    lifetime: float,
    *,
    photons: float = PHOTONS,
    background: float = BACKGROUND,
    timer: PhotonTimer = TIMER,
) -> float:
    """Give the least standard deviation of a lifetime, photons and background unknown as well.

    From the Fisher information of Poisson counts in the channels of the
    timer, with its response and its period, by differences of the shares
    that the simulation draws from.
    """
    step = 1e-4 * lifetime
    shares = timer.shares([lifetime])[0]
    slope = (timer.shares([lifetime + step]) - timer.shares([lifetime - step]))[0] / (2 * step)
    even = np.full(timer.n_channels, 1 / timer.n_channels)
    expected = photons * shares + background * even
    jacobian = np.stack([shares, photons * slope, even], axis=1)
    information = jacobian.T @ (jacobian / expected[:, None])
    return float(np.sqrt(np.linalg.inv(information)[1, 1]))
