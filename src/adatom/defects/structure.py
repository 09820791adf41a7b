"""Defects as atoms in a supercell of their host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.defects.hosts import Columns, Host, columns_of_host, host_of_name
from adatom.defects.records import MISSING
from adatom.defects.registration import Registration, register
from adatom.errors import KindError, SettingError
from adatom.schema import SITES, Sites, Structure, positions, sites_from_positions, space_unit
from adatom.units import LENGTH, Length

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# Between a defect and its own image stand two cells of the host: the cell of 4 x 4 then holds
# one substituted atom with its neighbors, as in most published calculations of it.
_CELLS_BETWEEN: Final = 2.0
_SMALLEST_CELL: Final = 4
_LARGEST_CELL: Final = 40
# Observed atoms that lie off the lattice by more are not of this host, or not registered: the
# neighbors of Si in graphene, the widest of the common ones, are off by 0.3 of a bond.
_MAX_RESIDUAL: Final = 0.35
# A flat start is a saddle point: forces out of the plane are zero by symmetry. In angstrom.
_RAISED_CORE: Final = 0.5
_RAISED_NEIGHBOR: Final = 0.15
_RAISED_CORE_OF_THICK: Final = 0.1
# Adatoms start at a bond length above the sheet, in angstrom.
_ON_TOP: Final = 2.0
_ON_TOP_KINDS: Final = frozenset({"adatom", "interstitial"})


def structure_from_defect(
    defects: Sites,
    members: Sites,
    /,
    *,
    number: int = 0,
    host: str | None = None,
    cell: int | None = None,
    vacuum: Length = "1.5 nm",
) -> Structure:
    """Embed an observed defect in a supercell of its host.

    The atoms of the defect are put onto the ideal lattice by the turn and
    shift that bring its neighbors and missing places nearest to ideal places,
    scaled by the ratio of the host's lattice constant to that of the image.
    Ideal atoms at missing places, and nearer than 0.75 of a bond to a foreign
    atom, are taken out. Observed atoms keep their places in the plane; seen
    from above (+z), with y up, the structure looks like the image. Heights
    are not observed: foreign atoms start 0.05 nm and their neighbors 0.015 nm
    above the sheet, since a flat start could never buckle.

    Parameters
    ----------
    defects, members : Sites
        As in `Defects`.
    number : int
        Which of the defects.
    host : str, optional
        "graphene", "BN", "MoS2", "MoSe2", "MoTe2", "WS2", "WSe2"; by default
        what the attribute ``host`` of `defects` says.
    cell : int, optional
        Cells of the host along both lattice vectors; by default the smallest
        of 4 or more that leaves two cells between the defect and its image.
        Of graphene multiples of three are then passed over: they fold the
        points where its bands touch onto the center of the zone, where the
        cell is then half-filled.
    vacuum : length
        Between the sheet and its image; in "1.5 nm" the wave functions of a
        sheet have fallen off.

    Returns
    -------
    Structure
        In angstrom, as ASE has it, periodic, with the arrays ``role`` (0
        host, 1 core, 2 neighbor), ``member`` (number along the sites of
        `members`, -1: none) and ``observed`` (x, y in the cell, NaN: not
        observed); ``info`` tells host, cell, name and what was taken out.

    Raises
    ------
    SettingError
        If there is no such defect or host, the cell is too small, or the
        atoms do not fit the lattice of the host.
    KindError
        If species or the scale are not known.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> y, x = [0.0, 0.16, -0.08, -0.08], [0.0, 0.0, 0.139, -0.139]
    >>> members = sites_from_positions(y, x, unit="nm").assign(
    ...     defect=("site", [0, 0, 0, 0]), species=("site", ["Si", "C", "C", "C"]),
    ...     role=("site", ["core", "neighbor", "neighbor", "neighbor"]))
    >>> defects = sites_from_positions([0.0], [0.0], unit="nm").assign(
    ...     name=("site", ["Si1C3"]), kind=("site", ["substitution"]))
    >>> defects.attrs["host"] = "graphene"
    >>> structure_from_defect(defects, members).get_chemical_formula()
    'C31Si'
    """
    SITES.check(defects, name="defects")
    SITES.check(members, name="members")
    known = host_of_name(host or str(defects.attrs.get("host", "")))
    chosen = _members_of(defects, members, number)
    columns = columns_of_host(known.name)
    name = str(defects["name"].values[number]) if "name" in defects else ""
    kind = str(defects["kind"].values[number]) if "kind" in defects else ""
    points = _points(defects, members, known)[chosen]
    species = members["species"].values[chosen].astype(str)
    roles = members["role"].values[chosen].astype(str)
    is_core, on_top = roles == "core", kind in _ON_TOP_KINDS
    placed = register(
        points, _allowed(species, columns), is_core, columns, bond=known.bond, replaces=not on_top
    )
    _check_fit(placed, known, name)
    size = _cell_size(placed.places, known, cell)
    sheet = _Sheet(known, size, placed.places, name, vacuum)
    made, member_of_atom = _built(placed, species, roles, sheet, on_top)
    made.set_array("member", np.where(member_of_atom < 0, -1, chosen[member_of_atom]))
    made.info.update(
        host=known.name,
        cell=size,
        defect=name,
        kind=kind,
        off_lattice=placed.residual,
        lattice_constant=known.lattice_constant,
    )
    return made  # type: ignore[no-any-return]


def _members_of(defects: xr.Dataset, members: xr.Dataset, number: int) -> NDArray[np.int64]:
    lacking = [name for name in ("defect", "species", "role") if name not in members]
    if lacking:
        msg = f"members lacks {', '.join(lacking)}: take what find_defects gives"
        raise KindError(msg)
    if not 0 <= number < defects.sizes["site"]:
        msg = f"{number=} is none of the {defects.sizes['site']} defects, counted from 0"
        raise SettingError(msg)
    chosen = np.flatnonzero(members["defect"].values == number)
    if not len(chosen):
        msg = f"defect {number} has no members: take what find_defects gives"
        raise SettingError(msg)
    _check_species(members["species"].values[chosen].astype(str), number)
    return chosen


def _check_species(species: NDArray[np.str_], number: int) -> None:
    from ase.data import atomic_numbers

    odd = sorted(set(species.tolist()) - set(atomic_numbers))
    if odd:
        msg = (
            f"defect {number} holds atoms of {odd[0]!r}, which is no element: name the element, or "
            "leave this defect out"
        )
        raise KindError(msg)


def _points(defects: xr.Dataset, members: xr.Dataset, host: Host) -> NDArray[np.float64]:
    """Give x and y, y up, in angstrom of the host's lattice."""
    spacing = defects.attrs.get("spacing", members.attrs.get("spacing"))
    unit = space_unit(members)
    if spacing is None and unit != "nm":
        msg = f"places are in {unit} and the lattice's spacing is not known: set attrs['spacing']"
        raise KindError(msg)
    scale = 10.0 if spacing is None else host.bond / float(spacing)
    return positions(members)[:, ::-1] * [scale, -scale]


