"""Lifetimes of decays by maximum likelihood of their counts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adatom.curves.decay_counts import CountModel
from adatom.curves.decay_models import Excitation, Timing, nanoseconds, response_shares, timing_of
from adatom.curves.decay_results import DecayFit, described
from adatom.curves.decay_rows import fit_rows, fit_shared
from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.decays import rise_of, total_of
from adatom.schema import FEATURES, Features
from adatom.units import Time

_MOST_LIFETIMES: Final = 4


def fit_decay_tails(
    decays: Features,
    /,
    *,
    start: Time | None = None,
    n_lifetimes: int = 1,
    background: bool = True,
) -> DecayFit:
    """Fit exponentials to what follows the peak, where the instrument response is over.

    Maximum likelihood of the counts [1]_ in a window that ends with the axis:
    the decay goes on beyond it, and so the lifetime may be longer than the
    window. Needs no response; use `fit_decays` where one is known, or where
    lifetimes are no longer than it.

    Parameters
    ----------
    decays : Features
        Counts (..., time) in ns, as they were counted, with their background.
        Best of sums, `clustering.class_sums`. Read block by block. NaN
        channels take no part.
    start : time, optional
        Where the tail begins, such as "2.5 ns". By default as long after the
        peak of the sum of all decays as a tenth of its height is before it,
        some four widths of a Gaussian response.
    n_lifetimes : int
        Exponentials, 1 to 4. Two need some 1e5 photons to be told apart.
    background : bool
        Whether to fit a constant; needs a window of several lifetimes.

    Returns
    -------
    DecayFit
        Fractions and amplitudes are those at `start`, where faster
        components have lost more than slower ones.

    Raises
    ------
    SettingError
        If fewer channels than parameters follow the start, no pulse shows
        in the sum, or counts are below zero.
    KindError
        If the axis is no time.

    Examples
    --------
    >>> import xarray as xr
    >>> time = ("time", np.arange(0.1, 10, 0.2), {"units": "ns"})
    >>> counts = 1e5 * np.exp(-time[1] / 2.5)[None]
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> fit_decay_tails(decays, start="1 ns").lifetimes.values.round(3)
    array([[2.5]])

    References
    ----------
    .. [1] P. Hall and B. Selinger, J. Phys. Chem. 85, 2941 (1981): maximum likelihood of
       binned decays.
    """
    FEATURES.check(decays)
    _check_number(n_lifetimes)
    timing = timing_of(decays, None)
    first = _tail_start(decays, timing, start)
    used = np.arange(len(timing.widths)) >= first
    tail = Timing(timing.edges[first:], None)
    n_parameters = 2 * n_lifetimes + background
    if used.sum() <= n_parameters:
        msg = (
            f"{int(used.sum())} channels follow {tail.edges[0]:.6g} ns, {n_lifetimes=} needs "
            f"{n_parameters + 1}: give an earlier start"
        )
        raise SettingError(msg)
    excitation = Excitation(tail, np.zeros(int(used.sum())), at_start=1.0)
    fit = fit_rows(decays, CountModel(excitation, n_lifetimes, background), first)
    return described(
        fit,
        f"Fitted from {tail.edges[0]:.6g} ns on ({int(used.sum())} of {len(used)} channels).",
        {"fitted_from": float(tail.edges[0])},
    )


def fit_decays(
    decays: Features,
    response: Features,
    lifetimes: Features | None = None,
    /,
    *,
    n_lifetimes: int = 1,
    shared: bool = False,
    period: Time | None = None,
    background: bool = True,
) -> DecayFit:
    """Fit exponentials convolved with the instrument response, by maximum likelihood of counts.

    All channels take part. Every row is fitted on its own; or, with `shared`,
    all rows have the same lifetimes, each its own fractions [1]_; or the
    lifetimes are known from such a fit, and only fractions are sought, pixel
    by pixel.

    Parameters
    ----------
    decays : Features
        Counts (..., time) in ns, as they were counted, with their background.
        Read block by block. NaN channels take no part.
    response : Features
        What the instrument makes of a pulse: recorded with the same channels
        (all rows are summed), or from `estimate_response`.
    lifetimes : Features, optional
        (..., component) in ns, the same in all rows: held fixed. Those of
        a `shared` fit of class sums, for all pixels.
    n_lifetimes : int
        Exponentials, 1 to 4, where `lifetimes` are not given. Two need some
        1e5 photons to be told apart.
    shared : bool
        Whether all rows have the same lifetimes; up to 64 rows.
    period : time, optional
        Between two pulses: "12.5 ns" at 80 MHz. What a pulse leaves for the
        next then counts. By default nothing does.
    background : bool
        Whether to fit a constant.

    Returns
    -------
    DecayFit
        Lifetimes, rising within a row, photon fractions, all parameters, and
        their standard errors [2]_. Rows with fewer photons than parameters,
        and those that did not come to rest, are NaN.

    Raises
    ------
    SettingError
        If a setting is out of range, or counts are below zero.
    KindError
        If the axis is no time, the response has another one, or held
        lifetimes differ between rows.

    Examples
    --------
    >>> from adatom.curves import estimate_response
    >>> from adatom.simulation import simulate_flim_map, Decay
    >>> made = simulate_flim_map(decays=(Decay((2.0,)),), size=8, photons=1e4)
    >>> response = estimate_response(made.decays, period="12.5 ns")
    >>> fit = fit_decays(made.decays, response, period="12.5 ns")
    >>> round(float(fit.lifetimes.mean()), 2)
    2.0

    References
    ----------
    .. [1] J. R. Knutson, J. M. Beechem and L. Brand, Chem. Phys. Lett. 102, 501 (1983): global
       analysis of decays.
    .. [2] M. Maus et al., Anal. Chem. 73, 2078 (2001): likelihood against least squares for
       few photons.
    """
    FEATURES.check(decays)
    FEATURES.check(response, name="response")
    _check_number(n_lifetimes)
    timing = timing_of(decays, period)
    excitation = Excitation(timing, response_shares(response, timing))
    held = None if lifetimes is None else _held_lifetimes(lifetimes)
    if held is not None and shared:
        msg = "lifetimes are given, so that nothing is left to share: leave out shared=True"
        raise SettingError(msg)
    number = n_lifetimes if held is None else len(held)
    model = CountModel(excitation, number, background, held)
    fit = fit_shared(decays, model) if shared else fit_rows(decays, model, 0)
    told = "" if timing.period is None else f" and what {timing.period:.6g} ns before left"
    return described(
        fit,
        f"Fitted with the instrument response{told}.",
        {"response": excitation.response.tolist(), "period": timing.period or 0.0},
    )


def _check_number(n_lifetimes: int) -> None:
    if not 1 <= n_lifetimes <= _MOST_LIFETIMES:
        msg = f"{n_lifetimes=} must be 1 to {_MOST_LIFETIMES}"
        raise SettingError(msg)


def _tail_start(decays: Features, timing: Timing, start: Time | None) -> int:
    """Give the first channel of the tail."""
    if start is not None:
        wanted = nanoseconds(start, name="start")
        return int(np.searchsorted(timing.edges[:-1], wanted - 1e-9 * timing.window))
    rise = rise_of(total_of(blocks(decays)).counts)
    return int(np.ceil(2 * rise.peak - rise.foot))


def _held_lifetimes(lifetimes: Features) -> NDArray[np.float64]:
    FEATURES.check(lifetimes, name="lifetimes")
    rows = lifetimes.values.reshape(-1, lifetimes.shape[-1]).astype(float)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows) or np.ptp(rows, axis=0).max() > 0 or not rows.min() > 0:
        msg = (
            "lifetimes to be held must be above zero and the same in all rows: take those of "
            "fit_decays(class_sums, response, shared=True)"
        )
        raise KindError(msg)
    if not 1 <= rows.shape[1] <= _MOST_LIFETIMES:
        msg = f"{rows.shape[1]} lifetimes are given, 1 to {_MOST_LIFETIMES} can be held"
        raise KindError(msg)
    return np.asarray(rows[0])
