"""Graphene with silicon impurities and vacancies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import Sites, positions, sites_from_positions
from adatom.simulation.lattices import Crystal, build_lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOND: Final = 0.246 / np.sqrt(3.0)
"""C-C distance in nm; the lattice constant of graphene is 0.246 nm."""

# Distances in nm, seen along the beam. Threefold Si stands off the plane, so
# that its bonds of about 0.175 nm look shorter. Fourfold Si in a double vacancy
# is as far from its four neighbors as they are from the middle of the vacancy.
_SILICON_CARBON: Final = 0.170
_WEAK_BOND: Final = 0.200
_PENTAGON_BOND: Final = 0.175
# How fast the strain round a defect decays; centers of defects keep apart so
# that no atom is a neighbor of two of them.
_DECAY: Final = 0.20
_APART: Final = 0.75


@dataclass(frozen=True)
class Flake:
    """A piece of graphene.

    Attributes
    ----------
    threefold : float
        Si atoms in the place of one C atom, per site of the lattice.
    fourfold : float
        Si atoms in the place of two C atoms, per site of the lattice.
    vacancies, divacancies : float
        Single and double vacancies, per site of the lattice. The four
        defaults give about one defect in 2.5 nm^2: enough of each
        kind in one image to make a class, and still a lattice.
    rotation : float
        In deg, from +x towards +y.
    displacement : float
        Standard deviation of static displacements in nm, per axis. Thermal
        vibration is part of the width of the probe.
    """

    threefold: float = 0.006
    fourfold: float = 0.003
    vacancies: float = 0.002
    divacancies: float = 0.0015
    rotation: float = 17.0
    displacement: float = 0.002

    def __post_init__(self) -> None:
        for name in ("threefold", "fourfold", "vacancies", "divacancies"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                msg = f"{name}={value} is a number per site: 0 to less than 1"
                raise SettingError(msg)
        if not self.displacement >= 0:
            msg = f"displacement={self.displacement} must be 0 or more (in nm)"
            raise SettingError(msg)


class Graphene(NamedTuple):
    """Atoms, and the places where atoms are missing."""

    atoms: Sites
    vacancies: Sites


def build_graphene(
    *,
    flake: Flake = Flake(),
    field: tuple[float, float] = (7.0, 7.0),
    margin: float = 0.8,
    seed: int = 0,
) -> Graphene:
    """Lay out graphene with its defects over a rectangular field.

    Neighbors of a defect are moved: those of threefold Si outwards to 0.170 nm
    from it; one pair beside a single vacancy is drawn together to 0.200 nm (the
    weak bond of the 5-9 reconstruction), both pairs beside a double
    vacancy to 0.175 nm (5-8-5). Atoms round Si follow along the radius,
    by ``u(r) = u_1 (r_1 / r) exp(-(r - r_1) / 0.2 nm)``, that is like round a
    misfit in an elastic sheet, damped. These are distances of a
    model that looks right, not the result of a relaxation.

    Parameters
    ----------
    flake : Flake
        How many defects of which kind.
    field : tuple of two floats
        Height and width in nm. Defects lie within it.
    margin : float
        Sites are laid out as far as this beyond the field, in nm.
    seed : int
        Of the places of the defects and all displacements.

    Returns
    -------
    atoms : Sites
        With ``species`` (C, Si) and ``class``: "C", "Si-C3", "Si-C4", and
        "C at Si-C3", "C at Si-C4", "C at V1", "C at V2" beside a defect.
    vacancies : Sites
        With ``class``: "V1", or "V2" at the middle of a double vacancy.

    Raises
    ------
    SettingError
        If the field has no room for so many defects.

    References
    ----------
    .. [1] W. Zhou et al., Phys. Rev. Lett. 109, 206803 (2012): threefold and
       fourfold Si in graphene.
    .. [2] R. Nieman et al., J. Chem. Phys. 147 (2017), doi:10.1063/1.4999779:
       Si in a double vacancy.

    Examples
    --------
    >>> graphene = build_graphene(field=(5.0, 5.0), seed=1)
    >>> int((graphene.atoms["class"] == "Si-C3").sum())
    6
    """
    crystal_rng, defect_rng = np.random.default_rng(seed).spawn(2)
    perfect = build_lattice(
        crystal=Crystal("honeycomb", spacing=f"{BOND} nm", rotation=flake.rotation),
        field=field,
        unit="nm",
        margin=margin,
        seed=int(crystal_rng.integers(2**31)),
    )
    draft = _Draft(positions(perfect), field, defect_rng)
    n_inside = int(draft.inside.sum())
    # The rarest first: a pair of sites finds room less easily than one.
    for rate, place in (
        (flake.divacancies, draft.add_divacancy),
        (flake.fourfold, draft.add_fourfold),
        (flake.vacancies, draft.add_vacancy),
        (flake.threefold, draft.add_threefold),
    ):
        for center in draft.free_centers(round(rate * n_inside)):
            place(center)
    return draft.graphene(flake.displacement)


class _Draft:
    """A perfect sheet in which defects are placed one after the other."""

    def __init__(
        self,
        perfect: NDArray[np.float64],
        field: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        self.perfect = perfect
        self.moved = np.zeros_like(perfect)
        self.rng = rng
        distance, index = KDTree(perfect).query(perfect, k=4)
        # Atoms on the rim of the sheet have fewer than three neighbors.
        self.bonded = np.where(distance[:, 1:] < 1.1 * BOND, index[:, 1:], -1)
        # A defect keeps two bonds off the border of the field, so that all of it is seen.
        low, high = 2 * BOND, np.asarray(field) - 2 * BOND
        self.inside = ((perfect >= 0) & (perfect <= np.asarray(field))).all(axis=1)
        self.free = ((perfect >= low) & (perfect <= high)).all(axis=1)
        self.gone = np.zeros(len(perfect), dtype=bool)
        self.classes = np.full(len(perfect), "C", dtype="<U10")
        self.fourfold: list[NDArray[np.float64]] = []
        self.vacancies: list[tuple[NDArray[np.float64], str]] = []

    def free_centers(self, number: int) -> list[int]:
        """Sites, in random order, that are far from all defects and one another."""
        found: list[int] = []
        for center in self.rng.permutation(np.flatnonzero(self.free)):
            if len(found) == number:
                break
            if self.free[center]:
                found.append(int(center))
                near = np.hypot(*(self.perfect - self.perfect[center]).T) < _APART
                self.free[near] = False
        if len(found) < number:
            msg = (
                f"the field has room for {len(found)} of the {number} defects of one kind, "
                f"kept {_APART} nm apart: lower the rates of the flake or take a larger field"
            )
            raise SettingError(msg)
        return found

    def add_threefold(self, center: int) -> None:
        self.classes[center] = "Si-C3"
        self.classes[self.bonded[center]] = "C at Si-C3"
        self._push_outwards(self.perfect[center], BOND, _SILICON_CARBON)

    def add_fourfold(self, center: int) -> None:
        middle, pairs = self._remove_pair(center)
        self.fourfold.append(middle)
        self.classes[np.concatenate(pairs)] = "C at Si-C4"

    def add_vacancy(self, center: int) -> None:
        self.gone[center] = True
        self.vacancies.append((self.perfect[center], "V1"))
        around = self.rng.permutation(self.bonded[center])
        self.classes[around] = "C at V1"
        self._draw_together(around[:2], _WEAK_BOND)

    def add_divacancy(self, center: int) -> None:
        middle, pairs = self._remove_pair(center)
        self.vacancies.append((middle, "V2"))
        for pair in pairs:
            self.classes[pair] = "C at V2"
            self._draw_together(pair, _PENTAGON_BOND)

    def _remove_pair(
        self, center: int
    ) -> tuple[NDArray[np.float64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        other = int(self.rng.choice(self.bonded[center]))
        self.gone[[center, other]] = True
        first = self.bonded[center][self.bonded[center] != other]
        second = self.bonded[other][self.bonded[other] != center]
        return (self.perfect[center] + self.perfect[other]) / 2, (first, second)

    def _draw_together(self, pair: NDArray[np.int64], distance: float) -> None:
        along = self.perfect[pair[1]] - self.perfect[pair[0]]
        length = np.hypot(*along)
        step = along / length * (length - distance) / 2
        self.moved[pair[0]] += step
        self.moved[pair[1]] -= step

    def _push_outwards(self, center: NDArray[np.float64], before: float, after: float) -> None:
        away = self.perfect - center
        distance = np.hypot(*away.T)
        distance[distance == 0] = np.inf
        size = (after - before) * before / distance * np.exp(-(distance - before) / _DECAY)
        self.moved += away * (size / distance).clip(0.0)[:, None]

    def graphene(self, displacement: float) -> Graphene:
        """Give what the draft has become."""
        kept = ~self.gone
        silicon = np.asarray(self.fourfold).reshape(-1, 2)
        places = np.concatenate([(self.perfect + self.moved)[kept], silicon])
        places = places + self.rng.normal(0.0, 1.0, places.shape) * displacement
        classes = np.concatenate([self.classes[kept], np.full(len(silicon), "Si-C4", "<U10")])
        atoms = sites_from_positions(*places.T, unit="nm", spacing=float(BOND))
        is_silicon = np.char.startswith(classes, "Si")
        atoms["species"] = ("site", np.where(is_silicon, "Si", "C"))
        atoms["class"] = ("site", classes)
        holes = np.asarray([place for place, _ in self.vacancies]).reshape(-1, 2)
        vacancies = sites_from_positions(*holes.T, unit="nm", spacing=float(BOND))
        vacancies["class"] = ("site", np.asarray([name for _, name in self.vacancies], "<U10"))
        return Graphene(atoms, vacancies)
