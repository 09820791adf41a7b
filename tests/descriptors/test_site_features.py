"""Features of sites keep their place, unit and scale."""

from __future__ import annotations

import numpy as np
import pytest
from noisy_lattices import noisy_lattice

from adatom.descriptors import features_from_sites, neighbor_vectors
from adatom.errors import KindError, SettingError
from adatom.schema import FEATURES, Sites, notes, sites_from_positions


@pytest.fixture
def honeycomb() -> Sites:
    truth = noisy_lattice("honeycomb", noise=0.03, vacancies=0.02)
    sites = neighbor_vectors(truth.sites)
    rng = np.random.default_rng(0)
    n = sites.sizes["site"]
    sites["amplitude"] = ("site", rng.normal(900, 30, n), {"units": "1"})
    sites["width"] = ("site", rng.normal(0.05, 0.004, n), {"units": "nm"})
    return sites


def test_neighbor_features_are_deviations_from_the_own_star(honeycomb: Sites) -> None:
    features = features_from_sites(honeycomb)
    FEATURES.check(features)
    assert features.dims == ("site", "feature")
    assert features.attrs["units"] == "nm"
    stars = np.array(honeycomb.attrs["stars"])[honeycomb["star_index"].values]
    expected = honeycomb["neighbor_vector"].values - stars
    assert np.array_equal(features.values, expected.reshape(len(expected), 6), equal_nan=True)
    assert features["neighbor"].values.tolist() == [0, 0, 1, 1, 2, 2]
    assert features["axis"].values.tolist() == ["y", "x"] * 3


def test_both_sublattices_of_a_honeycomb_are_one_cloud_about_zero(honeycomb: Sites) -> None:
    features = features_from_sites(honeycomb)
    star = features["star_index"].values
    for sublattice in (0, 1):
        mine = features.values[star == sublattice]
        # Noise of 0.03 makes 0.042 per column; the mean of 300 sites is known to 0.003.
        assert np.abs(np.nanmean(mine, axis=0)).max() < 0.01
        assert np.nanstd(mine) == pytest.approx(0.03 * np.sqrt(2), rel=0.1)


def test_places_and_empty_slots_travel_along(honeycomb: Sites) -> None:
    features = features_from_sites(honeycomb)
    state = honeycomb["slot_state"].values
    assert np.array_equal(features["n_vacant"].values, (state == 1).sum(axis=1))
    assert np.array_equal(features["n_unknown"].values, (state == 2).sum(axis=1))
    empty = np.isnan(features.values).any(axis=1)
    assert np.array_equal(empty, (state != 0).any(axis=1))
    assert features["y"].attrs["units"] == "nm"
    assert np.array_equal(features["x"].values, honeycomb["x"].values)
    assert features.attrs["spacing"] == honeycomb.attrs["spacing"]
    assert features.attrs["extent"] == honeycomb.attrs["extent"]


def test_a_single_variable_is_left_as_it_is(honeycomb: Sites) -> None:
    width = features_from_sites(honeycomb, of="width")
    assert np.array_equal(width.values[:, 0], honeycomb["width"].values)
    assert (width.name, width.attrs["units"]) == ("width", "nm")
    assert width["variable"].values.tolist() == ["width"]


