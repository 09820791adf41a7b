"""Phases of chemically disordered oxides are told by what stands around each column."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import KDTree

from adatom.clustering import choose_n_classes, cluster_gaussian_mixture, cluster_kmeans
from adatom.descriptors import features_from_sites, neighbor_distances, neighborhood_composition
from adatom.localization import find_atoms
from adatom.schema import Classes, Sites, positions
from adatom.simulation import Oxide, build_oxide, simulate_oxide


def phases_of(sites: Sites, *, of: list[str]) -> Classes:
    """Sorts of columns by their surroundings, then phases by the mixture of sorts."""
    features = features_from_sites(neighbor_distances(sites), of=of)
    sorts = cluster_gaussian_mixture(features, choose_n_classes(features)).classes
    return cluster_kmeans(neighborhood_composition(sites, sorts), n_classes=2).classes


def share_right(label: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Give the share of places of the right phase, whichever number each phase has."""
    right = float((label == truth).mean())
    return max(right, 1 - right)


@pytest.mark.parametrize("seed", range(4))
def test_two_phases_are_told_apart_by_the_places_of_columns(seed: int) -> None:
    # The same orientation is the harder case: nothing but the net differs.
    oxide = Oxide(misorientation=(0.0, 20.0)[seed % 2], m1_share=(0.35, 0.6)[seed // 2])
    sites = build_oxide(oxide=oxide, field=(20.0, 20.0), seed=seed)
    label = phases_of(sites, of=["neighbor_distance"])["label"].values
    assert share_right(label, sites["phase"].values) > 0.97


def test_the_map_of_phases_is_right_from_the_image_on() -> None:
    simulation = simulate_oxide(size=768, field="15 nm", seed=5)
    atoms = find_atoms(simulation.image)
    label = phases_of(atoms, of=["neighbor_distance", "amplitude"])["label"].values
    image = simulation.image
    grid = np.stack(np.meshgrid(image.y.values, image.x.values, indexing="ij"), axis=-1)
    near = KDTree(positions(atoms)).query(grid.reshape(-1, 2))[1]
    found = label[near].reshape(image.shape)
    assert share_right(found, simulation.regions["label"].values) > 0.95


def test_the_wrong_columns_stand_at_the_boundary() -> None:
    sites = build_oxide(field=(20.0, 20.0), seed=7)
    label = phases_of(sites, of=["neighbor_distance"])["label"].values
    phase = sites["phase"].values
    wrong = label != phase
    if wrong.mean() > 0.5:
        wrong = ~wrong
    places = positions(sites)
    other = np.where(
        phase == 0,
        KDTree(places[phase == 1]).query(places)[0],
        KDTree(places[phase == 0]).query(places)[0],
    )
    # A neighborhood of 30 columns reaches 1.1 nm.
    assert np.quantile(other[wrong], 0.9) < 1.1


def test_one_phase_has_the_same_mixture_everywhere() -> None:
    sites = build_oxide(oxide=Oxide(m1_share=1.0), field=(20.0, 20.0), seed=3)
    sorts = xr.Dataset({"label": ("site", sites["sublattice"].values)})
    inner = ((positions(sites) > 2) & (positions(sites) < 18)).all(axis=1)
    shares = neighborhood_composition(sites, sorts, n_neighbors=44).values[inner]
    # Forty-four columns are one cell: 4 centers, 20 of rings, 16 that link them, 4 channels.
    np.testing.assert_allclose(shares.mean(axis=0), np.array([4, 20, 16, 4]) / 44, atol=0.02)
    assert shares.std(axis=0).max() < 0.06
