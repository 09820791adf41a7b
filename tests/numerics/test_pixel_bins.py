"""Pixels averaged in rectangles."""

from __future__ import annotations

import numpy as np

from adatom.numerics.pixel_bins import average_pixels


def test_means_are_over_usable_pixels_and_nothing_is_cut_off() -> None:
    values = np.arange(15.0).reshape(3, 5)
    usable = np.ones_like(values, dtype=bool)
    usable[0, 0] = False
    values[0, 0] = np.nan
    means, share = average_pixels(values, usable, (2, 2))
    assert means.shape == (2, 3)
    assert means[0, 0] == np.mean([1, 5, 6])
    assert means[1, 2] == 14
    assert share.tolist() == [[0.75, 1.0, 0.5], [0.5, 0.5, 0.25]]


def test_where_no_pixel_is_usable_there_is_nothing() -> None:
    means, share = average_pixels(np.full((2, 2), np.nan), np.zeros((2, 2), dtype=bool), (2, 2))
    assert means.tolist() == [[0.0]]
    assert share.tolist() == [[0.0]]
