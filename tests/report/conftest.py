"""A run as recipes record it, with data whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import xarray as xr

from adatom.localization import compare_sites
from adatom.report import RunRecord, SourceRecord, StepRecord, write_report
from adatom.schema import (
    Classes,
    Features,
    Image,
    Mask,
    Sites,
    Table,
    add_note,
    extent,
    image_from_array,
    sites_from_positions,
    table_from_columns,
)

N = 9
SPACING = 0.4


class Scene(NamedTuple):
    """A square lattice with one bright atom, and what steps would give for it."""

    image: Image
    mask: Mask
    atoms: Sites
    neighbors: Sites
    patches: Features
    choice: Table
    classes: Classes


@pytest.fixture(scope="session")
def scene() -> Scene:
    rng = np.random.default_rng(0)
    y, x = (axis.ravel() * SPACING + 0.2 for axis in np.mgrid[:N, :N])
    grid = np.arange(N * 8) * SPACING / 8
    bright = np.ones(N * N)
    bright[40] = 3.0
    shapes = [np.exp(-((grid[:, None] - place) ** 2) / 0.01) for place in (y, x)]
    values = np.einsum("ik,jk,k->ij", *shapes, bright) + 0.05 * rng.normal(size=(N * 8, N * 8))
    image = image_from_array(values, pixel_size=f"{SPACING / 8} nm", name="HAADF")
    mask = xr.ones_like(image, dtype=bool)
    mask[:18] = False
    atoms = sites_from_positions(y, x, unit="nm", spacing=SPACING, extent=extent(image))
    atoms["amplitude"] = ("site", bright, {"units": "1"})
    atoms["fit_ok"] = ("site", np.arange(N * N) > 1)
    star = SPACING * np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
    vectors = star + rng.normal(scale=0.01, size=(N * N, 4, 2))
    neighbors = atoms.assign(neighbor_vector=(("site", "neighbor", "axis"), vectors))
    neighbors.attrs["stars"] = [star.tolist()]
    offset_y, offset_x = np.meshgrid(*2 * [(np.arange(5) - 2) * SPACING / 8], indexing="ij")
    patches = xr.DataArray(
        bright[:, None] * np.exp(-(offset_y**2 + offset_x**2) / 0.01).ravel()
        + 0.05 * rng.normal(size=(N * N, 25)),
        dims=("site", "feature"),
        coords={
            "y": atoms.y,
            "x": atoms.x,
            "patch_y": ("feature", offset_y.ravel(), {"units": "nm"}),
            "patch_x": ("feature", offset_x.ravel(), {"units": "nm"}),
        },
        attrs={"patch_shape": [5, 5], **atoms.attrs},
    )
    choice = table_from_columns({"n_classes": [1, 2, 3], "bic": [9.0, 4.0, 5.0]})
    choice.attrs |= {"n_classes": 2, "reason": "the BIC is least for 2 classes"}
    label = np.where(bright > 1, 1, 0).astype(np.int32)
    label[:3] = -1
    classes = xr.Dataset(
        {"label": ("site", label), "margin": ("site", rng.uniform(size=N * N))},
        coords={"y": atoms.y, "x": atoms.x},
        attrs=atoms.attrs,
    )
    return Scene(image, mask, atoms, neighbors, patches, choice, classes)


def step(name: str, function: str, *data: str, **given: Any) -> StepRecord:
    """Record a step; a result is given as `result`, several as `results`."""
    results = given.pop("results", None) or {"": given.pop("result")}
    settings = given.pop("settings", {})
    return StepRecord(
        name, function, data, settings, f"Do {name}.", results, f"key-{name}", **given
    )


@pytest.fixture(scope="session")
def record(scene: Scene) -> RunRecord:
    image = scene.image.copy()
    add_note(image, "no scale in the file")
    comparison = compare_sites(scene.atoms.isel(site=slice(5, None)), scene.atoms, edge="0 nm")
    return RunRecord(
        title="Bright atoms on a square lattice",
        recipe='[atoms]\ndo = "localization.find_atoms(image)"\n',
        steps=(
            step("image", "io.read_image", result=image),
            step("regions", "localization.find_lattice_regions", "image", result=scene.mask),
            step("atoms", "localization.find_atoms", "image", "regions", result=scene.atoms,
                 settings={"contrast": "bright", "spacing": None}, warnings=("2 fits failed",)),
            step("neighbors", "descriptors.neighbor_vectors", "atoms", "_", result=scene.neighbors),
            step("patches", "descriptors.site_patches", "image", "neighbors", result=scene.patches),
            step("choice", "clustering.choose_n_classes", "patches", result=scene.choice),
            step("found", "clustering.cluster_kmeans", "patches", "choice",
                 results={"classes": scene.classes, "model": object()}, reused=True),
            step("score", "localization.compare_sites", "atoms", "truth",
                 results=comparison._asdict()),
        ),
        sources=(SourceRecord("image", Path("data") / "one.tif", "ab" * 32, 2_500_000),),
        provenance={"adatom": "0.1", "machine": {"cores": 2}, "seed": None},
        repeat="adatom rerun runs/one",
    )  # fmt: skip


@pytest.fixture(scope="session")
def written(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(record, tmp_path_factory.mktemp("runs") / "one-1234")
