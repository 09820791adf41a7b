"""Images of Gwyddion."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from written_probes import PICTURE, write_gwy, write_old_gwy

from adatom.errors import ReadError
from adatom.io import read_contents, read_image
from adatom.schema import notes


def test_channels_have_their_titles_units_and_sizes(tmp_path: Path) -> None:
    path = write_gwy(tmp_path)
    found = read_image(path)
    np.testing.assert_allclose(found.values, PICTURE * 1e9)
    assert found.attrs["channel"] == "Height"
    assert found.attrs["raw"] == {"Operator": "A B"}
    np.testing.assert_allclose(found.x.values, [0, 2000, 4000, 6000])
    np.testing.assert_allclose(found.y.values, [0, 2000, 4000])
    phase = read_image(path, dataset="Phase")
    np.testing.assert_allclose(phase.values, PICTURE)
    assert phase.attrs["units"] == "deg"
    assert any("has a mask" in note for note in notes(phase))
    assert not any("has a mask" in note for note in notes(found))


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    found = read_image(write_gwy(tmp_path))
    assert any("1 of kind graph, not read" in note for note in notes(found))


def test_the_layout_before_version_1_is_read_in_base_units(tmp_path: Path) -> None:
    found = read_image(write_old_gwy(tmp_path))
    # Stored as m, whatever prefix the unit has.
    np.testing.assert_allclose(found.values, PICTURE * 1e9)
    np.testing.assert_allclose(found.x.values, [0, 2000, 4000, 6000])
    told = [note for note in notes(found) if "Gwyddion keeps" in note]
    assert len(told) == 2


@pytest.mark.parametrize("write", [write_gwy, write_old_gwy])
def test_every_cut_is_refused(tmp_path: Path, write: object) -> None:
    path = write(tmp_path)  # type: ignore[operator]
    whole = path.read_bytes()
    for end in range(16, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(ReadError):
            read_contents(path)


def test_objects_deep_within_one_another_are_refused(tmp_path: Path) -> None:
    inner = b""
    for _ in range(200):
        inner = b"a\0oX\0" + struct.pack("<I", len(inner)) + inner
    path = tmp_path / "deep.gwy"
    path.write_bytes(b"GWYPGwyContainer\0" + struct.pack("<I", len(inner)) + inner)
    with pytest.raises(ReadError, match="more than 20 deep in one another"):
        read_contents(path)


def test_a_channel_whose_sizes_disagree_is_refused(tmp_path: Path) -> None:
    path = write_gwy(tmp_path)
    wrong = path.read_bytes().replace(b"xres\0i\4", b"xres\0i\5", 1)
    path.write_bytes(wrong)
    with pytest.raises(ReadError, match="12 values for 5 x 3 pixels"):
        read_image(path)
