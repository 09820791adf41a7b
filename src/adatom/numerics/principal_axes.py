"""Principal variances and axes of a covariance matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.linalg

from adatom.numerics.executors import single_threaded_blas

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Up to this share of all axes they are found faster by themselves than with all others.
_FEW: Final = 0.25
# Axes of less variance than this share of the largest are rounding errors of float32 data.
NULL: Final = 1e-12
# The eigenvectors of 2048 columns take seconds, those of 8192 some ten minutes: of more
# columns, axes come from the products of as many rows.
MOST_COLUMNS: Final = 2048


def principal_variances(covariance: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the eigenvalues of a covariance matrix, the largest first, none below zero.

    Examples
    --------
    >>> principal_variances(np.array([[2.0, 1.0], [1.0, 2.0]])).round(6)
    array([3., 1.])
    """
    with single_threaded_blas():
        values: NDArray[np.float64] = scipy.linalg.eigvalsh(covariance)
    return np.maximum(values[::-1], 0.0)


def principal_axes(covariance: NDArray[np.float64], n_axes: int, /) -> NDArray[np.float64]:
    """Give the first eigenvectors of a covariance matrix as rows, the largest variance first.

    The sign of an eigenvector is arbitrary: here its largest entry is positive.

    Examples
    --------
    >>> principal_axes(np.array([[2.0, 1.0], [1.0, 2.5]]), 1).round(3)
    array([[0.615, 0.788]])
    """
    n = len(covariance)
    few = n_axes < _FEW * n
    with single_threaded_blas():
        vectors = scipy.linalg.eigh(
            covariance,
            driver="evr" if few else "evd",
            subset_by_index=(n - n_axes, n - 1) if few else None,
        )[1]
    return signed_axes(vectors[:, ::-1].T[:n_axes])


def axes_of_rows(rows: NDArray[np.float64], /) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find variances and axes from the products of rows, which are fewer than the columns.

    Parameters
    ----------
    rows : array, shape (row, column)
        About their mean.

    Returns
    -------
    variances : array, shape (column,)
        The largest first, with the zeros of those that the rows do not span.
    axes : array, shape (axis, column)
        Those that rise above rounding errors.

    Examples
    --------
    >>> variances, axes = axes_of_rows(np.array([[1.0, 0.0, 1.0], [-1.0, 0.0, -1.0]]))
    >>> variances.round(6), (axes.round(3) + 0.0)
    (array([4., 0., 0.]), array([[0.707, 0.   , 0.707]]))
    """
    with single_threaded_blas():
        values, vectors = scipy.linalg.eigh(rows @ rows.T / max(len(rows) - 1, 1))
    values = np.maximum(values[::-1], 0)
    n_real = max(1, int(np.count_nonzero(values > NULL * values[0])))
    axes = vectors[:, ::-1].T[:n_real] @ rows
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    padded = np.zeros(rows.shape[1])
    padded[: min(len(values), len(padded))] = values[: len(padded)]
    return padded, signed_axes(axes / np.where(lengths > 0, lengths, 1))


def signed_axes(axes: NDArray[Any], /) -> NDArray[np.float64]:
    """Make the largest entry of every axis positive, the first of equal ones."""
    largest = np.abs(axes).argmax(axis=1)
    return np.ascontiguousarray(axes * np.sign(axes[np.arange(len(axes)), largest])[:, None])
