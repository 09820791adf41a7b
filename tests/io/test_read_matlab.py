"""MATLAB files of versions 4, 5 and 7.3, and pixels folded as the user says."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from written_spectra import CUBE, write_mat, write_mat73

from adatom.errors import ReadError, SettingError
from adatom.io import read_contents, read_image, read_spectra, read_spectral_map, read_table
from adatom.io.folding import folded_signal, grid_from_setting
from adatom.io.opening import open_file
from adatom.io.signals import RawSignal
from adatom.schema import notes

Array = np.ndarray[Any, Any]
BOTH = pytest.mark.parametrize("write", [write_mat, write_mat73])


@BOTH
def test_a_cube_is_read_in_the_order_of_matlab(tmp_path: Path, write: Any) -> None:
    found = read_spectral_map(write(tmp_path))
    np.testing.assert_array_equal(found.values, CUBE)


@BOTH
def test_arrays_are_chosen_by_name_through_structs_and_cells(tmp_path: Path, write: Any) -> None:
    inner = {"image": CUBE[..., 0], "about": {"note": "annealed at 500 K", "gain": 2.5}}
    path = write(tmp_path, sample=inner, other=CUBE[..., 1])
    image = read_image(path, dataset="sample.image")
    np.testing.assert_array_equal(image.values, CUBE[..., 0])
    assert image.attrs["variables"] == {
        "sample.about.note": "annealed at 500 K", "sample.about.gain": 2.5,
    }  # fmt: skip
    np.testing.assert_array_equal(read_image(path, dataset="other").values, CUBE[..., 1])


def test_cells_are_counted(tmp_path: Path) -> None:
    cells = np.empty(2, object)
    cells[:] = [CUBE[..., 0], CUBE[..., 1]]
    for path in (
        write_mat(tmp_path, runs=cells),
        write_mat73(tmp_path, runs=[CUBE[..., 0], CUBE[..., 1]]),
    ):
        image = read_image(path, dataset="runs[1]")
        np.testing.assert_array_equal(image.values, CUBE[..., 1])


@BOTH
def test_complex_numbers_stay_complex(tmp_path: Path, write: Any) -> None:
    field = CUBE[..., 0] + 2j * CUBE[..., 1]
    path = write(tmp_path, field=field, inner={"field": field})
    for dataset in ("field", "inner.field"):
        found = read_image(path, dataset=dataset, channel="imaginary")
        np.testing.assert_array_equal(found.values, 2 * CUBE[..., 1])


@BOTH
def test_vectors_of_equal_length_make_a_table(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path, t=np.arange(5.0), v=np.arange(5.0) ** 2, image=CUBE[..., 0])
    table = read_table(path)
    assert set(table) == {"t", "v"}
    assert table["v"].values.tolist() == [0, 1, 4, 9, 16]


# Four bands of six pixels, each pixel down the columns first, as MATLAB unfolds.
BANDS = CUBE.reshape(6, 4, order="F").T


@BOTH
def test_named_sizes_tell_which_side_counts_pixels(tmp_path: Path, write: Any) -> None:
    found = read_spectra(write(tmp_path, Y=BANDS, H=np.uint8(2), W=np.uint8(3)), dataset="Y")
    assert found.dims == ("site", "channel")
    np.testing.assert_array_equal(found.values, BANDS.T)
    assert any('grid="2 x 3 column-major"' in note for note in notes(found))


def test_without_named_sizes_a_matrix_stays_as_it_is(tmp_path: Path) -> None:
    found = read_spectra(write_mat(tmp_path, Y=BANDS))
    np.testing.assert_array_equal(found.values, BANDS)


def test_small_numbers_do_not_overflow(tmp_path: Path) -> None:
    """SciPy keeps 16 x 20 as bytes, whose product would be 64."""
    path = write_mat(tmp_path, Y=np.ones((320, 4)), nRow=np.uint8(16), nCol=np.uint8(20))
    assert read_spectra(path, dataset="Y").attrs["grid_shape"] == [16, 20]


def test_a_vector_of_wavelengths_is_the_axis(tmp_path: Path) -> None:
    along = np.array([400.0, 410, 421, 433])
    path = write_mat(tmp_path, Y=BANDS, H=2.0, W=3.0, wavelength=along)
    found = read_spectra(path, dataset="Y")
    assert found.dims == ("site", "wavelength")
    np.testing.assert_array_equal(found.wavelength.values, along)


def test_pixels_are_folded_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    raw = open_file(write_mat(tmp_path, Y=BANDS))
    (signal,) = raw.parts
    assert isinstance(signal, RawSignal)
    down = folded_signal(raw.path, signal, grid="2 x 3 column-major")
    along = folded_signal(raw.path, signal, grid="2 x 3 row-major")
    np.testing.assert_array_equal(down.values.compute(), CUBE)
    np.testing.assert_array_equal(along.values.compute(), BANDS.T.reshape(2, 3, 4))
    assert [axis.name for axis in down.axes] == ["y", "x", ""]


def test_the_order_of_pixels_is_never_guessed() -> None:
    with pytest.raises(SettingError, match=r'"95 x 80 column-major"'):
        grid_from_setting("95 x 95")


@pytest.mark.parametrize(
    ("grid", "shape", "reason"),
    [
        ("2 x 5 row-major", (4, 6), r"no axis of 'Y', of shape \(4, 6\), has 10 entries"),
        ("2 x 3 row-major", (6, 6), r"both axes of 'Y' have 6 entries"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(
    tmp_path: Path, grid: str, shape: tuple[int, int], reason: str
) -> None:
    raw = open_file(write_mat(tmp_path, Y=np.ones(shape)))
    (signal,) = raw.parts
    assert isinstance(signal, RawSignal)
    with pytest.raises(ReadError, match=reason):
        folded_signal(raw.path, signal, grid=grid)


def test_a_large_array_is_read_when_it_is_needed(tmp_path: Path) -> None:
    path = write_mat(tmp_path, cube=np.ones((64, 64, 64)), logical=np.ones((1200, 1000), bool))
    found = read_spectral_map(path, dataset="cube")
    path.write_bytes(b"")
    assert found.shape == (64, 64, 64)
    with pytest.raises(Exception, match=r"."):
        found.values  # noqa: B018 -- reads


def test_a_large_complex_array_keeps_both_parts(tmp_path: Path) -> None:
    field = np.arange(90_000).reshape(300, 300) * (1 + 0.5j)
    found = read_image(write_mat(tmp_path, field=field), channel="imaginary")
    np.testing.assert_array_equal(found.values, field.imag)


def test_version_4_is_read(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "old.mat", {"image": CUBE[..., 0]}, format="4")
    np.testing.assert_array_equal(read_image(tmp_path / "old.mat").values, CUBE[..., 0])
    assert read_contents(tmp_path / "old.mat").attrs["format"] == "MATLAB up to version 7"


def test_a_variable_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    inner = struct.pack("<II", 14, 2**31) + bytes(4096)
    packed = zlib.compress(inner)
    path = tmp_path / "bomb.mat"
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(ReadError, match=r"cannot be packed into"):
        read_contents(path)


def test_a_size_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.mat"
    scipy.io.savemat(path, {"image": np.ones((300, 7))})
    stored = path.read_bytes()
    at = stored.index(struct.pack("<ii", 300, 7))
    path.write_bytes(stored[:at] + struct.pack("<ii", 2**30, 2**20) + stored[at + 8 :])
    with pytest.raises(ReadError, match=r"promises an array of shape \(1073741824, 1048576\)"):
        read_contents(path)


def test_a_file_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"it holds no arrays of numbers"):
        read_contents(write_mat(tmp_path, note="nothing here"))


def test_sparse_matrices_leave_a_note(tmp_path: Path) -> None:
    sparse = scipy.sparse.csc_array(np.eye(3))
    image = read_image(write_mat(tmp_path, image=CUBE[..., 0], weights=sparse))
    assert any("'weights' was not read" in note for note in notes(image))


def test_a_dataset_of_pls_has_its_axis_and_its_pixels(tmp_path: Path) -> None:
    """WITec writes this object; SciPy can only write it as a struct of the same fields."""
    axisscale = np.empty((2, 2), object)
    axisscale[:] = [[np.zeros((0, 0)), ""], [np.array([100.0, 101, 103, 106]), "rel. 1/cm"]]
    imageaxisscale = np.empty((2, 2), object)
    imageaxisscale[:] = [[np.arange(2) * 0.5, "\xb5m"], [np.arange(3) * 0.5, "\xb5m"]]
    fields = {
        "name": "cell", "data": BANDS.T.astype(np.float32), "imagesize": np.array([2.0, 3.0]),
        "axisscale": axisscale, "imageaxisscale": imageaxisscale, "datasetversion": "6.0",
    }  # fmt: skip
    raw = open_file(write_mat(tmp_path, map1=fields))
    found = read_spectra(raw.path)
    assert found.dims == ("site", "wavenumber")
    assert found.wavenumber.values.tolist() == [100, 101, 103, 106]
    assert found.wavenumber.attrs["units"] == "1/cm"
    np.testing.assert_array_equal(found.values, BANDS.T)
    (signal,) = raw.parts
    assert isinstance(signal, RawSignal)
    folded = folded_signal(raw.path, signal, grid="2 x 3 column-major")
    assert [(axis.scale, axis.unit) for axis in folded.axes[:2]] == [(0.5, "um")] * 2
    np.testing.assert_array_equal(folded.values.compute(), CUBE)
