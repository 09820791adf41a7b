"""What the shipped recipes make of real images: classes that mean something."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from adatom.recipes import Run, open_run, run_recipe
from adatom.schema import pixel_size, positions

DATA = Path(os.environ.get("ADATOM_DATA", ""))
GRAPHENE = DATA / "imaging/graphene_si_aicr"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _run(name: str, file: Path, out: Path) -> Run:
    summary = run_recipe(name, [file], out=out, n_processes=1, reports=False)
    assert summary.is_good, summary.failures
    return open_run(out)


@pytest.mark.parametrize(
    ("file", "by_eye"),
    [
        ("G-dimtrimSi/G-dimSi.hdf5", [(305, 300), (297, 388)]),
        ("G-Si-4fold.hdf5", [(250, 265)]),
        ("G-Si-2nm.hdf5", [(137, 96)]),
    ],
)
def test_a_class_holds_exactly_the_silicon_atoms(
    file: str, by_eye: list[tuple[int, int]], tmp_path: Path
) -> None:
    run = _run("graphene_si", GRAPHENE / file, tmp_path)
    species, step = run["species.classes"], pixel_size(run["image"])
    silicon = species.isel(site=np.flatnonzero(species["label"].values == 1))
    places = positions(silicon) / step
    assert len(places) == len(by_eye)
    for place in by_eye:
        # By eye an atom is placed within a third of a bond, here 6 to 12 px.
        assert np.hypot(*(places - place).T).min() < 6


def test_strontium_titanate_has_two_sorts_of_columns_on_one_lattice(tmp_path: Path) -> None:
    run = _run("srtio3", DATA / "imaging/atomap/history/STO_ADF.hdf5", tmp_path)
    assert run["choice"].attrs["n_classes"] == 2
    label, height = run["found.classes"]["label"].values, run["atoms"]["amplitude"].values
    shares = [np.mean(label[label >= 0] == k) for k in (0, 1)]
    assert shares == pytest.approx([0.5, 0.5], abs=0.02)
    # Classes of surroundings are classes of heights too: strontium is the heavier.
    bright, weak = sorted(
        (height[(label == k) & np.isfinite(height)] for k in (0, 1)), key=np.median, reverse=True
    )
    assert np.quantile(bright, 0.05) > np.quantile(weak, 0.95)
    assert run["phase_choice"].attrs["n_classes"] == 1
