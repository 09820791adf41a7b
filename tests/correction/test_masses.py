"""Ions found in simulated mass spectra, against the molecules that were put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from mass_files import write_peaks

from adatom.correction import correct_intensity, find_mass_peaks, image_from_window
from adatom.errors import KindError, SettingError, UnitError
from adatom.io import read_spectral_map
from adatom.schema import notes
from adatom.simulation import MassSimulation, MassSpectrometer, simulate_mass_map

# A short range keeps the bins few.
INSTRUMENT = MassSpectrometer(mass_range=(700.0, 715.0), noise_peaks=2)


@pytest.fixture(scope="module")
def made() -> MassSimulation:
    return simulate_mass_map(size=24, n_molecules=30, spectrometer=INSTRUMENT, seed=3)


@pytest.fixture(scope="module")
def spectra(made: MassSimulation, tmp_path_factory: pytest.TempPathFactory) -> xr.DataArray:
    path = write_peaks(tmp_path_factory.mktemp("masses") / "tissue.imzML", made.peaks)
    return read_spectral_map(path, mass_tolerance="3 ppm")


def _spectra(rows: object, masses: object) -> xr.DataArray:
    values = np.atleast_2d(np.asarray(rows, float))[None]
    axes = {
        "y": ("y", [0.0], {"units": "nm"}),
        "x": ("x", np.arange(float(values.shape[1])), {"units": "nm"}),
        "mass_to_charge": ("mass_to_charge", np.asarray(masses, float), {"units": "Da"}),
    }
    return xr.DataArray(values, dims=tuple(axes), coords=axes)


def test_every_molecule_is_found_once_at_its_mass(
    made: MassSimulation, spectra: xr.DataArray
) -> None:
    found = find_mass_peaks(spectra)
    truth = made.truth["mass_to_charge"].values
    masses = found.peaks["mass_to_charge"].values
    assert len(masses) == len(truth)
    # 576 pixels of 2 ppm: the mean is known to 0.1 ppm.
    assert np.abs(masses / truth - 1).max() < 0.5e-6


def test_no_ion_of_a_peak_is_lost_at_the_border_of_a_bin(
    made: MassSimulation, spectra: xr.DataArray
) -> None:
    found = find_mass_peaks(spectra)
    images = found.spectra.values
    rows, columns = made.peaks["pixel_row"].values, made.peaks["pixel_column"].values
    masses, counts = made.peaks["mass_to_charge"].values, made.peaks["intensity"].values
    for number, mass in enumerate(found.peaks["mass_to_charge"].values):
        # Four standard deviations of the masses; the windows reach five.
        near = np.abs(masses / mass - 1) < 8e-6
        truth = np.zeros((24, 24))
        np.add.at(truth, (rows[near], columns[near]), counts[near])
        assert np.mean(np.abs(images[..., number] - truth) > 0.5) < 0.01


def test_what_was_left_out_is_told(spectra: xr.DataArray) -> None:
    found = find_mass_peaks(spectra)
    (told,) = [note for note in notes(found.spectra) if "peaks within 10 ppm" in note]
    assert told.startswith("30 peaks within 10 ppm hold 9")
    strongest = find_mass_peaks(spectra, max_peaks=5)
    assert strongest.spectra.sizes["mass_to_charge"] == 5
    assert any("25 weaker ones" in note for note in notes(strongest.spectra))
    assert strongest.peaks["mean"].values.min() >= np.sort(found.peaks["mean"].values)[-5]


def test_two_peaks_nearer_than_two_tolerances_share_no_channel() -> None:
    masses = 700 + 0.001 * np.arange(200)
    rows = np.zeros(200)
    rows[[100, 110]] = 50.0, 30.0
    found = find_mass_peaks(_spectra(rows, masses), tolerance="0.008 Da")
    assert found.peaks["mass_to_charge"].values == pytest.approx(masses[[100, 110]])
    assert found.spectra.values.ravel() == pytest.approx([50.0, 30.0])


def test_peaks_of_profiles_rise_above_the_noise_of_their_baseline() -> None:
    rng = np.random.default_rng(2)
    masses = 500 + 0.01 * np.arange(20_000)
    profile = 20 + 5 * np.sin(masses / 30)
    lines = (520.0, 571.3, 640.02)
    for line in lines:
        profile = profile + 40 * np.exp(-(((masses - line) / 0.03) ** 2) / 2)
    rows = rng.poisson(profile, (40, len(masses)))
    found = find_mass_peaks(_spectra(rows, masses), tolerance="0.09 Da")
    assert found.peaks["mass_to_charge"].values == pytest.approx(lines, abs=0.01)


def test_the_result_does_not_depend_on_chunks(spectra: xr.DataArray) -> None:
    whole = spectra.compute()
    lazy = whole.chunk(y=7, x=5, mass_to_charge=900)
    assert find_mass_peaks(whole).spectra.identical(find_mass_peaks(lazy).spectra)


def test_pixels_that_were_not_measured_stay_unmeasured() -> None:
    rows = np.zeros((3, 40))
    rows[:, 20] = 5.0, 6.0, 7.0
    rows[1, :] = np.nan
    found = find_mass_peaks(_spectra(rows, 700 + 0.004 * np.arange(40)))
    assert np.isnan(found.spectra.values.ravel()).tolist() == [False, True, False]
    assert found.peaks["share"].values.tolist() == [1.0]


def test_a_tolerance_finer_than_the_channels_is_refused() -> None:
    with pytest.raises(SettingError, match=r"from channel to channel"):
        find_mass_peaks(_spectra(np.ones(50), 700 + 0.1 * np.arange(50)), tolerance="5 ppm")


def test_a_tolerance_without_unit_of_mass_is_refused() -> None:
    with pytest.raises(UnitError, match='write "10 ppm"'):
        find_mass_peaks(_spectra(np.ones(50), 700 + 0.001 * np.arange(50)), tolerance="5 nm")


def test_an_axis_that_is_no_mass_is_refused() -> None:
    spectra = _spectra(np.ones(50), 700 + 0.001 * np.arange(50))
    spectra["mass_to_charge"].attrs["units"] = "eV"
    with pytest.raises(KindError, match="rising masses above zero in Da"):
        find_mass_peaks(spectra)


def test_empty_spectra_have_no_peak() -> None:
    with pytest.raises(SettingError, match="no peak rises"):
        find_mass_peaks(_spectra(np.zeros(50), 700 + 0.001 * np.arange(50)))


def test_an_ion_image_is_a_mass_and_parts_per_million_around_it(spectra: xr.DataArray) -> None:
    mass = float(find_mass_peaks(spectra).peaks["mass_to_charge"][3])
    image = image_from_window(spectra, window=(f"{mass} Da", "10 ppm")).values
    axis = spectra["mass_to_charge"].values
    inside = np.abs(axis / mass - 1) <= 10e-6
    assert np.allclose(image, spectra.values[..., inside].sum(axis=-1))
    assert np.allclose(
        image_from_window(spectra).values, spectra.values.sum(axis=-1, dtype=float), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("to", "expected"),
    [("sum", [0.1, 0, 0.3, 0.6]), ("median", [1 / 3, 0, 1, 2]), ("rms", [2, 0, 6, 12])],
)
def test_intensities_are_brought_to_a_common_measure(to: str, expected: list[float]) -> None:
    rows = xr.DataArray([[1.0, 0.0, 3.0, 6.0], [0.0] * 4], dims=("site", "mass"))
    found = correct_intensity(rows, to=to)  # type: ignore[arg-type]
    scale = np.sqrt(46.0) if to == "rms" else 1.0
    assert found.values[0] == pytest.approx(np.array(expected) / scale)
    assert np.isnan(found.values[1]).all()


def test_files_read_back_as_they_were_written(made: MassSimulation, tmp_path: Path) -> None:
    found = read_spectral_map(write_peaks(tmp_path / "a.imzML", made.peaks), mass_tolerance="1 Da")
    total = np.zeros((24, 24))
    places = (made.peaks["pixel_row"].values, made.peaks["pixel_column"].values)
    np.add.at(total, places, made.peaks["intensity"].values)
    assert found.sum("mass_to_charge").values == pytest.approx(total)
    assert float(found.x[1]) == 50_000.0
