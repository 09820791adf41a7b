"""What is told of files that hold something else, nothing, or damage."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from adatom.errors import ReadError
from adatom.io import (
    list_formats,
    read_contents,
    read_data,
    read_image,
    read_movie,
    read_sites,
    read_spectral_map,
)
from adatom.io.choosing import chosen_signal
from adatom.io.companions import companion_files
from adatom.io.signals import RawAxis, RawFile, RawSignal
from adatom.schema import TABLE

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.dm3", b"", "the file is empty. Copy it again"),
        ("a.npy", b"version https://git-lfs.github.com/spec/v1\noid", r"Git LFS.*git lfs pull"),
        ("a.xyz", b"hello world", r"format is not known \(ending '.xyz', first bytes b'hello wo'"),
        ("a.json", b'{"a": 1}', "it is JSON text. Give the array file"),
        ("a.tif", b"<!DOCTYPE html><p>", "it is a web page. The download gave a page"),
        ("a.pdf", b"%PDF-1.4", "it is a PDF document"),
        ("a.zip", b"PK\x03\x04 nonsense", "table of contents is damaged"),
        ("a.gz", b"\x1f\x8b\x08", "gzip-compressed. Unpack it first"),
        ("a.emd", b"\x89HDF\r\n\x1a\n", "cannot read 'a.emd'"),
        ("a.dm3", b"\x00\x00\x00\x03", "cannot read 'a.dm3'"),
        ("a.dm4", b"\x00\x00\x00\x04" + bytes(200), "cannot read 'a.dm4'"),
        ("a.ser", b"II\x97\x01" + bytes(30), "cannot read 'a.ser'"),
        ("a.emi", b"JL\x01\x00", "cannot read 'a.emi'"),
        ("a.mrc", bytes(1100), "cannot read 'a.mrc'"),
        ("a.tif", b"II*\x00" + bytes(8), "cannot read 'a.tif'"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "cannot read 'a.png'"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "cannot read 'a.jpg'"),
        ("a.zspy", b"nothing", "cannot read 'a.zspy'"),
    ],
)
def test_a_file_that_is_no_measurement_is_named_with_reason_and_remedy(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (read_contents, read_image, read_movie, read_spectral_map):
        with pytest.raises(ReadError, match=message) as caught:
            read(tmp_path / name)
        assert str(tmp_path) in str(caught.value)


def test_a_zip_of_other_things_lists_them(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("data.emd", b"x")
    with pytest.raises(ReadError, match=r"zip archive of data\.emd\. Unpack it first"):
        read_image(tmp_path / "a.zip")


def test_a_missing_file_names_its_likeness(tmp_path: Path) -> None:
    (tmp_path / "image.tif").write_bytes(b"x")
    with pytest.raises(ReadError, match=r"no such file\. There is image\.tif"):
        read_image(tmp_path / "Image.tiff")
    with pytest.raises(ReadError, match=r"no such file\. There is no folder"):
        read_image(tmp_path / "elsewhere" / "image.tif")


def test_the_error_of_the_library_is_the_cause(tmp_path: Path) -> None:
    (tmp_path / "a.dm3").write_bytes(b"\x00\x00\x00\x03" + bytes(10))
    with pytest.raises(ReadError) as caught:
        read_image(tmp_path / "a.dm3")
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value, OSError)


def test_contents_tell_name_kind_shape_axes_and_scale(
    write_hspy: Callable[..., Path], axis: Any, pattern: Array
) -> None:
    path = write_hspy(pattern, axis("y", "um", 0.5), axis("x", "um", 0.25))
    table = read_contents(path)
    TABLE.check(table)
    row = {str(name): column.item() for name, column in table.data_vars.items()}
    assert row == {
        "name": "HAADF",
        "kind": "image",
        "shape": "5 x 7",
        "dtype": "float32",
        "axes": "y, x",
        "units": "um, um",
        "scale": "0.5, 0.25",
        "pixel_size": "500 x 250 nm",
    }
    assert table.attrs == {"source": "file.hspy", "format": "HyperSpy HDF5"}


def test_contents_of_arrays_are_told_without_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "a.npz", image=np.zeros((5, 7)), movie=np.zeros((9, 5, 7), "u1"))
    monkeypatch.setattr(np.lib.format, "read_array", None)
    table = read_contents(tmp_path / "a.npz")
    assert table["kind"].values.tolist() == ["image", "movie or spectral map"]
    assert table["pixel_size"].values.tolist() == ["px", ""]


def test_formats_are_listed() -> None:
    table = list_formats()
    TABLE.check(table)
    assert table.sizes["row"] >= 10
    assert all(table["reader"].values)


def test_a_ser_file_depends_on_its_emi(tmp_path: Path) -> None:
    for name in ("scan.emi", "scan_1.ser", "scan_2.ser", "other_1.ser"):
        (tmp_path / name).write_bytes(b"x")
    expected = ["scan.emi", "scan_1.ser", "scan_2.ser"]
    assert [file.name for file in companion_files(tmp_path / "scan_1.ser")] == expected
    assert [file.name for file in companion_files(tmp_path / "scan.emi")] == expected


def test_importing_io_loads_nothing_heavy() -> None:
    code = (
        "import sys, adatom.io; "
        "print(*{'numpy', 'xarray', 'rsciio', 'h5py', 'PIL', 'dask'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == ""


def _written(kind: str) -> bytes:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 200, (12, 10), np.uint8)
    buffer = io.BytesIO()
    if kind == "npy":
        np.save(buffer, values)
    elif kind == "npz":
        np.savez_compressed(buffer, image=values)
    elif kind == "tif":
        tifffile.imwrite(buffer, values, compression="zlib", metadata={"unit": "nm"})
    elif kind == "hdf5":
        with h5py.File(buffer, "w") as file:
            # Text of fixed length: the HDF5 library can hang on a damaged heap of texts,
            # where no caller can stop it.
            file["image_data"] = values
            file["metadata"] = np.bytes_(b'{"scan size": "2"}')
    else:
        Pillow.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


WRITTEN = {kind: _written(kind) for kind in ("npy", "npz", "tif", "hdf5", "png", "jpeg")}


def _read_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        image = read_image(path)
    except ReadError as refusal:
        text = str(refusal)
    else:
        text = f"read {path.name}"
        assert image.dims == ("y", "x")
    assert path.name in text


# Not random: C libraries read these in the process of the tests.
damage = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("kind", WRITTEN)
@given(picked=st.data())
@damage
def test_changed_bytes_give_an_image_or_a_read_error(
    tmp_path: Path, kind: str, picked: st.DataObject
) -> None:
    content = bytearray(WRITTEN[kind])
    places = st.integers(0, len(content) - 1)
    for place in picked.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = picked.draw(st.integers(0, 255))
    _read_or_refuse(tmp_path / f"a.{kind}", bytes(content))


@pytest.mark.parametrize("kind", WRITTEN)
@given(share=st.floats(0.0, 1.0))
@damage
def test_cut_files_give_an_image_or_a_read_error(tmp_path: Path, kind: str, share: float) -> None:
    content = WRITTEN[kind]
    _read_or_refuse(tmp_path / f"a.{kind}", content[: int(len(content) * share)])


@given(
    content=st.binary(max_size=300), head=st.sampled_from([b"", *(w[:8] for w in WRITTEN.values())])
)
@damage
def test_noise_is_refused(tmp_path: Path, content: bytes, head: bytes) -> None:
    _read_or_refuse(tmp_path / "noise", head + content)


def test_a_channel_is_chosen_where_the_error_names_it(tmp_path: Path) -> None:
    np.save(tmp_path / "wave.npy", np.full((3, 4), 3 + 4j))
    with pytest.raises(ReadError, match=r'complex\. Choose one of .*channel="magnitude"'):
        read_data(tmp_path / "wave.npy")
    magnitude = read_image(tmp_path / "wave.npy", channel="magnitude")
    xr.testing.assert_identical(read_data(tmp_path / "wave.npy", channel="magnitude"), magnitude)
    assert float(magnitude.max()) == 5.0
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ReadError, match=r"it holds table\. Leave channel out"):
        read_data(tmp_path / "table.csv", channel="red")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("https://example.org/scan.sxm", r"it is an address\. Download the file"),
        ("file:///scan.sxm", r"it is an address\. Download the file"),
        ("~/no such folder/scan.sxm", r"'~' is understood by shells only\. Write '/"),
        ("pictures/*.png", r"no such file\. Give one file, or a folder of pictures"),
    ],
)
def test_paths_that_other_programs_understand_are_explained(path: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read_image(path)


def test_links_to_nothing_and_empty_folders_are_told(tmp_path: Path) -> None:
    (tmp_path / "link.sxm").symlink_to("gone.sxm")
    with pytest.raises(ReadError, match=r"a link to 'gone\.sxm', where there is nothing"):
        read_image(tmp_path / "link.sxm")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReadError, match="it is an empty folder"):
        read_image(tmp_path / "folder")
    (tmp_path / "folder/scan.sxm").write_bytes(b"x")
    (tmp_path / "folder/notes").mkdir()
    with pytest.raises(ReadError, match=r"it is a folder\. Give a file in it, such as "):
        read_image(tmp_path / "folder")


def test_a_note_of_many_datasets_with_long_names_stays_short(tmp_path: Path) -> None:
    names = [f"current of the sweep that was measured as number {n}" for n in range(30)]
    parts = [RawSignal(np.eye(4), (RawAxis("y"), RawAxis("x")), name) for name in names]
    parts[0] = replace(parts[0], preferred="the first was read")
    chosen = chosen_signal(RawFile(tmp_path / "many.zip", "npz", [*parts]), None, ("image",))
    (note,) = chosen.notes
    assert note.startswith(f"the first was read; dataset= reads the others: {names[1]!r}, ")
    assert note.endswith(" and 25 more")
    assert len(note) < 320


def test_axes_without_names_are_left_blank_in_a_table_of_contents(tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((4, 5)))
    contents = read_contents(tmp_path / "plain.npy")
    assert contents["axes"].values.tolist() == contents["units"].values.tolist() == [""]


def test_a_matrix_that_is_asked_for_as_sites_or_map_names_the_setting(tmp_path: Path) -> None:
    np.save(tmp_path / "atoms.npy", np.arange(20.0).reshape(10, 2))
    with pytest.raises(ReadError, match=r'say what the columns are, such as columns="x, y"'):
        read_sites(tmp_path / "atoms.npy")
    assert read_sites(tmp_path / "atoms.npy", columns="x, y").sizes == {"site": 10}
    np.save(tmp_path / "spectra.npy", np.arange(60.0).reshape(6, 10))
    with pytest.raises(ReadError, match=r'say grid="40 x 50 column-major" or row-major'):
        read_spectral_map(tmp_path / "spectra.npy")
    assert read_spectral_map(tmp_path / "spectra.npy", grid="2 x 3 row-major").shape == (2, 3, 10)
