"""How alike defects are: their atoms laid over one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.point_alignment import PointAlignment, align_points
from adatom.schema import SITES, Sites, Table, add_note, positions, space_unit, table_from_columns
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEEDED: Final = ("defect", "species")


def compare_defects(
    members: Sites,
    others: Sites,
    /,
    *,
    penalty: Length = "0.07 nm",
    reflect: bool = True,
) -> Table:
    """Measure how far the atoms of defects are from one another, laid over one another best.

    Of two defects, one is shifted, turned and, if need be, mirrored, its atoms
    are paired with those of the same species by optimal assignment, and the
    root of the mean squared distance of the pairs is least. An atom without a
    partner counts as one that is `penalty` away.

    The best turn is sought from all that bring an atom of the rarest species
    over one of the other defect, and from turns by 30 deg, by a closest-point
    iteration [1]_ with exact assignment.

    Parameters
    ----------
    members : Sites
        Atoms of defects, as `Defects.members`: with ``defect`` and ``species``.
    others : Sites
        Atoms of the defects to compare each of the former with, in the same unit.
    penalty : length
        As what an atom without partner counts. The default is half a bond of
        graphene: atoms farther apart would be nearer to some other place.
    reflect : bool
        Whether a defect and its mirror image are alike.

    Returns
    -------
    Table
        A row for every pair of defects: ``defect``, ``other`` (numbers as in
        the members), ``rmsd`` in the unit of the sites, ``rotation`` (deg, from
        +x towards +y, of the first, after it is mirrored), ``mirrored``,
        ``n_pairs`` and ``n_alone``, atoms of either without a partner.

    Raises
    ------
    KindError
        If the members say not what they are, or units differ.
    SettingError
        If `penalty` is not positive.

    References
    ----------
    .. [1] P. J. Besl and N. D. McKay, IEEE Trans. Pattern Anal. Mach. Intell. 14, 239 (1992).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> def threefold(angle: float) -> Sites:
    ...     turn = np.radians(angle + np.array([0.0, 120.0, 240.0]))
    ...     y, x = (np.append(0.0, 0.17 * part(turn)) for part in (np.sin, np.cos))
    ...     sites = sites_from_positions(y, x, unit="nm")
    ...     sites["defect"] = ("site", np.zeros(4, dtype=int))
    ...     sites["species"] = ("site", np.array(["Si", "C", "C", "C"]))
    ...     return sites
    >>> alike = compare_defects(threefold(0.0), threefold(25.0))
    >>> alike["rmsd"].values.round(6), alike["n_pairs"].values
    (array([0.]), array([4]))
    """
    for name, data in (("members", members), ("others", others)):
        _check_members(data, name)
    unit = space_unit(members)
    if space_unit(others) != unit:
        msg = f"the members are in {unit}, the others in {space_unit(others)}: bring both to nm"
        raise KindError(msg)
    reach = length_from_setting(penalty, unit=unit, name="penalty", spacing=_spacing(members))
    if not reach > 0:
        msg = f"{penalty=} must be positive"
        raise SettingError(msg)
    labels = _numbers_of_species(members, others)
    number, place, label = _stacked(others, labels)
    rows = []
    for defect in np.unique(members["defect"].values):
        here = np.flatnonzero(members["defect"].values == defect)
        own = np.array([labels[str(name)] for name in members["species"].values[here]])
        found = align_points(
            positions(members)[here], own, place, label, penalty=reach, reflect=reflect
        )
        rows.append((np.full(len(number), defect), number, found))
    return _table(rows, unit)


def _check_members(data: Sites, name: str) -> None:
    SITES.check(data, name=name)
    lacking = [variable for variable in _NEEDED if variable not in data.variables]
    if lacking:
        msg = f"{name} lack {', '.join(lacking)}: take the members that find_defects gives"
        raise KindError(msg)


def _spacing(members: Sites) -> float | None:
    spacing = members.attrs.get("spacing")
    return None if spacing is None else float(spacing)


def _numbers_of_species(*parts: Sites) -> dict[str, int]:
    names = sorted({str(name) for part in parts for name in part["species"].values})
    return {name: number for number, name in enumerate(names)}


def _stacked(
    members: Sites, labels: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Give numbers of defects, places (defect, member, 2) and labels, -1 beyond the last."""
    names, species = np.unique(members["species"].values.astype(str), return_inverse=True)
    own = np.array([labels[str(name)] for name in names], dtype=np.int64)[species]
    number, which, size = np.unique(
        members["defect"].values, return_inverse=True, return_counts=True
    )
    order = np.argsort(which, kind="stable")
    within = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    place = np.zeros((len(number), int(size.max(initial=0)), 2))
    label = np.full(place.shape[:2], -1, dtype=np.int64)
    place[which[order], within] = positions(members)[order]
    label[which[order], within] = own[order]
    return number, place, label


def _table(
    rows: list[tuple[NDArray[np.int64], NDArray[np.int64], PointAlignment]], unit: str
) -> Table:
    columns: dict[str, list[NDArray[Any]]] = {
        "defect": [defect for defect, _, _ in rows],
        "other": [other for _, other, _ in rows],
        "rmsd": [found.rmsd for _, _, found in rows],
        "rotation": [np.degrees(found.angle) for _, _, found in rows],
        "mirrored": [found.mirrored for _, _, found in rows],
        "n_pairs": [found.n_pairs for _, _, found in rows],
        "n_alone": [found.n_alone for _, _, found in rows],
    }
    whole = {
        name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in columns.items()
    }
    table = table_from_columns(whole, units={"rmsd": unit, "rotation": "deg"})
    add_note(table, f"{len(whole['rmsd'])} pairs of defects compared.")
    return table
