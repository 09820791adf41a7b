"""How alike two ways of labelling the same things are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.optimize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def confusion_counts(
    labels: ArrayLike, others: ArrayLike, /
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count how often each pair of labels meets.

    Returns
    -------
    counts : array, shape (label, other)
        Members that carry both labels.
    label_values, other_values : array
        The labels of the rows and of the columns.

    Examples
    --------
    >>> confusion_counts([0, 0, 1], [7, 7, 5])[0]
    array([[0, 2],
           [1, 0]])
    """
    first, second = np.asarray(labels).ravel(), np.asarray(others).ravel()
    if first.shape != second.shape:
        msg = f"{first.size} labels cannot be compared with {second.size}"
        raise ValueError(msg)
    rows, row = np.unique(first, return_inverse=True)
    columns, column = np.unique(second, return_inverse=True)
    counts = np.bincount(row * len(columns) + column, minlength=len(rows) * len(columns))
    return counts.reshape(len(rows), len(columns)).astype(np.int64), rows, columns


def adjusted_rand_index(labels: ArrayLike, others: ArrayLike, /) -> float:
    """Give the adjusted Rand index of two labellings [1]_: 1 the same, about 0 by chance.

    Examples
    --------
    >>> adjusted_rand_index([0, 0, 1, 1], [5, 5, 3, 3])
    1.0

    References
    ----------
    .. [1] L. Hubert and P. Arabie, J. Classif. 2, 193 (1985), eq. 5.
    """
    counts, _, _ = confusion_counts(labels, others)
    both = _pairs(counts)
    first, second = _pairs(counts.sum(axis=1)), _pairs(counts.sum(axis=0))
    total = _pairs(counts.sum())
    # Both put everything together, or both nothing: the same partition, though the index is 0/0.
    if first == second == both:
        return 1.0
    expected = first * second / total
    return float((both - expected) / ((first + second) / 2 - expected))


def _pairs(counts: NDArray[np.int64]) -> float:
    n = counts.astype(float)
    return float((n * (n - 1) / 2).sum())


def best_matching(counts: ArrayLike, /) -> NDArray[np.int64]:
    """Pair rows with columns of a confusion matrix so that most members agree.

    Returns
    -------
    array of int, shape (row,)
        The column of each row, -1 for a row that is left over.

    Examples
    --------
    >>> best_matching([[0, 2], [1, 0], [0, 1]])
    array([ 1,  0, -1])
    """
    matrix = np.asarray(counts)
    rows, columns = scipy.optimize.linear_sum_assignment(matrix, maximize=True)
    partner = np.full(matrix.shape[0], -1, dtype=np.int64)
    partner[rows] = columns
    return partner


def agreement(labels: ArrayLike, others: ArrayLike, /) -> float:
    """Give the share of members whose labels agree after the best matching of labels.

    Examples
    --------
    >>> agreement([0, 0, 1, 1], [1, 1, 0, 1])
    0.75
    """
    counts, _, _ = confusion_counts(labels, others)
    partner = best_matching(counts)
    matched = np.flatnonzero(partner >= 0)
    return float(counts[matched, partner[matched]].sum() / counts.sum())
