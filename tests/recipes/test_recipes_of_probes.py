"""Recipes of probe spectroscopy on simulated maps of known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from adatom.io import write_file
from adatom.recipes import open_run, run_recipe


def test_places_with_a_gap_have_a_density_of_states_by_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bias = np.linspace(-1.5, 1.5, 121)
    gap = np.where(np.arange(16) < 8, 0.7, 0.3)[None, :, None]
    current = np.sign(bias) * np.clip(np.abs(bias) - gap, 0, None) ** 2 * 2
    values = current + 0.01 + rng.normal(0, 0.004, (12, 16, bias.size))
    coords = {
        "y": ("y", np.arange(12.0), {"units": "nm"}),
        "x": ("x", np.arange(16.0), {"units": "nm"}),
        "bias": ("bias", bias, {"units": "V"}),
    }
    grid = xr.DataArray(values, dims=("y", "x", "bias"), coords=coords, attrs={"units": "nA"})
    write_file(grid, tmp_path / "grid.nc")
    summary = run_recipe(
        "current_voltage_map", [tmp_path / "grid.nc"], out=tmp_path / "run", reports=False
    )
    assert not summary.failures
    run = open_run(tmp_path / "run")
    # In the gap of every pixel something is not known, and no pixel has a whole curve.
    assert run["density"].isnull().any("bias").all()
    density = run["class_density"]
    assert density.sizes["class"] == 2
    assert density.where(abs(density["bias"]) > 0.9, drop=True).notnull().all()
    # Two sorts of curves differ by one shape.
    assert run["components.summary"].attrs["n_above_noise"] == 1
