"""Crystals and molecules are read by ASE's plain-text readers, and by no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_sites import SITES, XYZ

from adatom.errors import ReadError
from adatom.io import read_contents, read_structure
from adatom.io.store import read_result, write_result
from adatom.io.structures import _MAX_BYTES


def test_a_cif_gives_the_whole_cell(tmp_path: Path) -> None:
    salt = read_structure(SITES["cif"](tmp_path))
    assert sorted(salt.symbols) == ["Cl"] * 4 + ["Na"] * 4
    assert salt.cell.lengths() == pytest.approx([5.64] * 3)
    # Rock salt: every Na has six Cl at half the cell, two by two images of one another.
    distances = salt.get_all_distances(mic=True)[0]  # type: ignore[no-untyped-call]
    assert (np.abs(distances - 2.82) < 1e-6).sum() == 3


@pytest.mark.parametrize("name", ["POSCAR", "CONTCAR_relaxed", "graphene.vasp", "anything"])
def test_vasp_positions_are_known_by_their_lines(tmp_path: Path, name: str) -> None:
    path = SITES["poscar"](tmp_path).rename(tmp_path / name)
    graphene = read_structure(path)
    bond = graphene.get_distance(0, 1, mic=True)  # type: ignore[no-untyped-call]
    assert bond == pytest.approx(2.46 / np.sqrt(3), abs=1e-3)


def test_every_frame_of_xyz_is_a_part(tmp_path: Path) -> None:
    path = SITES["xyz"](tmp_path)
    contents = read_contents(path)
    assert contents["name"].values.tolist() == ["0: CSi", "1: H2O"]
    assert len(read_structure(path, dataset="1")) == 3
    assert read_structure(path, dataset="0").pbc.tolist() == [True, True, False]
    with pytest.raises(ReadError, match="holds 2 datasets"):
        read_structure(path)


@pytest.mark.parametrize("key", ["xsf", "cube", "pdb"])
def test_other_plain_formats_give_their_atoms(tmp_path: Path, key: str) -> None:
    assert list(read_structure(SITES[key](tmp_path)).symbols) == ["C"]


def test_sites_of_several_elements_are_told(tmp_path: Path) -> None:
    text = SITES["cif"](tmp_path).read_text()
    mixed = text.replace("_atom_site_fract_z", "_atom_site_fract_z\n_atom_site_occupancy")
    mixed = mixed.replace("Na Na 0 0 0", "Na Na 0 0 0 0.75\nK K 0 0 0 0.25")
    mixed = mixed.replace("0.5 0.5 0.5", "0.5 0.5 0.5 1")
    (tmp_path / "mixed.cif").write_text(mixed)
    assert "several elements share" in read_structure(tmp_path / "mixed.cif").info["notes"]


def test_the_space_group_is_text_that_ase_and_a_store_take(tmp_path: Path) -> None:
    from ase.spacegroup import Spacegroup

    salt = read_structure(SITES["cif"](tmp_path))
    assert salt.info["spacegroup"] == "F m -3 m"
    assert Spacegroup(salt.info["spacegroup"]).no == 225
    write_result(salt, tmp_path / "salt")
    assert read_result(tmp_path / "salt").info["spacegroup"] == "F m -3 m"


def test_other_formats_of_ase_are_refused(tmp_path: Path) -> None:
    for name in ("atoms.traj", "atoms.pckl", "atoms.py", "atoms.db"):
        (tmp_path / name).write_bytes(b"- of Ulm" + b"\0" * 64)
        with pytest.raises(ReadError, match="format is not known"):
            read_structure(tmp_path / name)


def test_large_texts_of_atoms_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.xyz"
    path.write_text(XYZ)
    with path.open("r+b") as file:
        file.truncate(_MAX_BYTES + 1)
    with pytest.raises(ReadError, match=f"{_MAX_BYTES} bytes or less"):
        read_structure(path)


def test_atoms_that_a_cube_cannot_hold_take_no_memory(tmp_path: Path) -> None:
    path = SITES["cube"](tmp_path)
    lines = path.read_text().splitlines()
    lines[2] = "9999999999" + lines[2].lstrip()[1:]
    path.write_text("\n".join(lines))
    with pytest.raises(ReadError, match="promises 9999999999 atoms in"):
        read_structure(path)
