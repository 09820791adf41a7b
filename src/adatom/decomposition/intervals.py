"""Intervals of abundances that know of their bounds: profiles of least squares."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.decomposition.unmixing import (
    Constraint,
    map_like,
    matrix_of,
    n_free_of,
    ratio_unit,
    solve_bounded,
    solve_sets,
    unit_errors,
)
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import map_to
from adatom.schema import FEATURES, Features, add_note

# The square root of a profile is nearly a line: a false position finds its crossing to a
# thousandth in some five steps, and in these surely.
_STEPS: Final = 12
_AT_REST: Final = 1e-3
# An end of the interval is sought within so many standard errors of an unbounded fit.
_REACH: Final = 3.0


class AbundanceIntervals(NamedTuple):
    """How much of each component is in every row, from least to most."""

    abundances: Features
    """(..., component), of least squares."""
    lower: Features
    """(..., component): zero where the row may hold none of it."""
    upper: Features
    """(..., component): above zero where the row may hold some though none was found."""


def estimate_abundance_intervals(
    features: Features,
    components: Features,
    /,
    *,
    constraint: Constraint = "nonnegative",
    confidence: float = 0.95,
) -> AbundanceIntervals:
    """Estimate between which abundances of each component every row lies.

    A standard error says nothing of a component that was found at its bound:
    zero was measured, but how much may there be? The interval holds all
    abundances with which, the others fitted anew within their bounds, the
    sum of squares rises by no more than noise explains (the profile
    likelihood [1]_), and all within the bounds that a fit without them allows.
    The profile by itself would miss the truth more often than it says where
    several of the others are at their bound (in simulations 10 % in place of
    5 %); the fit without bounds by itself may allow nothing at all.

    Parameters
    ----------
    features : Features
        Noise of one level in all channels, or features weighted so. Rows
        with NaN get NaN. Read block by block; takes some twenty times
        as long as `estimate_abundances` for each component.
    components : Features
        (component, feature), such as endmembers, taken as known.
    constraint : {"nonnegative", "none", "sum_to_one"}
        As of `estimate_abundances`.
    confidence : float
        Of the intervals: 0.95 is custom. They hold the truth at least so
        often where noise is normal; near a bound more often.

    Returns
    -------
    AbundanceIntervals

    Raises
    ------
    KindError
        If components and features have different features.
    SettingError
        If the components are not linearly independent, as many as the
        features or more, or `confidence` is no share.

    Examples
    --------
    >>> import xarray as xr
    >>> noise = 0.1 * np.array([1, -1, 1, -1, 1, -1])
    >>> pure = xr.DataArray(np.eye(2).repeat(3, axis=1), dims=("component", "feature"))
    >>> row = xr.DataArray((pure[0].values + noise)[None], dims=("site", "feature"))
    >>> found = estimate_abundance_intervals(row, pure)
    >>> [part.values.round(2).tolist() for part in found]
    [[[1.03, 0.0]], [[0.85, 0.0]], [[1.22, 0.15]]]

    References
    ----------
    .. [1] D. J. Venzon and S. H. Moolgavkar, J. R. Stat. Soc. C 37, 87 (1988); with a threshold
       from the t distribution, as D. M. Bates and D. G. Watts, Nonlinear Regression Analysis
       (1988), ch. 6.
    """
    FEATURES.check(features)
    FEATURES.check(components, name="components")
    if not 0 < confidence < 1:
        msg = f"{confidence=} must lie between 0 and 1"
        raise SettingError(msg)
    spectra = matrix_of(features, components)
    n_components, n_features = spectra.shape
    if n_components >= n_features:
        msg = (
            f"{n_components} components of {n_features} features leave nothing from which noise "
            "could be told: give fewer components"
        )
        raise SettingError(msg)
    cut = blocks(features)
    outputs = [np.full((cut.n_rows, n_components), np.nan, cut.dtype) for _ in range(3)]

    def work(rows: NDArray[Any]) -> list[NDArray[np.float64]]:
        profiles = _Profiles(rows.astype(np.float64), spectra, constraint, confidence)
        ends = [profiles.ends(number) for number in range(n_components)]
        lower, upper = (np.stack(side, axis=1) for side in zip(*ends, strict=True))
        low, high = profiles.without_bounds()
        return [profiles.values, np.minimum(lower, low), np.maximum(upper, high)]

    map_to(cut, work, outputs)
    unit = ratio_unit(features, components)
    dim = components.dims[0]
    named = components[dim].values if dim in components.coords else None
    result = AbundanceIntervals(
        *(
            map_like(features, values, "component", name, unit, named)
            for values, name in zip(
                outputs, ("abundance", "abundance_lower", "abundance_upper"), strict=True
            )
        )
    )
    for part in (result.lower, result.upper):
        add_note(part, f"ends of intervals of {confidence:.0%}, by profiles of the sum of squares")
    return result


class _Profiles:
    """Sums of squares of rows, with one abundance held and the others fitted anew."""

    def __init__(
        self,
        rows: NDArray[np.float64],
        spectra: NDArray[np.float64],
        constraint: Constraint,
        confidence: float,
    ) -> None:
        self.constraint: Constraint = constraint
        self.gram, self.products = spectra @ spectra.T, rows @ spectra.T
        self.values, free = solve_bounded(self.gram, self.products, constraint)
        self.allowed = _allowed(rows - self.values @ spectra, free, constraint, confidence)
        # Without bounds the profile is a parabola: its width is the reach to search in.
        self.width = np.sqrt(np.diag(np.linalg.inv(self.gram)))
        self.least = self._cost(self.values)
        free = np.ones_like(free)
        ones = np.ones(len(rows))
        self.loose = solve_sets(self.gram, self.products, free, constraint, ones)
        allowed = _allowed(rows - self.loose @ spectra, free, constraint, confidence)
        self.loose_half = allowed[:, None] * unit_errors(self.gram, free[:1], constraint)

    def without_bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the ends, (row, component), that a fit without bounds has, cut at the bounds."""
        low, high = self._bounds()
        return (
            np.clip(self.loose - self.loose_half, low, high),
            np.clip(self.loose + self.loose_half, low, high),
        )

    def _bounds(self) -> tuple[float, float]:
        low = -np.inf if self.constraint == "none" else 0.0
        return low, 1.0 if self.constraint == "sum_to_one" else np.inf

    def _cost(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the sum of squares but for that of the rows themselves."""
        cost: NDArray[np.float64] = np.einsum(
            "ij,ij->i", values @ self.gram - 2 * self.products, values
        )
        return cost

    def _rise(
        self, number: int, held: NDArray[np.float64], rows: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Give the root of how much more is left with one abundance held, less what is allowed."""
        others = np.delete(np.arange(len(self.gram)), number)
        products = self.products[rows][:, others] - held[rows, None] * self.gram[number, others]
        values = np.zeros((int(rows.sum()), len(self.gram)))
        if len(others):
            total = 1 - held[rows] if self.constraint == "sum_to_one" else None
            inner = self.gram[np.ix_(others, others)]
            values[:, others], _ = solve_bounded(inner, products, self.constraint, total)
        values[:, number] = held[rows]
        cost = np.einsum("ij,ij->i", values @ self.gram - 2 * self.products[rows], values)
        rise: NDArray[np.float64] = np.sqrt(np.maximum(cost - self.least[rows], 0.0))
        return rise - self.allowed[rows]

    def ends(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find where the profile of one abundance crosses what is allowed, on both sides."""
        best = self.values[:, number]
        reach = _REACH * self.allowed * self.width[number]
        if self.constraint == "sum_to_one" and len(self.gram) == 1:
            return best, best
        low, high = self._bounds()
        return (
            self._crossing(number, best, np.maximum(best - reach, low)),
            self._crossing(number, best, np.minimum(best + reach, high)),
        )

    def _crossing(
        self, number: int, inside: NDArray[np.float64], outside: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Find the crossing between the best value and a far one by false position (Illinois)."""
        near, far = inside.copy(), outside.copy()
        below = -self.allowed.copy()
        everywhere = np.ones(len(near), dtype=bool)
        above = self._rise(number, far, everywhere)
        # Where even the bound is allowed the interval ends there.
        searched = (above > 0) & (near != far)
        size = np.abs(outside - inside)
        for _ in range(_STEPS):
            if not searched.any():
                break
            middle = near + (far - near) * (-below / np.where(searched, above - below, 1))
            rise = np.zeros(len(near))
            rise[searched] = self._rise(number, middle, searched)
            beyond = searched & (rise > 0)
            within = searched & ~beyond
            far, above = np.where(beyond, middle, far), np.where(beyond, rise, above)
            near = np.where(within, middle, near)
            # An end that stays counts half, so that the other side moves as well.
            below = np.where(within, rise, np.where(beyond, below / 2, below))
            above = np.where(within, above / 2, above)
            searched &= np.abs(rise) > _AT_REST * self.allowed
            searched &= np.abs(far - near) > _AT_REST**2 * size
            far = np.where(within & ~searched, middle, far)
        return far


def _allowed(
    left: NDArray[np.float64], free: NDArray[np.bool_], constraint: Constraint, confidence: float
) -> NDArray[np.float64]:
    """Give the root of the rise of the sum of squares that noise explains, row by row."""
    from scipy.special import stdtrit

    squares = np.einsum("ij,ij->i", left, left)
    degrees = np.maximum(left.shape[1] - n_free_of(free, constraint), 1)
    quantile = np.asarray(stdtrit(degrees, (1 + confidence) / 2))
    allowed: NDArray[np.float64] = np.sqrt(squares / degrees) * quantile
    return allowed
