"""A tungsten bronze beside its CIF: the columns of the cell are those of the structure."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from adatom.clustering import choose_n_classes, cluster_gaussian_mixture
from adatom.crystallography import compare_columns
from adatom.descriptors import features_from_sites, neighbor_distances
from adatom.errors import NoLatticeError
from adatom.io import read_image, read_structure
from adatom.localization import estimate_columns
from adatom.recipes import Run, open_run, run_recipe
from adatom.simulation import sites_from_structure

DATA = Path(os.environ.get("ADATOM_DATA", ""))
BRONZE = DATA / "imaging/singleorigin"
CIF = BRONZE / "BSSN5137.cif"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@cache
def _run() -> Run:
    folder = Path(mkdtemp(prefix="adatom-cells-"))
    # A part of the image holds some forty cells: enough, and many times as quick.
    file = next(BRONZE.glob("BSSN_DPC_images/*.tif"))
    np.save(folder / "part.npy", read_image(file).values[300:940, 300:940])
    summary = run_recipe(
        "complex_cell",
        [folder / "part.npy"],
        inputs={"structure": [CIF]},
        changes={"expected.zone_axis": "[1, 1, 0]"},
        out=folder / "run",
        n_processes=1,
        reports=False,
    )
    assert summary.is_good, summary.failures
    return open_run(folder / "run")


def test_every_heavy_column_of_the_cif_is_found_and_no_other() -> None:
    state = _run()["compared.columns"]["state"].values
    assert state.tolist() == ["matched"] * 9


def test_columns_lie_where_the_structure_has_them() -> None:
    table, summary = _run()["compared.columns"], _run()["compared.summary"]
    # In nm. Columns are 0.2 nm apart and up; oxygen between two of Nb pulls each by 0.01 nm.
    assert summary["rms"].item() < 0.01
    assert table["distance"].values.max() < 0.015


def test_the_scale_follows_from_the_structure() -> None:
    summary = _run()["compared.summary"]
    # Measured for the catalogue: spacings of 61.7 and 141.7 px are c and a / sqrt(2).
    by_areas = np.sqrt(0.39622 * 1.258761 / np.sqrt(2) / (61.68 * 141.70))
    assert summary["scale"].item() == pytest.approx(by_areas, rel=0.005)
    assert summary["distortion"].item() == pytest.approx(0.03, abs=0.01)


def test_no_class_mixes_inequivalent_columns() -> None:
    summary = _run()["compared.summary"]
    assert summary["n_orbits"].item() == 6
    # p2mm: two mirrors and the turn that they make.
    assert summary["n_operations"].item() == 4
    assert summary["purity"].item() == 1.0


def test_by_surroundings_classes_are_the_inequivalent_columns() -> None:
    # Patches are compared as they stand, so that mirrored columns are two classes; distances
    # to neighbors are alike for both.
    atoms, cell = _run()["atoms"], _run()["cell"]
    around = neighbor_distances(atoms)
    features = features_from_sites(around, of=["neighbor_distance", "amplitude"])
    found = cluster_gaussian_mixture(features, choose_n_classes(features), outliers=False)
    columns = estimate_columns(atoms, cell, found.classes)
    expected = sites_from_structure(read_structure(CIF), zone_axis=(1, 1, 0), field=(3.0, 3.0))
    summary = compare_columns(columns, expected, unseen=("O",)).summary
    assert summary["purity"].item() == 1.0
    assert summary["adjusted_rand_index"].item() > 0.8


def test_the_structure_fits_along_no_other_of_the_main_axes() -> None:
    structure, columns = read_structure(CIF), _run()["columns"]
    right = _run()["compared.summary"]["cost"].item()
    for axis in ((0, 0, 1), (1, 0, 0)):
        expected = sites_from_structure(structure, zone_axis=axis, field=(3.0, 3.0))
        try:
            cost = compare_columns(columns, expected, unseen=("O",)).summary["cost"].item()
        except NoLatticeError:
            continue
        assert cost > 20 * right
