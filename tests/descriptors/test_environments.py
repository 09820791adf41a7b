"""Surroundings of sites: distances and mixtures, the same however the crystal is turned."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from adatom.descriptors import features_from_sites, neighbor_distances, neighborhood_composition
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Sites, sites_from_positions
from adatom.simulation import Oxide, build_oxide


def square(size: int = 9) -> NDArray[np.float64]:
    y, x = np.mgrid[:size, :size].astype(float)
    return np.stack([y.ravel(), x.ravel()], axis=1)


def sites_of(places: NDArray[np.float64]) -> Sites:
    return sites_from_positions(*places.T, unit="nm", spacing=1.0)


def test_distances_are_those_of_the_shells_the_nearest_first() -> None:
    found = neighbor_distances(sites_of(square()), n_neighbors=8)["neighbor_distance"]
    root_2 = np.sqrt(2)
    np.testing.assert_allclose(found.sel(site=40), [1, 1, 1, 1, root_2, root_2, root_2, root_2])
    assert found.attrs["units"] == "nm"


def test_a_turn_and_a_mirror_change_nothing() -> None:
    sites = build_oxide(oxide=Oxide(m1_share=1.0), field=(6.0, 6.0), seed=4)
    places = np.stack([sites["y"].values, sites["x"].values], axis=1)
    turned = places @ np.array([[0.6, 0.8], [0.8, -0.6]])
    far = {"extent": [-50.0, 50.0, -50.0, 50.0]}
    one = neighbor_distances(sites_of(places).assign_attrs(far))["neighbor_distance"]
    other = neighbor_distances(sites_of(turned).assign_attrs(far))["neighbor_distance"]
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_distance_beyond_the_edge_is_not_known() -> None:
    sites = sites_of(square())
    found = neighbor_distances(sites, n_neighbors=4)["neighbor_distance"].values
    # The site in the corner has two neighbors, and might have others as near outside.
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[40]).all()
    wide = sites.assign_attrs(extent=[-3.0, 11.0, -3.0, 11.0])
    assert np.isfinite(neighbor_distances(wide, n_neighbors=4)["neighbor_distance"]).all()


def test_errors_of_distances_cover_as_they_should() -> None:
    # Distances of 1, 1.3 and 1.7: far enough apart that noise never changes their order.
    rng = np.random.default_rng(1)
    star = np.array([[0.0, 0.0], [0.0, 1.0], [1.3, 0.0], [-1.2, -1.2]])
    true = np.linalg.norm(star[1:], axis=1)
    center = 20.0 * square(100)
    sigma = np.array([0.02, 0.04])
    places = center[:, None] + star + rng.normal(0, 1, (len(center), 4, 2)) * sigma
    sites = sites_of(places.reshape(-1, 2)).assign_attrs(extent=[-99.0, 2999.0, -99.0, 2999.0])
    sites["y_error"] = ("site", np.full(sites.sizes["site"], sigma[0]))
    sites["x_error"] = ("site", np.full(sites.sizes["site"], sigma[1]))
    found = neighbor_distances(sites, n_neighbors=3).isel(site=slice(0, None, 4))
    off = (found["neighbor_distance"] - true) / found["neighbor_distance_error"]
    covered = (np.abs(off) < norm.ppf(0.975)).mean("site").values
    assert ((covered > 0.93) & (covered < 0.97)).all()


def test_covariances_of_fits_are_used_where_there_are_any() -> None:
    sites = sites_of(square())
    both = np.tile(np.diag([0.01, 0.04]) ** 2, (81, 1, 1))
    sites["covariance"] = (("site", "axis", "axis_other"), both)
    error = neighbor_distances(sites, n_neighbors=4)["neighbor_distance_error"].sel(site=40)
    # Two bonds along y, two along x, each with the errors of both ends.
    np.testing.assert_allclose(np.sort(error), np.sqrt(2) * np.array([0.01, 0.01, 0.04, 0.04]))


def test_sites_without_errors_get_none() -> None:
    assert "neighbor_distance_error" not in neighbor_distances(sites_of(square()))


def test_frames_are_kept_apart() -> None:
    places = np.concatenate([square(4), square(4) + 0.1])
    frame = np.repeat([3, 7], 16)
    sites = sites_from_positions(*places.T, unit="px", frame=frame)
    found = neighbor_distances(sites, n_neighbors=2)["neighbor_distance"]
    assert np.nanmin(found) == pytest.approx(1.0)


def test_distances_and_an_intensity_make_features_together() -> None:
    sites = neighbor_distances(sites_of(square()))
    sites["amplitude"] = ("site", np.arange(81.0))
    features = features_from_sites(sites, of=["neighbor_distance", "amplitude"])
    assert features.shape == (81, 7)


def test_shares_are_those_of_the_nearest_sites() -> None:
    label = (square()[:, 1] > 4).astype(np.int64)
    shares = neighborhood_composition(
        sites_of(square()), xr.Dataset({"label": ("site", label)}), n_neighbors=9
    )
    assert shares.dims == ("site", "feature")
    np.testing.assert_allclose(shares.sum("feature"), 1.0)
    # The site, and of its eight neighbors the three to the right are of the other class.
    np.testing.assert_allclose(shares.sel(site=40), [6 / 9, 3 / 9])


def test_sites_of_no_class_are_not_counted() -> None:
    label = np.where(square()[:, 0] == 4, -1, 0)
    shares = neighborhood_composition(
        sites_of(square()), xr.Dataset({"label": ("site", label)}), n_neighbors=5
    )
    assert (shares.values == 1.0).all()


def test_errors_of_shares_cover_as_they_should() -> None:
    rng = np.random.default_rng(2)
    label = (rng.uniform(size=10_000) < 0.3).astype(np.int64)
    shares = neighborhood_composition(
        sites_of(square(100)), xr.Dataset({"label": ("site", label)}), n_neighbors=50
    )
    off = np.abs(shares.values[:, 1] - 0.3) / shares["share_error"].values[:, 1]
    # Neighborhoods share sites: 10,000 of them are as sure as 10,000 / 50 alone.
    assert 0.93 < (off < norm.ppf(0.975)).mean() < 0.97


def test_too_few_sites_are_told_with_their_frame() -> None:
    with pytest.raises(TooFewSitesError, match=r"frame 0 holds 4 sites, n_neighbors=4 needs 5"):
        neighbor_distances(sites_of(square(2)), n_neighbors=4)
    classes = xr.Dataset({"label": ("site", np.full(81, -1))})
    with pytest.raises(TooFewSitesError, match="needs classified ones"):
        neighborhood_composition(sites_of(square()), classes)


def test_settings_and_classes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingError, match="n_neighbors=0 must be 1 or more"):
        neighbor_distances(sites_of(square()), n_neighbors=0)
    with pytest.raises(KindError, match="are these classes of these sites"):
        neighborhood_composition(
            sites_of(square()), xr.Dataset({"label": ("site", np.zeros(3, dtype=int))})
        )
