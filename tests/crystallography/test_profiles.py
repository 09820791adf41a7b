"""Profiles across a boundary, against walls that are planted."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from planted_outlines import Array, classes_of, lattice, random_field, sites_of
from scipy.ndimage import map_coordinates

from adatom.crystallography import BoundaryProfile, estimate_profile, find_boundaries
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Sites, image_from_array

# A wall along a lattice row could lie anywhere between two rows: this one does not.
NORMAL = np.array([np.sin(np.radians(87)), np.cos(np.radians(87))])


def _wall(size: float = 40.0, *, seed: int = 0) -> tuple[Sites, Sites, Array]:
    points = lattice("square", size=size, seed=seed, noise=0.02, angle=20.0)
    distance = points @ NORMAL
    sites = sites_of(points)
    return sites, find_boundaries(classes_of(distance > 0), sites).vertices, distance


def _profile(size: float, correlation: float, seed: int) -> BoundaryProfile:
    sites, vertices, distance = _wall(size, seed=seed)
    rng = np.random.default_rng(1000 + seed)
    if correlation:
        places = np.stack([sites["y"].values, sites["x"].values]) + size
        noise = map_coordinates(random_field(2 * int(size), correlation, rng), places, order=1)
    else:
        noise = rng.normal(size=len(distance))
    sites["shift"] = ("site", np.tanh(distance / 2) + 0.3 * noise, {"units": "nm"})
    return estimate_profile(sites, vertices, quantity="shift")


def test_a_planted_wall_is_found_with_its_width_and_height() -> None:
    profile, wall = _profile(40.0, 0.0, 0)
    for name, truth in (("width", 2 * np.log(9)), ("rise", 2.0), ("low", -1.0), ("center", 0.0)):
        # The wall as drawn wavers by some tenths of a spacing beside its errors.
        assert abs(float(wall[name][0]) - truth) < 3 * float(wall[f"{name}_error"][0]) + 0.1
    assert profile["distance"].attrs["units"] == profile["value"].attrs["units"] == "nm"
    assert (np.diff(profile["distance"].values) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 2.0])
def test_intervals_hold_the_truth_in_95_of_100_whatever_noise_has_in_common(
    correlation: float,
) -> None:
    held = []
    for seed in range(60):
        profile = _profile(80.0, correlation, seed).profile
        truth = np.tanh(profile["distance"].values / 2)
        held.append(
            ((profile["value_low"] <= truth) & (truth <= profile["value_high"])).values.mean()
        )
    assert 0.93 < np.mean(held) < 0.97


def test_errors_of_a_wall_told_by_few_pieces_are_widened() -> None:
    off, error, n_pieces = [], [], []
    truth = {"width": 2 * np.log(9), "rise": 2.0, "low": -1.0}
    for seed in range(40):
        profile, wall = _profile(40.0, 0.0, seed)
        np.testing.assert_allclose(
            profile["value_high"] - profile["value"], 1.96 * profile["value_error"]
        )
        off.append([float(wall[name][0]) - value for name, value in truth.items()])
        error.append([float(wall[f"{name}_error"][0]) for name in truth])
        n_pieces.append(int(wall["n_pieces"][0]))
    assert np.mean(n_pieces) < 8
    # Student's t of six pieces is 1.31 times that of many, and the scatter of six known to a third
    # only, so that the mean error is larger than the scatter: by 1.25. Of 40 repeats of
    # three quantities that is known to 0.08.
    assert 1.1 < np.mean(np.mean(error, axis=0) / np.sqrt(np.mean(np.square(off), axis=0))) < 1.45


def test_errors_grow_where_noise_is_common_along_the_wall() -> None:
    alone, common = (
        float(_profile(60.0, correlation, 1).profile["value_error"].median())
        for correlation in (0.0, 3.0)
    )
    # 3 spacings of correlation leave one independent value in 7.5 sites, of which bins hold half.
    assert common > 1.4 * alone


def test_the_normal_component_of_a_displacement_keeps_its_sign() -> None:
    sites, vertices, distance = _wall()
    away = np.where(distance > 0, 0.1, -0.1)[:, None] * NORMAL
    sites["displacement"] = (("site", "axis"), away, {"units": "nm"})
    wall = estimate_profile(sites, vertices, quantity="displacement", component="normal").wall
    assert abs(float(wall["rise"][0]) - 0.2) < 0.01
    along = estimate_profile(sites, vertices, quantity="displacement", component="along").profile
    assert np.abs(along["value"].values).max() < 0.03


def test_a_peak_at_the_wall_is_fitted_as_one() -> None:
    sites, vertices, distance = _wall()
    rng = np.random.default_rng(2)
    peak = 1 / np.cosh(distance / 1.5) ** 2 + 0.05 * rng.normal(size=len(distance))
    sites["strain"] = ("site", peak, {"units": "1"})
    wall = estimate_profile(sites, vertices, quantity="strain", shape="peak").wall
    assert abs(float(wall["width"][0]) - 1.5 * 1.7627) < 0.2
    assert abs(float(wall["rise"][0]) - 1.0) < 0.1


def test_an_image_has_a_profile_too() -> None:
    _, vertices, _ = _wall()
    y, x = np.indices((200, 200)) * 0.15 - 15
    values = np.tanh((y * NORMAL[0] + x * NORMAL[1]) / 1.0)
    image = image_from_array(values, pixel_size="0.15 nm")
    image = image.assign_coords(
        {dim: (dim, image[dim].values - 15, image[dim].attrs) for dim in ("y", "x")}
    )
    wall = estimate_profile(image, vertices).wall
    assert abs(float(wall["width"][0]) - np.log(9)) < 0.25


def test_places_beyond_the_end_of_a_boundary_do_not_count() -> None:
    sites, vertices, distance = _wall()
    sites["one"] = ("site", np.ones(len(distance)), {"units": "1"})
    half = vertices.isel(site=np.flatnonzero(vertices["x"].values < 0))
    whole, part = (
        int(estimate_profile(sites, lines, quantity="one").profile["n"].sum())
        for lines in (vertices, half)
    )
    assert abs(part / whole - 0.5) < 0.05


def test_of_several_pairs_the_longest_boundary_is_taken_and_told() -> None:
    sites, vertices, distance = _wall()
    sites["shift"] = ("site", distance, {"units": "nm"})
    y = vertices["y"].values
    # The upper third of the wall is said to lie between other classes.
    other = y < np.quantile(y, 1 / 3)
    mixed = vertices.copy()
    mixed["boundary"] = ("site", other.astype(int))
    mixed["class_second"] = ("site", np.where(other, 2, 1))
    found = estimate_profile(sites, mixed, quantity="shift").profile
    asked = estimate_profile(sites, mixed, quantity="shift", between=(0, 1)).profile
    assert found["n"].values.tolist() == asked["n"].values.tolist()
    assert "between=(0, 1), the longest" in " ".join(found.attrs["notes"])


def test_no_boundary_gives_no_rows() -> None:
    sites, vertices, distance = _wall()
    sites["shift"] = ("site", distance, {"units": "nm"})
    profile, wall = estimate_profile(sites, vertices.isel(site=[]), quantity="shift")
    assert profile.sizes["row"] == wall.sizes["row"] == 0
    assert set(profile) == set(estimate_profile(sites, vertices, quantity="shift").profile)


def test_what_is_missing_is_told() -> None:
    sites, vertices, distance = _wall()
    sites["shift"] = ("site", distance, {"units": "nm"})
    sites["displacement"] = (("site", "axis"), np.zeros((len(distance), 2)), {"units": "nm"})
    with pytest.raises(KindError, match="quantity='strain' is no variable"):
        estimate_profile(sites, vertices, quantity="strain")
    with pytest.raises(SettingError, match="is a vector"):
        estimate_profile(sites, vertices, quantity="displacement")
    with pytest.raises(SettingError, match="no boundary runs between"):
        estimate_profile(sites, vertices, quantity="shift", between=(0, 5))
    with pytest.raises(SettingError, match="less than reach"):
        estimate_profile(sites, vertices, quantity="shift", bin_width="9 d")
    with pytest.raises(KindError, match="give the vertices"):
        estimate_profile(sites, xr.Dataset(coords=sites.coords), quantity="shift")
    with pytest.raises(TooFewSitesError, match="too short"):
        estimate_profile(sites, vertices.isel(site=slice(0, 5)), quantity="shift", reach="4 d")
