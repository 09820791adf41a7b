"""Sites of lattices whose noise, vacancies and directions are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.schema import Sites, sites_from_positions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_HALF_3: Final = np.sqrt(3) / 2
_SLANT: Final = np.radians(80)


class Lattice(NamedTuple):
    """A lattice whose shortest bond is one long."""

    cell: Sequence[Sequence[float]]
    basis: Sequence[Sequence[float]]
    n_neighbors: int
    n_stars: int


LATTICES: Final[Mapping[str, Lattice]] = {
    "square": Lattice([[1, 0], [0, 1]], [[0, 0]], 4, 1),
    "rectangular": Lattice([[1.4, 0], [0, 1]], [[0, 0]], 4, 1),
    "long rectangular": Lattice([[1.9, 0], [0, 1]], [[0, 0]], 4, 1),
    "oblique": Lattice([[1.2 * np.sin(_SLANT), 1.2 * np.cos(_SLANT)], [0, 1]], [[0, 0]], 4, 1),
    "hexagonal": Lattice([[_HALF_3, 0.5], [0, 1]], [[0, 0]], 6, 1),
    "honeycomb": Lattice([[1.5, _HALF_3], [0, 2 * _HALF_3]], [[0, 0], [1, 0]], 3, 2),
    "kagome": Lattice([[2 * _HALF_3, 1], [0, 2]], [[0, 0], [0, 1], [_HALF_3, 0.5]], 4, 3),
}


class NoisyLattice(NamedTuple):
    """Sites with what is true of them.

    Attributes
    ----------
    sites : Sites
        As found: displaced, with vacancies.
    ideal : ndarray, shape (site, 2)
        Where they are without noise.
    vacancies : ndarray, shape (vacancy, 2)
        Ideal positions of atoms taken out.
    inner : ndarray of bool, shape (site,)
        Sites whose neighbors all lie well inside of the frame.
    n_neighbors, n_stars : int
        Of the lattice.
    """

    sites: Sites
    ideal: NDArray[np.float64]
    vacancies: NDArray[np.float64]
    inner: NDArray[np.bool_]
    n_neighbors: int
    n_stars: int


def noisy_lattice(
    kind: str,
    *,
    size: float = 30.0,
    angle: float = 0.3,
    strain: float = 0.0,
    noise: float = 0.0,
    vacancies: float = 0.0,
    seed: int = 0,
    extent: bool = True,
) -> NoisyLattice:
    """Cut a frame out of a lattice; noise is per axis, in units of the shortest bond."""
    rng = np.random.default_rng(seed)
    lattice = LATTICES[kind]
    reach = int(1.5 * size)
    index = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), -1)
    cells = index.reshape(-1, 2) @ np.array(lattice.cell)
    ideal = np.concatenate([cells + np.array(place) for place in lattice.basis])
    sine, cosine = np.sin(angle), np.cos(angle)
    ideal = ideal @ np.diag([1 + strain, 1 - strain / 3]) @ [[cosine, sine], [-sine, cosine]]
    ideal = ideal + size / 2 + rng.uniform(0, 1, 2)
    ideal = ideal[(np.abs(ideal - size / 2) < size).all(axis=1)]
    found = ideal + rng.normal(0, noise, ideal.shape)
    inside = ((found > 0) & (found < size)).all(axis=1)
    gone = inside & (rng.random(len(found)) < vacancies)
    there = inside & ~gone
    frame: dict[str, Any] = {"extent": [0, size, 0, size]} if extent else {}
    sites = sites_from_positions(found[there, 0], found[there, 1], unit="nm", **frame)
    # The longest bond is 1.9, its radius of capture 1.1, and noise comes on top.
    margin = 3.6 if "rect" in kind else 2.4
    inner = np.all((ideal > margin) & (ideal < size - margin), axis=1)[there]
    return NoisyLattice(
        sites, ideal[there], ideal[gone], inner, lattice.n_neighbors, lattice.n_stars
    )
