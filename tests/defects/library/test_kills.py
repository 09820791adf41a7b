"""Killed and competing processes leave a library whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import library_child
import numpy as np
import pytest

from adatom.defects.library import Library, open_library
from adatom.defects.library.checking import check_library
from adatom.defects.library.pictures import remove_drafts

N_IMAGES = 24


def _child(place: str, first: int = 0, last: int = N_IMAGES) -> subprocess.Popen[str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, library_child.__file__, place, str(first), str(last)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def _contents(library: Library) -> list[tuple[Any, ...]]:
    """Give what a library holds, without row numbers and times."""
    return sorted(
        library.session.rows(
            "SELECT i.image_hash, i.analysis_key, i.pixels, d.number, d.name, d.members, d.bonds, "
            "d.is_current FROM adatom_images i JOIN adatom_defects d ON d.image_id = i.id"
        )
    )


def _kill_and_go_on(place: str, waits: list[float]) -> None:
    """Kill a process after each time since its first image; then let one run to its end."""
    for wait in waits:
        with _child(place) as process:
            assert process.stdout is not None
            told = [process.stdout.readline()]
            time.sleep(wait)
            process.kill()
            told += process.stdout.read().splitlines()
        committed = {int(line) for line in told if line.strip()}
        with open_library(place) as library:
            assert check_library(library) == []
            hashes = library.session.rows("SELECT COUNT(*) FROM adatom_images")[0][0]
            # The one that was committed and not yet told of is the only other one.
            assert len(committed) <= hashes <= max(committed) + 2
    with _child(place) as process:
        process.communicate()
        assert process.returncode == 0


def _assert_like_undisturbed(place: str, tmp_path: Path) -> None:
    other = str(tmp_path / "undisturbed.db")
    library_child.main(other, 0, N_IMAGES)
    with open_library(place) as library, open_library(other) as undisturbed:
        assert check_library(library) == []
        assert [(*row[:2], *row[3:]) for row in _contents(library)] == [
            (*row[:2], *row[3:]) for row in _contents(undisturbed)
        ]
        if library.store is not None:
            assert [row[2] for row in _contents(library)] == [
                row[2] for row in _contents(undisturbed)
            ]
            assert remove_drafts(library.store) <= 100
            assert check_library(library) == []


def test_a_killed_process_loses_no_committed_row_and_leaves_no_half_one(
    place: str, tmp_path: Path
) -> None:
    _kill_and_go_on(place, [0.0, 0.05, 0.11])
    _assert_like_undisturbed(place, tmp_path)


@pytest.mark.slow
def test_a_long_series_of_kills_does_no_harm(place: str, tmp_path: Path) -> None:
    waits = np.random.default_rng(0).uniform(0, 0.3, 40).tolist()
    _kill_and_go_on(place, waits)
    _assert_like_undisturbed(place, tmp_path)


def test_many_writers_at_once_add_every_image_once(place: str, tmp_path: Path) -> None:
    # All from the start, so that they also compete for making the library, and for every image.
    ranges = [(0, 18), (0, 18), (6, N_IMAGES), (12, N_IMAGES)]
    processes = [_child(place, first, last) for first, last in ranges]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    _assert_like_undisturbed(place, tmp_path)
