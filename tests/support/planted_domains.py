"""Sites of crystals whose phases, variants, doubled cells and grains are planted and known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.descriptors import neighbor_vectors
from adatom.schema import Sites, Table, sites_from_positions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_HALF_3: Final = np.sqrt(3) / 2
CELLS: Final = {
    "square": (np.eye(2), np.zeros((1, 2))),
    "honeycomb": (np.array([[1.5, _HALF_3], [0.0, 2 * _HALF_3]]), np.array([[0.0, 0], [1.0, 0]])),
    "hexagonal": (np.array([[_HALF_3, 0.5], [0.0, 1.0]]), np.zeros((1, 2))),
    "perovskite": (np.eye(2), np.array([[0.0, 0], [0.5, 0.5]])),
}


class Planted(NamedTuple):
    """Sites with neighbors and lattice indices, and what is true of them.

    Attributes
    ----------
    sites : Sites
        As `find_variants` takes them.
    domain : ndarray of int, shape (site,)
        True variant, phase or cell of a doubled cell.
    inner : ndarray of bool, shape (site,)
        Farther than two cells from a wall.
    wall : ndarray, shape (site,)
        Distance to the nearest wall, in cells; infinite without.
    """

    sites: Sites
    domain: NDArray[np.int64]
    inner: NDArray[np.bool_]
    wall: NDArray[np.float64]


def planted(
    case: str,
    *,
    size: int = 60,
    noise: float = 0.03,
    vacancies: float = 0.03,
    drift: float = 0.02,
    seed: int = 0,
    angle: float = 3.0,
) -> Planted:
    """Make sites of a case of `CASES`; noise per axis, in units of the shortest bond."""
    rng = np.random.default_rng(seed)
    made = CASES[case]
    parts = made.grains(size, rng, angle)
    sites: dict[str, list[NDArray[Any]]] = {
        key: [] for key in ("place", "index", "basis", "grain", "domain", "wall")
    }
    shear = drift * rng.uniform(-1, 1, (2, 2))
    for grain, part in enumerate(parts):
        for key, value in zip(("place", "index", "basis", "domain", "wall"), part, strict=True):
            sites[key].append(value)
        sites["grain"].append(np.full(len(part[0]), grain))
    whole = {key: np.concatenate(value) for key, value in sites.items()}
    place = whole["place"] @ (np.eye(2) + shear).T
    place = place + rng.normal(0, noise, place.shape)
    there = rng.random(len(place)) >= vacancies
    return _with_neighbors({key: value[there] for key, value in whole.items()}, place[there], made)


def _with_neighbors(
    truth: dict[str, NDArray[Any]], place: NDArray[np.float64], made: Case
) -> Planted:
    basis = truth["basis"]
    if made.between:
        center, cage = basis == 1, basis == 0
        b = sites_from_positions(*place[center].T, unit="nm")
        a = sites_from_positions(*place[cage].T, unit="nm")
        sites = neighbor_vectors(b, a, n_neighbors=4)
        sites.attrs["spacing"] = 1.0
        truth = {key: value[center] for key, value in truth.items()}
    else:
        sites = neighbor_vectors(sites_from_positions(*place.T, unit="nm"))
    order = np.zeros(len(truth["basis"]), dtype=np.int64) if made.between else truth["basis"]
    sites["lattice_index"] = (("site", "direction"), truth["index"].astype(np.int64))
    sites["sublattice"] = ("site", order.astype(np.int64))
    sites["grain"] = ("site", truth["grain"].astype(np.int64))
    return Planted(sites, truth["domain"], truth["wall"] > 2, truth["wall"])


class Case(NamedTuple):
    """How a case is made: its grains, and whether B is seen against its cage of A."""

    grains: Callable[[int, np.random.Generator, float], list[Any]]
    between: bool = False


def _lattice(
    kind: str, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Give cells (site, 2), basis (site), and ideal places."""
    cell, basis = CELLS[kind]
    n = int(size / np.sqrt(abs(np.linalg.det(cell)))) + 1
    index = np.stack(
        np.meshgrid(np.arange(2 * n) - n // 2, np.arange(2 * n) - n // 2, indexing="ij"), -1
    ).reshape(-1, 2)
    every = np.repeat(index, len(basis), axis=0)
    which = np.tile(np.arange(len(basis)), len(index))
    ideal = every @ cell + basis[which]
    inside = ((ideal >= 0) & (ideal < size)).all(axis=1)
    return every[inside], which[inside], ideal[inside]


def _null(kind: str) -> Callable[[int, np.random.Generator, float], list[Any]]:
    def grains(size: int, rng: np.random.Generator, angle: float) -> list[Any]:
        index, basis, ideal = _lattice(kind, size)
        turn = _turned(ideal, angle)
        return [(turn, index, basis, np.zeros(len(index), int), np.full(len(index), np.inf))]

    return grains


def _turned(place: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    return np.asarray(place @ np.array([[cosine, -sine], [sine, cosine]]))


def _voronoi(
    ideal: NDArray[np.float64], size: int, n: int, rng: np.random.Generator, n_seeds: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give domains of unequal areas, and the distance of every place to a wall."""
    seeds = rng.uniform(0, size, (n_seeds, 2))
    kinds = np.arange(n_seeds) % n
    distance = np.linalg.norm(ideal[:, None] - seeds, axis=2)
    first = distance.argmin(axis=1)
    domain = kinds[first]
    gap = np.full((len(ideal), n_seeds), np.inf)
    for k in range(n_seeds):
        # Distance to the plane half way between the two seeds.
        apart = np.linalg.norm(seeds[first] - seeds[k], axis=1)
        other = kinds[k] != domain
        gap[other, k] = (
            (distance[:, k] ** 2 - distance[np.arange(len(ideal)), first] ** 2)
            / (2 * np.maximum(apart, 1e-9))
        )[other]
    return domain, gap.min(axis=1)


def _two(
    kind: str,
    maps: list[NDArray[np.float64]],
    share: float = 0.4,
    normal: tuple[float, float] = (1.0, 0.0),
) -> Callable[[int, np.random.Generator, float], list[Any]]:
    """Give a wall through the middle, coherent, with a map of space on either side."""

    def grains(size: int, rng: np.random.Generator, angle: float) -> list[Any]:
        index, basis, ideal = _lattice(kind, size)
        across = np.array(normal) / np.linalg.norm(normal)
        level = share * size * np.abs(across).sum() + rng.uniform(-2, 2)
        depth = ideal @ across - level
        domain = (depth > 0).astype(int)
        origin = level * across
        place = np.where(
            domain[:, None] == 1, (ideal - origin) @ maps[1].T, (ideal - origin) @ maps[0].T
        )
        return [(_turned(place, angle), index, basis, domain, np.abs(depth))]

    return grains


def _displaced(
    vectors: NDArray[np.float64], n_seeds: int = 8
) -> Callable[[int, np.random.Generator, float], list[Any]]:
    def grains(size: int, rng: np.random.Generator, angle: float) -> list[Any]:
        index, basis, ideal = _lattice("perovskite", size)
        domain, wall = _voronoi(ideal, size, len(vectors), rng, n_seeds)
        place = ideal + np.where(basis[:, None] == 1, vectors[domain], 0.0)
        return [(_turned(place, angle), index, basis, domain, wall)]

    return grains


def _doubled(
    character: tuple[int, int], *, boundary: bool, amplitude: float = 0.08
) -> Callable[[int, np.random.Generator, float], list[Any]]:
    def grains(size: int, rng: np.random.Generator, angle: float) -> list[Any]:
        index, basis, ideal = _lattice("square", size)
        wall = np.full(len(ideal), np.inf)
        side = np.zeros(len(ideal), dtype=int)
        if boundary:
            level = 0.45 * size + rng.uniform(-2, 2)
            along = 1 if character == (0, 1) else 0
            wall = np.abs(ideal[:, along] - level)
            side = (ideal[:, along] > level).astype(int)
        odd = (index @ np.array(character) + side) % 2
        push = np.array(character, dtype=float) / np.linalg.norm(character)
        place = ideal + amplitude * (1 - 2 * odd[:, None]) * push
        return [(_turned(place, angle), index, basis, odd, wall)]

    return grains


def _bicrystal(
    kind: str, misorientation: float
) -> Callable[[int, np.random.Generator, float], list[Any]]:
    def grains(size: int, rng: np.random.Generator, angle: float) -> list[Any]:
        out = []
        for turn, left in ((angle, True), (angle + misorientation, False)):
            index, basis, ideal = _lattice(kind, 2 * size)
            place = _turned(ideal - size, turn) + size / 2
            inside = ((place >= 0) & (place < size)).all(axis=1)
            inside &= (
                (place[:, 1] < 0.55 * size - 0.3) if left else (place[:, 1] > 0.55 * size + 0.3)
            )
            out.append(
                (
                    place[inside],
                    index[inside],
                    basis[inside],
                    np.zeros(inside.sum(), int),
                    np.abs(place[inside, 1] - 0.55 * size),
                )
            )
        return out

    return grains


_POLAR = 0.15 * np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
_E = 0.03
# Shear along the wall plane: coherent, and a rotation comes with it.
_TWIN = [np.array([[1.0, 0.0], [2 * _E, 1.0]]), np.array([[1.0, 0.0], [-2 * _E, 1.0]])]
# c/a of 1.06 with walls at 45 deg: stretches, turned until they meet there.
_CA = np.diag([1.03, 0.97])
_TURN = np.arctan2(1.03, 0.97) - np.pi / 4
_TETRAGONAL = [
    np.array([[np.cos(s), np.sin(s)], [-np.sin(s), np.cos(s)]]) @ c
    for s, c in ((_TURN, _CA), (-_TURN, _CA[::-1, ::-1]))
]
_PAIR = [np.array([[1.0, _E], [_E, 1.0]]), np.array([[1.0, -_E], [-_E, 1.0]])]
CASES: Final[dict[str, Case]] = {
    "square": Case(_null("square")),
    "honeycomb": Case(_null("honeycomb")),
    "ferroelastic": Case(_two("square", _PAIR, 0.35)),
    "rotated twins": Case(_two("square", _TWIN, 0.35)),
    "tetragonal twins": Case(_two("square", _TETRAGONAL, 0.45, (1.0, 1.0))),
    "polar": Case(_displaced(_POLAR), between=True),
    "polar and parent": Case(
        _displaced(np.concatenate([_POLAR, np.zeros((1, 2))]), 10), between=True
    ),
    "second phase": Case(_two("square", [np.eye(2), 1.06 * np.eye(2)], 0.35)),
    "doubled i": Case(_doubled((1, 0), boundary=False)),
    "doubled j": Case(_doubled((0, 1), boundary=False)),
    "checkerboard": Case(_doubled((1, 1), boundary=False)),
    "antiphase": Case(_doubled((1, 0), boundary=True)),
    "antiphase j": Case(_doubled((0, 1), boundary=True)),
    "two grains": Case(_bicrystal("square", 25.0)),
    "two honeycomb grains": Case(_bicrystal("honeycomb", 20.0)),
}


def stated(statement: Table) -> str:
    """Give the verdicts of a statement in short: "4 of 4 ferroic, 1 non-ferroic"."""
    parts = []
    for row in range(statement.sizes["row"]):
        at = statement.isel(row=row)
        verdict = str(at["verdict"].values)
        counts = f"{int(at['n_populated'])} of {int(at['n_variants'])} "
        parts.append(("1 " if verdict == "non-ferroic" else counts) + verdict)
    return ", ".join(parts)
