"""Triangles between places, with the cells and faces that are dual to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.sparse
from scipy.spatial import Delaunay

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Two places are neighbors if their cells share a face longer than this share of their distance.
# Of a hexagonal lattice it is 0.58, of a square one 1 (and 0 across the diagonal, 0.2 with
# noise of 10 % of the spacing), of a rectangle of sides 1 and 2 it is 0.5.
_LEAST_FACE: Final = 0.25
# A vacancy of a square or hexagonal lattice leaves a hole of 2 spacings across, which is bridged;
# larger holes are left open.
_LONGEST_EDGE: Final = 2.2

# Cotangent of the angle of 130 deg: triangles flatter than this at the rim bridge notches between
# the outermost places; those of a square lattice have 90, of a honeycomb 120 deg at most.
_FLAT: Final = -0.84
_ROUNDS: Final = 5


@dataclass(frozen=True)
class Mesh:
    """Triangles between places.

    Attributes
    ----------
    points : ndarray, shape (point, 2)
        Axis y, x.
    triangles : ndarray of int, shape (triangle, 3)
        Numbers of points.
    edges : ndarray of int, shape (edge, 2)
        Sides of triangles, each once, the lower number first.
    sides : ndarray of int, shape (triangle, 3)
        Number of the edge opposite to each corner.
    faces : ndarray, shape (edge,)
        Length of the face that the cells of both ends share.
    areas : ndarray, shape (point,)
        Of the cell of each point, as far as triangles cover it.
    rim : ndarray of bool, shape (point,)
        Points at the edge of the triangulated area, or in no triangle.
    open : ndarray of bool, shape (point,)
        Those of the rim, and points whose cells reach beyond it: their areas
        are not those of whole cells.
    spacing : float
        Distance between neighbors.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int64]
    edges: NDArray[np.int64]
    sides: NDArray[np.int64]
    faces: NDArray[np.float64]
    areas: NDArray[np.float64]
    rim: NDArray[np.bool_]
    open: NDArray[np.bool_]
    spacing: float

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Lengths of the edges."""
        ends = self.points[self.edges]
        return np.asarray(np.hypot(*(ends[:, 1] - ends[:, 0]).T))

    @property
    def usual_area(self) -> float:
        """Median area of a cell."""
        inside = self.areas[~self.open]
        return float(np.median(inside)) if inside.size else self.spacing**2

    @property
    def neighbors(self) -> NDArray[np.int64]:
        """Edges (edge, 2) between places whose cells share a true face."""
        return self.edges[self.faces > _LEAST_FACE * self.lengths]


def mesh_of_points(points: NDArray[np.float64], /) -> Mesh:
    """Triangulate places (Delaunay), without the long edges across holes and bays.

    Parameters
    ----------
    points : ndarray, shape (point, 2)
        Finite, three or more that lie on no line.
    """
    triangles = Delaunay(points).simplices.astype(np.int64)
    mesh = _mesh(points, triangles)
    long = _long_edges(mesh)
    if long.any():
        mesh = _mesh(points, triangles[~long[mesh.sides].any(axis=1)], spacing=mesh.spacing)
    for _ in range(_ROUNDS):
        flat = _flat_at_rim(mesh)
        if not flat.any() or flat.all():
            break
        mesh = _mesh(points, mesh.triangles[~flat], spacing=mesh.spacing)
    return mesh


def _long_edges(mesh: Mesh) -> NDArray[np.bool_]:
    """Find edges much longer than those of both their ends are: phases may differ in density."""
    length = mesh.lengths
    is_face = mesh.faces > _LEAST_FACE * length
    ends = mesh.edges[is_face].T
    # Harmonic means, so that the long edges across a hole do not count for what is usual.
    closeness = np.bincount(ends.ravel(), np.tile(1 / length[is_face], 2), len(mesh.points))
    number = np.bincount(ends.ravel(), minlength=len(mesh.points))
    usual = np.where(number > 0, number / np.where(number > 0, closeness, 1.0), mesh.spacing)
    return np.asarray(length > _LONGEST_EDGE * usual[mesh.edges].max(axis=1))


def _flat_at_rim(mesh: Mesh) -> NDArray[np.bool_]:
    """Find triangles that only bridge a notch of the rim, by the angle opposite to it."""
    uses = np.bincount(mesh.sides.ravel(), minlength=len(mesh.edges))
    at_rim = uses[mesh.sides] == 1
    return np.asarray((at_rim & (_cotangents(mesh.points, mesh.triangles)[0] < _FLAT)).any(axis=1))


def mesh_of_grid(known: NDArray[np.bool_], steps: tuple[float, float], /) -> Mesh:
    """Triangulate the pixels of a map: squares halved, their diagonals crossing in turns.

    Parameters
    ----------
    known : ndarray of bool, shape (y, x)
        Pixels that count.
    steps : tuple of two floats
        Size of a pixel along y and x.
    """
    rows, columns = known.shape
    number = np.arange(known.size).reshape(known.shape)
    y, x = np.mgrid[:rows, :columns]
    points = np.column_stack([y.ravel() * steps[0], x.ravel() * steps[1]])
    corners = [
        number[a : rows - 1 + a, b : columns - 1 + b].ravel() for a in (0, 1) for b in (0, 1)
    ]
    # A diagonal that always ran the same way would draw contours of one direction
    # otherwise than those of the other.
    odd = ((y + x)[:-1, :-1] % 2).ravel() == 1
    upper, right, lower, far = corners
    first = np.where(odd, upper, right), np.where(odd, right, far), np.where(odd, lower, upper)
    second = np.where(odd, far, lower), np.where(odd, lower, upper), np.where(odd, right, far)
    triangles = np.concatenate([np.column_stack(first), np.column_stack(second)])
    keep = known.ravel()[triangles].all(axis=1)
    return _mesh(points, triangles[keep], spacing=float(np.sqrt(steps[0] * steps[1])))


def _mesh(
    points: NDArray[np.float64], triangles: NDArray[np.int64], *, spacing: float | None = None
) -> Mesh:
    edges, sides, n_triangles = _edges(triangles, len(points))
    cotangents, squares = _cotangents(points, triangles)
    weights = np.bincount(sides.ravel(), cotangents.ravel(), len(edges))
    ends = points[edges]
    lengths = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    faces = np.maximum(weights, 0.0) * lengths / 2
    # Of the cells within a triangle, each side gives an eighth of |side|^2 cot to both its ends.
    part = squares * cotangents / 8
    mine = part.sum(axis=1, keepdims=True) - part
    areas = np.bincount(triangles.ravel(), mine.ravel(), len(points))
    rim = np.bincount(triangles.ravel(), minlength=len(points)) == 0
    rim[edges[n_triangles == 1]] = True
    # Opposite to an obtuse angle at the rim the cell's own corner lies outside.
    outside = (n_triangles[sides] == 1) & (cotangents < 0)
    open_ = rim.copy()
    open_[triangles[outside]] = True
    if spacing is None:
        near = lengths[(faces > _LEAST_FACE * lengths) & (n_triangles == 2)]
        spacing = float(np.median(near if len(near) else lengths))
    return Mesh(points, triangles, edges, sides, faces, np.maximum(areas, 0.0), rim, open_, spacing)


def _cotangents(
    points: NDArray[np.float64], triangles: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give cotangents of the angles of triangles, and squares of the sides opposite to them."""
    corners = points[triangles]
    opposite = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)
    squares = (opposite**2).sum(axis=-1)
    doubled = np.abs(opposite[:, 0, 0] * opposite[:, 1, 1] - opposite[:, 0, 1] * opposite[:, 1, 0])
    safe = np.maximum(doubled, 1e-12 * squares.max(axis=1, initial=0.0) + np.finfo(float).tiny)
    return (squares.sum(axis=1, keepdims=True) - 2 * squares) / (2 * safe[:, None]), squares


