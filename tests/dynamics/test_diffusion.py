"""D, its intervals, and what is said of the motion, on walks of known kind."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from brownian_tracks import confined_walks, free_walks, persistent_walks, tracks_of
from numpy.typing import NDArray

from adatom.dynamics import estimate_diffusion
from adatom.errors import AdatomWarning, SettingError, UnitError
from adatom.schema import Table


def _holds(table: Table, name: str, truth: float) -> bool:
    return bool(float(table[f"{name}_low"][0]) <= truth <= float(table[f"{name}_high"][0]))


@pytest.mark.parametrize(
    ("n_tracks", "n_frames", "error", "exposure", "gaps"),
    [(30, 100, 0.5, 0.0, 0.0), (150, 10, 0.5, 0.5, 0.0), (40, 40, 0.5, 1.0, 0.05),
     (3, 200, 0.3, 0.0, 0.0)],
)  # fmt: skip
def test_intervals_hold_the_truth(
    n_tracks: int, n_frames: int, error: float, exposure: float, gaps: float
) -> None:
    rng = np.random.default_rng(0)
    held = []
    for seed in range(60):
        walks = free_walks(n_tracks, n_frames, rng, error=error, exposure=exposure)
        tracks = tracks_of(walks, keep=rng.uniform(size=walks.shape[:2]) >= gaps)
        found = estimate_diffusion(
            tracks, frame_time="1 s", exposure=f"{exposure} s", seed=seed
        ).classes
        held.append([_holds(found, name, 1.0) for name in ("diffusion", "diffusion_lags")])
    # Sixty draws of 95 % hold 51 or more in 999 of 1000; thousands are in the benchmark.
    assert (np.sum(held, axis=0) >= 51).all()


def test_both_estimators_are_unbiased_with_gaps_blur_and_error() -> None:
    rng = np.random.default_rng(1)
    walks = free_walks(2000, 40, rng, error=0.8, exposure=1.0)
    tracks = tracks_of(walks, keep=rng.uniform(size=walks.shape[:2]) > 0.2)
    found = estimate_diffusion(tracks, frame_time="2 s", exposure="2 s").classes.isel(row=0)
    assert float(found["diffusion"]) == pytest.approx(0.5, rel=0.02)
    assert float(found["diffusion_lags"]) == pytest.approx(0.5, rel=0.02)
    assert float(found["localization_error"]) == pytest.approx(0.8, rel=0.02)
    assert found["diffusion"].attrs["units"] == "nm^2/s"


def test_free_motion_is_called_free_as_often_as_it_should() -> None:
    rng = np.random.default_rng(2)
    p_values = []
    for seed in range(150):
        # Of few tracks blocks are compared, of many the tracks.
        n_tracks, n_frames = ((5, 150), (60, 25))[seed % 2]
        walks = free_walks(n_tracks, n_frames, rng, error=0.6, exposure=0.5)
        found = estimate_diffusion(tracks_of(walks), seed=seed).classes
        p_values.append(float(found["free_p"][0]))
    share = np.mean(np.array(p_values) < 0.05)
    assert 0.005 < share < 0.12
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)


def test_confined_motion_is_told_with_its_radius() -> None:
    rng = np.random.default_rng(3)
    walks = confined_walks(100, 150, rng, diffusion=0.05, radius=1.0)
    found = estimate_diffusion(tracks_of(walks + rng.normal(0, 0.1, walks.shape))).classes
    assert found["motion"].item() == "confined"
    assert float(found["confinement_radius"][0]) == pytest.approx(1.0, rel=0.03)
    assert float(found["confined_diffusion"][0]) == pytest.approx(0.05, rel=0.08)
    assert float(found["exponent_high"][0]) < 0.5


def test_a_drift_is_told() -> None:
    walks = free_walks(40, 60, np.random.default_rng(4))
    walks[..., 1] += 0.6 * np.arange(60)
    found = estimate_diffusion(tracks_of(walks)).classes
    assert found["motion"].item() == "persistent"
    assert any("Take drift off" in note for note in found.attrs["notes"])
    assert float(found["exponent_low"][0]) > 1.05


def test_traces_of_earlier_frames_fade_with_longer_increments() -> None:
    walks = free_walks(60, 200, np.random.default_rng(5))
    seen = walks.copy()
    for frame in range(1, 200):
        seen[:, frame] = 0.5 * seen[:, frame - 1] + 0.5 * walks[:, frame]
    at_once = estimate_diffusion(tracks_of(seen)).classes
    later = estimate_diffusion(tracks_of(seen), lag=8).classes
    assert at_once["motion"].item() == "persistent"
    assert float(at_once["diffusion_high"][0]) < 0.9
    assert later["motion"].item() == "free"
    assert _holds(later, "diffusion", 1.0)


def test_longer_increments_have_right_intervals() -> None:
    rng = np.random.default_rng(6)
    held = []
    for seed in range(60):
        n_tracks = (4, 30)[seed % 2]
        found = estimate_diffusion(tracks_of(free_walks(n_tracks, 80, rng)), lag=3, seed=seed)
        held.append(_holds(found.classes, "diffusion", 1.0))
    assert sum(held) >= 51


@pytest.mark.parametrize("memory", [0.0, 1.0])
def test_the_lag_is_found_at_which_intervals_hold_the_truth(memory: float) -> None:
    rng = np.random.default_rng(17)
    held, lags = [], []
    for seed in range(40):
        walks = (
            persistent_walks(40, 100, rng, memory=memory, error=0.3)
            if memory
            else free_walks(40, 100, rng, error=0.5, exposure=0.5)
        )
        found = estimate_diffusion(tracks_of(walks), lag="auto", seed=seed).classes
        held.append(_holds(found, "diffusion", 1.0))
        lags.append(found.attrs["lag"])
    # Forty draws of 95 % hold 33 or more in 999 of 1000; thousands are in the benchmark.
    assert sum(held) >= 33
    assert np.median(lags) == {0.0: 2, 1.0: 8}[memory]


def test_why_a_lag_was_chosen_is_told() -> None:
    rng = np.random.default_rng(18)

    def note(walks: NDArray[np.float64]) -> tuple[int, str]:
        found = estimate_diffusion(tracks_of(walks), lag="auto").classes
        notes = [text for text in found.attrs["notes"] if "increments" in text.lower()]
        return found.attrs["lag"], notes[0]

    lag, text = note(persistent_walks(60, 100, rng, memory=1.0))
    assert lag == 8
    assert "The shortest at which they do not keep their direction is 4" in text
    lag, text = note(confined_walks(60, 100, rng, diffusion=0.05, radius=1.0))
    assert lag == 1
    assert "Increments turn back" in text
    lag, text = note(persistent_walks(200, 24, rng, memory=20.0))
    assert lag == 4
    assert "D may still be too small" in text
    lag, text = note(free_walks(3, 3, rng))
    assert lag == 1
    assert "too few or too short" in text


def test_a_chosen_lag_gives_what_the_same_lag_gives_when_told() -> None:
    tracks = tracks_of(persistent_walks(40, 80, np.random.default_rng(19), memory=1.0))
    found = estimate_diffusion(tracks, lag="auto").classes
    told = estimate_diffusion(tracks, lag=found.attrs["lag"]).classes
    assert found["diffusion"].values == pytest.approx(told["diffusion"].values)


def test_the_exponent_of_free_motion_is_one_in_spite_of_localization_error() -> None:
    walks = free_walks(100, 100, np.random.default_rng(7), error=1.5)
    found = estimate_diffusion(tracks_of(walks)).classes
    assert _holds(found, "exponent", 1.0)
    assert float(found["exponent_error"][0]) < 0.15


def test_fast_and_slow_axes_are_found() -> None:
    rng = np.random.default_rng(8)
    walks = free_walks(60, 60, rng, diffusion=[0.2, 1.0], error=0.3)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # Rows are y, x: the fast axis, x, is turned towards +y.
    found = estimate_diffusion(tracks_of(walks @ turn.T)).classes
    assert float(found["diffusion_major"][0]) == pytest.approx(1.0, rel=0.1)
    assert float(found["diffusion_minor"][0]) == pytest.approx(0.2, rel=0.15)
    assert float(found["major_angle"][0]) == pytest.approx(30, abs=3)
    assert float(found["isotropy_p"][0]) < 1e-3


def test_isotropic_motion_is_rarely_called_anisotropic() -> None:
    rng = np.random.default_rng(9)
    p_values = [
        float(estimate_diffusion(tracks_of(free_walks(30, 20, rng))).classes["isotropy_p"][0])
        for _ in range(100)
    ]
    assert np.mean(np.array(p_values) < 0.05) < 0.13


def test_classes_have_their_own_d() -> None:
    rng = np.random.default_rng(10)
    steps = rng.normal(size=(50, 80, 2)) * np.sqrt(2)
    state = rng.uniform(size=(50, 80)) < 0.5
    state[:, ::8] = state[:, ::8]
    state = np.repeat(state[:, ::8], 8, axis=1)
    # A step belongs to the class of the site where it begins and ends.
    walks = np.cumsum(np.where(state[..., None], 0.3, 1.0) * steps, axis=1)
    sites = tracks_of(walks)
    sites["slow"] = ("site", state[sites["track"].values, sites["frame"].values])
    found = estimate_diffusion(sites, by="slow").classes
    assert found["class"].values.tolist() == [-1, 0, 1]
    assert found.attrs["class_names"] == ["False", "True"]
    assert found["diffusion"].values[1:] == pytest.approx([1.0, 0.09], rel=0.12)
    assert found["n_increments"].values[1:].sum() < found["n_increments"].values[0]


def test_intervals_of_single_tracks_hold_the_truth() -> None:
    walks = free_walks(1500, 40, np.random.default_rng(11), error=0.5)
    tracks = estimate_diffusion(tracks_of(walks)).tracks
    inside = (tracks["diffusion_low"].values <= 1) & (tracks["diffusion_high"].values >= 1)
    assert 0.93 < inside.mean() < 0.98
    assert tracks.sizes["row"] == 1500


def test_a_search_range_that_cuts_links_off_is_told() -> None:
    rng = np.random.default_rng(12)
    walks = free_walks(40, 50, rng)
    # Steps of 2 nm a frame, sought up to 3 nm: a track ends where a step is longer.
    far = np.hypot(*np.moveaxis(np.diff(walks, axis=1), -1, 0)) > 3.0
    ends = np.where(far.any(axis=1), far.argmax(axis=1) + 1, 50)
    sites = tracks_of(walks, keep=np.arange(50) < ends[:, None])
    sites.attrs["search_range"] = 3.0
    with pytest.warns(AdatomWarning, match=r"longer than 0\.8 of the search range"):
        found = estimate_diffusion(sites).classes
    assert float(found["share_near_limit"][0]) > 0.1
    sites.attrs["search_range"] = "30 nm"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate_diffusion(sites)


def test_per_frame_results_say_so() -> None:
    found = estimate_diffusion(tracks_of(free_walks(12, 20, np.random.default_rng(13)))).classes
    assert found["diffusion"].attrs["units"] == "nm^2/frame"
    assert any("not known" in note for note in found.attrs["notes"])


def test_settings_that_do_not_fit_are_refused() -> None:
    tracks = tracks_of(free_walks(3, 9, np.random.default_rng(14)))
    with pytest.raises(UnitError, match="needs the time between frames"):
        estimate_diffusion(tracks, exposure="1 s")
    with pytest.raises(UnitError, match="not between 0 and the time between frames, 1 s"):
        estimate_diffusion(tracks, exposure="2 s", frame_time="1 s")
    with pytest.raises(SettingError, match="lag=0 must be 1 frame"):
        estimate_diffusion(tracks, lag=0)
    with pytest.raises(SettingError, match='or "auto"'):
        estimate_diffusion(tracks, lag="automatic")  # type: ignore[arg-type]


def test_very_few_sites_give_no_numbers_and_no_errors() -> None:
    found = estimate_diffusion(tracks_of(free_walks(2, 2, np.random.default_rng(15)))).classes
    assert np.isnan(found["diffusion"].item())
    assert found["motion"].item() == "not known"


def test_the_order_of_sites_and_the_place_of_the_field_do_not_matter() -> None:
    walks = free_walks(20, 30, np.random.default_rng(16), error=0.2)
    here = tracks_of(walks)
    there = tracks_of(walks + 1000.0).isel(site=slice(None, None, -1))
    first, second = (estimate_diffusion(one).classes for one in (here, there))
    xr.testing.assert_allclose(first, second, rtol=1e-6)
