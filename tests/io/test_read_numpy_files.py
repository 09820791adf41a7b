"""Arrays saved by NumPy."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adatom.errors import ReadError
from adatom.io import read_contents, read_image, read_movie, read_spectral_map
from adatom.schema import IMAGE, notes

NUMBERS = ("u1", "<i2", ">i4", "<u2", "<i8", "<f4", ">f4", "<f8")
Array = np.ndarray[Any, Any]


def test_an_image_comes_back_as_it_was_saved(tmp_path: Path, pattern: Array) -> None:
    np.save(tmp_path / "image.npy", pattern)
    image = read_image(tmp_path / "image.npy")
    IMAGE.check(image)
    np.testing.assert_array_equal(image.values, pattern)
    assert image.dtype == np.float32
    assert image.attrs["source"] == "image.npy"


def test_without_a_scale_positions_are_in_px_and_a_note_says_how_to_set_it(
    tmp_path: Path, pattern: Array
) -> None:
    np.save(tmp_path / "image.npy", pattern)
    image = read_image(tmp_path / "image.npy")
    assert image.x.units == "px"
    assert image.x.values.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert notes(image) == ['the file has no scale: set it with pixel_size="... nm"']


def test_a_pixel_size_sets_the_scale(tmp_path: Path, pattern: Array) -> None:
    np.save(tmp_path / "image.npy", pattern)
    image = read_image(str(tmp_path / "image.npy"), pixel_size="20 pm")
    assert image.x.units == "nm"
    np.testing.assert_allclose(image.x.values, 0.02 * np.arange(7))
    assert "was set by hand; the file has no scale" in notes(image)[0]


@pytest.mark.parametrize("size", ["1 d", "-1 nm", "0 nm"])
def test_an_impossible_pixel_size_is_refused(tmp_path: Path, pattern: Array, size: str) -> None:
    np.save(tmp_path / "image.npy", pattern)
    with pytest.raises(ValueError, match="must be a positive length in nm, mm, px"):
        read_image(tmp_path / "image.npy", pixel_size=size)


@given(
    values=hnp.arrays(
        st.sampled_from([np.dtype(code) for code in NUMBERS]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8),
    ),
    fortran=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_all_numbers_keep_value_and_type(
    tmp_path_factory: pytest.TempPathFactory, values: Array, fortran: bool
) -> None:
    path = tmp_path_factory.mktemp("npy") / "image.npy"
    np.save(path, np.asfortranarray(values) if fortran else values)
    image = read_image(path)
    np.testing.assert_array_equal(image.values, values)
    assert image.dtype == values.dtype.newbyteorder("=")


def test_half_floats_widen_exactly_and_masks_count_0_and_1(tmp_path: Path) -> None:
    np.save(tmp_path / "half.npy", np.array([[0.1, 60000]], np.float16))
    np.save(tmp_path / "mask.npy", np.array([[True, False]]))
    half, mask = read_image(tmp_path / "half.npy"), read_image(tmp_path / "mask.npy")
    assert half.dtype == np.float32
    assert half.values.tolist() == [[float(np.float16(0.1)), 60000.0]]
    assert mask.dtype == np.uint8
    assert mask.values.tolist() == [[1, 0]]


def test_complex_numbers_need_a_choice(tmp_path: Path) -> None:
    np.save(tmp_path / "wave.npy", np.array([[3 + 4j, 1j]], np.complex64))
    with pytest.raises(ReadError, match=r'complex.*channel="real".*channel="phase"'):
        read_image(tmp_path / "wave.npy")
    read = {
        c: read_image(tmp_path / "wave.npy", channel=c).values[0] for c in ("real", "imaginary")
    }
    assert read["real"].tolist() == [3, 0]
    assert read["imaginary"].tolist() == [4, 1]
    assert read_image(tmp_path / "wave.npy", channel="magnitude").values.tolist() == [[5, 1]]
    phase = read_image(tmp_path / "wave.npy", channel="phase")
    np.testing.assert_allclose(phase.values, [[np.arctan2(4, 3), np.pi / 2]], rtol=1e-6)


class _Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([_Malicious()], object), allow_pickle=True)
    with pytest.raises(ReadError, match=r"'objects.npy'.*pickled.*allow_pickle=True.*savez"):
        read_image(tmp_path / "objects.npy")


def test_a_plain_pickle_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data.pkl").write_bytes(pickle.dumps(_Malicious()))
    with pytest.raises(ReadError, match="it is a Python pickle, which can run any code"):
        read_contents(tmp_path / "data.pkl")


def test_an_archive_with_one_object_among_arrays_gives_the_arrays(
    tmp_path: Path, pattern: Array
) -> None:
    np.savez(tmp_path / "all.npz", image=pattern, extra=np.array([_Malicious()], object))
    np.testing.assert_array_equal(read_image(tmp_path / "all.npz").values, pattern)


def test_a_pickled_picture_in_an_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", image=np.full((5, 5), _Malicious(), object))
    with pytest.raises(ReadError, match="pickled Python objects"):
        read_image(tmp_path / "all.npz")


def test_records_and_text_are_refused_with_a_remedy(tmp_path: Path) -> None:
    np.save(tmp_path / "records.npy", np.zeros((3, 3), [("a", float), ("b", int)]))
    with pytest.raises(ReadError, match=r"records with fields a, b\. Save one field"):
        read_image(tmp_path / "records.npy")
    np.save(tmp_path / "text.npy", np.full((3, 3), "a"))
    with pytest.raises(ReadError, match="<U1, not numbers"):
        read_image(tmp_path / "text.npy")


def test_an_archive_of_several_images_needs_a_choice(tmp_path: Path, pattern: Array) -> None:
    np.savez_compressed(tmp_path / "two.npz", first=pattern, second=pattern[::-1])
    with pytest.raises(ReadError) as caught:
        read_image(tmp_path / "two.npz")
    assert "0: 'first', image, 5 x 7 float32" in str(caught.value)
    assert "1: 'second', image, 5 x 7 float32" in str(caught.value)
    assert "dataset='first'" in str(caught.value)
    for name in ("second", "1"):
        image = read_image(tmp_path / "two.npz", dataset=name)
        np.testing.assert_array_equal(image.values, pattern[::-1])
        assert image.attrs["dataset"] == "second"
    with pytest.raises(ReadError, match=r"no dataset='third', but\n  0: 'first'"):
        read_image(tmp_path / "two.npz", dataset="third")


def test_coordinates_beside_an_image_do_not_ask_for_a_choice(
    tmp_path: Path, pattern: Array
) -> None:
    np.savez(tmp_path / "both.npz", image=pattern, coordinates=np.zeros((40, 2)))
    image = read_image(tmp_path / "both.npz")
    np.testing.assert_array_equal(image.values, pattern)
    assert "'image' was read; 'coordinates' of the same file" in notes(image)[0]
    assert read_image(tmp_path / "both.npz", dataset="coordinates").shape == (40, 2)


def test_three_dimensions_are_what_is_asked_for_and_a_note_says_so(tmp_path: Path) -> None:
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    np.save(tmp_path / "stack.npy", values)
    movie, found = read_movie(tmp_path / "stack.npy"), read_spectral_map(tmp_path / "stack.npy")
    assert movie.dims == ("frame", "y", "x")
    assert found.dims == ("y", "x", "channel")
    for data in (movie, found):
        assert isinstance(data.data, dask.array.Array)
        np.testing.assert_array_equal(data.values, values)
        assert "the file does not name its axes: they were taken as" in notes(data)[0]


def test_an_image_out_of_a_movie_needs_a_frame(tmp_path: Path) -> None:
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    np.save(tmp_path / "stack.npy", values)
    with pytest.raises(ReadError, match=r"holds no image(.|\n)*3 x 4 x 5(.|\n)*frame=0"):
        read_image(tmp_path / "stack.npy")
    image = read_image(tmp_path / "stack.npy", frame=2)
    np.testing.assert_array_equal(image.values, values[2])
    with pytest.raises(ReadError, match="has 3 frames, frame=3 is not among them"):
        read_image(tmp_path / "stack.npy", frame=3)
    with pytest.raises(ReadError, match="frame=-1"):
        read_image(tmp_path / "stack.npy", frame=-1)


def test_axes_of_one_entry_are_left_out_of_an_image(tmp_path: Path, pattern: Array) -> None:
    np.save(tmp_path / "net.npy", pattern[np.newaxis, :, :, np.newaxis])
    np.testing.assert_array_equal(read_image(tmp_path / "net.npy").values, pattern)
    np.save(tmp_path / "one.npy", pattern[np.newaxis])
    assert read_movie(tmp_path / "one.npy").shape == (1, 5, 7)


def test_a_frame_of_an_image_is_refused(tmp_path: Path, pattern: Array) -> None:
    np.save(tmp_path / "image.npy", pattern)
    with pytest.raises(ReadError, match=r"holds no movie(.|\n)*Read it with read_image"):
        read_image(tmp_path / "image.npy", frame=0)


def test_a_lone_spectrum_is_no_image(tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", np.zeros(100))
    with pytest.raises(
        ReadError, match=r"'line', spectra, 100 float64(.|\n)*Read it with read_spectra"
    ):
        read_image(tmp_path / "line.npy")


def test_results_do_not_depend_on_the_folder(tmp_path: Path, pattern: Array) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "image.npy", pattern)
    one, other = (read_image(tmp_path / folder / "image.npy") for folder in ("a", "b"))
    assert one.identical(other)


@pytest.mark.parametrize("cut", [1, 5, 11, 60, 127, 128, 200])
def test_a_cut_off_file_is_a_read_error(tmp_path: Path, pattern: Array, cut: int) -> None:
    buffer = io.BytesIO()
    np.save(buffer, pattern)
    (tmp_path / "cut.npy").write_bytes(buffer.getvalue()[:cut])
    with pytest.raises(ReadError, match=r"cannot read 'cut\.npy'"):
        read_image(tmp_path / "cut.npy")


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(
    tmp_path: Path,
) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    text = header.encode().ljust(117) + b"\n"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + b"\x76\x00" + text + b"0" * 80)
    with pytest.raises(ReadError, match=r"shape \(1000000, 1000000\), 8000000000000 bytes, but"):
        read_image(tmp_path / "huge.npy")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    text = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + b"\x76\x00" + text + bytes(10**6))
    with pytest.raises(ReadError, match="promises an array"):
        read_contents(tmp_path / "bomb.npz")


def test_a_changed_byte_in_an_archive_is_found(tmp_path: Path, pattern: Array) -> None:
    np.savez(tmp_path / "a.npz", image=pattern)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(pattern.tobytes()) + 20] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ReadError, match="Bad CRC-32"):
        read_image(tmp_path / "a.npz")


def test_bytes_after_the_array_are_told(tmp_path: Path, pattern: Array) -> None:
    buffer = io.BytesIO()
    np.save(buffer, pattern)
    (tmp_path / "long.npy").write_bytes(buffer.getvalue() + b"abc")
    assert "3 bytes follow the array in long.npy" in notes(read_image(tmp_path / "long.npy"))[0]


def test_of_several_pictures_beside_coordinates_a_picture_is_suggested(
    tmp_path: Path, pattern: Array
) -> None:
    np.savez(tmp_path / "three.npz", atoms=np.zeros((40, 2)), first=pattern, second=pattern)
    with pytest.raises(ReadError, match=r"Choose one, such as dataset='first'"):
        read_image(tmp_path / "three.npz")
