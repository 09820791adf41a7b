"""Maps of pycroscopy, WITec's text and an object of R, against the catalogue."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from adatom.io import read_contents, read_image, read_spectra, read_spectral_map
from adatom.schema import notes, pixel_size

DATA = Path(os.environ.get("ADATOM_DATA", ""))
PFM = DATA / "imaging/afm_pfm_dtmicroscope/data/AFM/PMN28Pt0001.h5"
LOOPS = DATA / "spectral/beps_pto/BEPS_PTO_50x50.h5"
WITEC = DATA / "spectral/raman_witec_map"
PARACETAMOL = DATA / "spectral/readers/paracetamol.rda"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def test_channels_of_piezoresponse_are_called_what_they_measure() -> None:
    table = read_contents(PFM)
    assert table.attrs["format"] == "NSID of sidpy"
    assert table["name"].values.tolist() == [
        "HeightRetrace", "AmplitudeRetrace", "DeflectionRetrace", "PhaseRetrace",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "unit", "low", "high"),
    [
        ("HeightRetrace", "nm", -721.9, -115.2),
        ("AmplitudeRetrace", "nm", 0.0025, 2.1754),
        ("DeflectionRetrace", "nm", 86.1, 112.9),
        ("PhaseRetrace", "deg", -90, 270),
    ],
)
def test_every_channel_is_two_micrometers_wide(
    name: str, unit: str, low: float, high: float
) -> None:
    image = read_image(PFM, dataset=name)
    assert image.shape == (256, 256)
    assert image.dtype == np.float32
    assert image.attrs["units"] == unit
    assert image.x.attrs["units"] == "nm"
    assert pixel_size(image)[1] * 255 == pytest.approx(2000, rel=1e-4)
    assert [image.min(), image.max()] == pytest.approx([low, high], rel=1e-2)


def test_the_axes_of_the_phase_in_deg_are_told_of() -> None:
    """The trap of the catalogue: its axes say deg."""
    image = read_image(PFM, dataset="PhaseRetrace")
    assert any("x is in deg in the file" in note for note in notes(image))
    with h5py.File(PFM) as file:
        stored = file["Measurement_000/Channel_3/Channel_3/Channel_3"][:]
    np.testing.assert_array_equal(image.values, stored.T)


def test_loops_have_y_first_and_their_own_order_of_voltages() -> None:
    loops = read_spectral_map(LOOPS)
    assert loops.dims == ("y", "x", "bias")
    assert loops.shape == (50, 50, 64)
    assert loops.bias.values.max() == pytest.approx(8.5)
    assert loops.bias.values.min() == pytest.approx(-8.5)
    assert "Voltage turns back: channels are in their own order" in notes(loops)
    with h5py.File(LOOPS) as file:
        stored = file["Channel_000/generic/generic"][:]
    np.testing.assert_array_equal(loops.values, stored.transpose(1, 0, 2))


@pytest.mark.parametrize("name", ["Witec-Map_full.txt", "Witec-Map_label.txt"])
def test_pixels_of_witec_are_those_of_its_other_export(name: str) -> None:
    """The pair x.dat, y.dat holds the same spectra, pixel after pixel."""
    found = read_spectral_map(WITEC / name)
    assert found.shape == (5, 5, 1024)
    other = np.loadtxt(WITEC / "Witec-Map-y.dat").reshape(25, 1024)
    np.testing.assert_allclose(found.values.reshape(25, 1024), other, rtol=1e-5)
    along = found.coords[found.dims[2]].values
    np.testing.assert_allclose(along, np.loadtxt(WITEC / "Witec-Map-x.dat"), rtol=1e-5)
    assert along[[0, -1]] == pytest.approx([87.7, 2821.3], abs=0.1)


def test_only_the_full_table_of_witec_tells_its_units() -> None:
    assert read_spectral_map(WITEC / "Witec-Map_full.txt").wavenumber.attrs["units"] == "1/cm"
    label = read_spectral_map(WITEC / "Witec-Map_label.txt")
    assert any("no row of units" in note for note in notes(label))


def test_paracetamol_has_its_lines() -> None:
    spectra = read_spectra(PARACETAMOL)
    assert spectra.dims == ("site", "wavenumber")
    assert spectra.shape == (1, 4064)
    assert spectra.wavenumber.values[[0, -1]] == pytest.approx([96.79, 3200.07], abs=0.01)
    assert "7 channels have the same wavenumber as the one before" in notes(spectra)
    # The strongest line of paracetamol is at 1324 1/cm by the standard ASTM E1840.
    along = spectra.wavenumber.values
    part = np.where((along > 1200) & (along < 1700), spectra.values[0], 0)
    assert along[np.argmax(part)] == pytest.approx(1324, abs=6)
