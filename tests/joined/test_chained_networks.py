"""Networks that follow on one another by a recipe: windows, the finder, patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.descriptors import site_patches, window_patches
from adatom.networks import PatchTraining, train_patch_classifier
from adatom.recipes import open_run, run_recipe
from adatom.schema import Image, Sites, image_from_array, sites_from_positions

pytestmark = pytest.mark.network

SPACING = 10.0
SIZE = 210
QUICK = PatchTraining(n_steps=120, width=6)


def half_crystal(seed: int) -> tuple[Image, Sites]:
    """Simulate a square crystal, a quarter of it of dim columns, below it large blobs of dirt."""
    rng = np.random.default_rng(seed)
    row, column = (SPACING * k.ravel() + SPACING for k in np.mgrid[:12, :20])
    is_dim = rng.random(len(row)) < 0.25
    values = _sum_of_blobs(row, column, np.where(is_dim, 0.55, 1.0), 2.2)
    values += 0.1 * rng.normal(size=(SIZE, SIZE))
    dirt = rng.uniform((135, 0), (SIZE, SIZE), (60, 2))
    values += _sum_of_blobs(dirt[:, 0], dirt[:, 1], np.ones(60), 6.0)
    sites = sites_from_positions(row, column, unit="px", spacing=SPACING)
    names = np.where(is_dim, "dim", "bright")
    return image_from_array(values.astype(np.float32)), sites.assign({"class": ("site", names)})


def _sum_of_blobs(
    y: NDArray[np.float64], x: NDArray[np.float64], height: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    axis = np.arange(float(SIZE))
    along = [np.exp(-((axis - place[:, None]) ** 2) / (2 * width**2)) for place in (y, x)]
    return np.asarray(np.einsum("ny,nx,n->yx", *along, height))


def save_networks(folder: Path) -> None:
    """Train both networks on one image, as a user would."""
    image, sites = half_crystal(0)
    patches = site_patches(image, sites, size="3 d")
    train_patch_classifier(patches, sites, training=QUICK).classifier.save(folder / "species.onnx")
    windows = window_patches(image, sites, size="5 d", step="1 d")
    row = np.broadcast_to(windows.y.values[:, None], windows.shape[:2])
    # What stands on the border of both is left open.
    label = np.select([row < 110, row > 150], [0, 1], -1)
    labels = xr.Dataset({"label": (("y", "x"), label)}, attrs={"class_names": ["lattice", "dirt"]})
    train_patch_classifier(windows, labels, training=QUICK).classifier.save(folder / "parts.onnx")


def test_three_networks_in_a_row_name_the_columns_and_leave_out_the_dirt(tmp_path: Path) -> None:
    save_networks(tmp_path)
    image, sites = half_crystal(1)
    np.save(tmp_path / "image.npy", image.values)
    summary = run_recipe(
        "chained_networks",
        [tmp_path / "image.npy"],
        out=tmp_path / "run",
        inputs={name: [tmp_path / f"{name}.onnx"] for name in ("parts", "species")},
        n_processes=1,
        reports=False,
    )
    assert summary.is_good
    found = open_run(tmp_path / "run")
    assert found["regions"].values[:110].mean() > 0.98
    assert found["regions"].values[150:].mean() < 0.05
    atoms, named = found["atoms"], found["named"]
    distance = np.hypot(*(atoms[axis].values[:, None] - sites[axis].values for axis in ("y", "x")))
    true = sites["class"].values[distance.argmin(axis=1)]
    said = np.array([*named.attrs["class_names"], ""])[named["label"].values]
    on_crystal = atoms.y.values < 115
    assert (distance.min(axis=1)[on_crystal] < 1).mean() > 0.98
    assert (said == true)[on_crystal].mean() > 0.97
