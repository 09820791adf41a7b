"""What defects of a sheet do to its columns of atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation.cells import atomic_number
from adatom.simulation.kinetics import Kinetics
from adatom.simulation.lattices import Crystal, build_lattice
from adatom.units import LENGTH, Length, Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_CARBON: Final = 6
_FULL: Final = 2


@dataclass(frozen=True)
class SheetDefect:
    """A defect about a metal site of a sheet, pointing to one of its three chalcogen columns.

    Displacements are along that direction, away from the metal site; they make images that look
    right, and are not the result of a relaxation.

    Attributes
    ----------
    name : str
        Its class.
    center : str
        Element in the place of the metal; "" for none.
    atoms : int
        How many of it lie over one another.
    chalcogens : int
        Atoms left in the column that it points to: 2 for all.
    center_shift, chalcogen_shift : length
        Displacement of the atoms of the center and of that column, in nm.
    """

    name: str
    center: str
    atoms: int = 1
    chalcogens: int = _FULL
    center_shift: Length = "0 nm"
    chalcogen_shift: Length = "0 nm"

    def __post_init__(self) -> None:
        if self.center:
            atomic_number(self.center)
        if self.atoms < 1 or not 0 <= self.chalcogens <= _FULL:
            msg = (
                f"{self.name}: atoms={self.atoms} must be 1 or more, chalcogens={self.chalcogens} "
                "0, 1 or 2"
            )
            raise SettingError(msg)
        for name in ("center_shift", "chalcogen_shift"):
            if LENGTH.check(getattr(self, name), name=name).unit != "nm":
                msg = f"{self.name}: {name}={getattr(self, name)!r} must be in nm"
                raise SettingError(msg)

    def shift(self, name: str, /) -> float:
        """Give `center_shift` or `chalcogen_shift` in nm."""
        return LENGTH.check(getattr(self, name), name=name).value


_WS2: Final = (
    SheetDefect("Mo for W, S missing", "Mo", chalcogens=1),
    SheetDefect("Mo for W, S2 missing", "Mo", chalcogens=0, center_shift="-0.02 nm"),
    SheetDefect("W missing", "", chalcogen_shift="-0.05 nm"),
    SheetDefect("S2 for W", "S", atoms=2, center_shift="0.05 nm"),
    SheetDefect("W on W", "W", atoms=2, center_shift="0.04 nm"),
)


@dataclass(frozen=True)
class DefectiveSheet:
    """A sheet of the 2H kind with moving defects, and how its movie is taken.

    Attributes
    ----------
    species : pair of str
        Metal and chalcogen.
    defects : tuple of SheetDefect
        The classes of `kinetics`, in any order.
    kinetics : Kinetics
        Rates per s; the defects lie at metal sites.
    rotation : float
        Of the sheet, in deg.
    frame_time : time
        From frame to frame.
    exposure : float
        Share of it, about the time of the frame, during which the frame is exposed, 0 to 1. What
        happens during the exposure is seen blurred.
    drift : length
        Typical motion of the sample from frame to frame, in nm. It is drawn back to where it
        was, as by an operator, and strays some five times as far.
    lost : float
        Share of the frames that are lost: the beam is blanked.
    rim : length
        How far from the edges of what all frames show the defects stay, in nm; a negative one
        lets them leave.
    """

    species: tuple[str, str] = ("W", "S")
    defects: tuple[SheetDefect, ...] = _WS2
    kinetics: Kinetics = Kinetics()  # noqa: RUF009 -- frozen
    rotation: float = 11.0
    frame_time: Time = "1 s"
    exposure: float = 0.2
    drift: Length = "0.03 nm"
    lost: float = 0.0
    rim: Length = "0.6 nm"

    def __post_init__(self) -> None:
        names = [defect.name for defect in self.defects]
        odd = [name for name in self.kinetics.classes if names.count(name) != 1]
        if odd:
            msg = (
                f"kinetics.classes has {odd[0]!r}, which {names.count(odd[0])} of the `defects` "
                f"{', '.join(names)} are called: each needs one that says what it looks like"
            )
            raise SettingError(msg)
        if not 1 <= self.kinetics.orientations <= 3:
            msg = (
                f"{self.kinetics.orientations=}: a metal site of a sheet has 3 chalcogen columns "
                "to point to, take 3, or fewer to use some of them"
            )
            raise SettingError(msg)
        for name in ("exposure", "lost"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                msg = f"{name}={value} is a share: 0 to 1"
                raise SettingError(msg)
        for name in ("drift", "rim"):
            value, unit = LENGTH.check(getattr(self, name), name=name)
            if unit != "nm" or (value < 0 and name == "drift"):
                msg = f"{name}={getattr(self, name)!r} must be in nm, the drift 0 or more"
                raise SettingError(msg)


class Columns(NamedTuple):
    """Columns of a perfect sheet.

    Attributes
    ----------
    position : ndarray, shape (column, axis)
        In nm.
    electrons : ndarray, shape (column,)
        From each, in those from an atom of carbon.
    metal : ndarray of int, shape (place,)
        Columns of the places that defects can take.
    chalcogen : ndarray of int, shape (place, orientation)
        Columns that a defect there may point to.
    angle : ndarray, shape (orientation,)
        Of these directions, in deg.
    """

    position: Floats
    electrons: Floats
    metal: Counts
    chalcogen: Counts
    angle: Floats


def sheet_columns(
    sheet: DefectiveSheet,
    /,
    *,
    field: float,
    margin: float,
    inside: Floats,
    exponent: float,
    seed: int,
) -> Columns:
    """Lay out a sheet over a field, with places of defects between two corners (corner, axis)."""
    sites = build_lattice(
        crystal=Crystal("tmd", spacing="1 d", species=sheet.species, rotation=sheet.rotation),
        field=(field, field),
        unit="nm",
        margin=margin,
        seed=seed,
    )
    position = positions(sites)
    is_metal = sites["species"].values == sheet.species[0]
    metal, chalcogen = sheet.species
    electrons = np.where(
        is_metal, _relative(metal, exponent), _FULL * _relative(chalcogen, exponent)
    )
    low, high = inside
    places = np.flatnonzero(
        is_metal & (position >= low).all(axis=1) & (position <= high).all(axis=1)
    )
    others = np.flatnonzero(~is_metal)
    tree = KDTree(position[others])
    nearest = others[tree.query(position[places], k=3)[1]].reshape(len(places), 3)
    step = position[nearest] - position[places][:, None]
    angle = np.degrees(np.arctan2(step[..., 0], step[..., 1])) % 360
    # All metal sites have the same three directions; rounding keeps 359.99 from being 0.
    order = np.argsort(angle.round(3) % 360, axis=1)
    nearest = np.take_along_axis(nearest, order, axis=1)
    angles = np.take_along_axis(angle, order, axis=1)[:1].reshape(-1)
    return Columns(position, electrons, places, nearest, angles)


def _relative(element: str, exponent: float) -> float:
    return float((atomic_number(element) / _CARBON) ** exponent)


class DefectArrays(NamedTuple):
    """What each class does, as arrays (class,): electrons of its atoms and their displacement."""

    center: Floats
    chalcogen: Floats
    center_shift: Floats
    chalcogen_shift: Floats


def defect_arrays(sheet: DefectiveSheet, /, *, exponent: float) -> DefectArrays:
    """Put the defects in the order of the classes of the kinetics."""
    known = {defect.name: defect for defect in sheet.defects}
    chosen = [known[name] for name in sheet.kinetics.classes]
    one = _relative(sheet.species[1], exponent)
    center = [d.atoms * _relative(d.center, exponent) if d.center else 0.0 for d in chosen]
    return DefectArrays(
        np.array(center),
        np.array([d.chalcogens * one for d in chosen]),
        np.array([d.shift("center_shift") for d in chosen]),
        np.array([d.shift("chalcogen_shift") for d in chosen]),
    )


def columns_with_defects(
    columns: Columns,
    defects: DefectArrays,
    /,
    *,
    place: Counts,
    label: Counts,
    orientation: Counts,
    share: Floats,
) -> tuple[Floats, Floats]:
    """Give positions and electrons of all columns in a frame.

    Parameters
    ----------
    columns : Columns
        The perfect sheet.
    defects : DefectArrays
        Its classes.
    place, label, orientation : ndarray of int, shape (defect,)
        Where and what each is.
    share : ndarray, shape (defect,)
        Of the exposure that each is there.
    """
    metal, chalcogen = columns.metal[place], columns.chalcogen[place, orientation]
    electrons = columns.electrons.copy()
    for column in (metal, chalcogen):
        # One after the other: a column may be touched twice while a defect turns or hops.
        np.subtract.at(electrons, column, share * columns.electrons[column])
    angle = np.radians(columns.angle[orientation])
    along = np.column_stack([np.sin(angle), np.cos(angle)])
    position = [
        columns.position[metal] + defects.center_shift[label][:, None] * along,
        columns.position[chalcogen] + defects.chalcogen_shift[label][:, None] * along,
    ]
    added = [share * defects.center[label], share * defects.chalcogen[label]]
    return (
        np.concatenate([columns.position, *position]),
        # Two defects that share a column take from it what there is, not more.
        np.concatenate([electrons.clip(0.0), *added]),
    )
