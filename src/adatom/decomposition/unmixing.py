"""How much of known spectra is in every row: least squares with bounds, exactly."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import map_to
from adatom.numerics.measures import named_measures
from adatom.schema import FEATURES, Features

Constraint = Literal["none", "nonnegative", "sum_to_one"]

# Passive sets settle within a few exchanges a component; this bounds cycles of rounding errors.
_EXCHANGES_PER_COMPONENT: Final = 5
# Below this share of the largest gradient an abundance at zero stays there.
_AT_BOUND: Final = 1e-10


class Abundances(NamedTuple):
    """How much of each component is in every row."""

    abundances: Features
    """(..., component)."""
    errors: Features
    """Standard errors of the abundances; zero of those that a bound fixes."""
    residual: Features
    """(..., measure): root mean square of what is left, in the unit of the features."""


def estimate_abundances(
    features: Features,
    components: Features,
    /,
    *,
    constraint: Constraint = "nonnegative",
    normalize: bool = False,
) -> Abundances:
    """Estimate how much of each component every row holds, by least squares.

    Rows with the same set of components above zero are solved together
    [1]_, so that the exact solution of each costs little more than a product
    of matrices.

    Parameters
    ----------
    features : Features
        Rows with NaN get NaN. Read block by block.
    components : Features
        (component, feature), such as endmembers.
    constraint : {"nonnegative", "none", "sum_to_one"}
        "nonnegative" where intensity varies from row to row (thickness,
        illumination); "sum_to_one" also asks that abundances add up to one
        [2]_, which needs components of true relative brightness.
    normalize : bool
        Divide the abundances of every row by their sum afterwards, and the
        errors too: as if the sum had no error of its own.

    Returns
    -------
    Abundances
        With errors from the scatter of the residuals, those at a bound held
        there.

    Raises
    ------
    KindError
        If components and features have different features.
    SettingError
        If the components are not linearly independent.

    Examples
    --------
    >>> rows = xr.DataArray([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0]], dims=("site", "feature"))
    >>> pure = xr.DataArray(np.eye(3)[:2], dims=("component", "feature"))
    >>> estimate_abundances(rows, pure).abundances.values
    array([[1., 1.],
           [0., 2.]])

    References
    ----------
    .. [1] M. H. Van Benthem and M. R. Keenan, J. Chemom. 18, 441 (2004).
    .. [2] D. C. Heinz and C.-I. Chang, IEEE Trans. Geosci. Remote Sens. 39, 529 (2001).
    """
    FEATURES.check(features)
    FEATURES.check(components, name="components")
    spectra = matrix_of(features, components)
    cut = blocks(features)
    n_components = len(spectra)
    outputs = [np.full((cut.n_rows, n), np.nan, cut.dtype) for n in (n_components, n_components, 1)]

    def work(rows: NDArray[Any]) -> list[NDArray[np.float64]]:
        values, errors, residual = solve_rows(rows.astype(np.float64), spectra, constraint)
        if normalize:
            total = values.sum(axis=1, keepdims=True)
            scale = np.where(total > 0, total, np.nan)
            values, errors = values / scale, errors / scale
        return [values, errors, residual[:, None]]

    map_to(cut, work, outputs)
    unit = "1" if normalize else ratio_unit(features, components)
    named = (
        components[components.dims[0]].values if components.dims[0] in components.coords else None
    )
    return Abundances(
        map_like(features, outputs[0], "component", "abundance", unit, named),
        map_like(features, outputs[1], "component", "abundance_error", unit, named),
        _residual(features, outputs[2]),
    )


def _residual(features: xr.DataArray, values: NDArray[Any]) -> xr.DataArray:
    unit = str(features.attrs.get("units", "1"))
    placed = map_like(features, values, "measure", "residual", unit)
    named = named_measures(placed, {"residual": unit}, name="residual")
    return named.assign_attrs(placed.attrs)


def solve_rows(
    rows: NDArray[np.float64], spectra: NDArray[np.float64], constraint: Constraint, /
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Solve all rows: abundances, their standard errors, and the root mean square residual."""
    gram, products = spectra @ spectra.T, rows @ spectra.T
    values, free = solve_bounded(gram, products, constraint)
    left = rows - values @ spectra
    squares = np.einsum("ij,ij->i", left, left)
    degrees = np.maximum(spectra.shape[1] - n_free_of(free, constraint), 1)
    errors = unit_errors(gram, free, constraint) * np.sqrt(squares / degrees)[:, None]
    return values, errors, np.sqrt(squares / spectra.shape[1])


