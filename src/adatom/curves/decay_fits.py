"""Lifetimes of decays by maximum likelihood of their counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adatom.curves.decay_models import Excitation, Timing, nanoseconds, response_shares, timing_of
from adatom.curves.decay_results import (
    DecayFit,
    described,
    fit_from_rows,
    parameter_units,
    rows_from_fit,
)
from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.decays import rise_of, total_of
from adatom.numerics.folds import map_to
from adatom.numerics.poisson_fits import PoissonFit, fit_poisson
from adatom.schema import FEATURES, Features
from adatom.units import Time

Floats = NDArray[np.float64]

_MOST_LIFETIMES: Final = 4
# Shared lifetimes are fitted to all rows in one set of equations.
_MOST_SHARING: Final = 256
# Rows are fitted together while what they need stays in the cache of a processor.
_VALUES_AT_ONCE: Final = 1 << 20
# Lifetimes to start from, over the mean time of the photons.
_STARTS: Final = {
    1: ((1.0,),),
    2: ((0.45, 1.6), (0.2, 1.15)),
    3: ((0.2, 0.8, 2.5),),
    4: ((0.1, 0.4, 1.0, 3.0),),
}
_RESPONDING: Final = 1e-4


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
    fit = _fit_rows(decays, _Model(excitation, n_lifetimes, background), first)
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
        Whether all rows have the same lifetimes; up to 256 rows.
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
    .. [1] J. M. Beechem, M. Ameloot and L. Brand, Chem. Phys. Lett. 120, 466 (1985): global
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
    model = _Model(excitation, number, background, held)
    fit = _fit_shared(decays, model) if shared else _fit_rows(decays, model, 0)
    told = "" if timing.period is None else f" and what {timing.period:.6g} ns before left"
    return described(
        fit,
        f"Fitted with the instrument response{told}.",
        {"response": excitation.response.tolist(), "period": timing.period or 0.0},
    )


def decays_from_fit(decays: Features, fit: Features, /) -> Features:
    """Give the decays that a fit expects, to be compared with those counted.

    Parameters
    ----------
    decays : Features
        That were fitted: for their axis.
    fit : Features
        ``DecayFit.parameters``.

    Returns
    -------
    Features
        Expected counts, in memory; NaN before the start of a tail.

    Raises
    ------
    KindError
        If these are not parameters of a fit of these decays.

    Examples
    --------
    >>> import xarray as xr
    >>> time = ("time", np.arange(0.1, 10, 0.2), {"units": "ns"})
    >>> counts = 1e5 * np.exp(-time[1] / 2.5)[None]
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> fit = fit_decay_tails(decays, start="1 ns", background=False)
    >>> bool(abs(decays_from_fit(decays, fit.parameters) / decays - 1).max() < 1e-6)
    True
    """
    FEATURES.check(decays)
    FEATURES.check(fit, name="fit")
    names = (
        [str(name) for name in fit.coords["parameter"].values] if "parameter" in fit.dims else []
    )
    if "lifetime_1" not in names or fit.shape[:-1] != decays.shape[:-1]:
        msg = (
            f"the fit has dims {dict(fit.sizes)}, the decays {dict(decays.sizes)}: "
            "give DecayFit.parameters of a fit of these decays"
        )
        raise KindError(msg)
    period = float(fit.attrs.get("period", 0.0))
    timing = timing_of(decays, f"{period} ns" if period else None)
    first = 0
    if "response" in fit.attrs:
        excitation = Excitation(timing, np.asarray(fit.attrs["response"], float))
    else:
        first = int(np.argmin(np.abs(timing.edges - fit.attrs["fitted_from"])))
        tail = Timing(timing.edges[first:], None)
        excitation = Excitation(tail, np.zeros(len(tail.widths)), at_start=1.0)
    number = sum(name.startswith("lifetime_") for name in names)
    values = fit.values.reshape(-1, fit.shape[-1]).astype(float)
    expected = np.full((len(values), decays.shape[-1]), np.nan)
    even = excitation.timing.widths / excitation.timing.window
    expected[:, first:] = values[:, [names.index("background")]] * even
    for k in range(1, number + 1):
        shares, _ = excitation.shares(values[:, names.index(f"lifetime_{k}")])
        expected[:, first:] += values[:, [names.index(f"photons_{k}")]] * shares
    dtype = np.result_type(decays.dtype, np.float32)
    return decays.copy(data=expected.reshape(decays.shape).astype(dtype))


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


def _held_lifetimes(lifetimes: Features) -> Floats:
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


@dataclass(frozen=True)
class _Model:
    """Photons of each lifetime, logs of the lifetimes unless held, and a background."""

    excitation: Excitation
    n_lifetimes: int
    background: bool
    held: Floats | None = None

    @cached_property
    def held_shares(self) -> Floats:
        """The share of each held lifetime in every channel."""
        return self.excitation.shares(np.asarray(self.held))[0]

    @property
    def n_parameters(self) -> int:
        free = self.n_lifetimes if self.held is None else 0
        return self.n_lifetimes + free + self.background

    def expected(self, parameters: Floats, measured: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Give expected counts (row, channel) and their Jacobian (row, channel, parameter)."""
        timing, k = self.excitation.timing, self.n_lifetimes
        n_rows = len(parameters)
        jacobian = np.empty((n_rows, len(timing.widths), self.n_parameters))
        photons = parameters[:, :k]
        if self.held is None:
            flat = np.exp(parameters[:, k : 2 * k]).ravel()
            shares, slopes = self.excitation.shares(flat)
            shape = (n_rows, k, len(timing.widths))
            jacobian[:, :, :k] = np.swapaxes(shares.reshape(shape), 1, 2)
            slopes = np.swapaxes(slopes.reshape(shape), 1, 2)
            jacobian[:, :, k : 2 * k] = slopes * photons[:, None, :]
        else:
            jacobian[:, :, :k] = self.held_shares.T
        if self.background:
            jacobian[:, :, -1] = timing.widths / timing.window
        jacobian *= measured[:, :, None]
        counts = (jacobian[:, :, :k] * photons[:, None, :]).sum(axis=2)
        if self.background:
            counts += jacobian[:, :, -1] * parameters[:, [-1]]
        return counts, jacobian

    def bounds(self, n_rows: int) -> tuple[Floats, Floats]:
        lower = np.zeros((n_rows, self.n_parameters))
        upper = np.full((n_rows, self.n_parameters), np.inf)
        if self.held is None:
            free = slice(self.n_lifetimes, 2 * self.n_lifetimes)
            lower[:, free], upper[:, free] = np.log(self.excitation.timing.lifetime_range)
        return lower, upper

    def starts(self, counts: Floats) -> list[Floats]:
        """Give parameters to start from, from the sum and the mean time of the photons."""
        timing = self.excitation.timing
        total = counts.sum(axis=1)
        level = self._level(counts, total)
        signal = np.maximum(total - level, 0.1 * total)
        if self.held is not None:
            even = np.repeat(signal[:, None] / self.n_lifetimes, self.n_lifetimes, axis=1)
            return [np.column_stack([even, level]) if self.background else even]
        since, after = self._since_pulse()
        left = np.maximum(counts - (level / timing.window)[:, None] * timing.widths, 0.0) * after
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (left * since).sum(axis=1) / left.sum(axis=1)
        mean = np.clip(
            np.where(np.isfinite(mean), mean, 0.1 * timing.window), *timing.lifetime_range
        )
        found = []
        for factors in _STARTS[self.n_lifetimes]:
            photons = np.repeat(signal[:, None] / len(factors), len(factors), axis=1)
            parts = [photons, np.log(mean[:, None] * np.array(factors))]
            found.append(np.column_stack([*parts, level] if self.background else parts))
        return found

    def _since_pulse(self) -> tuple[Floats, NDArray[np.bool_]]:
        timing, response = self.excitation.timing, self.excitation.response
        pulse = timing.edges[0]
        if response.any():
            pulse = float((response * timing.centers).sum() / response.sum())
        since = timing.centers - pulse
        return since, since > 0

    def _level(self, counts: Floats, total: Floats) -> Floats:
        """Guess the background of every row from before the pulse, or as a tenth of it."""
        if not self.background:
            return np.zeros(len(counts))
        timing, response = self.excitation.timing, self.excitation.response
        before = np.cumsum(response) < _RESPONDING
        if response.any() and before.sum() >= 4:
            level = counts[:, before].sum(axis=1) / timing.widths[before].sum() * timing.window
            # Also there some is left of the pulse before.
            return np.asarray(np.minimum(0.7 * level, 0.9 * total))
        return 0.1 * total


