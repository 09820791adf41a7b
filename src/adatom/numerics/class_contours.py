"""Lines between classes on a mesh, ordered from end to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components, depth_first_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.meshes import Mesh

_LEAST: Final = 1e-9


@dataclass(frozen=True)
class ClassLines:
    """Lines between pairs of classes, vertex after vertex.

    Attributes
    ----------
    points : ndarray, shape (vertex, 2)
        In order along each line; of a closed line the first comes again as the last.
    line : ndarray of int, shape (vertex,)
        Number of the line, from 0.
    pair : ndarray of int, shape (line, 2)
        Classes on both sides, the lower first.
    closed : ndarray of bool, shape (line,)
    ends : ndarray of int, shape (vertex, 2)
        Points of the mesh on either side, in the first and the second class; -1
        where three classes meet.
    """

    points: NDArray[np.float64]
    line: NDArray[np.int64]
    pair: NDArray[np.int64]
    closed: NDArray[np.bool_]
    ends: NDArray[np.int64]


def class_lines(mesh: Mesh, share: NDArray[np.float64], /) -> ClassLines:
    """Draw the lines along which two classes have equal shares, and both the largest.

    Parameters
    ----------
    mesh : Mesh
    share : ndarray, shape (point, class)
        Smooth over the mesh. Between two points the logarithm of the ratio
        of shares is taken as linear, as it is nearly across a smoothed wall.
    """
    labels = share.argmax(axis=1).astype(np.int64)
    crossed = labels[mesh.edges[:, 0]] != labels[mesh.edges[:, 1]]
    n_crossed = crossed[mesh.sides].sum(axis=1)
    two, three = mesh.sides[n_crossed == 2], mesh.sides[n_crossed == 3]
    # Of two crossed sides of a triangle.
    simple = two[crossed[two]].reshape(-1, 2)
    number = np.full(len(mesh.edges), -1, dtype=np.int64)
    number[crossed] = np.arange(np.count_nonzero(crossed))
    places, ends = _crossings(mesh, share, labels, np.flatnonzero(crossed))
    # Where three classes meet each of the three lines has an end of its own.
    middle = places[number[three]].mean(axis=1)
    triple = len(places) + np.arange(3 * len(three)).reshape(-1, 3)
    links = np.concatenate(
        [number[simple], np.stack([number[three], triple], axis=-1).reshape(-1, 2)]
    )
    nodes = np.concatenate([places, np.repeat(middle, 3, axis=0)])
    ends = np.concatenate([ends, np.full((triple.size, 2), -1)])
    return _ordered(nodes, ends, links, (mesh.points, labels))


def _crossings(
    mesh: Mesh, share: NDArray[np.float64], labels: NDArray[np.int64], edges: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    ends = mesh.edges[edges].copy()
    turned = labels[ends[:, 0]] > labels[ends[:, 1]]
    ends[turned] = ends[turned][:, ::-1]
    pair = labels[ends]
    height = np.stack(
        [
            np.log(
                np.maximum(share[ends[:, side], pair[:, 0]], _LEAST)
                / np.maximum(share[ends[:, side], pair[:, 1]], _LEAST)
            )
            for side in (0, 1)
        ]
    )
    fall = height[0] - height[1]
    along = np.where(fall > _LEAST, height[0] / np.where(fall > _LEAST, fall, 1.0), 0.5)
    along = np.clip(along, 0.0, 1.0)[:, None]
    return mesh.points[ends[:, 0]] * (1 - along) + mesh.points[ends[:, 1]] * along, ends


def _ordered(
    nodes: NDArray[np.float64],
    ends: NDArray[np.int64],
    links: NDArray[np.int64],
    mesh: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> ClassLines:
    """Follow links, of which each node has one or two, from an end of each line."""
    n = len(nodes)
    if not len(links):
        none = np.zeros(0, dtype=np.int64)
        return ClassLines(
            np.zeros((0, 2)), none, np.zeros((0, 2), np.int64), none.astype(bool), ends[:0]
        )
    graph = _graph(links, n)
    _, line = connected_components(graph, directed=False)
    degree = np.bincount(links.ravel(), minlength=n)
    n_lines = int(line.max()) + 1
    has_end = np.bincount(line[degree == 1], minlength=n_lines) > 0
    # A ring is cut at one of its links; its first node comes again at the end.
    link_line = line[links[:, 0]]
    _, first = np.unique(link_line, return_index=True)
    cut = first[~has_end]
    kept = np.delete(links, cut, axis=0)
    starts = np.zeros(n_lines, dtype=np.int64)
    tips = np.flatnonzero(degree == 1)
    starts[line[tips][::-1]] = tips[::-1]
    starts[link_line[cut]] = links[cut, 0]
    # One root that is linked to the start of every line: its depth-first order
    # is line after line.
    rooted = np.concatenate([kept, np.column_stack([np.full(n_lines, n), starts])])
    order = depth_first_order(_graph(rooted, n + 1), n, directed=False, return_predecessors=False)[
        1:
    ].astype(np.int64)
    number = line[order]
    begin = np.flatnonzero(np.diff(number, prepend=-1))
    stop = np.append(begin[1:], len(order))
    rings = ~has_end[number[begin]]
    order = np.insert(order, stop[rings], order[begin[rings]])
    counts = stop - begin + rings
    line_of = np.repeat(np.arange(len(begin)), counts)
    return _oriented(nodes, ends, order, line_of, rings, mesh)


def _graph(links: NDArray[np.int64], n: int) -> scipy.sparse.csr_array:
    ones = np.ones(len(links), dtype=np.int8)
    return scipy.sparse.coo_array((ones, (links[:, 0], links[:, 1])), shape=(n, n)).tocsr()


def _oriented(
    nodes: NDArray[np.float64],
    ends: NDArray[np.int64],
    order: NDArray[np.int64],
    line: NDArray[np.int64],
    rings: NDArray[np.bool_],
    mesh: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> ClassLines:
    """Turn lines so that `normals` point from the first class to the second."""
    places, labels = mesh
    points, beside = nodes[order], ends[order]
    n_lines = len(rings)
    real = beside[:, 0] >= 0
    pair = np.zeros((n_lines, 2), dtype=np.int64)
    pair[line[real]] = labels[beside[real]]
    across = np.where(real[:, None], places[beside[:, 1]] - places[beside[:, 0]], 0.0)
    agreement = np.bincount(line, (normals(points, line) * across).sum(axis=1), n_lines)
    backwards = (agreement < 0)[line]
    begin = np.searchsorted(line, np.arange(n_lines))
    stop = np.searchsorted(line, np.arange(n_lines), side="right")
    where = np.arange(len(line))
    where = np.where(backwards, begin[line] + stop[line] - 1 - where, where)
    return ClassLines(points[where], line, pair, rings, beside[where])


def normals(points: NDArray[np.float64], line: NDArray[np.int64], /) -> NDArray[np.float64]:
    """Give unit normals (vertex, axis) of lines given vertex by vertex.

    With y down they are at the left of one who walks along the line.
    """
    if not len(points):
        return np.zeros((0, 2))
    step = np.diff(points, axis=0)
    step[np.diff(line) != 0] = 0.0
    none = np.zeros((1, 2))
    tangent = np.concatenate([none, step]) + np.concatenate([step, none])
    length = np.hypot(*tangent.T)
    # A ring of two vertices has no direction of its own.
    tangent = tangent / np.where(length > 0, length, 1.0)[:, None]
    return np.column_stack([tangent[:, 1], -tangent[:, 0]])


def segment_lengths(points: NDArray[np.float64], line: NDArray[np.int64], /) -> NDArray[np.float64]:
    """Give the length from each vertex to the next of its line, zero after the last."""
    length = np.zeros(len(points))
    if len(points) > 1:
        step = np.hypot(*np.diff(points, axis=0).T)
        length[:-1] = np.where(np.diff(line) == 0, step, 0.0)
    return length
