"""Symmetry of real crystals, from atoms found with nothing told."""

from __future__ import annotations

import os

import pytest
from real_truth import IMAGING

from adatom.crystallography import assign_lattice_indices, find_doubling, find_variants
from adatom.descriptors import neighbor_vectors
from adatom.io import read_image
from adatom.localization import find_atoms

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def test_strontium_titanate_shows_no_ferroic_signal() -> None:
    atoms = find_atoms(read_image(IMAGING / "atomap/history/STO_ADF.hdf5"))
    sites = assign_lattice_indices(neighbor_vectors(atoms))
    found = find_variants(sites)
    # Along [110] the cell is rectangular, 0.391 by 0.276 nm, with a column in its middle.
    assert found.statement.attrs["parent"] == "2mm"
    assert found.statement["verdict"].values.tolist() == ["non-ferroic"]
    assert found.statement["p_value"].item() > 0.05
    # Columns of a cubic crystal stand in the middle of their neighbors within a picometer.
    assert found.statement["symmetry_breaking"].item() < 1e-3 * 40
    assert set(find_doubling(sites, found.variants).statement["doubled"].values) == {"no"}
