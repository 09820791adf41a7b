"""What defects are made of is checked before it is used."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.defects.records import check_defects
from adatom.errors import KindError
from adatom.schema import sites_from_positions, table_from_columns


def _parts(defect: int = 0) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    text = {"name": "Si1C3", "kind": "substitution", "class_key": "0" * 16}
    number = {"chirality": 0, "orientation": 0.0, "extent": 3.0, "confidence": 1.0}
    counts = {"n_core": 1, "n_neighbors": 1, "n_missing": 0}
    defects = sites_from_positions([0.0], [0.0], unit="px").assign(
        {name: ("site", np.array([value])) for name, value in {**text, **number, **counts}.items()}
    )
    members = sites_from_positions([0.0, 0.0], [0.0, 2.0], unit="px").assign(
        defect=("site", np.full(2, defect)),
        species=("site", np.array(["Si", "C"])),
        role=("site", np.array(["core", "neighbor"])),
        atom=("site", np.arange(2)),
        species_probability=("site", np.ones(2)),
    )
    bonds = table_from_columns(
        {"first": [0], "second": [1], "length": [2.0], "length_error": [0.1]}
    )
    return defects, members, bonds


def test_whole_defects_pass() -> None:
    check_defects(*_parts())


def test_what_is_missing_is_named() -> None:
    defects, members, bonds = _parts()
    with pytest.raises(KindError, match=r"members lacks species, role"):
        check_defects(defects, members.drop_vars(["species", "role"]), bonds)


def test_a_member_of_no_defect_is_told() -> None:
    with pytest.raises(KindError, match="defect of members points beyond the 1 defects"):
        check_defects(*_parts(defect=3))
