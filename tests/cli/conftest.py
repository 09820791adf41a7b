"""A small image and a recipe for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Give the file of a small image."""
    path = tmp_path / "image 1.npy"
    np.save(path, np.random.default_rng(0).random((16, 16)).astype(np.float32))
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Give the file of a quick recipe."""
    path = tmp_path / "windows.toml"
    path.write_text(
        'title = "Windows"\n[inputs]\nimage = "io.read_image"\n'
        '[windows]\ndo = "descriptors.window_spectra(image)"\nsize = "8 px"  # edge\n'
    )
    return path
