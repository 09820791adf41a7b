"""Many small nonlinear least-squares fits at once, each with a damping of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

DAMPING_START: Final = 1e-3
"""Near Gauss-Newton from the first step on: starts are good; bad ones raise it by themselves."""
_DAMPING_RANGE: Final = (1e-9, 1e9)
# Marquardt's factor up; down more carefully, so that a lucky step does not undo what was learnt.
_DAMPING_UP: Final = 10.0
_DAMPING_DOWN: Final = 0.2
# A step that gains less than a quarter of what its curvature promised went too far, as where a
# model cannot follow its data: undamped, such steps go to and fro across the valley.
_TOO_LITTLE: Final = 0.25
_DAMPING_CAREFUL: Final = 3.0


class NormalEquations(NamedTuple):
    """What a least-squares step needs to know of every fit of a batch.

    Attributes
    ----------
    cost : array, shape (fit,)
        Sum of squared (weighted) residuals, data minus model.
    gradient : array, shape (fit, parameter)
        ``J^T W r`` with ``J`` the derivative of the *model*: the direction of descent.
    curvature : array, shape (fit, parameter, parameter)
        ``J^T W J``.
    """

    cost: Floats
    gradient: Floats
    curvature: Floats


class BatchFit(NamedTuple):
    """Result of `fit_least_squares`.

    Attributes
    ----------
    parameters : array, shape (fit, parameter)
    cost : array, shape (fit,)
        Sum of squared residuals at `parameters`.
    curvature : array, shape (fit, parameter, parameter)
        ``J^T W J`` there; times the noise variance its inverse is the covariance.
    converged : array of bool, shape (fit,)
    n_steps : int
        Steps that the slowest fit took.
    """

    parameters: Floats
    cost: Floats
    curvature: Floats
    converged: NDArray[np.bool_]
    n_steps: int


Evaluate: TypeAlias = Callable[[Floats, NDArray[np.intp]], NormalEquations]
"""Called with parameters (fit, parameter) and the numbers of these fits in the batch."""
Model: TypeAlias = Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats]]
"""Called alike, gives residuals (fit, datum), data minus model, and the model's Jacobian."""


def normal_equations(residuals: Floats, jacobian: Floats, /) -> NormalEquations:
    """Reduce residuals (fit, datum) and Jacobian (fit, datum, parameter)."""
    transposed = np.swapaxes(jacobian, -1, -2)
    return NormalEquations(
        cost=np.sum(residuals * residuals, axis=-1),
        gradient=np.matmul(transposed, residuals[..., None])[..., 0],
        curvature=np.matmul(transposed, jacobian),
    )


def damped_step(equations: NormalEquations, damping: Floats, /) -> Floats:
    """Solve ``(H + damping diag H) step = gradient`` for every fit [1]_.

    The equations are scaled to a unit diagonal before they are solved, so
    that parameters may be of any magnitude; a parameter on which the model
    does not depend at all stays where it is.

    References
    ----------
    .. [1] D. W. Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963), eq. 22.
    """
    diagonal = np.diagonal(equations.curvature, axis1=-2, axis2=-1)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)), 0.0)
    scaled = equations.curvature * scale[:, :, None] * scale[:, None, :]
    number = np.arange(diagonal.shape[-1])
    # The added hair keeps exactly degenerate fits solvable; their step is finite and damped.
    scaled[:, number, number] = 1 + damping[:, None] + 1e-12
    right = (scale * equations.gradient)[..., None]
    step: Floats = scale * np.linalg.solve(scaled, right)[..., 0]
    return step


def next_damping(damping: Floats, accepted: NDArray[np.bool_], /) -> Floats:
    """Lower the damping of the fits whose step was accepted, raise that of the others."""
    changed = np.where(accepted, damping * _DAMPING_DOWN, damping * _DAMPING_UP)
    return np.clip(changed, *_DAMPING_RANGE)


def covariance_from_curvature(curvature: Floats, /) -> Floats:
    """Invert curvatures (fit, parameter, parameter); NaN where one is not positive definite."""
    diagonal = np.diagonal(curvature, axis1=-2, axis2=-1)
    good: NDArray[np.bool_] = np.asarray(
        np.isfinite(curvature).all(axis=(-2, -1)) & (diagonal > 0).all(axis=-1)
    )
    scale = 1 / np.sqrt(np.where(good[:, None], diagonal, 1.0))
    identity = np.eye(curvature.shape[-1])
    scaled = np.where(
        good[:, None, None], curvature * scale[:, :, None] * scale[:, None, :], identity
    )
    values, vectors = np.linalg.eigh(scaled)
    good &= values[:, 0] > 1e-10
    values = np.where(good[:, None], values, 1.0)
    inverse: Floats = np.matmul(vectors / values[:, None, :], np.swapaxes(vectors, -1, -2))
    inverse *= scale[:, :, None] * scale[:, None, :]
    inverse[~good] = np.nan
    return inverse


