"""Merges and splits that were planted are found, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from merging_walkers import merging_walkers, right_events
from walking import walkers

from adatom.errors import KindError, SettingError
from adatom.schema import sites_from_positions
from adatom.tracking import find_merges_and_splits, link_sites


@pytest.mark.parametrize(("apart", "side"), [(0.5, 440.0), (4.0, 440.0), (0.5, 220.0)])
def test_intensities_tell_nearly_all_merges_and_splits(apart: float, side: float) -> None:
    planted = merging_walkers(300, 20, 100, side=side, apart=apart, seed=1)
    found = find_merges_and_splits(link_sites(planted.sites), intensity="intensity")
    right = right_events(planted, found)
    assert right >= 0.9 * 40
    assert right >= 0.88 * found.sizes["row"]
    assert np.median(found["intensity_ratio"].values) == pytest.approx(1.0, abs=0.1)


def test_positions_alone_find_most_and_say_how_many_are_false() -> None:
    right = listed = planted_in_all = 0
    expected = 0.0
    for seed in range(3):
        planted = merging_walkers(300, 20, 100, side=440.0, ends=0.0005, seed=seed)
        found = find_merges_and_splits(link_sites(planted.sites))
        right += right_events(planted, found)
        listed += found.sizes["row"]
        planted_in_all += len(planted.kind)
        expected += float((1 - found["probability"].values).sum())
    assert right >= 0.8 * planted_in_all
    assert right >= 0.85 * listed
    # Probabilities err on the safe side: a site that passes is told by its distance alone.
    assert listed - right <= 1.5 * expected + 3


def test_walkers_that_only_pass_one_another_do_not_merge() -> None:
    found = 0
    for seed in range(6):
        sites, _ = walkers(200, 60, side=220.0, error=0.2, missed=0.05, seed=seed)
        found += find_merges_and_splits(link_sites(sites)).sizes["row"]
    assert found == 0


def test_ends_by_themselves_do_not_merge() -> None:
    planted = merging_walkers(400, 0, 100, side=300.0, ends=0.005, seed=2)
    found = find_merges_and_splits(link_sites(planted.sites), intensity="intensity")
    assert found.sizes["row"] == 0
    assert found.attrs["n_ends"] > 100
    assert any("no more often than by chance" in note for note in found.attrs["notes"])


def test_a_split_is_a_merge_seen_backward() -> None:
    planted = merging_walkers(200, 15, 80, side=400.0, missed=0.0, seed=3)
    sites = planted.sites
    backward = sites_from_positions(
        sites["y"].values, sites["x"].values, unit="px", frame=79 - sites["frame"].values
    )
    backward["intensity"] = ("site", sites["intensity"].values)
    one, two = (
        find_merges_and_splits(link_sites(each), intensity="intensity")
        for each in (sites, backward)
    )
    merges = one["frame"].values[one["kind"].values == "merge"]
    splits = two["frame"].values[two["kind"].values == "split"]
    # The first frame in which they are one is, backward, the one before that in which they are two.
    assert len(np.intersect1d(80 - splits, merges)) >= 0.8 * len(np.unique(merges))


def test_events_name_tracks_that_end_begin_and_go_on() -> None:
    planted = merging_walkers(200, 15, 80, side=400.0, seed=4)
    tracks = link_sites(planted.sites)
    found = find_merges_and_splits(tracks, intensity="intensity")
    assert found.sizes["row"] > 20
    frame, track = tracks["frame"].values, tracks["track"].values
    for row in range(found.sizes["row"]):
        one = found.isel(row=row)
        here, other = (frame[track == int(one[name])] for name in ("track", "other"))
        at = int(one["frame"])
        assert other.min() < at <= other.max()
        if one["kind"] == "merge":
            assert here.max() == at - 1 - int(one["n_missed"])
        else:
            assert here.min() == at


def test_tracks_are_not_changed_and_what_is_left_out_is_told() -> None:
    planted = merging_walkers(100, 5, 60, side=300.0, seed=5)
    tracks = link_sites(planted.sites)
    before = tracks["track"].values.copy()
    found = find_merges_and_splits(tracks, min_length=20)
    assert (tracks["track"].values == before).all()
    assert any("fewer than 20 sites were left out" in note for note in found.attrs["notes"])


def test_what_does_not_fit_is_refused() -> None:
    sites, _ = walkers(10, 5, side=80.0)
    tracks = link_sites(sites)
    with pytest.raises(KindError, match=r"run tracking\.link_sites"):
        find_merges_and_splits(sites)
    with pytest.raises(KindError, match="intensity='height' is no number along 'site'"):
        find_merges_and_splits(tracks, intensity="height")
    with pytest.raises(SettingError, match="min_length=0 must be 1"):
        find_merges_and_splits(tracks, min_length=0)
    with pytest.raises(SettingError, match=r"min_probability=1\.5 must be between"):
        find_merges_and_splits(tracks, min_probability=1.5)
