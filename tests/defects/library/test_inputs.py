"""Calculations go to a cluster as files, and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import read
from simulated_defects import simulated_defects

from adatom.defects.calculators import Calculator
from adatom.defects.library import Library, add_defects, open_library, read_calculations
from adatom.defects.library.computing import Computation
from adatom.defects.library.inputs import export_inputs, read_outputs
from adatom.errors import SettingError, WriteError


def _exported(library: Library, folder: Path, code: Any, **settings: Any) -> Path:
    add_defects(library, simulated_defects(["Si1C3"], seed=1))
    (place,) = export_inputs(library, folder, code=code, computation=Computation(**settings))
    return place


def test_vasp_gets_structure_settings_and_sampling(library: Library, tmp_path: Path) -> None:
    calculator = Calculator("vasp", n_unpaired=2)
    place = _exported(library, tmp_path / "out", "vasp", calculator=calculator, max_force=0.2)
    atoms: Any = read(place / "POSCAR")
    assert str(atoms.symbols) == "C31Si"
    assert np.linalg.norm(atoms.cell.array[0]) == pytest.approx(4 * 2.46)
    incar = (place / "INCAR").read_text()
    assert "EDIFFG = -0.02\n" in incar
    assert "ISPIN = 2\nNUPDOWN = 2\n" in incar
    assert (place / "KPOINTS").read_text().splitlines()[2:4] == ["Gamma", "3 3 1"]
    told = (tmp_path / "out" / "README.txt").read_text()
    assert "--read" in told
    assert "POTCAR" in told


def test_espresso_gets_one_input(library: Library, tmp_path: Path) -> None:
    place = _exported(library, tmp_path / "out", "espresso", strain=0.02)
    text = (place / "espresso.pwi").read_text()
    assert "'relax'" in text
    assert "Si.UPF" in text
    atoms: Any = read(place / "espresso.pwi", format="espresso-in")
    assert np.linalg.norm(atoms.cell.array[0]) == pytest.approx(4 * 2.46 * 1.02)


def test_results_are_read_back_beside_their_defects(library: Library, tmp_path: Path) -> None:
    place = _exported(library, tmp_path / "out", "vasp")
    assert read_outputs(library, tmp_path / "out")[1] == [
        (place.name, "there is no vasprun.xml or OUTCAR: run vasp there first")
    ]
    atoms: Any = read(place / "POSCAR")
    # As if the relaxation had lifted the silicon by another 0.02 nm.
    atoms.positions[-1, 2] += 0.2
    (place / "vasprun.xml").write_text(_vasprun(atoms, -288.25))
    stored, missing = read_outputs(library, tmp_path / "out")
    assert (stored, missing) == ([1], [])
    (one,) = read_calculations(library)
    assert one.calculator == "vasp"
    assert one.energy == pytest.approx(-288.25)
    # In projection nothing has moved.
    assert one.rmsd == pytest.approx(0.0, abs=1e-6)
    assert one.results["theory"] == "DFT"
    assert "C-Si" in one.results["lengths_nm"]
    # What is there is not exported again.
    assert export_inputs(library, tmp_path / "more", code="vasp") == []


def test_a_result_that_is_cut_off_is_told_and_the_others_are_read(
    library: Library, tmp_path: Path
) -> None:
    place = _exported(library, tmp_path / "out", "vasp")
    (place / "vasprun.xml").write_text("<modeling><calculation>")
    stored, missing = read_outputs(library, tmp_path / "out")
    assert stored == []
    assert "was the run cut off?" in missing[0][1]


def test_results_go_to_the_library_of_their_inputs_only(library: Library, tmp_path: Path) -> None:
    place = _exported(library, tmp_path / "out", "vasp")
    atoms: Any = read(place / "POSCAR")
    (place / "vasprun.xml").write_text(_vasprun(atoms, -288.25))
    with open_library(tmp_path / "other.db", create=True) as other:
        # Its first row is another defect.
        add_defects(other, simulated_defects(["V1"], seed=2))
        stored, missing = read_outputs(other, tmp_path / "out")
    assert stored == []
    assert "exported from another library" in missing[0][1]


@pytest.mark.parametrize("file", ["adatom.json", "start.npz"])
@pytest.mark.parametrize("text", ["[]", "{}", None])
def test_a_damaged_export_is_told_by_its_file(
    library: Library, tmp_path: Path, file: str, text: str | None
) -> None:
    place = _exported(library, tmp_path / "out", "vasp")
    (place / "vasprun.xml").write_text(_vasprun(read(place / "POSCAR"), -288.25))
    if text is not None:
        (place / file).write_text(text)
    elif file == "start.npz":
        (place / file).unlink()
    else:
        (place / file).write_bytes(b"\xff")
    stored, missing = read_outputs(library, tmp_path / "out")
    assert stored == []
    assert f"{file} cannot be read" in missing[0][1]


def test_the_name_of_a_defect_leads_to_no_other_folder(library: Library, tmp_path: Path) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1))
    library.session.execute("UPDATE adatom_defects SET name = ?", ("x/../../../a\nNSW = 0",))
    (place,) = export_inputs(library, tmp_path / "out")
    assert place.resolve().parent == (tmp_path / "out").resolve()
    assert "\nNSW = 0\n" not in (place / "INCAR").read_text()


def test_a_folder_that_holds_files_is_not_written_into(library: Library, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(WriteError, match="name a new folder"):
        export_inputs(library, tmp_path / "out")


def test_a_folder_without_inputs_is_told(library: Library, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="holds no inputs of adatom"):
        read_outputs(library, tmp_path)


def _vasprun(atoms: Any, energy: float) -> str:
    """Spell what VASP writes of a last step, as far as ASE reads it."""
    rows = "".join(f"<rc><c>{s}</c><c>1</c></rc>" for s in atoms.symbols)
    cell = "".join(f"<v>{' '.join(map(repr, map(float, v)))}</v>" for v in atoms.cell.array)
    places = "".join(
        f"<v>{' '.join(map(repr, map(float, v)))}</v>" for v in atoms.get_scaled_positions()
    )
    forces = "<v>0.0 0.0 0.001</v>" * len(atoms)
    structure = (
        f'<structure><crystal><varray name="basis">{cell}</varray></crystal>'
        f'<varray name="positions">{places}</varray></structure>'
    )
    energies = "".join(
        f'<i name="{name}">{energy}</i>' for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    )
    return (
        '<?xml version="1.0"?><modeling><generator><i name="version">6</i></generator>'
        '<kpoints><varray name="kpointlist"><v>0 0 0</v></varray>'
        '<varray name="weights"><v>1</v></varray></kpoints>'
        f"<atominfo><atoms>{len(atoms)}</atoms><types>2</types>"
        f'<array name="atoms"><set>{rows}</set></array></atominfo>'
        f'<structure name="initialpos">{structure[11:]}'
        f"<calculation><scstep><energy>{energies}</energy></scstep>{structure}"
        f'<varray name="forces">{forces}</varray><energy>{energies}</energy></calculation>'
        f'<structure name="finalpos">{structure[11:]}</modeling>'
    )
