"""Banded equations for many right sides at once, each with a diagonal of its own."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bands: TypeAlias = tuple[Floats, ...]
"""A symmetric matrix: ``bands[k][i]`` couples i and i + k; the main diagonal comes first."""


def roughness_penalty(axis: Floats, /, *, order: int) -> Bands:
    """Give the integral of a squared derivative as a quadratic form of samples [1]_.

    Derivatives are divided differences of neighbors, so the steps of the
    axis may differ. The second leaves straight lines free, the third
    parabolas.

    Parameters
    ----------
    axis : array, shape (n,)
        Strictly monotonic, of more values than `order`.
    order : int
        Of the derivative.

    Examples
    --------
    >>> roughness_penalty(np.arange(5.0), order=3)[0]
    array([ 1., 10., 18., 10.,  1.])

    References
    ----------
    .. [1] P. H. C. Eilers, Anal. Chem. 75, 3631 (2003), supporting information for unequal steps.
    """
    n = len(axis)
    place = np.abs(axis - axis[0])
    near = np.stack([place[k : n - order + k] for k in range(order + 1)])
    apart = near[:, None, :] - near[None, :, :]
    apart[np.arange(order + 1), np.arange(order + 1)] = 1.0
    width = (near[-1] - near[0]) / order
    factors = math.factorial(order) / apart.prod(axis=1) * np.sqrt(width)
    bands = tuple(np.zeros(n - k) for k in range(order + 1))
    for first in range(order + 1):
        for second in range(first, order + 1):
            bands[second - first][first : first + n - order] += factors[first] * factors[second]
    return bands


def banded_product(bands: Bands, columns: Floats, /) -> Floats:
    """Multiply the matrix with columns (n, column)."""
    made = bands[0][:, None] * columns
    for k, band in enumerate(bands[1:], start=1):
        made[:-k] += band[:, None] * columns[k:]
        made[k:] += band[:, None] * columns[:-k]
    return made


def solve_banded(bands: Bands, weights: Floats, right: Floats, /) -> Floats:
    """Solve ``(matrix + diag(weights[:, j])) z = right[:, j]`` for every column j.

    All columns take a step of the factorization ``L D L^T`` together, so one
    column's result does not depend on the others.

    Parameters
    ----------
    bands : tuple of arrays
        Of a positive semidefinite matrix of size n.
    weights : array, shape (n, column)
        Not negative, and in every column more of them above zero than the
        matrix leaves free.
    right : array, shape (n, column)

    Examples
    --------
    >>> identity = (np.ones(4), np.zeros(3))
    >>> solve_banded(identity, np.ones((4, 1)), np.full((4, 1), 6.0)).ravel()
    array([3., 3., 3., 3.])
    """
    n, width = len(bands[0]), len(bands) - 1
    inverse = np.empty_like(right)
    # lower[k][i] is L[i, i - k]; what reaches above the first row stays zero.
    lower = [np.zeros_like(right) for _ in range(width + 1)]
    z = np.array(right)
    pivot, term = np.empty_like(right[0]), np.empty_like(right[0])
    coupling = [np.empty_like(right[0]) for _ in range(width + 1)]
    lists = [band.tolist() for band in bands]
    for i in range(n):
        np.add(weights[i], lists[0][i], out=pivot)
        for k in range(min(width, i), 0, -1):
            here = coupling[k]
            here.fill(lists[k][i - k])
            for m in range(k + 1, min(width, i) + 1):
                here -= np.multiply(coupling[m], lower[m - k][i - k], out=term)
            np.multiply(here, inverse[i - k], out=lower[k][i])
            pivot -= np.multiply(lower[k][i], here, out=term)
            z[i] -= np.multiply(lower[k][i], z[i - k], out=term)
        np.divide(1.0, pivot, out=inverse[i])
    z *= inverse
    for i in range(n - 2, -1, -1):
        for k in range(1, min(width, n - 1 - i) + 1):
            z[i] -= np.multiply(lower[k][i + k], z[i + k], out=term)
    return z
