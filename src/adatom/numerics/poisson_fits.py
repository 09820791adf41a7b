"""Many small fits of counts at once by maximum likelihood, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adatom.numerics.least_squares import (
    DAMPING_START,
    NormalEquations,
    covariance_from_curvature,
    damped_step,
    next_damping,
)

Floats: TypeAlias = NDArray[np.float64]
CountModel: TypeAlias = Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats]]
"""Called with parameters (fit, parameter) and the numbers of these fits, gives expected counts
(fit, datum) and their Jacobian (fit, datum, parameter)."""

# In units of the log-likelihood: a step that gains less moves no parameter by a thousandth of
# its standard error.
_TOLERANCE: Final = 1e-7
_OF_MEAN: Final = 1e-3


class PoissonFit(NamedTuple):
    """Result of `fit_poisson`.

    Attributes
    ----------
    parameters : array, shape (fit, parameter)
    errors : array, shape (fit, parameter)
        Standard errors from the Fisher information; NaN for a parameter at
        a bound, and for all where the information is singular.
    covariance : array, shape (fit, parameter, parameter)
        With zeros for parameters at a bound.
    deviance : array, shape (fit,)
        Twice the log-likelihood that the model lacks to one that hits all counts.
    converged : array of bool, shape (fit,)
    """

    parameters: Floats
    errors: Floats
    covariance: Floats
    deviance: Floats
    converged: NDArray[np.bool_]


def fit_poisson(
    model: CountModel,
    counts: Floats,
    start: Floats,
    lower: Floats,
    upper: Floats,
    /,
    *,
    max_steps: int = 100,
) -> PoissonFit:
    """Fit a batch of models of counts by damped Newton steps [1]_ in a box [2]_.

    Parameters
    ----------
    model : callable
        Expected counts and Jacobian; a datum that was not measured has zeros
        in both, and a count of zero.
    counts : array, shape (fit, datum)
        Not below zero.
    start, lower, upper : array, shape (fit, parameter)
        The start is moved into the box. Bounds must not allow expected
        counts below zero.
    max_steps : int
        A well-started fit takes five to fifteen.

    Examples
    --------
    >>> counts = np.array([[3.0, 5.0], [0.0, 0.0]])
    >>> def mean(parameters, numbers):
    ...     return np.repeat(parameters, 2, axis=1), np.ones((len(numbers), 2, 1))
    >>> one = np.ones((2, 1))
    >>> fit_poisson(mean, counts, one, 0 * one, np.inf * one).parameters.round(6).ravel()
    array([4., 0.])

    References
    ----------
    .. [1] T. A. Laurence and B. A. Chromy, Nat. Methods 7, 338 (2010): Levenberg-Marquardt
       steps for the likelihood of counts.
    .. [2] D. P. Bertsekas, SIAM J. Control Optim. 20, 221 (1982): projected steps with the
       parameters at a bound left out.
    """
    parameters = np.clip(start, lower, upper)
    everyone = np.arange(len(parameters))
    now = _equations(model, counts, parameters, everyone)
    cost, gradient, curvature = (np.array(part) for part in now)
    damping = np.full(len(parameters), DAMPING_START)
    converged = np.zeros(len(parameters), dtype=bool)
    for _ in range(max_steps):
        active = everyone[~converged & np.isfinite(cost)]
        if not active.size:
            break
        held = _held(parameters[active], gradient[active], lower[active], upper[active])
        here = _without(NormalEquations(cost[active], gradient[active], curvature[active]), held)
        step = _step_inside(
            here, damping[active], lower[active] - parameters[active],
            upper[active] - parameters[active],
        )  # fmt: skip
        moved = np.clip(parameters[active] + step, lower[active], upper[active])
        gain = np.sum((moved - parameters[active]) * here.gradient, axis=-1)
        there = _equations(model, counts[active], moved, active)
        accepted = there.cost <= here.cost
        # Where rounding lets no step lower the cost any more, the fit is at rest as well.
        converged[active] = np.abs(gain) <= _TOLERANCE
        damping[active] = next_damping(damping[active], accepted)
        taken = active[accepted]
        parameters[taken] = moved[accepted]
        cost[taken] = there.cost[accepted]
        gradient[taken] = there.gradient[accepted]
        curvature[taken] = there.curvature[accepted]
    held = _held(parameters, gradient, lower, upper)
    information = _information(model, parameters, everyone)
    return _result(parameters, cost, information, held, converged)


def _equations(
    model: CountModel, counts: Floats, parameters: Floats, numbers: NDArray[np.intp]
) -> NormalEquations:
    expected, jacobian = model(parameters, numbers)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(expected > 0, counts / expected, np.where(counts > 0, np.inf, 1.0))
        terms = expected - counts + np.where(counts > 0, counts * np.log(ratio), 0.0)
        # Of a model that is linear in its parameters the counts give the whole second derivative;
        # a little of its mean moves also those that no count tells of.
        weight = np.where(expected > 0, (counts + _OF_MEAN * expected) / expected**2, 0.0)
    cost = 2 * terms.sum(axis=1)
    pull = np.where(np.isfinite(ratio), ratio - 1, 0.0)
    transposed = np.swapaxes(jacobian, -1, -2)
    return NormalEquations(
        np.where(np.isfinite(cost), cost, np.inf),
        np.matmul(transposed, pull[..., None])[..., 0],
        np.matmul(transposed, jacobian * weight[..., None]),
    )


def _information(model: CountModel, parameters: Floats, numbers: NDArray[np.intp]) -> Floats:
    """Give the Fisher information, what the second derivative is on average."""
    expected, jacobian = model(parameters, numbers)
    with np.errstate(divide="ignore"):
        weight = np.where(expected > 0, 1 / expected, 0.0)
    weighted = jacobian * weight[..., None]
    return np.asarray(np.matmul(np.swapaxes(jacobian, -1, -2), weighted))


def _step_inside(
    equations: NormalEquations, damping: Floats, least: Floats, most: Floats
) -> Floats:
    """Give the damped step; where it leaves the box, the best with those parameters at it."""
    step = damped_step(equations, damping)
    beyond = (step < least) | (step > most)
    rows = np.flatnonzero(beyond.any(axis=1))
    if rows.size:
        out = beyond[rows]
        fixed = np.where(out, np.clip(step[rows], least[rows], most[rows]), 0.0)
        curvature = equations.curvature[rows]
        pull = equations.gradient[rows] - np.matmul(curvature, fixed[..., None])[..., 0]
        rest = _without(NormalEquations(equations.cost[rows], pull, curvature), out)
        step[rows] = np.where(out, fixed, damped_step(rest, damping[rows]))
    return step


def _held(parameters: Floats, gradient: Floats, lower: Floats, upper: Floats) -> NDArray[np.bool_]:
    """Tell which parameters stand at a bound and would go beyond it."""
    return np.asarray(
        ((parameters <= lower) & (gradient <= 0)) | ((parameters >= upper) & (gradient >= 0))
    )


def _without(equations: NormalEquations, held: NDArray[np.bool_]) -> NormalEquations:
    """Take parameters out of the equations; `damped_step` leaves them where they are."""
    free = ~held
    return NormalEquations(
        equations.cost,
        equations.gradient * free,
        equations.curvature * (free[:, :, None] & free[:, None, :]),
    )


def _result(
    parameters: Floats,
    cost: Floats,
    fisher: Floats,
    held: NDArray[np.bool_],
    converged: NDArray[np.bool_],
) -> PoissonFit:
    free = ~held
    both = free[:, :, None] & free[:, None, :]
    number = np.arange(parameters.shape[1])
    # A one on the diagonal keeps the rest of the matrix as it is when it is inverted.
    information = fisher * both
    information[:, number, number] += held
    covariance = covariance_from_curvature(information) * both
    errors = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return PoissonFit(parameters, np.where(held, np.nan, errors), covariance, cost, converged)
