"""Foreign atoms on the edge of graphene: their states, and the atoms that these make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation.cells import atomic_number
from adatom.simulation.edges import Edges, apply_edges
from adatom.simulation.graphene import BOND
from adatom.simulation.kinetic_places import Places
from adatom.simulation.kinetics import Kinetics
from adatom.simulation.lattices import Crystal, build_lattice
from adatom.units import LENGTH, Length, Time, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.simulation.kinetic_events import History, Stays

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

# Carbon nearer than the first to a new atom gives way to it; carbon nearer than the second to
# the foreign atom is pushed as far, the length of Si-C as seen along the beam.
_IN_THE_WAY: Final = 0.1
_FOREIGN_BOND: Final = 0.17
_BONDED: Final = 1.15 * BOND
_FULL: Final = 3


@dataclass(frozen=True)
class EdgeState:
    """Where a foreign atom stands at an edge atom of graphene, and what carbon is beside it.

    Places are (along, outward) in nm from the place of an edge atom with two bonds: outward is
    where its third bond would be. Atoms of the sheet that are in the way are left out. The
    distances make images that look right, and are not the result of a relaxation.

    Attributes
    ----------
    name : str
        Of the state.
    foreign : pair of float
        Of the foreign atom.
    added : tuple of pairs of float
        Of further carbon atoms.
    """

    name: str
    foreign: tuple[float, float]
    added: tuple[tuple[float, float], ...] = ()


_ZIGZAG: Final = (
    EdgeState("in line", (0.0, 0.05)),
    EdgeState("beside a carbon", (0.0, 0.05), ((0.13, 0.15),)),
    EdgeState("in the row behind", (0.123, -0.071)),
)


@dataclass(frozen=True)
class EdgeSheet:
    """A sheet of graphene with an edge on which foreign atoms change their states.

    Attributes
    ----------
    edges : Edges
        The edge, its shape, and holes: along (1, 0) of the lattice it is zigzag, along (1, 1)
        armchair. A `roughness` makes it uneven.
    states : tuple of EdgeState
        The classes of `kinetics`, in any order. The default is for a zigzag edge: two of them are
        their own mirror image, one is not.
    kinetics : Kinetics
        Rates per s. Places are the edge atoms with two bonds, nothing hops; orientation 1 is the
        mirror image of a state, and ``turns`` lead there and back.
    element : str
        Of the foreign atoms.
    rotation : float
        Of the sheet, in deg.
    displacement : float
        Standard deviation of random displacements of atoms in nm, per axis, anew in each frame.
    frame_time : time
        From frame to frame; frames are snapshots.
    drift : length
        Typical motion of the sample from frame to frame, in nm, as of `DefectiveSheet`.
    lost : float
        Share of the frames in which the beam is blanked.
    rim : length
        How far from the edges of what all frames show the foreign atoms stay, in nm.
    """

    edges: Edges = Edges(vacuum=0.4, along=(1, 0))  # noqa: RUF009 -- frozen
    states: tuple[EdgeState, ...] = _ZIGZAG
    kinetics: Kinetics = Kinetics(  # noqa: RUF009 -- frozen
        classes=("in line", "beside a carbon", "in the row behind"),
        n_defects=4,
        hops=(),
        turns=(0.0, 0.05, 0.05),
        changes=((0.0, 0.1, 0.05), (0.12, 0.0, 0.0), (0.1, 0.0, 0.0)),
        orientations=2,
        closest="0.7 nm",
    )
    element: str = "Si"
    rotation: float = 11.0
    displacement: float = 0.004
    frame_time: Time = "1 s"
    drift: Length = "0.02 nm"
    lost: float = 0.0
    rim: Length = "0.6 nm"

    def __post_init__(self) -> None:
        atomic_number(self.element)
        names = [state.name for state in self.states]
        odd = [name for name in self.kinetics.classes if names.count(name) != 1]
        if odd:
            msg = (
                f"kinetics.classes has {odd[0]!r}, which {names.count(odd[0])} of the `states` "
                f"{', '.join(names)} are called: each needs one that says where its atoms are"
            )
            raise SettingError(msg)
        if self.kinetics.orientations > 2 or any(self.kinetics.of_classes("hops") > 0):
            msg = (
                f"{self.kinetics.orientations=} must be 2, a state and its mirror image, or 1, "
                f"and hops={self.kinetics.hops} 0: foreign atoms stay at their edge atoms"
            )
            raise SettingError(msg)
        if not self.edges.vacuum > 0:
            msg = f"edges.vacuum={self.edges.vacuum} leaves no edge: more than 0"
            raise SettingError(msg)
        for name, most in (("lost", 1.0), ("displacement", np.inf)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                msg = f"{name}={value} must be 0 or more{', a share' if name == 'lost' else ''}"
                raise SettingError(msg)
        for name in ("drift", "rim"):
            value, unit = LENGTH.check(getattr(self, name), name=name)
            if unit != "nm" or value < 0:
                msg = f"{name}={getattr(self, name)!r} must be in nm, 0 or more"
                raise SettingError(msg)


class EdgedSheet(NamedTuple):
    """The atoms of a sheet without foreign ones, and the places that these can take.

    Attributes
    ----------
    atoms, perfect : ndarray, shape (atom, axis)
        The sheet with its edge, and the one that goes on beyond it, in nm.
    places : Places
        Edge atoms.
    outward : ndarray, shape (place, axis)
        Unit vectors.
    """

    atoms: Floats
    perfect: Floats
    places: Places
    outward: Floats


def edged_sheet(
    sheet: EdgeSheet, /, *, field: float, margin: float, inside: Floats, seed: int
) -> EdgedSheet:
    """Lay out a sheet over a field, with places between two corners (corner, axis)."""
    lattice_seed, edge_seed = np.random.default_rng(seed).integers(2**31, size=2).tolist()
    lattice = build_lattice(
        crystal=Crystal("honeycomb", spacing=f"{BOND} nm", rotation=sheet.rotation),
        field=(field, field),
        unit="nm",
        margin=margin,
        seed=lattice_seed,
    )
    flake = apply_edges(lattice, edges=sheet.edges, seed=edge_seed)
    perfect, atoms = positions(lattice), _without_dead_ends(positions(flake))
    low, high = perfect.min(axis=0) + 2 * BOND, perfect.max(axis=0) - 2 * BOND
    bonds = bonds_in(atoms)
    count = np.bincount(bonds.ravel(), minlength=len(atoms))
    laid_out = ((atoms > low) & (atoms < high)).all(axis=1)
    seen = ((atoms >= inside[0]) & (atoms <= inside[1])).all(axis=1)
    number = np.flatnonzero((count == _FULL - 1) & laid_out & seen)
    pull = np.zeros_like(atoms)
    for one, other in (bonds.T, bonds.T[::-1]):
        np.add.at(pull, one, atoms[other] - atoms[one])
    outward = -pull[number] / np.linalg.norm(pull[number], axis=1, keepdims=True)
    return EdgedSheet(atoms, perfect, _places(atoms[number], sheet.kinetics), outward)


def bonds_in(atoms: Floats, /) -> Counts:
    """List the pairs (bond, 2) of carbon atoms that are a bond of graphene apart."""
    return np.asarray(KDTree(atoms).query_pairs(_BONDED, output_type="ndarray"), dtype=np.int64)


def _without_dead_ends(atoms: Floats) -> Floats:
    """Leave out atoms with one bond or none: the beam takes them away first."""
    while True:
        count = np.bincount(bonds_in(atoms).ravel(), minlength=len(atoms))
        if (count > 1).all():
            return atoms
        atoms = atoms[count > 1]


def _places(position: Floats, kinetics: Kinetics) -> Places:
    """Make places between which nothing hops."""
    closest = length_from_setting(kinetics.closest, unit="nm", spacing=BOND, name="closest")
    crowd: list[list[int]] = [[] for _ in position]
    if len(position):
        for one, other in KDTree(position).query_pairs(closest):
            crowd[one].append(other)
            crowd[other].append(one)
    nowhere = np.full((len(position), 1), -1, dtype=np.int64)
    return Places(position, np.zeros((1, 2)), np.ones(1), nowhere, crowd, BOND)


@dataclass(frozen=True, eq=False)
class EdgeScene:
    """The atoms of every frame of a sheet with foreign atoms on its edge.

    Attributes
    ----------
    sheet : EdgeSheet
        Its settings.
    laid_out : EdgedSheet
        The sheet, and the places of foreign atoms.
    history, stays : History, Stays
        What these do, and which stay is seen in which frame.
    exponent : float
        Of the atomic number, to which power electrons grow.
    seed : int
        Of displacements.
    """

    sheet: EdgeSheet
    laid_out: EdgedSheet
    history: History
    stays: Stays
    exponent: float
    seed: int

    def named_atoms(self, number: int, /) -> tuple[Floats, NDArray[np.bool_]]:
        """Give the positions of all atoms in a frame, the foreign ones first, which they are."""
        first, stop = np.searchsorted(self.stays.frame, [number, number + 1])
        event = self.stays.event[first:stop]
        foreign, added = self.placed(event)
        new = np.concatenate([foreign, added])
        old = self.laid_out.atoms
        if len(new):
            old = old[KDTree(new).query(old)[0] > _IN_THE_WAY]
        carbon = _pushed(np.concatenate([added, old]), foreign)
        place = np.concatenate([foreign, carbon])
        rng = np.random.default_rng([self.seed, number, 3])
        place = place + rng.normal(size=place.shape) * self.sheet.displacement
        return place, np.arange(len(place)) < len(foreign)

    def placed(self, event: Counts, /) -> tuple[Floats, Floats]:
        """Give the positions of the foreign atom of every event, and of the carbon added."""
        known = {state.name: state for state in self.sheet.states}
        place, outward = self.laid_out.places.position, self.laid_out.outward
        foreign, added = [np.zeros((0, 2))], [np.zeros((0, 2))]
        for one in event.tolist():
            at = int(self.history.place[one])
            state = known[self.sheet.kinetics.classes[int(self.history.label[one])]]
            side = -1.0 if self.history.orientation[one] else 1.0
            axes = np.array([[-outward[at, 1], outward[at, 0]], outward[at]])
            axes[0] *= side
            foreign.append(place[at] + np.array([state.foreign]) @ axes)
            added.append(place[at] + np.array(state.added).reshape(-1, 2) @ axes)
        return np.concatenate(foreign), np.concatenate(added)

    def atoms(self, number: int, /) -> tuple[Floats, Floats]:
        """Give positions and electrons of all atoms in a frame."""
        place, is_foreign = self.named_atoms(number)
        much = (atomic_number(self.sheet.element) / atomic_number("C")) ** self.exponent
        return place, np.where(is_foreign, much, 1.0)

    def perfect(self) -> tuple[Floats, Floats]:
        """Give positions and electrons of a sheet that goes on beyond its edge."""
        return self.laid_out.perfect, np.ones(len(self.laid_out.perfect))


def _pushed(carbon: Floats, foreign: Floats) -> Floats:
    """Push carbon away from foreign atoms to the length of their bonds."""
    if not len(foreign):
        return carbon
    distance, near = KDTree(foreign).query(carbon)
    away = carbon - foreign[near]
    factor = np.where(distance < _FOREIGN_BOND, _FOREIGN_BOND / np.maximum(distance, 1e-9), 1.0)
    return np.asarray(foreign[near] + away * factor[:, None])
