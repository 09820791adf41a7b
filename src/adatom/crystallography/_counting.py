"""How well the cells of sites tell the area of a shape that lies anywhere among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.meshes import Mesh

# Variance of the number of points of a square lattice within a smooth shape that lies
# anywhere, over its perimeter in spacings: the sum of |k|^-3 over the reciprocal lattice, 9.034,
# over 4 pi^3. A hexagonal lattice has 0.0715, a honeycomb 0.0797 (with its structure factor).
COUNT_VARIANCE: Final = 0.0728
# Of discs: less than these and the sum is not yet that of an endless outline, more and few fit
# between domains. In roots of a cell.
_RADII: Final = (2.0, 4.0)
_TRIED: Final = 5_000
# Variances of so many independent discs are known to 4 %.
_ENOUGH: Final = 1_000
_LEAST: Final = 200


def count_variance(mesh: Mesh, cells: NDArray[np.float64], /) -> float:
    """Give the variance of the area of cells within a shape, over its perimeter.

    In roots of a cell. Discs are laid anywhere between the sites, where no cell
    is cut by the rim, and the cells of the sites within are compared with
    the disc: so noise of the places, vacancies and cells of many atoms count.
    That of a square lattice is given where too few discs have room.

    Parameters
    ----------
    mesh : Mesh
        Of sites.
    cells : ndarray, shape (site,)
        Areas of their cells.
    """
    root = float(np.sqrt(mesh.usual_area))
    # The same for the same sites: discs are drawn, but with one seed.
    rng = np.random.default_rng(0)
    center = rng.uniform(mesh.points.min(axis=0), mesh.points.max(axis=0), (_TRIED, 2))
    radius = root * rng.uniform(*_RADII, _TRIED)
    tree = cKDTree(mesh.points, balanced_tree=False, compact_nodes=False)
    # In a hole, or beyond a bay of the rim, no site is near.
    fits = np.isfinite(tree.query(center, distance_upper_bound=1.5 * mesh.spacing)[0])
    if mesh.open.any():
        fits &= cKDTree(mesh.points[mesh.open]).query(center)[0] > radius + root / 2
    center, radius = center[fits][:_ENOUGH], radius[fits][:_ENOUGH]
    if len(center) < _LEAST:
        return COUNT_VARIANCE
    within = tree.query_ball_point(center, radius)
    counts = np.array([len(part) for part in within])
    found = np.concatenate([np.asarray(part, dtype=np.int64) for part in within])
    area = np.bincount(np.repeat(np.arange(len(center)), counts), cells[found], len(center))
    off = (area - np.pi * radius**2) ** 2 / (2 * np.pi * radius)
    return float(off.mean() / root**3)
