"""Plane lattices of known crystals, and lattices told in words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import SettingError
from adatom.units import house_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOT_2: Final = math.sqrt(2.0)


@dataclass(frozen=True)
class PlaneLattice:
    """The lattice of a crystal as it is seen along a direction.

    Attributes
    ----------
    name : str
    lengths : tuple of two floats
        Of the sides a and b of the usual cell, in nm.
    angle : float
        Between them, in deg.
    centered : bool
        There is a second lattice point in the middle of the cell.
    faint : bool
        Alternating columns may look so alike that the reflections which tell
        the cell from a smaller one are weak.
    source : str
        Where the lengths come from.
    """

    name: str
    lengths: tuple[float, float]
    angle: float = 90.0
    centered: bool = False
    faint: bool = False
    source: str = "as told"

    @property
    def cell(self) -> NDArray[np.float64]:
        """Columns are the vectors a and b as (y, x): a along x, b turned from it towards y."""
        turn = math.radians(self.angle)
        a, b = self.lengths
        return np.array([[0.0, b * math.sin(turn)], [a, b * math.cos(turn)]])

    @property
    def primitive(self) -> NDArray[np.float64]:
        """Columns are the vectors of the smallest cell, from a towards b as `cell`."""
        if not self.centered:
            return self.cell
        a, b = self.cell.T
        return np.column_stack([(a - b) / 2, (a + b) / 2])


def _hexagonal(name: str, length: float, source: str) -> PlaneLattice:
    return PlaneLattice(name, (length, length), 120.0, source=source)


_STO: Final = "Y. A. Abramov et al., Acta Cryst. B 51, 942 (1995): 0.3905 nm at 296 K"
_SI: Final = "CODATA 2018: 0.5431020511 nm"
_AU: Final = "A. Maeland, T. B. Flanagan, Can. J. Phys. 42, 2364 (1964): 0.40783 nm"
_GRAPHITE: Final = "A. H. Castro Neto et al., Rev. Mod. Phys. 81, 109 (2009): bonds of 0.142 nm"
_TMD: Final = "W. J. Schutte et al., J. Solid State Chem. 70, 207 (1987)"
_MO: Final = "P. D. Bronsema et al., Z. Anorg. Allg. Chem. 540, 15 (1986)"
_SI_A: Final = 0.54310
_AU_A: Final = 0.40783
_STO_A: Final = 0.3905

LATTICES: Final[tuple[PlaneLattice, ...]] = (
    _hexagonal("graphene", 0.246, _GRAPHITE),
    _hexagonal("graphite", 0.246, _GRAPHITE),
    _hexagonal("hBN", 0.2504, "R. S. Pease, Acta Cryst. 5, 356 (1952): 0.25040 nm"),
    _hexagonal("MoS2", 0.316, _MO),
    _hexagonal("MoSe2", 0.3289, _MO),
    _hexagonal("WS2", 0.3153, _TMD),
    _hexagonal("WSe2", 0.3282, _TMD),
    PlaneLattice("SrTiO3 [100]", (_STO_A, _STO_A), faint=True, source=_STO),
    PlaneLattice("SrTiO3 [110]", (_STO_A, _STO_A / _ROOT_2), faint=True, source=_STO),
    PlaneLattice("Si [100]", (_SI_A / 8**0.5, _SI_A / 8**0.5), source=_SI),
    PlaneLattice("Si [110]", (_SI_A, _SI_A / _ROOT_2), centered=True, source=_SI),
    _hexagonal("Si [111]", _SI_A / 6**0.5, _SI),
    PlaneLattice("Au [100]", (_AU_A / 2, _AU_A / 2), source=_AU),
    PlaneLattice("Au [110]", (_AU_A, _AU_A / _ROOT_2), centered=True, source=_AU),
    _hexagonal("Au [111]", _AU_A / 6**0.5, _AU),
    _hexagonal("Au(111) surface", _AU_A / _ROOT_2, _AU),
)
_OTHER_NAMES: Final = {"hopg": "graphite", "bn": "hbn"}
_WORDS: Final = (("silicon", "si"), ("gold", "au"), ("sto", "srtio3"))
_SHAPES: Final = {
    # Numbers that a shape takes: lengths, and whether there is an angle.
    "hexagonal": (1, False),
    "square": (1, False),
    "rectangular": (2, False),
    "centered": (2, False),
    "oblique": (2, True),
}
_OWN: Final = re.compile(
    r"(?P<shape>[a-z]+)\s+(?P<a>[\d.]+)(?:\s*x\s*(?P<b>[\d.]+))?\s*(?P<unit>nm|pm|angstrom|um)"
    r"(?:\s+(?P<angle>[\d.]+)\s*deg)?"
)
_EXAMPLES: Final = (
    '"hexagonal 0.316 nm", "square 0.39 nm", "rectangular 0.3905 x 0.2761 nm", '
    '"centered 0.543 x 0.384 nm" or "oblique 0.3 x 0.4 nm 100 deg"'
)


def lattice_from_text(text: str, /) -> PlaneLattice:
    """Find a lattice by its name, or make it as told.

    Raises
    ------
    SettingError
        If it is neither known nor told in full.

    Examples
    --------
    >>> lattice_from_text("rectangular 0.3905 x 0.2761 nm").lengths
    (0.3905, 0.2761)
    """
    wanted = _plain(text)
    named = {_plain(lattice.name): lattice for lattice in LATTICES}
    if wanted in named:
        return named[wanted]
    match = _OWN.fullmatch(text.strip())
    if match is not None and match["shape"] in _SHAPES:
        return _own_lattice(text, match)
    names = ", ".join(f'"{lattice.name}"' for lattice in LATTICES)
    msg = f"lattice={text!r} is not known: use one of {names}, or tell it as {_EXAMPLES}"
    raise SettingError(msg)


def _plain(name: str) -> str:
    plain = re.sub(r"[\s_<>\[\]-]", "", name.lower())
    for word, short in _WORDS:
        if plain.startswith(word):
            plain = short + plain.removeprefix(word)
    return _OTHER_NAMES.get(plain, plain)


def _own_lattice(text: str, match: re.Match[str]) -> PlaneLattice:
    shape = match["shape"]
    n_lengths, has_angle = _SHAPES[shape]
    given = [match[side] for side in ("a", "b") if match[side]]
    try:
        factor = house_unit(match["unit"])[1]
        lengths = [float(one) * factor for one in given]
        angle = float(match["angle"]) if match["angle"] else None
    except ValueError:
        lengths, angle = [], None
    right = len(lengths) == n_lengths and (angle is not None) == has_angle
    if not right or min(lengths) <= 0 or not 0 < (angle or 90.0) < 180:
        msg = f"lattice={text!r} is not told in full: write it as {_EXAMPLES}"
        raise SettingError(msg)
    corner = 120.0 if shape == "hexagonal" else angle or 90.0
    return PlaneLattice(text, (lengths[0], lengths[-1]), corner, centered=shape == "centered")
