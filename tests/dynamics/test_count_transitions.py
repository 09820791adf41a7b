"""Transitions are counted at the lag at which they were seen."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from simulated_chains import FOUR, simulated_tracks

from adatom.dynamics import count_transitions
from adatom.errors import KindError, SettingError
from adatom.schema import notes, sites_from_positions


def _tracks(frame: list[int], track: list[int], label: object) -> xr.Dataset:
    zero = np.zeros(len(frame))
    sites = sites_from_positions(zero, zero, unit="nm", frame=frame)
    return sites.assign(track=("site", track), label=("site", np.asarray(label)))


def test_a_gap_is_one_count_at_its_own_lag_and_none_at_lag_one() -> None:
    counts = count_transitions(_tracks([0, 1, 4, 5], [0] * 4, [0, 0, 1, 1]))
    assert counts["count"].sel(lag=3).values.tolist() == [[0, 1], [0, 0]]
    assert counts["count"].sel(lag=1).values.tolist() == [[1, 0], [0, 1]]
    assert counts.attrs["gap_share"] == pytest.approx(2 / 5)


def test_gaps_too_long_to_tell_anything_part_a_track() -> None:
    counts = count_transitions(_tracks([0, 1, 5000, 5001], [4] * 4, [0, 0, 1, 1]))
    assert counts["count"].sum("lag").values.tolist() == [[1, 0], [0, 1]]
    assert any("cut at 1 gaps of more than 1000 frames" in text for text in notes(counts))


def test_an_unknown_state_is_a_gap_and_told() -> None:
    counts = count_transitions(_tracks([0, 1, 2], [0, 0, 0], [0, -1, 1]))
    assert int(counts["count"].sel(lag=1).sum()) == 0
    assert counts["count"].sel(lag=2).values.tolist() == [[0, 1], [0, 0]]
    assert "1 of 3 sites are of no known state" in notes(counts)[0]


def test_ends_of_tracks_and_other_tracks_are_no_transitions() -> None:
    counts = count_transitions(_tracks([0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1]))
    assert counts["count"].sum("lag").values.tolist() == [[1, 0], [0, 1]]
    assert counts["first_count"].values.tolist() == [1, 1]


def test_sites_in_any_order_give_the_same_counts() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=10, n_frames=30, lost=0.3)
    mixed = tracks.isel(site=np.random.default_rng(1).permutation(tracks.sizes["site"]))
    xr.testing.assert_identical(count_transitions(tracks), count_transitions(mixed))


def test_all_pairs_are_those_of_a_loop_over_tracks() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=5, n_frames=20, lost=0.3)
    found = count_transitions(tracks, n_lags=3)["pair_count"].values[:3]
    expected = np.zeros_like(found)
    for number in range(5):
        own = tracks.isel(site=np.flatnonzero(tracks["track"].values == number))
        state = dict(zip(own["frame"].values.tolist(), own["label"].values.tolist()))
        for frame, here in state.items():
            for lag in (1, 2, 3):
                if frame + lag in state:
                    expected[lag - 1, here, state[frame + lag]] += 1
    assert np.array_equal(found, expected)


def test_names_of_states_come_from_the_variable_or_are_the_states() -> None:
    tracks = _tracks([0, 1], [0, 0], ["Si", "N"])
    assert count_transitions(tracks)["state"].values.tolist() == ["N", "Si"]
    tracks = _tracks([0, 1], [0, 0], [0, 1])
    tracks["label"].attrs["names"] = ["A", "B", "C"]
    counts = count_transitions(tracks)
    assert counts["state"].values.tolist() == ["A", "B", "C"]
    assert "Never seen: C." in notes(counts)


def test_times_of_frames_are_kept_where_they_are_even() -> None:
    tracks = _tracks([0, 1, 3], [0, 0, 0], [0, 0, 1])
    even = tracks.assign(time=("site", [0.0, 0.5, 1.5], {"units": "s"}))
    assert count_transitions(even).attrs["frame_time"] == pytest.approx(0.5)
    odd = tracks.assign(time=("site", [0.0, 0.5, 3.0], {"units": "s"}))
    counts = count_transitions(odd)
    assert "frame_time" not in counts.attrs
    assert any("not evenly spaced" in text for text in notes(counts))


def test_births_and_deaths_are_counted_where_they_are_sure() -> None:
    # Track 0 is there always, with a gap of two; 1 ends in frame 4 of 0 to 9; 2 begins in 5.
    frame = [0, 1, 2, 3, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    track = [0] * 9 + [1] * 5 + [2] * 5
    counts = count_transitions(_tracks(frame, track, [0] * len(frame)))
    assert int(counts["death"][0]) == 1
    assert int(counts["birth"][0]) == 1
    # Watched to frame 7: track 0 in eight frames, 1 in five, 2 in three.
    assert float(counts["death_exposure"][0]) == 16
    assert float(counts["birth_frames"]) == 8


def test_a_track_twice_in_a_frame_is_refused_by_name() -> None:
    with pytest.raises(KindError, match="track 3 is twice in frame 7"):
        count_transitions(_tracks([7, 7], [3, 3], [0, 1]))


def test_sites_that_are_no_tracks_are_refused() -> None:
    sites = sites_from_positions([0.0], [0.0], unit="nm", frame=[0])
    with pytest.raises(KindError, match="no 'track' along 'site': link them first"):
        count_transitions(sites)
    with pytest.raises(SettingError, match="of='species' is no variable"):
        count_transitions(_tracks([0], [0], [0]), of="species")
