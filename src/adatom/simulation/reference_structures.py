"""The structures of the reference set: six samples, and how they are looked at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from adatom.schema import Structure, positions
from adatom.simulation.graphene import Flake, build_graphene
from adatom.simulation.optics import Multislice, Optics

if TYPE_CHECKING:
    from ase import Atoms

ReferenceName = Literal["graphene_si", "mos2", "srtio3_100", "srtio3_110", "gaas_110", "mgo_100"]

VERSION: Final = 1
"""Of the set. What an entry shows changes with it alone."""

_FLAKE_FIELD: Final = 1.6
_FLAKE_MARGIN: Final = 0.3
_SEED: Final = 8


@dataclass(frozen=True)
class Reference:
    """One sample of the set.

    Attributes
    ----------
    build : callable
        Makes the structure.
    bright : Optics
        With the detector of the dark field (HAADF).
    dark : Optics
        With the detector of the annular bright field (ABF).
    multislice : Multislice
        How it is computed.
    field : float
        Height and width of the image in nm.
    """

    build: Callable[[], Structure]
    bright: Optics
    dark: Optics
    multislice: Multislice
    field: float


def graphene_with_silicon() -> Structure:
    """Build a piece of graphene with Si in the place of one and of two C atoms, and a vacancy."""
    from ase import Atoms

    flake = Flake(threefold=0.01, fourfold=0.01, vacancies=0.01, divacancies=0.0)
    sites = build_graphene(
        flake=flake, field=(_FLAKE_FIELD, _FLAKE_FIELD), margin=_FLAKE_MARGIN, seed=_SEED
    ).atoms
    y, x = positions(sites).T * 10
    atoms = Atoms(
        symbols=sites["species"].values.tolist(), positions=np.stack([x, y, np.zeros_like(x)], -1)
    )
    atoms.set_array("class", sites["class"].values.astype(str))  # type: ignore[no-untyped-call]
    return atoms


def molybdenum_disulfide() -> Structure:
    """Build one layer of 2H-MoS2 with two single and one double sulfur vacancy."""
    from ase.build import mx2

    layer = mx2("MoS2", kind="2H", a=3.16, thickness=3.17, vacuum=2.0)  # type: ignore[no-untyped-call]
    sheet = _turned(layer, [[5, 1, 0], [2, 6, 0], [0, 0, 1]])
    sulfur = np.flatnonzero(sheet.numbers == 16)
    upper = sulfur[sheet.positions[sulfur, 2] > sheet.positions[:, 2].mean()]
    # Far from one another; of the last both atoms go.
    first, second, double = upper[2], upper[13], upper[24]
    apart = np.hypot(*(sheet.positions[:, :2] - sheet.positions[double, :2]).T)
    gone = {
        int(first),
        int(second),
        *np.flatnonzero((apart < 0.1) & (sheet.numbers == 16)).tolist(),
    }
    left: Atoms = sheet[[number for number in range(len(sheet)) if number not in gone]]
    return left


def strontium_titanate_100() -> Structure:
    """Build SrTiO3 along [100], 3.1 nm thick, with a column that has lost half of its Sr."""
    block = _turned(_strontium_titanate(), [[4, 1, 0], [-1, 4, 0], [0, 0, 8]])
    return _thinned(block, "Sr", share=0.5)


def strontium_titanate_110() -> Structure:
    """Build SrTiO3 along [110], 3.3 nm thick."""
    block = _along(_strontium_titanate(), [[0, 0, 1], [1, -1, 0], [1, 1, 0]])
    repeated: Atoms = block.repeat((4, 3, 6))  # type: ignore[no-untyped-call]
    return repeated


def gallium_arsenide_110() -> Structure:
    """Build GaAs along [110], 3.2 nm thick: dumbbells 0.141 nm long."""
    from ase.build import bulk

    cell = bulk("GaAs", "zincblende", a=5.653, cubic=True)
    half = _along(cell, [[0, 0, 1], [0.5, -0.5, 0], [0.5, 0.5, 0]])
    repeated: Atoms = half.repeat((3, 4, 8))  # type: ignore[no-untyped-call]
    return repeated


def magnesium_oxide_100() -> Structure:
    """Build MgO along [100], 3.4 nm thick: Mg and O alternate in every column."""
    from ase.build import bulk

    cell = bulk("MgO", "rocksalt", a=4.212, cubic=True)
    return _turned(cell, [[4, 1, 0], [-1, 4, 0], [0, 0, 8]])


def _strontium_titanate() -> Atoms:
    from ase import Atoms

    middle = 0.5
    return Atoms(
        "SrTiO3",
        scaled_positions=[
            (0, 0, 0),
            (middle, middle, middle),
            (middle, middle, 0),
            (middle, 0, middle),
            (0, middle, middle),
        ],
        cell=[3.905] * 3,
        pbc=True,
    )


def _turned(cell: Atoms, vectors: list[list[int]]) -> Atoms:
    """Cut a periodic block along other vectors of the lattice; the first comes to lie along x."""
    from ase.build import make_supercell

    block: Atoms = make_supercell(cell, vectors)  # type: ignore[no-untyped-call]
    angle = math.degrees(math.atan2(block.cell[0][1], block.cell[0][0]))
    block.rotate(-angle, "z", rotate_cell=True)  # type: ignore[no-untyped-call]
    # Rounding may put an atom on either side of the border.
    block.positions += 1e-3
    block.wrap()  # type: ignore[no-untyped-call]
    return block


def _along(cell: Atoms, vectors: list[list[float]]) -> Atoms:
    """Cut a rectangular block whose x, y and z are these vectors of a cubic cell."""
    from ase.build import cut

    block: Atoms = cut(cell, *vectors)  # type: ignore[no-untyped-call]
    lengths = np.asarray(block.cell.lengths())
    block.set_cell(np.diag(lengths), scale_atoms=True)  # type: ignore[no-untyped-call]
    block.pbc = True
    block.positions += 1e-3
    block.wrap()  # type: ignore[no-untyped-call]
    return block


def _thinned(block: Atoms, element: str, *, share: float) -> Atoms:
    """Take a share of the atoms of one element out of the column nearest to the middle."""
    symbols = np.array(block.get_chemical_symbols())  # type: ignore[no-untyped-call]
    middle = np.diag(np.asarray(block.cell))[:2] / 2
    apart = np.hypot(*(block.positions[:, :2] - middle).T)
    apart[symbols != element] = np.inf
    nearest = int(apart.argmin())
    across = np.hypot(*(block.positions[:, :2] - block.positions[nearest, :2]).T)
    column = np.flatnonzero((across < 0.1) & (symbols == element))
    lost = np.random.default_rng(_SEED).permutation(column)[: round(share * len(column))]
    left: Atoms = block[np.setdiff1d(np.arange(len(block)), lost)]
    return left


# Of single atoms, which do not channel, a vibration of 0.006 nm only blurs the image: it is part
# of the source size.
_SHEET = {"energy": "60 keV", "semiangle": "31 mrad", "source_size": "0.036 nm"}
_CRYSTAL = {"energy": "100 keV", "semiangle": "24 mrad", "source_size": "0.03 nm"}
_SHEETS = (
    Optics(**_SHEET, inner="70 mrad", outer="125 mrad"),
    Optics(**_SHEET, inner="15 mrad", outer="31 mrad"),
)
_CRYSTALS = (
    Optics(**_CRYSTAL, inner="70 mrad", outer="125 mrad"),
    Optics(**_CRYSTAL, inner="12 mrad", outer="24 mrad"),
)
_SHEET_WAVES = Multislice(
    configurations=1, displacement="0 nm", largest_angle="125 mrad", margin=f"{_FLAKE_MARGIN} nm"
)
_CRYSTAL_WAVES = Multislice(configurations=2, largest_angle="125 mrad")

REFERENCES: Final[dict[str, Reference]] = {
    "graphene_si": Reference(graphene_with_silicon, *_SHEETS, _SHEET_WAVES, _FLAKE_FIELD),
    "mos2": Reference(molybdenum_disulfide, *_SHEETS, _SHEET_WAVES, 4.0),
    "srtio3_100": Reference(strontium_titanate_100, *_CRYSTALS, _CRYSTAL_WAVES, 4.0),
    "srtio3_110": Reference(strontium_titanate_110, *_CRYSTALS, _CRYSTAL_WAVES, 4.0),
    "gaas_110": Reference(gallium_arsenide_110, *_CRYSTALS, _CRYSTAL_WAVES, 4.0),
    "mgo_100": Reference(magnesium_oxide_100, *_CRYSTALS, _CRYSTAL_WAVES, 4.0),
}
"""The set, by name."""
