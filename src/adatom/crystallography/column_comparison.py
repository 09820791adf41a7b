"""Columns of a cell that was found, laid over those of a structure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.numerics.cell_alignment import (
    Alignment,
    Cell,
    aligned_cells,
    lattice_distortion,
    repeated,
)
from adatom.numerics.magnitudes import magnitudes
from adatom.numerics.plane_groups import periodic_distances, plane_group
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import (
    SITES,
    TABLE,
    Sites,
    Table,
    add_note,
    positions,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_NEEDED: Final = ("along_a", "along_b", "y", "x")
# Coordinates of a file have four or five digits: of a cell of 5 nm, 0.005 nm is more than that.
_SAME: Final = 0.005
# Scattering into an annular detector grows as the atomic number to about this power.
_Z_EXPONENT: Final = 1.64
STATES: Final = ("matched", "not found", "not in the structure")


class ColumnComparison(NamedTuple):
    """How the columns found agree with those of a structure."""

    columns: Table
    """A row for each column of the structure in the common cell, then the others that were found:
    ``state``, what the column holds, its ``orbit``, both places, ``distance``, and its class."""
    summary: Table
    """One row: counts, rms distance, scale, distortion, and how far classes are orbits."""


class _Expected(NamedTuple):
    """Columns of the cell of a structure: numbers of sites that stand for them, and orbits."""

    cell: Cell
    site: Ints
    orbit: Ints
    n_operations: int


def compare_columns(
    columns: Table,
    expected: Sites,
    /,
    *,
    tolerance: Length = "0.05 nm",
    unseen: tuple[str, ...] = (),
    max_distortion: float = 0.1,
    max_multiple: int = 4,
) -> ColumnComparison:
    """Lay the columns of a cell over a projected structure, and tell what agrees.

    Of all ways to lay one cell over the other (vectors that are whole sums of the
    other's vectors, so every turn and mirror of the plane and cells that are multiples of
    one another; any origin) the one is taken in which the least is left over: found columns
    without a partner, columns of the structure that are not found, each weighted by how
    brightly it scatters, and squared distances. Distances are measured in the cell of
    the structure, so that the distortion of a scan does not count; it is told apart.

    Parameters
    ----------
    columns : Table
        From `localization.estimate_columns`, with classes to have them compared.
    expected : Sites
        From `simulation.sites_from_structure`, along the zone axis of the image; in a
        field that holds a cell or more.
    tolerance : length
        Columns farther apart than this are no pair. By default what the best
        microscopes just resolve, a quarter of the distance of close columns.
    unseen : tuple of str
        Elements whose pure columns the image cannot show, such as "O" in a dark
        field: they are neither sought nor missed.
    max_distortion : float
        By how much the found cell may be stretched along one direction: 0.1 is more
        than a scan distorts, and keeps cells apart that are alike.
    max_multiple : int
        How many times larger than the other either cell may be: a found cell is larger
        where there is a superstructure, smaller where columns look alike.

    Returns
    -------
    ColumnComparison
        ``columns`` has ``state`` ("matched", "not found", "not in the structure");
        ``content``, ``species`` and ``n_atoms`` of the column; ``orbit``, the number of its
        set of equivalent columns under the plane group of the projection, and
        ``multiplicity``; ``along_a`` and ``along_b`` by the structure, ``found_a`` and
        ``found_b`` as found, in fractions of the common cell, whose vectors in the image
        are ``attrs["a"]`` and ``attrs["b"]``; ``distance`` in nm, with one standard error
        along one axis, ``distance_error``, and the interval of 95 %, ``distance_lower`` to
        ``distance_upper``, where scatter and number of the sites of columns are known (a
        single column has none: the common origin takes it up); ``column``, the row of
        `columns`, -1: none; ``class`` and ``class_share``, ``n_sites``.
        ``summary`` has the counts of these states, ``rms`` distance in nm, ``purity`` (share
        of the sites in matched columns whose orbit is the most frequent one of their class),
        ``completeness`` (the reverse: it is low where a mirror of the crystal exchanges
        columns of two classes) and ``adjusted_rand_index`` of classes and orbits;
        ``n_orbits``, ``n_operations`` of the plane group; ``scale`` in nm per unit of the
        columns, ``distortion`` (longer over shorter stretch, less 1), ``found_multiple`` and
        ``expected_multiple`` (cells of either in the common one), ``mirrored``, ``cost`` (0:
        perfect, 1: nothing agrees) and ``rival_cost`` of the best way that brings columns
        onto other orbits (NaN if none was near): where it is close, the match is not certain.

    Raises
    ------
    KindError
        If the tables are not such, or the structure does not repeat.
    NoLatticeError
        If no cell of the one fits one of the other.
    SettingError
        If a setting leaves nothing to compare, or the field holds less than a cell.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions, table_from_columns
    >>> found = {"along_a": [0.0, 0.5], "along_b": [0.0, 0.5], "y": [0.0, 7.0], "x": [0.0, 7.0]}
    >>> columns = table_from_columns(found, units={"y": "px", "x": "px"})
    >>> columns = columns.assign_attrs(a=[0.0, 14.0], b=[14.0, 0.0])
    >>> titanate = sites_from_positions([0.0, 0.195], [0.0, 0.195], unit="nm")
    >>> titanate = titanate.assign(species=("site", ["Sr", "Ti"]))
    >>> titanate.attrs["cell_vectors"] = [[0.0, 0.39], [0.39, 0.0]]
    >>> compared = compare_columns(columns, titanate)
    >>> compared.columns["state"].values.tolist()
    ['matched', 'matched']
    >>> round(compared.summary["scale"].item(), 5)
    0.02786
    """
    TABLE.check(columns, name="columns")
    SITES.check(expected, name="expected")
    found = _found_cell(columns)
    reach = _checked_tolerance(expected, tolerance, max_distortion, max_multiple)
    known = _expected_cell(expected, unseen)
    ways = aligned_cells(
        found,
        known.cell,
        tolerance=reach,
        max_distortion=max_distortion,
        max_multiple=max_multiple,
        same_scale=_unit(columns) == "nm",
    )
    if not ways or not len(ways[0].found_index):
        a, b = np.linalg.norm(found.vectors, axis=1)
        c, d = np.linalg.norm(known.cell.vectors, axis=1)
        msg = (
            f"no cell of the columns ({a:.4g} x {b:.4g} {_unit(columns)}) fits one of the "
            f"structure ({c:.4g} x {d:.4g} nm): is the zone axis that of the image? Larger "
            f"{max_distortion=} or {max_multiple=} allow more"
        )
        raise NoLatticeError(msg)
    best = ways[0]
    table = _rows(columns, expected, found, known, best)
    return _told(ColumnComparison(table, _summary(table, found, known, ways)))


def _unit(columns: Table) -> str:
    return str(columns["y"].attrs.get("units", "px"))


def _checked_tolerance(
    expected: Sites, tolerance: Length, max_distortion: float, max_multiple: int
) -> float:
    unit = space_unit(expected)
    if unit != "nm":
        msg = f"expected sites are in {unit}, a structure is in nm: use sites_from_structure"
        raise KindError(msg)
    reach = length_from_setting(tolerance, unit="nm", name="tolerance")
    if not (reach > 0 and max_distortion >= 0 and max_multiple >= 1):
        msg = f"{tolerance=}, {max_distortion=} or {max_multiple=} leave nothing to compare"
        raise SettingError(msg)
    return reach


def _found_cell(columns: Table) -> Cell:
    vectors = np.array([columns.attrs.get("a", [np.nan] * 2), columns.attrs.get("b", [np.nan] * 2)])
    if not set(_NEEDED) <= set(columns) or not np.isfinite(vectors).all():
        msg = (
            "columns must come from localization.estimate_columns: a table with "
            f"{', '.join(_NEEDED)} and the vectors a and b in attrs"
        )
        raise KindError(msg)
    fraction = np.stack([columns["along_a"].values, columns["along_b"].values], axis=1)
    if n_bad := int((~np.isfinite(fraction)).any(axis=1).sum()):
        msg = f"{n_bad} of {len(fraction)} columns have no place in the cell: leave them out"
        raise KindError(msg)
    # A column seen in a tenth of the cells is a tenth of one.
    weight = columns["found"].values if "found" in columns else np.ones(len(fraction))
    return Cell(vectors.astype(float), fraction.astype(float), np.nan_to_num(weight, nan=1.0))


def _expected_cell(expected: Sites, unseen: tuple[str, ...]) -> _Expected:
    """Fold the sites of a structure into one cell, and find which are equivalent there."""
    if "cell_vectors" not in expected.attrs or "species" not in expected:
        msg = (
            "expected sites need attrs['cell_vectors'] and 'species': take them from "
            "simulation.sites_from_structure of a structure that repeats across the beam"
        )
        raise KindError(msg)
    vectors = np.array(expected.attrs["cell_vectors"], dtype=float)
    if vectors.shape != (2, 2) or not abs(np.linalg.det(vectors)) > 0:
        msg = f"expected sites have cell_vectors {vectors.tolist()}, which span no cell"
        raise KindError(msg)
    fraction = positions(expected) @ np.linalg.inv(vectors)
    every = _folded(fraction, vectors)
    told = int(expected.attrs.get("columns_per_cell", len(every)))
    if len(every) < told:
        msg = (
            f"expected sites are {len(every)} of the {told} columns of a cell: the field is too "
            "small to hold them all, give sites_from_structure a larger one"
        )
        raise SettingError(msg)
    chosen = every[~np.isin(expected["species"].values.astype(str)[every], unseen)]
    if not len(chosen):
        msg = f"{unseen=} leaves no column of the structure to compare with"
        raise SettingError(msg)
    kind = np.unique(_contents(expected)[chosen], return_inverse=True)[1]
    group = plane_group(vectors, fraction[chosen], kind, tolerance=_SAME)
    bright = _brightness(expected)[chosen]
    cell = Cell(vectors, fraction[chosen] % 1.0, bright / bright.max())
    return _Expected(cell, chosen, group.orbit, len(group.rotation))


def _folded(fraction: Floats, vectors: Floats) -> Ints:
    """Give the first site of every column of the cell: the others lie whole vectors away."""
    site: list[int] = []
    left = np.arange(len(fraction))
    while len(left):
        site.append(int(left[0]))
        apart = periodic_distances(fraction[left], fraction[left[:1]], vectors)[:, 0]
        left = left[apart > _SAME]
    return np.array(site, dtype=np.int64)


def _contents(expected: Sites) -> NDArray[np.str_]:
    """Name what each column holds; columns of one name are of one kind."""
    name = "class" if "class" in expected else "species"
    contents: NDArray[np.str_] = expected[name].values.astype(str)
    return contents


def _brightness(expected: Sites) -> Floats:
    from ase.data import atomic_numbers

    def weight(symbol: str) -> float:
        return math.pow(atomic_numbers[symbol], _Z_EXPONENT)

    count = expected["occupancy"].values if "occupancy" in expected else 1.0
    if "composition" in expected:
        each = np.array([weight(one) for one in expected.coords["element"].values.astype(str)])
        share = expected["composition"].transpose("site", "element").values
        return np.asarray(share @ each * count)
    return np.asarray([weight(one) for one in expected["species"].values.astype(str)]) * count


def _rows(columns: Table, expected: Sites, found: Cell, known: _Expected, way: Alignment) -> Table:
    """List the columns of the structure in the common cell, then those found besides."""
    ours, theirs = repeated(found, way.found_cell), repeated(known.cell, way.expected_cell)
    n_ours, n_theirs = len(ours.fraction), len(theirs.fraction)
    extra = np.setdiff1d(np.arange(n_ours), way.found_index)
    column = np.full(n_theirs + len(extra), -1)
    column[way.expected_index], column[n_theirs:] = way.found_index, extra
    has_found, has_expected = column >= 0, np.arange(len(column)) < n_theirs
    source = np.repeat(np.arange(len(known.site)), n_theirs // len(known.site))
    site, orbit = known.site[source], known.orbit[source]
    distance = np.full(len(column), np.nan)
    distance[way.expected_index] = way.distance
    state = np.where(has_found & has_expected, 0, np.where(has_expected, 1, 2))
    # Both in the cell as it was found, so that they can be drawn there.
    by_structure, as_found = np.full((2, len(column), 2), np.nan)
    by_structure[:n_theirs] = (theirs.fraction - way.shift) % 1.0
    as_found[has_found] = ours.fraction[column[has_found]]
    pair = has_found & has_expected
    as_found[pair] -= np.rint(as_found[pair] - by_structure[pair])
    original = np.where(has_found, column // (n_ours // len(found.fraction)), -1)
    vectors = way.found_cell @ found.vectors
    rows: dict[str, Any] = {
        "state": np.asarray(STATES)[state],
        "content": _padded(_contents(expected)[site], len(column), ""),
        "species": _padded(expected["species"].values.astype(str)[site], len(column), ""),
        "n_atoms": _padded(_counts(expected)[site], len(column), np.nan),
        "orbit": _padded(orbit, len(column), -1),
        "multiplicity": _padded(np.bincount(orbit)[orbit], len(column), 0),
        "along_a": by_structure[:, 0],
        "along_b": by_structure[:, 1],
        "found_a": as_found[:, 0],
        "found_b": as_found[:, 1],
        "distance": distance,
        "column": original,
    }  # fmt: skip
    rows |= _distance_errors(columns, original, distance, _scale(found, known, way))
    rows |= _measured(columns, original)
    units = {f"distance{end}": "nm" for end in ("", "_error", "_lower", "_upper")}
    table = table_from_columns(rows, units={k: v for k, v in units.items() if k in rows})
    return table.assign_attrs(
        a=vectors[0].tolist(), b=vectors[1].tolist(), length_unit=_unit(columns)
    )


def _counts(expected: Sites) -> Floats:
    if "occupancy" in expected:
        return np.asarray(expected["occupancy"].values, dtype=float)
    return np.ones(expected.sizes["site"])


def _padded(values: NDArray[Any], length: int, fill: object) -> NDArray[Any]:
    """Add what columns have that are not of the structure."""
    return np.concatenate([values, np.full(length - len(values), fill, dtype=values.dtype)])


def _distance_errors(
    columns: Table, row: Ints, distance: Floats, scale: float
) -> dict[str, Floats]:
    """Give the standard error of distances along one axis, and their intervals."""
    pair = np.isfinite(distance)
    if not {"spread", "n_sites"} <= set(columns) or not pair.any():
        return {}
    n_sites = np.maximum(columns["n_sites"].values, 1)
    variance = (scale * columns["spread"].values) ** 2 / n_sites
    variance = np.where(pair, variance[row], np.nan)
    # Of m pairs the mean difference is fitted away: each is (1 - 1 / m) of itself, less 1 / m
    # of all others.
    m = int(pair.sum())
    variance = variance * (1 - 2 / m) + np.nansum(variance) / m**2
    if m == 1:
        # Where the origin is follows from that pair: its distance is zero, and tells nothing.
        variance = np.full(len(variance), np.nan)
    vector = np.stack([distance, np.zeros(len(distance))], axis=1)
    found = magnitudes(vector, variance[:, None, None] * np.eye(2))
    return {
        "distance_error": np.sqrt(variance),
        "distance_lower": found.lower,
        "distance_upper": found.upper,
    }


def _measured(columns: Table, row: Ints) -> dict[str, NDArray[Any]]:
    """Take what is known of every found column, missing where none was found."""
    rows: dict[str, NDArray[Any]] = {}
    for name in ("found", "class_share"):
        if name in columns:
            rows[name] = np.where(row >= 0, columns[name].values[row], np.nan)
    if "n_sites" in columns:
        rows["n_sites"] = np.where(row >= 0, columns["n_sites"].values[row], 0)
    if "class" in columns:
        rows["class"] = np.where(row >= 0, columns["class"].values[row], -1)
    return rows


def _scale(found: Cell, known: _Expected, way: Alignment) -> float:
    """Give nm per unit of the columns, from the areas of the cells."""
    areas = [
        abs(float(np.linalg.det(one)))
        for one in (way.expected_cell @ known.cell.vectors, way.found_cell @ found.vectors)
    ]
    return float(np.sqrt(areas[0] / areas[1]))


def _summary(table: Table, found: Cell, known: _Expected, ways: list[Alignment]) -> Table:
    way, state = ways[0], table["state"].values
    counts = [int((state == one).sum()) for one in STATES]
    stretch = lattice_distortion(
        way.found_cell @ found.vectors, way.expected_cell @ known.cell.vectors
    )
    purity, completeness, index = _agreement(table)
    row = {
        "n_matched": counts[0],
        "n_not_found": counts[1],
        "n_not_in_structure": counts[2],
        "rms": float(np.sqrt((way.distance**2).mean())),
        "purity": purity,
        "completeness": completeness,
        "adjusted_rand_index": index,
        "n_orbits": int(known.orbit.max()) + 1,
        "n_operations": known.n_operations,
        "scale": _scale(found, known, way),
        "distortion": float(stretch[0] / stretch[1] - 1),
        "found_multiple": _size(way.found_cell),
        "expected_multiple": _size(way.expected_cell),
        "mirrored": bool(np.linalg.det(way.expected_cell @ known.cell.vectors)
                         * np.linalg.det(way.found_cell @ found.vectors) < 0),
        "cost": way.cost,
        "rival_cost": _rival(known, ways),
    }  # fmt: skip
    unit = table.attrs["length_unit"]
    scale_unit = "1" if unit == "nm" else f"nm/{unit}"
    return table_from_columns(
        {name: [value] for name, value in row.items()}, units={"rms": "nm", "scale": scale_unit}
    )


def _size(multiple: Ints) -> int:
    return abs(round(float(np.linalg.det(multiple))))


def _agreement(table: Table) -> tuple[float, float, float]:
    """Purity, completeness and adjusted Rand index of the classes of sites in matched columns."""
    if "class" not in table:
        return np.nan, np.nan, np.nan
    known = (table["state"].values == STATES[0]) & (table["class"].values >= 0)
    if not known.any():
        return np.nan, np.nan, np.nan
    # Every site counts: of columns that are each a class of their own no pair would be left.
    members = table["n_sites"].values[known] if "n_sites" in table else 1
    label, orbit = (np.repeat(table[one].values[known], members) for one in ("class", "orbit"))
    counts = np.zeros((label.max() + 1, orbit.max() + 1))
    np.add.at(counts, (label, orbit), 1)
    total = counts.sum()
    return (
        float(counts.max(axis=1).sum() / total),
        float(counts.max(axis=0).sum() / total),
        adjusted_rand_index(label, orbit),
    )


def _rival(known: _Expected, ways: list[Alignment]) -> float:
    """Give the cost of the best way that brings the found columns onto other orbits."""

    def orbits(way: Alignment) -> list[int]:
        copies = _size(way.expected_cell)
        order = np.argsort(way.found_index, kind="stable")
        numbers: list[int] = known.orbit[way.expected_index[order] // copies].tolist()
        return numbers

    best = orbits(ways[0])
    return next((way.cost for way in ways[1:] if orbits(way) != best), np.nan)


def _told(compared: ColumnComparison) -> ColumnComparison:
    row = {name: compared.summary[name].item() for name in compared.summary}
    text = (
        f"{row['n_matched']} columns lie {row['rms']:.4f} nm (rms) from their places in the "
        f"structure; {row['n_not_found']} of it are not found, {row['n_not_in_structure']} found "
        f"are not in it; {row['n_orbits']} inequivalent columns"
    )
    if np.isfinite(row["purity"]):
        text += f", of which classes are pure to {row['purity']:.1%}"
    for table in compared:
        add_note(table, text)
    return compared
