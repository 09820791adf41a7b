"""What calculations gave, as conditions of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adatom.defects.library.calculations import Calculation, read_calculations
from adatom.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adatom.defects.library.opening import Library

_OF_ROW: Final = {"energy": "energy", "formation_energy": "formation_energy", "distance": "rmsd"}
_OF_RESULTS: Final = {
    "gap": "gap_eV",
    "buckling": "buckling_nm",
    "magnetic_moment": "magnetic_moment",
}


def classes_with_numbers(
    library: Library, bounds: Mapping[str, tuple[float, float]], /
) -> list[tuple[str, str]]:
    """Give host and class of the defects of which one calculation fulfils all bounds.

    Calculations are one a class, and so few: they are read one by one.

    Raises
    ------
    SettingError
        If it is not known what is asked.
    """
    for what, (low, high) in bounds.items():
        if not low <= high:
            msg = f"computed {what}={[low, high]}: give the lower limit first, such as [0, 5]"
            raise SettingError(msg)
    spelled = {_spelled(what): limits for what, limits in bounds.items()}
    ids = sorted(
        {
            one.defect_id
            for one in read_calculations(library)
            if all(_lies(_range(one, what), limits) for what, limits in spelled.items())
        }
    )
    classes: set[tuple[str, str]] = set()
    for number in ids:
        classes.update(
            (str(host), str(key))
            for host, key in library.session.rows(
                "SELECT i.host, d.class_key FROM adatom_defects d "
                "JOIN adatom_images i ON i.id = d.image_id WHERE d.id = ?",
                (number,),
            )
        )
    return sorted(classes)


def _spelled(what: str) -> str:
    elements = what.split("-")
    if len(elements) == 2 and all(part.isalpha() for part in elements):
        # As stored: in the order of the alphabet.
        return "-".join(sorted(elements))
    if what not in _OF_ROW and what not in _OF_RESULTS:
        known = ", ".join([*_OF_ROW, *_OF_RESULTS])
        msg = f"computed={what!r} is none of {known}, or two elements such as Si-C"
        raise SettingError(msg)
    return what


def _range(one: Calculation, what: str) -> tuple[float, float] | None:
    value: Any
    if what in _OF_ROW:
        value = getattr(one, _OF_ROW[what])
    elif what in _OF_RESULTS:
        value = one.results.get(_OF_RESULTS[what])
    else:
        lengths = one.results.get("lengths_nm", {}).get(what)
        return None if lengths is None else (float(lengths[0]), float(lengths[2]))
    return None if value is None else (float(value), float(value))


def _lies(found: tuple[float, float] | None, limits: tuple[float, float]) -> bool:
    # NaN, an energy that is not known, lies nowhere.
    return found is not None and limits[0] <= found[0] and found[1] <= limits[1]
