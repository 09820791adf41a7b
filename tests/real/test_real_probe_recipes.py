"""Shipped recipes on real probe spectroscopy: is it what a microscopist would say?"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from scipy.ndimage import label as connected

from adatom.recipes import Run, check_recipe, open_run, run_recipe, starter_recipe
from adatom.recipes.recipe import parse_recipe

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"
GRID = SPECTRAL / "sts_grid_nanonis/NanonisReader_STS_grid_lockin.3ds"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@cache
def _run(name: str, *files: Path) -> Run:
    out = Path(mkdtemp(prefix="adatom-real-"))
    summary = run_recipe(name, files, out=out, n_processes=1, reports=False)
    assert summary.is_good, summary.failures
    return open_run(out)


@pytest.mark.parametrize("name", ["sts", "current_voltage_map"])
def test_classes_of_tunneling_spectra_show_the_defect_and_none_is_a_pixel(name: str) -> None:
    run = _run(name, GRID)
    found = run["found.classes"]["label"].values
    sizes = np.bincount(found[found >= 0])
    # Recommended are three; the smallest are the bright stripes.
    assert 2 <= len(sizes) <= 6
    assert sizes.min() >= 50
    # The dark defect is the pixel of least conductance, and lies in one patch of its class.
    mean = np.nanmean(run["conductance.spectra"].values, axis=2)
    y, x = np.unravel_index(mean.argmin(), mean.shape)
    patches, _ = connected(found == found[y, x])
    assert (patches == patches[y, x]).sum() >= 20


def test_the_topography_was_read_from_the_same_file_without_being_told() -> None:
    run = _run("sts", GRID)
    np.testing.assert_array_equal(run["topography"]["x"], run["current"]["x"])
    assert run["topography"].attrs["dataset"] == "Z"
    assert run["conductance.spectra"].attrs["units"] == "nA/V"


def test_switching_classes_leave_the_outliers_out_and_are_of_many_pixels() -> None:
    run = _run("beps", SPECTRAL / "beps_pto/BEPS_PTO_50x50.h5")
    found = run["found.classes"]["label"].values
    assert (found == -1).sum() == 784
    assert np.bincount(found[found >= 0]).min() >= 50


def test_a_file_of_bad_curves_runs_to_its_end_and_says_why_there_is_nothing() -> None:
    file = SPECTRAL / "fd_jpk_maps/fmt-jpk-fd_map_bad_2013-05-27_1.jpk-force-map"
    run = _run("force_map", file)
    assert float(run["contact"].sel(measure="fault")[0]) == 1
    for name in ("adhesion", "stiffness", "modulus"):
        assert float(run[name].sel(measure="fault")[0]) == 1
        assert np.isnan(run[name].values[0, 0])


def test_an_elastic_sample_has_one_modulus_for_its_curves() -> None:
    file = SPECTRAL / "readers/fmt-igor-fd_U3_3_p10004.ibw"
    found = _run("force_map", file)["modulus"].isel(site=0)
    # One smooth curve of one elastic material: Hertz explains nearly all of it, and the contact
    # fitted with it lies near the one found before, on the scale of the depth.
    assert float(found.sel(measure="explained")) > 0.99
    depth = float(found.sel(measure="depth"))
    assert abs(float(found.sel(measure="contact_offset"))) < 0.1 * depth


def test_a_saturated_current_has_a_conductance_between_its_ends_only() -> None:
    run = _run("current_voltage", SPECTRAL / "readers/NanonisReader_BiasSpectroscopy.dat")
    conductance = run["conductance.spectra"]
    known = np.isfinite(conductance.values[0])
    assert 20 < known.sum() < 60
    assert (conductance.values[0][known] > 0).all()


def test_a_starter_for_force_curves_is_the_recipe_for_them() -> None:
    file = SPECTRAL / "fd_jpk_maps/fmt-jpk-fd_map1d_2016-11-07.jpk-force-map"
    text = starter_recipe(file)
    assert "curves.find_contact" in text
    check_recipe(parse_recipe(text))
