"""What fits of decays give: parameters with names, units and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.numerics.poisson_fits import PoissonFit
from adatom.schema import Features, add_note

Floats = NDArray[np.float64]


class DecayFit(NamedTuple):
    """What `fit_decays` and `fit_decay_tails` give.

    Of ``sum_k alpha_k exp(-t / tau_k)`` the *amplitude fraction* is
    ``alpha_k / sum alpha``, the share of emitters (of equal brightness at
    time zero); the *photon fraction* is ``alpha_k tau_k / sum alpha tau``,
    the share of the light, also called intensity or fractional contribution.
    """

    lifetimes: Features
    """(..., component) in ns, rising."""
    fractions: Features
    """(..., component), photon fractions, adding up to 1."""
    parameters: Features
    """(..., parameter): ``photons_k``, ``lifetime_k``, ``photon_fraction_k``,
    ``amplitude_fraction_k`` of every component, then ``background`` (counts
    of all channels), ``mean_lifetime`` (over photons),
    ``amplitude_mean_lifetime`` and ``reduced_deviance`` (about 1 for a good
    fit to many counts a channel); of one lifetime without fractions and
    means. Coordinate ``unit (parameter)``."""
    errors: Features
    """(..., parameter), standard errors of the same; NaN at a bound, as for
    a fraction of zero, and where a lifetime is held."""


_OF_COMPONENT = {
    "photons": "1", "lifetime": "ns", "photon_fraction": "1", "amplitude_fraction": "1"
}  # fmt: skip
_OF_ROW = {
    "background": "1", "mean_lifetime": "ns", "amplitude_mean_lifetime": "ns",
    "reduced_deviance": "1",
}  # fmt: skip


_OF_ONE = ("photons_1", "lifetime_1", "background", "reduced_deviance")


def parameter_units(n_lifetimes: int, /) -> dict[str, str]:
    """Name the parameters of so many lifetimes, with their units, in order.

    Of one lifetime there are neither fractions nor means.

    Examples
    --------
    >>> list(parameter_units(1))
    ['photons_1', 'lifetime_1', 'background', 'reduced_deviance']
    """
    everything = _all_units(n_lifetimes)
    if n_lifetimes > 1:
        return everything
    return {name: everything[name] for name in everything if name in _OF_ONE}


def _all_units(n_lifetimes: int) -> dict[str, str]:
    numbers = range(1, n_lifetimes + 1)
    named = {f"{name}_{k}": unit for name, unit in _OF_COMPONENT.items() for k in numbers}
    return named | _OF_ROW


def rows_from_fit(
    fit: PoissonFit, dof: NDArray[np.intp], held: Floats | None, /, *, n_lifetimes: int, flat: bool
) -> tuple[Floats, Floats]:
    """Give parameters as `DecayFit` tells them, and their errors, row by row.

    Parameters
    ----------
    fit : PoissonFit
        Photons, logs of lifetimes unless held, background if `flat`.
    dof : array, shape (row,)
        Channels less parameters.
    held : array, shape (component,), optional
        Lifetimes in ns.
    """
    k = n_lifetimes
    n_rows = len(fit.parameters)
    photons = fit.parameters[:, :k]
    if held is None:
        tau = np.exp(fit.parameters[:, k : 2 * k])
        order = np.argsort(tau, axis=1, kind="stable")
    else:
        tau = np.broadcast_to(held, (n_rows, k))
        order = np.broadcast_to(np.arange(k), (n_rows, k))
    values, slopes = _told(photons, tau)
    jacobian = np.zeros((n_rows, values.shape[1], fit.parameters.shape[1]))
    jacobian[:, :, :k] = slopes[..., 0]
    if held is None:
        jacobian[:, :, k : 2 * k] = slopes[..., 1]
    errors = np.sqrt(np.einsum("rip,rpq,riq->ri", jacobian, fit.covariance, jacobian))
    level = fit.parameters[:, -1:] if flat else np.zeros((n_rows, 1))
    level_error = fit.errors[:, -1:] if flat else np.full((n_rows, 1), np.nan)
    quality = (fit.deviance / dof)[:, None]
    number = np.concatenate([order + part * k for part in range(4)], axis=1)
    own, rest = slice(None, 4 * k), slice(4 * k, None)
    told = [np.take_along_axis(values[:, own], number, axis=1), level, values[:, rest], quality]
    unsure = [
        np.take_along_axis(np.where(errors > 0, errors, np.nan)[:, own], number, axis=1),
        level_error,
        np.where(errors > 0, errors, np.nan)[:, rest],
        np.full((n_rows, 1), np.nan),
    ]
    at_rest = np.where(fit.converged, 1.0, np.nan)[:, None]
    wanted = np.isin(list(_all_units(k)), list(parameter_units(k)))
    return (
        np.concatenate(told, axis=1)[:, wanted] * at_rest,
        np.concatenate(unsure, axis=1)[:, wanted] * at_rest,
    )


def _told(photons: Floats, tau: Floats) -> tuple[Floats, Floats]:
    """Give what is told of the components and of the whole, (row, told).

    And its slopes with the photons and with the logs of the lifetimes,
    (row, told, component, which).
    """
    one = np.eye(photons.shape[1])
    total = photons.sum(axis=1, keepdims=True)
    heights = photons / tau
    height = heights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        light, emitters = photons / total, heights / height
        mean, short = (light * tau).sum(axis=1, keepdims=True), total / height
        values = [photons, tau, light, emitters, mean, short]
        zero = np.zeros((len(photons), *one.shape))
        light_slope = (one - light[:, :, None]) / total[:, :, None]
        emitters_slope = (one - emitters[:, :, None]) / height[:, :, None]
        with_photons = [
            zero + one,
            zero,
            light_slope,
            emitters_slope / tau[:, None, :],
            ((tau - mean) / total)[:, None, :],
            (1 / height - total / (height**2 * tau))[:, None, :],
        ]
        with_logs = [
            zero,
            one * tau[:, None, :],
            zero,
            -emitters_slope * heights[:, None, :],
            (light * tau)[:, None, :],
            (total / height**2 * heights)[:, None, :],
        ]
    slopes = np.stack(
        [np.concatenate(with_photons, axis=1), np.concatenate(with_logs, axis=1)], axis=-1
    )
    return np.concatenate(values, axis=1), slopes


def fit_from_rows(
    decays: xr.DataArray, values: NDArray[Any], errors: NDArray[Any], /, *, n_lifetimes: int
) -> DecayFit:
    """Bring rows of parameters and errors to the places of the decays."""
    units = parameter_units(n_lifetimes)
    dim = decays.dims[-1]
    coords = {name: coord for name, coord in decays.coords.items() if dim not in coord.dims}
    named = {"parameter": list(units), "unit": ("parameter", list(units.values()))}

    def placed(rows: NDArray[Any], name: str) -> xr.DataArray:
        shaped = rows.reshape(*decays.shape[:-1], len(units))
        dims = (*decays.dims[:-1], "parameter")
        return xr.DataArray(shaped, dims=dims, coords={**coords, **named}, name=name)

    parameters = placed(values, "decay_parameter")
    k = n_lifetimes
    lifetimes = _components(parameters[..., k : 2 * k], "lifetime", "ns")
    if k > 1:
        fractions = _components(parameters[..., 2 * k : 3 * k], "photon_fraction", "1")
    else:
        # Where there is a lifetime at all, all photons have it.
        fractions = (lifetimes * 0 + 1).rename("photon_fraction").assign_attrs(units="1")
    fit = DecayFit(lifetimes, fractions, parameters, placed(errors, "standard_error"))
    n_lost = int(np.isnan(values[:, 0]).sum())
    if n_lost:
        told = f"{n_lost} of {len(values)} decays have too few photons or no best fit: NaN."
        for part in fit:
            add_note(part, told)
    n_bound = int((np.isnan(errors[:, k : 2 * k]) & ~np.isnan(values[:, k : 2 * k])).any(1).sum())
    if n_bound:
        told = (
            f"{n_bound} of {len(values)} decays have a lifetime without error: held or at a bound."
        )
        add_note(fit.errors, told)
    return fit


def _components(part: xr.DataArray, name: str, unit: str) -> xr.DataArray:
    found = part.drop_vars(["parameter", "unit"]).rename(parameter="component").rename(name)
    found = found.assign_coords(component=np.arange(1, part.shape[-1] + 1))
    found.attrs = {"units": unit}
    return found.copy()


def described(fit: DecayFit, note: str, attrs: Mapping[str, Any], /) -> DecayFit:
    """Tell in every part how it was fitted, and in the parameters all that a curve needs."""
    for part in fit:
        add_note(part, note)
    fit.parameters.attrs.update(attrs)
    return fit
