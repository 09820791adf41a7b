"""Names of defects of a sheet: what they are made of, and what kind of defect that is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.defects.species import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Missing atoms in one piece of more than this are a hole: a hexagon and what is around it.
HOLE: Final = 8
_THREE: Final = 3
# Rings by their sizes: what they are, and how many atoms the crystal lost by them.
# J. Kotakoski et al., Phys. Rev. B 83, 245420 (2011); F. Banhart et al., ACS Nano 5, 26 (2011).
_RINGS: Final = {
    (5, 5, 7, 7): ("SW(55-77)", 0),
    (5, 9): ("V1(5-9)", 1),
    (5, 5, 8): ("V2(5-8-5)", 2),
    (5, 5, 5, 7, 7, 7): ("V2(555-777)", 2),
    (5, 5, 5, 5, 7, 7, 7, 7): ("V2(5555-6-7777)", 2),
    (12,): ("V1", 1),
    (14,): ("V2", 2),
}


class Name(NamedTuple):
    """A name, empty where none is known, and the kind, one of `records.KINDS`."""

    name: str
    kind: str


def name_of_rings(sizes: Sequence[int], /) -> Name:
    """Name rings that are no hexagons.

    Examples
    --------
    >>> name_of_rings([7, 5, 7, 5])
    Name(name='SW(55-77)', kind='ring')
    >>> name_of_rings([5, 7])
    Name(name='5-7', kind='ring')
    """
    known = _RINGS.get(tuple(sorted(sizes)))
    if known is not None:
        return Name(known[0], "vacancy" if known[1] else "ring")
    chain = sorted(sizes)
    # One odd ring alone cannot be in a sheet: an atom was missed, or is none.
    return Name("-".join(map(str, chain)) if len(chain) > 1 else "", "ring")


def name_of_points(
    foreign: Sequence[str], host: str, n_neighbors: int, n_missing: int, hosts_whole: bool, /
) -> Name:
    """Name impurities and missing atoms.

    Parameters
    ----------
    foreign : sequence of str
        Elements of the impurities.
    host : str
        Element of the sheet.
    n_neighbors : int
        Atoms of the host bonded to any impurity.
    n_missing : int
    hosts_whole : bool
        Whether the atoms bonded to the impurities have three bonds to others.

    Examples
    --------
    >>> name_of_points(["Si", "Si"], "C", 6, 0, False)
    Name(name='Si2C6', kind='cluster')
    >>> name_of_points(["Si"], "C", 0, 0, False)
    Name(name='', kind='adatom')
    >>> name_of_points([], "C", 3, 1, False)
    Name(name='V1', kind='vacancy')
    """
    if not foreign:
        if n_missing > HOLE:
            return Name("", "edge")
        return Name(f"V{n_missing}", "vacancy")
    counts = sorted(Counter(foreign).items())
    label = "".join(f"{element}{count}" for element, count in counts) + f"{host}{n_neighbors}"
    # What is bonded to nothing of the sheet is not in it, and has no composition.
    if UNKNOWN in foreign or not n_neighbors:
        label = ""
    if hosts_whole or (len(foreign) == 1 and not n_neighbors and not n_missing):
        return Name(label, "adatom")
    # An impurity with four neighbors fills the place of two atoms.
    if n_missing or (len(foreign) == 1 and n_neighbors > _THREE):
        return Name(label, "complex")
    return Name(label, "substitution" if len(foreign) == 1 else "cluster")


def orientation_of_defect(core: NDArray[np.float64], around: NDArray[np.float64], /) -> float:
    """Give the direction of a defect in deg, from +x towards +y; NaN where it has none.

    Of several core or missing places the longest axis, 0 to 180; of one, that
    of its bonds modulo 360 deg over their number.

    Examples
    --------
    >>> orientation_of_defect(np.array([[0.0, 0.0], [1.0, 1.0]]), np.zeros((0, 2)))
    45.0
    """
    if len(core) > 1:
        off = core - core.mean(axis=0)
        yy, xx = (off**2).sum(axis=0)
        xy = float((off[:, 0] * off[:, 1]).sum())
        round_ = np.hypot(xx - yy, 2 * xy) < 0.1 * (xx + yy)
        if not round_:
            return float(np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)) % 180)
    if len(around) < 2:
        return float("nan")
    bond = around - core.mean(axis=0)
    n = len(around) if len(core) == 1 else 3
    wave = np.exp(1j * n * np.arctan2(bond[:, 0], bond[:, 1])).mean()
    return float(np.degrees(np.angle(wave)) / n % (360 / n)) if abs(wave) > 0.1 else float("nan")
