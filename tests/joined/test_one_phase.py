"""What stages give together: perfect lattices with noise are one phase, noise is one class."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from noisy_lattices import noisy_lattice

from adatom.clustering import choose_n_classes, cluster_kmeans
from adatom.decomposition import decompose_pca
from adatom.descriptors import features_from_sites, neighbor_vectors
from adatom.schema import positions

PERFECT = [
    ("square", 0.03),
    ("square", 0.05),
    ("square", 0.10),
    ("honeycomb", 0.03),
    ("honeycomb", 0.05),
]


@pytest.mark.parametrize(("kind", "noise"), PERFECT)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_perfect_lattice_with_noise_is_one_phase(kind: str, noise: float, seed: int) -> None:
    lattice = noisy_lattice(kind, size=24, noise=noise, angle=0.4 * seed, seed=seed)
    neighbors = neighbor_vectors(lattice.sites)
    assert neighbors.sizes["neighbor"] == lattice.n_neighbors
    inner = neighbors["slot_state"].values[lattice.inner]
    assert (inner == 1).any(axis=1).mean() < 0.005
    features = features_from_sites(neighbors)
    choice = choose_n_classes(features, seed=seed)
    assert choice.attrs["n_classes"] == 1, choice.attrs["reason"]
    classes = cluster_kmeans(features, choice).classes
    labels = classes["label"].values[lattice.inner]
    assert set(labels[(inner == 0).all(axis=1)]) == {0}


def test_a_displaced_stripe_is_a_second_phase() -> None:
    lattice = noisy_lattice("square", size=30, noise=0.03, angle=0.0, seed=4)
    stripe = (lattice.ideal[:, 0] > 10) & (lattice.ideal[:, 0] < 20)
    sites = lattice.sites
    # Columns of the stripe pair up along x: every second one moves by a fifth of a bond.
    column = (lattice.ideal[:, 1] - lattice.ideal[0, 1]).round().astype(int) % 2
    moved = sites.assign_coords(
        x=("site", positions(sites)[:, 1] + 0.2 * stripe * column, {"units": "nm"})
    )
    choice = choose_n_classes(features_from_sites(neighbor_vectors(moved, n_neighbors=4)))
    assert choice.attrs["n_classes"] > 1, choice.attrs["reason"]


def test_scores_of_nothing_but_noise_are_one_class() -> None:
    # One photon or two a pixel: so few values that they look like classes.
    counts = np.random.default_rng(0).poisson(0.01, (400, 60)).astype(float)
    parts = decompose_pca(
        xr.DataArray(counts, dims=("site", "energy")), n_components=2, weighting="poisson"
    )
    assert parts.model.n_above_noise == 0
    table = choose_n_classes(parts.scores, max_classes=4)
    assert table.attrs["n_classes"] == 1
    assert "rises above their noise" in table.attrs["reason"]
