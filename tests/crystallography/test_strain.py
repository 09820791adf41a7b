"""Strain of known lattices: values, errors that hold, vacancies, references, averages."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from strained_lattices import MAP, coverage, noisy, places

from adatom.crystallography import affine_maps, estimate_strain
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError, SettingError
from adatom.schema import Sites, sites_from_positions
from adatom.simulation import Crystal, Strain, apply_strain, build_lattice

QUANTITIES = ("strain_yy", "strain_xx", "strain_xy", "rotation", "dilatation")


def _smooth(true: NDArray[np.float64], wave: float) -> tuple[NDArray[np.float64], ...]:
    """Displace places by a wave, and give its true strain and rotation at them."""
    y, x = true.T
    k = 2 * np.pi / wave
    moved = true + np.stack([0.3 * np.sin(k * x), 0.2 * np.sin(k * y)], axis=1)
    yx, xy = 0.3 * k * np.cos(k * x), 0.2 * k * np.cos(k * y)
    return moved, (yx + xy) / 2, np.degrees(yx - xy) / 2


@pytest.mark.parametrize("lattice", ["square", "hexagonal", "honeycomb"])
@pytest.mark.parametrize("n_shells", [0, 1])
def test_intervals_of_strain_hold_with_vacancies_and_uneven_noise(
    lattice: str, n_shells: int
) -> None:
    sites = noisy(places(lattice, vacancies=0.03) @ MAP.T, (0.02, 0.012))
    found = estimate_strain(neighbor_vectors(sites), n_shells=n_shells)
    # Strain is relative to the mean lattice, which is the same everywhere.
    for name in QUANTITIES:
        # 10,000 sites that share neighbors are some 3,000 independent ones: 0.4 %.
        assert coverage(found, name, 0.0) == pytest.approx(0.95, abs=0.02)


def test_intervals_hold_against_a_lattice_that_is_told() -> None:
    sites = noisy(places("square", vacancies=0.02) @ MAP.T, (0.01, 0.01), known=True)
    found = estimate_strain(neighbor_vectors(sites), lattice=[[1.0, 0.0], [0.0, 1.0]])
    # From +x towards +y: the map's element of y by x is the sine of the angle.
    angle = np.arctan2(MAP[0, 1] - MAP[1, 0], MAP[0, 0] + MAP[1, 1])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    stretch = turn.T @ MAP
    assert stretch[0, 1] == pytest.approx(stretch[1, 0])
    truth = {
        "strain_yy": stretch[0, 0] - 1,
        "strain_xx": stretch[1, 1] - 1,
        "strain_xy": stretch[0, 1],
        "rotation": np.degrees(angle),
        "dilatation": np.linalg.det(MAP) - 1,
    }
    for name, value in truth.items():
        assert coverage(found, name, value) == pytest.approx(0.95, abs=0.02), name


def test_a_wave_of_rotation_and_shear_is_seen_where_it_is() -> None:
    true = places("square", n=60)
    moved, shear, rotation = _smooth(true, 40.0)
    found = estimate_strain(neighbor_vectors(sites_from_positions(*moved.T, unit="nm")))
    inside = np.isfinite(found["rotation"].values)
    # Differences over two spacings flatten a wave of 40 by sin(k) / k: 0.4 % of its 1.5 deg;
    # the mean lattice of a part of a wave is turned a little.
    for name, truth, size in (("strain_xy", shear, 0.04), ("rotation", rotation, 2.2)):
        off = found[name].values[inside] - truth[inside]
        assert off.std() < 0.03 * size
        assert np.corrcoef(found[name].values[inside], truth[inside])[0, 1] > 0.999


def test_a_column_displaced_against_its_surroundings_strains_nothing_at_its_place() -> None:
    true = places("square", n=12)
    middle = int(np.flatnonzero((true == 6).all(axis=1))[0])
    true[middle] += [0.1, 0.05]
    vacant = np.flatnonzero((true == [6, 7]).all(axis=1))
    sites = sites_from_positions(*np.delete(true, vacant, axis=0).T, unit="nm")
    lattice = [[1.0, 0.0], [0.0, 1.0]]
    found = estimate_strain(neighbor_vectors(sites), lattice=lattice).isel(site=middle)
    assert int((found["slot_state"] == 1).sum()) == 1
    for name in QUANTITIES:
        assert found[name].item() == pytest.approx(0.0, abs=1e-6)


def test_drift_is_taken_for_the_mean_lattice_and_told() -> None:
    true = places("square", n=20)
    drifted = true @ np.array([[1.02, 0.0], [0.05, 1.0]]).T
    found = estimate_strain(neighbor_vectors(sites_from_positions(*drifted.T, unit="nm")))
    assert float(abs(found["strain_yy"]).max()) < 1e-6
    assert any("relative to the mean lattice" in line for line in found.attrs["notes"])


def _film() -> tuple[Sites, NDArray[np.bool_]]:
    """Give a film whose y spacing is 4 % larger upon a substrate."""
    true = places("square", n=40)
    film = true[:, 0] >= 20
    true[:, 0] = np.where(film, 1.04 * true[:, 0] - 0.8, true[:, 0])
    return neighbor_vectors(sites_from_positions(*true.T, unit="nm")), film


def test_a_film_is_strained_against_its_substrate_by_class_and_by_region() -> None:
    sites, film = _film()
    classes = xr.Dataset({"label": ("site", film.astype(np.int32))})
    y = np.arange(42.0)
    mask = xr.DataArray(
        np.broadcast_to(y[:, None] < 18, (42, 42)),
        dims=("y", "x"),
        coords={"y": ("y", y, {"units": "nm"}), "x": ("x", y, {"units": "nm"})},
    )
    deep = film & (sites.coords["y"].values > 21.5)
    for data in ((classes,), (None, mask)):
        found = estimate_strain(sites, *data, position_error="0.01 nm")
        inside = deep & np.isfinite(found["strain_yy"].values)
        # The class holds the sites of the wall too, whose mean is half a percent of the film's.
        assert found["strain_yy"].values[inside] == pytest.approx(0.04, abs=2e-3)
        assert found["strain_xx"].values[inside] == pytest.approx(0.0, abs=1e-6)


def test_sites_with_two_neighbors_or_in_a_row_have_no_strain() -> None:
    found = estimate_strain(
        neighbor_vectors(sites_from_positions(*places("square", n=10).T, unit="nm"))
    )
    corner = found.isel(site=0)
    assert (corner["slot_state"] == 0).sum() == 2
    assert np.isnan(corner["strain_yy"].item())
    assert np.isnan(corner["strain_yy_error"].item())


def test_too_small_errors_are_scaled_up_to_the_scatter_and_the_note_says_so() -> None:
    true = places("square", n=60)
    sites = noisy(true, (0.02, 0.02))
    for name in ("y_error", "x_error"):
        sites[name] = ("site", np.full(len(true), 0.005), {"units": "nm"})
    found = estimate_strain(neighbor_vectors(sites))
    assert coverage(found, "strain_xx", 0.0) == pytest.approx(0.95, abs=0.02)
    assert any("times y 4" in line or "times y 3.9" in line for line in found.attrs["notes"])


def test_neighbors_of_before_a_selection_are_refused() -> None:
    sites = neighbor_vectors(sites_from_positions(*places("square", n=10).T, unit="nm"))
    with pytest.raises(KindError, match="selected or moved after"):
        estimate_strain(sites.isel(site=slice(5, None)))


def test_sites_without_neighbors_are_told_what_to_run() -> None:
    sites = sites_from_positions(*places("square", n=10).T, unit="nm")
    with pytest.raises(KindError, match=r"run descriptors\.neighbor_vectors first"):
        estimate_strain(sites)


def test_a_lattice_that_slots_do_not_fit_is_refused() -> None:
    sites = neighbor_vectors(sites_from_positions(*places("square", n=10).T, unit="nm"))
    with pytest.raises(SettingError, match="no whole numbers of these vectors"):
        estimate_strain(sites, lattice=[[1.5, 0.0], [0.0, 1.5]])


def test_a_class_without_sites_is_refused() -> None:
    sites, film = _film()
    classes = xr.Dataset({"label": ("site", film.astype(np.int32))})
    with pytest.raises(SettingError, match="label=4: no site is of that class"):
        estimate_strain(sites, classes, label=4)


def test_a_column_whose_fit_failed_is_no_neighbor() -> None:
    true = places("square", n=12)
    middle = int(np.flatnonzero((true == 6).all(axis=1))[0])
    beside = int(np.flatnonzero((true == [6, 7]).all(axis=1))[0])
    true[beside] += [0.0, 0.2]
    sites = sites_from_positions(*true.T, unit="nm")
    lattice = [[1.0, 0.0], [0.0, 1.0]]
    trusted = estimate_strain(neighbor_vectors(sites), lattice=lattice)
    assert trusted["strain_xx"].values[middle] == pytest.approx(0.1)
    sites["fit_ok"] = ("site", np.arange(len(true)) != beside)
    found = estimate_strain(neighbor_vectors(sites), lattice=lattice)
    assert found["strain_xx"].values[middle] == pytest.approx(0.0, abs=1e-6)
    assert "1 sites whose fit failed are no neighbors" in found.attrs["notes"][-1]


def test_intervals_hold_in_a_bent_crystal_with_vacancies_and_drift() -> None:
    crystal = Crystal("square", spacing="1 nm", rotation=0.0, vacancies=0.03)
    sites = build_lattice(crystal=crystal, field=(104.0, 104.0), unit="nm", seed=3)
    bent = apply_strain(sites, strain=Strain(waviness=0.02, wavelength="40 d"), seed=5)
    # Drift over the slow scan: lines 1 % too near to one another, and sheared.
    drift = np.array([[0.99, 0.0], [0.02, 1.0]])
    places_now = np.stack([bent.y.values, bent.x.values], axis=1) @ drift.T
    found = estimate_strain(
        neighbor_vectors(noisy(places_now, (0.015, 0.01))), lattice=(drift.T).tolist()
    )
    # The lattice told is the drifted one: what is left is the strain of the crystal, but for
    # products of both, of 2 % of 2 %.
    truth = {
        "strain_xx": bent["strain"].sel(component="xx").values,
        "strain_yy": bent["strain"].sel(component="yy").values,
    }
    for name, value in truth.items():
        assert coverage(found, name, value) == pytest.approx(0.95, abs=0.02), name


def test_a_grain_without_sites_in_the_reference_has_no_strain_and_the_note_says_so() -> None:
    one = places("square", n=30)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    both = np.concatenate([one, one @ turn.T + [0.0, 60.0]])
    sites = neighbor_vectors(sites_from_positions(*both.T, unit="nm"), n_neighbors=4)
    second = np.arange(len(both)) >= len(one)
    classes = xr.Dataset({"label": ("site", second.astype(np.int32))})
    found = estimate_strain(sites, classes, label=0, position_error="0.01 nm")
    assert np.isfinite(found["strain_yy"].values[~second]).mean() > 0.9
    assert np.isnan(found["strain_yy"].values[second]).all()
    assert "which have no site there" in found.attrs["notes"][-1]


def test_two_slots_are_too_few() -> None:
    rows = places("square", n=10) * [2.0, 1.0]
    sites = sites_from_positions(*rows.T, unit="nm")
    with pytest.raises(SettingError, match="2 slots for neighbors, a map of the plane needs 3"):
        estimate_strain(neighbor_vectors(sites, n_neighbors=2))


def test_blocks_of_sites_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = neighbor_vectors(noisy(places("hexagonal", n=20, vacancies=0.05), (0.02, 0.02)))
    whole = estimate_strain(sites, n_shells=2)
    monkeypatch.setattr(affine_maps, "_BLOCK", 37)
    parts = estimate_strain(sites, n_shells=2)
    for name in ("strain_yy", "rotation", "rotation_error"):
        np.testing.assert_array_equal(parts[name].values, whole[name].values)
