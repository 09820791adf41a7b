"""Sums over the rows of a group: a class, a track, a region."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def counts_by_group(groups: ArrayLike, /, *, n_groups: int) -> NDArray[np.int64]:
    """Count the rows of each group; negative numbers belong to none.

    Examples
    --------
    >>> counts_by_group([0, 2, 2, -1], n_groups=3)
    array([1, 0, 2])
    """
    numbers = np.asarray(groups).ravel()
    return np.bincount(numbers[numbers >= 0], minlength=n_groups).astype(np.int64)


def sums_by_group(values: ArrayLike, groups: ArrayLike, /, *, n_groups: int) -> NDArray[np.float64]:
    """Sum the rows of each group, in float64.

    Parameters
    ----------
    values : array_like, shape (row, ...)
        Numbers to sum.
    groups : array_like of int, shape (row,)
        Group of each row; negative: none.
    n_groups : int
        Length of the result.

    Examples
    --------
    >>> sums_by_group([[1.0], [2.0], [4.0]], [1, 1, -1], n_groups=2)
    array([[0.],
           [3.]])
    """
    numbers = np.asarray(groups).ravel()
    array: NDArray[Any] = np.asarray(values)
    if len(array) != len(numbers):
        msg = f"{len(array)} rows of values, {len(numbers)} group numbers: need as many"
        raise ValueError(msg)
    rows = np.flatnonzero(numbers >= 0)
    members = scipy.sparse.csr_array(
        (np.ones(len(rows)), (numbers[rows], rows)), shape=(n_groups, len(numbers))
    )
    # Written out, since -1 cannot be told where there is no row.
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    sums = members @ flat.astype(np.float64, copy=False)
    return np.asarray(sums).reshape(n_groups, *array.shape[1:])


def means_by_group(
    values: ArrayLike, groups: ArrayLike, /, *, n_groups: int
) -> NDArray[np.float64]:
    """Average the rows of each group; NaN for a group without rows.

    Examples
    --------
    >>> means_by_group([1.0, 3.0, 5.0], [0, 0, 1], n_groups=2)
    array([2., 5.])
    """
    sums = sums_by_group(values, groups, n_groups=n_groups)
    counts = counts_by_group(groups, n_groups=n_groups).astype(float)
    counts[counts == 0] = np.nan
    means: NDArray[np.float64] = sums / counts.reshape(-1, *(1,) * (sums.ndim - 1))
    return means
