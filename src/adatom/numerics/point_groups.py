"""Point groups of the plane, and how they act on the neighbors of a site."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

POINT_GROUPS: Final = ("C1", "C2", "C3", "C4", "C6", "C1v", "C2v", "C3v", "C4v", "C6v")
"""The ten crystallographic point groups of the plane, in Schoenflies' names."""

_HERMANN_MAUGUIN: Final = {
    "C1": "1", "C2": "2", "C3": "3", "C4": "4", "C6": "6",
    "C1v": "m", "C2v": "2mm", "C3v": "3m", "C4v": "4mm", "C6v": "6mm",
}  # fmt: skip
# What has the highest symmetry is found first.
_BY_ORDER: Final = ("C6v", "C4v", "C3v", "C6", "C4", "C3", "C2v", "C2", "C1v", "C1")
# The largest tetragonal distortions of ferroelectrics with a common parent are c/a of 1.06 to
# 1.10 (PbTiO3 1.064); drift adds some per cent. The cell of a cubic crystal seen along [110] has
# 1.41, and its parent is rectangular.
_LARGEST_STRETCH: Final = 1.12
# A star is a mean over thousands of sites; what is left beyond an affine map and a displaced
# center is distortion within the cell, of which 8 % of a bond is much.
_LARGEST_MISFIT: Final = 0.08
# Larger displacements of the center than this make neighbors unequal: 0.15 is a strong polar one.
_LARGEST_SHIFT: Final = 0.25


class Operation(NamedTuple):
    """An orthogonal map of (y, x), the slot that each slot of a star goes to, and a name."""

    matrix: NDArray[np.float64]
    slot: NDArray[np.int64]
    name: str


class SymmetricStar(NamedTuple):
    """A star made exactly symmetric, its group, and the operations of that.

    The first operation is the identity.
    """

    slots: NDArray[np.float64]
    group: str
    operations: tuple[Operation, ...]


def hermann_mauguin(group: str, /) -> str:
    """Give the international name of a point group of the plane.

    Examples
    --------
    >>> hermann_mauguin("C4v")
    '4mm'
    """
    return _HERMANN_MAUGUIN[group]