def test_several_variables_are_brought_to_one_spread_despite_outliers(honeycomb: Sites) -> None:
    honeycomb["amplitude"][:20] = 1e6
    features = features_from_sites(honeycomb, of=["amplitude", "width"])
    assert features.attrs["units"] == "1"
    assert np.median(features.values, axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert features.values[20:].std(axis=0) == pytest.approx([1, 1], rel=0.15)


def test_neighbor_vectors_among_several_keep_one_scale_for_all_columns(honeycomb: Sites) -> None:
    alone = features_from_sites(honeycomb)
    mixed = features_from_sites(honeycomb, of=["neighbor_vector", "amplitude"])
    ratio = mixed.values[:, :6] / alone.values
    assert np.nanmax(ratio) == pytest.approx(np.nanmin(ratio), rel=1e-9)
    assert mixed["neighbor"].values[-1] == -1
    assert mixed["variable"].values.tolist() == ["neighbor_vector"] * 6 + ["amplitude"]


def test_a_variable_without_spread_is_told(honeycomb: Sites) -> None:
    honeycomb["width"][:] = 0.05
    features = features_from_sites(honeycomb, of=["amplitude", "width"])
    assert (features.values[:, 1] == 0).all()
    assert notes(features) == ["no spread, left unscaled: width"]


def test_a_variable_that_is_mostly_the_same_is_scaled_by_its_others(honeycomb: Sites) -> None:
    honeycomb["width"][:] = 0.05
    honeycomb["width"][:60] = 0.06
    features = features_from_sites(honeycomb, of=["amplitude", "width"])
    assert np.isfinite(features.values).all()
    assert notes(features) == []


def test_float32_stays_float32_and_integers_become_floats(honeycomb: Sites) -> None:
    honeycomb["width"] = honeycomb["width"].astype(np.float32)
    honeycomb["count"] = ("site", np.arange(honeycomb.sizes["site"], dtype=np.int16))
    assert features_from_sites(honeycomb, of="width").dtype == np.float32
    assert features_from_sites(honeycomb, of="count").dtype == np.float32
    assert features_from_sites(honeycomb, of=["width", "count"]).dtype == np.float32


def test_what_is_missing_is_named(honeycomb: Sites) -> None:
    with pytest.raises(KindError, match="no variable 'height': they have neighbor_vector"):
        features_from_sites(honeycomb, of="height")
    bare = honeycomb.drop_vars(["neighbor_vector", "slot_state", "star_index"])
    with pytest.raises(KindError, match=r"made by descriptors\.neighbor_vectors"):
        features_from_sites(bare)
    del honeycomb.attrs["stars"]
    with pytest.raises(KindError, match=r"not its stars: run descriptors\.neighbor_vectors"):
        features_from_sites(honeycomb)
    honeycomb["species"] = ("site", np.full(honeycomb.sizes["site"], "C"))
    with pytest.raises(KindError, match="features need real numbers"):
        features_from_sites(honeycomb, of="species")
    with pytest.raises(SettingError, match="each once"):
        features_from_sites(honeycomb, of=["width", "width"])
    with pytest.raises(SettingError, match="each once"):
        features_from_sites(honeycomb, of=[])


def test_whitened_noise_is_alike_in_all_directions_of_feature_space() -> None:
    truth = noisy_lattice("square", size=60, noise=0.03, vacancies=0.02, seed=4)
    sites = neighbor_vectors(truth.sites)
    inner = (sites["slot_state"].values == 0).all(axis=1)
    as_is, white = (
        np.cov(features_from_sites(sites, whiten=whiten).values[inner].T) / 0.03**2
        for whiten in (False, True)
    )
    slots = np.kron(np.ones((4, 4)), np.eye(2)) + np.eye(8)
    # Of 3,000 sites that share their neighbors, covariances are known to about 0.05.
    np.testing.assert_allclose(as_is, slots, atol=0.25)
    np.testing.assert_allclose(white, np.eye(8), atol=0.15)


def test_vacant_slots_stay_open_when_whitened_and_others_share_less() -> None:
    y, x = np.mgrid[:5, :5]
    keep = (y != 2) | (x != 3)
    sites = neighbor_vectors(sites_from_positions(y[keep] * 1.0, x[keep] * 1.0, unit="px"))
    moved = sites.copy(deep=True)
    middle = int(np.flatnonzero((y[keep] == 2) & (x[keep] == 2))[0])
    moved["neighbor_vector"].values[middle] -= [0.3, 0.0]
    white = features_from_sites(moved, whiten=True).values[middle].reshape(-1, 2)
    assert np.isnan(white).any(axis=1).sum() == 1
    np.testing.assert_allclose(white[np.isfinite(white).all(axis=1)], [[-0.15, 0.0]] * 3, atol=1e-9)


def test_only_neighbor_vectors_are_whitened() -> None:
    sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="px")
    sites["score"] = ("site", [0.5, 0.7])
    with pytest.raises(SettingError, match="is of neighbor vectors"):
        features_from_sites(sites, of="score", whiten=True)
