"""Scans, grids and point spectroscopy of Nanonis."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from written_probes import PICTURE, point_text, write_3ds, write_dat, write_sxm, write_zip_of_dat

from adatom.errors import ReadError
from adatom.io import read_contents, read_image, read_spectra, read_spectral_map
from adatom.schema import notes

FLAT = np.zeros((3, 4))
CHANNELS = (("Z", "m"), ("LI_X", "V"), ("Current", "A"), ("Frequency_Shift", "Hz"))


def _told(text: str, found: xr.DataArray) -> bool:
    return any(text in note for note in notes(found))


def test_a_scan_downwards_is_stored_as_on_the_screen(tmp_path: Path) -> None:
    found = read_image(write_sxm(tmp_path))
    np.testing.assert_allclose(found.values, PICTURE * 0.1, rtol=1e-5)
    assert found.attrs["units"] == "nm"
    assert (found.y.values[-1], found.x.values[-1]) == (4, 6)
    assert found.attrs["bias"] == 0.05
    assert found.attrs["scan_angle"] == 59
    assert found.attrs["setpoint"] == "5.0E-10 A"
    assert found.attrs["date"] == "2023-03-31T14:38:44"


def test_a_scan_upwards_begins_with_the_lowest_line(tmp_path: Path) -> None:
    found = read_image(write_sxm(tmp_path, direction="up"))
    np.testing.assert_allclose(found.values, PICTURE[::-1] * 0.1, rtol=1e-5)


def test_the_way_back_begins_at_the_right(tmp_path: Path) -> None:
    blocks = [PICTURE, PICTURE[:, ::-1], FLAT, FLAT]
    found = read_image(write_sxm(tmp_path, blocks=blocks), dataset="Z backward")
    np.testing.assert_allclose(found.values, PICTURE * 1e9)


def test_z_forward_is_read_if_it_changes(tmp_path: Path) -> None:
    assert _told("Z forward was read, as the topography", read_image(write_sxm(tmp_path)))


@pytest.mark.parametrize(
    ("changing", "expected"),
    [
        ({"LI_X", "Current", "Frequency_Shift"}, "Frequency_Shift forward"),
        ({"LI_X", "Current"}, "Current forward"),
        ({"LI_X"}, "LI_X forward"),
    ],
)
def test_at_constant_height_the_channel_that_shows_the_sample_is_read(
    tmp_path: Path, changing: set[str], expected: str
) -> None:
    blocks = [PICTURE if name in changing else FLAT for name, _ in CHANNELS for _ in range(2)]
    found = read_image(write_sxm(tmp_path, channels=CHANNELS, blocks=blocks))
    assert found.attrs["channel"] == expected
    assert _told(f"{expected} was read, as Z is constant", found)


def test_rows_that_were_not_scanned_stay_nan(tmp_path: Path) -> None:
    stopped = PICTURE.copy()
    stopped[2:] = np.nan
    found = read_image(write_sxm(tmp_path, direction="up", blocks=[stopped] * 4))
    assert np.isnan(found.values[0]).all()
    assert np.isfinite(found.values[1:]).all()
    assert _told("1 of 3 rows were not recorded", found)


def test_a_scan_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_sxm(tmp_path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ReadError, match="bytes follow"):
        read_image(path)


def test_a_grid_has_the_sweep_as_axis_and_its_lower_line_at_the_bottom(tmp_path: Path) -> None:
    found = read_spectral_map(write_3ds(tmp_path))
    assert found.dims == ("y", "x", "bias")
    stored = np.arange(60.0).reshape(2, 3, 2, 5)
    # In nA.
    np.testing.assert_allclose(found.values, stored[::-1, :, 0] * 1e9)
    np.testing.assert_allclose(found.bias.values, [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_allclose(found.x.values, [0, 2, 4])
    np.testing.assert_allclose(found.y.values, [0, 2])
    assert found.attrs["scan_angle"] == 45
    back = read_spectral_map(tmp_path / "grid.3ds", dataset="LIX 1 omega [bwd]")
    np.testing.assert_allclose(back.values, stored[::-1, :, 1])


def test_parameters_of_pixels_are_images(tmp_path: Path) -> None:
    found = read_image(write_3ds(tmp_path))
    np.testing.assert_allclose(found.values, [[0.3, 0.4, 0.5], [0, 0.1, 0.2]], rtol=1e-6)
    assert _told("Z was read, the height at which each spectrum was taken", found)


def test_a_sweep_downwards_is_turned_around_with_its_values(tmp_path: Path) -> None:
    found = read_spectral_map(write_3ds(tmp_path, ends=(1.0, -1.0)))
    stored = np.arange(60.0).reshape(2, 3, 2, 5)
    np.testing.assert_allclose(found.sel(bias=1).values, stored[::-1, :, 0, 0] * 1e9)


def test_segments_make_an_axis_of_unequal_steps(tmp_path: Path) -> None:
    key = "Segment Start (V), Segment End (V), Settling (s), Integration (s), Steps (xn)"
    found = read_spectral_map(write_3ds(tmp_path, extra=[f"{key}=-2,-1,1E-3,1E-3,2;0,1,0,0,3"]))
    np.testing.assert_allclose(found.bias.values, [-2, -1, 0, 0.5, 1])


def test_pixels_of_a_stopped_grid_are_nan(tmp_path: Path) -> None:
    found = read_spectral_map(write_3ds(tmp_path, n_pixels=4))
    assert np.isnan(found.values[0, 1:]).all()
    assert np.isfinite(found.values[1]).all()
    assert np.isfinite(found.values[0, 0]).all()
    assert _told("stopped or the file is cut off: 4 of 6 spectra are in it", found)


def test_samples_at_the_end_of_the_converter_are_told(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(6, 2, 5) / 10
    values[0, 1, :3] = 10
    found = read_spectral_map(write_3ds(tmp_path, values=values), dataset="LIX 1 omega [bwd]")
    assert _told("3 samples of LIX 1 omega [bwd] are at 10 V", found)


def test_a_grid_that_promises_far_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = write_3ds(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"3 x 2"', b'"99999 x 99999"'))
    with pytest.raises(ReadError, match="its header promises"):
        read_spectral_map(path)


def test_columns_of_a_point_are_spectra_at_its_place(tmp_path: Path) -> None:
    found = read_spectra(write_dat(tmp_path))
    assert found.dims == ("site", "bias")
    np.testing.assert_allclose(found.values, [[0, 1, 2, 3, 4]])
    np.testing.assert_allclose(found.bias.values, [-1, 0, 1, 2, 3])
    assert found.attrs["units"] == "nA"
    # Nanonis' Y points up.
    assert (float(found.y[0]), float(found.x[0])) == pytest.approx((-2500, 1500))
    assert found.attrs["bias"] == 0.51
    back = read_spectra(tmp_path / "Bias-Spectroscopy001.dat", dataset="Current [bwd]")
    np.testing.assert_allclose(back.values, [[0, -1, -2, -3, -4]])


def test_a_column_that_never_changes_is_not_read_by_default(tmp_path: Path) -> None:
    path = write_dat(tmp_path)
    text = path.read_text()
    for k in range(5):
        text = text.replace(f"\t{k}E-9\t7", "\t1E-9\t7").replace(f"\t7\t{-k}E-9", f"\t{k}\t2E-9")
    path.write_text(text)
    assert read_spectra(path).attrs["channel"] == "Phase"


def test_a_point_without_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="holds a value"):
        read_spectra(write_dat(tmp_path, rows=0))


def test_an_archive_is_one_set_for_each_sweep(tmp_path: Path) -> None:
    path = write_zip_of_dat(tmp_path)
    found = read_spectra(path)
    assert found.dims == ("site", "distance")
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.y.values, [-2, -4])
    np.testing.assert_allclose(found.x.values, [1, 3])
    assert found.attrs["measurements"] == ["Z001", "Z003"]
    assert _told("1 measurements without a value were left out: Z004", found)
    assert _told("Current of 2 of 3 measurements was read", found)
    # Three channels of two sweeps.
    assert read_contents(path).sizes["row"] == 6


def test_texts_of_others_in_an_archive_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "session.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.dat", point_text())
        archive.writestr("b.dat", "Filename\tanother format")
    assert read_spectra(path).shape == (1, 5)
