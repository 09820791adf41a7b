"""Mean squared displacements are those of pairs at their true lag."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xarray as xr
from brownian_tracks import free_walks, tracks_of
from numpy.typing import NDArray

from adatom.dynamics import estimate_msd
from adatom.dynamics.displacements import squared_displacements
from adatom.dynamics.trajectories import trajectories_of
from adatom.errors import KindError, SettingError, TooFewSitesError, UnitError
from adatom.schema import sites_from_positions


def _by_hand(
    walks: NDArray[np.float64], keep: NDArray[np.bool_], lag: int
) -> tuple[NDArray[np.float64], int]:
    both = keep[:, lag:] & keep[:, :-lag]
    steps = (walks[:, lag:] - walks[:, :-lag])[both]
    return (steps**2).mean(axis=0), len(steps)


def test_pairs_are_taken_at_their_true_lag_in_spite_of_gaps() -> None:
    rng = np.random.default_rng(0)
    walks = free_walks(7, 40, rng, error=0.5) + rng.uniform(0, 1e4, (7, 1, 2))
    keep = rng.uniform(size=(7, 40)) > 0.3
    msd = estimate_msd(tracks_of(walks, keep=keep), max_lag=30)
    for row in range(msd.sizes["row"]):
        each, number = _by_hand(walks, keep, int(msd["lag"][row]))
        np.testing.assert_allclose([msd["msd_y"][row], msd["msd_x"][row]], each, rtol=1e-7)
        assert msd["n_pairs"][row] == number


def test_tracks_of_unlike_length_give_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    walks = free_walks(60, 90, rng)
    keep = np.arange(90) < rng.integers(2, 91, size=60)[:, None]
    msd = estimate_msd(tracks_of(walks, keep=keep), max_lag=20)
    for lag in (1, 7, 20):
        each, _ = _by_hand(walks, keep, lag)
        assert float(msd["msd"][lag - 1]) == pytest.approx(each.sum())


def test_error_and_blur_are_in_the_model() -> None:
    walks = free_walks(400, 100, np.random.default_rng(2), error=0.7, exposure=0.6)
    msd = estimate_msd(tracks_of(walks), max_lag=5)["msd"].values
    expected = 4 * np.arange(1, 6) + 4 * 0.7**2 - 4 / 3 * 0.6
    np.testing.assert_allclose(msd, expected, rtol=0.02)


def test_the_band_holds_the_truth() -> None:
    rng = np.random.default_rng(3)
    inside = []
    for seed in range(100):
        msd = estimate_msd(tracks_of(free_walks(60, 20, rng)), max_lag=4, seed=seed)
        truth = 4 * msd["lag"].values
        inside.append((msd["msd_low"].values <= truth) & (truth <= msd["msd_high"].values))
    assert 0.88 < np.mean(inside) < 0.99


def test_the_effective_number_tells_the_scatter() -> None:
    tracks = trajectories_of(tracks_of(free_walks(4000, 100, np.random.default_rng(4))))
    sums = squared_displacements(tracks, n_lags=10)
    means = sums.squares.sum(axis=2) / sums.pairs
    # Two axes: the relative variance of a mean of n squares of two is 1 / n.
    number = (means.mean(axis=0) / means.std(axis=0)) ** 2
    np.testing.assert_allclose((sums.pairs**2 / sums.overlap)[0], number, rtol=0.07)


def test_pairs_of_a_class_stay_in_it() -> None:
    frame = np.arange(6)
    tracks = sites_from_positions(frame**2, frame * 0.0, unit="nm", frame=frame)
    tracks["track"] = ("site", np.zeros(6, dtype=int))
    tracks["state"] = ("site", np.array(["a", "a", "b", "b", "b", "a"]))
    msd = estimate_msd(tracks, max_lag=2, by="state")
    columns = (msd[name].values.tolist() for name in ("class", "lag", "msd", "n_pairs"))
    rows = {(c, n): (mean, number) for c, n, mean, number in zip(*columns, strict=True)}
    assert rows[0, 1] == (1.0, 1)
    assert rows[1, 1] == pytest.approx(((9 - 4) ** 2 / 2 + (16 - 9) ** 2 / 2, 2))
    assert rows[1, 2] == (144.0, 1)
    assert (0, 2) not in rows
    assert msd.attrs["class_names"] == ["a", "b"]


def test_without_a_frame_time_lags_are_in_frames_and_that_is_said() -> None:
    tracks = tracks_of(free_walks(12, 9, np.random.default_rng(5)))
    plain = estimate_msd(tracks)
    assert plain["lag_time"].attrs["units"] == "frame"
    assert "not known" in plain.attrs["notes"][0]
    timed = tracks.assign(time=("site", tracks["frame"].values * 250.0, {"units": "ns"}))
    assert estimate_msd(timed)["lag_time"].values == pytest.approx([2.5e-7, 5e-7])
    told = estimate_msd(timed, frame_time="2 s")
    assert told["lag_time"].values.tolist() == [2.0, 4.0]


def test_two_sites_of_a_track_in_a_frame_are_refused() -> None:
    tracks = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="px", frame=[4, 4])
    tracks["track"] = ("site", [7, 7])
    with pytest.raises(KindError, match="track 7 has two sites in frame 4"):
        estimate_msd(tracks)


@pytest.mark.parametrize(
    ("wrong", "settings", "error", "words"),
    [
        ("track", {}, KindError, "no 'track'"),
        ("frame", {}, KindError, "no 'frame'"),
        ("", {"by": "kind"}, SettingError, "by='kind' is no variable"),
        ("", {"by": "score"}, SettingError, "need labels"),
        ("", {"max_lag": 0}, SettingError, "max_lag=0 must be 1"),
        ("", {"frame_time": "0 s"}, UnitError, "not positive"),
    ],
)
def test_wrong_input_is_told(
    wrong: str, settings: dict[str, object], error: type[Exception], words: str
) -> None:
    tracks = tracks_of(free_walks(3, 5, np.random.default_rng(6)))
    tracks["score"] = ("site", np.ones(15))
    with pytest.raises(error, match=words):
        estimate_msd(tracks.drop_vars(wrong or []), **settings)  # type: ignore[arg-type]


def test_sites_that_are_not_linked_are_refused() -> None:
    tracks = tracks_of(free_walks(3, 5, np.random.default_rng(6)))
    with pytest.raises(TooFewSitesError, match="none of 0 tracks"):
        estimate_msd(tracks.assign(track=("site", np.full(15, -1))))
    with pytest.raises(TooFewSitesError, match="none of 15 tracks"):
        estimate_msd(tracks.assign(track=("site", np.arange(15))))


def test_frames_at_odd_times_are_refused() -> None:
    tracks = tracks_of(free_walks(3, 5, np.random.default_rng(6)))
    times = tracks["frame"].values ** 2.0
    with pytest.raises(UnitError, match="1 to 7 s apart"):
        estimate_msd(tracks.assign(time=("site", times, {"units": "s"})))


def test_the_same_seed_gives_the_same_band() -> None:
    tracks = tracks_of(free_walks(20, 12, np.random.default_rng(7)))
    xr.testing.assert_identical(estimate_msd(tracks, seed=3), estimate_msd(tracks, seed=3))


def test_many_tracks_take_little_time() -> None:
    rng = np.random.default_rng(8)
    walks = free_walks(2000, 200, rng)
    tracks = tracks_of(walks, keep=rng.uniform(size=walks.shape[:2]) > 0.05)
    begin = time.process_time()
    estimate_msd(tracks, max_lag=100)
    # 0.25 s where this was written; pair by pair it takes a hundred times as long.
    assert time.process_time() - begin < 2.0
