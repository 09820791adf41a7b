"""Photons and decays of lifetime imaging keep their places and their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_sites import DECAYS, SITES

from adatom.errors import ReadError
from adatom.io import read_spectral_map


def test_photons_are_sorted_into_decays(tmp_path: Path) -> None:
    found = read_spectral_map(SITES["ptu"](tmp_path))
    assert found.dims == ("y", "x", "time")
    assert np.array_equal(found.values[..., :16], DECAYS)
    assert found.values[..., 16:].sum() == 0
    assert found.time.values[:3] == pytest.approx([0.0, 0.2, 0.4])
    assert found.time.units == "ns"
    assert (found.x.values[1], found.x.units) == (500.0, "nm")


def test_any_block_of_photons_is_that_of_the_whole(tmp_path: Path) -> None:
    found = read_spectral_map(SITES["ptu"](tmp_path))
    assert found.chunks is not None
    whole = found.values
    for index in ((2,), (slice(1, 3), 1), (slice(None, None, 2),), (..., slice(2, 5))):
        assert np.array_equal(found[index].values, whole[index])


def test_recorded_decays_have_the_times_of_the_converter(tmp_path: Path) -> None:
    found = read_spectral_map(SITES["sdt"](tmp_path))
    assert np.array_equal(found.values, DECAYS)
    # 50 ns over 16 channels at a gain of 4.
    assert found.time.values[1] == pytest.approx(50 / 4 / 16)
    assert found.time.units == "ns"


@pytest.mark.parametrize("key", ["ptu", "sdt"])
def test_a_cut_off_file_is_refused(tmp_path: Path, key: str) -> None:
    path = SITES[key](tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError):
        read_spectral_map(path).compute()