def _fit_rows(decays: Features, model: _Model, first: int) -> DecayFit:
    cut = blocks(decays)
    n_told = len(parameter_units(model.n_lifetimes))
    outputs = [np.full((cut.n_rows, n_told), np.nan, cut.dtype) for _ in range(2)]
    at_once = max(1, _VALUES_AT_ONCE // (decays.shape[-1] * max(model.n_parameters, 1)))

    def work(rows: NDArray[Any]) -> list[NDArray[Any]]:
        parts = [
            _fit_some(rows[low : low + at_once, first:].astype(np.float64), model)
            for low in range(0, len(rows), at_once)
        ]
        both = zip(*parts, strict=True) if parts else ((), ())
        none = np.empty((0, n_told))
        return [np.concatenate([none, *part]).astype(cut.dtype) for part in both]

    map_to(cut, work, outputs, incomplete=work)
    return fit_from_rows(decays, *outputs, n_lifetimes=model.n_lifetimes)


def _fit_some(rows: Floats, model: _Model) -> tuple[Floats, Floats]:
    """Fit rows (row, channel) and give parameters and errors as `DecayFit` tells them."""
    measured, counts = _counts_of(rows)
    values = np.full((len(rows), len(parameter_units(model.n_lifetimes))), np.nan)
    errors = values.copy()
    enough = counts.sum(axis=1) > model.n_parameters
    counts, measured = counts[enough], measured[enough]
    if not len(counts):
        return values, errors

    def expected(parameters: Floats, numbers: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return model.expected(parameters, measured[numbers])

    fits = [
        fit_poisson(expected, counts, start, *model.bounds(len(counts)))
        for start in model.starts(counts)
    ]
    fit = _best(fits)
    dof = np.maximum(measured.sum(axis=1) - model.n_parameters, 1)
    values[enough], errors[enough] = rows_from_fit(
        fit, dof, model.held, n_lifetimes=model.n_lifetimes, flat=model.background
    )
    return values, errors


def _counts_of(rows: Floats) -> tuple[NDArray[np.bool_], Floats]:
    measured = np.isfinite(rows)
    counts = np.where(measured, rows, 0.0)
    if (counts < 0).any():
        msg = (
            f"counts go down to {counts.min():.4g}: fit decays as they were counted, "
            "their background is part of the fit"
        )
        raise SettingError(msg)
    return measured, counts


def _best(fits: list[PoissonFit]) -> PoissonFit:
    """Take for every row the fit of the least deviance."""
    deviances = np.array([np.where(fit.converged, fit.deviance, np.inf) for fit in fits])
    best = np.argmin(deviances, axis=0)
    rows = np.arange(len(best))
    return PoissonFit(*(np.stack(parts)[best, rows] for parts in zip(*fits, strict=True)))


def _fit_shared(decays: Features, model: _Model) -> DecayFit:
    """Fit all rows in one set of equations, with lifetimes in common."""
    rows = decays.values.reshape(-1, decays.shape[-1]).astype(np.float64)
    measured, counts = _counts_of(rows)
    enough = counts.sum(axis=1) > model.n_parameters
    n_rows, k = int(enough.sum()), model.n_lifetimes
    if not 1 <= n_rows <= _MOST_SHARING:
        msg = (
            f"{n_rows} rows have photons enough, shared lifetimes need 1 to {_MOST_SHARING}: sum "
            "pixels by class with clustering.class_sums, then hold the lifetimes for all pixels"
        )
        raise SettingError(msg)
    together = _Together(model, measured[enough])
    # Of the sum the mean time is that of all.
    starts = [
        together.joined(model_start, model.starts(counts[enough].sum(axis=0, keepdims=True))[i])
        for i, model_start in enumerate(model.starts(counts[enough]))
    ]
    lower, upper = (together.joined(part, part[:1]) for part in model.bounds(n_rows))
    flat = counts[enough].reshape(1, -1)
    fit = _best([fit_poisson(together, flat, s, lower, upper, max_steps=300) for s in starts])
    values = np.full((len(rows), len(parameter_units(k))), np.nan)
    errors = values.copy()
    dof = np.maximum(measured[enough].sum(axis=1) - model.n_parameters, 1)
    apart = together.apart(fit, counts[enough])
    values[enough], errors[enough] = rows_from_fit(
        apart, dof, None, n_lifetimes=k, flat=model.background
    )
    dtype = np.result_type(decays.dtype, np.float32)
    return fit_from_rows(decays, values.astype(dtype), errors.astype(dtype), n_lifetimes=k)


@dataclass(frozen=True)
class _Together:
    """Rows that share their lifetimes as one row: the lifetimes first, then the rest by rows."""

    model: _Model
    measured: NDArray[np.bool_]

    @property
    def _own(self) -> NDArray[np.bool_]:
        own = np.ones(self.model.n_parameters, dtype=bool)
        own[self.model.n_lifetimes : 2 * self.model.n_lifetimes] = False
        return own

    def joined(self, rows: Floats, common: Floats) -> Floats:
        """Make one row of parameters of many, with the lifetimes of `common`."""
        return np.concatenate([common[0, ~self._own], rows[:, self._own].ravel()])[None]

    def _split(self, joined: Floats) -> Floats:
        rows = np.empty((len(self.measured), self.model.n_parameters))
        k = self.model.n_lifetimes
        rows[:, ~self._own] = joined[:k]
        rows[:, self._own] = joined[k:].reshape(len(rows), -1)
        return rows

    def __call__(self, parameters: Floats, _numbers: NDArray[np.intp], /) -> tuple[Floats, Floats]:
        own, k = self._own, self.model.n_lifetimes
        counts, slopes = self.model.expected(self._split(parameters[0]), self.measured)
        n_rows, n_channels = counts.shape
        n_own = int(own.sum())
        jacobian = np.zeros((n_rows, n_channels, k + n_rows * n_own))
        jacobian[:, :, :k] = slopes[:, :, ~own]
        for row in range(n_rows):
            jacobian[row, :, k + row * n_own : k + (row + 1) * n_own] = slopes[row][:, own]
        return counts.reshape(1, -1), jacobian.reshape(1, n_rows * n_channels, -1)

    def apart(self, fit: PoissonFit, counts: Floats) -> PoissonFit:
        """Give every row its own parameters and covariance again."""
        n_rows, k = len(self.measured), self.model.n_lifetimes
        own = self._own
        n_own = int(own.sum())
        parameters = self._split(fit.parameters[0])
        number = np.empty((n_rows, self.model.n_parameters), dtype=np.intp)
        number[:, ~own] = np.arange(k)
        number[:, own] = k + np.arange(n_rows * n_own).reshape(n_rows, n_own)
        covariance = fit.covariance[0][number[:, :, None], number[:, None, :]]
        expected, _ = self.model.expected(parameters, self.measured)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(counts > 0, counts * np.log(counts / expected), 0.0)
        deviance = 2 * (expected - counts + logs).sum(axis=1)
        converged = np.repeat(fit.converged, n_rows)
        return PoissonFit(parameters, fit.errors[0][number], covariance, deviance, converged)
