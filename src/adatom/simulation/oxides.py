"""Chemically disordered molybdenum oxides of two phases, and the boundary between these."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import Sites, add_note, sites_from_positions
from adatom.simulation.columns import set_columns
from adatom.simulation.crystals import tiled
from adatom.units import LENGTH, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ELEMENTS: Final = ("Mo", "V", "Ta", "Te")

# Axes of M1, a along x and b along y, and of M2 in its hexagonal setting, in nm, after
# DeSanto et al., Z. Kristallogr. 219, 152 (2004).
_M1_AXES: Final = (2.11, 2.66)
_M2_AXIS: Final = 0.729
# From the middle of a pentagonal unit to its five columns, in nm: five octahedra that share
# edges with the one amid them are 0.39 nm from one another then, as those that share corners.
_PENTAGON: Final = 0.33
# Not the coordinates of a refinement: a net of the size and the symmetry (p2gg) of M1 with
# its four pentagonal units, five more columns a quarter, and channels between them. The
# angle of the unit and these places (x, y) were found by bringing neighbors to 0.385 nm.
_UNIT: Final = (0.2812, 0.8527)
_UNIT_ANGLE: Final = 0.0928
_LINKS: Final = ((0.0210, 0.1432), (0.3017, 0.5941), (0.3805, 0.1131))
_AXIAL_LINKS: Final = ((0.0, 0.0), (0.5, 0.5), (0.5, 0.0), (0.0, 0.5))
_CHANNEL: Final = (0.985, 0.258)

COLUMN_TYPES: Final = ("M1 center", "M1 ring", "M1 link", "M1 channel", "M2 frame", "M2 channel")
"""Sorts of columns of the two phases, by their number in ``sublattice``."""
# Chance that an atom of a column is Mo, V, Ta or Te; what is left is empty. Ta takes the
# places of Nb amid the pentagons, V those that link them, Te sits in channels.
_CHANCES: Final = np.array(
    [
        [0.10, 0.00, 0.90, 0.00],
        [0.75, 0.20, 0.05, 0.00],
        [0.50, 0.50, 0.00, 0.00],
        [0.00, 0.00, 0.00, 0.60],
        [0.60, 0.30, 0.10, 0.00],
        [0.00, 0.00, 0.00, 0.90],
    ]
)
# In distances within a pentagonal unit: nearer columns of two phases would touch.
_CLOSEST: Final = 0.75
# In nm: between the first and the second shell of neighbors of either net.
_BESIDE: Final = 0.6


@dataclass(frozen=True)
class Oxide:
    """A Mo-V-Ta-Te oxide of two phases that meet.

    Attributes
    ----------
    rotation : float
        Of the M1-like phase in deg, from +x towards +y. Not 0, so that rows of
        atoms do not lie along rows of pixels.
    misorientation : float
        By which the M2-like phase is turned farther, in deg.
    m1_share : float
        Share of the field that is of the M1-like phase: 0 or 1 for one phase alone.
    waviness : length
        Amplitude of the boundary, which runs along y.
    n_layers : int
        Atoms in a full column, 0.4 nm each: 20 are a crystal of 8 nm. The
        fewer there are, the more columns of one type differ by chance.
    displacement : length
        Standard deviation of the random offset of every column, per axis:
        octahedra tilt, and V sits off its middle.
    """

    rotation: float = 7.0
    misorientation: float = 20.0
    m1_share: float = 0.5
    waviness: Length = "1 nm"
    n_layers: int = 20
    displacement: Length = "0.01 nm"

    def __post_init__(self) -> None:
        if not 0 <= self.m1_share <= 1:
            msg = f"m1_share={self.m1_share} is a share of the field: 0 to 1"
            raise SettingError(msg)
        if self.n_layers < 1:
            msg = f"n_layers={self.n_layers} must be 1 or more"
            raise SettingError(msg)
        for name in ("waviness", "displacement"):
            text = getattr(self, name)
            value, unit = LENGTH.check(text, name=name)
            if value < 0 or unit not in {"nm", "mm"}:
                msg = f"{name}={text!r} must be a length in nm of 0 or more"
                raise SettingError(msg)


def build_oxide(
    *,
    oxide: Oxide = Oxide(),
    field: tuple[float, float] = (20.0, 20.0),
    margin: float = 0.0,
    seed: int = 0,
) -> Sites:
    """Lay out the columns of a Mo-V-Ta-Te oxide of two phases, seen along [001].

    The first phase is like M1, the orthorhombic phase of the catalysts of propane
    [1]_: a net of its size (2.11 x 2.66 nm) and plane group (p2gg), with pentagonal
    units of six columns, columns that link these, and channels that hold Te. *Like*,
    since its coordinates are built of such units and not those of a refinement. The
    second is like M2: the net of the hexagonal bronzes, whose channels of six hold
    Te. Every column is filled atom by atom at random, with chances that depend on
    its type: Ta amid the pentagons, V where these are linked, Mo everywhere [2]_.
    Nothing relaxes at the boundary: of two columns too close one is left out.

    Parameters
    ----------
    oxide : Oxide
        Orientation, share, thickness and disorder.
    field : tuple of two floats
        Height and width in nm; its first corner is the origin.
    margin : float
        Columns are laid out as far as this beyond the field, in nm.
    seed : int
        Of origins, occupancy and displacements.

    Returns
    -------
    Sites
        In nm, with ``class`` (such as "M1 ring"), ``sublattice`` (its number),
        ``phase`` (0 for M1, 1 for M2), ``species``, ``occupancy`` (atoms of the
        column), ``composition`` (site, element), and ``at_boundary``: nearer than
        0.6 nm to a column of the other phase.

    Raises
    ------
    SettingError
        If the field has no size.

    References
    ----------
    .. [1] P. DeSanto et al., Z. Kristallogr. 219, 152 (2004).
    .. [2] W. D. Pyrz et al., Proc. Natl. Acad. Sci. 107, 6152 (2010).

    Examples
    --------
    >>> sites = build_oxide(oxide=Oxide(m1_share=1.0), field=(4.0, 4.0))
    >>> sorted(set(sites["class"].values.tolist()))
    ['M1 center', 'M1 channel', 'M1 link', 'M1 ring']
    """
    if not all(0 < side < math.inf for side in field) or not 0 <= margin < math.inf:
        msg = f"{field=} and {margin=} hold no atoms: a field has positive height and width in nm"
        raise SettingError(msg)
    place_rng, fill_rng, move_rng = np.random.default_rng(seed).spawn(3)
    places, kind, phase = _two_phases(oxide, field, margin, place_rng)
    moved = places + move_rng.normal(0.0, _nm(oxide.displacement), places.shape)
    sites = sites_from_positions(*moved.T, unit="nm", spacing=_PENTAGON)
    counts = _filled(kind, oxide.n_layers, fill_rng)
    set_columns(sites, _ELEMENTS, counts)
    sites["class"] = ("site", np.asarray(COLUMN_TYPES)[kind])
    sites["sublattice"] = ("site", kind)
    sites["phase"] = ("site", phase)
    sites["at_boundary"] = ("site", _near_other(places, phase, _BESIDE))
    n_empty = int((counts.sum(axis=1) == 0).sum())
    kept = sites.isel(site=counts.sum(axis=1) > 0)
    add_note(
        kept,
        f"{int((phase == 0).sum())} columns of an M1-like and {int((phase == 1).sum())} of an "
        f"M2-like phase, of which {n_empty} are empty by chance and left out",
    )
    return kept


def _nm(length: Length) -> float:
    return length_from_setting(length, unit="nm")


def _m1_cell() -> tuple[Floats, NDArray[np.int64]]:
    """Fractions (x, y) and types of the columns in a cell of the M1-like net."""
    angle = _UNIT_ANGLE + 2 * np.pi * np.arange(5) / 5
    ring = _PENTAGON * np.stack([np.cos(angle), np.sin(angle)], axis=1) / np.asarray(_M1_AXES)
    unit = np.asarray(_UNIT)
    general = np.concatenate([unit[None], unit + ring, _LINKS, [_CHANNEL]])
    x, y = general.T
    # The plane group p2gg: a turn by 180 deg, and two glides.
    orbit = np.stack([[x, y], [-x, -y], [0.5 + x, 0.5 - y], [0.5 - x, 0.5 + y]])
    fraction = np.concatenate([np.moveaxis(orbit, 1, 2).reshape(-1, 2), _AXIAL_LINKS])
    kind = np.concatenate([np.tile([0, 1, 1, 1, 1, 1, 2, 2, 2, 3], 4), [2] * len(_AXIAL_LINKS)])
    return fraction % 1.0, kind


def _m2_cell() -> tuple[Floats, NDArray[np.int64]]:
    """Fractions and types of the columns in a cell of the M2-like net, a kagome and its holes."""
    fraction = np.array([[0.5, 0.0], [0.0, 0.5], [0.5, 0.5], [0.0, 0.0]])
    return fraction, np.array([4, 4, 4, 5])


def _two_phases(
    oxide: Oxide, field: tuple[float, float], margin: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Places, types and phases of all columns, with the nearer than touching left out."""
    a, b = _M1_AXES
    nets = (
        (np.array([[0.0, a], [b, 0.0]]), *_m1_cell()),
        (_M2_AXIS * np.array([[0.0, 1.0], [math.sqrt(0.75), 0.5]]), *_m2_cell()),
    )
    turns = (oxide.rotation, oxide.rotation + oxide.misorientation)
    parts = []
    for phase, ((vectors, fraction, kind), turn) in enumerate(zip(nets, turns, strict=True)):
        turned = vectors @ _turn(turn).T
        basis = fraction @ turned
        origin = rng.uniform(0.0, 1.0, 2) @ turned
        place, number = tiled(turned, basis, origin, field=field, margin=margin)
        own = _is_first(place, oxide, field) == (phase == 0)
        parts.append((place[own], kind[number[own]], np.full(int(own.sum()), phase)))
    place, kind, phases = (np.concatenate(part) for part in zip(*parts, strict=True))
    apart = _apart(place, phases)
    return place[apart], kind[apart], phases[apart]


