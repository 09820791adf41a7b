"""Features of named numbers: what each is, and its unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.numerics.channels import by_rows


def measures_by_rows(
    features: xr.DataArray,
    work: Callable[[NDArray[Any]], NDArray[Any]],
    units: Mapping[str, str],
    /,
    *,
    name: str,
) -> xr.DataArray:
    """Apply a function of rows that gives one column for each name; see `by_rows`.

    Parameters
    ----------
    features : Features
        What is worked on.
    work : callable
        Gives as many rows, and a column for each of the names.
    units : mapping of str to str
        Name of each measure to its unit, in the order of the columns.
    name : str
        Of the result.
    """
    return named_measures(by_rows(features, work, n_columns=len(units)), units, name=name)


def named_measures(
    features: xr.DataArray, units: Mapping[str, str], /, *, name: str
) -> xr.DataArray:
    """Give the columns of features (..., measure) their names and units.

    The measures differ in unit: ``unit (measure)`` has that of each, and
    the array as a whole has none.
    """
    named = features.assign_coords(
        measure=("measure", np.array(list(units), dtype=str)),
        unit=("measure", np.array(list(units.values()), dtype=str)),
    )
    named.name = name
    named.attrs = {"units": next(iter(units.values())) if len(set(units.values())) == 1 else "1"}
    return named