def _edges(
    triangles: NDArray[np.int64], n_points: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give edges, the number of that opposite to each corner, and how many triangles use each."""
    first, second = np.roll(triangles, -1, axis=1), np.roll(triangles, 1, axis=1)
    keys = np.minimum(first, second) * n_points + np.maximum(first, second)
    found, sides, uses = np.unique(keys.ravel(), return_inverse=True, return_counts=True)
    edges = np.column_stack([found // n_points, found % n_points])
    return edges, sides.reshape(triangles.shape), uses.astype(np.int64)


def smooth_over_mesh(
    mesh: Mesh, values: NDArray[np.float64], /, *, sigma: float
) -> NDArray[np.float64]:
    """Smooth values (point, column) as diffusion over the mesh does.

    On an endless even mesh this is a Gaussian of standard deviation `sigma`.
    It keeps linear slopes and lets nothing flow over the rim.

    Parameters
    ----------
    mesh : Mesh
    values : ndarray, shape (point, column)
    sigma : float
        In the unit of the points.
    """
    # Half a cell is left of one at a straight rim, a quarter in a corner.
    areas = np.maximum(mesh.areas, mesh.usual_area / 4)
    flow = mesh.faces / mesh.lengths
    n = len(mesh.points)
    first, second = mesh.edges.T
    between = scipy.sparse.coo_array(
        (np.concatenate([flow, flow]),
         (np.concatenate([first, second]), np.concatenate([second, first]))),
        shape=(n, n),
    ).tocsr()  # fmt: skip
    leaving = np.asarray(between.sum(axis=1)).ravel()
    # Four cells of a square lattice exchange what a time of d^2 / 4 allows: half of it is smooth.
    n_steps = max(1, int(np.ceil(4 * (sigma / mesh.spacing) ** 2)))
    time = sigma**2 / 2 / n_steps
    # Where cells are tiny the step is shortened rather than let it overshoot.
    rate = np.minimum(time / areas, 0.5 / np.maximum(leaving, np.finfo(float).tiny))[:, None]
    result = values.astype(float)
    for _ in range(n_steps):
        result = result + rate * (between @ result - leaving[:, None] * result)
    return result
