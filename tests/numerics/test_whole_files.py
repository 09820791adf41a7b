"""A file is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adatom.numerics.whole_files import write_whole


def test_a_file_is_written_over(tmp_path: Path) -> None:
    place = tmp_path / "network.onnx"
    write_whole(place, b"before")
    write_whole(place, b"after")
    assert place.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [place]


def test_a_disk_that_fails_leaves_the_file_before_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "network.onnx"
    write_whole(place, b"before")

    def full(_: int) -> None:
        msg = "no space left"
        raise OSError(msg)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(place, b"after")
    assert place.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [place]
