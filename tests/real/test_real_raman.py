"""Real Raman and luminescence maps against what is known of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import lmfit
import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from adatom.clustering import class_means, cluster_kmeans
from adatom.correction import correct_baseline, correct_intensity, correct_spikes
from adatom.curves import fit_model, image_from_parameters, locate_line
from adatom.io import read_spectra, read_spectral_map

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

Array = np.ndarray[Any, Any]

CELL: Final = "raman_thp1_cell/3D THP1 map 001 L5 (B+R) (Sub BG).mat"


@pytest.fixture(scope="module")
def cell() -> xr.DataArray:
    """Give the spectra of a THP-1 cell as the recipe corrects them."""
    spectra = read_spectral_map(SPECTRAL / CELL, grid="40 x 40 column-major")
    return correct_baseline(correct_spikes(spectra.compute()).spectra).spectra


def _near(spectra: xr.DataArray, place: float) -> Array:
    axis = spectra.coords[spectra.dims[-1]].values
    return np.asarray(spectra.values[..., np.abs(axis - place) < 10].mean(axis=-1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_of_a_cell_are_outside_rim_inside_and_lipid_droplets(
    cell: xr.DataArray, seed: int
) -> None:
    # Four classes are what the catalogue tells; the recipe lets the user say so.
    classes = cluster_kmeans(correct_intensity(cell), n_classes=4, seed=seed).classes
    labels, means = classes["label"].values, class_means(cell, classes)
    by_lipid = _near(means, 1440) / _near(means, 1660)
    droplets = int(np.argmax(by_lipid))
    # The bend of CH2 stands above the amide band in droplets only, and is their highest line.
    assert by_lipid[droplets] > 1.5
    assert np.sort(by_lipid)[-2] < 0.6
    assert means.wavenumber[int(means[droplets].values.argmax())] == pytest.approx(1442, abs=6)
    outside = int(np.argmin(means.values.sum(axis=1)))
    depth = scipy.ndimage.distance_transform_edt(labels != outside)
    depths = {k: float(depth[labels == k].mean()) for k in range(4) if k != outside}
    rim = min(depths, key=depths.__getitem__)
    (inside,) = set(range(4)) - {outside, rim, droplets}
    # A rim two pixels wide around what is five pixels deep; droplets lie within.
    assert depths[rim] < 2.5
    assert depths[inside] > 4
    assert depths[droplets] > 4
    # Phenylalanine at 1004 1/cm tells protein: more inside than in the rim, none outside.
    protein = _near(means, 1004)
    assert protein[inside] > 1.5 * protein[rim] > 3 * protein[outside]
    assert np.bincount(labels.ravel()).min() >= 9


def test_baselines_leave_the_lines_of_silicon_as_high_as_they_are() -> None:
    spectra = read_spectral_map(SPECTRAL / "raman_witec_map/Witec-Map_full.txt").compute()
    corrected = correct_baseline(spectra).spectra
    # Silicon has no line at 1600 1/cm: of a level of 1000 counts nothing is left there.
    assert _near(spectra, 1600).mean() == pytest.approx(1000, rel=0.05)
    assert _near(corrected, 1600).mean() == pytest.approx(0, abs=5)
    level = _near(spectra, 700).mean()
    top = corrected.values.max(axis=-1) / (spectra.values.max(axis=-1) - level)
    assert np.abs(top - 1).max() < 0.03


def test_the_line_at_357_nm_is_found_in_every_pixel_and_by_a_fit_too() -> None:
    spectra = read_spectral_map(SPECTRAL / "raman_wdf_map2/renishaw_test_map2.wdf").compute()
    corrected = correct_baseline(correct_spikes(spectra).spectra).spectra
    line = locate_line(corrected)
    position = image_from_parameters(line, parameter="position").values
    assert np.median(position) == pytest.approx(357.3, abs=0.1)
    # A channel is 0.085 nm: no pixel is off by more than two.
    assert np.abs(position - np.median(position)).max() < 0.2
    fit = fit_model(
        corrected, model="PseudoVoigtModel(prefix='l_')", fit_range=("355 nm", "360 nm")
    )
    assert fit.quality.sel(measure="fit_ok").values.mean() > 0.99
    fitted = fit.parameters.sel(parameter="l_center").values
    assert np.nanmedian(np.abs(fitted - position)) < 0.03


def test_the_band_of_an_asymmetric_map_is_fitted_at_every_pixel_as_lmfit_does() -> None:
    spectra = read_spectral_map(SPECTRAL / "cl_lumispy/asymmetric_peak_map.hspy").compute()
    corrected = correct_baseline(correct_spikes(spectra).spectra, line_width="100 nm").spectra
    fit = fit_model(corrected, model="GaussianModel(prefix='b_') + ConstantModel()")
    assert fit.quality.sel(measure="fit_ok").values.all()
    theirs = lmfit.models.GaussianModel(prefix="b_") + lmfit.models.ConstantModel()
    start = theirs.make_params(b_amplitude=1000, b_center=660, b_sigma=30, c=0)
    axis = corrected.wavelength.values
    rows, ours = corrected.values.reshape(480, -1), fit.parameters.values.reshape(480, -1)
    names = fit.parameters.parameter.values.tolist()
    for number in range(0, 480, 24):
        best = theirs.fit(rows[number].astype(float), start, x=axis)
        for name, parameter in best.params.items():
            value = ours[number, names.index(name)]
            assert abs(value - parameter.value) < 0.01 * parameter.stderr, name


def test_nanoparticles_shine_at_516_nm_where_they_are_and_nowhere_else() -> None:
    spectra = read_spectral_map(SPECTRAL / "cl_lumispy/nanoparticles.hspy").compute()
    corrected = correct_baseline(correct_spikes(spectra).spectra, line_width="100 nm").spectra
    fit = fit_model(corrected, model="GaussianModel(prefix='b_') + ConstantModel()")
    image = image_from_parameters(
        fit.parameters, parameter="b_center", minimum="b_significance > 5"
    )
    bright = corrected.values.sum(axis=-1) > np.median(corrected.values.sum(axis=-1))
    found = np.isfinite(image.values)
    # Half of the pixels lie on the two particles and in their light.
    assert found[bright].mean() > 0.95
    assert np.nanmedian(image.values) == pytest.approx(516, abs=2)
    assert np.nanstd(image.values) < 5


def test_infrared_spectra_with_gaps_keep_them() -> None:
    spectra = read_spectra(SPECTRAL / "nanoir_anasys/PEA_BDA_film.axz")
    corrected = correct_baseline(correct_spikes(spectra).spectra).spectra
    np.testing.assert_array_equal(np.isnan(corrected.values), np.isnan(spectra.values))
