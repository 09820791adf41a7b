"""Files that RosettaSciIO reads: order, direction and units of axes, metadata, chatter."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr

from adatom.errors import ReadError
from adatom.io import (
    read_contents,
    read_diffraction_map,
    read_image,
    read_movie,
    read_spectra,
    read_spectral_map,
)
from adatom.io.companions import companion_files
from adatom.schema import notes, pixel_size

Array = np.ndarray[Any, Any]
Write = Callable[..., Path]


def test_an_image_comes_with_scale_and_metadata(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    path = write_hspy(pattern, axis("y", "pm", 20.0), axis("x", "\u00c5", 0.3))
    image = read_image(path)
    np.testing.assert_array_equal(image.values, pattern)
    assert image.dtype == np.float32
    assert pixel_size(image) == pytest.approx((0.02, 0.03))
    assert {name: image.attrs[name] for name in ("title", "date", "instrument", "beam_energy")} == {
        "title": "HAADF",
        "date": "2020-02-03T10:11:12",
        "instrument": "Nion",
        "beam_energy": 60000.0,
    }
    assert image.attrs["units"] == "1"
    assert notes(image) == []
    json.dumps(image.attrs)


@pytest.mark.parametrize("unit", ["A", "\u00c5", "angstrom", "\u212b"])
def test_a_on_a_space_axis_is_angstrom(
    write_hspy: Write, axis: Any, pattern: Array, unit: str
) -> None:
    image = read_image(write_hspy(pattern, axis("y", unit), axis("x", unit)))
    assert pixel_size(image) == pytest.approx((0.1, 0.1))


def test_millimeters_of_a_wafer_stay(write_hspy: Write, axis: Any, pattern: Array) -> None:
    image = read_image(write_hspy(pattern, axis("y", "mm", 2.0), axis("x", "mm", 2.0)))
    assert image.x.units == "mm"
    assert pixel_size(image) == (2.0, 2.0)


def test_the_first_pixel_is_the_origin_and_the_instruments_is_kept(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    axes = axis("y", "um", 0.001, 4.0), axis("x", "um", 0.001, -3.0)
    image = read_image(write_hspy(pattern, *axes))
    assert image.y.values[0] == image.x.values[0] == 0
    assert image.attrs["instrument_origin"] == [4000.0, -3000.0]
    assert image.attrs["instrument_origin_unit"] == "nm"


def test_an_axis_that_runs_downwards_keeps_the_picture_and_is_told(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    image = read_image(write_hspy(pattern, axis("y", "nm", -4.0), axis("x", "nm", 2.0)))
    np.testing.assert_array_equal(image.values, pattern)
    assert pixel_size(image) == (4.0, 2.0)
    assert "y ran downwards in the file: pixels keep their place" in notes(image)[0]


@pytest.mark.parametrize(
    ("units", "note"),
    [
        (("nm", "s"), "y and x in different units (nm and s)"),
        (("", ""), 'if nm are meant, read it with pixel_size="0.25 nm"'),
        (("1/nm", "1/nm"), "the axes are in '1/nm' (0.25 a pixel), which is no length"),
        (("bananas", "bananas"), "the axes are in 'bananas'"),
    ],
)
def test_what_is_no_scale_leaves_px_and_a_note(
    write_hspy: Write, axis: Any, pattern: Array, units: tuple[str, str], note: str
) -> None:
    axes = [axis(name, unit, 0.25) for name, unit in zip(("y", "x"), units, strict=True)]
    image = read_image(write_hspy(pattern, *axes))
    assert image.x.units == "px"
    assert pixel_size(image) == (1.0, 1.0)
    assert note in notes(image)[0]


def test_a_scale_that_nobody_can_believe_is_told(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    image = read_image(write_hspy(pattern, axis("y", "nm", 7e-20), axis("x", "nm", 7e-20)))
    assert "a pixel of 7e-20 nm is hard to believe" in notes(image)[0]


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_a_scale_that_is_none_leaves_px(
    write_hspy: Write, axis: Any, pattern: Array, scale: float
) -> None:
    image = read_image(write_hspy(pattern, axis("y", "nm", scale), axis("x", "nm", scale)))
    assert image.x.units == "px"
    assert "nm, which are no scale" in notes(image)[0]


def _map(axis: Any, order: str) -> tuple[Array, list[Any]]:
    """Make a map of 2 rows, 3 columns and 4 channels with its axes in any order."""
    axes = {
        "y": axis("y", "nm", 1.0, navigate=True),
        "x": axis("x", "nm", 1.0, navigate=True),
        "e": axis("Energy loss", "keV", 0.5, 1.0),
    }
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    return values.transpose(["yxe".index(name) for name in order]), [axes[name] for name in order]


@pytest.mark.parametrize("order", ["yxe", "eyx", "exy", "xye", "yex"])
def test_a_map_is_y_x_energy_whatever_the_file_has_first(
    write_hspy: Write, axis: Any, order: str
) -> None:
    values, axes = _map(axis, order)
    found = read_spectral_map(write_hspy(values, *axes))
    assert found.dims == ("y", "x", "energy")
    assert isinstance(found.data, dask.array.Array)
    np.testing.assert_array_equal(found.values, np.arange(24).reshape(2, 3, 4))
    assert found.dtype == np.int16
    assert found.energy.values.tolist() == [1000, 1500, 2000, 2500]
    assert found.energy.units == "eV"


def test_channels_that_fall_are_turned_around(write_hspy: Write, axis: Any) -> None:
    values, axes = _map(axis, "yxe")
    axes[2] = axis("Energy loss", "eV", -1.0, 10.0)
    found = read_spectral_map(write_hspy(values, *axes))
    assert found.energy.values.tolist() == [7, 8, 9, 10]
    np.testing.assert_array_equal(found.values, values[..., ::-1])


@pytest.mark.parametrize(
    ("name", "unit", "dim", "first", "house"),
    [
        ("Wavelength", "nm", "wavelength", 2.0, "nm"),
        ("Raman shift", "cm^-1", "wavenumber", 2.0, "1/cm"),
        ("Time", "ps", "time", 0.002, "ns"),
        ("Time", "s", "time", 2.0, "s"),
        ("Bias", "mV", "bias", 0.002, "V"),
        ("", "eV", "energy", 2.0, "eV"),
        ("m/z", "", "mass_to_charge", 2.0, "1"),
        ("odd", "", "channel", 2.0, "1"),
    ],
)
def test_the_last_dim_is_named_for_what_is_measured(
    write_hspy: Write, axis: Any, name: str, unit: str, dim: str, first: float, house: str
) -> None:
    values, axes = _map(axis, "yxe")
    axes[2] = axis(name, unit, 1.0, 2.0)
    found = read_spectral_map(write_hspy(values, *axes))
    assert found.dims[-1] == dim
    assert found[dim].values[0] == pytest.approx(first)
    assert found[dim].units == house


def test_a_stack_is_a_movie_not_an_image_nor_a_map(write_hspy: Write, axis: Any) -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    axes = axis("z", "nm", navigate=True), axis("y", "nm"), axis("x", "nm")
    path = write_hspy(values, *axes)
    movie = read_movie(path)
    np.testing.assert_array_equal(movie.values, values)
    assert "time" not in movie.coords
    with pytest.raises(ReadError, match=r"no image(.|\n)*movie, 2 x 3 x 4 float64, axes z, y, x"):
        read_image(path)
    with pytest.raises(ReadError, match=r"no spectral map(.|\n)*Read it with read_movie"):
        read_spectral_map(path)
    np.testing.assert_array_equal(read_image(path, frame=1).values, values[1])


def test_times_of_frames_are_in_s(write_hspy: Write, axis: Any) -> None:
    axes = axis("time", "ms", 20.0, navigate=True), axis("y", "nm"), axis("x", "nm")
    movie = read_movie(write_hspy(np.zeros((3, 4, 5)), *axes))
    np.testing.assert_allclose(movie.time.values, [0, 0.02, 0.04])
    assert movie.time.units == "s"


def test_frames_without_duration_have_no_times(write_hspy: Write, axis: Any) -> None:
    axes = axis("time", "s", 0.0, navigate=True), axis("y", "nm"), axis("x", "nm")
    movie = read_movie(write_hspy(np.zeros((3, 4, 5)), *axes))
    assert "time" not in movie.coords
    assert "the file gives 0 s a frame, which is no time" in notes(movie)


def test_spectra_along_a_line_are_spectra_at_their_distances(write_hspy: Write, axis: Any) -> None:
    values = np.arange(12.0).reshape(3, 4)
    path = write_hspy(values, axis("x", "um", 0.5, 2.0, navigate=True), axis("Energy loss", "eV"))
    with pytest.raises(ReadError, match=r"no image(.|\n)*spectra, 3 x 4(.|\n)*with read_spectra"):
        read_image(path)
    found = read_spectra(path)
    assert found.dims == ("site", "energy")
    np.testing.assert_array_equal(found.values, values)
    # From where the line starts for the instrument.
    assert found.x.values.tolist() == [2000, 2500, 3000]
    assert (found.y == 0).all()
    assert "y is zero" in notes(found)[0]


def test_a_streak_image_is_spectra_in_time(write_hspy: Write, axis: Any) -> None:
    values = np.arange(12.0).reshape(3, 4)
    axes = axis("Wavelength", "nm", 2.0, 400.0), axis("Time", "ps", 0.5)
    found = read_spectra(write_hspy(values, *axes))
    assert found.dims == ("time", "wavelength")
    np.testing.assert_array_equal(found.values, values.T)
    assert found.time.values == pytest.approx([0, 0.0005, 0.001, 0.0015])
    assert found.time.units == "ns"
    assert found.wavelength.values.tolist() == [400, 402, 404]


def _scan_of_patterns(axis: Any) -> tuple[Array, list[Any]]:
    """Make patterns of 4 x 5 px on a scan of 2 rows and 3 columns, with their axes."""
    space = axis("x", "nm", 1.0, navigate=True), axis("y", "nm", 2.0, navigate=True)
    angles = axis("kx", "mrad", 0.1), axis("ky", "mrad", 0.2)
    return np.arange(120.0).reshape(3, 2, 5, 4), [*space, *angles]


def test_patterns_on_a_scan_are_a_diffraction_map(write_hspy: Write, axis: Any) -> None:
    values, axes = _scan_of_patterns(axis)
    found = read_diffraction_map(write_hspy(values, *axes))
    assert found.dims == ("y", "x", "k_y", "k_x")
    assert isinstance(found.data, dask.array.Array)
    np.testing.assert_array_equal(found.isel(y=1, x=2, k_y=3).values, values[2, 1, :, 3])
    assert pixel_size(found) == (2.0, 1.0)


def test_four_axes_are_no_diffraction_map_unless_the_file_says_which_are_scanned(
    write_hspy: Write, axis: Any
) -> None:
    values, axes = _scan_of_patterns(axis)
    told_nothing = [one._replace(navigate=False) for one in axes]
    with pytest.raises(ReadError, match=r"not understood, 3 x 2 x 5 x 4(.|\n)*json beside it"):
        read_diffraction_map(write_hspy(values, *told_nothing))
    streaks = [*axes[:2], axis("Time", "ps"), axis("Wavelength", "nm")]
    with pytest.raises(ReadError, match="not understood, 3 x 2 x 5 x 4"):
        read_diffraction_map(write_hspy(values, *streaks))


def test_steps_below_a_micrometer_are_told_in_nm(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    axes = axis("y", "mm", 2e-3, 5.0), axis("x", "mm", 5e-4)
    image = read_image(write_hspy(pattern, *axes))
    assert pixel_size(image) == pytest.approx((2000.0, 500.0))
    assert image.attrs["instrument_origin"] == [5e6, 0.0]


def test_a_reciprocal_scale_that_nobody_can_believe_is_told(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    image = read_image(write_hspy(pattern, axis("y", "1/nm", 7e-20), axis("x", "1/nm", 7e-20)))
    assert "7e-20 a pixel), which is no length" in notes(image)[0]
    assert "hard to believe" in notes(image)[0]


@pytest.mark.parametrize("size", ["1 nm", "2 px"])
def test_a_pixel_size_by_hand_goes_before_the_files(
    write_hspy: Write, axis: Any, size: str
) -> None:
    values, axes = _map(axis, "yxe")
    found = read_spectral_map(write_hspy(values, *axes), pixel_size=size)
    assert f"{found.x.values[1]:g} {found.x.units}" == size
    assert "the file says 1 nm x 1 nm" in notes(found)[0]


def test_a_known_unit_of_the_values_is_converted(write_hspy: Write, axis: Any) -> None:
    values = np.full((3, 3), 5e-9, np.float32)
    path = write_hspy(values, axis("y", "nm"), axis("x", "nm"), quantity="Height (m)")
    image = read_image(path)
    assert image.attrs["units"] == "nm"
    assert image.dtype == np.float32
    np.testing.assert_allclose(image.values, 5.0, rtol=1e-6)


def test_an_unknown_unit_of_the_values_is_kept_and_told(
    write_hspy: Write, axis: Any, pattern: Array
) -> None:
    path = write_hspy(pattern, axis("y", "nm"), axis("x", "nm"), quantity="Taste (bananas)")
    image = read_image(path)
    assert image.attrs["units"] == "bananas"
    assert "the unit 'bananas' of the values is not known" in notes(image)


def test_the_content_counts_not_the_ending(write_hspy: Write, axis: Any, pattern: Array) -> None:
    path = write_hspy(pattern, axis("y", "nm", 0.5), axis("x", "nm", 0.5))
    path.rename(path.with_suffix(".h5"))
    image = read_image(path.with_suffix(".h5"))
    assert pixel_size(image) == (0.5, 0.5)
    assert read_contents(path.with_suffix(".h5")).attrs["format"] == "HyperSpy HDF5"


def test_zspy_folders_are_read_and_all_their_files_count(tmp_path: Path, pattern: Array) -> None:
    folder = tmp_path / "a.zspy"
    root = zarr.open_group(folder, mode="w", zarr_format=2)
    root.attrs.update(file_format="ZSpy", file_format_version="3.3")
    signal = root.create_group("Experiments/HAADF")
    signal.create_array("data", data=pattern)
    for number, (name, size) in enumerate(zip("yx", pattern.shape, strict=True)):
        group = signal.create_group(f"axis-{number}")
        group.attrs.update(name=name, units="nm", scale=0.5, offset=0.0, size=size, navigate=False)
    signal.create_group("metadata/General").attrs["title"] = "HAADF"
    signal.create_group("original_metadata")
    image = read_image(folder)
    np.testing.assert_array_equal(image.values, pattern)
    assert pixel_size(image) == (0.5, 0.5)
    assert image.attrs["title"] == "HAADF"
    assert len(companion_files(folder)) > 5


def test_emd_of_ncem_is_read(write_hspy: Write, axis: Any, pattern: Array) -> None:
    path = write_hspy(pattern, axis("y", "nm", 0.5), axis("x", "nm", 0.5), name="a.emd")
    image = read_image(path)
    np.testing.assert_array_equal(image.values, pattern)
    assert pixel_size(image) == (0.5, 0.5)


def _mrc(values: Array) -> bytes:
    """Write a picture with pixels of 2 angstrom."""
    rows, columns = values.shape
    header = np.zeros(256, "<i4")
    header[:4] = columns, rows, 1, 1
    header[7:10] = columns, rows, 1
    header.view("<f4")[10:13] = 2.0 * columns, 2.0 * rows, 1.0
    header[16:19] = 1, 2, 3
    content = bytearray(header.tobytes())
    content[208:216] = b"MAP \x44\x44\x00\x00"
    return bytes(content) + values.astype("<i2").tobytes()


def test_mrc_is_read_by_its_content(tmp_path: Path, pattern: Array) -> None:
    (tmp_path / "a.dat").write_bytes(_mrc(pattern))
    image = read_image(tmp_path / "a.dat")
    np.testing.assert_array_equal(image.values, pattern)
    assert pixel_size(image) == pytest.approx((0.2, 0.2))
    (tmp_path / "a.mrc").write_bytes(_mrc(pattern)[:-4])
    with pytest.raises(ReadError, match=r"cannot read 'a\.mrc'"):
        read_image(tmp_path / "a.mrc")


def test_even_the_first_reading_of_a_process_prints_nothing(tmp_path: Path, pattern: Array) -> None:
    movie = tmp_path / "20200101_7_movie.mrc"
    movie.write_bytes(_mrc(pattern))
    (tmp_path / "20200101_7_info.txt").write_text("a line without a value\n", encoding="utf-8")
    code = (
        "import contextlib, sys; from adatom.io import read_image\n"
        "with contextlib.suppress(OSError): read_image(sys.argv[1])"
    )
    run = [sys.executable, "-c", code, str(movie)]
    found = subprocess.run(run, capture_output=True, check=False, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    names = [file.name for file in companion_files(movie)]
    assert names == ["20200101_7_info.txt", "20200101_7_movie.mrc"]


def test_nothing_is_printed_logged_or_warned(
    write_hspy: Write, axis: Any, pattern: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    import rsciio.hspy

    def chatty(*_: object, **__: object) -> list[dict[str, Any]]:
        logging.getLogger("rsciio.hspy").warning("the calibration is old")
        warnings.warn("a line is missing", UserWarning, stacklevel=1)
        warnings.warn("use another function", DeprecationWarning, stacklevel=1)
        return [{"data": pattern, "axes": [{}, {}], "metadata": {}}]

    path = write_hspy(pattern, axis("y", "nm"), axis("x", "nm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsciio.hspy, "file_reader", chatty)
        image = read_image(path)
    assert capfd.readouterr() == ("", "")
    assert "the calibration is old" in notes(image)
    assert "a line is missing" in notes(image)
    assert not any("another function" in note for note in notes(image))


def test_files_are_read_in_threads_alike(write_hspy: Write, axis: Any, pattern: Array) -> None:
    paths = [
        write_hspy(pattern + i, axis("y", "nm"), axis("x", "nm"), name=f"{i}.hspy")
        for i in range(8)
    ]
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(read_image, paths))
    for number, image in enumerate(images):
        np.testing.assert_array_equal(image.values, pattern + number)
