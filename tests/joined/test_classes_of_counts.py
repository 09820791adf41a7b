"""From counts to classes without any knowledge, against who knows the true spectra."""

from __future__ import annotations

import numpy as np
import pytest
from classes_of_counts import Found, classes_of_counts, found_in

from adatom.simulation import simulate_eels_map


def _found(size: int, seed: int) -> Found:
    return found_in(simulate_eels_map(size=size, seed=seed), seed=seed)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_classes_of_a_small_map_are_near_the_ceiling(seed: int) -> None:
    found = _found(64, seed)
    # Six pixels in seven are mixed; still the inside of domains shows six materials.
    assert found.n_classes == 6
    assert found.agreement >= found.ceiling - 0.04


def test_the_classes_of_a_map_reach_the_ceiling() -> None:
    found = _found(256, seed=0)
    assert found.n_classes == 6
    assert found.ceiling > 0.97
    assert found.agreement >= found.ceiling - 0.005


@pytest.mark.slow
def test_the_classes_of_twenty_maps_reach_the_ceiling() -> None:
    founds = [_found(256, seed) for seed in range(20)]
    assert sum(found.n_classes == 6 for found in founds) >= 19
    # Where one class too many or too few is found the ceiling is not for it.
    right = [found for found in founds if found.n_classes == 6]
    assert max(found.ceiling - found.agreement for found in right) <= 0.005


@pytest.mark.slow
def test_the_classes_of_twenty_small_maps_are_near_the_ceiling() -> None:
    founds = [_found(64, seed) for seed in range(20)]
    assert max(found.ceiling - found.agreement for found in founds) <= 0.04


def test_one_material_of_any_thickness_is_one_class() -> None:
    simulation = simulate_eels_map(size=48, seed=2)
    # The spectrum of TiO2 everywhere, thick and thin.
    rates = simulation.thickness.values[..., None] * simulation.endmembers.values[2]
    counts = np.random.default_rng(2).poisson(rates).astype(np.float32)
    classes = classes_of_counts(simulation.spectra.copy(data=counts))
    assert classes.attrs["n_classes"] == 1


def test_a_small_map_with_an_empty_line_is_classified_but_for_that_line() -> None:
    simulation = simulate_eels_map(size=16, n_channels=128, counts=40.0, seed=0)
    counts = np.random.default_rng(0).poisson(9.0, (16, 16, 128)).astype(np.float32)
    counts[3] = 0.0
    classes = classes_of_counts(simulation.spectra.copy(data=counts))
    labels = classes["label"].values
    assert (labels[3] == -1).all()
    assert (np.delete(labels, 3, axis=0) == 0).all()
