"""Small calls of the steps for edges and the states of impurities on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from contract_example import Example

from adatom import crystallography, descriptors, simulation
from adatom.schema import Features, Movie, Sites

_SHEET = simulation.EdgeSheet(drift="0 nm")


@cache
def _made() -> simulation.EdgeMovie:
    return simulation.simulate_edge_movie(sheet=_SHEET, n_frames=6, size=48, field="6 nm")


def _atoms() -> Sites:
    return _made().atoms.copy(deep=True)


def _movie() -> Movie:
    return _made().movie.compute()


def _lines() -> Sites:
    return crystallography.find_edges(_atoms()).lines


def _impurities() -> Sites:
    return crystallography.find_edge_impurities(_atoms(), _lines())


def _environments() -> Features:
    return descriptors.edge_environments(_impurities(), _atoms())


EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_edge_movie": lambda: Example(
        (), {"sheet": _SHEET, "n_frames": 2, "size": 32, "field": "6 nm"}
    ),
    "crystallography.find_edges": lambda: Example((_atoms(), _movie())),
    "crystallography.find_edge_impurities": lambda: Example((_atoms(), _lines())),
    "descriptors.edge_environments": lambda: Example((_impurities(), _atoms())),
    "descriptors.edge_patches": lambda: Example((_movie(), _impurities())),
    "clustering.cluster_mirrored": lambda: Example(
        (_environments(),), {"max_classes": 2, "n_starts": 2}
    ),
}
