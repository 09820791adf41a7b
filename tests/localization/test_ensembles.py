"""Several finders of one image: where they agree."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from tiny_networks import blob_network

from adatom import simulation
from adatom.errors import KindError, NoLatticeError
from adatom.localization import compare_sites, find_agreement, find_atoms_by_ensemble
from adatom.schema import image_from_array, notes, sites_from_positions

_GRID = np.argwhere(np.ones((5, 5))) * 0.3


def _member(seed: int, *, n: int = 25, unit: str = "nm") -> xr.Dataset:
    rng = np.random.default_rng(seed)
    place = _GRID[:n] + rng.normal(0, 0.01, (n, 2))
    sites = sites_from_positions(*place.T, unit=unit, spacing=0.3)
    sites["score"] = ("site", rng.uniform(0.5, 1, n))
    sites["amplitude"] = ("site", np.full(n, float(seed)))
    return sites


def test_agreement_and_spread_are_told_in_the_unit_of_the_sites() -> None:
    sites = find_agreement([_member(1), _member(2), _member(3, n=20)])
    assert sites.sizes["site"] == 25
    assert sorted(set(np.round(sites["agreement"].values, 3))) == [0.667, 1.0]
    assert sites["spread"].attrs["units"] == "nm"
    assert 0.004 < float(sites["spread"].mean()) < 0.02
    assert notes(sites) == ["3 finders agree on 20 of 25 sites; 0 were found by one alone"]


def test_what_else_is_known_of_a_site_comes_from_the_surest_finder() -> None:
    one, other = _member(1), _member(2)
    one["score"][:] = 0.6
    other["score"][:] = np.where(np.arange(25) < 10, 0.9, 0.3)
    sites = find_agreement([one, other])
    assert (sites["amplitude"].values == 2).sum() == 10


def test_members_must_be_of_one_unit_and_more_than_one() -> None:
    with pytest.raises(KindError, match="members are in nm, px"):
        find_agreement([_member(1), _member(2, unit="px")])
    with pytest.raises(KindError, match="found 1 sets of sites, an ensemble needs 2 or more"):
        find_agreement([_member(1)])
    with pytest.raises(KindError, match="found Dataset, need a list"):
        find_agreement(_member(1))  # type: ignore[arg-type]


def _lattice() -> simulation.Simulation:
    crystal = simulation.Crystal(lattice="square", spacing="12 px", displacement=0.02)
    return simulation.simulate_lattice(crystal=crystal, size=96, width="2.5 px", snr=12.0, seed=5)


def test_networks_that_know_the_same_agree_on_the_atoms() -> None:
    simulated = _lattice()
    networks = [blob_network(), blob_network(sigma=2.4), blob_network(sigma=2.0)]
    sites = find_atoms_by_ensemble(simulated.image, None, networks)
    assert float(sites["agreement"].mean()) > 0.95
    assert float(compare_sites(sites, simulated.truth).scores["f1"][0]) > 0.98


def test_an_image_in_which_no_network_sees_a_lattice_is_told() -> None:
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    nothing = image_from_array(noise)
    with pytest.raises(NoLatticeError, match="the network sees no lattice"):
        find_atoms_by_ensemble(nothing, None, [blob_network(), blob_network()])
