"""Bonds of known lattices, with errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
from strained_lattices import coverage, noisy, places

from adatom.crystallography import estimate_bonds
from adatom.descriptors import neighbor_vectors
from adatom.schema import sites_from_positions


@pytest.mark.parametrize(
    ("lattice", "angle"), [("square", 90.0), ("hexagonal", 60.0), ("honeycomb", 120.0)]
)
def test_intervals_of_bonds_hold_and_lengths_are_not_biased(lattice: str, angle: float) -> None:
    sites = noisy(places(lattice, n=80, vacancies=0.03), (0.05, 0.03))
    found = estimate_bonds(neighbor_vectors(sites))
    assert coverage(found, "bond_length", 1.0) == pytest.approx(0.95, abs=0.02)
    assert coverage(found, "bond_angle", angle) == pytest.approx(0.95, abs=0.02)
    # Without correction bonds are longer by (0.05^2 + 0.03^2) / 2; the mean is known to 0.0004.
    assert float(found["bond_length"].mean()) == pytest.approx(1.0, abs=6e-4)


def test_angles_follow_the_slots_around_and_end_at_vacancies() -> None:
    true = places("square", n=9)
    true = np.delete(true, np.flatnonzero((true == [4, 5]).all(axis=1)), axis=0)
    found = estimate_bonds(
        neighbor_vectors(sites_from_positions(*true.T, unit="nm")), position_error="0.01 nm"
    )
    beside = found.isel(site=int(np.flatnonzero((true == [4, 4]).all(axis=1))[0]))
    # Slots point along +x, +y, -x, -y; the first is vacant, and so ends the last angle.
    assert np.isnan(beside["bond_length"].values).tolist() == [True, False, False, False]
    assert beside["bond_angle"].values[1:3] == pytest.approx(90.0)
    assert np.isnan(beside["bond_angle"].values[[0, 3]]).all()


def test_the_error_of_a_length_is_that_of_both_ends() -> None:
    sites = neighbor_vectors(sites_from_positions(*places("square", n=9).T, unit="nm"))
    found = estimate_bonds(sites, position_error="0.01 nm").isel(site=40)
    assert found["bond_length_error"].values == pytest.approx(0.01 * np.sqrt(2))
    # Two neighbors move along their arcs, and the center along the diagonal of both.
    assert found["bond_angle_error"].values == pytest.approx(np.degrees(0.01) * 2)
