"""Real files of formats that RosettaSciIO reads, against their bytes and the catalogue."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import dask.array
import h5py
import numpy as np
import pytest
import xarray as xr

from adatom.errors import ReadError
from adatom.io import (
    read_contents,
    read_data,
    read_diffraction_map,
    read_image,
    read_spectra,
    read_spectral_map,
)
from adatom.schema import notes, pixel_size

DATA = Path(os.environ.get("ADATOM_DATA", ""))
SPECTRAL = DATA / "spectral"
READERS = SPECTRAL / "readers"
RSCIIO = DATA / "imaging/formats/rsciio/rsciio/tests/data"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

Array = np.ndarray[Any, Any]


def test_patterns_of_a_blockfile_are_where_its_header_says() -> None:
    path = RSCIIO / "blockfile/test1.blo"
    content = path.read_bytes()
    (start,) = struct.unpack_from("<I", content, 12)
    frame = 6 + 144 * 144
    # Row 2, column 1 of 3 rows and 2 columns.
    pattern = np.frombuffer(content, "u1", 144 * 144, start + 5 * frame + 6).reshape(144, 144)
    found = read_diffraction_map(path)
    assert isinstance(found.data, dask.array.Array)
    np.testing.assert_array_equal(found.values[2, 1], pattern)
    assert pixel_size(found) == pytest.approx((12.8, 12.8))
    assert found.attrs["beam_energy"] == 200e3


def test_a_bruker_map_has_its_own_pixels_and_aluminum_where_it_belongs() -> None:
    path = SPECTRAL / "eds_bcf_50x50/bcf_v2_50x50px.bcf"
    found = read_spectral_map(path)
    assert isinstance(found.data, dask.array.Array)
    spectrum = found.values.sum(axis=(0, 1))
    # Al K alpha, which is the strongest line: 1486.7 eV, one channel is 10 eV.
    assert found.energy.values[spectrum.argmax()] == pytest.approx(1486.7, abs=12)
    assert pixel_size(found) == pytest.approx((11.808, 11.808), abs=1e-3)
    picture = read_image(path, dataset="Ch 1 [0]")
    assert pixel_size(picture) == pytest.approx((11.808, 12.731), abs=1e-3)
    assert found.attrs["detector"] == "XFlash 6|100"
    assert found.attrs["sample"] == "42"
    assert found.attrs["beam_energy"] == 20e3


def test_a_renishaw_map_is_its_block_of_data_and_its_line_where_the_catalogue_says() -> None:
    path = SPECTRAL / "raman_wdf_map2/renishaw_test_map2.wdf"
    content = path.read_bytes()
    place = content.index(b"DATA")
    values = np.frombuffer(content, "<f4", 400 * 1015, place + 16).reshape(20, 20, 1015)
    found = read_spectral_map(path)
    np.testing.assert_array_equal(found.values, values[..., ::-1])
    mean = found.values.mean(axis=(0, 1))
    assert found.wavelength.values[mean.argmax()] == pytest.approx(357.3, abs=0.1)
    assert found.attrs["laser_wavelength"] == pytest.approx(325.0, abs=1e-3)
    assert found.attrs["detector"] == "Renishaw Centrus 2URV61"


def test_the_picture_of_a_renishaw_microscope_is_in_color() -> None:
    path = SPECTRAL / "raman_wdf_map2/renishaw_test_map2.wdf"
    with pytest.raises(ReadError, match=r'it is a color picture.*channel="luminance"'):
        read_image(path)
    picture = read_image(path, channel="red")
    assert picture.shape == (480, 752)
    assert pixel_size(picture) == pytest.approx((800.14, 806.38), abs=0.01)


def test_a_renishaw_line_is_spectra_30_micrometers_apart() -> None:
    found = read_data(READERS / "renishaw_test_linescan.wdf")
    assert isinstance(found, xr.DataArray)
    assert dict(found.sizes) == {"site": 5, "wavelength": 40}
    assert found["x"].values.tolist() == [0, 30e3, 60e3, 90e3, 120e3]
    assert "spectra lie along a line" in notes(found)[0]


def test_a_streak_image_in_focus_mode_has_no_times() -> None:
    path = READERS / "focus_mode.img"
    content = path.read_bytes()
    (comment,) = struct.unpack_from("<h", content, 2)
    picture = np.frombuffer(content, "<u4", 512 * 672, 64 + comment).reshape(512, 672)
    found = read_spectra(path)
    assert found.dims == ("site", "wavelength")
    # Wavelengths fall in the file.
    np.testing.assert_array_equal(found.values, picture[:, ::-1])


@pytest.mark.parametrize(
    ("name", "step", "first", "last"),
    [
        ("test_hyperspectral.h5", 107597.498, 376.316, 820.883),
        ("sparc-time-correlator.h5", 917.137, -99.999, 162.141),
    ],
)
def test_delmic_maps_keep_their_rows_and_tell_that_y_points_up(
    name: str, step: float, first: float, last: float
) -> None:
    path = READERS / name
    found = read_spectral_map(path)
    with h5py.File(path) as file:
        stored = [
            np.array(group["ImageData/Image"])
            for group in file.values()
            if "ImageData/Image" in group and group["ImageData/Image"].size != 512 * 512
        ]
    (cube,) = [image for image in stored if image.shape[0] * image.shape[1] > 1]
    np.testing.assert_array_equal(found.values, np.moveaxis(cube.squeeze(), 0, -1))
    assert pixel_size(found) == pytest.approx((step, step), abs=1e-3)
    assert found[found.dims[-1]].values[[0, -1]] == pytest.approx([first, last], abs=1e-3)
    assert "y ran downwards" in notes(found)[0]
    assert {"Secondary electrons survey", "Secondary electrons concurrent"} <= set(
        read_contents(path)["name"].values.tolist()
    )


def test_merlin_frames_in_an_archive_are_its_bytes_with_the_last_row_first() -> None:
    path = READERS / "Merlin_navigation4x2_ROI.zip"
    with zipfile.ZipFile(path) as archive:
        content = archive.read("002_4x2_6bit_roi128.mib")
    frame = 384 + 128 * 256
    # Row 1, column 2 of 2 rows and 4 columns.
    pattern = np.frombuffer(content, "u1", 128 * 256, 6 * frame + 384).reshape(128, 256)
    found = read_diffraction_map(path, dataset="002_4x2_6bit_roi128.mib")
    assert dict(found.sizes) == {"y": 2, "x": 4, "k_y": 128, "k_x": 256}
    np.testing.assert_array_equal(found.values[1, 2], pattern[::-1])


def test_two_files_of_velox_in_an_archive_are_told_apart() -> None:
    names = read_contents(RSCIIO / "emd/velox_emd_version11.zip")["name"].values.tolist()
    assert "Test SI 16x16 215 kx.emd: HAADF" in names
    assert {name.split(".emd")[0] for name in names} == {
        "Test SI 16x16 215 kx",
        "Test SI 16x16 ReducedData 215 kx",
    }


def test_decays_of_ingan_keep_their_uneven_times() -> None:
    path = SPECTRAL / "trcl_ingan/InGaN_transient_map.hspy"
    found = read_spectral_map(path)
    with h5py.File(path) as file:
        (signal,) = file["Experiments"].values()
        np.testing.assert_array_equal(found.values, signal["data"])
        np.testing.assert_allclose(found.time.values, signal["axis-2/axis"], rtol=1e-14)
    assert pixel_size(found) == pytest.approx((46.825, 46.825), abs=1e-3)


def test_surfaces_of_mountainsmap_have_their_scale_in_nm() -> None:
    found = read_image(RSCIIO / "digitalsurf/test_surface.sur")
    assert pixel_size(found) == pytest.approx((82.522, 82.522), abs=1e-3)
    scan = read_image(READERS / "SE_Scan_64_64.sur")
    assert scan.shape == (1024, 1024)
    assert pixel_size(scan) == pytest.approx((4.84744, 4.84744), abs=1e-5)


def test_an_absurd_scale_of_a_pattern_is_told() -> None:
    found = read_image(SPECTRAL / "4dstem_pyxem_amorphous/Amorphous.hspy")
    assert found.x.units == "px"
    assert "7.84314e-20 a pixel" in notes(found)[0]
    assert "hard to believe" in notes(found)[0]


def test_what_zarr_could_not_do_at_first_is_no_note() -> None:
    found = read_spectra(READERS / "signal1d_10x100-model.zspy")
    assert dict(found.sizes) == {"site": 10, "channel": 100}
    assert notes(found) == ["the axis 'channel' has no unit in the file"]


def test_dates_of_older_programs_are_iso_too() -> None:
    found = read_spectra(READERS / "EDS_TEM_FePt_nanoparticles.hspy")
    assert found.attrs["date"] == "2014-10-14"


def test_a_map_of_tia_starts_where_its_header_says_in_meters() -> None:
    path = READERS / "16x16-spectrum_image_5x5x4000-not_square_1.ser"
    content = path.read_bytes()
    # Of x and y, in meters: 46 bytes for each dimension, whose texts are "Position" and "meters".
    (x,), (y,) = (struct.unpack_from("<d", content, place) for place in (38, 84))
    found = read_spectral_map(path)
    assert found.attrs["instrument_origin_unit"] == "nm"
    np.testing.assert_allclose(found.attrs["instrument_origin"], [y * 1e9, x * 1e9], rtol=1e-12)
    assert y * 1e9 == pytest.approx(-12.16, abs=0.01)


def test_a_series_that_promises_more_than_its_file_holds_is_refused(tmp_path: Path) -> None:
    content = bytearray(
        (DATA / "spectral/readers/16x16-spectrum_image_5x5x4000-not_square_1.ser").read_bytes()
    )
    # The number of valid elements, 25, becomes a million.
    assert content[18:22] == (25).to_bytes(4, "little")
    content[18:22] = (10**6).to_bytes(4, "little")
    (tmp_path / "a.ser").write_bytes(content)
    with pytest.raises(ReadError, match=r"its header promises an array of shape \(1000000,"):
        read_contents(tmp_path / "a.ser")
