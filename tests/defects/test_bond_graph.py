"""Pairs of a node, and within a set of nodes, are those that a search of all finds."""

from __future__ import annotations

import numpy as np

from adatom.defects.bond_graph import PairsOfNodes


def test_pairs_of_nodes_are_those_of_a_search_through_all() -> None:
    rng = np.random.default_rng(0)
    pairs = np.unique(np.sort(rng.integers(0, 30, (60, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]].astype(np.int64)
    of_node = PairsOfNodes(pairs, 32)
    for node in range(32):
        np.testing.assert_array_equal(of_node.at(node), np.flatnonzero((pairs == node).any(axis=1)))
    nodes = np.arange(5, 20)
    np.testing.assert_array_equal(
        of_node.within(nodes), np.flatnonzero(np.isin(pairs, nodes).all(axis=1))
    )


def test_no_pairs_are_of_no_node() -> None:
    none = np.zeros((0, 2), dtype=np.int64)
    assert len(PairsOfNodes(none, 3).at(1)) == 0
    assert len(PairsOfNodes(none, 3).within(np.array([0, 1]))) == 0
