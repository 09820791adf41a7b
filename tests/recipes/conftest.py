"""Steps of a package of their own, and small images for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

TRIAL_PACKAGE = Path(__file__).parent / "trial_package"


@pytest.fixture(scope="session", autouse=True)
def trial_steps() -> Iterator[None]:
    """Register the steps of the trial package, as its installation would."""
    sys.path.insert(0, str(TRIAL_PACKAGE))
    yield
    sys.path.remove(str(TRIAL_PACKAGE))


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Give five small images, each brighter than the one before."""
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [folder / f"image_{number}.npy" for number in range(5)]
    for number, path in enumerate(paths):
        values = np.random.default_rng(number).random((12, 16)) + number
        np.save(path, values.astype(np.float32))
    return paths


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file to which trial steps write their names when they are computed."""
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv("ADATOM_TRIAL_LOG", str(path))
    return path
