"""What is asked of a library: formulas, names, classes, geometry, sources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adatom.defects.library.packing import UNKNOWN
from adatom.defects.records import KINDS, MISSING
from adatom.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adatom.defects.library.opening import Library

_OPERATORS: Final[dict[str, Callable[[int, int], bool]]] = {
    ">=": lambda count, bound: count >= bound,
    "<=": lambda count, bound: count <= bound,
    "!=": lambda count, bound: count != bound,
    "=": lambda count, bound: count == bound,
    ">": lambda count, bound: count > bound,
    "<": lambda count, bound: count < bound,
}
_MEASURED: Final = (
    "d.id IN (SELECT defect_id FROM adatom_geometry WHERE what = ? AND smallest >= ? "
    "AND largest <= ?)"
)
_CALCULATED: Final = "d.id IN (SELECT defect_id FROM adatom_calculations)"
_CONDITION: Final = re.compile(r"([A-Z][a-z]?|\?)\s*(>=|<=|!=|=|>|<)\s*(\d{1,6})")
_PART: Final = re.compile(r"([A-Z][a-z]?|\?)(\d{0,6})")


@dataclass(frozen=True)
class DefectQuery:
    """Which defects are wanted: those that fulfil everything given.

    Attributes
    ----------
    formula : str, optional
        A composition such as "Si1C3" (exactly these atoms; "SiC3" is the
        same), or conditions such as "Si>=2, C<6, X=0", where X are missing
        atoms and ? those whose element is not known.
    name : str, optional
        Composition label; ``*`` stands for any text: "Si1C*".
    class_key : str, optional
        Hash of the class, or its beginning.
    kind : str, optional
        Such as "vacancy", see `adatom.defects.KINDS`.
    source : str, optional
        Name of the image's file, with ``*`` for any text, or the beginning of
        the image's hash.
    min_confidence : float
        Least probability of the name.
    lengths : mapping of str to pair of float
        All bonds of these elements are between these lengths in nm:
        ``{"Si-C": (0.16, 0.19)}``; the defect has one such bond or more.
    angles : mapping of str to pair of float
        All angles of these elements, the vertex in the middle, are between
        these, in deg: ``{"C-Si-C": (110, 130)}``.
    host : str, optional
        The crystal, such as "graphene".
    calculated : bool, optional
        Only defects with a calculation, or only those without.
    computed : mapping of str to pair of float
        One calculation of the defect, or of another one of its class, gave
        numbers between these: ``{"formation_energy": (0, 5)}`` (eV), so too
        "energy", "gap" (eV), "distance", "buckling" (nm) and
        "magnetic_moment"; ``{"Si-C": (0.17, 0.18)}`` asks for relaxed bonds,
        all of these elements, in nm.
    all_analyses : bool
        Also the older analyses of images that were analyzed again.
    """

    formula: str | None = None
    name: str | None = None
    class_key: str | None = None
    kind: str | None = None
    source: str | None = None
    min_confidence: float = 0.0
    lengths: dict[str, tuple[float, float]] = field(default_factory=dict)
    angles: dict[str, tuple[float, float]] = field(default_factory=dict)
    host: str | None = None
    calculated: bool | None = None
    computed: dict[str, tuple[float, float]] = field(default_factory=dict)
    all_analyses: bool = False


def parse_formula(text: str, /) -> dict[str, int] | None:
    """Read a composition such as "Si1C3" or "SiC3"; None where it is none.

    Examples
    --------
    >>> parse_formula("SiC3")
    {'Si': 1, 'C': 3}
    """
    counts: dict[str, int] = {}
    end = 0
    for found in _PART.finditer(text):
        if found.start() != end:
            return None
        symbol, number = found.groups()
        counts[symbol] = counts.get(symbol, 0) + int(number or 1)
        end = found.end()
    return counts if counts and end == len(text) else None


def _check_elements(symbols: set[str], what: str) -> None:
    from ase.data import atomic_numbers

    odd = sorted(symbols - set(atomic_numbers) - {MISSING, UNKNOWN})
    if odd:
        msg = f"{what}: {odd[0]!r} is no element"
        raise SettingError(msg)


def formulas_that_fit(text: str, known: list[str], /) -> list[str]:
    """Choose the compositions that fulfil a formula or conditions.

    Raises
    ------
    SettingError
        If the text is neither.

    Examples
    --------
    >>> formulas_that_fit("Si>=2", ["C3Si1", "C6Si2"])
    ['C6Si2']
    """
    counts = {formula: parse_formula(formula) or {} for formula in known}
    wanted = parse_formula(text.strip())
    if wanted is not None:
        _check_elements(set(wanted), f"formula={text!r}")
        whole = {symbol: number for symbol, number in wanted.items() if number}
        return [formula for formula in known if counts[formula] == whole]
    conditions = []
    for part in text.split(","):
        found = _CONDITION.fullmatch(part.strip())
        if found is None:
            msg = (
                f"formula={text!r}: {part.strip()!r} is neither a composition such as Si1C3 nor a "
                "condition such as Si>=2"
            )
            raise SettingError(msg)
        conditions.append((found[1], _OPERATORS[found[2]], int(found[3])))
    _check_elements({symbol for symbol, _, _ in conditions}, f"formula={text!r}")
    return [
        formula
        for formula in known
        if all(fits(counts[formula].get(symbol, 0), bound) for symbol, fits, bound in conditions)
    ]


def condition_of_query(library: Library, query: DefectQuery, /) -> tuple[str, list[Any]]:
    """Spell a query as a condition on the tables d (defects) and i (images), and its values.

    Raises
    ------
    SettingError
        If a part of the query cannot be understood.
    """
    parts: list[str] = [] if query.all_analyses else ["d.is_current = 1"]
    values: list[Any] = []

    def add(part: str, *given: Any) -> None:  # noqa: ANN401 -- numbers and texts
        parts.append(part)
        values.extend(given)

    if query.formula is not None:
        fitting = formulas_that_fit(query.formula, _known_formulas(library))
        add(_one_of("d.formula", len(fitting)), *fitting)
    if query.name is not None:
        add(*_like("d.name", query.name, library))
    if query.class_key is not None:
        add(*_beginning("d.class_key", _hexadecimal(query.class_key, "class_key")))
    if query.kind is not None:
        if query.kind not in KINDS:
            msg = f"kind={query.kind!r} is none of {', '.join(KINDS)}"
            raise SettingError(msg)
        add("d.kind = ?", query.kind)
    if query.host is not None:
        add("i.host = ?", query.host)
    if query.source is not None:
        add(*_source(query.source, library))
    if not 0 <= query.min_confidence <= 1:
        msg = f"min_confidence={query.min_confidence} is no probability: give one from 0 to 1"
        raise SettingError(msg)
    if query.min_confidence > 0:
        add("d.confidence >= ?", query.min_confidence)
    for what, bounds in {**query.lengths, **query.angles}.items():
        add(*_measured(what, bounds, is_angle=what in query.angles))
    if query.calculated is not None:
        add(_CALCULATED if query.calculated else f"NOT {_CALCULATED}")
    if query.computed:
        from adatom.defects.library.computed import classes_with_numbers

        classes = classes_with_numbers(library, query.computed)
        fitting = ["(i.host = ? AND d.class_key = ?)"] * len(classes)
        add(f"({' OR '.join(fitting) or '1 = 0'})", *(part for pair in classes for part in pair))
    return " AND ".join(parts) or "1 = 1", values


def _known_formulas(library: Library) -> list[str]:
    return [row[0] for row in library.session.rows("SELECT formula FROM adatom_formulas")]


def _one_of(column: str, number: int) -> str:
    return f"{column} IN ({', '.join('?' * number)})" if number else "1 = 0"


def _like(column: str, pattern: str, library: Library) -> tuple[str, str]:
    """Compare with a text in which ``*`` stands for any text; Co is not CO."""
    if "*" not in pattern:
        return f"{column} = ?", pattern
    if library.session.is_sqlite:
        # Its LIKE takes small letters for capitals.
        return f"{column} GLOB ?", re.sub(r"([\[?])", r"[\1]", pattern)
    escaped = re.sub(r"([%_!])", r"!\1", pattern).replace("*", "%")
    return f"{column} LIKE ? ESCAPE '!'", escaped


def _beginning(column: str, text: str) -> tuple[str, str, str]:
    """Compare the beginning of hexadecimal digits, by the index: "g" is beyond them all."""
    return f"{column} >= ? AND {column} < ?", text, f"{text}g"


def _hexadecimal(text: str, name: str) -> str:
    digits = text.lower().removeprefix("class-").removeprefix("image-")
    if not re.fullmatch(r"[0-9a-f]{1,64}", digits):
        msg = f"{name}={text!r} is no hash: give its hexadecimal digits, or the first of them"
        raise SettingError(msg)
    return digits


def _source(text: str, library: Library) -> tuple[str, ...]:
    like, pattern = _like("i.source", text, library)
    if re.fullmatch(r"(image-)?[0-9a-f]{8,64}", text):
        begins, first, last = _beginning("i.image_hash", _hexadecimal(text, "source"))
        return f"({like} OR ({begins}))", pattern, first, last
    return like, pattern


def _measured(what: str, bounds: tuple[float, float], *, is_angle: bool) -> tuple[Any, ...]:
    low, high = bounds
    elements = what.split("-")
    need = 3 if is_angle else 2
    if len(elements) != need or not low <= high:
        example = "C-Si-C = [110, 130]" if is_angle else "Si-C = [0.16, 0.19]"
        msg = f"{what}={list(bounds)}: give {need} elements and two limits, such as {example}"
        raise SettingError(msg)
    _check_elements(set(elements), what)
    # Bonds and angles stand in the order of the alphabet, the vertex of an angle in the middle.
    ends = sorted((elements[0], elements[-1]))
    spelled = "-".join([ends[0], *elements[1:-1], ends[1]])
    return _MEASURED, spelled, float(low), float(high)
