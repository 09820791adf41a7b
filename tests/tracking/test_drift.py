"""Drift against the path that was put in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.schema import Sites, sites_from_positions
from adatom.tracking import link_sites, remove_drift

Floats = NDArray[np.float64]


def drifting(
    n_sites: int,
    n_frames: int,
    *,
    drift: float,
    step: float = 0.0,
    missed: float = 0.1,
    seed: int = 0,
) -> tuple[Sites, Floats]:
    """Make sites that move together, a mean distance of 10 from one another."""
    rng = np.random.default_rng(seed)
    side = 10 * np.sqrt(n_sites)
    path = np.cumsum(rng.normal(0, drift, (n_frames, 2)), axis=0)
    path -= path[0]
    place = rng.uniform(0, side, (n_sites, 2)) + path[:, None]
    place = place + rng.normal(0, step, place.shape) + rng.normal(0, 0.1, place.shape)
    seen = rng.random((n_frames, n_sites)) >= missed
    y, x = place[seen].T
    sites = sites_from_positions(y, x, unit="px", frame=np.nonzero(seen)[0])
    return sites, path


def test_a_drift_larger_than_the_distance_of_sites_is_found() -> None:
    sites, path = drifting(100, 20, drift=20.0)
    found = remove_drift(sites).drift
    assert np.abs(np.diff(path, axis=0)).max() > 30
    # Errors of 0.1 of some 80 sites in common add up over the frames.
    np.testing.assert_allclose(found["y"], path[:, 0], atol=0.15)
    np.testing.assert_allclose(found["x"], path[:, 1], atol=0.15)
    assert found["y"].attrs["units"] == "px"


def test_its_errors_are_as_large_as_they_say() -> None:
    pulls = []
    for seed in range(20):
        sites, path = drifting(60, 12, drift=3.0, step=0.5, seed=seed)
        found = remove_drift(sites).drift
        # Position errors of neighboring frames are shared, so that sums are better than told.
        pulls += list(
            (np.diff(found["y"]) - np.diff(path[:, 0])) / _step_errors(found["y_error"].values)
        )
    assert 0.8 < np.std(pulls) < 1.25


def _step_errors(total: Floats) -> Floats:
    return np.sqrt(np.diff(total**2))


def test_what_was_found_is_taken_off_and_the_raw_positions_are_kept() -> None:
    sites, path = drifting(80, 8, drift=4.0)
    done = remove_drift(sites)
    np.testing.assert_array_equal(done.sites["y_raw"], sites["y"])
    frame = sites["frame"].values
    np.testing.assert_allclose(
        done.sites["x"].values, sites["x"].values - done.drift["x"].values[frame], atol=1e-12
    )
    np.testing.assert_allclose(done.sites["x"].values, sites["x"].values - path[frame, 1], atol=0.2)
    again = remove_drift(done.sites)
    np.testing.assert_array_equal(again.sites["y_raw"], sites["y"])
    assert np.abs(again.drift["y"].values).max() < 0.1


def test_tracks_tell_the_drift_where_they_are_known() -> None:
    sites, path = drifting(60, 20, drift=0.5)
    linked = link_sites(sites)
    by_tracks, by_votes = (remove_drift(linked, method=m) for m in ("tracks", "voting"))
    np.testing.assert_allclose(by_tracks.drift["y"], path[:, 0], atol=0.15)
    np.testing.assert_allclose(by_votes.drift["y"], path[:, 0], atol=0.15)


def test_in_a_crystal_the_smallest_displacement_is_taken() -> None:
    y, x = (10.0 * v for v in np.indices((12, 12)).reshape(2, -1))
    rng = np.random.default_rng(0)
    shifts = np.array([[0, 0], [3.0, -2.0], [6.0, -4.0]])
    place = np.concatenate([np.stack([y, x], axis=1) + shift for shift in shifts])
    place = place + rng.normal(0, 0.2, place.shape)
    sites = sites_from_positions(*place.T, unit="px", frame=np.repeat([0, 1, 2], 144))
    found = remove_drift(sites).drift
    np.testing.assert_allclose(found["y"], shifts[:, 0], atol=0.1)
    np.testing.assert_allclose(found["x"], shifts[:, 1], atol=0.1)


def test_frames_without_common_sites_are_told_and_left() -> None:
    sites, _ = drifting(40, 3, drift=1.0)
    rng = np.random.default_rng(9)
    alien = sites_from_positions(*rng.uniform(0, 60, (2, 2)), unit="px", frame=[3, 3])
    both = sites_from_positions(
        np.append(sites["y"], alien["y"]), np.append(sites["x"], alien["x"]), unit="px",
        frame=np.append(sites["frame"], alien["frame"]),
    )  # fmt: skip
    done = remove_drift(both)
    assert "1 frames have too few sites in common" in done.sites.attrs["notes"][-1]
    assert np.isnan(done.drift["y_error"].values[3])
    assert done.drift["y"].values[3] == done.drift["y"].values[2]


def test_the_order_of_the_sites_does_not_matter() -> None:
    sites, _ = drifting(50, 5, drift=8.0)
    order = np.random.default_rng(1).permutation(sites.sizes["site"])
    one, other = remove_drift(sites), remove_drift(sites.isel(site=order))
    assert one.drift.identical(other.drift)
    np.testing.assert_array_equal(one.sites["y"].values[order], other.sites["y"].values)


def test_errors_say_what_to_try() -> None:
    sites, _ = drifting(10, 3, drift=1.0)
    with pytest.raises(KindError, match="link_sites first"):
        remove_drift(sites, method="tracks")
    with pytest.raises(SettingError, match="must be positive"):
        remove_drift(sites, max_drift="0 px")
    none = sites_from_positions([], [], unit="px", frame=np.zeros(0, int))
    assert remove_drift(none).drift.sizes["row"] == 0
