"""Images of NanoScope."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_probes import PICTURE, write_spm

from adatom.errors import ReadError
from adatom.io import read_contents, read_image
from adatom.schema import notes


@pytest.mark.parametrize("bytes_each", [2, 4])
def test_heights_are_hard_value_times_sensitivity(tmp_path: Path, bytes_each: int) -> None:
    path = write_spm(tmp_path, bytes_each=bytes_each)
    found = read_image(path)
    # 8.192 V over all steps of the converter, 20 nm/V; the lowest line comes first.
    np.testing.assert_allclose(found.values, PICTURE * 8.192 * 20 / 2 ** (8 * bytes_each))
    assert found.attrs["units"] == "nm"
    np.testing.assert_allclose(found.x.values, [0, 2000, 4000, 6000])
    np.testing.assert_allclose(found.y.values, [0, 2000, 4000])
    assert found.attrs["instrument"] == "D3100"
    assert found.attrs["date"] == "2018-05-17T13:07:05"
    assert found.attrs["scan_angle"] == 90
    assert any("Height retrace was read" in note for note in notes(found))


def test_a_channel_without_a_sensitivity_keeps_its_unit(tmp_path: Path) -> None:
    found = read_image(write_spm(tmp_path), dataset="Phase retrace")
    np.testing.assert_allclose(found.values, (PICTURE + 1000) / 1000)
    assert found.attrs["units"] == "deg"


def test_one_size_stands_for_square_pixels(tmp_path: Path) -> None:
    found = read_image(write_spm(tmp_path, size="\\Scan size: 400 nm"))
    np.testing.assert_allclose(found.x.values, [0, 100, 200, 300])
    np.testing.assert_allclose(found.y.values, [0, 100, 200])


def test_a_sensitivity_that_is_missing_is_told(tmp_path: Path) -> None:
    found = read_image(write_spm(tmp_path, soft="\\Other: 1"))
    assert found.attrs["units"] == "V"
    assert any("lacks 'Sens. Zsens'" in note for note in notes(found))


def test_an_image_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_spm(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReadError, match="cut off"):
        read_image(path)


def test_images_are_told_from_force_curves(tmp_path: Path) -> None:
    assert read_contents(write_spm(tmp_path)).attrs["format"] == "NanoScope image"
