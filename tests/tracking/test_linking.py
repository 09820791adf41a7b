"""Tracks against the truth of simulated walkers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from walking import pairs, scores, walkers

from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import Sites, sites_from_positions
from adatom.tracking import link_sites

Ints = NDArray[np.int64]


def linking(linked: Sites) -> dict[str, float]:
    found: dict[str, float] = linked.attrs["linking"]
    return found


def test_dilute_walkers_with_missed_detections_are_linked_nearly_without_error() -> None:
    sites, walker = walkers(300, 60, side=900.0, error=0.2, missed=0.05)
    recall, precision = scores(link_sites(sites), walker)
    # A walker is near another's step in about one case of a thousand.
    assert recall > 0.997
    assert precision > 0.997


def test_diffusion_and_position_error_are_found_without_being_told() -> None:
    sites, _ = walkers(500, 60, side=400.0, error=0.5, missed=0.03)
    found = linking(link_sites(sites))
    # A step of 1 along each axis is D = 1/2; 20,000 distances tell them within a few percent.
    assert np.dot(found["diffusion"], found["weight"]) == pytest.approx(0.5, rel=0.05)
    assert found["position_error"] == pytest.approx(0.5, rel=0.1)
    assert found["missed"] == pytest.approx(0.03, rel=0.3)


def test_walkers_so_crowded_that_the_nearest_is_often_wrong_are_still_told_apart() -> None:
    sites, walker = walkers(400, 30, side=100.0, step=1.0)
    linked = link_sites(sites)
    recall, precision = scores(linked, walker)
    greedy = link_greedily(sites)
    assert scores(sites.assign(track=("site", greedy)), walker)[1] < precision - 0.02
    assert min(recall, precision) > 0.88


def link_greedily(sites: Sites) -> Ints:
    """Join the nearest pair first, then the next, from each frame to the next."""
    frame, place = sites["frame"].values, np.stack([sites["y"].values, sites["x"].values], axis=1)
    track = np.arange(len(frame))
    for number in range(1, int(frame.max()) + 1):
        one, two = np.flatnonzero(frame == number - 1), np.flatnonzero(frame == number)
        distance = np.linalg.norm(place[one][:, None] - place[two][None], axis=2)
        for _ in range(min(len(one), len(two))):
            i, j = np.unravel_index(np.argmin(distance), distance.shape)
            if distance[i, j] > 6:
                break
            track[two[j]] = track[one[i]]
            distance[i], distance[:, j] = np.inf, np.inf
    return track


def test_a_row_that_moves_by_more_than_half_its_distance_is_not_linked_greedily() -> None:
    # The nearest to each new place is the wrong one: only together they fit.
    x = np.arange(6.0)
    sites = sites_from_positions(
        np.zeros(12), np.append(x, x + 0.6), unit="nm", frame=np.repeat([0, 1], 6)
    )
    linked = link_sites(sites, diffusion=0.2, position_error="0.01 nm")
    assert linked["track"].values.tolist() == [0, 1, 2, 3, 4, 5] * 2


def test_the_assignment_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(3)
    one = rng.uniform(0, 3, (6, 2))
    two = rng.permutation(one + rng.normal(0, 0.8, one.shape))
    y, x = np.concatenate([one, two]).T
    sites = sites_from_positions(y, x, unit="nm", frame=np.repeat([0, 1], 6))
    track = link_sites(sites, diffusion=0.5, position_error="0.01 nm")["track"].values
    partner = [track[:6].tolist().index(number) for number in track[6:]]
    square = ((one[:, None] - two[None]) ** 2).sum(axis=2)
    best = min(
        itertools.permutations(range(6)),
        key=lambda order: sum(square[order[j], j] for j in range(6)),
    )
    assert tuple(partner) == best


def test_the_order_of_the_sites_does_not_matter() -> None:
    sites, _ = walkers(100, 20, side=120.0, error=0.2, missed=0.05)
    order = np.random.default_rng(5).permutation(sites.sizes["site"])
    straight, mixed = link_sites(sites), link_sites(sites.isel(site=order))
    assert (straight["track"].values[order] == mixed["track"].values).all()
    assert linking(straight) == linking(mixed)


def test_sites_are_bridged_over_as_many_missed_frames_as_memory_says() -> None:
    frame = np.array([0, 1, 2, 6, 7, 8])
    x = 0.1 * np.sin(frame)
    # Another particle is seen in all frames.
    every = np.arange(9)
    sites = sites_from_positions(
        np.append(np.zeros(6), np.full(9, 50.0)),
        np.append(x, 0.1 * np.cos(every)),
        unit="nm",
        frame=np.append(frame, every),
    )
    settings = {"diffusion": 0.01, "position_error": "0.02 nm"}
    assert len(set(link_sites(sites, memory=3, **settings)["track"].values[:6])) == 1  # type: ignore[arg-type]
    assert len(set(link_sites(sites, memory=2, **settings)["track"].values[:6])) == 2  # type: ignore[arg-type]


def test_the_range_grows_with_the_gap() -> None:
    # Steps of 1.2 in a frame, and of 2.3 over four: beyond 1.5, but not beyond 1.5 * sqrt(4).
    x = [0.0, 1.2, 3.5, 3.5, 3.5]
    sites = sites_from_positions(np.zeros(5), x, unit="nm", frame=[0, 1, 5, 6, 7])
    others = sites_from_positions(np.full(8, 90.0), np.zeros(8), unit="nm", frame=np.arange(8))
    both = xr.concat([sites, others], dim="site")
    linked = link_sites(
        both, memory=3, max_distance="1.5 nm", diffusion=0.5, position_error="0.1 nm"
    )
    assert linked["track"].values[:5].tolist() == [0] * 5
    shorter = link_sites(
        both, memory=3, max_distance="1.1 nm", diffusion=0.5, position_error="0.1 nm"
    )
    # 1.2 is beyond, and 2.3 over four frames is beyond 2.2.
    assert len(set(shorter["track"].values[:3])) == 3


def test_no_link_is_longer_than_told() -> None:
    sites, _ = walkers(200, 20, side=100.0)
    linked = link_sites(sites, max_distance="1 px", memory=0)
    place = np.stack([sites["y"].values, sites["x"].values], axis=1)
    found = pairs(sites["frame"].values, linked["track"].values)
    assert max(float(np.linalg.norm(place[i] - place[j])) for i, j in found) <= 1.0


def test_frames_that_are_numbered_in_tens_are_no_gaps() -> None:
    sites, walker = walkers(50, 20, side=300.0)
    tens = sites.assign_coords(frame=("site", 10 * sites["frame"].values))
    linked, usual = link_sites(tens), link_sites(sites)
    assert (linked["track"].values == usual["track"].values).all()
    assert linking(linked)["diffusion"][0] == pytest.approx(linking(usual)["diffusion"][0] / 10)  # type: ignore[index]
    assert scores(linked, walker, longest=30)[0] > 0.99


def test_frames_left_out_count_in_the_time() -> None:
    kept = np.delete(np.arange(80), np.arange(5, 80, 7))
    sites, walker = walkers(200, len(kept), side=500.0, frames=kept)
    linked = link_sites(sites)
    assert linking(linked)["diffusion"][0] == pytest.approx(0.5, rel=0.05)  # type: ignore[index]
    assert min(scores(linked, walker)) > 0.99


def test_unequal_times_are_taken_from_the_sites() -> None:
    frame = np.arange(40)
    time = np.cumsum(np.where(frame % 10 == 9, 16, 1))
    sites, walker = walkers(100, 40, side=800.0, frames=time)
    timed = sites.assign_coords(
        frame=("site", np.searchsorted(time, sites["frame"].values)),
        time=("site", 0.5 * sites["frame"].values, {"units": "s"}),
    )
    linked = link_sites(timed)
    # Steps of 1 in half a second.
    assert linking(linked)["diffusion"][0] == pytest.approx(1.0, rel=0.05)  # type: ignore[index]
    assert linked.attrs["linking"]["diffusion_unit"] == "px^2/s"
    assert min(scores(linked, walker)) > 0.99
    # Without them the steps over long waits look like a second, faster motion.
    assert len(linking(linked)["weight"]) == 1  # type: ignore[arg-type]
    assert len(linking(link_sites(timed.drop_vars("time")))["weight"]) == 2  # type: ignore[arg-type]


def test_times_that_go_back_are_refused() -> None:
    sites, _ = walkers(5, 3, side=50.0)
    back = sites.assign_coords(time=("site", -1.0 * sites["frame"].values, {"units": "s"}))
    with pytest.raises(SettingError, match=r"time is -?0 s in frame 0 and -1 s in frame 1"):
        link_sites(back)


def test_atoms_that_hop_a_lattice_now_and_then_are_followed() -> None:
    rng = np.random.default_rng(2)
    n, n_frames = 60, 80
    hops = rng.integers(-1, 2, (n_frames, n, 2)) * (rng.random((n_frames, n, 1)) < 0.03)
    grid = np.stack(np.divmod(rng.permutation(400)[:n], 20), axis=1) * 6.0
    path = grid + np.cumsum(hops, axis=0)
    place = path + rng.normal(0, 0.04, path.shape)
    sites = sites_from_positions(
        *place.reshape(-1, 2).T, unit="nm", frame=np.repeat(np.arange(n_frames), n)
    )
    linked = link_sites(sites)
    # Of the steps 3 * 8/9 % are hops, 20 times as long as the error.
    assert linking(linked)["weight"][1] == pytest.approx(0.027, abs=0.01)  # type: ignore[index]
    assert min(scores(linked, np.tile(np.arange(n), n_frames))) > 0.999


def test_few_long_steps_of_few_sites_do_not_break_tracks() -> None:
    # Four atoms, of which one moves by fifty errors now and then: too few for their distances.
    rng = np.random.default_rng(3)
    n_frames = 40
    place = np.array([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0], [3.0, 3.0]]) + np.zeros((n_frames, 4, 2))
    for frame in (7, 14, 20, 27, 33):
        place[frame:, 1] += 0.15 * np.array([1.0, (-1.0) ** frame])
    place += rng.normal(0, 0.003, place.shape)
    sites = sites_from_positions(
        *place.reshape(-1, 2).T, unit="nm", frame=np.repeat(np.arange(n_frames), 4)
    )
    linked = link_sites(sites)
    assert linked["track"].values.max() == 3
    assert min(scores(linked, np.tile(np.arange(4), n_frames))) == 1.0


def test_hops_are_followed_where_rest_itself_has_two_widths() -> None:
    # As of defects whose lattice is known better in some frames than in others.
    rng = np.random.default_rng(5)
    n, n_frames = 60, 80
    hops = rng.integers(-1, 2, (n_frames, n, 2)) * (rng.random((n_frames, n, 1)) < 0.05)
    grid = np.stack(np.divmod(rng.permutation(400)[:n], 20), axis=1) * 6.0
    path = grid + np.cumsum(hops, axis=0)
    width = np.where(rng.random(path.shape[:2]) < 0.6, 0.002, 0.02)[..., None]
    place = path + width * rng.normal(size=path.shape)
    sites = sites_from_positions(
        *place.reshape(-1, 2).T, unit="nm", frame=np.repeat(np.arange(n_frames), n)
    )
    linked = link_sites(sites)
    assert len(linking(linked)["weight"]) == 3  # type: ignore[arg-type]
    assert linking(linked)["weight"][2] == pytest.approx(0.044, abs=0.015)  # type: ignore[index]
    assert min(scores(linked, np.tile(np.arange(n), n_frames))) > 0.999


def test_classes_tell_crossing_walkers_apart() -> None:
    sites, walker = walkers(400, 40, side=70.0)
    classes = xr.Dataset({"label": ("site", walker % 4)})
    blind, seeing = link_sites(sites), link_sites(sites, classes)
    assert min(scores(seeing, walker)) > min(scores(blind, walker)) + 0.05
    change = np.array(seeing.attrs["linking"]["change"])
    assert (np.diag(change) > 0.97).all()
    assert min(scores(link_sites(sites.assign(classes)), walker)) == min(scores(seeing, walker))
    told = link_sites(sites.assign(classes), use_classes=False)
    assert (told["track"].values == blind["track"].values).all()


def test_classes_that_say_nothing_change_next_to_nothing() -> None:
    sites, walker = walkers(300, 40, side=100.0)
    label = np.random.default_rng(4).integers(0, 3, sites.sizes["site"])
    classes = xr.Dataset({"label": ("site", label)})
    blind, seeing = link_sites(sites), link_sites(sites, classes)
    assert abs(min(scores(seeing, walker)) - min(scores(blind, walker))) < 0.01


def test_probabilities_weigh_doubtful_labels_less() -> None:
    sites, walker = walkers(400, 40, side=70.0)
    rng = np.random.default_rng(7)
    true = walker % 2
    sure = rng.random(len(true)) < 0.7
    label = np.where(sure, true, rng.integers(0, 2, len(true)))
    probability = np.where(sure[:, None], np.eye(2)[label], 0.5)
    hard = xr.Dataset({"label": ("site", label)})
    soft = hard.assign(probability=(("site", "class"), probability))
    assert min(scores(link_sites(sites, soft), walker)) > min(
        scores(link_sites(sites, hard), walker)
    )


def test_position_errors_of_single_sites_are_used() -> None:
    sites, walker = walkers(150, 40, side=100.0, step=0.3)
    rng = np.random.default_rng(1)
    error = np.where(rng.random(sites.sizes["site"]) < 0.2, 2.0, 0.1)
    y, x = (sites[name].values + rng.normal(0, error) for name in ("y", "x"))
    moved = sites_from_positions(y, x, unit="px", frame=sites["frame"].values)
    known = moved.assign(
        covariance=(("site", "axis", "axis_other"), np.eye(2) * error[:, None, None] ** 2)
    )
    assert scores(link_sites(known), walker)[0] > scores(link_sites(moved), walker)[0]


def test_one_atom_seen_in_some_frames_is_one_track() -> None:
    frame = np.array([0, 1, 2, 4, 5, 7, 8, 9])
    rng = np.random.default_rng(0)
    y, x = np.cumsum(rng.normal(0, 0.2, (8, 2)), axis=0).T
    linked = link_sites(sites_from_positions(y, x, unit="nm", frame=frame))
    assert set(linked["track"].values.tolist()) == {0}


def test_sites_without_a_position_are_in_no_track_and_nothing_is_lost() -> None:
    sites, _ = walkers(20, 10, side=200.0)
    y = sites["y"].values.copy()
    y[7] = np.nan
    holed = sites.assign_coords(y=("site", y, {"units": "px"})).assign(
        height=("site", np.arange(float(len(y))))
    )
    linked = link_sites(holed)
    assert linked["track"].values[7] == -1
    assert (np.delete(linked["track"].values, 7) >= 0).all()
    xr.testing.assert_identical(linked.drop_vars("track").drop_attrs(), holed.drop_attrs())


def test_no_sites_and_one_frame_are_no_error() -> None:
    none = sites_from_positions([], [], unit="px", frame=np.zeros(0, int))
    assert link_sites(none)["track"].values.size == 0
    one = sites_from_positions([0.0, 5.0], [1.0, 1.0], unit="px", frame=[3, 3])
    assert link_sites(one)["track"].values.tolist() == [0, 1]


def test_two_frames_with_nothing_in_common_are_not_linked() -> None:
    y = np.append(np.arange(10.0) * 10, np.arange(10.0) * 10 + 1e6)
    sites = sites_from_positions(y, np.zeros(20), unit="nm", frame=np.repeat([0, 1], 10))
    assert len(set(link_sites(sites, max_distance="5 nm")["track"].values)) == 20


def test_errors_say_what_to_try() -> None:
    lone = sites_from_positions([0.0], [0.0], unit="px")
    with pytest.raises(KindError, match="find_atoms_in_movie"):
        link_sites(lone)
    sites, _ = walkers(5, 3, side=50.0)
    with pytest.raises(SettingError, match="memory=-1 must be 0 or more"):
        link_sites(sites, memory=-1)
    with pytest.raises(SettingError, match="must be a positive length"):
        link_sites(sites, max_distance="0 px")
    with pytest.raises(UnitError, match="no scale"):
        link_sites(sites, max_distance="1 nm")
    with pytest.raises(KindError, match="give the classes of these sites"):
        link_sites(sites, xr.Dataset({"label": ("site", np.zeros(2, int))}))
