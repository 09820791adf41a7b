"""Defects relax, and their energies are those of what they are made of."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from simulated_defects import simulated_defects

from adatom.defects import Calculator, build_impurity, relax_defect, structure_from_defect
from adatom.defects.calculators import (
    attach_calculator,
    level_of_calculator,
    require_calculator,
)
from adatom.defects.hosts import host_of_name
from adatom.defects.references import (
    _relaxed_constant,
    _relaxed_energy,
    chemical_potential,
    formation_energy,
    host_reference,
)
from adatom.defects.relaxing import observed_distance
from adatom.defects.structure import sheet_of_host
from adatom.errors import KindError, MissingExtraError, SettingError
from adatom.numerics.long_work import lend_long_work
from adatom.schema import notes

TERSOFF = Calculator("tersoff")
needs_tblite = pytest.mark.skipif(
    find_spec("tblite") is None, reason="needs tblite: pip install 'adatom[dft]'"
)


@pytest.mark.parametrize(
    ("symbols", "lattice", "constant", "energy"),
    # J. Tersoff, Phys. Rev. B 39, 5566 (1989), table II: cohesive energies per atom of silicon
    # (4.63 eV), diamond (7.37 eV) and silicon carbide (6.16 eV).
    [
        ("Si", "diamond", 5.432, -4.63),
        ("C", "diamond", 3.566, -7.37),
        ("SiC", "zincblende", 4.321, -6.165),
    ],
)
def test_the_potential_gives_the_published_energies_of_crystals(
    symbols: str, lattice: str, constant: float, energy: float
) -> None:
    crystal: Any = bulk(symbols, lattice, a=constant)
    attach_calculator(crystal, TERSOFF)
    assert crystal.get_potential_energy() / 2 == pytest.approx(energy, abs=0.01)
    assert np.abs(crystal.get_stress()).max() < 0.01


def test_silicon_in_graphene_has_three_equal_bonds_and_stands_out_of_the_sheet() -> None:
    found = relax_defect(build_impurity("Si"), calculator=TERSOFF, max_force=0.1)
    assert found.bonds["pair"].values.tolist() == ["C-Si"] * 3
    lengths = found.bonds["length"].values
    assert np.ptp(lengths) < 1e-4
    # Of the potential: from the relaxation of a start that was shaken, to this force.
    assert lengths.mean() == pytest.approx(0.1760, abs=5e-4)
    assert found.summary["buckling"].values[0] > 0.1
    assert found.summary["converged"].values[0]
    assert found.summary["largest_force"].values[0] < 0.1
    assert found.summary["theory"].values[0] == "potential"
    assert any("classical potential" in note for note in notes(found.summary))


def test_an_ideal_sheet_costs_nothing_and_adding_its_own_atoms_costs_nothing() -> None:
    host = host_of_name("graphene")
    whole = host_reference(host, 4, TERSOFF)
    energy = formation_energy(whole.energy, {"C": 32}, host, 4, TERSOFF)
    assert energy == pytest.approx(0.0, abs=1e-9)
    per_atom = chemical_potential("C", host, 4, TERSOFF)
    assert per_atom == pytest.approx(whole.energy / 32)


def test_the_energy_of_formation_is_that_of_the_reaction() -> None:
    # Graphene + one atom of a crystal of silicon -> sheet with silicon + one atom of graphene.
    found = relax_defect(build_impurity("Si"), calculator=TERSOFF)
    host = host_of_name("graphene")
    sheet = host_reference(host, 4, TERSOFF).energy
    energy = float(found.summary["energy"].values[0])
    assert found.summary["formation_energy"].values[0] == pytest.approx(
        energy - sheet + sheet / 32 - (-4.6296), abs=2e-3
    )


def test_the_lattice_constant_is_the_one_without_stress() -> None:
    host = host_of_name("graphene")
    constant = host_reference(host, 4, TERSOFF).lattice_constant
    sheet: Any = sheet_of_host(host, 4)
    sheet.set_cell(_scaled(sheet.cell.array, constant / 2.46), scale_atoms=True)
    attach_calculator(sheet, TERSOFF)
    # 1 GPa would be 0.0062 eV per cubic angstrom.
    assert np.abs(sheet.get_stress()[:2]).max() < 3e-4


def _scaled(cell: Any, share: float) -> Any:
    return cell * np.array([[share], [share], [1.0]])


def test_strain_stretches_the_host_and_flattens_the_silicon() -> None:
    plain = relax_defect(build_impurity("Si"), calculator=TERSOFF)
    stretched = relax_defect(build_impurity("Si"), calculator=TERSOFF, strain=0.05)
    cells = [float(np.linalg.norm(one.structure.cell.array[0])) for one in (plain, stretched)]
    assert cells[1] / cells[0] == pytest.approx(1.05, rel=1e-6)
    assert stretched.summary["buckling"].values[0] < plain.summary["buckling"].values[0]


def test_the_distance_from_the_image_does_not_see_how_the_image_lies() -> None:
    atoms: Any = build_impurity("Si")
    places = atoms.positions[:, :2]
    seen = np.flatnonzero(atoms.arrays["role"] > 0)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    middle = places[seen].mean(axis=0)
    atoms.arrays["observed"][seen] = (places[seen] - middle) @ turn + middle + [0.4, -0.2]
    assert observed_distance(atoms) == pytest.approx(0.0, abs=1e-9)
    # The three neighbors 0.01 nm farther out, which no turn or shift can undo.
    silicon = seen[-1]
    arms = atoms.arrays["observed"][seen[:-1]] - atoms.arrays["observed"][silicon]
    atoms.arrays["observed"][seen[:-1]] += 0.1 * arms / np.linalg.norm(arms, axis=1)[:, None]
    assert observed_distance(atoms) == pytest.approx(0.01 * np.sqrt(3.0 / 4.0), rel=1e-6)


def test_a_defect_that_was_not_relaxed_in_time_says_so() -> None:
    found = relax_defect(build_impurity("Si"), calculator=TERSOFF, max_steps=2)
    assert not found.summary["converged"].values[0]
    assert any("not relaxed after 2 steps" in note for note in notes(found.summary))


def test_a_killed_relaxation_goes_on_from_its_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adatom.defects import relaxing

    whole = relax_defect(build_impurity("Si"), calculator=TERSOFF)
    kept, n_kept = relaxing._keep, 0

    def killed(*given: Any) -> None:
        nonlocal n_kept
        kept(*given)
        n_kept += 1
        if n_kept == 10:
            raise KeyboardInterrupt

    with lend_long_work(tmp_path):
        monkeypatch.setattr(relaxing, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            relax_defect(build_impurity("Si"), calculator=TERSOFF)
        monkeypatch.setattr(relaxing, "_keep", kept)
        assert list(tmp_path.glob("relaxation-*.npy"))
        done = relax_defect(build_impurity("Si"), calculator=TERSOFF)
    assert not list(tmp_path.glob("relaxation-*.npy"))
    # 9 steps before the kill, the first of them counted 0.
    assert done.summary["n_steps"].values[0] > 9
    assert done.summary["energy"].values[0] == pytest.approx(
        whole.summary["energy"].values[0], abs=0.01
    )


def test_references_are_kept_in_the_folder_that_is_lent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adatom.defects import references

    host = host_of_name("graphene")
    monkeypatch.setattr(references, "_known", {})
    with lend_long_work(tmp_path):
        first = host_reference(host, 4, TERSOFF)
    assert len(list(tmp_path.glob("reference-*.json"))) == 1
    monkeypatch.setattr(references, "_known", {})
    monkeypatch.setattr(references, "_energy_of_sheet", None)
    with lend_long_work(tmp_path):
        assert host_reference(host, 4, TERSOFF) == first


def test_a_missing_calculator_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tblite", None)
    monkeypatch.setitem(sys.modules, "tblite.interface", None)
    with pytest.raises(MissingExtraError) as caught:
        relax_defect(build_impurity("Si"))
    assert "\n" not in str(caught.value)
    assert "pip install 'adatom[dft]'" in str(caught.value)


def test_an_unknown_calculator_names_one_that_is_near() -> None:
    with pytest.raises(SettingError, match=r"no calculator 'gfn1xtb': did you mean 'gfn1-xtb'"):
        require_calculator(Calculator("gfn1xtb"))


def test_a_calculator_that_does_not_know_an_element_says_so() -> None:
    with pytest.raises(SettingError, match=r"'tersoff' .* it knows C and Si, found B"):
        relax_defect(build_impurity("B"), calculator=TERSOFF)


def test_a_setting_that_a_calculator_has_not_is_told() -> None:
    with pytest.raises(SettingError, match=r"'tersoff' .* cannot start: .*mixing"):
        relax_defect(
            build_impurity("Si"), calculator=Calculator("tersoff", settings={"mixing": 3.0})
        )


@pytest.mark.parametrize("name", ["vasp", "espresso", "dftb"])
def test_a_program_that_is_not_there_is_told_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    for variable in ("ASE_VASP_COMMAND", "VASP_COMMAND", "VASP_SCRIPT", "VASP_PP_PATH"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingError) as caught:
        relax_defect(build_impurity("Si"), calculator=Calculator(name))
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_cannot_name_a_program() -> None:
    calculator = Calculator("vasp", settings={"command": "touch here"})
    with pytest.raises(SettingError, match=r"takes no setting 'command' here"):
        relax_defect(build_impurity("Si"), calculator=calculator)


def test_a_structure_without_a_host_is_refused() -> None:
    with pytest.raises(KindError, match="take what structure_from_defect gives"):
        relax_defect(bulk("Si"), calculator=TERSOFF)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"max_force": 0.0}, "max_force=0.0"), ({"strain": 5.0}, "5 % is 0.05")],
)
def test_settings_without_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        relax_defect(build_impurity("Si"), calculator=TERSOFF, **settings)  # type: ignore[arg-type]


@needs_tblite
def test_tight_binding_gives_what_an_empty_place_in_graphene_costs() -> None:
    found = simulated_defects(["V1"], seed=1)
    relaxed = relax_defect(structure_from_defect(found.defects, found.members))
    # By DFT 7.4 to 7.7 eV: A. El-Barbary et al., Phys. Rev. B 68, 144107 (2003), and
    # A. Krasheninnikov et al., Chem. Phys. Lett. 418, 132 (2006).
    assert 7.2 < relaxed.summary["formation_energy"].values[0] < 8.0
    assert relaxed.summary["theory"].values[0] == "tight binding"
    assert any("tight binding geometry" in note for note in notes(relaxed.summary))


@needs_tblite
@pytest.mark.slow
def test_tight_binding_relaxes_silicon_in_graphene() -> None:
    found = relax_defect(build_impurity("Si"))
    assert Counter(found.bonds["pair"].values.tolist()) == {"C-Si": 3}
    # By hand, with ASE's own optimizer to 0.02 eV per angstrom: 0.1796 nm.
    np.testing.assert_allclose(found.bonds["length"].values, 0.1796, atol=3e-4)
    # A substitution costs less than an empty place.
    assert 2.0 < found.summary["formation_energy"].values[0] < 7.0


def test_a_relaxed_defect_is_stored_with_the_result_of_a_recipe(tmp_path: Path) -> None:
    from adatom.io.store import read_result, write_result

    found = relax_defect(build_impurity("Si"), calculator=TERSOFF, max_steps=1)
    write_result(found, tmp_path / "kept")
    back = read_result(tmp_path / "kept")
    assert back.structure == found.structure
    assert back.structure.info["host"] == "graphene"
    np.testing.assert_array_equal(back.structure.arrays["role"], found.structure.arrays["role"])
    assert back.summary.identical(found.summary)
    assert back.bonds.identical(found.bonds)


def test_a_lattice_constant_that_is_not_found_is_told_and_not_guessed() -> None:
    with pytest.raises(SettingError, match=r"no minimum within 12 % of 2\.46 angstrom"):
        _relaxed_constant(lambda a: -a, 2.46)


def test_a_reference_that_is_not_relaxed_gives_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adatom.defects.references._MOST_STEPS", 0)
    pair = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.9]])
    with pytest.raises(SettingError, match="Cu2, against which energies are counted, is not"):
        _relaxed_energy(pair, Calculator("emt"))


def test_the_label_of_gpaw_names_the_functional_that_is_taken() -> None:
    assert "GPAW, PBE" in level_of_calculator(Calculator("gpaw")).label
    assert "GPAW, LDA" in level_of_calculator(Calculator("gpaw", settings={"xc": "LDA"})).label
