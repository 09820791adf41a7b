"""Documents of Anasys."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from written_probes import PICTURE, anasys_text, write_axz

from adatom.errors import ReadError
from adatom.io import anasys, read_image, read_spectra
from adatom.schema import notes


def test_a_map_has_its_size_and_prefix(tmp_path: Path) -> None:
    found = read_image(write_axz(tmp_path))
    np.testing.assert_array_equal(found.values, PICTURE)
    assert found.attrs["units"] == "nm"
    np.testing.assert_allclose(found.x.values, [0, 2000, 4000, 6000])
    assert found.attrs["scan_angle"] == -90
    assert (found.attrs["center_y"], found.attrs["center_x"]) == (-2.5, 4)
    assert found.attrs["instrument"] == "Anasys NANOIR2"


def test_spectra_of_different_ranges_share_one_axis_where_their_points_agree(
    tmp_path: Path,
) -> None:
    found = read_spectra(write_axz(tmp_path))
    assert found.dims == ("site", "wavenumber")
    np.testing.assert_allclose(found.wavenumber.values, [1000, 1004, 1008, 1012, 1016])
    nan = np.nan
    np.testing.assert_array_equal(found.values, [[0, 1, 2, nan, nan], [nan, 100, 101, 102, 103]])
    # In nm, y down.
    np.testing.assert_allclose(found.y.values, [2000, 2000])
    np.testing.assert_allclose(found.x.values, [1000, 2000])
    assert any("NaN where one was not measured" in note for note in notes(found))


def test_spectra_whose_points_do_not_agree_are_apart(tmp_path: Path) -> None:
    path = write_axz(tmp_path, ranges=((1000, 1008, 3), (1001, 1009, 3)))
    found = read_spectra(path, dataset="IR-Amplitude, Spectrum 1")
    np.testing.assert_allclose(found.wavenumber.values, [1001, 1005, 1009])
    np.testing.assert_array_equal(found.values, [[100, 101, 102]])


def test_a_document_without_packing_and_in_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "document.axd"
    path.write_text(anasys_text(ranges=((1000, 1008, 3),)).replace("utf-16", "utf-8"))
    np.testing.assert_array_equal(read_image(path).values, PICTURE)


def test_entities_are_refused(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE Document [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(ReadError, match="it defines entities"):
        read_image(write_axz(tmp_path, doctype=doctype))


def test_a_document_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anasys, "_MAX_TEXT", 2**20)
    path = tmp_path / "bomb.axz"
    text = anasys_text(ranges=()) + " " * 2**20
    path.write_bytes(gzip.compress(text.encode("utf-16")))
    with pytest.raises(ReadError, match="unpacks to more than"):
        read_image(path)


def test_a_map_of_too_few_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "document.axz"
    text = anasys_text(ranges=()).replace("<X>4</X><Y>3</Y>", "<X>4</X><Y>4</Y>")
    path.write_bytes(gzip.compress(text.encode("utf-16")))
    with pytest.raises(ReadError, match="64 letters of base64 for 16 values"):
        read_image(path)


def test_a_document_that_is_cut_off_is_not_called_too_large(tmp_path: Path) -> None:
    path = write_axz(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ReadError, match=r"it ends before all is unpacked\. It is cut off"):
        read_image(path)
