"""Neighbors stand in the slots of a star, on any lattice."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy_lattices import NoisyLattice, noisy_lattice
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from adatom.descriptors import features_from_sites, neighbor_vectors
from adatom.errors import (
    AdatomWarning,
    KindError,
    NoLatticeError,
    SettingError,
    TooFewSitesError,
    UnitError,
)
from adatom.schema import Sites, notes, positions, sites_from_positions

NOISY = [
    ("square", 0.03),
    ("square", 0.05),
    ("square", 0.10),
    ("honeycomb", 0.03),
    ("honeycomb", 0.05),
    ("hexagonal", 0.05),
    ("rectangular", 0.05),
    ("long rectangular", 0.05),
    ("oblique", 0.05),
    ("kagome", 0.05),
]


def pointing_at_vacancies(truth: NoisyLattice, found: Sites) -> NDArray[np.bool_]:
    """Tell which slots point to an atom that was taken out."""
    stars = np.array(found.attrs["stars"])
    places = truth.ideal[:, None] + stars[found["star_index"].values]
    if not len(truth.vacancies):
        return np.zeros(places.shape[:2], dtype=bool)
    pointing: NDArray[np.bool_] = cKDTree(truth.vacancies).query(places)[0] < 0.4
    return pointing


def deviations(found: Sites) -> NDArray[np.float64]:
    stars = np.array(found.attrs["stars"])
    return np.asarray(found["neighbor_vector"].values - stars[found["star_index"].values])


@pytest.mark.parametrize(("kind", "noise"), NOISY)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_number_of_neighbors_and_of_stars_is_found(kind: str, noise: float, seed: int) -> None:
    angle, strain = (0.0, 0.03) if seed else (1.1, 0.0)
    truth = noisy_lattice(kind, noise=noise, angle=angle, strain=strain, seed=seed)
    found = neighbor_vectors(truth.sites)
    assert found.sizes["neighbor"] == truth.n_neighbors
    assert len(found.attrs["stars"]) == truth.n_stars
    assert f"n_neighbors={truth.n_neighbors}, the number of bonds" in notes(found)[-1]


@pytest.mark.parametrize(("kind", "noise"), NOISY)
def test_fewer_than_one_inner_site_in_200_gets_a_false_vacancy(kind: str, noise: float) -> None:
    truth = noisy_lattice(kind, size=50, noise=noise, strain=0.03, seed=3)
    found = neighbor_vectors(truth.sites)
    vacant = (found["slot_state"].values == 1).any(axis=1)
    assert vacant[truth.inner].mean() < 0.005
    assert not (found["slot_state"].values[truth.inner] == 2).any()


@pytest.mark.parametrize(("kind", "noise"), NOISY)
def test_planted_vacancies_are_found(kind: str, noise: float) -> None:
    truth = noisy_lattice(kind, size=50, noise=noise, vacancies=0.02, seed=4)
    found = neighbor_vectors(truth.sites)
    assert (found.sizes["neighbor"], len(found.attrs["stars"])) == (
        truth.n_neighbors,
        truth.n_stars,
    )
    pointing = pointing_at_vacancies(truth, found) & truth.inner[:, None]
    vacant = found["slot_state"].values == 1
    assert vacant[pointing].mean() >= 0.99
    assert (vacant & ~pointing)[truth.inner].any(axis=1).mean() < 0.005


@pytest.mark.parametrize("kind", ["square", "honeycomb", "hexagonal"])
def test_filled_slots_hold_vectors_to_sites_near_the_slot(kind: str) -> None:
    truth = noisy_lattice(kind, noise=0.05, vacancies=0.02)
    found = neighbor_vectors(truth.sites)
    vectors, state = found["neighbor_vector"].values, found["slot_state"].values
    assert np.array_equal(np.isfinite(vectors).all(axis=2), state == 0)
    ends = (positions(found)[:, None] + vectors)[state == 0]
    # Each end is a site, to rounding.
    assert cKDTree(positions(found)).query(ends)[0].max() < 1e-9
    assert np.abs(deviations(found)[state == 0]).max() < 0.6


@pytest.mark.parametrize(
    ("kind", "noise"), [("square", 0.03), ("square", 0.10), ("honeycomb", 0.05)]
)
def test_a_perfect_lattice_with_noise_is_not_split_in_two(kind: str, noise: float) -> None:
    # Two classes of one Gaussian cut its longest axis: in 2 n dimensions, with the shared center
    # (n + 1) times as strong as the rest, the inertia falls by a factor of 0.75 to 0.8. Angles
    # sorted across a lattice direction leave less than 0.01.
    truth = noisy_lattice(kind, size=40, noise=noise, angle=0.0)
    features = features_from_sites(neighbor_vectors(truth.sites)).values
    rows = features[np.isfinite(features).all(axis=1)]
    centers, label = kmeans2(rows, 2, seed=0, minit="++")
    left = ((rows - centers[label]) ** 2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()
    assert left > 0.7


def test_stars_of_a_honeycomb_are_inverse_to_one_another() -> None:
    truth = noisy_lattice("honeycomb", noise=0.03)
    first, second = np.array(neighbor_vectors(truth.sites).attrs["stars"])
    gaps = np.linalg.norm(first[:, None] + second[None], axis=2)
    assert gaps.min(axis=1).max() < 0.02


def test_slots_of_a_star_go_round_from_the_direction_of_x_towards_y() -> None:
    truth = noisy_lattice("square", noise=0.02, angle=0.02)
    star = np.array(neighbor_vectors(truth.sites).attrs["stars"])[0]
    assert np.allclose(star, [[0, 1], [1, 0], [0, -1], [-1, 0]], atol=0.05)


@pytest.mark.parametrize(("turn", "n_stars"), [(0.0, 1), (8.0, 1), (30.0, 2), (45.0, 2)])
def test_two_grains_have_a_star_each_if_they_are_turned_enough(turn: float, n_stars: int) -> None:
    left = noisy_lattice("square", size=30, noise=0.04, angle=0.1)
    right = noisy_lattice("square", size=30, noise=0.04, angle=0.1 + np.radians(turn), seed=1)
    y, x = np.concatenate([positions(left.sites), positions(right.sites) + np.array([0, 40])]).T
    found = neighbor_vectors(sites_from_positions(y, x, unit="nm"))
    assert len(found.attrs["stars"]) == n_stars
    inner = np.concatenate([left.inner, right.inner])
    assert (found["slot_state"].values[inner] == 0).mean() > 0.995
    if n_stars == 2:
        grain = np.repeat([0, 1], [len(left.inner), len(right.inner)])
        star = found["star_index"].values
        assert max((star == grain)[inner].mean(), (star != grain)[inner].mean()) > 0.995


def test_a_bent_crystal_keeps_all_its_slots() -> None:
    truth = noisy_lattice("hexagonal", size=60, noise=0.03)
    y, x = positions(truth.sites).T
    # Turned by 25 deg from left to right.
    turn = np.radians(25) * x / 60
    bent = y - 60 / np.radians(25) * (1 - np.cos(turn)), 60 / np.radians(25) * np.sin(turn)
    found = neighbor_vectors(sites_from_positions(bent[0], bent[1], unit="nm"))
    inner = (np.abs(y - 30) < 25) & (np.abs(x - 30) < 25)
    # Bending shears the lattice away from the middle, so that it is not all of one shape.
    near = inner & (np.abs(y - 30) < 8)
    assert (found["slot_state"].values[near] == 0).mean() > 0.99


def test_a_polar_displacement_stays_on_one_star() -> None:
    truth = noisy_lattice("square", size=40, noise=0.02, angle=0.0)
    down = (truth.ideal[:, 0] > 20) & (
        np.rint(truth.ideal.sum(axis=1) - truth.ideal[0].sum()) % 2 == 0
    )
    moved = truth.sites.assign_coords(y=truth.sites.y + 0.15 * down)
    moved["y"].attrs["units"] = "nm"
    found = neighbor_vectors(moved)
    assert len(found.attrs["stars"]) == 1
    assert (found["slot_state"].values[truth.inner] == 0).all()


def test_sites_may_look_for_neighbors_among_others() -> None:
    corners = noisy_lattice("square", noise=0.03, angle=0.4)
    sine, cosine = np.sin(0.4), np.cos(0.4)
    half = 0.5 * np.array([cosine - sine, cosine + sine])
    y, x = (corners.ideal + half).T
    centers = sites_from_positions(y, x, unit="nm", extent=[0, 30, 0, 30])
    found = neighbor_vectors(centers, corners.sites)
    star = np.array(found.attrs["stars"][0])
    assert star.shape == (4, 2)
    assert np.allclose(np.linalg.norm(star, axis=1), np.sqrt(0.5), atol=0.01)
    assert "spacing" not in found.attrs


def test_slots_beyond_the_frame_are_unknown_and_those_inside_it_vacant() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[5:15, 5:15])
    alone = neighbor_vectors(sites_from_positions(y, x, unit="nm"))
    framed = neighbor_vectors(sites_from_positions(y, x, unit="nm", extent=[0, 20, 0, 20]))
    assert (alone["slot_state"].values == 1).sum() == 0
    assert (alone["slot_state"].values == 2).sum() == 40
    assert (framed["slot_state"].values == 1).sum() == 40
    assert (framed["slot_state"].values == 2).sum() == 0


def test_slots_in_masked_regions_are_unknown() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[0:20, 0:20])
    keep = x < 10
    axis = np.arange(0, 20, 0.5)
    mask = xr.DataArray(
        np.broadcast_to(axis < 10.3, (40, 40)).copy(),
        dims=("y", "x"),
        coords={dim: (dim, axis, {"units": "nm"}) for dim in ("y", "x")},
    )
    sites = sites_from_positions(y[keep], x[keep], unit="nm", extent=[0, 19.5, 0, 19.5])
    border = (x[keep] == 9) & (y[keep] > 0) & (y[keep] < 19)
    open_slots = neighbor_vectors(sites)["slot_state"].values[border]
    masked = neighbor_vectors(sites, None, mask)["slot_state"].values[border]
    assert (open_slots == 1).sum() == (masked == 2).sum() == border.sum()
    assert not (masked == 1).any()


def test_the_mask_of_each_frame_holds_for_its_sites() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[0:12, 0:12])
    gap = ~((y == 6) & (x == 6))
    sites = sites_from_positions(
        np.tile(y[gap], 2), np.tile(x[gap], 2), unit="px", frame=np.repeat([3, 4], gap.sum())
    )
    masks = np.ones((2, 12, 12), dtype=bool)
    masks[1, 6, 6] = False
    axis = np.arange(12.0)
    mask = xr.DataArray(
        masks,
        dims=("frame", "y", "x"),
        coords={"frame": [3, 4], **{d: (d, axis, {"units": "px"}) for d in ("y", "x")}},
    )
    state = neighbor_vectors(sites, None, mask)["slot_state"].values
    frame = sites["frame"].values
    assert (state[frame == 3] == 1).sum() == 4
    assert (state[frame == 4] == 1).sum() == 0
    with pytest.raises(KindError, match="sites hold frame 4, regions does not"):
        neighbor_vectors(sites, None, mask.isel(frame=[0]))


def test_neighbors_are_of_the_same_frame() -> None:
    truth = noisy_lattice("square", noise=0.03)
    y, x = positions(truth.sites).T
    n = len(y)
    movie = sites_from_positions(
        np.tile(y, 3), np.tile(x, 3) + np.repeat([0, 0.4, 0], n), unit="nm",
        frame=np.repeat([0, 1, 2], n), extent=[0, 30, 0, 30],
    )  # fmt: skip
    one = neighbor_vectors(truth.sites)["neighbor_vector"].values
    three = neighbor_vectors(movie)["neighbor_vector"].values
    assert np.allclose(one, three[:n], equal_nan=True, atol=1e-12)
    assert np.allclose(one, three[2 * n :], equal_nan=True, atol=1e-12)


def test_frames_in_another_order_give_the_same() -> None:
    truth = noisy_lattice("honeycomb", noise=0.04, vacancies=0.01)
    y, x = positions(truth.sites).T
    n = len(y)
    rng = np.random.default_rng(0)
    jitter = rng.normal(0, 0.02, (2, 2, n))
    first = np.stack([y, x])[None] + jitter
    frames = [
        sites_from_positions(
            np.concatenate([first[a, 0], first[b, 0]]),
            np.concatenate([first[a, 1], first[b, 1]]),
            unit="nm",
            frame=np.repeat([a, b], n),
        )
        for a, b in ((0, 1), (1, 0))
    ]
    one, other = (neighbor_vectors(sites) for sites in frames)
    swapped = np.concatenate([np.arange(n, 2 * n), np.arange(n)])
    assert np.array_equal(
        one["neighbor_vector"].values, other["neighbor_vector"].values[swapped], equal_nan=True
    )


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), kind=st.sampled_from(["square", "honeycomb", "hexagonal"]))
def test_the_order_of_sites_does_not_matter(seed: int, kind: str) -> None:
    truth = noisy_lattice(kind, size=14, noise=0.04, vacancies=0.02, seed=seed)
    order = np.random.default_rng(seed).permutation(truth.sites.sizes["site"])
    found = neighbor_vectors(truth.sites)
    shuffled = neighbor_vectors(truth.sites.isel(site=order))
    # Numbers of neighbors are numbers in the order that was given.
    number = found["neighbor_index"].values[order]
    renumbered = np.where(number < 0, -1, np.argsort(order)[number])
    np.testing.assert_array_equal(shuffled["neighbor_index"].values, renumbered)
    other = found.isel(site=order).drop_vars("neighbor_index")
    xr.testing.assert_identical(other, shuffled.drop_vars("neighbor_index"))


@settings(max_examples=10, deadline=None)
@given(
    angle=st.floats(0, 6.3),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    kind=st.sampled_from(["square", "honeycomb", "rectangular"]),
)
def test_vectors_turn_with_the_sites_and_do_not_shift(
    angle: float, shift: tuple[float, float], kind: str
) -> None:
    truth = noisy_lattice(kind, size=14, noise=0.03, vacancies=0.02, extent=False)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    y, x = (positions(truth.sites) @ turn.T + shift).T
    found = neighbor_vectors(truth.sites)
    turned = neighbor_vectors(sites_from_positions(y, x, unit="nm"))
    # Sorted by length, since slots are counted from another direction.
    before, after = (
        np.sort(np.linalg.norm(sites["neighbor_vector"].values, axis=2)[truth.inner], axis=1)
        for sites in (found, turned)
    )
    assert np.allclose(before, after, equal_nan=True, atol=1e-9)


def test_results_carry_unit_spacing_and_the_meaning_of_states() -> None:
    truth = noisy_lattice("rectangular", noise=0.03)
    found = neighbor_vectors(truth.sites)
    assert found["neighbor_vector"].attrs["units"] == "nm"
    assert found["neighbor_vector"].dims == ("site", "neighbor", "axis")
    assert list(found["axis"].values) == ["y", "x"]
    assert found["slot_state"].dtype == np.int8
    assert found["slot_state"].attrs["flag_meanings"] == "filled vacant unknown"
    assert found.attrs["spacing"] == pytest.approx(1.0, abs=0.01)
    assert "neighbor_vector" not in truth.sites
    again = neighbor_vectors(found, n_neighbors=2)
    assert again.sizes["neighbor"] == 2


def test_a_spacing_that_is_known_stays() -> None:
    truth = noisy_lattice("square", noise=0.03)
    truth.sites.attrs["spacing"] = 0.99
    assert neighbor_vectors(truth.sites).attrs["spacing"] == 0.99


def test_more_neighbors_than_bonds_take_the_next_shell() -> None:
    truth = noisy_lattice("square", noise=0.03)
    star = np.array(neighbor_vectors(truth.sites, n_neighbors=8).attrs["stars"])[0]
    lengths = np.sort(np.linalg.norm(star, axis=1))
    assert np.allclose(lengths, [1] * 4 + [np.sqrt(2)] * 4, atol=0.01)


def test_a_part_of_a_shell_is_warned_of() -> None:
    truth = noisy_lattice("hexagonal", noise=0.03)
    with pytest.warns(AdatomWarning, match="n_neighbors=3 cuts through neighbors at") as record:
        neighbor_vectors(truth.sites, n_neighbors=3)
    assert record[0].filename == __file__


def test_neighbors_beyond_the_greatest_distance_are_not_taken() -> None:
    truth = noisy_lattice("rectangular", noise=0.02, angle=0.0)
    found = neighbor_vectors(truth.sites, max_distance="1.2 nm")
    assert found.sizes["neighbor"] == 2
    assert np.nanmax(np.linalg.norm(found["neighbor_vector"].values, axis=2)) <= 1.2


def test_float32_positions_give_float32_vectors() -> None:
    truth = noisy_lattice("square")
    single = truth.sites.assign_coords(
        {dim: ("site", truth.sites[dim].values.astype(np.float32), {"units": "nm"}) for dim in "yx"}
    )
    assert neighbor_vectors(single)["neighbor_vector"].dtype == np.float32


def test_random_points_are_no_lattice() -> None:
    y, x = np.random.default_rng(0).uniform(0, 40, (2, 2000))
    with pytest.raises(
        NoLatticeError, match="2000 sites have no directions to neighbors in common"
    ):
        neighbor_vectors(sites_from_positions(y, x, unit="nm"))


def test_points_that_only_keep_their_distance_are_warned_of() -> None:
    places = np.random.default_rng(1).uniform(0, 32, (1000, 2))
    apart = cKDTree(places).query(places, k=2)[0][:, 1] > 0.6
    y, x = places[apart].T
    with pytest.warns(AdatomWarning, match="turned by any angle"):
        neighbor_vectors(sites_from_positions(y, x, unit="nm"))


def test_too_few_sites_name_the_frame() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[:5, :5])
    sites = sites_from_positions(y, x, unit="px", frame=np.repeat([2, 7], [21, 4]))
    with pytest.raises(TooFewSitesError, match=r"frame 7 holds 4 sites, n_neighbors=4 needs 5"):
        neighbor_vectors(sites, n_neighbors=4)
    with pytest.raises(TooFewSitesError, match="sites are empty"):
        neighbor_vectors(sites.drop_vars("frame").isel(site=slice(0)))
    with pytest.raises(TooFewSitesError, match=r"frame 7 holds 0 others, n_neighbors=3 needs 3"):
        neighbor_vectors(sites, sites.isel(site=slice(21)))


def test_sites_without_a_position_are_counted() -> None:
    truth = noisy_lattice("square")
    y, x = positions(truth.sites).T
    y[:2] = np.nan
    with pytest.raises(KindError, match=f"2 of {len(y)} sites have no finite position"):
        neighbor_vectors(sites_from_positions(y, x, unit="nm"))


def test_settings_that_cannot_be_met_are_named() -> None:
    truth = noisy_lattice("square", noise=0.03)
    with pytest.raises(SettingError, match="n_neighbors=0 must be 1 or more"):
        neighbor_vectors(truth.sites, n_neighbors=0)
    with pytest.raises(SettingError, match=r"n_neighbors=12.*have 4 bonds"):
        neighbor_vectors(truth.sites, n_neighbors=12, max_distance="1.7 nm")
    with pytest.raises(SettingError, match="greater than zero"):
        neighbor_vectors(truth.sites, max_distance="0 nm")
    with pytest.raises(UnitError, match="sites are in nm, others in px"):
        neighbor_vectors(truth.sites, sites_from_positions([0.0], [0.0], unit="px"))
    moving = sites_from_positions([0.0], [0.0], unit="nm", frame=[0])
    with pytest.raises(KindError, match="only one of sites and others has a coordinate 'frame'"):
        neighbor_vectors(truth.sites, moving)
