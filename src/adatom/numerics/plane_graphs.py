"""Canonical codes of small graphs drawn in the plane: equal if turned, told apart if mirrored."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DIGITS = 16

Code = tuple[tuple[object, ...], ...]


class GraphKey(NamedTuple):
    """What names a drawn graph.

    Attributes
    ----------
    key : str
        16 hexadecimal digits, equal for graphs that are equal when turned, bent or reflected.
    chirality : int
        1 and -1 for the two of a mirror pair, 0 where a graph is its own mirror image.
    """

    key: str
    chirality: int


def key_of_graph(
    places: NDArray[np.float64], species: Sequence[str], edges: NDArray[np.int64], /
) -> GraphKey:
    """Name a graph of labeled points by its edges and by their order around each point.

    The order in which edges leave a point fixes how a walk goes on, so that a
    walk from one directed edge reaches all of its connected part in one way
    only. The least of the walks from every directed edge is the code of the
    part [1]_: it is equal for two drawings if and only if one can be turned and
    bent into the other, whereas a Weisfeiler-Lehman hash is equal for some graphs
    that differ. Walks that take the edges in the other sense give the mirror image.

    Parameters
    ----------
    places : ndarray, shape (point, 2)
        Axis y, x.
    species : sequence of str
        Label of every point.
    edges : ndarray of int, shape (edge, 2)
        Pairs of points, each once.

    References
    ----------
    .. [1] L. Weinberg, IEEE Trans. Circuit Theory 13, 142 (1966).

    Examples
    --------
    >>> places = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> bonds = np.array([[0, 1], [0, 2]])
    >>> one = key_of_graph(places, ["Si", "C", "C"], bonds)
    >>> one == key_of_graph(places[::-1], ["C", "C", "Si"], 2 - bonds), one.chirality
    (True, 0)
    """
    around = _neighbors_in_order(places, edges)
    parts = _connected(around)
    turned = sorted(_code(part, species, around) for part in parts)
    backwards = [list(reversed(order)) for order in around]
    mirrored = sorted(_code(part, species, backwards) for part in parts)
    digest = hashlib.sha256(repr(min(turned, mirrored)).encode()).hexdigest()
    return GraphKey(digest[:_DIGITS], (mirrored > turned) - (mirrored < turned))


def _neighbors_in_order(places: NDArray[np.float64], edges: NDArray[np.int64]) -> list[list[int]]:
    """List the neighbors of every point from +x towards +y."""
    start, end = np.concatenate([edges, edges[:, ::-1]]).reshape(-1, 2).T.astype(int)
    to = places[end] - places[start]
    around: list[list[int]] = [[] for _ in range(len(places))]
    for k in np.lexsort((end, np.arctan2(to[:, 0], to[:, 1]), start)):
        around[start[k]].append(int(end[k]))
    return around


def _connected(around: list[list[int]]) -> list[list[int]]:
    parts, seen = [], [False] * len(around)
    for first in range(len(around)):
        if seen[first]:
            continue
        seen[first], part = True, [first]
        for point in part:
            for other in around[point]:
                if not seen[other]:
                    seen[other] = True
                    part.append(other)
        parts.append(part)
    return parts


def _code(part: list[int], species: Sequence[str], around: list[list[int]]) -> Code:
    """Give the least walk over a connected part, of those that start at its rarest kind of edge."""
    if len(part) == 1:
        return ((str(species[part[0]]),),)
    darts = [(point, to) for point in part for to in around[point]]

    def look(dart: tuple[int, int]) -> tuple[str, int, str, int]:
        point, to = dart
        return str(species[point]), len(around[point]), str(species[to]), len(around[to])

    counts = Counter(map(look, darts))
    rarest = min(counts, key=lambda kind: (counts[kind], kind))
    return min(_walk(dart, species, around) for dart in darts if look(dart) == rarest)


def _walk(dart: tuple[int, int], species: Sequence[str], around: list[list[int]]) -> Code:
    root, to = dart
    number, entered, code = {root: 0}, {root: to}, []
    order = [root]
    for point in order:
        first = around[point].index(entered[point])
        turn = around[point][first:] + around[point][:first]
        for other in turn:
            if other not in number:
                number[other], entered[other] = len(order), point
                order.append(other)
        code.append((str(species[point]), *(number[other] for other in turn)))
    return tuple(code)
