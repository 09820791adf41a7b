"""Patches of known classes in known orientations, with offsets and noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.numerics.point_groups import group_matrices, product_table

THREE = 2 * np.pi / 3
# Angle, distance in pixels and height of the blobs of each class. The last has the symmetry of C3v.
THINGS: tuple[tuple[tuple[float, float, float], ...], ...] = (
    ((0.0, 0.0, 1.0), (0.3, 5.0, 1.0)),
    ((0.0, 0.0, 1.0), (0.3, 5.0, 0.5)),
    ((0.0, 0.0, 1.0), (0.3, 5.0, 1.0), (2.4, 5.0, 0.6)),
    ((0.0, 0.0, 0.6), (1.0, 8.0, 1.0)),
    ((0.0, 0.0, 1.2), (0.0, 5.0, 0.5), (THREE, 5.0, 0.5), (2 * THREE, 5.0, 0.5)),
)
WIDTH = 2.0
BASE = 10.0


class Planted(NamedTuple):
    """Patches and the truth of each: its class and the number of its operation."""

    patches: xr.DataArray
    label: NDArray[np.int64]
    operation: NDArray[np.int64]


def planted_patches(
    group: str,
    *,
    n: int = 600,
    classes: tuple[int, ...] = (0, 1, 2, 3, 4),
    noise: float = 0.3,
    offset: float = 0.3,
    axis: float = 0.0,
    shape: tuple[int, int] = (25, 25),
    step: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
) -> Planted:
    """Draw patches; `step` makes pixels smaller than one, `offset` displaces them at random."""
    rng = np.random.default_rng(seed)
    matrices = group_matrices(group, axis)
    label = rng.integers(len(classes), size=n)
    operation = rng.integers(len(matrices), size=n)
    y, x = ((np.arange(size) - size // 2) * pixel for size, pixel in zip(shape, step, strict=True))
    values = np.full((n, *shape), BASE)
    for k in range(n):
        away = rng.normal(size=2) * offset
        for angle, distance, height in THINGS[classes[label[k]]]:
            place = matrices[operation[k]] @ [distance * np.sin(angle), distance * np.cos(angle)]
            dy, dx = y - away[0] - place[0], x - away[1] - place[1]
            values[k] += height * np.exp(-(dy[:, None] ** 2 + dx**2) / (2 * WIDTH**2))
    values += noise * rng.normal(size=values.shape)
    return Planted(patches_from(values, step), label, operation)


def patches_from(
    values: NDArray[np.float64], step: tuple[float, float] = (1.0, 1.0)
) -> xr.DataArray:
    """Write pictures (site, y, x) as `descriptors.site_patches` does."""
    n, *shape = values.shape
    y, x = ((np.arange(size) - size // 2) * pixel for size, pixel in zip(shape, step, strict=True))
    grid = np.meshgrid(y, x, indexing="ij")
    place = {
        f"patch_{name}": ("feature", along.ravel(), {"units": "px"})
        for name, along in zip("yx", grid, strict=True)
    }
    sites = {name: ("site", np.arange(n, dtype=float), {"units": "px"}) for name in ("y", "x")}
    return xr.DataArray(
        values.reshape(n, -1),
        dims=("site", "feature"),
        coords=place | sites,
        attrs={"patch_shape": shape, "units": "1"},
    )


def share_of_right_orientations(
    label: NDArray[np.int64],
    turn: NDArray[np.int64],
    truth: Planted,
    group: str,
    firsts: NDArray[np.int64],
) -> float:
    """Score orientations, each class up to where its first orientation is and its own symmetry.

    Parameters
    ----------
    label, turn : array of int, shape (site,)
        Class and operation that were found.
    truth : Planted
        What they should be.
    group : str
        Of the operations.
    firsts : array of int, shape (class, operation)
        The first operation that gives the same picture of a class.
    """
    table = product_table(group_matrices(group))
    right = total = 0
    for k in range(len(firsts)):
        members = np.flatnonzero((label == k) & (turn >= 0))
        if not len(members):
            continue
        true = np.bincount(truth.label[members]).argmax()
        members = members[truth.label[members] == true]
        # The class may have been learnt in any of its orientations.
        right += max(
            int((firsts[k][table[truth.operation[members], h]] == turn[members]).sum())
            for h in range(len(table))
        )
        total += len(members)
    return right / max(total, 1)
