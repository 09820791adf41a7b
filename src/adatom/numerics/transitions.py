"""Energies of core-loss edges and characteristic X-ray lines, by the names that people use."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from adatom.errors import SettingError

Technique = Literal["edge", "line"]

_FOLDER: Final = Path(__file__).parent / "tables"
# What a shell without its number means: the edge, or the line, that is meant by it in practice.
_SHORT_EDGES: Final = {"L": "L3", "L23": "L3", "L2,3": "L3", "M": "M5", "M45": "M5", "M4,5": "M5"}
_SHORT_EDGES_SOFT: Final = {"M": "M3", "M23": "M3", "M2,3": "M3"}
_SHORT_LINES: Final = {"K": "Ka", "L": "La", "M": "Ma"}
_GREEK: Final = str.maketrans({"\u03b1": "a", "\u03b2": "b"})


class Transition(NamedTuple):
    """A core-loss edge with its onset, or an X-ray line with its energy, in eV."""

    element: str
    shell: str
    energy: float

    @property
    def name(self) -> str:
        """Such as "Cu L3" or "Fe Ka"."""
        return f"{self.element} {self.shell}"


@cache
def transitions(technique: Technique, /) -> tuple[Transition, ...]:
    """List all edges [1]_, or all X-ray lines [2]_, that are known.

    Edges are onsets as seen in EELS, those of white lines at their rise;
    lines are the strongest of their group (Ka1, Kb1, La1, Lb1, Lb2, Ma1).

    Examples
    --------
    >>> len(transitions("edge")) > 150
    True

    References
    ----------
    .. [1] C. C. Ahn and O. L. Krivanek, EELS Atlas (Gatan and Arizona State University, 1983).
    .. [2] A. Thompson et al., X-Ray Data Booklet (LBNL, 2009), table 1-2, after J. A. Bearden,
       Rev. Mod. Phys. 39, 78 (1967).
    """
    with (_FOLDER / f"{technique}s.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Transition(row["element"], row[technique], float(row["energy"]))
            for row in csv.DictReader(file)
        )


def find_transition(name: str, technique: Technique, /) -> Transition:
    """Find an edge such as "Cu L3" or "Ti L", or a line such as "Fe Ka" or "Zn L".

    Raises
    ------
    SettingError
        If it is not in the table: the text names those of the element.

    Examples
    --------
    >>> find_transition("Cu L", "edge")
    Transition(element='Cu', shell='L3', energy=931.0)
    >>> find_transition("Fe Ka", "line").energy
    6403.84
    """
    element, _, asked = name.strip().translate(_GREEK).partition(" ")
    of_element = {one.shell: one for one in transitions(technique) if one.element == element}
    for shell in _readings(asked.strip(), technique):
        if shell in of_element:
            return of_element[shell]
    what = "edge of EELS" if technique == "edge" else "X-ray line"
    known = ", ".join(one.name for one in of_element.values())
    remedy = f"known of {element} are {known}" if known else 'write it like "Cu L3" or "Fe Ka"'
    msg = f"{name!r} is no {what} of the table: {remedy}"
    raise SettingError(msg)


def _readings(asked: str, technique: Technique) -> list[str]:
    """Give the shells that a text may mean, the likelier first."""
    if technique == "line":
        plain = asked.removesuffix("1")
        return [plain, _SHORT_LINES.get(plain, plain)]
    return [asked, _SHORT_EDGES.get(asked, asked), _SHORT_EDGES_SOFT.get(asked, asked)]