def n_free_of(free: NDArray[np.bool_], constraint: Constraint, /) -> NDArray[np.int64]:
    """Count the parameters that every row is free in: one less where their sum is given."""
    return np.asarray(free.sum(axis=1) - (constraint == "sum_to_one"), dtype=np.int64)


def solve_bounded(
    gram: NDArray[np.float64],
    products: NDArray[np.float64],
    constraint: Constraint,
    total: NDArray[np.float64] | None = None,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Solve all rows from products with the components: abundances, and which are off the bound.

    Parameters
    ----------
    gram : array, shape (component, component)
        Products of the components with one another.
    products : array, shape (row, component)
        Of the rows with the components.
    constraint : {"nonnegative", "none", "sum_to_one"}
        As of `estimate_abundances`.
    total : array, shape (row,), optional
        What "sum_to_one" adds up to, if not to one.
    """
    total = np.ones(len(products)) if total is None else total
    free = np.ones(products.shape, dtype=bool)
    values = solve_sets(gram, products, free, constraint, total)
    if constraint == "none":
        return values, free
    return _with_bounds(gram, products, values, free, constraint, total)


def _with_bounds(
    gram: NDArray[np.float64],
    products: NDArray[np.float64],
    values: NDArray[np.float64],
    free: NDArray[np.bool_],
    constraint: Constraint,
    total: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Exchange components between the bound and the free set until every row is optimal.

    Block pivoting: all that violate a condition are exchanged at once; rows
    that do not get better so exchange one at a time, which cannot cycle.
    """
    n_components = gram.shape[0]
    fewest = np.full(len(values), n_components + 1)
    patience = np.full(len(values), 3)
    scale = _AT_BOUND * np.maximum(np.abs(products).max(axis=1, keepdims=True), 1e-300)
    open_rows = np.arange(len(values))
    for _ in range(_EXCHANGES_PER_COMPONENT * n_components * n_components):
        here, sets = values[open_rows], free[open_rows]
        wrong = np.where(
            sets,
            here < 0,
            _gradient(gram, products[open_rows], here, sets, constraint) > scale[open_rows],
        )
        count = wrong.sum(axis=1)
        keep = count > 0
        if not keep.any():
            break
        open_rows, wrong, count = open_rows[keep], wrong[keep], count[keep]
        better = count < fewest[open_rows]
        fewest[open_rows] = np.where(better, count, fewest[open_rows])
        patience[open_rows] = np.where(better, 3, patience[open_rows] - 1)
        single = patience[open_rows] < 0
        # Murty's rule: the last that is wrong, alone.
        last = n_components - 1 - wrong[:, ::-1].argmax(axis=1)
        alone = np.zeros_like(wrong)
        alone[np.arange(len(alone)), last] = True
        free[open_rows] ^= np.where(single[:, None], alone, wrong)
        if constraint == "sum_to_one":
            _never_empty(free, open_rows, products)
        values[open_rows] = solve_sets(
            gram, products[open_rows], free[open_rows], constraint, total[open_rows]
        )
    return np.where(free, np.maximum(values, 0.0), 0.0), free


def _never_empty(free: NDArray[np.bool_], rows: Any, products: NDArray[np.float64]) -> None:  # noqa: ANN401
    """Keep at least one component free, or nothing could add up to one."""
    empty = rows[~free[rows].any(axis=1)]
    free[empty, products[empty].argmax(axis=1)] = True


def _gradient(
    gram: NDArray[np.float64],
    products: NDArray[np.float64],
    values: NDArray[np.float64],
    sets: NDArray[np.bool_],
    constraint: Constraint,
) -> NDArray[np.float64]:
    """Give how fast the misfit would fall if a component grew from its bound."""
    slope = products - values @ gram
    if constraint == "sum_to_one":
        # What grows takes from the free ones, all of which have the same slope.
        count = np.maximum(sets.sum(axis=1, keepdims=True), 1)
        slope = slope - (slope * sets).sum(axis=1, keepdims=True) / count
    return slope


def solve_sets(
    gram: NDArray[np.float64],
    products: NDArray[np.float64],
    sets: NDArray[np.bool_],
    constraint: Constraint,
    total: NDArray[np.float64],
    /,
) -> NDArray[np.float64]:
    """Solve rows with the same free set together; what is not free is zero."""
    values = np.zeros_like(products)
    patterns, which = np.unique(sets, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(which.ravel() == number)
        columns = np.flatnonzero(pattern)
        if not columns.size:
            continue
        inner = gram[np.ix_(columns, columns)]
        wanted = products[np.ix_(rows, columns)].T
        if constraint == "sum_to_one":
            n = len(columns)
            bordered = np.zeros((n + 1, n + 1))
            bordered[:n, :n], bordered[n, :n], bordered[:n, n] = inner, 1.0, 1.0
            solved = np.linalg.solve(bordered, np.vstack([wanted, total[rows]]))[:n]
        else:
            solved = np.linalg.solve(inner, wanted)
        values[np.ix_(rows, columns)] = solved.T
    return values


def unit_errors(
    gram: NDArray[np.float64], free: NDArray[np.bool_], constraint: Constraint, /
) -> NDArray[np.float64]:
    """Give standard errors for noise of one, of the free components of each row."""
    errors = np.zeros(free.shape)
    patterns, which = np.unique(free, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        columns = np.flatnonzero(pattern)
        if not columns.size:
            continue
        inverse = np.linalg.inv(gram[np.ix_(columns, columns)])
        if constraint == "sum_to_one":
            total = inverse.sum(axis=1)
            inverse = inverse - np.outer(total, total) / total.sum()
        rows = np.flatnonzero(which.ravel() == number)
        errors[np.ix_(rows, columns)] = np.sqrt(np.maximum(np.diag(inverse), 0.0))
    return errors


def matrix_of(features: xr.DataArray, components: xr.DataArray, /) -> NDArray[np.float64]:
    """Give components as an array (component, feature), checked against the features.

    Raises
    ------
    KindError
        If they have different features.
    SettingError
        If components hold NaN or are not linearly independent.
    """
    if components.ndim != 2 or components.dims[-1] != features.dims[-1]:
        msg = (
            f"components have dims {tuple(components.dims)}, need (component, "
            f"{features.dims[-1]!r}) as the features have"
        )
        raise KindError(msg)
    if components.shape[1] != features.shape[-1]:
        msg = (
            f"components have {components.shape[1]} values along {features.dims[-1]!r}, the "
            f"features {features.shape[-1]}: crop or resample one of them"
        )
        raise KindError(msg)
    spectra = np.asarray(components.values, dtype=np.float64)
    if not np.isfinite(spectra).all():
        msg = "components hold NaN: leave out the features that are not measured"
        raise SettingError(msg)
    if np.linalg.matrix_rank(spectra) < len(spectra):
        msg = (
            f"the {len(spectra)} components are not linearly independent, so abundances are not "
            "determined: leave out what is a mixture of the others"
        )
        raise SettingError(msg)
    return spectra


def ratio_unit(features: xr.DataArray, components: xr.DataArray, /) -> str:
    """Give the unit of abundances: none where components are in the unit of the features."""
    ours, theirs = features.attrs.get("units", "1"), components.attrs.get("units", "1")
    return "1" if ours == theirs else str(ours)


def map_like(
    features: xr.DataArray,
    values: NDArray[Any],
    dim: str,
    name: str,
    unit: str,
    along: NDArray[Any] | None = None,
    /,
) -> xr.DataArray:
    """Give values (row, column) the places of the rows that they belong to."""
    last = features.dims[-1]
    kept = {key: coord for key, coord in features.coords.items() if last not in coord.dims}
    if along is None or len(along) != values.shape[1]:
        along = np.arange(values.shape[1])
    attrs = {"units": unit}
    if "source" in features.attrs:
        attrs["source"] = features.attrs["source"]
    return xr.DataArray(
        values.reshape(*features.shape[:-1], values.shape[1]),
        dims=(*features.dims[:-1], dim),
        coords={**kept, dim: along},
        name=name,
        attrs=attrs,
    )
