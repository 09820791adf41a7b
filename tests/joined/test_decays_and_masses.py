"""The recipes of lifetimes and of mass imaging, on simulated files of instruments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mass_files import write_peaks
from written_sites import write_decays

from adatom.numerics.scores import adjusted_rand_index
from adatom.recipes import open_run, run_recipe
from adatom.simulation import MassSpectrometer, simulate_flim_map, simulate_mass_map


def test_the_recipe_of_lifetimes_finds_classes_lifetimes_and_fractions(tmp_path: Path) -> None:
    made = simulate_flim_map(size=48, seed=3)
    file = write_decays(tmp_path / "cells.sdt", made.decays.values.astype("<u2"), 12.5e-9)
    steps = ("response", "phasors", "fit", "pixels")
    summary = run_recipe(
        "flim",
        [file],
        out=tmp_path / "run",
        changes={f"{step}.period": "12.5 ns" for step in steps},
        n_processes=1,
        reports=False,
    )
    assert summary.is_good, summary.failures
    run = open_run(tmp_path / "run")
    label = run["found.classes"]["label"].values
    assert adjusted_rand_index(label.ravel(), made.classes["label"].values.ravel()) > 0.98
    assert run["fit.lifetimes"].values[0] == pytest.approx([0.8, 2.0], rel=0.03)
    fractions = np.sort(run["fit.fractions"].values[:3, 0])
    assert fractions == pytest.approx([0.0, 0.6, 1.0], abs=0.02)
    lifetime = run["lifetime"]
    assert lifetime.attrs["units"] == "ns"
    short = made.classes["label"].values == 0
    assert float(np.median(lifetime.values[short])) == pytest.approx(0.8, rel=0.01)


def test_the_recipe_of_mass_imaging_finds_regions_and_their_ions(tmp_path: Path) -> None:
    instrument = MassSpectrometer(mass_range=(700.0, 715.0), noise_peaks=2)
    made = simulate_mass_map(size=32, n_molecules=30, spectrometer=instrument, seed=5)
    file = write_peaks(tmp_path / "tissue.imzML", made.peaks)
    summary = run_recipe("mass_imaging", [file], out=tmp_path / "run", n_processes=1, reports=False)
    assert summary.is_good, summary.failures
    run = open_run(tmp_path / "run")
    label, truth = run["regions.classes"]["label"].values, made.classes["label"].values
    assert adjusted_rand_index(label.ravel(), truth.ravel()) > 0.98
    markers, region = run["markers"], made.truth["region"].values
    for number in range(3):
        same = int(np.bincount(truth[label == number]).argmax())
        expected = np.sort(made.truth["mass_to_charge"].values[region == same])
        found = np.sort(markers["mass_to_charge"].values[markers["class"].values == number])
        assert found == pytest.approx(expected, rel=1e-6)
    assert markers["effect_size"].values.min() > 3
