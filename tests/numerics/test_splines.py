"""Windows of an image are the spline that scipy would give, point by point."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from adatom.numerics.splines import spline_windows


def test_windows_are_the_cubic_spline_of_scipy() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(33, 27))
    centers = rng.uniform([3, 4], [29, 22], (50, 2))
    windows = spline_windows(image, centers, (3, 4))
    y = centers[:, 0, None, None] + np.arange(-3, 4)[:, None]
    x = centers[:, 1, None, None] + np.arange(-4, 5)[None]
    expected = map_coordinates(image, np.broadcast_arrays(y, x), order=3, mode="mirror")
    assert np.allclose(windows, expected, atol=1e-10)


def test_many_windows_are_cut_in_blocks_alike() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(64, 64)).astype(np.float32)
    centers = rng.uniform(20, 40, (3000, 2))
    windows = spline_windows(image, centers, (18, 18))
    assert windows.dtype == np.float32
    assert np.array_equal(windows[2500:], spline_windows(image, centers[2500:], (18, 18)))


def test_an_image_that_was_not_measured_gives_nothing() -> None:
    windows = spline_windows(np.full((9, 9), np.nan), np.array([[4.0, 4.0]]), (1, 1))
    assert np.isnan(windows).all()
