"""Order and coordination of sites, with errors that hold also where order is perfect."""

from __future__ import annotations

import numpy as np
import pytest
from strained_lattices import MAP, coverage, noisy, places

from adatom.crystallography import estimate_site_order
from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import sites_from_positions


@pytest.mark.parametrize(
    ("lattice", "n_fold", "bonds"), [("square", 4, 4), ("hexagonal", 6, 6), ("honeycomb", 3, 3)]
)
def test_intervals_of_order_hold(lattice: str, n_fold: int, bonds: int) -> None:
    # Sheared, so that order is not one; with the noise of fitted positions.
    shear = np.array([[1.0, 0.0], [0.15, 1.0]])
    true = places(lattice, n=106) @ shear.T
    exact = estimate_site_order(sites_from_positions(*true.T, unit="nm"), n_fold=n_fold)
    sites = noisy(true, (0.01, 0.008), known=True)
    found = estimate_site_order(sites, n_fold=n_fold)
    same = (found["coordination"] == exact["coordination"]).values & (
        found["coordination"] == bonds
    ).values
    assert same.mean() > 0.9
    found, truth = found.isel(site=same), exact.isel(site=same)
    for name in ("bond_order", "bond_order_angle"):
        held = coverage(found, name, truth[name].values)
        assert held == pytest.approx(0.95, abs=0.02), name


@pytest.mark.parametrize("shear", [0.0, 0.15])
@pytest.mark.parametrize("noise", [0.01, 0.03])
@pytest.mark.parametrize(("lattice", "n_fold"), [("square", 4), ("hexagonal", 6), ("honeycomb", 3)])
def test_intervals_of_order_hold_where_order_is_near_one(
    lattice: str, n_fold: int, noise: float, shear: float
) -> None:
    # Symmetric ones of 1.96 errors held 90 % of a sheared honeycomb, 100 % of all perfect lattices.
    true = places(lattice, n=80) @ np.array([[1.0, 0.0], [shear, 1.0]]).T
    exact = estimate_site_order(sites_from_positions(*true.T, unit="nm"), n_fold=n_fold)
    found = estimate_site_order(noisy(true, (noise, 0.8 * noise), known=True), n_fold=n_fold)
    same = (found["coordination"] == exact["coordination"]) & (found["coordination"] >= n_fold)
    truth = exact["bond_order"].values
    held = (found["bond_order_lower"] <= truth + 1e-9) & (truth <= found["bond_order_upper"] + 1e-9)
    assert 0.94 < float(held.values[same.values].mean()) < 0.985


def test_a_perfect_lattice_with_noise_has_order_one_within_its_errors() -> None:
    found = estimate_site_order(noisy(places("hexagonal"), (0.03, 0.03), known=True))
    inside = (found["coordination"] == 6).values
    # Without correction: exp(-36 s^2 / 2), 0.98 less.
    assert float(found["bond_order"].values[inside].mean()) == pytest.approx(1.0, abs=2e-3)
    # No order is more than one: intervals there hold more often than elsewhere.
    assert coverage(found.isel(site=inside), "bond_order", 1.0) > 0.93


def test_a_vacancy_lowers_the_coordination_of_its_neighbors_alone() -> None:
    true = places("hexagonal", n=15)
    gone = int(np.argmin(((true - true.mean(axis=0)) ** 2).sum(axis=1)))
    found = estimate_site_order(sites_from_positions(*np.delete(true, gone, axis=0).T, unit="nm"))
    beside = np.linalg.norm(np.delete(true, gone, axis=0) - true[gone], axis=1) < 1.1
    count = found["coordination"].values
    assert (count[beside] == 5).all()
    # At the acute corners of the rhomb sites are bonded along the edge.
    inside = np.linalg.norm(np.delete(true, gone, axis=0) - true[gone], axis=1) < 4
    assert (count[inside & ~beside] == 6).all()


def test_the_angle_is_that_of_the_lattice() -> None:
    angle = np.radians(11.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    true = places("hexagonal", n=12) @ turn.T
    found = estimate_site_order(sites_from_positions(*true.T, unit="nm"))
    known = found["bond_order_angle"].values[found["coordination"].values == 6]
    assert known == pytest.approx(11.0)


def test_a_strained_lattice_has_less_order_but_a_square_one_has_none() -> None:
    strained = estimate_site_order(
        sites_from_positions(*(places("hexagonal", n=15) @ MAP.T).T, unit="nm")
    )
    square = estimate_site_order(sites_from_positions(*places("square", n=15).T, unit="nm"))
    assert 0.98 < float(strained["bond_order"].max()) < 1
    assert float(square["bond_order"].max()) < 1e-6


def test_without_known_errors_there_are_none() -> None:
    found = estimate_site_order(sites_from_positions(*places("square", n=9).T, unit="nm"))
    assert np.isnan(found["bond_order_error"].values).all()
    assert "position errors are not known" in found.attrs["notes"][-1]


def test_bad_calls_say_what_is_needed() -> None:
    sites = sites_from_positions(*places("square", n=9).T, unit="nm")
    with pytest.raises(SettingError, match="n_fold=1 must be 2 or more"):
        estimate_site_order(sites, n_fold=1)
    with pytest.raises(TooFewSitesError, match="3 sites have a position"):
        estimate_site_order(sites.isel(site=slice(3)))