def _allowed(species: NDArray[np.str_], columns: Columns) -> NDArray[np.bool_]:
    """Tell on which columns an atom may stand: of its own element, a missing one on any."""
    same = species[:, None] == np.array(columns.elements)[None]
    allowed: NDArray[np.bool_] = same | ~same.any(axis=1, keepdims=True)
    return allowed


def _check_fit(placed: Registration, host: Host, name: str) -> None:
    if placed.residual > _MAX_RESIDUAL * host.bond:
        msg = (
            f"the atoms of defect {name!r} lie {placed.residual / 10:.3f} nm off the places of "
            f"{host.name} (root mean square), need {_MAX_RESIDUAL * host.bond / 10:.3f} nm or "
            "less: check its host and the spacing of the lattice"
        )
        raise SettingError(msg)


def _cell_size(places: NDArray[np.float64], host: Host, asked: int | None) -> int:
    extent = np.linalg.norm(places[:, None] - places[None], axis=-1).max()
    needed = max(_SMALLEST_CELL, int(np.ceil(extent / host.lattice_constant + _CELLS_BETWEEN)))
    # A defect that fills its cell would be bonded to its own image.
    least = max(2, int(np.ceil(extent / host.lattice_constant + 1.25)))
    if asked is not None and asked < least:
        msg = (
            f"cell={asked}: a defect {extent / 10:.2f} nm wide touches its own image in "
            f"{asked} x {asked} cells of {host.name}, take cell={needed}"
        )
        raise SettingError(msg)
    if asked is None and host.is_semimetal and needed % 3 == 0:
        needed += 1
    size = needed if asked is None else asked
    if size > _LARGEST_CELL:
        msg = (
            f"a defect {extent / 10:.2f} nm wide needs {size} x {size} cells of {host.name}: more "
            f"than {_LARGEST_CELL} x {_LARGEST_CELL} are not computed"
        )
        raise SettingError(msg)
    return size


