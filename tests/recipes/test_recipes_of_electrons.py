"""Recipes of energy losses on simulated files whose truth is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from electron_spectra import spectral_map

from adatom.io import write_file
from adatom.recipes import open_run, run_recipe
from adatom.schema import notes


def test_a_low_loss_map_gives_its_drift_its_thickness_and_single_losses(tmp_path: Path) -> None:
    energy = np.arange(-10.0, 120.0, 0.25)
    thickness = np.linspace(0.2, 1.2, 48).reshape(6, 8, 1)
    drift = np.random.default_rng(0).uniform(-1, 1, (6, 8, 1))

    def gauss(place: float, sigma: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        along = energy - place - drift
        return np.asarray(np.exp(-0.5 * (along / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)) / 4)

    # The n-th of the series of Poisson: n plasmons, their widths added in squares.
    plural = np.exp(-thickness) * (
        gauss(0, 0.5)
        + sum(
            thickness**n / math.factorial(n) * gauss(20.0 * n, np.sqrt(0.25 + 6.25 * n))
            for n in range(1, 6)
        )
    )
    counts = np.random.default_rng(1).poisson(2e5 * plural).astype(np.float32)
    file = tmp_path / "low.nc"
    write_file(spectral_map(counts, energy), file)
    assert run_recipe("eels_low_loss", [file], out=tmp_path / "run", reports=False).is_good
    run = open_run(tmp_path / "run")
    found = run["aligned.positions"].values - drift
    # Counts of 2e5 electrons tell the place of a peak of 0.5 eV to 0.002 eV.
    assert np.abs(found - found.mean()).max() < 0.01
    np.testing.assert_allclose(run["thickness"].values, thickness, rtol=0.02)
    single = run["single"]
    twice = float(single.sel(energy=slice(35, 45)).sum() / single.sel(energy=slice(15, 25)).sum())
    assert abs(twice) < 0.01
    assert "Fourier-log" in notes(single)[-1]
