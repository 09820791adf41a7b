"""Damaged files of every format are read as data of a kind or refused, never anything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from damage import Damage, damages
from fuzz_child import FuzzChild
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from written_files import WRITERS

from adatom.io.formats import FORMATS
from adatom.io.opening import open_file

DATA = os.environ.get("ADATOM_DATA", "")
REAL = {
    "ser": "spectral/readers/16x16-spectrum_image_5x5x4000-not_square_1.ser",
    "bruker": "spectral/eds_bcf_50x50/bcf_v2_50x50px.bcf",
    "wdf": "spectral/readers/renishaw_test_linescan.wdf",
}
"""Formats that nothing writes: a file of an instrument, small but whole."""
ENDINGS = sorted({ending for one in FORMATS.values() for ending in one.endings.split()})
QUICK, DEEP = 12, 500


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzChild]:
    one = FuzzChild(tmp_path_factory.mktemp("child"))
    yield one
    one.close()


def _valid(key: str, folder: Path) -> Path:
    folder.mkdir()
    if key in WRITERS:
        return WRITERS[key](folder)
    if not DATA:
        pytest.skip("ADATOM_DATA does not name the folder of real data")
    return Path(copy(Path(DATA) / REAL[key], folder))


KEYS = sorted({*WRITERS, *REAL})


@pytest.mark.parametrize("key", KEYS)
def test_a_valid_file_is_read_as_its_format(key: str, child: FuzzChild, tmp_path: Path) -> None:
    path = _valid(key, tmp_path / "valid")
    assert open_file(path).format_name == key
    outcome = child.read(path)
    assert outcome.status == "read", outcome.text


@pytest.mark.parametrize("key", KEYS)
def test_a_damaged_file_is_read_or_refused(key: str, child: FuzzChild, tmp_path: Path) -> None:
    _fuzz(key, child, tmp_path, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_five_hundred_damaged_files_are_read_or_refused(
    key: str, child: FuzzChild, tmp_path: Path
) -> None:
    _fuzz(key, child, tmp_path, DEEP)


def _fuzz(key: str, child: FuzzChild, folder: Path, count: int) -> None:
    valid = _valid(key, folder / "valid")

    # Not shrunk: the file that does the harm is kept, and each hang would cost its time again.
    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damage=damages(ENDINGS))
    def damaged(damage: Damage) -> None:
        path = damage.done_to(valid, into=folder / "damaged")
        outcome = child.read(path)
        assert outcome.honest, f"{outcome.status}, {outcome.text}\nkept as {path}"
        assert outcome.status == "read" or path.name in outcome.text

    damaged()


HEADS = [b"\x89PNG\r\n\x1a\n", b"II*\x00", b"PK\x03\x04", b"BM"]


def test_noise_is_refused(child: FuzzChild, tmp_path: Path) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(content=st.binary(max_size=300), head=st.sampled_from([b"", *HEADS]))
    def noisy(content: bytes, head: bytes) -> None:
        path = tmp_path / "noise"
        path.write_bytes(head + content)
        outcome = child.read(path)
        assert outcome.status == "refused", outcome.text

    noisy()
