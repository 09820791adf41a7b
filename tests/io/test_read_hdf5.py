"""HDF5 files without a layout of their own, and those of the graphene images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adatom.errors import ReadError
from adatom.io import read_contents, read_image, read_movie, read_spectral_map
from adatom.schema import notes, pixel_size

Array = np.ndarray[Any, Any]


def test_a_single_image_is_read_wherever_it_lies(tmp_path: Path, pattern: Array) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/down/image"] = pattern
        file["number"] = 3.0
        file["names"] = ["a", "b"]
    image = read_image(tmp_path / "a.h5")
    np.testing.assert_array_equal(image.values, pattern)
    assert image.dtype == np.float32


def test_several_images_need_a_choice_by_name(tmp_path: Path, pattern: Array) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"], file["group/two"] = pattern, pattern + 1
    with pytest.raises(ReadError, match=r"'group/two', image, 5 x 7 float32"):
        read_image(tmp_path / "a.h5")
    image = read_image(tmp_path / "a.h5", dataset="group/two")
    np.testing.assert_array_equal(image.values, pattern + 1)


def test_dimension_scales_give_order_and_units(tmp_path: Path) -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        found = file.create_dataset("map", data=values)
        found.attrs["units"] = "pA"
        axes = {
            "x": ([0, 2e-9], "m"),
            "y": ([5e-9, 6e-9, 7e-9], "m"),
            "bias": ([-1, 0, 1, 0], "V"),
        }
        for number, (name, (along, unit)) in enumerate(axes.items()):
            scale = file.create_dataset(name, data=np.asarray(along, float))
            scale.attrs["units"] = unit
            scale.make_scale(name)
            found.dims[number].attach_scale(scale)
            found.dims[number].label = name
    read = read_spectral_map(tmp_path / "a.h5")
    np.testing.assert_allclose(read.values, values.transpose(1, 0, 2) * 1e-3)
    assert read.attrs["units"] == "nA"
    assert pixel_size(read) == pytest.approx((1.0, 2.0))
    assert read.bias.values.tolist() == [-1, 0, 1, 0]
    assert "bias turns back: channels are in their own order" in notes(read)
    np.testing.assert_allclose(read.attrs["instrument_origin"], [5.0, 0.0])


def test_a_stack_is_read_lazily_and_leaves_no_file_open(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(3, 4, 5))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("stack", data=values, chunks=(1, 4, 5), compression="gzip")
    movie = read_movie(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes())
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        assert file["stack"].shape == (3, 4, 5)
    np.testing.assert_array_equal(movie.values, values)


def test_a_file_without_arrays_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["line"] = np.zeros(5)
    with pytest.raises(ReadError, match="no array of numbers with two or more dimensions"):
        read_contents(tmp_path / "a.h5")


def _experiment(path: Path, values: Array, size: object) -> Path:
    with h5py.File(path, "w") as file:
        file["image_data"] = values
        file["metadata"] = json.dumps(
            {"scan size": size, "acc voltage": 60.0, "sample name": "Graphene"}
        )
    return path


@pytest.mark.parametrize("size", ["7", "7.0", 7, 7.0])
def test_the_scan_size_of_an_experiment_is_in_nm(
    tmp_path: Path, pattern: Array, size: object
) -> None:
    image = read_image(_experiment(tmp_path / "G.hdf5", pattern, size))
    assert pixel_size(image) == pytest.approx((1.0, 1.0))
    assert image.x.units == "nm"
    assert image.attrs["beam_energy"] == 60000.0
    assert image.attrs["sample"] == "Graphene"


@pytest.mark.parametrize("size", ["NA", None, -2, "nan"])
def test_an_experiment_without_scan_size_is_in_px_with_a_note(
    tmp_path: Path, pattern: Array, size: object
) -> None:
    image = read_image(_experiment(tmp_path / "G.hdf5", pattern, size))
    assert image.x.units == "px"
    assert f"the scan size in the file is '{size}': no scale" in notes(image)


@pytest.mark.parametrize("size", [3500, 3500.0, "3500"])
def test_the_scan_size_of_the_defect_library_is_in_pm(
    tmp_path: Path, pattern: Array, size: object
) -> None:
    with h5py.File(tmp_path / "12.hdf5", "w") as file:
        dataset = file.create_dataset("nn_input", data=pattern[np.newaxis, :, :, np.newaxis])
        dataset.attrs["scan size"] = size
        dataset.attrs["metadata"] = json.dumps({"scan size": "2", "acc voltage": "NA"})
        file["defect_coord_0"] = np.full((4, 3), b"1.0", "S32")
    image = read_image(tmp_path / "12.hdf5")
    np.testing.assert_array_equal(image.values, pattern)
    assert pixel_size(image) == pytest.approx((0.5, 0.5))
    assert "beam_energy" not in image.attrs


@pytest.mark.parametrize("cut", [9, 100, 600, 2000])
def test_a_cut_off_file_is_a_read_error(tmp_path: Path, pattern: Array, cut: int) -> None:
    content = _experiment(tmp_path / "G.hdf5", pattern, 7).read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(content[:cut])
    with pytest.raises(ReadError, match=r"cannot read 'cut\.hdf5'.*copy it again"):
        read_image(tmp_path / "cut.hdf5")


def test_an_image_that_cannot_be_in_its_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        file.attrs.update(file_format="HyperSpy", file_format_version="3.3")
        signal = file.create_group("Experiments/big")
        signal.create_dataset("data", shape=(100000, 100000), dtype="f8", chunks=(100, 100))
        for number in range(2):
            group = signal.create_group(f"axis-{number}")
            group.attrs.update(name="", units="", scale=1.0, offset=0.0, size=100000)
        signal.create_group("metadata/General").attrs["title"] = "big"
        signal.create_group("original_metadata")
    with pytest.raises(ReadError, match=r"\(100000, 100000\), 80000000000 bytes, which cannot be"):
        read_image(tmp_path / "a.hspy")


def test_an_empty_dataset_is_refused(tmp_path: Path, pattern: Array) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["full"], file["empty"] = pattern, np.zeros((0, 7))
    with pytest.raises(ReadError, match=r"'empty' of shape \(0, 7\) is empty"):
        read_image(tmp_path / "a.h5", dataset="empty")


def test_names_and_labels_that_are_damaged_do_no_harm(tmp_path: Path, pattern: Array) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[b"caf\xe9"] = pattern
        # The HDF5 library would read the second of one label.
        file[b"caf\xe9"].attrs["DIMENSION_LABELS"] = np.array(["height"], dtype=object)
    assert read_contents(tmp_path / "a.h5")["name"].values.tolist() == [
        "caf\N{REPLACEMENT CHARACTER}"
    ]
    np.testing.assert_array_equal(read_image(tmp_path / "a.h5").values, pattern)
