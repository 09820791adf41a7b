"""Classes and their images under a point group: orbits, stabilizers, and the parent."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.components import separation, squared_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# In standard deviations of single means over cells: classes stand four apart, so that images
# nearer than this are those of one class.
_NEAR: Final = 2.5
# A class and its image may differ by what a linear theory of strain neglects.
_NEAR_SHARE: Final = 0.25
_LARGEST_SUBSET: Final = 4


@dataclass(frozen=True, eq=False)
class Orbits:
    """Classes closed under a group.

    Attributes
    ----------
    means : ndarray, shape (class, feature)
        Deviations from the parent; images of one another exactly. Classes
        that hold no sites, but are images of such that do, come last.
    affine : ndarray, shape (feature,)
        What was taken off all classes: drift, or a strain that cannot be told
        from it.
    image : ndarray of int, shape (operation, class)
        Class to which an operation brings each class.
    orbit : ndarray of int, shape (class,)
        Orbit of each class.
    member : ndarray of int, shape (found class,)
        Which class each class that was found is.
    """

    means: NDArray[np.float64]
    affine: NDArray[np.float64]
    image: NDArray[np.int64]
    orbit: NDArray[np.int64]
    member: NDArray[np.int64]

    @property
    def n_populated(self) -> int:
        """Number of classes that hold sites."""
        return len(self.member)


class _Closure(NamedTuple):
    """How far means are from being closed under a group; the least is the best."""

    n_orbits_and_missing: int
    mismatch: float
    affine: NDArray[np.float64]


def affine_basis(
    slots: NDArray[np.float64], actions: Sequence[NDArray[np.float64]], /
) -> NDArray[np.float64]:
    """Give an orthonormal basis (mode, feature) of the affine maps of a star that break symmetry.

    Those that keep it, as a dilation of a square, are differences between
    phases as well and never taken for drift.
    """
    maps = np.eye(4).reshape(4, 2, 2)
    modes = np.stack([(slots @ each.T).ravel() for each in maps])
    invariant = np.mean(actions, axis=0)
    modes = modes - modes @ invariant.T
    _, scale, basis = np.linalg.svd(modes, full_matrices=False)
    return np.asarray(basis[scale > 1e-9 * max(float(np.linalg.norm(slots)), 1e-12)])


def find_orbits(
    means: NDArray[np.float64],
    actions: Sequence[NDArray[np.float64]],
    whitening: NDArray[np.float64],
    affine: NDArray[np.float64],
    /,
    *,
    weights: NDArray[np.float64],
) -> Orbits:
    """Close classes under a group, after the affine part that leaves the fewest orbits.

    The mean of sites is not the parent where domains differ in area. The
    parent lies, for each orbit, in the middle of its classes: the affine parts
    of the means of all small sets of classes are tried.
    """
    radius = _radius(means, whitening)
    best: tuple[tuple[float, ...], NDArray[np.float64]] | None = None
    for subset in _subsets(len(means)):
        shift = _affine_part(means[list(subset)].mean(axis=0), affine, whitening)
        closure = _closure(means - shift, actions, whitening, radius)
        size = float(np.linalg.norm(whitening @ shift))
        rank = (float(closure[0]), round(closure[1], 6), size)
        if best is None or rank < best[0]:
            best = rank, shift
    if best is None:
        msg = "orbits need one class or more"
        raise ValueError(msg)
    return _closed(means, best[1], actions, whitening, affine, radius, weights)


def _subsets(n_classes: int) -> list[tuple[int, ...]]:
    sizes = range(1, min(n_classes, _LARGEST_SUBSET) + 1)
    found = [subset for size in sizes for subset in combinations(range(n_classes), size)]
    return [*found, tuple(range(n_classes))]


def _radius(means: NDArray[np.float64], whitening: NDArray[np.float64]) -> float:
    apart = separation(means @ whitening.T)
    return _NEAR if np.isinf(apart) else max(_NEAR, _NEAR_SHARE * apart)


def _affine_part(
    mean: NDArray[np.float64], affine: NDArray[np.float64], whitening: NDArray[np.float64]
) -> NDArray[np.float64]:
    if not len(affine):
        return np.zeros_like(mean)
    # Plain least squares: what is left must not depend on the noise.
    part: NDArray[np.float64] = affine.T @ (affine @ mean)
    return part


def _closure(
    means: NDArray[np.float64],
    actions: Sequence[NDArray[np.float64]],
    whitening: NDArray[np.float64],
    radius: float,
) -> tuple[int, float]:
    """Count orbits and images that meet no class; sum how far the others miss."""
    white = means @ whitening.T
    n = len(means)
    root = np.arange(n)
    missing: list[NDArray[np.float64]] = []
    mismatch = 0.0
    for acting in actions:
        image = means @ acting.T @ whitening.T
        squared = squared_distances(image, white)
        nearest, least = squared.argmin(axis=1), squared.min(axis=1)
        for k in range(n):
            if least[k] <= radius**2:
                mismatch += float(least[k])
                root[root == root[nearest[k]]] = root[k]
            elif (
                not missing
                or squared_distances(image[k : k + 1], np.stack(missing)).min() > radius**2
            ):
                missing.append(image[k])
    return len(np.unique(root)) + len(missing), mismatch


def _closed(
    means: NDArray[np.float64],
    shift: NDArray[np.float64],
    actions: Sequence[NDArray[np.float64]],
    whitening: NDArray[np.float64],
    affine: NDArray[np.float64],
    radius: float,
    weights: NDArray[np.float64],
) -> Orbits:
    centered = means - shift
    left = list(range(len(means)))
    parts: list[NDArray[np.float64]] = []
    members = np.full(len(means), -1)
    images: list[NDArray[np.int64]] = []
    while left:
        first = max(left, key=lambda k: weights[k])
        made, image, found = _orbit_of(centered, first, left, actions, whitening, radius, weights)
        start = sum(map(len, parts))
        for k, place in found.items():
            members[k] = start + place
            left.remove(k)
        images.append(image + start)
        parts.append(made)
    every = np.concatenate(parts)
    image = np.concatenate(images, axis=1)
    orbit = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    rest = (weights[:, None] * (means - every[members])).sum(axis=0) / weights.sum()
    return _in_order(
        Orbits(every, _affine_part(rest, affine, whitening), image, orbit, members), weights
    )


def _orbit_of(
    centered: NDArray[np.float64],
    first: int,
    left: list[int],
    actions: Sequence[NDArray[np.float64]],
    whitening: NDArray[np.float64],
    radius: float,
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64], dict[int, int]]:
    """Make the orbit of a class: its means, images, and which found classes it holds."""
    images = np.stack([acting @ centered[first] for acting in actions])
    white = images @ whitening.T
    same = squared_distances(white, white) <= radius**2
    stabilizer = _generated(np.flatnonzero(same[0]), actions)
    # Found classes speak for the representative through the operations that bring it to them.
    votes, counts = np.zeros(len(centered[0])), 0.0
    found: dict[int, int] = {}
    cosets, number = _cosets(stabilizer, actions)
    squared = squared_distances(centered @ whitening.T, white)
    for k in left:
        g = int(squared[k].argmin())
        if k == first or squared[k, g] <= radius**2:
            place = 0 if k == first else int(number[g])
            if place in found.values():
                continue
            found[k] = place
            votes += weights[k] * actions[cosets[place]].T @ centered[k]
            counts += weights[k]
    mean = votes / counts
    mean = np.mean([actions[h] @ mean for h in stabilizer], axis=0)
    made = np.stack([actions[g] @ mean for g in cosets])
    image = np.empty((len(actions), len(cosets)), dtype=np.int64)
    for g, acting in enumerate(actions):
        moved = made @ acting.T
        image[g] = ((moved[:, None] - made[None]) ** 2).sum(axis=2).argmin(axis=1)
    return made, image, found


def _generated(near: NDArray[np.int64], actions: Sequence[NDArray[np.float64]]) -> list[int]:
    """Close a set of operations under products."""
    table = {_key(acting): g for g, acting in enumerate(actions)}
    held = set(map(int, near)) | {0}
    while True:
        more = {table[_key(actions[a] @ actions[b])] for a in held for b in held} | held
        if more == held:
            return sorted(held)
        held = more


def _key(acting: NDArray[np.float64]) -> bytes:
    return (np.round(acting, 6) + 0.0).tobytes()


def _cosets(
    stabilizer: list[int], actions: Sequence[NDArray[np.float64]]
) -> tuple[list[int], NDArray[np.int64]]:
    """List one operation of each left coset, and number the coset of every operation."""
    table = {_key(acting): g for g, acting in enumerate(actions)}
    number = np.full(len(actions), -1, dtype=np.int64)
    first: list[int] = []
    for g in range(len(actions)):
        if number[g] >= 0:
            continue
        for h in stabilizer:
            number[table[_key(actions[g] @ actions[h])]] = len(first)
        first.append(g)
    return first, number


def _in_order(found: Orbits, weights: NDArray[np.float64]) -> Orbits:
    """Number orbits, and classes within, by falling size; those without sites at the end."""
    size = np.zeros(len(found.means))
    size[found.member] = weights
    of_orbit = np.bincount(found.orbit, weights=size)
    rank = np.empty(len(of_orbit), dtype=np.int64)
    rank[np.argsort(-of_orbit, kind="stable")] = np.arange(len(of_orbit))
    empty = size == 0
    order = np.lexsort((-size, rank[found.orbit], empty))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return Orbits(
        found.means[order],
        found.affine,
        back[found.image[:, order]],
        rank[found.orbit[order]],
        back[found.member],
    )


def purity(
    plain: NDArray[np.int64], moved: NDArray[np.int64], n_classes: int, /
) -> NDArray[np.float64]:
    """Give P (class, class): of sites of class k, the share whose replica is of class l.

    NaN for classes without sites.

    Examples
    --------
    >>> purity(np.array([0, 0, 1]), np.array([1, 1, 0]), 2)
    array([[0., 1.],
           [1., 0.]])
    """
    pairs = np.bincount(plain * n_classes + moved, minlength=n_classes**2)
    counts = pairs.reshape(n_classes, n_classes).astype(float)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
