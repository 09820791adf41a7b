"""One library added to another: nothing lost, conflicts told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.defects.library.adding import Analysis, State, write_analysis
from adatom.defects.library.calculations import copy_calculations
from adatom.defects.library.packing import DefectRow
from adatom.defects.library.pictures import copy_arrays
from adatom.defects.library.reading import read_image_facts, rows_of_image
from adatom.errors import SettingError
from adatom.schema import Table, table_from_columns

if TYPE_CHECKING:
    from adatom.defects.library.opening import Library

# Two defects of one image are one if nearer than half a bond of the tightest host: no two atoms
# are.
_SAME_PLACE_NM: Final = 0.07
# Atoms of one defect that two analyses place farther apart than this are another geometry: a
# tenth of a bond, several times the error of a position in a clear image.
_SAME_GEOMETRY_NM: Final = 0.015


class Merged(NamedTuple):
    """What a merge did.

    Attributes
    ----------
    images : Table
        One row an image of the library that was taken over: ``source``,
        ``image`` (hash), ``state`` ("new", "known", "conflict"), ``n_defects``
        there, ``n_calculations`` taken over.
    conflicts : Table
        One row a defect on which two analyses of an image differ: ``image``,
        place ``y``, ``x`` in nm, ``what`` ("other name", "other geometry",
        "only here", "only there"), ``name_here``, ``name_there`` and the
        ``distance`` of the atoms (RMSD in nm).
    """

    images: Table
    conflicts: Table


def merge_libraries(
    library: Library, other: Library, /, *, prefer: Literal["here", "there"] = "here"
) -> Merged:
    """Take all of another library over.

    Images that are not here are copied with their defects and calculations.
    Of an image that is here with the same defects, calculations that are
    missing here are taken. Of an image that is here with other defects both
    analyses are kept: one counts and the other is kept as an older one,
    which `DefectQuery.all_analyses` finds. A merge that was stopped goes on
    when it is repeated.

    Parameters
    ----------
    library : Library
        Written to.
    other : Library
        Read only.
    prefer : {"here", "there"}
        Which analysis counts where they differ.

    Raises
    ------
    SettingError
        If both are the same library.
    StoreError
        If the library cannot be written.
    """
    if library.place == other.place:
        msg = f"{library!r} cannot be merged with itself: name two libraries"
        raise SettingError(msg)
    images: list[tuple[Any, ...]] = []
    conflicts: list[tuple[Any, ...]] = []
    # What counts there comes first, and so counts here too where the image is new; older analyses
    # then stand behind it.
    there = other.session.rows("SELECT id FROM adatom_images ORDER BY is_current DESC, id")
    for (number,) in there:
        # One image at a time is held.
        facts = read_image_facts(other, number)
        told, state = None, "known"
        if not _is_here(library, facts):
            rows = [row for _, row in rows_of_image(other, number)]
            told = _conflicts_of_image(library, facts, rows)
            state = _take_over(library, other, facts, rows, prefer)
        n_calculations = copy_calculations(library, other, facts)
        if facts["is_current"]:
            shown = "conflict" if told is not None else state
            told = told or []
            conflicts += told
            images.append(
                (facts["source"], facts["image_hash"], shown, facts["n_defects"], n_calculations)
            )
    return Merged(_image_table(images), _conflict_table(conflicts))


def _is_here(library: Library, facts: dict[str, Any]) -> bool:
    """Tell whether an analysis is here and counts no less than there: nothing is to be written."""
    found = library.session.rows(
        "SELECT is_current FROM adatom_images WHERE image_hash = ? AND analysis_key = ?",
        (facts["image_hash"], facts["analysis_key"]),
    )
    return bool(found) and bool(found[0][0] or not facts["is_current"])


def _take_over(
    library: Library, other: Library, facts: dict[str, Any], rows: list[DefectRow], prefer: str
) -> State:
    pixels = facts["pixels"]
    if pixels and library.store is not None and other.store is not None:
        copy_arrays(other.store, library.store, pixels)
    else:
        pixels = ""
    counts = bool(facts["is_current"]) and prefer == "there"
    analysis = Analysis({**facts, "pixels": pixels}, rows)
    return write_analysis(library, analysis, current=counts).state


def _conflicts_of_image(
    library: Library, facts: dict[str, Any], there: list[DefectRow]
) -> list[tuple[Any, ...]] | None:
    """Compare the current analyses of an image; None where they agree or there is one only."""
    found = library.session.rows(
        "SELECT id, analysis_key FROM adatom_images WHERE image_hash = ? AND is_current = 1",
        (facts["image_hash"],),
    )
    if not found or found[0][1] == facts["analysis_key"] or not facts["is_current"]:
        return None
    here = [row for _, row in rows_of_image(library, found[0][0])]
    return [(facts["image_hash"], *row) for row in differences(here, there)]


def differences(
    here: list[DefectRow], there: list[DefectRow], /
) -> list[tuple[float, float, str, str, str, float]]:
    """List where two analyses of an image differ: y, x, what, both names, distance."""
    told = []
    partner = _partners(here, there)
    for number, row in enumerate(here):
        match = partner.get(number)
        if match is None:
            told.append((row.y, row.x, "only here", row.name, "", np.nan))
            continue
        other = there[match]
        distance = _distance(row, other)
        if row.name != other.name or row.class_key != other.class_key:
            told.append((row.y, row.x, "other name", row.name, other.name, distance))
        elif not distance <= _SAME_GEOMETRY_NM:
            told.append((row.y, row.x, "other geometry", row.name, other.name, distance))
    alone = set(range(len(there))) - set(partner.values())
    told += [
        (there[k].y, there[k].x, "only there", "", there[k].name, np.nan) for k in sorted(alone)
    ]
    return told


def _partners(here: list[DefectRow], there: list[DefectRow]) -> dict[int, int]:
    """Pair defects that are nearest to one another and at the same place."""
    if not here or not there:
        return {}
    one, other = (np.array([(row.y, row.x) for row in rows]) for rows in (here, there))
    distance, forth = cKDTree(other).query(one)
    _, back = cKDTree(one).query(other)
    return {
        number: int(match)
        for number, match in enumerate(forth)
        if distance[number] < _SAME_PLACE_NM and back[match] == number
    }


def _distance(row: DefectRow, other: DefectRow) -> float:
    """Give the RMSD of the atoms where they are in the image, NaN for other compositions."""
    from scipy.optimize import linear_sum_assignment

    if sorted(row.numbers.tolist()) != sorted(other.numbers.tolist()):
        return float("nan")
    squares = np.sum((row.places[:, None] - other.places) ** 2, axis=2)
    squares[row.numbers[:, None] != other.numbers] = 1e6
    pairs = linear_sum_assignment(squares)
    return float(np.sqrt(squares[pairs].mean()))


def _image_table(rows: list[tuple[Any, ...]]) -> Table:
    columns = list(zip(*rows)) if rows else [()] * 5
    types = (np.str_, np.str_, np.str_, np.int64, np.int64)
    names = ("source", "image", "state", "n_defects", "n_calculations")
    return table_from_columns(
        {name: np.array(c, dtype=t) for name, c, t in zip(names, columns, types, strict=True)}
    )


def _conflict_table(rows: list[tuple[Any, ...]]) -> Table:
    columns = list(zip(*rows)) if rows else [()] * 7
    types = (np.str_, np.float64, np.float64, np.str_, np.str_, np.str_, np.float64)
    names = ("image", "y", "x", "what", "name_here", "name_there", "distance")
    return table_from_columns(
        {name: np.array(c, dtype=t) for name, c, t in zip(names, columns, types, strict=True)},
        units=dict.fromkeys(("y", "x", "distance"), "nm"),
    )
