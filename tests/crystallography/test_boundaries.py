"""Boundaries between classes, against lines and circles whose length is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from measured_walls import excess_of_wall
from planted_outlines import LATTICES, classes_of, lattice, sites_of

from adatom.crystallography import find_boundaries
from adatom.errors import SettingError


@pytest.mark.parametrize("kind", LATTICES)
def test_straight_boundaries_have_their_length_at_every_angle(kind: str) -> None:
    for seed, angle in enumerate(np.radians(np.arange(0.0, 180.0, 12.0))):
        points = lattice(kind, seed=seed, angle=0.0)
        normal = np.array([np.sin(angle), np.cos(angle)])
        along = points @ np.array([-normal[1], normal[0]])
        points = points[np.abs(along) < 20]
        found = find_boundaries(classes_of(points @ normal > 0.3), sites_of(points))
        lines = np.column_stack([found.vertices["y"], found.vertices["x"]])
        span = np.ptp(lines @ np.array([-normal[1], normal[0]]))
        assert found.table.sizes["row"] == 1
        # Counting the sides of cells would be 27 % off on average.
        assert abs(float(found.table["length"][0]) / span - 1) < 0.03


@pytest.mark.parametrize("kind", LATTICES)
# Straight, and gently bent.
@pytest.mark.parametrize("radius", [1e6, 40.0])
def test_lengths_of_walls_are_off_by_their_errors_and_not_by_much_less(
    kind: str, radius: float
) -> None:
    off, error = np.array([excess_of_wall(kind, radius=radius, seed=seed) for seed in range(50)]).T
    # Of 50 repeats the spread is known to a tenth.
    assert 0.7 < np.sqrt((off**2 / error**2).mean()) < 1.3


@pytest.mark.parametrize("kind", LATTICES)
@pytest.mark.parametrize("radius", [5.0, 10.0])
def test_circles_have_their_circumference(kind: str, radius: float) -> None:
    lengths = []
    for seed in range(8):
        points = lattice(kind, size=3 * radius, seed=seed)
        inside = np.hypot(*points.T) < radius
        table = find_boundaries(classes_of(inside), sites_of(points)).table
        assert table["is_closed"].values.tolist() == [True]
        lengths.append(float(table["length"][0]))
    assert abs(np.mean(lengths) / (2 * np.pi * radius) - 1) < 0.03


def test_normals_point_to_the_second_class_and_directions_are_those_of_the_wall() -> None:
    points = lattice("square", size=30, angle=0.0)
    angle = np.radians(30)
    normal = np.array([np.sin(angle), np.cos(angle)])
    found = find_boundaries(classes_of(points @ normal > 0), sites_of(points))
    towards = found.vertices["normal"].values @ normal
    assert np.median(towards) > 0.97
    assert abs(float(found.table["direction"][0]) - 120) < 3
    assert float(found.table["alignment"][0]) > 0.95
    longest = found.directions.isel(row=int(found.directions["length"].values.argmax()))
    assert float(longest["direction"]) == 120.0
    total = float(found.table["length"].sum())
    assert float(found.directions["length"].sum()) == pytest.approx(total)


def test_three_classes_meet_in_one_point() -> None:
    points = lattice("hexagonal", size=30)
    labels = (np.arctan2(*points.T) // (2 * np.pi / 3)).astype(int) % 3
    table = find_boundaries(classes_of(labels), sites_of(points)).table
    pairs = {
        (int(a), int(b)) for a, b in zip(table["class_first"], table["class_second"], strict=True)
    }
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    assert table.sizes["row"] == 3
    assert set(table["region_first"].values) | set(table["region_second"].values) == {0, 1, 2}


def test_a_wall_of_some_width_is_told_from_a_sharp_one_by_probabilities() -> None:
    points = lattice("square", size=40, angle=0.0)
    distance = points[:, 1] + 0.37 * points[:, 0]
    distance /= np.hypot(1, 0.37)
    share = (1 + np.tanh(distance / 2.0)) / 2
    soft = classes_of(share > 0.5)
    sharp = find_boundaries(soft, sites_of(points)).table
    soft["probability"] = (("site", "class"), np.column_stack([1 - share, share]))
    table = find_boundaries(soft, sites_of(points)).table
    # 10 to 90 % of tanh(s / w) is w ln 9.
    assert abs(float(table["width"][0]) / (2 * np.log(9)) - 1) < 0.05
    assert float(sharp["width"][0]) < 0.6
    assert float(sharp["width_error"][0]) > 0.1


def test_a_wall_between_pixels_runs_where_the_probability_is_even() -> None:
    x = np.arange(20.0)
    share = np.clip((x - 8.0) / 3.0, 0.0, 1.0) * np.ones((20, 1))
    coords = {dim: (dim, 0.1 * np.arange(20.0), {"units": "nm"}) for dim in ("y", "x")}
    classes = xr.Dataset(
        {
            "label": (("y", "x"), (share > 0.5).astype(int)),
            "probability": (("y", "x", "class"), np.stack([1 - share, share], axis=-1)),
        },
        coords=coords,
    )
    vertices = find_boundaries(classes).vertices
    np.testing.assert_allclose(vertices["x"].values, 0.95, atol=0.005)


def test_one_class_has_no_boundary() -> None:
    points = lattice("square", size=12)
    found = find_boundaries(classes_of(np.zeros(len(points))), sites_of(points))
    assert found.table.sizes["row"] == found.vertices.sizes["site"] == 0
    assert found.directions.sizes["row"] == 0


def test_the_order_of_sites_changes_no_length() -> None:
    points = lattice("hexagonal", size=24)
    labels = (np.hypot(*points.T) < 7).astype(int)
    order = np.random.default_rng(0).permutation(len(points))
    first, second = (
        find_boundaries(classes_of(labels[o]), sites_of(points[o])).table["length"].values
        for o in (slice(None), order)
    )
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_smoothing_must_be_positive() -> None:
    points = lattice("square", size=12)
    with pytest.raises(SettingError, match="must be positive"):
        find_boundaries(classes_of(points[:, 0] > 0), sites_of(points), smoothing="0 nm")
