"""Faces of a plane graph, by walking around each along its half-edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Faces(NamedTuple):
    """Faces of a graph of points and edges.

    Attributes
    ----------
    face : ndarray of int, shape (2 edge,)
        Face on the side of +x towards +y of every half-edge: edge e from its
        first to its second point is half-edge e, the way back e + n_edges.
    following : ndarray of int, shape (2 edge,)
        Half-edge after each around its face.
    first : ndarray of int, shape (face,)
        A half-edge of every face.
    size : ndarray of int, shape (face,)
        Half-edges around it; an edge that ends within the face counts twice.
    area : ndarray, shape (face,)
        Positive of inner faces, negative of the outer face of every connected part.
    """

    face: NDArray[np.int64]
    following: NDArray[np.int64]
    first: NDArray[np.int64]
    size: NDArray[np.int64]
    area: NDArray[np.float64]


def trace_faces(places: NDArray[np.float64], edges: NDArray[np.int64], /) -> Faces:
    """Trace the faces of a graph drawn in the plane without crossings.

    Parameters
    ----------
    places : ndarray, shape (point, 2)
        Axis y, x.
    edges : ndarray of int, shape (edge, 2)
        Pairs of points, each once.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    >>> faces = trace_faces(square, np.array([[0, 1], [1, 2], [2, 3], [3, 0]]))
    >>> faces.size, faces.area
    (array([4, 4]), array([ 1., -1.]))
    """
    n = len(edges)
    if not n:
        none = np.zeros(0, dtype=np.int64)
        return Faces(none, none, none, none, np.zeros(0))
    start = np.concatenate([edges[:, 0], edges[:, 1]])
    end = np.concatenate([edges[:, 1], edges[:, 0]])
    # Areas are small differences of large products where the places are far from the origin.
    places = places - places.mean(axis=0, keepdims=True)
    to = places[end] - places[start]
    order = np.lexsort((np.arctan2(to[:, 0], to[:, 1]), start))
    # Around a point, the half-edge before each in angle; before the first comes the last.
    before = np.roll(order, 1)
    opens = np.flatnonzero(np.diff(start[order], prepend=-1))
    before[opens] = order[np.append(opens[1:], len(order)) - 1]
    turned = np.empty(2 * n, dtype=np.int64)
    turned[order] = before
    back = np.concatenate([np.arange(n, 2 * n), np.arange(n)])
    following = turned[back]
    links = csr_array(
        (np.ones(2 * n, dtype=np.int8), (np.arange(2 * n), following)), (2 * n, 2 * n)
    )
    n_faces, face = connected_components(links, directed=False)
    face = face.astype(np.int64)
    _, first = np.unique(face, return_index=True)
    swept = places[start, 1] * places[end, 0] - places[end, 1] * places[start, 0]
    area = np.bincount(face, weights=0.5 * swept, minlength=n_faces).astype(np.float64)
    return Faces(face, following, first, np.bincount(face, minlength=n_faces), area)


def members_of_faces(
    faces: Faces, edges: NDArray[np.int64], chosen: NDArray[np.int64], /
) -> NDArray[np.int64]:
    """Give the points (face, member) around the chosen faces in their order, -1 beyond the last."""
    start = np.concatenate([edges[:, 0], edges[:, 1]])
    size = faces.size[chosen]
    members = np.full((len(chosen), int(size.max(initial=0))), -1, dtype=np.int64)
    at = faces.first[chosen]
    for number in range(members.shape[1]):
        there = size > number
        members[there, number] = start[at[there]]
        at = faces.following[at]
    return members
