"""Atoms of a sheet of known bonds are found where noise hides them from the network."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.spatial import cKDTree

from adatom.errors import NoLatticeError, SettingError
from adatom.localization import find_sheet_atoms
from adatom.schema import Image, image_from_array, notes, positions
from adatom.simulation import Flake, Microscope, Simulation, simulate_graphene

_BOND = 0.142
_WHOLE = Flake(threefold=0.0, fourfold=0.0, vacancies=0.0, divacancies=0.0)


def _graphene(electrons: float, flake: Flake = _WHOLE) -> Simulation:
    return simulate_graphene(
        size=256,
        field="3 nm",
        flake=flake,
        microscope=Microscope(electrons=electrons),
        contamination=0.0,
        seed=5,
    )


def _share_found(simulation: Simulation, found: xr.Dataset) -> float:
    truth = positions(simulation.truth)
    inner = truth[((truth > 0.2) & (truth < 2.8)).all(axis=1)]
    distance, _ = cKDTree(positions(found)).query(inner)
    return float((distance < _BOND / 2).mean())


def _noise(size: int = 128) -> Image:
    values = np.random.default_rng(0).normal(size=(size, size))
    return image_from_array(values, pixel_size="0.0117 nm")


def test_clear_images_are_left_to_the_network() -> None:
    made = _graphene(1200.0)
    found = find_sheet_atoms(made.image)
    assert not any("honeycomb" in note for note in notes(found))
    assert _share_found(made, found) > 0.99


def test_in_noise_atoms_are_at_the_places_of_the_lattice() -> None:
    made = _graphene(30.0)
    found = find_sheet_atoms(made.image)
    assert any("places of a honeycomb" in note for note in notes(found))
    # Thirty electrons an atom tell few atoms by themselves; the sixty around one tell its place.
    assert _share_found(made, found) > 0.95


def test_nothing_is_found_beyond_the_regions() -> None:
    made = _graphene(30.0)
    regions = xr.ones_like(made.image, dtype=bool)
    regions.values[:, 128:] = False
    found = find_sheet_atoms(made.image, regions)
    assert found.sizes["site"] > 50
    # Refined positions may move by a quarter of a bond.
    assert float(found["x"].max()) < float(made.image["x"][128]) + 0.25 * _BOND


def test_noise_alone_is_no_lattice_and_the_message_says_what_to_check() -> None:
    with pytest.raises(NoLatticeError, match=r"bonds of 0\.142 nm, 12\.1 px: check the scale"):
        find_sheet_atoms(_noise())


def test_an_unknown_host_names_those_that_are_known() -> None:
    with pytest.raises(SettingError, match="graphene"):
        find_sheet_atoms(_noise(), host="snow")
