"""Atoms of a structure, projected along the beam into columns over a field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.numerics.groups import sums_by_group
from adatom.schema import STRUCTURE, Sites, Structure, add_note, sites_from_positions
from adatom.simulation.cells import atomic_number, brightness_of_elements, column_name
from adatom.simulation.columns import set_columns
from adatom.simulation.crystals import tiled
from adatom.simulation.gathering import grouped, middles_of_groups
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NM: Final = 0.1
_MOST_SITES: Final = 20_000_000
_FLAT: Final = 1e-6


def sites_from_structure(
    structure: Structure,
    /,
    *,
    zone_axis: tuple[int, int, int] = (0, 0, 1),
    rotation: float = 0.0,
    field: tuple[float, float] = (5.0, 5.0),
    margin: float = 0.0,
    tolerance: Length = "0.05 nm",
    periods: int = 1,
) -> Sites:
    """Project a structure along the beam: atoms above one another become a column.

    A structure that is periodic across the beam is repeated over the field, any
    other is put in its middle. Displacements, as in a frame of a molecular
    dynamics run, are kept: a column lies at the mean of its atoms, weighted by how
    brightly they scatter, and ``spread`` says how far they stray from it.

    Parameters
    ----------
    structure : Structure
        ASE Atoms, such as `io.read_structure` gives, in angstrom.
    zone_axis : tuple of three int
        Direction in cell vectors that points against the beam, to the viewer.
        Directions of a structure without a cell are Cartesian.
    rotation : float
        In deg, from +x towards +y. At 0 the cell vector a, as it is seen, points
        along +x; where it points along the beam, b does.
    field : tuple of two floats
        Height and width in nm; its first corner is the origin.
    margin : float
        Columns are laid out as far as this beyond the field, in nm.
    tolerance : length
        Radius of a column: atoms this near in projection are of one, an atom
        farther away begins another. By default what the best microscopes just
        resolve, several times a thermal displacement (0.01 nm). "0 nm" keeps
        every atom by itself, unless they are exactly in line.
    periods : int
        Thickness, in periods of the structure along the beam.

    Returns
    -------
    Sites
        In nm, with ``species``, the element that scatters most; ``class``, what
        a column holds in the smallest whole numbers for all columns, such as "TiO";
        ``sublattice``; ``spread`` in nm, the standard deviation of its atoms per
        axis; ``occupancy``, its number of atoms, if any has not one; and
        ``composition`` (site, element), their shares, if any is mixed.

    Raises
    ------
    SettingError
        If the structure holds no atoms, or some of no element or at no place,
        or if a setting gives no projection.

    Examples
    --------
    >>> from ase.spacegroup import crystal
    >>> places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    >>> cell = [3.905, 3.905, 3.905, 90, 90, 90]
    >>> titanate = crystal(["Sr", "Ti", "O"], places, spacegroup=221, cellpar=cell)
    >>> sites = sites_from_structure(titanate, field=(2.0, 2.0))
    >>> sorted(set(sites["class"].values.tolist()))
    ['O', 'Sr', 'TiO']
    """
    STRUCTURE.check(structure)
    reach = length_from_setting(tolerance, unit="nm", name="tolerance")
    _check_settings(zone_axis, field, margin, reach, periods)
    atoms = _atoms_of(structure)
    view = _view(structure, zone_axis)
    turn = math.radians(rotation)
    # Angles run from +x towards +y, arrays are in the order y, x.
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    flat = atoms.places @ view.screen.T @ turned.T
    middle = np.asarray(field) / 2
    if view.vectors is None:
        periodic = None
        flat = flat + middle - (flat.min(axis=0) + flat.max(axis=0)) / 2
    else:
        periodic = view.vectors @ view.screen.T @ turned.T
    columns = _columns(flat, atoms, periodic, reach)
    if periodic is None:
        place, number = _inside(columns.place, field, margin)
    else:
        _check_size(periodic, len(columns.place), field, margin)
        place, number = tiled(periodic, columns.place, middle, field=field, margin=margin)
    sites = _sites(place, number, columns, atoms.elements, periods)
    if periodic is not None:
        sites.attrs["cell_vectors"] = periodic.tolist()
        sites.attrs["columns_per_cell"] = len(columns.place)
    _note(sites, structure, zone_axis, columns, periodic, number)
    return sites


def _check_settings(
    zone_axis: tuple[int, int, int],
    field: tuple[float, float],
    margin: float,
    reach: float,
    periods: int,
) -> None:
    if not any(zone_axis):
        msg = f"{zone_axis=} is no direction: give whole numbers, not all 0"
        raise SettingError(msg)
    if min(field) <= 0 or margin < 0:
        msg = f"{field=} and {margin=} hold no atoms: a field has positive height and width in nm"
        raise SettingError(msg)
    if reach < 0:
        msg = f"tolerance={reach} nm must be 0 or more"
        raise SettingError(msg)
    if periods < 1:
        msg = f"{periods=} must be 1 or more"
        raise SettingError(msg)


def _check_size(
    vectors: NDArray[np.float64], n_columns: int, field: tuple[float, float], margin: float
) -> None:
    area = (field[0] + 2 * margin) * (field[1] + 2 * margin)
    n_sites = n_columns * area / abs(float(np.linalg.det(vectors)))
    if n_sites > _MOST_SITES:
        msg = f"{field=} in nm would hold {n_sites:.0f} columns, {_MOST_SITES} at most: take less"
        raise SettingError(msg)


class _Atoms(NamedTuple):
    """Atoms (atom, axis x y z) in nm, and the number of each element at every one of them."""

    places: NDArray[np.float64]
    elements: tuple[str, ...]
    counts: NDArray[np.float64]


def _atoms_of(structure: Any) -> _Atoms:  # noqa: ANN401 -- ASE is not typed
    places = np.array(structure.get_positions(), dtype=float) * _NM
    symbols: list[str] = structure.get_chemical_symbols()
    if not symbols:
        msg = "the structure holds no atoms"
        raise SettingError(msg)
    if not np.isfinite(places).all():
        atom = int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])
        msg = f"atom {atom} of the structure is at {places[atom].tolist()}: it needs a place"
        raise SettingError(msg)
    parts = _shared_sites(structure) or [{symbol: 1.0} for symbol in symbols]
    elements = tuple(dict.fromkeys(element for part in parts for element in part))
    for element in elements:
        if atomic_number(element) == 0:
            msg = f"the structure holds atoms of {element!r}, which is no element: name them"
            raise SettingError(msg)
    index = {element: number for number, element in enumerate(elements)}
    counts = np.zeros((len(parts), len(elements)))
    for row, part in enumerate(parts):
        for element, share in part.items():
            counts[row, index[element]] = share
    return _Atoms(places, elements, counts)


def _shared_sites(structure: Any) -> list[dict[str, float]] | None:  # noqa: ANN401
    """Tell what is at every site, if a CIF says that elements share sites or leave some empty."""
    told: Any = structure.info.get("occupancy")
    kinds = structure.arrays.get("spacegroup_kinds")
    if not isinstance(told, dict) or kinds is None:
        return None
    known = {str(kind): dict(part) for kind, part in told.items()}
    if not set(map(str, kinds.tolist())) <= set(known):
        return None
    return [known[str(kind)] for kind in kinds.tolist()]


class _View(NamedTuple):
    """Axes of the screen (y, x by x, y, z), and the periods across the beam if there are any."""

    screen: NDArray[np.float64]
    vectors: NDArray[np.float64] | None


def _view(structure: Any, zone_axis: tuple[int, int, int]) -> _View:  # noqa: ANN401
    cell = np.asarray(structure.cell.array, dtype=float) * _NM
    has_cell = abs(np.linalg.det(cell)) > _FLAT * np.linalg.norm(cell) ** 3 / 27
    axes = cell if has_cell else np.eye(3)
    toward = np.asarray(zone_axis, dtype=float) @ axes
    toward /= np.linalg.norm(toward)
    across = axes[0] - (axes[0] @ toward) * toward
    if np.linalg.norm(across) < 1e-3 * np.linalg.norm(axes[0]):
        across = axes[1] - (axes[1] @ toward) * toward
    across /= np.linalg.norm(across)
    # y points down: seen from the tip of the zone axis, y is a right angle clockwise from x.
    screen = np.stack([np.cross(across, toward), across])
    periodic = np.asarray(structure.pbc, dtype=bool)
    if not has_cell or not periodic.any():
        return _View(screen, None)
    steps = _across_steps(zone_axis)
    if (steps[:, ~periodic] != 0).any():
        along = ", ".join(name for name, is_so in zip("abc", periodic, strict=True) if is_so)
        msg = (
            f"{zone_axis=}: the structure repeats along {along} only, not across this beam: "
            "take another axis, or set structure.pbc"
        )
        raise SettingError(msg)
    vectors = steps @ cell
    return _View(screen, _reduced(vectors, screen))


def _across_steps(zone_axis: tuple[int, int, int]) -> NDArray[np.int64]:
    """Two lattice steps (whole numbers) that with the zone axis are a basis of the lattice."""
    u, v, w = (int(number) // math.gcd(*map(int, zone_axis)) for number in zone_axis)
    d, s, t = _bezout(u, v)
    if d == 0:
        return np.array([[1, 0, 0], [0, 1, 0]])
    # (u/d, v/d, 0), (-t, s, 0) and (0, 0, 1) are a basis; in it the axis is (d, 0, w).
    _, delta, gamma = _bezout(d, -w)
    return np.array([[-t, s, 0], [gamma * u // d, gamma * v // d, delta]])


def _bezout(a: int, b: int) -> tuple[int, int, int]:
    """Greatest common divisor d >= 0, and s, t with s a + t b = d."""
    d, s, t, e, p, q = a, 1, 0, b, 0, 1
    while e:
        times = d // e
        d, s, t, e, p, q = e, p, q, d - times * e, s - times * p, t - times * q
    return (d, s, t) if d >= 0 else (-d, -s, -t)


def _reduced(vectors: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take of all bases of the lattice that is seen the one of the shortest vectors."""
    short, long = vectors
    flat = screen.T @ screen
    while True:
        if short @ flat @ short > long @ flat @ long:
            short, long = long, short
        times = round(float(short @ flat @ long / (short @ flat @ short)))
        if times == 0:
            return np.stack([short, long])
        long = long - times * short


