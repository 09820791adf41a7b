"""Decays fitted row by row, or all together with lifetimes in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.curves.decay_results import DecayFit, fit_from_rows, parameter_units, rows_from_fit
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import map_to
from adatom.numerics.poisson_fits import PoissonFit, fit_poisson

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from adatom.curves.decay_counts import CountModel

    Floats = NDArray[np.float64]

# Shared lifetimes are fitted to all rows in one set of equations.
_MOST_SHARING: Final = 64
# So many values at once are enough for numpy, and few enough for memory.
_VALUES_AT_ONCE: Final = 1 << 20


def fit_rows(decays: xr.DataArray, model: CountModel, first: int) -> DecayFit:
    """Fit each row on its own, block by block, from a channel on."""
    cut = blocks(decays)
    n_told = len(parameter_units(model.n_lifetimes))
    dtype = cut.dtype
    outputs = [np.full((cut.n_rows, n_told), np.nan, dtype) for _ in range(2)]
    at_once = max(1, _VALUES_AT_ONCE // (decays.shape[-1] * max(model.n_parameters, 1)))

    def work(rows: NDArray[Any]) -> list[NDArray[Any]]:
        parts = [
            _fit_some(rows[low : low + at_once, first:].astype(np.float64), model)
            for low in range(0, len(rows), at_once)
        ]
        both = zip(*parts, strict=True) if parts else ((), ())
        none = np.empty((0, n_told))
        return [np.concatenate([none, *part]).astype(dtype) for part in both]

    map_to(cut, work, outputs, incomplete=work)
    return fit_from_rows(decays, *outputs, n_lifetimes=model.n_lifetimes)


def _fit_some(rows: Floats, model: CountModel) -> tuple[Floats, Floats]:
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


def fit_shared(decays: xr.DataArray, model: CountModel) -> DecayFit:
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

    model: CountModel
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
