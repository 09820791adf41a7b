"""Densities of states belong to atoms, and sum to the whole."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from adatom.defects import Calculator, build_impurity, estimate_density_of_states
from adatom.defects.densities import tight_binding_orbitals
from adatom.errors import SettingError

needs_tblite = pytest.mark.skipif(
    find_spec("tblite") is None, reason="needs tblite: pip install 'adatom[dft]'"
)
needs_gpaw = pytest.mark.skipif(find_spec("gpaw") is None, reason="needs GPAW: pip install gpaw")


@needs_tblite
def test_local_densities_sum_to_the_total_and_that_to_the_electrons() -> None:
    sheet: Any = build_impurity("Si")
    found = estimate_density_of_states(sheet, below="40 eV", width="0.2 eV")
    np.testing.assert_allclose(
        found.local.values.sum(axis=0), found.total["density"].values, atol=1e-9
    )
    energy, density = found.total["energy"].values, found.total["density"].values
    # 32 atoms of four valence electrons, all below the Fermi level.
    filled = np.trapezoid(density[energy <= 0], energy[energy <= 0])
    assert filled == pytest.approx(128.0, abs=0.05)
    assert found.levels["gap"].values[0] > 0
    assert float(found.atoms["charge"].sum()) == pytest.approx(0.0, abs=1e-6)
    assert found.local.coords["species"].values.tolist().count("Si") == 1


@needs_tblite
def test_every_state_is_shared_out_whole_among_the_atoms() -> None:
    orbitals = tight_binding_orbitals(build_impurity("Si"), Calculator())
    np.testing.assert_allclose(orbitals.weights.sum(axis=-1), 1.0, atol=1e-9)
    assert orbitals.occupations.sum() == pytest.approx(128.0, abs=1e-6)


@needs_tblite
def test_unpaired_electrons_sit_where_their_atoms_are() -> None:
    # A free CH3 radical beside a helium atom far off: its one electron is on the carbon.
    radical = Atoms("CH3He", [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0],
                              [0, 0, 8.0]])  # fmt: skip
    found = estimate_density_of_states(radical, calculator=Calculator(n_unpaired=1))
    moments = found.atoms["magnetic_moment"].values
    assert moments.sum() == pytest.approx(1.0, abs=1e-6)
    assert moments[0] > 0.8
    assert abs(moments[4]) < 1e-6
    assert "spin_density" in found.total


@needs_gpaw
@pytest.mark.slow
def test_gpaw_counts_the_electrons_of_graphene() -> None:
    from ase.build import graphene

    sheet: Any = graphene(vacuum=4.0)  # type: ignore[no-untyped-call]
    sheet.pbc = True
    calculator = Calculator("gpaw", settings={"h": 0.25, "kpts": [6, 6, 1]})
    found = estimate_density_of_states(sheet, calculator=calculator, below="30 eV", width="0.2 eV")
    energy, density = found.total["energy"].values, found.total["density"].values
    filled = np.trapezoid(density[energy <= 0], energy[energy <= 0])
    assert filled == pytest.approx(8.0, abs=0.05)
    # Both atoms are alike.
    np.testing.assert_allclose(found.local.values[0], found.local.values[1], atol=0.05)


def test_a_potential_has_no_density_of_states() -> None:
    with pytest.raises(SettingError, match=r"'tersoff' gives no densities of states"):
        estimate_density_of_states(build_impurity("Si"), calculator=Calculator("tersoff"))


def test_a_width_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match=r"width='0 eV' must be above 0"):
        estimate_density_of_states(build_impurity("Si"), width="0 eV")