def rotation(angle: float, /) -> NDArray[np.float64]:
    """Turn (y, x) by an angle in rad, from +x towards +y.

    Examples
    --------
    >>> (rotation(np.pi / 2) @ [0.0, 1.0]).round(6)
    array([1., 0.])
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def mirror(angle: float, /) -> NDArray[np.float64]:
    """Reflect (y, x) at the line through the origin under an angle in rad to +x.

    Examples
    --------
    >>> (mirror(0.0) @ [1.0, 2.0]).round(6)
    array([-1.,  2.])
    """
    cosine, sine = np.cos(2 * angle), np.sin(2 * angle)
    return np.array([[-cosine, sine], [sine, cosine]])


def group_matrices(group: str, axis: float = 0.0, /) -> list[NDArray[np.float64]]:
    """List the matrices of a point group, the identity first, one mirror line at `axis` (rad).

    Examples
    --------
    >>> len(group_matrices("C6v"))
    12
    """
    n_fold = int(group[1])
    turns = [rotation(2 * np.pi * k / n_fold) for k in range(n_fold)]
    if not group.endswith("v"):
        return turns
    return turns + [mirror(axis + np.pi * k / n_fold) for k in range(n_fold)]


def name_of_matrix(matrix: NDArray[np.float64], /) -> str:
    """Name an orthogonal map of (y, x), with its angle in deg.

    Examples
    --------
    >>> name_of_matrix(rotation(np.pi / 2)), name_of_matrix(mirror(np.pi / 4))
    ('rotation 90', 'mirror 45')
    """
    if np.linalg.det(matrix) > 0:
        angle = np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0])) % 360
        return "identity" if round(angle) % 360 == 0 else f"rotation {angle:.0f}"
    angle = np.degrees(np.arctan2(matrix[0, 1], -matrix[0, 0])) / 2 % 180
    return f"mirror {angle:.0f}" if round(angle) < 180 else "mirror 0"


def group_of_matrices(matrices: Sequence[NDArray[np.float64]], /) -> str:
    """Name the point group that a set of matrices is, in Schoenflies' way.

    Examples
    --------
    >>> group_of_matrices([np.eye(2), mirror(0.3)])
    'C1v'
    """
    n_turns = sum(float(np.linalg.det(matrix)) > 0 for matrix in matrices)
    return f"C{n_turns}{'v' if len(matrices) > n_turns else ''}"


def product_table(matrices: Sequence[NDArray[np.float64]], /) -> NDArray[np.int64]:
    """Give the number of the product of every two matrices of a group, (done last, done first).

    Examples
    --------
    >>> product_table(group_matrices("C3"))[1]
    array([1, 2, 0])
    """
    group = np.array(matrices)
    n = len(group)
    products = np.einsum("aij,bjk->abik", group, group).reshape(n, n, 1, -1)
    apart = np.abs(products - group.reshape(1, 1, n, -1)).max(axis=-1)
    return np.asarray(apart.argmin(axis=-1), dtype=np.int64)


def subgroups_of(table: NDArray[np.int64], /) -> list[tuple[int, ...]]:
    """List the subgroups of a point group as numbers of its operations, the largest first.

    Parameters
    ----------
    table : ndarray of int, shape (operation, operation)
        Of `product_table`; the first operation is the identity.

    Examples
    --------
    >>> subgroups_of(product_table(group_matrices("C4")))
    [(0, 1, 2, 3), (0, 2), (0,)]
    """
    found = set()
    # Two operations are enough to make any point group of the plane.
    for pair in combinations_with_replacement(range(len(table)), 2):
        closed = {0, *pair}
        while True:
            grown = closed | {int(table[a, b]) for a in closed for b in closed}
            if grown == closed:
                break
            closed = grown
        found.add(tuple(sorted(closed)))
    return sorted(found, key=lambda one: (-len(one), one))


def symmetric_star(star: NDArray[np.float64], group: str | None = None, /) -> SymmetricStar | None:
    """Make a star (neighbor, axis) symmetric, under a group or the highest that it nearly has.

    The measured star may be the symmetric one after an affine map (drift, a
    stretched phase; principal stretches up to a ratio of 1.12) and with its
    center displaced (a polar phase, up to a quarter of an undisplaced bond). Groups of
    three-fold symmetry and more have one size only, so that the affine map is
    found from the second moments of the star.

    Returns
    -------
    SymmetricStar or None
        None if the star does not have the symmetry that was asked for.
    """
    length = float(np.linalg.norm(star, axis=1).min())
    for name in (group,) if group else _BY_ORDER:
        for shape in _shapes(star, name):
            found = _symmetrized(shape, name, _LARGEST_MISFIT * length)
            if found is not None:
                return found
    return None


def _shapes(star: NDArray[np.float64], group: str) -> list[NDArray[np.float64]]:
    """Give the star as it may have been before strain and displacement."""
    if int(group[1]) == 1:
        return [star]
    center = star.mean(axis=0)
    centered = star - center
    # A displaced center shortens its own shortest bond: a quarter is of one that is not.
    if np.linalg.norm(center) > _LARGEST_SHIFT * np.linalg.norm(centered, axis=1).min():
        return []
    if int(group[1]) == 2:
        return [centered]
    stretch, directions = np.linalg.eigh(centered.T @ centered)
    if stretch[1] > _LARGEST_STRETCH**2 * stretch[0]:
        return []
    mean = float(np.sqrt(stretch[0] * stretch[1])) ** 0.5
    return [centered @ (directions * (mean / np.sqrt(stretch))) @ directions.T]


def _symmetrized(star: NDArray[np.float64], group: str, tolerance: float) -> SymmetricStar | None:
    for axis in _mirror_axes(star, group):
        matrices = group_matrices(group, axis)
        slots = [_slots(star, matrix, tolerance) for matrix in matrices]
        if any(slot is None for slot in slots):
            continue
        mean = np.mean(
            [star[slot] @ matrix for matrix, slot in zip(matrices, slots, strict=True)], axis=0
        )
        operations = tuple(
            Operation(matrix, slot, name_of_matrix(matrix))
            for matrix, slot in zip(matrices, slots, strict=True)
            if slot is not None
        )
        return SymmetricStar(mean, group, operations)
    return None


def _mirror_axes(star: NDArray[np.float64], group: str) -> list[float]:
    """List angles at which a mirror line may lie: through a slot, or between two slots."""
    if not group.endswith("v"):
        return [0.0]
    angle = np.arctan2(star[:, 0], star[:, 1])
    pairs = (angle[:, None] + angle[None]) / 2
    # The best is that which maps the star most closely onto itself, refined for its scatter.
    return sorted(
        (_refined(star, float(axis)) for axis in np.unique(pairs.round(9))),
        key=lambda axis: (round(_mirror_misfit(star, axis), 9), abs(axis)),
    )


def _refined(star: NDArray[np.float64], axis: float) -> float:
    """Turn a mirror line to where it maps the star best onto itself."""
    to = _nearest(star @ mirror(axis).T, star)
    # Sum over slots of the turn between image and slot, of which the line takes half.
    image = star @ mirror(axis).T
    cross = image[:, 1] * star[to, 0] - image[:, 0] * star[to, 1]
    dot = (image * star[to]).sum(axis=1)
    return axis + 0.5 * float(np.arctan2(cross.sum(), dot.sum()))


def _mirror_misfit(star: NDArray[np.float64], axis: float) -> float:
    image = star @ mirror(axis).T
    return float(((image - star[_nearest(image, star)]) ** 2).sum())


def _nearest(image: NDArray[np.float64], star: NDArray[np.float64]) -> NDArray[np.int64]:
    cost = ((image[:, None] - star[None]) ** 2).sum(axis=2)
    return np.asarray(linear_sum_assignment(cost)[1], dtype=np.int64)


def _slots(
    star: NDArray[np.float64], matrix: NDArray[np.float64], tolerance: float
) -> NDArray[np.int64] | None:
    """Give the slot that each goes to, or None where the image is not the star."""
    image = star @ matrix.T
    to = _nearest(image, star)
    return to if np.linalg.norm(image - star[to], axis=1).max() <= tolerance else None


def action(operation: Operation, /) -> NDArray[np.float64]:
    """Give the matrix by which an operation acts on deviations from a star, flattened.

    (gX)_{s(k)} = R X_k, so that the deviation in slot k goes to slot s(k).
    """
    n = len(operation.slot)
    acting = np.zeros((n, 2, n, 2))
    for k, to in enumerate(operation.slot):
        acting[to, :, k] = operation.matrix
    return acting.reshape(2 * n, 2 * n)
