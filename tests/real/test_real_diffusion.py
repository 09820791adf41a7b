"""Spheres in water: D of a real movie is that of Stokes and Einstein."""

from __future__ import annotations

import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.dynamics import estimate_diffusion, estimate_msd
from adatom.io import read_movie
from adatom.numerics.groups import means_by_group
from adatom.numerics.peaks import blob_response, local_maxima, parabolic_maxima
from adatom.schema import Sites, sites_from_positions

DATA = Path(os.environ.get("ADATOM_DATA", ""))
WATER = DATA / "imaging/trackpy_tests/water/bulk-water.mov"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

# The authors give 285 px to 100 micrometers.
PIXEL = 1e5 / 285
# k T / (6 pi eta r) in nm^2/s of spheres of 1 micrometer, in water of 20 and of 25 degrees.
COLD = 1.380649e-23 * 293.15 / (6 * np.pi * 1.002e-3 * 0.5e-6) * 1e18
WARM = 1.380649e-23 * 298.15 / (6 * np.pi * 0.890e-3 * 0.5e-6) * 1e18
TRUTH = (COLD + WARM) / 2


def _spheres(frame: NDArray[Any]) -> NDArray[np.float64]:
    """Find the spheres that are in focus: dark spots of strong contrast."""
    response = blob_response(-frame.astype(float), 2.0)
    noise = 1.4826 * float(np.median(np.abs(response - np.median(response))))
    points = local_maxima(response, above=8 * noise)
    inside = ((points > 8) & (points < np.array(frame.shape) - 9)).all(axis=1)
    return np.asarray(parabolic_maxima(response, points[inside]))


def _linked(found: list[NDArray[np.float64]], reach: float) -> NDArray[np.int64]:
    """Link sites that are each other's nearest from frame to frame."""
    numbers = [np.arange(len(found[0]))]
    following = len(found[0])
    for before, after in pairwise(found):
        distance, nearest = cKDTree(before).query(after, distance_upper_bound=reach)
        back = cKDTree(after).query(before)[1]
        known = np.isfinite(distance)
        known[known] = back[nearest[known]] == np.flatnonzero(known)
        number = np.empty(len(after), dtype=np.int64)
        number[known] = numbers[-1][nearest[known]]
        new = int((~known).sum())
        number[~known] = np.arange(following, following + new)
        following += new
        numbers.append(number)
    return np.concatenate(numbers)


@cache
def _tracks() -> Sites:
    movie = read_movie(WATER, channel="green")[:240]
    found = [_spheres(frame) for frame in movie.values]
    frame = np.repeat(np.arange(len(found)), [len(points) for points in found])
    track = _linked(found, 5.0)
    place = np.concatenate(found)
    # Long tracks are of spheres that stay in focus.
    long = np.bincount(track)[track] >= 25
    frame, track, place = frame[long], track[long], place[long] * PIXEL
    order = np.lexsort((frame, track))
    frame, track, place = frame[order], track[order], place[order]
    # The water flows: the mean step of each frame is taken off.
    same = np.flatnonzero(np.diff(track) == 0)
    flow = means_by_group(place[same + 1] - place[same], frame[same], n_groups=frame.max() + 1)
    place -= np.r_[np.zeros((1, 2)), np.cumsum(np.nan_to_num(flow), axis=0)][frame]
    sites = sites_from_positions(*place.T, unit="nm", frame=frame)
    sites["track"] = ("site", track)
    sites["time"] = ("site", movie.time.values[frame], {"units": "s"})
    sites.attrs["search_range"] = 5 * PIXEL
    return sites


def test_spheres_in_water_diffuse_as_stokes_and_einstein_say() -> None:
    # Steps of neighboring frames are alike: increments are made longer until they are not. Which
    # lag that is was known when this was written.
    for lag in (1, 2, 4, 8, 16):
        found = estimate_diffusion(_tracks(), lag=lag).classes.isel(row=0)
        if found["motion"] == "free":
            break
    assert found["motion"] == "free"
    assert float(found["diffusion"]) == pytest.approx(TRUTH, rel=0.15)
    # No thermometer was read: some temperature of a room is in or near the interval.
    assert float(found["diffusion_low"]) < 1.05 * WARM
    assert float(found["diffusion_high"]) > 0.95 * COLD
    assert float(found["diffusion_lags"]) == pytest.approx(float(found["diffusion"]), rel=0.05)
    assert float(found["isotropy_p"]) > 0.01


def test_traces_of_earlier_frames_are_told() -> None:
    found = estimate_diffusion(_tracks()).classes
    assert found["motion"].item() == "persistent"
    assert any("try lag=" in note for note in found.attrs["notes"])
    # Few links are so long that longer ones were lost.
    assert float(found["share_near_limit"][0]) < 0.01


def test_its_mean_squared_displacement_is_straight() -> None:
    msd = estimate_msd(_tracks(), max_lag=24)
    assert msd["lag_time"].values[-1] == pytest.approx(24 / 23.976, rel=1e-3)
    slope, _ = np.polyfit(np.log(msd["lag"].values[3:]), np.log(msd["msd"].values[3:]), 1)
    assert slope == pytest.approx(1.0, abs=0.15)
