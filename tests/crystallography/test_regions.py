"""Regions of one class, against outlines whose area, perimeter and centroid are known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from planted_outlines import LATTICES, Array, blob, classes_of, lattice, sites_of

from adatom.crystallography import find_regions
from adatom.crystallography._counting import COUNT_VARIANCE, count_variance
from adatom.crystallography._placed import placed_classes
from adatom.crystallography.regions import cell_areas
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import notes

NAMES = ("area", "perimeter", "y", "x", "equivalent_diameter")


def _deviations(kind: str, radius: float, n: int) -> Array:
    """Give deviations from the truth in standard errors, blob by blob."""
    found = []
    for seed in range(n):
        shape = blob(radius, seed=seed)
        points = lattice(kind, size=3 * radius + 4, seed=seed)
        table = find_regions(classes_of(shape.holds(points)), sites_of(points)).table
        inner = table.isel(row=np.flatnonzero(table["class"].values == 1)[0])
        truth = (shape.area, shape.perimeter, *shape.center, 2 * np.sqrt(shape.area / np.pi))
        found.append(
            [
                (float(inner[name]) - true) / float(inner[f"{name}_error"])
                for name, true in zip(NAMES, truth, strict=True)
            ]
        )
    return np.array(found)


@pytest.mark.parametrize("kind", LATTICES)
def test_measures_of_blobs_are_right_within_their_errors(kind: str) -> None:
    off = _deviations(kind, 12.0, 40)
    # Of 40 repeats the spread is known to a ninth.
    spread = np.sqrt((off**2).mean(axis=0))
    assert (spread < 1.35).all()
    assert (spread > 0.7).all()


@pytest.mark.parametrize("kind", LATTICES)
def test_perimeters_of_small_blobs_are_not_too_short(kind: str) -> None:
    off = _deviations(kind, 4.0, 60)[:, 1]
    # Of 60 repeats the mean is known to 0.13 of its errors.
    assert abs(off.mean()) < 0.4
    assert 0.7 < np.sqrt((off**2).mean()) < 1.25


# Sums over the reciprocal lattice: of |k|^-3, a honeycomb with its structure factor.
@pytest.mark.parametrize(
    ("kind", "variance"), [("square", 0.0727), ("hexagonal", 0.0715), ("honeycomb", 0.0797)]
)
def test_how_well_sites_tell_areas_is_what_their_lattice_says(kind: str, variance: float) -> None:
    found = []
    for seed in range(8):
        points = lattice(kind, size=50, seed=seed, noise=0.01)
        placed = placed_classes(classes_of(points[:, 0] > 0), sites_of(points))
        found.append(count_variance(placed.mesh, cell_areas(placed)))
    # A thousand discs each tell it to 5 %.
    assert np.mean(found) == pytest.approx(variance, rel=0.05)


def test_few_sites_have_room_for_no_discs_and_tell_areas_as_a_square_lattice() -> None:
    points = lattice("honeycomb", size=8)
    placed = placed_classes(classes_of(points[:, 0] > 0), sites_of(points))
    assert count_variance(placed.mesh, cell_areas(placed)) == COUNT_VARIANCE


@pytest.mark.slow
def test_intervals_of_measures_of_blobs_hold_the_truth_in_95_of_100() -> None:
    off = np.concatenate([_deviations("square", radius, 250) for radius in (6.0, 10.0)])
    held = (np.abs(off) < 1.96).mean(axis=0)
    # Three standard deviations of a share of 0.95 among 500 are 0.03.
    assert (np.abs(held - 0.95) < 0.03).all()


def test_regions_are_numbered_by_area_and_each_site_has_its_own() -> None:
    y, x = np.indices((10, 12)).reshape(2, -1)
    found = find_regions(classes_of(x > 3), sites_of(np.column_stack([y, x]).astype(float)))
    assert found.table["n_sites"].values.tolist() == [80, 40]
    assert found.table["class"].values.tolist() == [1, 0]
    np.testing.assert_array_equal(found.regions["label"].values, np.where(x > 3, 0, 1))
    assert found.table["area"].attrs["units"] == "nm^2"
    assert found.table["is_cut"].values.all()


def test_sites_that_touch_across_a_corner_are_not_connected() -> None:
    y, x = np.indices((8, 8)).reshape(2, -1)
    points = np.column_stack([y, x]).astype(float)
    checkered = (y // 4 + x // 4) % 2
    assert find_regions(classes_of(checkered), sites_of(points)).table.sizes["row"] == 4


def test_named_neighbors_decide_what_is_connected() -> None:
    points = lattice("square", size=16, noise=0.0, angle=0.0)
    sites = neighbor_vectors(sites_of(points))
    labels = classes_of((points[:, 1] > 0).astype(int))
    as_named = find_regions(labels, sites).table["n_sites"].values
    np.testing.assert_array_equal(as_named, find_regions(labels, sites_of(points)).table["n_sites"])
    cut = sites.assign(neighbor_index=sites["neighbor_index"].where(points[:, 0, None] < 2, -1))
    assert find_regions(labels, cut).table.sizes["row"] > 2


def test_single_sites_are_told_and_keep_their_class() -> None:
    points = lattice("square", size=20)
    labels = np.zeros(len(points), dtype=int)
    middle = int(np.hypot(*points.T).argmin())
    labels[middle] = 1
    found = find_regions(classes_of(labels), sites_of(points))
    assert found.table["n_sites"].values.tolist() == [len(points) - 1, 1]
    assert "1 single sites within other classes" in notes(found.table)[0]
    fewer = find_regions(classes_of(labels), sites_of(points), min_sites=2)
    assert fewer.regions["label"].values[middle] == -1
    assert fewer.table.sizes["row"] == 1


def test_pixels_count_as_sites_do_and_keep_their_shape() -> None:
    shape = blob(12.0, seed=3)
    axis = np.arange(-20.0, 20.0)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    inside = shape.holds(np.column_stack([y.ravel(), x.ravel()])).reshape(y.shape)
    coords = {dim: (dim, 0.5 * axis, {"units": "nm"}) for dim in ("y", "x")}
    found = find_regions(xr.Dataset({"label": (("y", "x"), inside)}, coords=coords))
    assert found.regions["label"].shape == inside.shape
    row = found.table.isel(row=1)
    assert abs(row["area"] - shape.area / 4) < 3 * row["area_error"]
    assert abs(row["perimeter"] - shape.perimeter / 2) < 3 * row["perimeter_error"]
    assert not bool(row["is_cut"])


def test_unclassified_pixels_belong_to_no_region() -> None:
    labels = np.zeros((6, 6), dtype=int)
    labels[:, 3] = -1
    coords = {dim: (dim, np.arange(6.0), {"units": "px"}) for dim in ("y", "x")}
    found = find_regions(xr.Dataset({"label": (("y", "x"), labels)}, coords=coords))
    assert found.table["n_sites"].values.tolist() == [18, 12]
    assert (found.regions["label"].values[:, 3] == -1).all()
    assert "6 pixels without a class" in notes(found.table)[0]


def test_what_cannot_be_placed_is_refused() -> None:
    with pytest.raises(KindError, match="give the sites too"):
        find_regions(classes_of(np.zeros(5, int)))
    line = sites_of(np.column_stack([np.arange(5.0), np.arange(5.0)]))
    with pytest.raises(TooFewSitesError, match="do not lie on a line"):
        find_regions(classes_of(np.zeros(5, int)), line)
    with pytest.raises(SettingError, match="min_sites=0"):
        find_regions(classes_of(np.zeros(5, int)), line, min_sites=0)
    frames = line.assign_coords(frame=("site", [0, 0, 1, 1, 1]))
    with pytest.raises(KindError, match="2 frames"):
        find_regions(classes_of(np.zeros(5, int)), frames)
