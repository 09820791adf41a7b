"""Point defects and displacements of any sites, each named in the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree, Voronoi

from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import SITES, Sites, add_note, positions, sites_from_positions, space_unit
from adatom.simulation.cells import atomic_number
from adatom.simulation.columns import column_counts, joined_sites, set_columns, spacing_of
from adatom.units import LENGTH, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# In nearest-neighbor distances. Neighbors are bridged, hollows are no nearer to a column than this.
_BRIDGED: Final = 1.15
_HOLLOW: Final = 0.55
# A share of the counts of an element below which none is left.
_LEAST: Final = 1e-9


@dataclass(frozen=True)
class Disorder:
    """What is wrong with a crystal. Shares are of its columns, each has one defect at most.

    Attributes
    ----------
    vacancies : float
        Share of the columns that lack one atom; one of a single atom is empty then.
    empty_columns : float
        Share of the columns that lack all their atoms.
    substitutions : float
        Share of the columns in which an atom is one of the `substitute`.
    substitute : str
        The element.
    antisites : float
        Share of the columns that hold what belongs in another sublattice.
    adatoms : float
        Atoms on the surface, per column: on top of columns, between two, or
        between several, as often each.
    adatom : str
        Their element.
    interstitials : float
        Atoms of the crystal's own elements between columns, per column.
    displacement : length
        Standard deviation of random displacements, per axis.
    """

    vacancies: float = 0.0
    empty_columns: float = 0.0
    substitutions: float = 0.0
    substitute: str = "Si"
    antisites: float = 0.0
    adatoms: float = 0.0
    adatom: str = "Si"
    interstitials: float = 0.0
    displacement: Length = "0 d"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not 0 <= value < 1:
                msg = f"{field.name}={value} is a share of the columns: 0 to less than 1"
                raise SettingError(msg)
        changed = self.vacancies + self.empty_columns + self.substitutions + self.antisites
        if changed > 1:
            msg = (
                f"vacancies, substitutions and antisites are {changed:g} of the columns: at most 1"
            )
            raise SettingError(msg)
        if LENGTH.check(self.displacement, name="displacement").value < 0:
            msg = f"displacement={self.displacement!r} must be 0 or more"
            raise SettingError(msg)
        for element in (self.substitute, self.adatom):
            atomic_number(element)


_LITTLE: Final = Disorder(vacancies=0.02, displacement="0.02 d")


class Disordered(NamedTuple):
    """Columns as they are, and where atoms are missing."""

    atoms: Sites
    vacancies: Sites


def apply_disorder(sites: Sites, /, *, disorder: Disorder = _LITTLE, seed: int = 0) -> Disordered:
    """Put point defects into a crystal, and displace its columns.

    Parameters
    ----------
    sites : Sites
        With ``species``, as builders give them, without defects of their own.
    disorder : Disorder
        Which defects, and how many; by default vacancies in a fiftieth of the columns,
        and displacements that are plainly seen where positions are measured well.
    seed : int
        Of which columns have them, and of displacements, which have a stream of their own.

    Returns
    -------
    atoms : Sites
        ``class`` names what was done: "S2 less S" (a vacancy), "Si for C" (a
        substitution), "S2 for Mo" (an antisite), "Si on Mo", "Si on bridge",
        "Si in hollow" (adatoms), "Mo interstitial". What was added has the
        variables of the nearest column, and ``sublattice`` -1.
    vacancies : Sites
        Places of missing atoms, with ``class`` "V(S)", or "V(S2)" where all are missing.

    Raises
    ------
    KindError
        If the sites have no species.
    TooFewSitesError
        If there are too few columns to tell what lies between them.
    SettingError
        If antisites are wanted in a crystal of one sublattice.

    Examples
    --------
    >>> from adatom.simulation import Crystal, build_lattice
    >>> crystal = Crystal("tmd", spacing="1 d")
    >>> sites = build_lattice(crystal=crystal, field=(5.0, 5.0), unit="nm")
    >>> atoms, vacancies = apply_disorder(sites, disorder=Disorder(vacancies=0.02), seed=1)
    >>> sorted(set(vacancies["class"].values.tolist()))
    ['V(Mo)', 'V(S)']
    """
    SITES.check(sites)
    draft = _Draft(sites, disorder, np.random.default_rng(seed))
    draft.take_atoms()
    draft.exchange_atoms()
    draft.swap_columns()
    draft.add_atoms()
    return draft.disordered()


class _Draft:
    """Sites in which defects are placed kind after kind."""

    def __init__(self, sites: Sites, disorder: Disorder, rng: np.random.Generator) -> None:
        self.sites = sites
        self.disorder = disorder
        self.places = positions(sites)
        elements, counts = column_counts(sites)
        extra = [e for e in (disorder.substitute, disorder.adatom) if e not in elements]
        self.native = len(elements)
        self.elements = (*elements, *dict.fromkeys(extra))
        self.counts = np.pad(counts, ((0, 0), (0, len(self.elements) - len(elements))))
        names = sites["class"] if "class" in sites else sites["species"]
        self.host = names.values.astype(str)
        self.classes = self.host.astype(object)
        self.missing: list[tuple[int, str]] = []
        self.added: list[Sites] = []
        self.told: Counter[str] = Counter()
        which, self.exchanging, self.adding, self.displacing = rng.spawn(4)
        self.free = which.permutation(len(self.places))

    def _next(self, share: float) -> list[int]:
        """Columns, so far without a defect, for the next kind."""
        n_wanted = round(share * len(self.places))
        taken, self.free = self.free[:n_wanted], self.free[n_wanted:]
        return sorted(taken.tolist())

    def _one_of(self, column: int) -> int:
        """Draw an atom of a column: the number of its element."""
        odds = self.counts[column] / self.counts[column].sum()
        return int(self.exchanging.choice(len(odds), p=odds))

    def take_atoms(self) -> None:
        """Empty columns, or take one atom out of them."""
        for column in self._next(self.disorder.empty_columns):
            self.counts[column] = 0.0
            self.missing.append((column, f"V({self.host[column]})"))
        for column in self._next(self.disorder.vacancies):
            gone = self._one_of(column)
            self.counts[column, gone] = max(self.counts[column, gone] - 1, 0.0)
            name = self.elements[gone]
            self.classes[column] = f"{self.host[column]} less {name}"
            self.missing.append((column, f"V({name})"))

    def exchange_atoms(self) -> None:
        """Put an atom of another element in the place of one."""
        new = self.elements.index(self.disorder.substitute)
        for column in self._next(self.disorder.substitutions):
            old = self._one_of(column)
            moved = min(self.counts[column, old], 1.0)
            self.counts[column, old] -= moved
            self.counts[column, new] += moved
            self.classes[column] = f"{self.elements[new]} for {self.elements[old]}"
            self.told["substitutions"] += 1

    def swap_columns(self) -> None:
        """Fill columns with what belongs in those of another class."""
        wrong = self._next(self.disorder.antisites)
        if not wrong:
            return
        kinds = np.unique(self.host)
        if len(kinds) < 2:
            msg = (
                f"antisites={self.disorder.antisites}: all columns are {kinds[0]!r}, "
                "an antisite needs two kinds of them"
            )
            raise SettingError(msg)
        contents = self._contents_of(kinds)
        for column in wrong:
            others = np.flatnonzero(kinds != self.host[column])
            other = int(self.exchanging.choice(others))
            self.counts[column] = contents[other]
            self.classes[column] = f"{kinds[other]} for {self.host[column]}"
            self.told["antisites"] += 1

    def _contents_of(self, kinds: NDArray[np.str_]) -> NDArray[np.float64]:
        """Tell what a column of each class holds, from those without a defect."""
        _, counts = column_counts(self.sites)
        contents = np.zeros((len(kinds), len(self.elements)))
        for row, kind in enumerate(kinds.tolist()):
            contents[row, : self.native] = np.median(counts[self.host == kind], axis=0)
        return contents

    def add_atoms(self) -> None:
        """Put atoms on top of the crystal and between its columns."""
        n_adatoms = round(self.disorder.adatoms * len(self.places))
        n_interstitials = round(self.disorder.interstitials * len(self.places))
        if not n_adatoms + n_interstitials:
            return
        if len(self.places) < 5:
            msg = f"{len(self.places)} sites have no places between them, 5 or more have"
            raise TooFewSitesError(msg)
        bridges, hollows = self._between()
        on = self.adding.choice(("top", "bridge", "hollow"), n_adatoms).tolist()
        self._add_on_top(on.count("top"))
        adatom = self.disorder.adatom
        self._add_between(bridges, [adatom] * on.count("bridge"), "{} on bridge")
        hollows = self._add_between(hollows, [adatom] * on.count("hollow"), "{} in hollow")
        own = self.adding.choice(self.elements[: self.native], n_interstitials).tolist()
        self._add_between(hollows, own, "{} interstitial")

    def _add_on_top(self, n_wanted: int) -> None:
        if n_wanted > len(self.free):
            msg = (
                f"{n_wanted} adatoms are to lie on columns without a defect, there are "
                f"{len(self.free)}: ask for fewer defects"
            )
            raise SettingError(msg)
        for column in sorted(self.free[:n_wanted].tolist()):
            self.counts[column, self.elements.index(self.disorder.adatom)] += 1
            self.classes[column] = f"{self.disorder.adatom} on {self.host[column]}"
            self.told["adatoms"] += 1
        self.free = self.free[n_wanted:]

    def _between(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Middles between two columns, and places as far as can be from several."""
        tree = KDTree(self.places)
        spacing = spacing_of(self.sites)
        pairs = tree.query_pairs(_BRIDGED * spacing, output_type="ndarray")
        bridges = self.places[pairs].mean(axis=1)
        corners = Voronoi(self.places).vertices
        low, high = self.places.min(axis=0), self.places.max(axis=0)
        corners = corners[((corners > low) & (corners < high)).all(axis=1)]
        corners = corners[tree.query(corners)[0] > _HOLLOW * spacing]
        # Where more than three columns are equally far, corners coincide up to rounding.
        _, first = np.unique((corners / spacing).round(3), axis=0, return_index=True)
        return self.adding.permutation(bridges), self.adding.permutation(corners[np.sort(first)])

    def _add_between(
        self, places: NDArray[np.float64], elements: list[str], name: str
    ) -> NDArray[np.float64]:
        """Add an atom of each element at the first places; give the places that are left."""
        if len(elements) > len(places):
            msg = f"there are {len(places)} places for {len(elements)} atoms: ask for fewer"
            raise SettingError(msg)
        if elements:
            chosen = places[: len(elements)]
            nearest = KDTree(self.places).query(chosen)[1]
            extra = self.sites.isel(site=nearest).assign_coords(_coordinates(chosen, self.sites))
            extra["class"] = ("site", np.array([name.format(element) for element in elements]))
            if "sublattice" in extra:
                extra["sublattice"] = ("site", np.full(len(chosen), -1))
            kinds, kind = np.unique(elements, return_inverse=True)
            set_columns(extra, kinds.tolist(), np.eye(len(kinds))[kind])
            self.added.append(extra)
            self.told["interstitials" if "interstitial" in name else "adatoms"] += len(elements)
        return places[len(elements) :]

    def disordered(self) -> Disordered:
        """Give what the draft has become."""
        changed = self.sites.copy()
        changed["class"] = ("site", self.classes.astype(str))
        set_columns(changed, self.elements, self.counts)
        kept = self.counts.sum(axis=1) > _LEAST
        atoms = joined_sites([changed.isel(site=kept), *self.added])
        atoms.attrs = dict(self.sites.attrs)
        unit, spacing = space_unit(atoms), self.sites.attrs.get("spacing")
        if spacing is None and len(self.places) > 1:
            spacing = spacing_of(self.sites)
        reach = length_from_setting(
            self.disorder.displacement, unit=unit, spacing=spacing, name="displacement"
        )
        step = self.displacing.normal(0.0, 1.0, (atoms.sizes["site"], 2)) * reach
        atoms = atoms.assign_coords(_coordinates(positions(atoms) + step, atoms))
        order = np.array([column for column, _ in self.missing], dtype=np.int64)
        vacancies = sites_from_positions(*self.places[order].T, unit=unit, spacing=spacing)
        vacancies["class"] = ("site", np.array([name for _, name in self.missing], dtype=str))
        self.told["vacancies"] = len(self.missing)
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(self.told.items()))
        add_note(atoms, f"{len(self.places)} columns were given {told}")
        return Disordered(atoms, vacancies)


def _coordinates(places: NDArray[np.float64], like: Sites) -> dict[str, object]:
    unit = {"units": space_unit(like)}
    return {"y": ("site", places[:, 0], unit), "x": ("site", places[:, 1], unit)}
