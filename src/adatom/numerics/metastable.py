"""Groups of states that hold a chain for long, where its spectrum has a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Timescales that differ by less are no gap.
_GAP: Final = 5.0
_REAL: Final = 1e-8


def metastable_groups(matrix: NDArray[np.float64], /) -> NDArray[np.int64] | None:
    """Group the states of a transition matrix, or give none where its spectrum has no gap.

    Rows of the leading right eigenvectors lie in a simplex whose corners are the groups
    [1]_; each state belongs to the corner that it is nearest to. A gap is a ratio
    of neighboring timescales of 5 or more, the slower one above a frame;
    eigenvalues that turn (complex ones) make no groups.

    References
    ----------
    .. [1] M. Weber and T. Galliat, ZIB-Report 02-12 (2002); P. Deuflhard and M. Weber,
       Linear Algebra Appl. 398, 161 (2005).

    Examples
    --------
    >>> slow, fast = 0.01, 0.4
    >>> matrix = np.full((4, 4), slow / 2)
    >>> matrix[:2, :2] = matrix[2:, 2:] = [[1 - fast - slow, fast], [fast, 1 - fast - slow]]
    >>> groups = metastable_groups(matrix)
    >>> bool(groups[0] == groups[1] != groups[2] == groups[3])
    True
    """
    values, vectors = np.linalg.eig(matrix)
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    modulus = np.clip(np.abs(values), 1e-12, 1 - 1e-12)
    time = -1 / np.log(modulus)
    ratio = time[1:-1] / time[2:] * (time[1:-1] > 1)
    if not len(ratio) or ratio.max() < _GAP:
        return None
    n_groups = int(ratio.argmax()) + 2
    if np.abs(values[:n_groups].imag).max() > _REAL or values[:n_groups].real.min() <= 0:
        return None
    leading = vectors[:, :n_groups].real
    corners = _corners(leading)
    try:
        member = leading @ np.linalg.inv(leading[corners])
    except np.linalg.LinAlgError:
        return None
    groups: NDArray[np.int64] = member.argmax(axis=1).astype(np.int64)
    return groups


def _corners(rows: NDArray[np.float64]) -> list[int]:
    """Find rows that span the largest simplex, one by one farthest from those before."""
    corners = [int(np.linalg.norm(rows - rows.mean(axis=0), axis=1).argmax())]
    left = rows - rows[corners[0]]
    while len(corners) < rows.shape[1]:
        size = np.linalg.norm(left, axis=1)
        corners.append(int(size.argmax()))
        along = left[corners[-1]] / max(size.max(), 1e-300)
        left = left - np.outer(left @ along, along)
    return corners
