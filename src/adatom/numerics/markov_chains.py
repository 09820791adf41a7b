"""What follows from transition matrices: stationary states, passages, spectra, one-way parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Maximum likelihood reaches zero only in the limit: below this nothing ever happens.
NEVER: Final = 1e-6
_TINY: Final = 1e-300


def powers(matrix: Floats, /, *, longest: int) -> Floats:
    """Give all powers of stochastic matrices from 0 to `longest`, along a new first axis.

    Examples
    --------
    >>> powers(np.array([[0.0, 1.0], [1.0, 0.0]]), longest=2)[2]
    array([[1., 0.],
           [0., 1.]])
    """
    every = np.empty((longest + 1, *matrix.shape))
    every[0] = np.eye(matrix.shape[-1])
    for n in range(1, longest + 1):
        every[n] = every[n - 1] @ matrix
    return every


def strong_parts(matrix: Floats, /, *, least: float = NEVER) -> NDArray[np.int64]:
    """Find the sets of states among which every one is reached from every other, numbered.

    Examples
    --------
    >>> part = strong_parts(np.array([[0.5, 0.5, 0.0], [0.5, 0.4, 0.1], [0.0, 0.0, 1.0]]))
    >>> bool(part[0] == part[1] != part[2])
    True
    """
    _, part = connected_components(csr_array(matrix > least), connection="strong")
    return np.asarray(part, dtype=np.int64)


def closed_parts(matrix: Floats, /, *, least: float = NEVER) -> list[NDArray[np.int64]]:
    """List the sets of states that are never left: one in a chain that forgets its start.

    Examples
    --------
    >>> closed_parts(np.array([[0.9, 0.1], [0.0, 1.0]]))
    [array([1])]
    """
    part = strong_parts(matrix, least=least)
    leaves = (matrix > least) & (part[:, None] != part[None])
    numbers = [k for k in range(int(part.max()) + 1) if not leaves[part == k].any()]
    return sorted((np.flatnonzero(part == k) for k in numbers), key=lambda states: states[0])


def stationary_distribution(matrix: Floats, /) -> Floats:
    """Give the distribution that stochastic matrices (..., i, j) keep.

    Only one part of the states may be closed: of several the outcome
    depends on the start, and the equations have no single solution.

    Examples
    --------
    >>> stationary_distribution(np.array([[0.9, 0.1], [0.3, 0.7]])).round(2)
    array([0.75, 0.25])
    """
    n = matrix.shape[-1]
    left = np.swapaxes(np.eye(n) - matrix + 1.0, -1, -2)
    shares = np.linalg.solve(left, np.ones((*matrix.shape[:-1], 1)))[..., 0]
    shares = np.clip(shares, 0.0, None)
    total: Floats = shares / shares.sum(axis=-1, keepdims=True)
    return total


def first_passages(matrix: Floats, /) -> Floats:
    """Give the mean number of steps from i until j is first met, (..., i, j), of positive matrices.

    The diagonal holds mean times of return [1]_.

    References
    ----------
    .. [1] J. G. Kemeny and J. L. Snell, Finite Markov Chains (1960), theorem 4.4.7.

    Examples
    --------
    >>> first_passages(np.array([[0.9, 0.1], [0.3, 0.7]])).round(2)
    array([[ 1.33, 10.  ],
           [ 3.33,  4.  ]])
    """
    n = matrix.shape[-1]
    shares = stationary_distribution(matrix)
    basis = np.linalg.inv(np.eye(n) - matrix + shares[..., None, :])
    own = np.diagonal(basis, axis1=-2, axis2=-1)
    target = np.maximum(shares, _TINY)[..., None, :]
    steps: Floats = (np.eye(n) + own[..., None, :] - basis) / target
    return steps


def first_passages_of_any(matrix: Floats, /, *, least: float = NEVER) -> Floats:
    """Give `first_passages` of one matrix that may have zeros: inf where j may never be met.

    Examples
    --------
    >>> first_passages_of_any(np.array([[0.9, 0.1], [0.0, 1.0]]))
    array([[inf, 10.],
           [inf,  1.]])
    """
    n = len(matrix)
    steps = np.full((n, n), np.inf)
    for target in range(n):
        others = np.delete(np.arange(n), target)
        moves = (matrix[np.ix_(others, others)] > least) | np.eye(n - 1, dtype=bool)
        reach = np.linalg.matrix_power(moves.astype(float), n) > 0
        arrives = (reach & (matrix[others, target] > least)[None]).any(axis=1)
        # Who may come to a state from which there is no way has no mean.
        sure = ~(reach & ~arrives[None]).any(axis=1)
        inner = matrix[np.ix_(others[sure], others[sure])]
        steps[others[sure], target] = np.linalg.solve(
            np.eye(len(inner)) - inner, np.ones(len(inner))
        )
        onward = matrix[target, others]
        if sure[onward > least].all():
            steps[target, target] = 1.0 + onward[sure] @ steps[others[sure], target]
    return steps


def sorted_eigenvalues(matrix: Floats, /) -> NDArray[np.complex128]:
    """Give eigenvalues (..., k), the largest modulus first.

    Examples
    --------
    >>> sorted_eigenvalues(np.array([[0.9, 0.1], [0.3, 0.7]])).real.round(3)
    array([1. , 0.6])
    """
    values = np.linalg.eigvals(matrix).astype(np.complex128)
    # Of a conjugate pair the one above the axis first, so that the order is settled.
    order = np.lexsort((-values.imag, -values.real, -np.abs(values).round(12)), axis=-1)
    return np.take_along_axis(values, order, axis=-1)


def log_likelihood(counts: Floats, chances: Floats, /) -> Floats:
    """Sum counts times log chances over the last two axes; what was not counted counts nothing.

    Examples
    --------
    >>> float(log_likelihood(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])))
    0.0
    """
    logs = np.log(np.maximum(chances, _TINY))
    total: Floats = np.where(counts > 0, counts * logs, 0.0).sum(axis=(-1, -2))
    return total
