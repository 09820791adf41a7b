"""Smooth curves through many noisy rows at once: banded equations, a column a row of data."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class Pentadiagonal(NamedTuple):
    """A symmetric matrix with two diagonals beside the main one.

    Attributes
    ----------
    main : array, shape (n,)
    first : array, shape (n - 1,)
        ``[i]`` couples i and i + 1.
    second : array, shape (n - 2,)
        ``[i]`` couples i and i + 2.
    """

    main: Floats
    first: Floats
    second: Floats


def curvature_penalty(axis: Floats, /) -> Pentadiagonal:
    """Give the integral of the squared second derivative as a quadratic form of samples [1]_.

    Second derivatives are divided differences of three neighbors, so the
    steps of the axis may differ.

    Parameters
    ----------
    axis : array, shape (n,)
        Strictly monotonic, three values or more.

    Examples
    --------
    >>> curvature_penalty(np.arange(4.0)).main
    array([1., 5., 5., 1.])

    References
    ----------
    .. [1] P. H. C. Eilers, Anal. Chem. 75, 3631 (2003), supporting information for unequal steps.
    """
    steps = np.abs(np.diff(axis))
    width = (steps[:-1] + steps[1:]) / 2
    # One row of differences for each inner sample, with the square root of its share of the axis.
    root = 1 / np.sqrt(width)
    left, right = root / steps[:-1], root / steps[1:]
    middle = -(left + right)
    main = np.zeros(len(axis))
    main[:-2] += left**2
    main[1:-1] += middle**2
    main[2:] += right**2
    first = np.zeros(len(axis) - 1)
    first[:-1] += left * middle
    first[1:] += middle * right
    return Pentadiagonal(main, first, left * right)


def solve_pentadiagonal(matrix: Pentadiagonal, weights: Floats, right: Floats, /) -> Floats:
    """Solve ``(matrix + diag(weights[:, j])) z = right[:, j]`` for every column j.

    All columns take a step of the factorization ``L D L^T`` together, so one
    column's result does not depend on the others.

    Parameters
    ----------
    matrix : Pentadiagonal
        Positive semidefinite, of size n.
    weights : array, shape (n, column)
        Not negative, and two or more above zero in every column.
    right : array, shape (n, column)

    Examples
    --------
    >>> identity = Pentadiagonal(np.ones(4), np.zeros(3), np.zeros(2))
    >>> solve_pentadiagonal(identity, np.ones((4, 1)), np.full((4, 1), 6.0)).ravel()
    array([3., 3., 3., 3.])
    """
    n = len(matrix.main)
    inverse, near, far = (np.zeros_like(right) for _ in range(3))
    z = np.array(right)
    pivot, product = np.empty_like(right[0]), np.empty_like(right[0])
    main, first, second = (part.tolist() for part in matrix)
    for i in range(n):
        np.add(weights[i], main[i], out=pivot)
        if i >= 2:
            np.multiply(inverse[i - 2], second[i - 2], out=far[i])
            pivot -= np.multiply(far[i], second[i - 2], out=product)
            z[i] -= np.multiply(far[i], z[i - 2], out=product)
        if i >= 1:
            # What couples to the neighbor, less what has gone through the one before it.
            coupling = np.multiply(near[i - 1], second[i - 2] if i >= 2 else 0.0, out=product)
            np.subtract(first[i - 1], coupling, out=product)
            np.multiply(inverse[i - 1], product, out=near[i])
            pivot -= np.multiply(near[i], product, out=product)
            z[i] -= np.multiply(near[i], z[i - 1], out=product)
        np.divide(1.0, pivot, out=inverse[i])
    z *= inverse
    for i in range(n - 2, -1, -1):
        z[i] -= np.multiply(near[i + 1], z[i + 1], out=product)
        if i < n - 2:
            z[i] -= np.multiply(far[i + 2], z[i + 2], out=product)
    return z