def _turn(degrees: float) -> Floats:
    """Turn (y, x) from +x towards +y."""
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _is_first(place: Floats, oxide: Oxide, field: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell what lies on the side of the first phase of the boundary, a wave of two periods."""
    if oxide.m1_share in {0.0, 1.0}:
        return np.full(len(place), oxide.m1_share == 1.0)
    wave = _nm(oxide.waviness) * np.sin(4 * np.pi * place[:, 0] / field[0])
    first: NDArray[np.bool_] = place[:, 1] < oxide.m1_share * field[1] + wave
    return first


def _apart(place: Floats, phase: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Leave out columns of the second phase that are too close to one of the first."""
    kept = np.ones(len(place), dtype=bool)
    first = phase == 0
    if first.any() and not first.all():
        distance, _ = KDTree(place[first]).query(place[~first])
        kept[~first] = distance > _CLOSEST * _PENTAGON
    return kept


def _filled(kind: NDArray[np.int64], n_layers: int, rng: np.random.Generator) -> Floats:
    """Draw how many atoms (column, element) every column holds."""
    empty = 1.0 - _CHANCES.sum(axis=1, keepdims=True)
    chances = np.concatenate([_CHANCES, np.clip(empty, 0.0, 1.0)], axis=1)
    return rng.multinomial(n_layers, chances[kind])[:, : len(_ELEMENTS)].astype(float)


def _near_other(place: Floats, phase: NDArray[np.int64], reach: float) -> NDArray[np.bool_]:
    near = np.zeros(len(place), dtype=bool)
    for number in (0, 1):
        own = phase == number
        if own.any() and not own.all():
            near[own] = KDTree(place[~own]).query(place[own])[0] < reach
    return near
