"""Crystals and molecules, by the plain-text readers of ASE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adatom.io.guard import collected_chatter, read_error
from adatom.io.signals import RawFile, RawStructure

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

# ASE parses everything at once; text of atoms takes some twenty times its size in memory.
_MAX_BYTES: Final = 32 * 2**20
_MAX_STRUCTURES: Final = 10_000
_MAX_LINE: Final = 2**16

_MIXED: Final = (
    "sites that several elements share are named after the one of most of them: "
    "info['occupancy'] tells all"
)

# Only these: other formats of ASE hold pickles, run programs or ask databases.
_ASE_FORMATS: Final = {
    "cif": "cif",
    "poscar": "vasp",
    "xyz": "extxyz",
    "xsf": "xsf",
    "cube": "cube",
    "pdb": "proteindatabank",
}


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all structures of a file."""
    size = path.stat().st_size
    if size > _MAX_BYTES:
        reason = f"it is a structure of {size} bytes"
        raise read_error(path, reason, f"Split it into files of {_MAX_BYTES} bytes or less")
    if key == "cube":
        _check_cube(path)
    with collected_chatter() as notes:
        images = _images(path, _ASE_FORMATS[key])
    if not images:
        raise read_error(path, "it holds no atoms", "Check how it was saved")
    parts = [
        RawStructure(atoms, _name(atoms, path, number, len(images)), notes=_notes(atoms, notes))
        for number, atoms in enumerate(images)
    ]
    return RawFile(path, key, parts)


def _check_cube(path: Path) -> None:
    """Compare the atoms that a cube promises on its third line with its size."""
    with path.open(encoding="utf-8", errors="replace") as file:
        words = [file.readline(_MAX_LINE) for _ in range(3)][2].split()
    # A number below 0 says that orbitals are numbered after the atoms.
    n_atoms = abs(int(words[0])) if words else 0
    # An atom is a line of five numbers.
    if n_atoms > path.stat().st_size // 10:
        reason = f"it promises {n_atoms} atoms in {path.stat().st_size} bytes"
        raise read_error(path, reason, "The file is cut off or damaged: copy it again")


def _images(path: Path, name: str) -> list[Atoms]:
    from itertools import islice

    from ase.io import iread

    # Of a cube only the atoms are wanted, not the values that its header counts.
    settings = {"read_data": False} if name == "cube" else {}
    every = iread(path, index=":", format=name, **settings)
    found: list[Any] = list(islice(every, _MAX_STRUCTURES + 1))
    if len(found) > _MAX_STRUCTURES:
        reason = f"it holds more than {_MAX_STRUCTURES} structures"
        raise read_error(path, reason, "Split it, or leave frames out")
    for atoms in found:
        # What another program computed is no property of the measured structure.
        atoms.calc = None
        if (group := atoms.info.get("spacegroup")) is not None and not isinstance(group, str):
            # As text it can be stored with the result of a recipe; ASE takes it as well.
            atoms.info["spacegroup"] = str(group.symbol)
            atoms.info["spacegroup_setting"] = int(group.setting)
        if _is_mixed(atoms.info.get("occupancy")):
            atoms.info["notes"] = _MIXED
    return [atoms for atoms in found if len(atoms)]


def _notes(atoms: Atoms, chatter: list[str]) -> tuple[str, ...]:
    told = atoms.info.get("notes")
    return (*chatter, told) if told is _MIXED else tuple(chatter)


def _is_mixed(occupancy: object) -> bool:
    """Tell whether ASE dropped elements of sites that several share."""
    return isinstance(occupancy, dict) and any(len(one) > 1 for one in occupancy.values())


def _name(atoms: Atoms, path: Path, number: int, total: int) -> str:
    if total == 1:
        return path.stem
    formula = atoms.get_chemical_formula()  # type: ignore[no-untyped-call]
    return f"{number}: {formula}"
