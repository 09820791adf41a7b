"""Real probe spectroscopy against what is known of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import cluster_kmeans
from adatom.correction import (
    conductance_from_current,
    correct_deflection,
    correct_force_baseline,
    correct_intensity,
    correct_lock_in,
    correct_outlier_spectra,
    correct_saturation,
    correct_separation,
    correct_zero_bias,
    mean_from_sweeps,
)
from adatom.curves import (
    Tip,
    estimate_adhesion,
    estimate_loops,
    features_from_curves,
    find_contact,
    fit_indentation,
    map_from_sites,
)
from adatom.io import read_force_curves, read_image, read_spectra, read_spectral_map

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"
FORCE = SPECTRAL / "fd_jpk_maps"
GRID = SPECTRAL / "sts_grid_nanonis/NanonisReader_STS_grid_lockin.3ds"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def loops() -> xr.DataArray:
    return read_spectral_map(SPECTRAL / "beps_pto/BEPS_PTO_50x50.h5").compute()


@pytest.fixture(scope="module")
def lock_in() -> xr.DataArray:
    return read_spectral_map(GRID, dataset="LockinX").compute()


@pytest.fixture(scope="module")
def current() -> xr.DataArray:
    return read_spectral_map(GRID).compute()


def _sizes(classes: xr.Dataset) -> list[int]:
    label = classes["label"].values
    return sorted(np.bincount(label[label >= 0]).tolist(), reverse=True)


def test_the_outliers_of_the_switching_map_are_those_of_the_catalogue(loops: xr.DataArray) -> None:
    found = correct_outlier_spectra(loops)
    is_out = np.isnan(found.spectra.values).all(axis=2)
    assert is_out.sum() == 784
    # "Up to 500 times."
    assert 450 < float(found.strength.max()) < 550


def test_the_remaining_loops_fall_into_no_class_of_one_pixel(loops: xr.DataArray) -> None:
    kept = correct_outlier_spectra(loops).spectra
    for features in (kept, correct_intensity(kept)):
        for n_classes in (2, 3, 4, 5):
            classes = cluster_kmeans(features, n_classes=n_classes).classes
            # One in a hundred of the 1,716 pixels; with outliers the smallest had 2.
            assert _sizes(classes)[-1] >= 17
            assert int((classes["label"] == -1).sum()) == 784


def test_the_median_loop_switches_at_the_voltages_of_the_catalogue(loops: xr.DataArray) -> None:
    median = loops.median(("y", "x")).expand_dims("site").assign_attrs(units="1")
    found = estimate_loops(median).sel(site=0)
    assert 4.8 <= float(found.sel(measure="coercive_up")) <= 5.3
    assert -3.7 <= float(found.sel(measure="coercive_down")) <= -3.2
    assert float(found.sel(measure="explained")) > 0.99


def test_switching_voltages_of_single_pixels_lie_about_those_of_the_median(
    loops: xr.DataArray,
) -> None:
    found = estimate_loops(correct_outlier_spectra(loops).spectra)
    good = found.sel(measure="explained").values > 0.9
    assert good.sum() > 1200
    up, down = (found.sel(measure=f"coercive_{w}").values[good] for w in ("up", "down"))
    assert 4.5 <= np.nanmedian(up) <= 5.5
    assert -3.7 <= np.nanmedian(down) <= -2.7


def test_saturated_samples_of_the_lock_in_are_found_without_being_told(
    lock_in: xr.DataArray, current: xr.DataArray
) -> None:
    found = correct_saturation(lock_in)
    assert int(found.n_saturated.sum()) == 49
    assert int((found.n_saturated > 0).sum()) == 8
    assert int(np.isnan(found.spectra).sum()) == 49
    assert np.isfinite(correct_saturation(current).spectra.values).all()


def test_the_lock_in_follows_the_derivative_of_the_current(
    lock_in: xr.DataArray, current: xr.DataArray
) -> None:
    slope = conductance_from_current(correct_zero_bias(current).spectra).spectra
    found = correct_lock_in(correct_saturation(lock_in).spectra, slope)
    assert float(found.fit.sel(measure="correlation").median()) > 0.95
    # The mean of all rows has hardly any noise: there the two agree within some per cent.
    means = [part.mean(("y", "x")) for part in (found.spectra, slope)]
    assert float(np.sqrt(((means[0] - means[1]) ** 2).mean())) < 0.06 * float(means[1].max())


def test_the_classes_of_the_tunneling_grid_are_of_the_sizes_of_the_catalogue(
    lock_in: xr.DataArray,
) -> None:
    sizes = _sizes(cluster_kmeans(lock_in, n_classes=4).classes)
    np.testing.assert_allclose(sizes, [400, 225, 195, 80], atol=10)
    # Without the saturated samples the few strongest spectra no longer pull a class to themselves.
    sizes = _sizes(cluster_kmeans(correct_saturation(lock_in).spectra, n_classes=4).classes)
    assert sizes[-1] > 50


def test_the_dark_defect_is_one_patch_of_the_class_of_least_conductance(
    lock_in: xr.DataArray,
) -> None:
    spectra = correct_saturation(lock_in).spectra
    label = cluster_kmeans(spectra, n_classes=4).classes["label"].values
    mean = np.nanmean(spectra.values, axis=2)
    least = min(range(4), key=lambda k: mean[label == k].mean())
    y, x = np.unravel_index(mean.argmin(), mean.shape)
    assert (label[y - 1 : y + 2, x - 1 : x + 2] == least).mean() > 0.6


def test_the_height_of_every_spectrum_lies_on_the_same_places(current: xr.DataArray) -> None:
    height = read_image(GRID, dataset="Z")
    for axis in ("y", "x"):
        np.testing.assert_array_equal(height[axis], current[axis])
    assert current.attrs["scan_angle"] == 45.0


def test_a_saturated_current_is_found_at_both_ends_and_its_sweeps_are_joined() -> None:
    file = SPECTRAL / "readers/NanonisReader_BiasSpectroscopy.dat"
    forward, backward = read_spectra(file), read_spectra(file, dataset="Current [bwd]")
    found = correct_saturation(forward)
    # The amplifier ends at 10 nA; the current is within it between -0.4 and 0.4 V.
    known = np.isfinite(found.spectra.values[0])
    assert np.abs(forward["bias"].values[known]).max() < 0.45
    joined = mean_from_sweeps(found.spectra, correct_saturation(backward).spectra)
    assert joined.spectra.shape == forward.shape
    both = np.stack([forward.values[0], backward.values[0]])[:, known]
    mean = joined.spectra.values[0][known]
    assert ((mean >= both.min(axis=0) - 1e-9) & (mean <= both.max(axis=0) + 1e-9)).all()


def _ready(name: str) -> tuple[xr.Dataset, xr.DataArray]:
    curves = read_force_curves(FORCE / name).compute()
    level = correct_force_baseline(correct_deflection(curves)).curves
    contact = find_contact(level)
    return correct_separation(level, contact), contact


@pytest.mark.parametrize("number", [1, 2])
def test_curves_that_are_called_bad_are_flagged_and_not_fitted(number: int) -> None:
    curves, contact = _ready(f"fmt-jpk-fd_map_bad_2013-05-27_{number}.jpk-force-map")
    fault = int(contact.sel(measure="fault")[0])
    assert contact.attrs["faults"][fault] == "no contact"
    modulus = fit_indentation(curves, tip=Tip(radius="2500 nm"))
    assert np.isnan(float(modulus.sel(measure="young_modulus")[0]))


@pytest.mark.parametrize(
    "name",
    [
        "fmt-jpk-fd_map1d_2016-11-07.jpk-force-map",
        "fmt-jpk-fd_map2x2_extracted.jpk-force-map",
        "fmt-jpk-fd_map-data-reference-points.jpk-force-map",
        "fmt-jpk-fd_qi-data-2021.04.13.jpk-qi-series",
    ],
)
def test_curves_with_a_contact_have_it_near_their_closest_third(name: str) -> None:
    curves, contact = _ready(name)
    assert (contact.sel(measure="fault") == 0).all()
    place = contact.sel(measure="contact_height").values
    height = curves["height"].isel(segment=0)
    low, high = height.min("sample").values, height.max("sample").values
    assert (place > low).all()
    assert (place < high).all()
    # Between contact and noise lies no more than a hundredth of the ramp.
    error = contact.sel(measure="contact_height_error").values
    assert (error < 0.02 * (high - low)).all()
    # Approach and retract lie on zero away from the surface, within a tenth of their noise.
    far = curves["force"].where(curves["separation"] > 0.6 * curves["separation"].max("sample"))
    noise = contact.sel(measure="noise").values[:, None]
    assert (np.abs(far.median("sample").values) < noise).all()


def test_tips_that_stick_show_adhesion() -> None:
    curves, _ = _ready("fmt-jpk-fd_map2x2_extracted.jpk-force-map")
    found = estimate_adhesion(curves)
    # Read from the curves by eye: retracts dip 0.2 to 0.6 nN below their baseline.
    assert (
        (found.sel(measure="adhesion_force") > 0.1) & (found.sel(measure="adhesion_force") < 0.8)
    ).all()


def test_a_complete_grid_becomes_a_map_and_an_extract_stays_sites() -> None:
    curves = read_force_curves(FORCE / "fmt-afm-workshop-fd_mapping_16_2018-08-01_13.07.zip")
    level = correct_force_baseline(
        correct_deflection(curves.compute(), sensitivity=50.0, spring_constant=0.5)
    ).curves
    contact = find_contact(level)
    assert map_from_sites(contact).sizes == {"y": 4, "x": 4, "measure": 5}
    aligned = features_from_curves(correct_separation(level, contact))
    assert map_from_sites(aligned).dims == ("y", "x", "separation")
    _, extract = _ready("fmt-jpk-fd_map2x2_extracted.jpk-force-map")
    assert map_from_sites(extract).dims == ("site", "measure")