class _Columns(NamedTuple):
    """Columns of the projected cell: places, how far atoms stray, how many of each element."""

    place: NDArray[np.float64]
    spread: NDArray[np.float64]
    counts: NDArray[np.float64]


def _columns(
    flat: NDArray[np.float64], atoms: _Atoms, periodic: NDArray[np.float64] | None, reach: float
) -> _Columns:
    group = grouped(flat, periodic, reach)
    weight = atoms.counts @ brightness_of_elements(atoms.elements)
    place, variance = middles_of_groups(flat, group, weight, periodic)
    counts = sums_by_group(atoms.counts, group, n_groups=len(place))
    return _Columns(place, np.sqrt(variance), counts)


def _inside(
    place: NDArray[np.float64], field: tuple[float, float], margin: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    kept = ((place >= -margin) & (place <= np.asarray(field) + margin)).all(axis=1)
    return place[kept], np.flatnonzero(kept)


def _sites(
    place: NDArray[np.float64],
    number: NDArray[np.int64],
    columns: _Columns,
    elements: tuple[str, ...],
    periods: int,
) -> Sites:
    sites = sites_from_positions(*place.T, unit="nm")
    if len(place) > 1:
        nearest, _ = KDTree(place).query(place, k=2)
        sites.attrs["spacing"] = float(np.median(nearest[:, 1]))
    compositions = [
        tuple((element, n) for element, n in zip(elements, row, strict=True) if n > 0)
        for row in _smallest(columns.counts).tolist()
    ]
    names = np.array([column_name(one) for one in compositions])
    kinds = list(dict.fromkeys(names.tolist()))
    sites["class"] = ("site", names[number])
    sites["sublattice"] = ("site", np.array([kinds.index(name) for name in names])[number])
    set_columns(sites, elements, columns.counts[number] * periods)
    sites["spread"] = ("site", columns.spread[number], {"units": "nm"})
    return sites


def _smallest(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide numbers of atoms by what divides all of them."""
    whole = np.rint(counts)
    if not np.allclose(whole, counts, rtol=0, atol=1e-6):
        return counts.round(2)
    divisor = int(np.gcd.reduce(whole.astype(np.int64), axis=None))
    return whole / max(divisor, 1)


def _note(
    sites: Sites,
    structure: Structure,
    zone_axis: tuple[int, int, int],
    columns: _Columns,
    periodic: NDArray[np.float64] | None,
    number: NDArray[np.int64],
) -> None:
    """Tell what became of the structure."""
    axis = " ".join(map(str, zone_axis))
    text = f"{len(structure)} atoms seen along [{axis}]: {len(columns.place)} columns"
    if periodic is not None:
        a, b = np.linalg.norm(periodic, axis=1)
        text += f" in a period of {a:.4g} x {b:.4g} nm"
    elif len(number) < len(columns.place):
        text += f", of which {len(columns.place) - len(number)} lie beyond the field and its margin"
    add_note(sites, text)
