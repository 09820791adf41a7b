"""Claims about the columns and the boxes that structures are seen as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, mx2

from adatom.errors import SettingError
from adatom.simulation.atom_columns import columns_of_atoms, repeated_columns
from adatom.simulation.structure_boxes import boxed


def places(atoms: Atoms) -> np.ndarray:
    return np.asarray(atoms.positions[:, 1::-1] / 10)


def test_atoms_behind_one_another_are_one_column_named_after_all_and_the_heaviest() -> None:
    atoms = Atoms("TiOTiOSr", positions=[(1, 2, z) for z in range(4)] + [(5, 2, 0)])
    columns = columns_of_atoms(atoms, places(atoms), box=None)
    assert columns.names.tolist() == ["TiO", "Sr"]
    assert columns.species.tolist() == ["Ti", "Sr"]
    assert columns.occupancy.tolist() == [2, 1]
    np.testing.assert_allclose(columns.positions, [[0.2, 0.1], [0.2, 0.5]])


def test_a_column_on_the_border_of_a_periodic_box_is_one_and_lies_between_its_atoms() -> None:
    atoms = Atoms("Si2", positions=[(0.05, 5, 0), (9.97, 5, 2)])
    columns = columns_of_atoms(atoms, places(atoms), box=(1.0, 1.0))
    assert columns.occupancy.tolist() == [2]
    # 0.005 and -0.003 nm, modulo the box.
    assert columns.positions[0, 1] % 1.0 == pytest.approx(0.001)


def test_atoms_that_vibrated_apart_are_still_one_column_where_they_were_on_average() -> None:
    atoms = Atoms("S2", positions=[(5, 5, 0), (5, 5, 3)])
    means = places(atoms) + np.array([[0.0, 0.02], [0.0, -0.03]])
    columns = columns_of_atoms(atoms, places(atoms), means, box=(1.0, 1.0))
    np.testing.assert_allclose(columns.positions, [[0.5, 0.495]])


def test_the_class_that_a_structure_gives_names_its_columns() -> None:
    atoms = Atoms("CSi", positions=[(0, 0, 0), (3, 0, 0)])
    atoms.set_array("class", np.array(["C at Si-C3", "Si-C3"]))  # type: ignore[no-untyped-call]
    columns = columns_of_atoms(atoms, places(atoms), box=None)
    assert columns.names.tolist() == ["C at Si-C3", "Si-C3"]


def test_a_frame_of_many_cells_holds_every_column_once() -> None:
    atoms = bulk("MgO", "rocksalt", a=4.212, cubic=True)
    box = boxed(atoms, (3.0, 3.0), 0.4)
    columns = columns_of_atoms(box.atoms, places(box.atoms), box=box.period)
    assert columns.names.tolist() == ["MgO"] * 4
    shown = repeated_columns(columns, box=box.period, frame=[-0.01, 2.1, -0.01, 2.1])
    # Columns are half a cell apart: at 0, 0.2106 ... 1.8954 (and 2.106 beyond the frame).
    assert len(shown.species) == 10 * 10
    assert len(np.unique(np.rint(shown.positions * 1e4), axis=0)) == 100


def test_an_oblique_crystal_is_cut_as_densely_as_it_is() -> None:
    layer = mx2("MoS2", kind="2H", a=3.16, thickness=3.17, vacuum=2.0)  # type: ignore[no-untyped-call]
    box = boxed(layer, (3.0, 4.0), 0.5)
    assert box.period is None
    assert box.origin == (0.5, 0.5)
    area = 4.0 * 5.0
    # One formula in 0.0865 nm^2; the rim of the cut holds a row more or less.
    assert len(box.atoms) == pytest.approx(3 * area / (0.316**2 * np.sqrt(3) / 2), rel=0.03)
    found: Any = box.atoms
    apart = found.get_all_distances() + 99 * np.eye(len(box.atoms))
    assert apart.min() > 2.3


def test_a_structure_without_atoms_in_the_field_is_refused() -> None:
    with pytest.raises(SettingError, match="no atom of the structure lies in"):
        boxed(Atoms("C", positions=[(90, 0, 0)]), (2.0, 2.0), 0.4)
    with pytest.raises(SettingError, match="has no atoms"):
        boxed(Atoms(), (2.0, 2.0), 0.4)


def test_a_tilted_plane_is_refused_with_a_remedy() -> None:
    tilted = Atoms("C", cell=[[10, 0, 3], [0, 10, 0], [0, 0, 10]], pbc=True)
    with pytest.raises(SettingError, match="make_supercell"):
        boxed(tilted, (2.0, 2.0), 0.4)
