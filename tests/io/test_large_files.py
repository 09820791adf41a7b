"""Files of 4 GB open at once, and long movies stream; the files are holes and take no room."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hollow_files import LARGE, STREAMED, measured_cost
from written_files import WRITERS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is told by Linux")


# Each starts a Python of its own, which takes longer than what is measured.
QUICK = {"npy", "tif", "hspy"}


def _all_but_a_few_slow(keys: Iterable[str]) -> list[Any]:
    return [pytest.param(key, marks=() if key in QUICK else pytest.mark.slow) for key in keys]


@pytest.mark.parametrize("key", _all_but_a_few_slow(LARGE))
def test_four_gigabytes_open_in_a_moment(key: str, tmp_path: Path) -> None:
    small = WRITERS[key](_folder(tmp_path / "small"))
    cost = measured_cost(small, LARGE[key](_folder(tmp_path / "large")))
    # Measured below 1 s on an idle machine; one that also does other work is given more.
    assert cost.seconds < 5, cost
    assert cost.megabytes < 200, cost


@pytest.mark.parametrize("key", _all_but_a_few_slow(STREAMED))
def test_ten_thousand_frames_stream(key: str, tmp_path: Path) -> None:
    small = STREAMED[key](_folder(tmp_path / "small"), (8, 64, 64))
    large = STREAMED[key](_folder(tmp_path / "large"), (10_000, 128, 128))
    cost = measured_cost(small, large, stream=100)
    assert cost.what == "10000 frames, 0.0"
    # The movie has 328 MB; chunks of dask 128 MB.
    assert cost.megabytes < 200, cost


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
