"""Ions of real mass-spectrometry images, of a few pixels each."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from adatom.clustering import choose_n_classes, find_markers
from adatom.correction import correct_intensity, find_mass_peaks, image_from_window
from adatom.decomposition import decompose_pca
from adatom.io import read_spectral_map, read_table
from adatom.schema import notes

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"
TINY = SPECTRAL / "msi_metaspace_tiny/Untreated_3_434_tiny.imzML"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def test_the_ions_of_a_peak_list_hold_nearly_all_of_its_intensity() -> None:
    found = find_mass_peaks(read_spectral_map(TINY, mass_tolerance="3 ppm"))
    table = read_table(TINY)
    sums = np.zeros((4, 2))
    places = (table["pixel_row"].values, table["pixel_column"].values)
    np.add.at(sums, places, table["intensity"].values)
    held = found.spectra.sum("mass_to_charge").values / sums
    # Pixels are stored column by column: each has nearly all of its own, and no other's.
    assert held.min() > 0.99
    assert held.max() <= 1 + 1e-5
    assert found.spectra.sizes["y"] == 4
    assert any("hold 9" in note for note in notes(found.spectra))


def test_the_strongest_ion_is_an_image_of_the_peaks_at_its_mass() -> None:
    table = read_table(TINY)
    spectra = read_spectral_map(TINY, mass_tolerance="3 ppm")
    ions = find_mass_peaks(spectra).peaks
    mass = float(ions["mass_to_charge"][np.argmax(ions["mean"].values)])
    image = image_from_window(spectra, window=(f"{mass} Da", "30 ppm"))
    near = np.abs(table["mass_to_charge"].values / mass - 1) < 30e-6
    sums = np.zeros((4, 2))
    places = (table["pixel_row"].values[near], table["pixel_column"].values[near])
    np.add.at(sums, places, table["intensity"].values[near])
    # Bins of 3 ppm at the ends of the window may differ.
    assert image.values == pytest.approx(sums, rel=0.02)


def test_a_handful_of_pixels_is_too_few_to_choose_classes_from() -> None:
    found = find_mass_peaks(read_spectral_map(TINY, mass_tolerance="3 ppm"))
    shares = correct_intensity(found.spectra, to="sum")
    assert shares.sum("mass_to_charge").values == pytest.approx(np.ones((4, 2)), rel=1e-5)
    scores = decompose_pca(shares, weighting="poisson").scores
    table = choose_n_classes(scores)
    assert table.attrs["n_classes"] == 1
    assert "8 measured rows are too few" in table.attrs["reason"]


def test_a_continuous_file_keeps_its_axis_and_says_so() -> None:
    path = SPECTRAL / "msi_imzml_example/Example_Continuous.imzML"
    found = read_spectral_map(path, mass_tolerance="3 ppm")
    assert found.sizes["mass_to_charge"] == 8399
    assert any("not needed" in note for note in notes(found))


def test_four_matrix_spots_of_profiles_have_ions_that_tell_them_apart() -> None:
    path = SPECTRAL / "msi_matrixtests/MatrixTests_N2.imzML"
    spectra = read_spectral_map(path, mass_tolerance="0.02 Da")
    found = find_mass_peaks(spectra, tolerance="0.1 Da", max_peaks=300)
    assert found.spectra.shape == (4, 1, 300)
    assert found.spectra.notnull().all()
    classes = found.spectra[..., 0].to_dataset(name="label")
    classes["label"] = (("y", "x"), np.array([[0], [0], [1], [1]]))
    table = find_markers(correct_intensity(found.spectra, to="sum"), classes, n_markers=3)
    assert (table["effect_size"].values > 0.8).all()
