"""Some rows of features for a picture, without loading all of a large map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# What is as small as this is looked at whole.
_WHOLE_VALUES: Final = 1 << 26
# Of more some runs of neighboring rows: a lazy array reads a chunk for each of them.
_N_RUNS: Final = 16


class Run(NamedTuple):
    """Neighboring rows along the last of the leading dims."""

    outer: tuple[int, ...]
    start: int
    stop: int


class SampledRows(NamedTuple):
    """Rows that were loaded."""

    numbers: NDArray[np.int64]
    """Place of each among all rows, leading dims in C order."""
    values: NDArray[np.float64]
    """(row, feature), NaN where not measured."""
    runs: tuple[Run, ...]
    picked: NDArray[np.int64]
    """Which rows of the runs these are."""


def sample_rows(features: xr.DataArray, /, *, most: int = 4096) -> SampledRows:
    """Load rows that are spread evenly over features.

    Parameters
    ----------
    features : Features
        Numpy or dask inside.
    most : int
        How many rows at most.
    """
    runs = _runs(features.shape[:-1], whole=features.size <= _WHOLE_VALUES, most=most)
    length = features.shape[-2]
    starts = [_number(run.outer, features.shape[:-2]) * length + run.start for run in runs]
    numbers = np.concatenate(
        [start + np.arange(run.stop - run.start) for start, run in zip(starts, runs, strict=True)]
        or [np.zeros(0, np.int64)]
    ).astype(np.int64)
    count = min(most, len(numbers))
    picked = np.unique(np.linspace(0, len(numbers) - 1, count).round().astype(np.int64))
    values = _load(features, runs)[picked]
    return SampledRows(numbers[picked], values, runs, picked)


def same_rows(features: xr.DataArray, sampled: SampledRows, /) -> NDArray[np.float64]:
    """Load the rows of other features that lie where those of a sample do."""
    return _load(features, sampled.runs)[sampled.picked]


def _number(outer: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(outer, shape)) if shape else 0


def _runs(shape: tuple[int, ...], *, whole: bool, most: int) -> tuple[Run, ...]:
    n_lines, length = math.prod(shape[:-1]), shape[-1]
    if n_lines * length == 0:
        return ()
    if whole:
        lines = np.arange(n_lines)
        return tuple(
            Run(tuple(map(int, np.unravel_index(line, shape[:-1]))), 0, length) for line in lines
        )
    each = max(1, min(length, most // _N_RUNS))
    starts = np.linspace(0, n_lines * length - each, _N_RUNS).astype(np.int64)
    runs = []
    for line, along in (divmod(int(start), length) for start in starts):
        outer = tuple(map(int, np.unravel_index(line, shape[:-1])))
        # A run ends with its line.
        first = min(along, length - each)
        runs.append(Run(outer, first, first + each))
    return tuple(dict.fromkeys(runs))


def _load(features: xr.DataArray, runs: tuple[Run, ...]) -> NDArray[np.float64]:
    if sum(run.stop - run.start for run in runs) == math.prod(features.shape[:-1]):
        return np.array(features.values, dtype=np.float64).reshape(-1, features.shape[-1])
    parts = [
        np.array(features.data[(*run.outer, slice(run.start, run.stop))], dtype=np.float64).reshape(
            -1, features.shape[-1]
        )
        for run in runs
    ]
    return np.concatenate(parts or [np.zeros((0, features.shape[-1]))])


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
