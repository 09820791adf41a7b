"""Movies of high-speed AFM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_probes import PICTURE, write_asd, write_h5_jpk

from adatom.errors import ReadError
from adatom.io import read_contents, read_movie
from adatom.schema import notes

COUNTS = np.arange(24).reshape(2, 3, 4)
# nm/V times gain.
GAIN = 2.0 * 5.0


@pytest.mark.parametrize("version", [0, 1, 2])
def test_heights_follow_from_gains_and_fall_with_counts(tmp_path: Path, version: int) -> None:
    found = read_movie(write_asd(tmp_path, version=version))
    # The description of libasd: 12 bits over -5 to 5 V, count 0 is the highest.
    np.testing.assert_allclose(found.values, (5 - COUNTS * 10 / 4096) * GAIN, rtol=1e-6)
    assert found.attrs["units"] == "nm"
    assert found.time.values.tolist() == [0, 0.5]
    assert found.y.values.tolist() == found.x.values[:3].tolist() == [0, 2, 4]
    assert found.attrs["date"] == "2017-11-21T13:12:39"
    assert found.attrs["title"] == "\u30df\u30ab"


def test_a_range_from_zero_gives_heights_below_zero(tmp_path: Path) -> None:
    found = read_movie(write_asd(tmp_path, voltage_range=0x4))
    np.testing.assert_allclose(found.values, -COUNTS * 5 / 4096 * GAIN, rtol=1e-6)


def test_all_frames_of_the_second_channel_follow_those_of_the_first(tmp_path: Path) -> None:
    path = write_asd(tmp_path, channels=(b"TP", b"PH"))
    height = read_movie(path)
    assert any("topography was read of two channels" in note for note in notes(height))
    np.testing.assert_allclose(height.values, (5 - COUNTS * 10 / 4096) * GAIN, rtol=1e-6)
    phase = read_movie(path, dataset="phase")
    np.testing.assert_allclose(phase.values, (5 - (COUNTS + 100) * 10 / 4096) * -1.5, rtol=1e-6)
    assert phase.attrs["units"] == "deg"


def test_frames_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    path = write_asd(tmp_path)
    found = read_movie(path)
    bytes_ = bytearray(path.read_bytes())
    bytes_[-2:] = (7).to_bytes(2, "little")
    path.write_bytes(bytes_)
    assert float(found[-1, -1, -1]) == pytest.approx((5 - 7 * 10 / 4096) * GAIN)


def test_a_range_that_nobody_describes_is_told(tmp_path: Path) -> None:
    found = read_movie(write_asd(tmp_path, voltage_range=0x3))
    assert any("no description of the format lists" in note for note in notes(found))


def test_an_unknown_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="unknown code 0x99"):
        read_movie(write_asd(tmp_path, voltage_range=0x99))


def test_a_gain_that_no_scanner_has_is_refused(tmp_path: Path) -> None:
    path = write_asd(tmp_path)
    # The gain of z is the last number before the name.
    path.write_bytes(path.read_bytes().replace(b"\0\0\xa0\x40Some", b"\0\0\xa0\x7eSome"))
    with pytest.raises(ReadError, match="gives a gain of"):
        read_movie(path)


def test_a_movie_that_is_cut_off_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = write_asd(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReadError, match="cut off or damaged"):
        read_movie(path)


def test_a_movie_is_known_by_its_header_whatever_its_name(tmp_path: Path) -> None:
    path = write_asd(tmp_path).rename(tmp_path / "movie.dat")
    assert read_contents(path).attrs["format"] == "HS-AFM"


def test_a_movie_of_jpk_has_its_lowest_line_at_the_bottom(tmp_path: Path) -> None:
    path = write_h5_jpk(tmp_path)
    found = read_movie(path)
    # 2 nm a step and 1 nm more.
    np.testing.assert_allclose(found[0].values, PICTURE * 2 + 1)
    np.testing.assert_allclose(found[1].values, (PICTURE + 100) * 2 + 1)
    assert found.time.values.tolist() == [0, 0.5]
    assert found.y.values.tolist() == [0, 2, 4]
    np.testing.assert_allclose(found[::-1].values, found.values[::-1])
    back = read_movie(path, dataset="height retrace")
    np.testing.assert_allclose(back[0].values, (PICTURE + 1000) * 2 + 1)
