"""A model fitted to many rows at once, each with weights, bounds and errors of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adatom.curves.expressions import Dual, Floats
from adatom.curves.models import CurveModel, limits
from adatom.numerics.least_squares import (
    BatchFit,
    Evaluate,
    NormalEquations,
    covariance_from_curvature,
    fit_least_squares,
)

Weights = Literal["equal", "poisson"]
Flags: TypeAlias = NDArray[np.bool_]

_MOST_STEPS: Final = 100
# Rounds in which the variance of counts is taken from the curve fitted before: it changes by
# less than the errors after the second.
_ROUNDS: Final = 3
# A count or less is expected far from lines; less than this would outweigh all that is measured.
_LEAST_VARIANCE: Final = 0.25
# Squares of the last bits of float64, of the sum of squares.
_ROUNDING: Final = 1e-28
# Where float32 ends, parameters of curves that are measured do not begin.
_BEYOND_REASON: Final = 1e30
# A few MB for the derivatives of a tile.
_VALUES_PER_TILE: Final = 1 << 17

FITTED, AT_BOUND, RAN_AWAY, NOT_CONVERGED, UNDETERMINED, TOO_FEW = range(6)
STATES: Final = (
    "fitted",
    "fitted, a parameter at its bound",
    "a line ran off the axis or lost its width",
    "not converged",
    "parameters not determined by the curve",
    "too few channels measured",
)


class RowFits(NamedTuple):
    """Fits of rows.

    Attributes
    ----------
    values : array, shape (row, free parameter)
        Where each fit ended, good or not.
    reported, errors : array, shape (row, reported parameter)
        With what is constrained and derived; NaN where `state` says that
        nothing was found, errors also of what is at a bound.
    chi_squared : array, shape (row,)
        Reduced.
    state : array of int, shape (row,)
        Index into `STATES`.
    """

    values: Floats
    reported: Floats
    errors: Floats
    chi_squared: Floats
    state: NDArray[np.int8]


def no_fits(model: CurveModel, n_rows: int, /) -> RowFits:
    """Give fits of rows of which nothing is known yet."""
    n_free, n_reported = len(model.free), len(model.reported)
    return RowFits(
        np.full((n_rows, n_free), np.nan),
        np.full((n_rows, n_reported), np.nan),
        np.full((n_rows, n_reported), np.nan),
        np.full(n_rows, np.nan),
        np.full(n_rows, TOO_FEW, dtype=np.int8),
    )


@dataclass(frozen=True)
class RowFitter:
    """Fits of a model to rows from given starts.

    Attributes
    ----------
    model : CurveModel
    axis : array, shape (channel,)
    weights : {"equal", "poisson"}
    """

    model: CurveModel
    axis: Floats
    weights: Weights

    def fit(self, rows: Floats, starts: Floats, /) -> RowFits:
        """Fit rows (row, channel), NaN left out, from starts (start, row, free parameter).

        Each row starts at the start whose curve is nearest, and where that
        leads nowhere at the next.
        """
        size = max(1, _VALUES_PER_TILE // len(self.axis))
        parts = [
            self._fit_tile(rows[k : k + size], starts[:, k : k + size])
            for k in range(0, max(len(rows), 1), size)
        ]
        return RowFits(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def fit_best(self, rows: Floats, starts: Floats, /) -> RowFits:
        """Fit rows from every start, and keep the fit that is nearest to the row."""
        best = self._fit_tile(rows, starts[:1])
        for start in starts[1:]:
            found = self._fit_tile(rows, start[None])
            better = np.flatnonzero(_rank(found) < _rank(best))
            best = _with_rows(best, found, better, np.arange(len(rows)))
        return best

    def _fit_tile(self, rows: Floats, starts: Floats) -> RowFits:
        measured = np.isfinite(rows)
        filled = np.where(measured, rows, 0.0)
        with np.errstate(all="ignore"):
            order = self._order(filled, measured, starts)
            every = np.arange(len(rows))
            found = self._fit_from(filled, measured, starts[order[0], every])
            for rank in range(1, len(starts)):
                bad = np.flatnonzero(_is_lost(found.state))
                if not bad.size:
                    break
                again = self._fit_from(filled[bad], measured[bad], starts[order[rank, bad], bad])
                found = _with_rows(found, again, np.flatnonzero(~_is_lost(again.state)), bad)
        return found

    def _order(self, rows: Floats, measured: Flags, starts: Floats) -> NDArray[np.intp]:
        """Sort the starts of every row by the distance of their curves."""
        far = np.empty(starts.shape[:2])
        for number, start in enumerate(starts):
            apart = np.where(measured, rows - self.model.curve(self.axis, start).value, 0.0)
            far[number] = (apart * apart).sum(axis=1)
        return np.argsort(np.where(np.isfinite(far), far, np.inf), axis=0, kind="stable")

    def _fit_from(self, rows: Floats, measured: Flags, start: Floats) -> RowFits:
        if self.weights == "equal":
            fit = self._fit_weighted(rows, measured.astype(np.float64), start)
        else:
            for _ in range(_ROUNDS):
                curve = np.broadcast_to(self.model.curve(self.axis, start).value, rows.shape)
                weights = np.where(measured, 1 / np.maximum(curve, _LEAST_VARIANCE), 0.0)
                fit = self._fit_weighted(rows, weights, start)
                start = fit.parameters
        return self._judged(fit, measured.sum(axis=1))

    def _fit_weighted(self, rows: Floats, weights: Floats, start: Floats) -> BatchFit:
        return fit_least_squares(
            self._evaluator(rows, weights),
            start,
            max_steps=_MOST_STEPS,
            bounds=limits(self.model),
            least_gain=_ROUNDING * (weights * rows * rows).sum(axis=1),
        )

    def _evaluator(self, rows: Floats, weights: Floats) -> Evaluate:
        free = self.model.free

        def evaluate(values: Floats, numbers: NDArray[np.intp]) -> NormalEquations:
            dual = self.model.curve(self.axis, values)
            heavy = weights[numbers]
            jacobian = _jacobian(dual, free, heavy.shape)
            residuals = rows[numbers] - dual.value
            weighted = heavy * residuals
            return NormalEquations(
                cost=(weighted * residuals).sum(axis=1),
                gradient=np.matmul(jacobian, weighted[:, :, None])[:, :, 0],
                curvature=np.matmul(jacobian * heavy[:, None, :], jacobian.transpose(0, 2, 1)),
            )

        return evaluate

    def _judged(self, fit: BatchFit, n_measured: NDArray[np.intp]) -> RowFits:
        model = self.model
        lower, upper = limits(model)
        at_bound = (fit.parameters <= lower) | (fit.parameters >= upper)
        spare = n_measured - (~at_bound).sum(axis=1)
        chi_squared = fit.cost / np.maximum(spare, 1)
        covariance = _covariance(fit.curvature, at_bound)
        if self.weights == "equal":
            # As lmfit: the scatter about the curve tells the noise.
            covariance *= chi_squared[:, None, None]
        reported, errors = _reported(model, fit.parameters, covariance, at_bound)
        state = np.where(at_bound.any(axis=1), AT_BOUND, FITTED)
        guards = {name for name, _, _ in model.guards}
        guard = np.array([name in guards for name in model.free])
        state[(at_bound & guard).any(axis=1)] = RAN_AWAY
        state[~np.isfinite(covariance).all(axis=(1, 2))] = UNDETERMINED
        state[self._says_nothing(reported, errors)] = UNDETERMINED
        state[~fit.converged] = NOT_CONVERGED
        state[n_measured <= len(model.free)] = TOO_FEW
        lost = _is_lost(state)
        reported[lost], errors[lost], chi_squared[lost] = np.nan, np.nan, np.nan
        return RowFits(fit.parameters, reported, errors, chi_squared, state.astype(np.int8))

    def _says_nothing(self, reported: Floats, errors: Floats) -> Flags:
        """Tell which fits are of numbers beyond all reason, or of lines that may be anywhere."""
        # Not the significances, which curves without noise have without end.
        numbers = reported[:, : -len(self.model.lines) or None]
        nothing = (np.abs(numbers) > _BEYOND_REASON).any(axis=1)
        extent = float(np.ptp(self.axis))
        for part in self.model.lines:
            nothing |= errors[:, self.model.reported.index(f"{part.prefix}center")] > extent
        return np.asarray(nothing)


def _is_lost(state: NDArray[np.int8]) -> Flags:
    return np.asarray(state > AT_BOUND)


def _rank(fits: RowFits) -> Floats:
    return np.where(np.isfinite(fits.chi_squared), fits.chi_squared, np.inf)


def _with_rows(
    fits: RowFits, others: RowFits, chosen: NDArray[np.intp], places: NDArray[np.intp]
) -> RowFits:
    """Put the chosen of other fits, which stand at these places of all, where they belong."""
    made: list[Any] = []
    for whole, part in zip(fits, others, strict=True):
        copy: Any = np.array(whole)
        copy[places[chosen]] = part[chosen]  # type: ignore[index]
        made.append(copy)
    return RowFits(*made)


def _jacobian(dual: Dual, free: tuple[str, ...], shape: tuple[int, ...]) -> Floats:
    jacobian = np.zeros((shape[0], len(free), shape[1]))
    for number, name in enumerate(free):
        if name in dual.slopes:
            jacobian[:, number] = dual.slopes[name]
    return jacobian


def _covariance(curvature: Floats, at_bound: Flags) -> Floats:
    """Invert with parameters at a bound held there: they have no variance."""
    both = at_bound[:, :, None] | at_bound[:, None, :]
    held = np.where(both, np.eye(at_bound.shape[1]), curvature)
    return np.where(both, 0.0, covariance_from_curvature(held))


def _reported(
    model: CurveModel, values: Floats, covariance: Floats, at_bound: Flags
) -> tuple[Floats, Floats]:
    """Give all parameters and what is derived, and their errors by their derivatives."""
    known = model.known(values)
    n_fits = len(values)
    made, errors = (np.empty((n_fits, len(model.reported))) for _ in range(2))
    for column, name in enumerate(model.reported[: -len(model.lines) or None]):
        dual = known[name]
        slopes = np.zeros((n_fits, len(model.free)))
        for number, free in enumerate(model.free):
            if free in dual.slopes:
                slopes[:, number] = np.broadcast_to(dual.slopes[free], (n_fits, 1))[:, 0]
        made[:, column] = np.broadcast_to(dual.value, (n_fits, 1))[:, 0]
        square = np.matmul(np.matmul(slopes[:, None, :], covariance), slopes[:, :, None])[:, 0, 0]
        errors[:, column] = np.sqrt(np.maximum(square, 0.0))
        errors[np.isnan(square), column] = np.nan
        # What hangs on a parameter at its bound has an error that is not known.
        errors[((slopes != 0) & at_bound).any(axis=1), column] = np.nan
    for column, part in enumerate(model.lines, start=-len(model.lines)):
        amplitude = model.reported.index(f"{part.prefix}amplitude")
        made[:, column] = np.abs(made[:, amplitude]) / errors[:, amplitude]
        errors[:, column] = np.nan
    return made, errors
