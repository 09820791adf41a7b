"""Objects of R, written by hand in its serialization."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
from written_spectra import write_r

from adatom.errors import ReadError
from adatom.io import read_contents, read_data, read_image, read_spectra, read_table
from adatom.schema import notes

NIL = struct.pack(">i", 254)


def symbol(name: str) -> bytes:
    return struct.pack(">iii", 1, 0x40009, len(name)) + name.encode()


def text(*entries: str) -> bytes:
    cells = (struct.pack(">ii", 0x40009, len(one)) + one.encode() for one in entries)
    return struct.pack(">ii", 16, len(entries)) + b"".join(cells)


def numbers(values: object, flags: int = 0) -> bytes:
    array = np.asarray(values, float)
    return struct.pack(">ii", 14 | flags, array.size) + array.astype(">f8").tobytes()


def pairs(**values: bytes) -> bytes:
    cells = (struct.pack(">i", 0x402) + symbol(name) + one for name, one in values.items())
    return b"".join(cells) + NIL


def matrix(values: np.ndarray) -> bytes:
    """Write a matrix: R keeps the first index fastest."""
    dims = struct.pack(">ii", 13, 2) + struct.pack(">ii", *values.shape)
    return numbers(values.reshape(-1, order="F"), 0x200) + pairs(dim=dims)


def frame(**columns: bytes) -> bytes:
    head = struct.pack(">ii", 19 | 0x200 | 0x100, len(columns))
    names = {"names": text(*columns), "class": text("data.frame")}
    return head + b"".join(columns.values()) + pairs(**names)


def saved(**objects: bytes) -> bytes:
    return b"RDX2\nX\n" + struct.pack(">iii", 2, 0x030602, 0x020300) + pairs(**objects)


def hyperspec(spectra: np.ndarray, along: np.ndarray, label: str, **columns: bytes) -> bytes:
    labels = struct.pack(">ii", 19 | 0x200, 2) + text(label) + text("x / mu m")
    slots = {
        "wavelength": numbers(along),
        "data": frame(spc=matrix(spectra), **columns),
        "label": labels + pairs(names=text(".wavelength", "x")),
        "class": text("hyperSpec"),
    }
    return struct.pack(">i", 25 | 0x200 | 0x100) + pairs(**slots)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_matrix_is_read_however_it_is_packed(tmp_path: Path, pack: object) -> None:
    path = write_r(tmp_path)
    path.write_bytes(pack(path.read_bytes()))  # type: ignore[operator]
    assert read_contents(path).attrs["format"] == "R: hyperSpec, data frames, matrices"
    np.testing.assert_array_equal(read_image(path).values, [[0, 2, 4], [1, 3, 5]])


def test_an_object_of_saverds_takes_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "image.rds"
    head = b"X\n" + struct.pack(">iii", 2, 0x030602, 0x020300)
    path.write_bytes(head + matrix(np.arange(6.0).reshape(2, 3)))
    assert read_contents(path)["name"].values.tolist() == ["image"]
    np.testing.assert_array_equal(read_image(path).values, np.arange(6.0).reshape(2, 3))


def test_a_data_frame_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "table.RData"
    path.write_bytes(saved(t=frame(dose=numbers([1, np.nan, 3]), name=text("a", "b", "c"))))
    table = read_table(path)
    assert table["dose"].values[[0, 2]].tolist() == [1, 3]
    assert np.isnan(table["dose"].values[1])
    assert table["name"].values.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("label", "dim", "unit"),
    [
        ("wavenumber / cm", "wavenumber", "1/cm"),
        ("lambda / nm", "wavelength", "nm"),
        ("whatever", "channel", "1"),
    ],
)
def test_hyperspec_has_the_axis_that_its_label_tells(
    tmp_path: Path, label: str, dim: str, unit: str
) -> None:
    spectra = np.arange(6.0).reshape(2, 3)
    path = tmp_path / "spectra.rda"
    path.write_bytes(saved(s=hyperspec(spectra, np.array([100.0, 110, 125]), label)))
    found = read_spectra(path)
    assert found.dims == ("site", dim)
    np.testing.assert_array_equal(found.values, spectra)
    assert found[dim].values.tolist() == [100, 110, 125]
    assert found[dim].attrs["units"] == unit


def test_hyperspec_with_x_and_y_has_places(tmp_path: Path) -> None:
    columns = {"x": numbers([1.0, 2.0]), "y": numbers([0.0, 5.0]), "file": text("a", "b")}
    path = tmp_path / "map.rda"
    along = np.array([100.0, 110, 125])
    path.write_bytes(saved(s=hyperspec(np.ones((2, 3)), along, "cm", **columns)))
    found = read_spectra(path)
    assert found.x.values.tolist() == [1000, 2000]
    assert found.y.values.tolist() == [0, 5000]
    assert "columns of 's' not kept: file" in notes(found)


def test_equal_neighbors_on_the_axis_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "joined.rda"
    along = np.array([100.0, 110, 110, 125])
    path.write_bytes(saved(s=hyperspec(np.ones((1, 4)), along, "cm")))
    assert "1 channels have the same wavenumber as the one before" in notes(read_spectra(path))


def test_an_axis_that_turns_back_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "back.rda"
    path.write_bytes(saved(s=hyperspec(np.ones((1, 3)), np.array([100.0, 125, 110]), "cm")))
    with pytest.raises(ReadError, match=r"neither rises nor falls"):
        read_spectra(path)


def test_a_short_text_for_a_huge_sequence_is_refused(tmp_path: Path) -> None:
    """Write 1:1e12 in the compact form of R 3.5: its class, its state, no attributes."""
    klass = struct.pack(">i", 2) + symbol("compact_intseq")
    klass += struct.pack(">i", 2) + symbol("base") + struct.pack(">i", 2)
    klass += struct.pack(">iii", 13, 1, 13) + NIL
    compact = struct.pack(">i", 238) + klass + numbers([1e12, 1, 1]) + NIL
    path = tmp_path / "huge.rda"
    head = b"RDX3\nX\n" + struct.pack(">iiii", 3, 0x030602, 0x030500, 5) + b"UTF-8"
    path.write_bytes(head + pairs(n=compact))
    with pytest.raises(ReadError, match=r"a sequence of 1e\+12 numbers"):
        read_data(path)


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_r(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ReadError):
        read_data(path)