def fit_least_squares(
    evaluate: Evaluate,
    start: Floats,
    /,
    *,
    max_steps: int = 50,
    tolerance: float = 1e-10,
    bounds: tuple[Floats, Floats] | None = None,
    least_gain: Floats | float = 0.0,
) -> BatchFit:
    """Fit a batch of independent models by damped least squares.

    Parameters
    ----------
    evaluate : callable
        Gives the normal equations of some fits of the batch; make it from
        residuals and Jacobian with `evaluate_from_model`.
    start : array, shape (fit, parameter)
    max_steps : int
        A well-started fit takes four to eight; those that have not
        converged after many more have no minimum nearby.
    tolerance : float
        A fit has converged when the step would lower its cost by less than
        this share of the cost.
    bounds : tuple of two arrays, shape (parameter,), optional
        Lowest and highest values. Steps end there, and a parameter at a
        bound that would go on beyond it is held while the others step.
    least_gain : float or array, shape (fit,)
        Gains of cost that are rounding, so that fits of data without noise,
        which have hardly any cost to compare with, come to rest.

    Returns
    -------
    BatchFit

    Examples
    --------
    >>> x = np.linspace(0, 1, 20)
    >>> decays = np.exp(-np.outer([1.0, 3.0], x))
    >>> def model(parameters, numbers):
    ...     curve = np.exp(-parameters * x)
    ...     return decays[numbers] - curve, (-x * curve)[..., None]
    >>> fit = fit_least_squares(evaluate_from_model(model), np.full((2, 1), 2.0))
    >>> fit.parameters.round(6).ravel()
    array([1., 3.])
    """
    parameters = np.array(start, dtype=np.float64)
    everyone = np.arange(len(parameters))
    now = evaluate(parameters, everyone)
    cost, gradient, curvature = (np.array(part, dtype=np.float64) for part in now)
    damping = np.full(len(parameters), DAMPING_START)
    converged = np.zeros(len(parameters), dtype=bool)
    rounding = np.broadcast_to(np.maximum(least_gain, np.finfo(float).tiny), cost.shape)
    n_steps = 0
    for _ in range(max_steps):
        active = everyone[~converged & np.isfinite(cost)]
        if not active.size:
            break
        n_steps += 1
        here = NormalEquations(cost[active], gradient[active], curvature[active])
        step, whole = _step_within(here, damping[active], parameters[active], bounds)
        there = evaluate(parameters[active] + step, active)
        accepted = there.cost <= here.cost
        gain = np.sum(step * here.gradient, axis=-1)
        rest = tolerance * here.cost + rounding[active]
        converged[active] = whole & (gain <= rest)
        damping[active] = np.where(
            accepted & (here.cost - there.cost < _TOO_LITTLE * gain),
            np.minimum(damping[active] * _DAMPING_CAREFUL, _DAMPING_RANGE[1]),
            next_damping(damping[active], accepted),
        )
        moved = active[accepted]
        parameters[moved] += step[accepted]
        cost[moved] = there.cost[accepted]
        gradient[moved] = there.gradient[accepted]
        curvature[moved] = there.curvature[accepted]
    return BatchFit(parameters, cost, curvature, converged, n_steps)


def _step_within(
    equations: NormalEquations,
    damping: Floats,
    parameters: Floats,
    bounds: tuple[Floats, Floats] | None,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Give the damped steps up to the bounds, and which of them are not cut short there.

    A parameter that is at a bound and would step beyond is held while the
    others step; it is let go when the others rest and its gradient points
    inside.
    """
    step = damped_step(equations, damping)
    if bounds is None:
        return step, np.ones(len(step), dtype=bool)
    lower, upper = bounds
    held = (parameters <= lower) & ((step < 0) | (equations.gradient < 0))
    held |= (parameters >= upper) & ((step > 0) | (equations.gradient > 0))
    some = np.flatnonzero(held.any(axis=1))
    if some.size:
        free = ~held[some]
        left = NormalEquations(
            equations.cost[some],
            np.where(free, equations.gradient[some], 0.0),
            np.where(free[:, :, None] & free[:, None, :], equations.curvature[some], 0.0),
        )
        step[some] = damped_step(left, damping[some])
    inside = np.clip(parameters + step, lower, upper)
    return inside - parameters, np.asarray((inside == parameters + step).all(axis=1))


def evaluate_from_model(model: Model, /) -> Evaluate:
    """Make the `evaluate` of `fit_least_squares` from residuals and Jacobian."""

    def evaluate(parameters: Floats, numbers: NDArray[np.intp]) -> NormalEquations:
        return normal_equations(*model(parameters, numbers))

    return evaluate
