"""Atoms found by the classical method on simulated images with known truth."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
import xarray as xr
from scipy.spatial import cKDTree

from adatom import localization
from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.localization import compare_sites
from adatom.schema import SITES, Image, image_from_array, notes, pixel_size, positions
from adatom.simulation import Crystal, Simulation, simulate_graphene, simulate_lattice

find_atoms = partial(localization.find_atoms, method="classical")
find_lattice_regions = partial(localization.find_lattice_regions, method="classical")


def simulated(
    lattice: str, spacing: float, snr: float, *, size: int = 200, vacancies: float = 0.0
) -> Simulation:
    crystal = Crystal(
        lattice,  # type: ignore[arg-type]
        spacing=f"{spacing} px",
        displacement=0.02,
        vacancies=vacancies,
    )
    width = f"{0.24 * spacing} px"
    return simulate_lattice(crystal=crystal, size=size, width=width, snr=snr, seed=1)


@cache
def square() -> Simulation:
    return simulated("square", 14, 10, size=128)


def f1_of(found: xr.Dataset, truth: xr.Dataset) -> float:
    return float(compare_sites(found, truth).scores["f1"][0])


@pytest.mark.parametrize("lattice", ["square", "hexagonal", "honeycomb", "rectangular"])
@pytest.mark.parametrize(("spacing", "snr"), [(7, 6), (12, 2.5), (24, 1.5)])
def test_every_lattice_is_found_at_its_own_scale(lattice: str, spacing: float, snr: float) -> None:
    simulation = simulated(lattice, spacing, snr, size=int(max(128, 11 * spacing)))
    found = find_atoms(simulation.image)
    # Weak columns of 0.4 of the strong ones drown first: SNR 0.6 per pixel at the last.
    assert f1_of(found, simulation.truth) > (0.9 if lattice == "rectangular" else 0.97)
    assert found.attrs["spacing"] == pytest.approx(spacing, rel=0.04)
    assert found.attrs["period_confidence"] > 0.99


def test_the_result_says_what_and_where() -> None:
    simulation = square()
    found = find_atoms(simulation.image)
    SITES.check(found)
    assert {"score", "amplitude", "width", "covariance", "fit_quality", "fit_ok"} <= set(found)
    assert ((found["score"] >= 0) & (found["score"] <= 1)).all()
    assert found.attrs["extent"] == [0.0, 127.0, 0.0, 127.0]
    assert "period of 1" in notes(found)[0]


def test_vacancies_stay_empty_and_impurities_hide_no_neighbors() -> None:
    simulation = simulated("honeycomb", 14, 5, vacancies=0.03)
    bright = simulation.image.copy(deep=True)
    y, x = np.mgrid[:200, :200]
    hidden = simulation.truth.isel(site=[60, 90])
    for row, column in zip(hidden.y.values, hidden.x.values, strict=True):
        blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 3.4**2))
        bright.values += (4 * blob).astype(np.float32)
    comparison = compare_sites(find_atoms(bright), simulation.truth)
    assert float(comparison.scores["precision"][0]) > 0.98
    assert float(comparison.scores["recall"][0]) > 0.98


def test_dark_atoms_are_found_when_told() -> None:
    simulation = square()
    dark = (-simulation.image).assign_attrs(simulation.image.attrs)
    found = find_atoms(dark, contrast="dark")
    assert f1_of(found, simulation.truth) > 0.99


def test_weak_columns_are_a_sublattice_and_one_kind_of_atom_is_none() -> None:
    simulation = simulated("rectangular", 12, 10)
    found = find_atoms(simulation.image)
    comparison = compare_sites(found, simulation.truth)
    bright = comparison.matched["sublattice"].values == 0
    assert np.median(comparison.matched["amplitude"][bright]) > 1.5 * np.median(
        comparison.matched["amplitude"][~bright]
    )
    assert bright.mean() == pytest.approx(0.5, abs=0.1)
    assert "sublattice" not in find_atoms(square().image)


def test_a_background_slope_and_offset_change_little() -> None:
    simulation = square()
    y, x = np.mgrid[:128, :128]
    tilted = simulation.image + 1e4 + 0.05 * y - 0.03 * x
    tilted.attrs = simulation.image.attrs
    assert f1_of(find_atoms(tilted), simulation.truth) > 0.99


def test_only_regions_are_searched() -> None:
    simulation = square()
    left = xr.ones_like(simulation.image, dtype=bool)
    left[:, 64:] = False
    found = find_atoms(simulation.image, left)
    assert found.x.max() < 66
    assert found.sizes["site"] > 30


def test_missing_pixels_are_no_atoms() -> None:
    simulation = square()
    holed = simulation.image.copy(deep=True)
    holed[40:52, 60:72] = np.nan
    assert f1_of(find_atoms(holed), simulation.truth) > 0.95


def test_input_stays_and_dask_gives_the_same() -> None:
    image = square().image
    before = image.copy(deep=True)
    found = find_atoms(image)
    xr.testing.assert_identical(image, before)
    lazy = image.chunk({"y": 50, "x": 50})
    xr.testing.assert_identical(find_atoms(lazy), found)


def test_positions_carry_the_unit_and_origin_of_the_image() -> None:
    image = square().image
    scaled = image_from_array(image.values, pixel_size="0.01 nm")
    shifted = scaled.assign_coords(x=scaled.x.copy(data=scaled.x.values + 5.0))
    found, plain = find_atoms(shifted), find_atoms(image)
    np.testing.assert_allclose(found.x, 5.0 + 0.01 * plain.x, atol=1e-4)
    assert found.attrs["spacing"] == pytest.approx(0.01 * plain.attrs["spacing"])


def _noise(correlation: float) -> Image:
    from scipy.ndimage import gaussian_filter

    values = np.random.default_rng(0).normal(size=(160, 200))
    smooth = gaussian_filter(values, correlation) if correlation else values
    return image_from_array(smooth.astype(np.float32))


@pytest.mark.parametrize("correlation", [0.0, 1.0, 3.0])
def test_noise_is_no_lattice_and_the_error_says_what_to_try(correlation: float) -> None:
    with pytest.raises(NoLatticeError, match=r"spacing=, leave contamination out"):
        find_atoms(_noise(correlation))


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(NoLatticeError, match="all pixels of the image have the value 0"):
        find_atoms(image_from_array(np.zeros((64, 64))))
    with pytest.raises(NoLatticeError, match="no pixel of the image is finite"):
        find_atoms(image_from_array(np.full((64, 64), np.nan)))


def test_regions_of_another_shape_and_impossible_spacings_are_refused() -> None:
    image = square().image
    with pytest.raises(KindError, match=r"regions of shape \(128, 64\)"):
        find_atoms(image, xr.ones_like(image, dtype=bool)[:, :64])
    with pytest.raises(SettingError, match=r"spacing='-1 px' must be positive"):
        find_atoms(image, spacing="-1 px")


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bright_impurity_carries_one_mark(seed: int) -> None:
    simulated = simulate_graphene(seed=seed)
    regions = find_lattice_regions(simulated.image)
    found = find_atoms(simulated.image, regions)
    points = positions(found)
    distance = cKDTree(points).query(points, k=2)[0][:, 1]
    assert distance.min() > 0.5 * found.attrs["spacing"]
    truth = simulated.truth
    row, column = np.rint(positions(truth) / pixel_size(simulated.image)).astype(int).T
    # The rim of contamination is left out: some atoms beside it are, too.
    analysed = regions.values[row.clip(0, 511), column.clip(0, 511)]
    seen = (truth["species"].values == "Si") & analysed
    assert seen.sum() >= 10
    silicon = positions(truth.isel(site=np.flatnonzero(seen)))
    near = cKDTree(points).query_ball_point(silicon, 0.5 * found.attrs["spacing"])
    assert [len(marks) for marks in near] == [1] * len(silicon)


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1e12, 1e30])
def test_the_unit_of_the_image_does_not_matter(factor: float) -> None:
    image = simulated("square", 12.0, 8.0, size=96).image.astype(float)
    plain, scaled = find_atoms(image), find_atoms((image * factor).assign_attrs(image.attrs))
    np.testing.assert_allclose(positions(scaled), positions(plain), atol=1e-3)
    np.testing.assert_allclose(scaled["amplitude"], plain["amplitude"] * factor, rtol=1e-2)
