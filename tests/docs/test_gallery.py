"""Every script of the gallery runs, is short, and draws a picture."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

SCRIPTS = sorted((Path(__file__).parents[2] / "docs" / "gallery").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_of_the_gallery_draws_a_picture(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(script.read_text("utf-8").splitlines()) <= 40
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context({"backend": "agg"}):
        left = run_path(str(script))
    pictures = list(tmp_path.glob("*.png"))
    assert pictures
    assert all(np.ptp(imread(picture)) > 0.5 for picture in pictures)
    # What the scripts say of their results.
    if script.stem == "plot_two_sublattices":
        assert left["columns"].attrs["spacing"] == pytest.approx(0.195, rel=0.02)
        n_bright, n_weak = np.bincount(left["columns"]["sublattice"].values)
        assert n_bright == pytest.approx(n_weak, rel=0.1)
    if script.stem == "plot_one_phase_or_two":
        assert left["phases"].attrs["n_classes"] == 2
