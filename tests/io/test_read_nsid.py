"""NSID of sidpy and USID of pycroscopy, told by their own attributes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from written_spectra import CUBE, write_nsid, write_usid

from adatom.errors import ReadError
from adatom.io import read_contents, read_image, read_movie, read_spectra, read_spectral_map
from adatom.schema import notes, pixel_size


def test_nsid_is_told_from_any_hdf5_and_names_what_was_measured(tmp_path: Path) -> None:
    table = read_contents(write_nsid(tmp_path))
    assert table.attrs["format"] == "NSID of sidpy"
    assert table["name"].values.tolist() == ["Piezoresponse", "Height", "Phase"]
    assert table["kind"].values.tolist() == ["spectral map", "image", "image"]


def test_x_before_y_is_turned_around(tmp_path: Path) -> None:
    found = read_spectral_map(write_nsid(tmp_path))
    np.testing.assert_allclose(found.values, CUBE * 1e-3)
    assert found.attrs["units"] == "nm"
    assert pixel_size(found) == pytest.approx((1.0, 2.0))
    assert found.bias.values.tolist() == [0, 1, 0, -1]


def test_an_axis_in_the_unit_of_the_values_is_put_right_by_its_siblings(tmp_path: Path) -> None:
    image = read_image(write_nsid(tmp_path, odd_unit="deg"), dataset="Phase")
    assert image.attrs["units"] == "deg"
    assert pixel_size(image) == pytest.approx((1.0, 2.0))
    assert any("x is in deg in the file: m was taken" in note for note in notes(image))
    np.testing.assert_array_equal(image.values, CUBE[..., 1])


def test_an_axis_of_other_steps_is_not_put_right(tmp_path: Path) -> None:
    path = write_nsid(tmp_path, odd_unit="deg")
    with h5py.File(path, "r+") as file:
        group = file["Measurement_000/Channel_2/Channel_2"]
        group["x"][...] = group["x"][...] * 1.5
    image = read_image(path, dataset="Phase")
    assert image.x.attrs["units"] == "px"


def test_channels_of_one_name_keep_their_paths(tmp_path: Path) -> None:
    path = write_nsid(tmp_path)
    with h5py.File(path, "r+") as file:
        file["Measurement_000/Channel_2/Channel_2/Channel_2"].attrs["quantity"] = "Height"
    names = read_contents(path)["name"].values.tolist()
    assert names[1:] == [f"Measurement_000/Channel_{k}/Channel_{k}/Channel_{k}" for k in (1, 2)]


def test_frames_of_nsid_make_a_movie(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        group = file.create_group("Measurement_000/Channel_000/stack")
        group.attrs["pyNSID_version"] = "0.0.7"
        stack = group.create_dataset("stack", data=CUBE)
        stack.attrs.update(main_data_name="stack", data_type="IMAGE_STACK", units="nm")
        for number, (dim, kind) in enumerate(
            (("t", "TEMPORAL"), ("x", "SPATIAL"), ("y", "SPATIAL"))
        ):
            group[dim] = np.arange(CUBE.shape[number]) * 1.0
            group[dim].attrs.update(units="generic" if dim == "t" else "nm", dimension_type=kind)
            group[dim].make_scale(dim)
            stack.dims[number].label = dim
            stack.dims[number].attach_scale(group[dim])
    movie = read_movie(tmp_path / "stack.h5")
    assert movie.dims == ("frame", "y", "x")
    np.testing.assert_array_equal(movie.values, CUBE.transpose(0, 2, 1))


def test_usid_is_folded_as_its_indices_say(tmp_path: Path) -> None:
    path = write_usid(tmp_path)
    assert read_contents(path).attrs["format"] == "USID of pycroscopy"
    found = read_spectral_map(path)
    assert found.dims == ("y", "x", "bias")
    np.testing.assert_allclose(found.values, CUBE * 1e-3)
    assert found.attrs["units"] == "nA"
    assert found.bias.values.tolist() == [-1, 0, 1, 2]
    assert pixel_size(found) == pytest.approx((1.0, 2.0))


def test_usid_whose_rows_make_no_grid_has_places(tmp_path: Path) -> None:
    found = read_spectra(write_usid(tmp_path, shuffled=True))
    assert found.dims == ("site", "bias")
    rows = np.array([3, 0, 5, 1, 4])
    np.testing.assert_allclose(found.values, CUBE.reshape(6, 4)[rows] * 1e-3)
    np.testing.assert_allclose(found.x.values, rows % 3 * 2.0)
    np.testing.assert_allclose(found.y.values, rows // 3 * 1.0)
    assert any("no full grid" in note for note in notes(found))


def test_channels_of_usid_over_two_dimensions_are_counted_through(tmp_path: Path) -> None:
    path = write_usid(tmp_path)
    with h5py.File(path, "r+") as file:
        group = file["Measurement_000/Channel_000"]
        for name in ("Spectroscopic_Indices", "Spectroscopic_Values"):
            del group[name]
            group[name] = np.array([[0, 1, 0, 1], [0, 0, 1, 1]], np.uint32)
            group[name].attrs["labels"] = np.array(["Frequency", "Bias"], dtype="S")
            group[name].attrs["units"] = np.array(["Hz", "V"], dtype="S")
            group["Raw_Data"].attrs[name] = group[name].ref
    found = read_spectral_map(path)
    assert found.dims == ("y", "x", "channel")
    assert "channels run through Frequency (2), then Bias (2), the first of these fastest" in notes(
        found
    )


def test_tables_of_usid_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_usid(tmp_path)
    with h5py.File(path, "r+") as file:
        group = file["Measurement_000/Channel_000"]
        del group["Position_Indices"]
        group["Position_Indices"] = np.zeros((5, 2), np.uint32)
        group["Raw_Data"].attrs["Position_Indices"] = group["Position_Indices"].ref
    # What is refused as USID is still plain HDF5, which a note tells.
    image = read_image(path, dataset="Measurement_000/Channel_000/Raw_Data")
    assert any("do not fit 6 entries" in note for note in notes(image))
    with pytest.raises(ReadError, match=r"holds no spectral map"):
        read_spectral_map(path)
