"""Blobs of one width, beyond noise."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.errors import KindError, SettingError
from adatom.localization import find_blobs
from adatom.schema import Movie, image_from_array


def movie(*, depth: float, n_frames: int = 20, seed: int = 0) -> Movie:
    """Make frames of unit noise over a fine lattice, with two dips of 12 px and a slope."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :120].astype(float)
    scene = 0.5 * np.cos(2 * np.pi * x / 6) + 0.05 * x
    for cy, cx in ((40.3, 30.6), (80.0, 90.2)):
        scene -= depth * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 5.1**2))
    frames = [image_from_array(scene + rng.normal(size=y.shape)) for _ in range(n_frames)]
    return xr.concat(frames, dim="frame").assign_coords(frame=np.arange(n_frames))


def test_dips_are_found_in_every_frame_where_they_are() -> None:
    found = find_blobs(movie(depth=1.5), width="12 px", contrast="dark")
    for cy, cx in ((40.3, 30.6), (80.0, 90.2)):
        near = np.hypot(found.y - cy, found.x - cx) < 4
        assert np.unique(found.frame[near]).size == 20
        assert abs(float(found.y[near].mean()) - cy) < 0.3
        assert abs(float(found.x[near].mean()) - cx) < 0.3
    assert (found["amplitude"] < 0).all()


def test_noise_gives_as_many_as_were_allowed() -> None:
    found = find_blobs(movie(depth=0.0, n_frames=60), width="6 px", false=0.5)
    # 30 expected; the formula holds for smooth normal noise to some tenths.
    assert 8 < found.sizes["site"] < 60


def test_the_width_is_found() -> None:
    found = find_blobs(movie(depth=2.0, n_frames=4), contrast="dark")
    assert 7 < found.attrs["width"] < 22


def test_what_was_not_measured_has_no_blobs() -> None:
    hole = movie(depth=1.5, n_frames=2)
    hole[:, 60:, :] = np.nan
    found = find_blobs(hole, width="12 px", contrast="dark")
    assert (found.y < 60).all()
    assert found.sizes["site"] >= 2


def test_bad_settings_are_told() -> None:
    with pytest.raises(SettingError, match="between two pixels and half"):
        find_blobs(movie(depth=1, n_frames=1), width="100 px")
    with pytest.raises(SettingError, match="must be positive"):
        find_blobs(movie(depth=1, n_frames=1), width="9 px", false=0)
    with pytest.raises(KindError, match="need an Image or a Movie"):
        find_blobs(xr.DataArray(np.zeros(3)))
