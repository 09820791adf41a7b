"""Some rows of features for a picture, without loading all of a large map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.blocks import blocks

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# What is in memory or as small is taken whole; of more some blocks, spread over all.
_WHOLE_VALUES: Final = 1 << 26
_MOST_BLOCKS: Final = 16


class SampledRows(NamedTuple):
    """Rows that were loaded."""

    numbers: NDArray[np.int64]
    """Place of each among all rows, leading dims in C order."""
    values: NDArray[np.floating]
    """(row, feature), NaN where not measured."""
    n_rows: int
    """Rows in all."""


def sample_rows(features: xr.DataArray, /, *, most: int = 4096) -> SampledRows:
    """Load rows that are spread evenly over features.

    Parameters
    ----------
    features : Features
        Numpy or dask inside.
    most : int
        How many rows at most.
    """
    cut = blocks(features)
    whole = features.size <= _WHOLE_VALUES
    chosen = np.arange(len(cut))
    if not whole:
        chosen = np.unique(np.linspace(0, len(cut) - 1, min(len(cut), _MOST_BLOCKS)).astype(int))
    n_each = max(1, most // max(len(chosen), 1))
    numbers, values = [], []
    for index in chosen.tolist():
        block = cut[index]
        size = block.rows.stop - block.rows.start
        wanted = n_each if len(chosen) > 1 else most
        picked = np.unique(np.linspace(0, size - 1, min(size, wanted)).round().astype(np.int64))
        rows = np.full((size, cut.n_columns), np.nan, cut.dtype)
        rows[block.measured] = block.values
        rows[~block.measured] = block.incomplete
        numbers.append(picked + block.rows.start)
        values.append(rows[picked])
    if not numbers:
        return SampledRows(np.zeros(0, np.int64), np.zeros((0, cut.n_columns), cut.dtype), 0)
    return SampledRows(np.concatenate(numbers), np.concatenate(values), cut.n_rows)


def rows_numbered(
    features: xr.DataArray, numbers: NDArray[np.int64], /
) -> dict[int, NDArray[np.float64]]:
    """Load some rows of features, by their number in C order of the leading dims."""
    rows = {}
    for number in np.unique(numbers).tolist():
        place = np.unravel_index(number, features.shape[:-1])
        index = dict(zip(features.dims[:-1], (int(i) for i in place), strict=True))
        rows[number] = features.isel(index).values.astype(np.float64)
    return rows
