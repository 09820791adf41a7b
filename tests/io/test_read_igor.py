"""Images in Igor waves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_probes import PICTURE, write_ibw

from adatom.errors import ReadError
from adatom.io import read_contents, read_image, read_movie
from adatom.schema import notes


@pytest.mark.parametrize("order", ["<", ">"])
def test_layers_of_asylum_are_images_with_their_lowest_line_at_the_bottom(
    tmp_path: Path, order: str
) -> None:
    path = write_ibw(tmp_path, order=order)
    found = read_image(path)
    # In nm.
    np.testing.assert_allclose(found.values, PICTURE * 1e9)
    np.testing.assert_allclose(found.x.values, [0, 2, 4, 6])
    assert found.attrs["date"] == "2020-10-25T08:07:36"
    assert found.attrs["instrument"] == "Asylum Cypher"
    assert any("HeightRetrace was read" in note for note in notes(found))
    phase = read_image(path, dataset="PhaseRetrace")
    np.testing.assert_allclose(phase.values, PICTURE + 1000)
    assert phase.attrs["units"] == "deg"


def test_a_matrix_of_others_keeps_its_first_line_on_top(tmp_path: Path) -> None:
    found = read_image(write_ibw(tmp_path, layers=(), note=""))
    # The unit of the wave, m, counts.
    np.testing.assert_allclose(found.values, PICTURE[::-1] * 1e9)


def test_layers_without_names_are_a_movie(tmp_path: Path) -> None:
    found = read_movie(write_ibw(tmp_path, layers=(), note="", unlabelled=2))
    np.testing.assert_allclose(
        found.values, np.stack([PICTURE[::-1], PICTURE[::-1] + 1000]) * 1e9, rtol=1e-6
    )


def test_a_wave_is_known_by_the_sum_of_its_header(tmp_path: Path) -> None:
    path = write_ibw(tmp_path).rename(tmp_path / "image.bin")
    assert read_contents(path).attrs["format"] == "Igor binary wave"


def test_a_wave_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_ibw(tmp_path, note="", layers=())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReadError, match="cut off"):
        read_image(path)
