"""Spheres in water: D of a real movie is that of Stokes and Einstein."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from adatom.dynamics import estimate_diffusion, estimate_msd
from adatom.io import read_movie
from adatom.localization import find_spots_in_movie
from adatom.numerics.groups import means_by_group
from adatom.schema import Sites, positions
from adatom.tracking import assess_links, link_sites, remove_drift

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


N_FRAMES = 240


@cache
def _tracks() -> Sites:
    movie = read_movie(WATER, channel="green", pixel_size=f"{PIXEL} nm")[:N_FRAMES]
    return remove_drift(link_sites(find_spots_in_movie(movie))).sites


def test_spheres_in_water_diffuse_as_stokes_and_einstein_say() -> None:
    found = estimate_diffusion(_tracks(), lag="auto").classes.isel(row=0)
    assert found.attrs["lag"] > 1
    assert found["motion"] == "free"
    assert float(found["diffusion"]) == pytest.approx(TRUTH, rel=0.15)
    # No thermometer was read: some temperature of a room is in or near the interval.
    assert float(found["diffusion_low"]) < 1.05 * WARM
    assert float(found["diffusion_high"]) > 0.95 * COLD
    assert float(found["diffusion_lags"]) == pytest.approx(float(found["diffusion"]), rel=0.05)
    assert float(found["isotropy_p"]) > 0.01


def test_spheres_are_found_and_linked() -> None:
    tracks = _tracks()
    counts = np.bincount(tracks["frame"].values)
    assert counts.min() > 0.8 * counts.max()
    assert tracks.attrs["diameter"] == pytest.approx(2000, rel=0.35)
    assert "dark" in tracks.attrs["notes"][0]
    summary = assess_links(tracks, n_simulations=1).summary
    wrong = summary["value"].values[summary["quantity"].values == "expected share wrong"]
    assert wrong.item() < 0.005


def test_every_twelfth_frame_of_the_video_catches_up() -> None:
    """Key frames are drawn anew, others from those before: spheres lag behind and then jump."""
    tracks = _tracks()
    order = np.lexsort((tracks["frame"].values, tracks["track"].values))
    frame, track = (tracks[name].values[order] for name in ("frame", "track"))
    place = positions(tracks)[order]
    next_to = (np.diff(track) == 0) & (np.diff(frame) == 1)
    square = (np.diff(place, axis=0) ** 2).sum(axis=1)[next_to]
    mean = means_by_group(square, frame[:-1][next_to], n_groups=N_FRAMES - 1)
    of_phase = np.array([np.nanmean(mean[k::12]) for k in range(12)])
    assert of_phase.argmax() == 9
    assert of_phase[9] > 1.6 * np.median(of_phase)


def test_traces_of_earlier_frames_are_told() -> None:
    found = estimate_diffusion(_tracks()).classes
    assert found["motion"].item() == "persistent"
    assert any("try lag=" in note for note in found.attrs["notes"])


def test_its_mean_squared_displacement_is_straight() -> None:
    msd = estimate_msd(_tracks(), max_lag=24)
    assert msd["lag_time"].values[-1] == pytest.approx(24 / 23.976, rel=1e-3)
    slope, _ = np.polyfit(np.log(msd["lag"].values[3:]), np.log(msd["msd"].values[3:]), 1)
    assert slope == pytest.approx(1.0, abs=0.15)
