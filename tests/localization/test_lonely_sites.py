"""Sublattices where the dimmer one is only seen in a part of the image."""

from __future__ import annotations

import numpy as np

from adatom.localization.sublattices import alternating_sublattices


def test_bright_sites_without_dim_neighbors_are_of_the_bright_sublattice() -> None:
    rng = np.random.default_rng(0)
    row, column = (k.ravel() for k in np.mgrid[:20, :20])
    bright = (row + column) % 2 == 0
    height = np.where(bright, 1.0, 0.4) * rng.normal(1.0, 0.05, bright.size)
    seen = bright | (column < 10)
    points = np.stack([row, column], axis=1).astype(float)
    found = alternating_sublattices(points[seen], height[seen], spacing=1.0)
    assert found is not None
    assert np.array_equal(found == 0, bright[seen])
