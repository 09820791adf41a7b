"""Rows on known components of which a few values are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Huber's own constant: 95 % of the efficiency of least squares where nothing is wrong.
_HUBER: Final = 1.345
_ROUNDS: Final = 30
# Of a thousand channels of normal noise one in sixteen rows has a value beyond this.
_WRONG: Final = 4.0
# Where more of a row is wrong, the rest does not tell what the row should be.
_MOST_WRONG: Final = 0.25


class Repair(NamedTuple):
    """Rows fitted without their wrong values."""

    scores: NDArray[np.float64]
    off: NDArray[np.float64]
    """Length of what is left of the other values, scaled to as many as there are channels."""
    n_wrong: NDArray[np.int64]
    """Wrong values of each row; 0 where there are too many to tell."""


def without_single_values(
    rows: NDArray[Any], basis: NDArray[np.float64], noise: NDArray[np.float64], /
) -> Repair:
    """Fit rows by the components, with Huber's weights, then without values that lie far off [1]_.

    Parameters
    ----------
    rows : array, shape (row, channel)
        About the center of the components.
    basis : array, shape (component, channel)
        Orthonormal.
    noise : array, shape (channel,)
        Standard deviation of what usual rows leave in each channel.

    References
    ----------
    .. [1] P. J. Huber, Ann. Math. Stat. 35, 73 (1964); single values apart from rows as in
       M. Hubert, P. J. Rousseeuw and W. Van den Bossche, Technometrics 61, 459 (2019).
    """
    least = max(float(noise.max(initial=0.0)) * 1e-6, 1e-300)
    scale = np.maximum(noise, least)
    design, wanted = (basis / scale).T, rows.astype(np.float64) / scale
    scores: NDArray[np.float64] = wanted @ np.linalg.pinv(design).T
    for _ in range(_ROUNDS):
        off = np.abs(wanted - scores @ design.T)
        scores = _weighted(design, wanted, 1 / np.maximum(off / _HUBER, 1))
    wrong = np.zeros(wanted.shape, dtype=bool)
    for _ in range(3):
        wrong = np.abs(wanted - scores @ design.T) > _WRONG
        few = wrong.mean(axis=1) <= _MOST_WRONG
        wrong &= few[:, None]
        scores = _weighted(design, wanted, np.where(wrong, 0.0, 1.0))
    left = np.where(wrong, 0.0, rows - scores @ basis)
    share = 1 - wrong.mean(axis=1)
    off = np.sqrt((left**2).sum(axis=1) / share)
    return Repair(scores, off, wrong.sum(axis=1))


def _weighted(
    design: NDArray[np.float64], wanted: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve the weighted least squares of every row."""
    k = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), k * k)
    gram = (weights @ products).reshape(-1, k, k)
    # A touch on the diagonal, for rows whose good channels do not tell one component.
    touch = 1e-12 * np.einsum("rkk->r", gram)
    gram[:, np.arange(k), np.arange(k)] += touch[:, None]
    solved = np.linalg.solve(gram, ((weights * wanted) @ design)[..., None])
    return np.asarray(solved[..., 0], dtype=np.float64)
