"""From the image of a crystal without strain: intervals hold with the errors of the fit."""

from __future__ import annotations

import numpy as np
import pytest
from strained_lattices import coverage, places

from adatom.crystallography import estimate_lattice_parameters, estimate_strain
from adatom.descriptors import neighbor_vectors
from adatom.localization import refine_sites
from adatom.schema import image_from_array, sites_from_positions


def test_intervals_hold_for_columns_fitted_in_an_image() -> None:
    # A spacing that is no whole number, so that columns stand at all parts of a pixel.
    spacing, n = 9.37, 60
    true = spacing * (places("square", n=n) + 1)
    axis = np.arange(int(spacing * (n + 1)))
    rows, columns = (
        np.exp(-((axis[:, None] - spacing * (np.arange(n) + 1)) ** 2) / (2 * 1.8**2))
        for _ in range(2)
    )
    exact = 20.0 + 100.0 * np.outer(rows.sum(axis=1), columns.sum(axis=1))
    image = image_from_array(np.random.default_rng(0).poisson(exact).astype(float))
    fitted = refine_sites(image, sites_from_positions(*np.round(true).T, unit="px"))
    sites = neighbor_vectors(fitted)
    strain = estimate_strain(sites)
    for name in ("strain_yy", "strain_xx", "strain_xy", "rotation"):
        assert coverage(strain, name, 0.0) == pytest.approx(0.95, abs=0.02), name
    cells = estimate_lattice_parameters(sites)
    assert coverage(cells, "lattice_a", spacing) == pytest.approx(0.95, abs=0.02)
    # Sub-pixel: single lengths are known to half a percent, the mean to a hundredth of that.
    assert float(cells["lattice_a"].mean()) == pytest.approx(spacing, rel=2e-4)