def sheet_of_host(host: Host, size: int, /, *, vacuum: Length = "1.5 nm") -> Structure:
    """Build a supercell of the ideal sheet at half the height of its cell.

    Atoms are ordered by cell, so that atom ``a`` of cell ``(i, j)`` is number
    ``(i * size + j) * atoms_per_cell + a``.
    """
    gap, unit = LENGTH.check(vacuum, name="vacuum")
    if unit != "nm" or not gap > 0:
        msg = f"{vacuum=} must be a positive length in nm"
        raise SettingError(msg)
    unit_cell: Any = host.cell()
    height = host.thickness + 10.0 * gap
    unit_cell.positions[:, 2] += height / 2 - unit_cell.positions[:, 2].mean()
    vectors = np.array(unit_cell.cell)
    vectors[2] = [0.0, 0.0, height]
    unit_cell.set_cell(vectors)
    # The interface of tight binding is three-dimensional; of DFT the vacuum makes it the same.
    unit_cell.pbc = True
    return unit_cell.repeat((size, size, 1))  # type: ignore[no-any-return]


def _built(
    placed: Registration,
    species: NDArray[np.str_],
    roles: NDArray[np.str_],
    sheet: _Sheet,
    on_top: bool,
) -> tuple[Any, NDArray[np.int64]]:
    """Give the structure, and for each of its atoms the observed one, -1 for none."""
    made = sheet.atoms
    places = placed.places + sheet.shift @ sheet.columns.lattice
    role = np.zeros(len(made), dtype=np.int64)
    observed = np.full((len(made), 2), np.nan)
    member = np.full(len(made), -1)
    out: list[int] = []
    for number in np.flatnonzero(placed.column >= 0):
        column, cell = int(placed.column[number]), placed.cell[number]
        if species[number] == MISSING:
            out += sheet.taken_out(column, cell, out)
            continue
        atoms = sheet.atoms_at(column, cell)
        made.positions[atoms, :2] = places[number]
        made.positions[atoms, 2] += 0.0 if on_top or sheet.is_thick else _RAISED_NEIGHBOR
        role[atoms], observed[atoms], member[atoms] = 2, places[number], number
    for column, i, j in placed.emptied:
        out += sheet.taken_out(column, np.array([i, j]), out)
    foreign = np.flatnonzero(roles == "core")
    # "Se2_S2": both atoms of a column are replaced, which are seen as one.
    heights = [sheet.height(places[number], out, on_top) for number in foreign]
    twice = [k for k in foreign if f"{species[k]}2_" in sheet.name]
    foreign = np.concatenate([foreign, np.array(twice, dtype=np.int64)])
    heights += [sheet.lower_height(places[number], out) for number in twice]
    kept = np.setdiff1d(np.arange(len(made)), out)
    made = made[kept]
    for number, height in zip(foreign, heights, strict=True):
        made.append(_atom(str(species[number]), (*places[number], height)))
    made.set_array("role", np.concatenate([role[kept], np.ones(len(foreign), dtype=np.int64)]))
    made.set_array("observed", np.concatenate([observed[kept], places[foreign]]))
    made.info["taken_out"] = len(out)
    return made, np.concatenate([member[kept], foreign])


def _atom(symbol: str, position: tuple[float, ...]) -> Any:  # noqa: ANN401 -- of ASE, untyped
    from ase import Atom

    return Atom(symbol, position)  # type: ignore[no-untyped-call]


