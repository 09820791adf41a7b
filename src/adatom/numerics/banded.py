"""Banded equations for many right sides at once, each with a diagonal of its own."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bands: TypeAlias = tuple[Floats, ...]
"""A symmetric matrix: ``bands[k][i]`` couples i and i + k; the main diagonal comes first."""

_ORDER: Final = 3


def roughness_penalty(axis: Floats, /) -> Bands:
    """Give the integral of the squared third derivative as a quadratic form of samples [1]_.

    Third derivatives, which leave parabolas free, are divided differences of
    four neighbors, so the steps of the axis may differ. Second derivatives
    would ask curves to be straight at both ends, which backgrounds are not.

    Parameters
    ----------
    axis : array, shape (n,)
        Strictly monotonic, four values or more.

    Examples
    --------
    >>> roughness_penalty(np.arange(5.0))[0]
    array([ 1., 10., 18., 10.,  1.])

    References
    ----------
    .. [1] P. H. C. Eilers, Anal. Chem. 75, 3631 (2003), supporting information for unequal steps.
    """
    n = len(axis)
    place = np.abs(axis - axis[0])
    near = np.stack([place[k : n - _ORDER + k] for k in range(_ORDER + 1)])
    apart = near[:, None, :] - near[None, :, :]
    apart[np.arange(_ORDER + 1), np.arange(_ORDER + 1)] = 1.0
    factors = 6.0 / apart.prod(axis=1) * np.sqrt((near[-1] - near[0]) / _ORDER)
    bands = tuple(np.zeros(n - k) for k in range(_ORDER + 1))
    for first in range(_ORDER + 1):
        for second in range(first, _ORDER + 1):
            product = factors[first] * factors[second]
            bands[second - first][first : first + n - _ORDER] += product
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
