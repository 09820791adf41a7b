"""Phases go on beyond the neighborhoods in which they are seen; fluctuations do not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import (
    choose_n_classes,
    choose_n_phases,
    cluster_gaussian_mixture,
    cluster_kmeans,
)
from adatom.descriptors import features_from_sites, neighbor_distances, neighborhood_composition
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Features, Sites, positions, sites_from_positions
from adatom.simulation import Oxide, build_oxide


def surroundings(sites: Sites) -> Features:
    features = features_from_sites(neighbor_distances(sites), of="neighbor_distance")
    sorts = cluster_gaussian_mixture(features, choose_n_classes(features)).classes
    return neighborhood_composition(sites, sorts)


def three_phases(seed: int) -> Sites:
    """Put a square net of 0.38 nm beside the two phases of an oxide."""
    rng = np.random.default_rng(seed)
    oxide = positions(build_oxide(oxide=Oxide(m1_share=0.4), field=(20.0, 24.0), seed=seed))
    net = 0.38 * np.moveaxis(np.mgrid[:53, :64], 0, -1).reshape(-1, 2)
    net += rng.normal(0, 0.01, net.shape)
    net = net[(net[:, 1] > 16 + np.sin(net[:, 0])) & (net[:, 1] < 24)]
    oxide = oxide[oxide[:, 1] < 15.85 + np.sin(oxide[:, 0])]
    return sites_from_positions(*np.concatenate([oxide, net]).T, unit="nm", spacing=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_one_disordered_phase_is_one(seed: int) -> None:
    sites = build_oxide(oxide=Oxide(m1_share=1.0), field=(20.0, 20.0), seed=seed)
    assert choose_n_phases(surroundings(sites)).attrs["n_classes"] == 1


@pytest.mark.parametrize("m1_share", [0.3, 0.5, 0.8])
def test_two_phases_are_two_whatever_their_shares(m1_share: float) -> None:
    sites = build_oxide(oxide=Oxide(m1_share=m1_share), field=(20.0, 20.0), seed=4)
    assert choose_n_phases(surroundings(sites)).attrs["n_classes"] == 2


def test_three_phases_are_three() -> None:
    assert choose_n_phases(surroundings(three_phases(0))).attrs["n_classes"] == 3


def noise_on_a_grid(n: int = 40, *, seed: int = 0) -> Features:
    """Give the means of white noise over neighborhoods of nine sites: fluctuations alone."""
    noise = np.random.default_rng(seed).normal(size=(n + 2, n + 2))
    mean = sum(noise[i : i + n, j : j + n] for i in range(3) for j in range(3)) / 9
    y, x = np.mgrid[:n, :n].reshape(2, -1).astype(float)
    places = {"y": ("site", y), "x": ("site", x)}
    return xr.DataArray(np.reshape(mean, (-1, 1)), dims=("site", "feature"), coords=places)


@pytest.mark.parametrize("seed", range(5))
def test_fluctuations_that_neighbors_share_are_no_phases(seed: int) -> None:
    table = choose_n_phases(noise_on_a_grid(seed=seed), n_neighbors=25)
    assert table.attrs["n_classes"] == 1
    assert np.abs(table["persistence"].values[1:]).max() < 0.2


def test_the_table_is_taken_by_a_clustering() -> None:
    features = noise_on_a_grid()
    stepped = features + 5.0 * (features.coords["x"] > 20)
    table = choose_n_phases(stepped, n_neighbors=25)
    assert table.attrs["n_classes"] == 2
    assert cluster_kmeans(stepped, table).classes["label"].values.max() == 1


def test_a_constant_shows_one_phase() -> None:
    table = choose_n_phases(noise_on_a_grid() * 0, n_neighbors=9)
    assert table.attrs["n_classes"] == 1
    assert table.sizes["row"] == 1


def test_features_without_places_and_small_frames_are_refused() -> None:
    features = noise_on_a_grid()
    with pytest.raises(KindError, match="need y and x"):
        choose_n_phases(features.drop_vars(["y", "x"]))
    with pytest.raises(TooFewSitesError, match="a frame holds 16 sites"):
        choose_n_phases(features.isel(site=slice(16)), n_neighbors=9)
    with pytest.raises(SettingError, match="max_phases=0 must be 1 or more"):
        choose_n_phases(features, max_phases=0)
    with pytest.raises(TooFewSitesError, match="measured throughout"):
        choose_n_phases(features * np.nan)