class _Sheet:
    """A supercell of the host whose middle a defect is put into."""

    def __init__(
        self, host: Host, size: int, places: NDArray[np.float64], name: str, vacuum: Length
    ) -> None:
        self.columns = columns_of_host(host.name)
        self.atoms: Any = sheet_of_host(host, size, vacuum=vacuum)
        self.is_thick = host.thickness > 0
        self._size, self.name = size, name
        share = places.mean(axis=0) @ np.linalg.inv(self.columns.lattice)
        self.shift = np.floor(size / 2.0 - share + 0.5).astype(np.int64)

    def atoms_at(self, column: int, cell: NDArray[np.int64]) -> list[int]:
        """Give the numbers of the atoms of a column, the topmost first."""
        i, j = (cell + self.shift) % self._size
        per_cell = sum(len(one) for one in self.columns.atoms)
        first = int(i * self._size + j) * per_cell
        return [first + atom for atom in self.columns.atoms[column]]

    def taken_out(self, column: int, cell: NDArray[np.int64], out: list[int]) -> list[int]:
        """Give the atoms to take out: the topmost left, or all where the name tells of both."""
        left = [atom for atom in self.atoms_at(column, cell) if atom not in out]
        is_whole = f"_{self.columns.elements[column]}2" in self.name
        return left if is_whole else left[:1]

    def height(self, place: NDArray[np.float64], out: list[int], on_top: bool) -> float:
        """Give the height at which a foreign atom starts."""
        z = self.atoms.positions[:, 2]
        if on_top or not out:
            return float(z.max()) + _ON_TOP
        raised = _RAISED_CORE_OF_THICK if self.is_thick else _RAISED_CORE
        return float(z[self._replaced(place, out)].max()) + raised

    def lower_height(self, place: NDArray[np.float64], out: list[int]) -> float:
        """Give the height of the lower one of two atoms that were replaced."""
        return float(self.atoms.positions[self._replaced(place, out), 2].min())

    def _replaced(self, place: NDArray[np.float64], out: list[int]) -> list[int]:
        """Give the atoms taken out that stood nearest to a place, one over another."""
        offsets = self.atoms.positions[out, :2] - place
        share = offsets @ np.linalg.inv(self.atoms.cell.array[:2, :2])
        offsets = (share - np.round(share)) @ self.atoms.cell.array[:2, :2]
        far = np.linalg.norm(offsets, axis=1)
        return [atom for atom, one in zip(out, far, strict=True) if one < far.min() + 0.01]


def build_impurity(
    element: str = "Si",
    /,
    *,
    host: str = "graphene",
    cell: int = 4,
    vacuum: Length = "1.5 nm",
) -> Structure:
    """Build a sheet in which one atom is replaced by another, as a start without an image.

    Parameters
    ----------
    element : str
        The impurity. It stands for the first atom of the middle cell: C in
        graphene, the metal in a dichalcogenide.
    host : str
        As in `structure_from_defect`.
    cell : int
        Cells of the host along both lattice vectors.
    vacuum : length
        Between the sheet and its image.

    Returns
    -------
    Structure
        As `structure_from_defect` gives it; nothing is observed.

    Raises
    ------
    SettingError
        If there is no such element or host, or the cell is too small.

    Examples
    --------
    >>> build_impurity("Si").get_chemical_formula()
    'C31Si'
    """
    from ase.data import atomic_numbers

    if str(element) != element or element not in atomic_numbers or element == MISSING:
        msg = f"{element!r} is no element: name one by its symbol, such as 'Si'"
        raise SettingError(msg)
    known = host_of_name(host)
    columns = columns_of_host(host)
    images = [
        i * columns.lattice[0] + j * columns.lattice[1] for i in (-1, 0, 1) for j in (-1, 0, 1)
    ]
    near = (columns.places[1:][None] + np.array(images)[:, None]).reshape(-1, 2) - columns.places[0]
    neighbors = near[np.linalg.norm(near, axis=1) < 1.1 * known.bond]
    places = np.vstack([np.zeros(2), neighbors]) / 10.0
    replaced, ligand = columns.elements[0], columns.elements[1]
    n_neighbors = len(neighbors)
    members = sites_from_positions(-places[:, 1], places[:, 0], unit="nm").assign(
        defect=("site", np.zeros(len(places), dtype=np.int64)),
        species=("site", np.array([element] + [ligand] * n_neighbors)),
        role=("site", np.array(["core"] + ["neighbor"] * n_neighbors)),
    )
    name = f"{element}1C3" if host == "graphene" else f"{element}_{replaced}"
    defects = sites_from_positions([0.0], [0.0], unit="nm", spacing=known.bond / 10.0).assign(
        name=("site", np.array([name])), kind=("site", np.array(["substitution"]))
    )
    made: Any = structure_from_defect(defects, members, host=host, cell=cell, vacuum=vacuum)
    made.arrays["observed"][:] = np.nan
    return made  # type: ignore[no-any-return]
