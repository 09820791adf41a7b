"""Defects of real and multislice layers: counted against masks, told apart by composition."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from adatom.defects import assign_column_species, count_columns, find_lattice_defects
from adatom.io import read_image
from adatom.localization import find_atoms, find_lattice_regions, find_lattice_sites
from adatom.schema import Sites, Table, positions

DATA = Path(os.environ.get("ADATOM_DATA", "")) / "imaging"
WSETE = DATA / "stem_wsete_sim_stemlearning/simulated/0"
JANUS = DATA / "ws2_janus_dyck"
MOS2 = DATA / "mos2_scilink"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@cache
def named(path: Path, host: str, metals: tuple[str, ...], chalcogens: tuple[str, ...]) -> Sites:
    image = read_image(path)
    regions = find_lattice_regions(image)
    lattice = find_lattice_sites(image, find_atoms(image, regions), regions, n_columns=2)
    return assign_column_species(
        lattice, host=host, metals=list(metals), chalcogens=list(chalcogens)
    )


def count(counts: Table, sublattice: str, column: str) -> int:
    row = (counts["sublattice"].values == sublattice) & (counts["column"].values == column)
    return int(counts["count"].values[row].sum())


@pytest.mark.parametrize(
    ("mask", "column"),
    [("label_Se", "Se"), ("label_TeSe", "SeTe"), ("label_2Te", "Te2"), ("label_vacancy", "empty")],
)
def test_columns_of_wsete_are_those_of_the_masks(mask: str, column: str) -> None:
    sites = named(WSETE / "input.tiff", "WSe2", (), ("Te",))
    labels, n_planted = ndimage.label(read_image(WSETE / f"{mask}.tiff").values > 0)
    centers = np.array(ndimage.center_of_mass(labels > 0, labels, np.arange(1, n_planted + 1)))
    here = sites["column"].values == column
    assert int(here.sum()) == pytest.approx(n_planted, rel=0.1)
    # Within a third of a bond of 8.9 px. Places cut by the edge are not measured.
    apart, _ = cKDTree(positions(sites)[here]).query(centers)
    assert (apart < 3).mean() >= 0.9


@pytest.mark.parametrize("number", [8, 10, 12])
def test_a_partial_conversion_is_told(number: int) -> None:
    path = JANUS / f"Partially converted images/SuperScan (HAADF) {number}_corrected.tif"
    counts = count_columns(named(path, "WS2", (), ("Se",)))
    assert "partially converted" in counts.attrs["statement"]
    assert min(count(counts, "S2", one) for one in ("S2", "SSe")) > 50


def test_a_full_conversion_is_told() -> None:
    path = JANUS / "Fully converted images/SuperScan (HAADF) 14_corrected.tif"
    counts = count_columns(named(path, "WS2", (), ("Se",)))
    assert "fully converted" in counts.attrs["statement"]
    assert count(counts, "S2", "S2") < 0.05 * count(counts, "S2", "SSe")


def test_vanadium_in_mos2_is_about_a_percent_of_the_metal() -> None:
    sites = named(MOS2 / "MoS2_stem_Exp-000-2.npy", "MoS2", ("V",), ())
    counts = count_columns(sites)
    metal = int((sites["sublattice"].values == 0).sum())
    # Grown with 1 %; of some 900 places 9, give or take 3.
    assert 0.003 * metal <= count(counts, "Mo", "V") <= 0.03 * metal
    # All around a metal atom is chalcogen, up to three times two: the sublattices are not mixed up.
    found = find_lattice_defects(sites)
    vanadium = np.flatnonzero([name == "(V)_Mo" for name in found.defects["name"].values])
    members = found.members
    for defect in vanadium:
        own = members["species"].values[members["defect"].values == defect].tolist()
        assert own.count("V") == 1
        assert 2 <= own.count("S") == len(own) - 1 <= 6


def test_in_dirty_mos2_the_crystal_is_not_taken_for_defects() -> None:
    """MoS2 001-5 has contamination and dark patches; what it holds is not known."""
    sites = named(MOS2 / "MoS2_stem_Exp-001-5.npy", "MoS2", (), ())
    measured = int((sites["column"].values != "").sum())
    assert measured > 500
    found = find_lattice_defects(sites)
    odd = positions(found.members)[found.members["role"].values != "neighbor"]
    n_odd = len(np.unique(cKDTree(positions(sites)).query(odd)[1]))
    # Vacancies are some percent at most where a layer is still one.
    assert n_odd <= 0.03 * measured
    # No antisites: rarer than vacancies by two orders, so in this field none.
    assert set(found.defects["kind"].values.tolist()) <= {"vacancy"}
