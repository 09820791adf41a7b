"""Tables of spectra of WITec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_spectra import CUBE, write_witec_text

from adatom.errors import ReadError
from adatom.io import read_contents, read_spectra, read_spectral_map
from adatom.schema import notes


def test_pixels_lie_where_their_columns_say(tmp_path: Path) -> None:
    found = read_spectral_map(write_witec_text(tmp_path))
    assert found.dims == ("y", "x", "wavenumber")
    np.testing.assert_array_equal(found.values, CUBE)
    assert found.wavenumber.values.tolist() == [100, 101.5, 102.9, 104.2]
    assert found.wavenumber.attrs["units"] == "1/cm"
    assert found.attrs["title"] == "Map"


def test_columns_in_any_order_come_to_their_pixels(tmp_path: Path) -> None:
    names = "M_F(2/1) M_F(1/1) M_F(0/1) M_F(2/0) M_F(1/0) M_F(0/0)"
    found = read_spectral_map(write_witec_text(tmp_path, columns=names))
    np.testing.assert_array_equal(found.values, CUBE[::-1, ::-1])


def test_without_a_row_of_units_the_axis_has_none(tmp_path: Path) -> None:
    found = read_spectral_map(write_witec_text(tmp_path, units=False))
    assert found.dims == ("y", "x", "channel")
    assert found.channel.values[0] == 100
    assert any("no row of units" in note for note in notes(found))


@pytest.mark.parametrize("names", ["P_F(0/0) P_F(1/0) P_F(0/1)", "one two three"])
def test_columns_that_make_no_map_are_spectra(tmp_path: Path, names: str) -> None:
    found = read_spectra(write_witec_text(tmp_path, columns=names))
    assert found.dims == ("site", "wavenumber")
    np.testing.assert_array_equal(found.values, CUBE.reshape(6, 4)[:3])
    assert any("make no full map" in note for note in notes(found))


def test_a_table_that_is_cut_off_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = write_witec_text(tmp_path)
    found = read_spectral_map(path)
    path.write_text(path.read_text().rpartition("\t")[0])
    with pytest.raises((ReadError, ValueError)):
        found.values  # noqa: B018 -- reads


def test_a_table_is_told_from_others_by_its_first_words(tmp_path: Path) -> None:
    assert read_contents(write_witec_text(tmp_path)).attrs["format"] == "WITec table of spectra"
