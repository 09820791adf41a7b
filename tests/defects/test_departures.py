"""Departures from a lattice: what differs is found at its place, noise and edges are not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.defects import find_departures
from adatom.descriptors import site_patches
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Sites, image_from_array, notes, positions, sites_from_positions

STEP, SIZE, WIDTH = 12, 256, 2.2
PLACES = np.stack(np.meshgrid(np.arange(8, SIZE, STEP), np.arange(8, SIZE, STEP), indexing="ij"))
PLACES = PLACES.reshape(2, -1).T.astype(float)
MIDDLE = np.flatnonzero(((PLACES > 30) & (PLACES < 220)).all(axis=1))


def _sites() -> Sites:
    sites = sites_from_positions(*PLACES.T, unit="px", spacing=float(STEP))
    sites["cell_i"], sites["cell_j"] = (("site", one // STEP) for one in PLACES.T.astype(int))
    return sites


def _image(
    height: np.ndarray, *, noise: float = 0.1, seed: int = 0, moved: np.ndarray | None = None
) -> xr.DataArray:
    y, x = np.mgrid[:SIZE, :SIZE]
    image = np.random.default_rng(seed).normal(scale=noise, size=(SIZE, SIZE))
    place = PLACES if moved is None else PLACES + moved
    for (row, column), one in zip(place, height, strict=True):
        image += one * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * WIDTH**2))
    return image_from_array(image + 0.002 * y)


def _found(image: xr.DataArray, *, false: float = 0.01, sites: Sites | None = None) -> Sites:
    sites = _sites() if sites is None else sites
    patches = site_patches(image, sites, size="3 d")
    return find_departures(sites, patches, false_departures=false)


def test_missing_dim_and_bright_atoms_are_found_where_they_are() -> None:
    height = np.ones(len(PLACES))
    odd = np.random.default_rng(1).choice(MIDDLE, 9, replace=False)
    height[odd] = [0.0, 0.0, 0.0, 0.6, 0.6, 0.6, 1.5, 2.0, 3.0]
    found = _found(_image(height))
    assert sorted(found["row"].values.tolist()) == sorted(odd.tolist())
    # The strongest come first.
    assert (np.diff(found["departure"].values[-3:]) <= 0).all()
    assert found["row"].values[0] == odd[-1]


def test_noise_makes_as_few_as_was_asked_for() -> None:
    numbers = [
        _found(_image(np.ones(len(PLACES)), seed=k), false=0.5).sizes["site"] for k in range(12)
    ]
    assert sum(numbers) <= 14
    many = [
        _found(_image(np.ones(len(PLACES)), seed=k), false=20.0).sizes["site"] for k in range(4)
    ]
    assert sum(many) > sum(numbers[:4])


def test_a_displaced_atom_is_a_departure_and_keeps_its_place_of_the_lattice() -> None:
    moved = np.zeros_like(PLACES)
    one = int(MIDDLE[40])
    moved[one] = [0.0, 3.0]
    sites = _sites()
    # The finder followed the atom.
    shifted = sites.assign_coords(x=("site", sites["x"].values + moved[:, 1], sites["x"].attrs))
    image = _image(np.ones(len(PLACES)), moved=moved)
    found = find_departures(shifted, site_patches(image, shifted, size="3 d"))
    assert one in found["row"].values
    row = found["row"].values.tolist().index(one)
    assert positions(found)[row] == pytest.approx(PLACES[one], abs=1e-9)


def test_two_next_to_one_another_are_two_and_a_foot_is_none() -> None:
    height = np.ones(len(PLACES))
    row = len(np.arange(8, SIZE, STEP))
    one = int(MIDDLE[60])
    height[[one, one + row * 2]] = 0.0
    height[int(MIDDLE[5])] = 12.0
    found = _found(_image(height))
    assert {one, one + 2 * row, int(MIDDLE[5])} == set(found["row"].values.tolist())


def test_sublattices_are_compared_with_their_own() -> None:
    sites = _sites()
    of = ((sites["cell_i"].values + sites["cell_j"].values) % 2).astype(int)
    height = np.where(of == 0, 1.0, 0.4)
    odd = int(MIDDLE[of[MIDDLE] == 1][7])
    height[odd] = 0.8
    image = _image(height)
    sites["sublattice"] = ("site", of)
    found = _found(image, sites=sites)
    assert found["row"].values.tolist() == [odd]


def test_places_at_the_edge_are_not_judged_and_this_is_said() -> None:
    height = np.ones(len(PLACES))
    corner = 0
    height[corner] = 0.0
    sites = _sites()
    near = sites.assign_coords(
        y=("site", sites["y"].values - 6.0, sites["y"].attrs),
        x=("site", sites["x"].values - 6.0, sites["x"].attrs),
    )
    image = _image(height, moved=np.full_like(PLACES, -6.0))
    found = find_departures(near, site_patches(image, near, size="3 d"))
    assert corner not in found["row"].values
    assert "too near to the edge" in notes(found)[-1]


def test_order_of_the_sites_does_not_matter() -> None:
    height = np.ones(len(PLACES))
    height[MIDDLE[[3, 50, 90]]] = [0.0, 0.5, 2.0]
    image, sites = _image(height), _sites()
    order = np.random.default_rng(2).permutation(len(PLACES))
    mixed = sites.isel(site=order)
    one = find_departures(sites, site_patches(image, sites, size="3 d"))
    other = find_departures(mixed, site_patches(image, mixed, size="3 d"))
    assert positions(one).tolist() == positions(other).tolist()


def test_wrong_input_is_told() -> None:
    sites, image = _sites(), _image(np.ones(len(PLACES)))
    patches = site_patches(image, sites, size="3 d")
    with pytest.raises(KindError, match="are not those of the"):
        find_departures(sites.isel(site=slice(50)), patches)
    with pytest.raises(SettingError, match="false_departures=0"):
        find_departures(sites, patches, false_departures=0)
    few = sites.isel(site=slice(20))
    with pytest.raises(TooFewSitesError, match="30"):
        find_departures(few, patches.isel(site=slice(20)))
    del sites.attrs["spacing"]
    with pytest.raises(KindError, match="spacing"):
        find_departures(sites, patches)
