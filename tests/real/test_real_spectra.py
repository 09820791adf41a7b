"""Real spectra, corrected, decomposed and clustered, against what is known of them."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import xarray as xr

from adatom.clustering import cluster_kmeans
from adatom.correction import (
    correct_intensity,
    correct_power_law,
    correct_spikes,
    image_from_window,
)
from adatom.decomposition import decompose_pca, estimate_abundances, find_endmembers
from adatom.io import read_image, read_spectral_map
from adatom.numerics.scores import adjusted_rand_index

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def samson() -> dict[str, Array]:
    return {
        name: np.asarray(values)
        for name, values in scipy.io.loadmat(SPECTRAL / "samson/samson_dataset.mat").items()
        if not name.startswith("__")
    }


@pytest.fixture(scope="module")
def pixels(samson: dict[str, Array]) -> xr.DataArray:
    return xr.DataArray(samson["Y"].T.copy(), dims=("site", "channel"), attrs={"units": "1"})


def test_classes_of_the_shapes_of_samson_are_its_materials(
    samson: dict[str, Array], pixels: xr.DataArray
) -> None:
    truth = samson["A"].argmax(axis=0)
    for seed in range(3):
        found = cluster_kmeans(correct_intensity(pixels), n_classes=3, seed=seed)
        assert adjusted_rand_index(found.classes["label"].values, truth) >= 0.91


def _mean_angle(found: Array, truth: Array) -> float:
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (found, truth)]
    angles = np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))
    orders = itertools.permutations(range(len(truth)))
    return float(min(np.mean([angles[k, j] for k, j in enumerate(order)]) for order in orders))


def test_the_endmembers_of_samson_are_near_the_reference_in_every_seed(
    samson: dict[str, Array], pixels: xr.DataArray
) -> None:
    for seed in range(20):
        found = find_endmembers(pixels, n_endmembers=3, seed=seed)
        assert _mean_angle(found.spectra.values, samson["M"].T) <= 0.08


def test_the_reference_abundances_of_samson_are_those_of_its_convention(
    samson: dict[str, Array], pixels: xr.DataArray
) -> None:
    pure = xr.DataArray(samson["M"].T.copy(), dims=("component", "channel"), attrs={"units": "1"})
    found = estimate_abundances(pixels, pure, normalize=True).abundances.values
    assert np.sqrt(np.mean((found - samson["A"].T) ** 2)) <= 0.01


def test_the_map_of_copper_follows_the_dark_field_image() -> None:
    spectra = read_spectral_map(SPECTRAL / "eels_cuzn/CuZn_EELS_mapping_tutorial.hspy")
    image = read_image(SPECTRAL / "eels_cuzn/CuZn_HAADF.hspy")
    # The range and the window are of copper's L edge at 931 eV, whatever the map.
    left = correct_power_law(correct_spikes(spectra).spectra, fit_range=("780 eV", "920 eV"))
    copper = image_from_window(left, window=("931 eV", "1000 eV"))
    assert np.corrcoef(copper.values.ravel(), image.values.ravel())[0, 1] >= 0.78


def test_the_spikes_of_the_luminescence_map_are_found() -> None:
    spectra = read_spectral_map(SPECTRAL / "cl_lumispy/asymmetric_peak_map.hspy").compute()
    changed = (correct_spikes(spectra).spectra.values != spectra.values).any(axis=2)
    # The catalogue counts about 28 of 480 pixels.
    assert 24 <= changed.sum() <= 34


def test_as_many_components_as_the_catalogue_tells_rise_above_the_noise_of_counts() -> None:
    spectra = read_spectral_map(SPECTRAL / "eels_cuzn/CuZn_EELS_mapping_tutorial.hspy")
    found = decompose_pca(correct_spikes(spectra.compute()).spectra, weighting="poisson")
    # Two or three beside the mean, which Poisson weights keep.
    assert 2 <= found.model.n_above_noise <= 5
