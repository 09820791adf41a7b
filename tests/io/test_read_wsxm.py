"""Images of WSxM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_probes import PICTURE, write_wsxm

from adatom.errors import ReadError
from adatom.io import read_image
from adatom.schema import notes


@pytest.mark.parametrize("kind", ["short", "double"])
def test_the_last_pixel_comes_first_and_heights_span_the_amplitude(
    tmp_path: Path, kind: str
) -> None:
    found = read_image(write_wsxm(tmp_path, kind=kind))
    # 0 to 121 counts are 24.2 nm.
    np.testing.assert_allclose(found.values, PICTURE * 0.2)
    assert found.attrs["units"] == "nm"
    np.testing.assert_allclose(found.x.values, [0, 500, 1000, 1500])
    np.testing.assert_allclose(found.y.values, [0, 300, 600])
    assert found.attrs["bias"] == 0.25
    assert any("their zero is arbitrary" in note for note in notes(found))


def test_without_an_amplitude_counts_stay(tmp_path: Path) -> None:
    found = read_image(write_wsxm(tmp_path, amplitude=""))
    np.testing.assert_array_equal(found.values, PICTURE)
    assert any("no Z Amplitude" in note for note in notes(found))


def test_arbitrary_units_are_no_unit(tmp_path: Path) -> None:
    found = read_image(write_wsxm(tmp_path, amplitude="    Z Amplitude: 24.2 a.u.\r\n"))
    assert found.attrs["units"] == "1"
    np.testing.assert_allclose(found.values, PICTURE * 0.2)


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="numbers of type 'quaternion'"):
        read_image(write_wsxm(tmp_path, kind="quaternion"))


def test_an_image_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_wsxm(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReadError, match="cut off"):
        read_image(path)
