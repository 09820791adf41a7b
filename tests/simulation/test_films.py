"""Ferroic films: columns, domains, walls and substrate are what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.spatial import cKDTree

from adatom.clustering import compare_classes
from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation import Film, Microscope, build_film, simulate_film

PLAIN = Film(rotation=0.0, steps=0)
SCANNED_EXACTLY = Microscope(electrons=150.0, jitter="0 nm", drift="0 nm", distortion=0.0)


def _of_sublattice(sites: xr.Dataset, number: int) -> xr.Dataset:
    return sites.isel(site=np.flatnonzero(sites["sublattice"].values == number))


def _off_center(sites: xr.Dataset) -> tuple[xr.Dataset, np.ndarray]:
    """Sites of B inside the field, and where they stand in the cage of the four nearest A."""
    a, b = _of_sublattice(sites, 0), _of_sublattice(sites, 1)
    place = positions(b)
    inner = ((place > 0) & (place < 8)).all(axis=1)
    nearest = cKDTree(positions(a)).query(place[inner], k=4)[1]
    return b.isel(site=np.flatnonzero(inner)), place[inner] - positions(a)[nearest].mean(axis=1)


@pytest.mark.parametrize("film", [Film(), Film(pattern="patches"), Film(directions="edges")])
def test_b_stands_off_the_center_of_its_cage_as_is_told(film: Film) -> None:
    b, off = _off_center(build_film(film=film, field=(8.0, 8.0), seed=3))
    told = b["polar_displacement"].values
    # A cage at a step of the interface is a parallelogram, its center is that of its corners still.
    assert np.abs(off - told).max() < 1e-12


def test_domains_point_along_the_variants_of_the_turned_film() -> None:
    film = Film(rotation=20.0, pattern="patches", domain_size="3 nm")
    b, off = _off_center(build_film(film=film, field=(8.0, 8.0), seed=1))
    # Two and a half widths from a wall tanh is 0.987.
    deep = (b["wall_distance"].values > 1.0) & (b["phase"].values == 0)
    angle = np.rad2deg(np.arctan2(off[deep, 0], off[deep, 1]))
    expected = 20.0 + 45.0 + 90.0 * (b["domain"].values[deep] - 1)
    assert np.abs((angle - expected + 180) % 360 - 180).max() < 1.0
    assert np.hypot(*off[deep].T) == pytest.approx(0.04, rel=0.02)


def test_across_a_wall_the_displacement_goes_as_tanh() -> None:
    film = replace(PLAIN, variants=(0, 2), wall_width="0.5 nm", domain_size="8 nm", substrate=0.0)
    sites = build_film(film=film, field=(8.0, 8.0), seed=2)
    b, off = _off_center(sites)
    signed = b["wall_distance"].values * np.where(b["domain"].values == 1, 1, -1)
    along = off @ np.array([1.0, 1.0]) / np.sqrt(2)
    # Half way between walls 8 nm apart the farther one adds exp(-16).
    assert along == pytest.approx(0.04 * np.tanh(signed / 0.5), abs=0.04 * np.exp(-15))
    assert np.unique(b["domain"].values).tolist() == [1, 3]


def test_the_substrate_is_not_polar_and_takes_its_share() -> None:
    b, off = _off_center(build_film(film=PLAIN, field=(8.0, 8.0)))
    below = b["phase"].values == 1
    # The first film cell above the interface has its lower A in the film as well.
    assert np.abs(off[below]).max() < 1e-12
    assert b["y"].values[below].min() == pytest.approx(6.0, abs=0.4)
    assert (b["domain"].values[below] == 0).all()
    assert set(b["class"].values[below]) == {"TiO"}


def test_the_film_is_coherent_and_longer_across_its_plane() -> None:
    a = _of_sublattice(build_film(film=PLAIN, field=(8.0, 8.0)), 0)
    film = a.isel(site=np.flatnonzero(a["phase"].values == 0))
    rows, columns = np.unique(film["y"].values.round(6)), np.unique(film["x"].values.round(6))
    # Clamped biaxially: c = a_s (1 + f) (1 + 2 nu / (1 - nu) f), nu = 0.3.
    c = 0.3905 * 1.015 * (1 + 2 * 0.3 / 0.7 * 0.015)
    assert np.diff(rows) == pytest.approx(c, abs=2e-6)
    assert np.diff(columns) == pytest.approx(0.3905, abs=2e-6)


def test_a_step_lifts_the_substrate_by_a_cell() -> None:
    sites = _of_sublattice(build_film(film=replace(PLAIN, steps=2), field=(8.0, 8.0), seed=5), 0)
    substrate = sites.isel(site=np.flatnonzero(sites["phase"].values == 1))
    tops = substrate["y"].groupby(substrate["x"].round(6)).min()
    inside = tops.values[(tops["x"] > 0) & (tops["x"] < 8)]
    assert np.unique(inside.round(6)).size == 3
    assert -np.diff(np.unique(inside.round(6))[::-1]) == pytest.approx(0.3905, abs=2e-6)


def test_strained_domains_stretch_along_their_displacement() -> None:
    # Walls along y: there stripes that shear by opposite angles fit together without stress.
    film = replace(
        PLAIN, variants=(0, 1), wall_angle=90.0, domain_size="5 nm", substrate=0.0, shear=1.0
    )
    sites = _of_sublattice(build_film(film=film, field=(8.0, 8.0), seed=4), 0)
    inner = sites.isel(site=np.flatnonzero(sites["wall_distance"].values > 0.8)).sortby("x")
    stripe = np.cumsum(np.diff(inner["x"].values, prepend=inner["x"].values[0]) > 1.0)
    for number in np.unique(stripe):
        own = inner.isel(site=np.flatnonzero(stripe == number))
        if np.ptp(own["x"].values) < 1.5:
            continue
        design = np.column_stack([positions(own), np.ones(own.sizes["site"])])
        gradient = np.linalg.lstsq(design, own["displacement"].values)[0][:2]
        expected = np.tan(np.deg2rad(1.0)) * (1 if own["domain"].values[0] == 1 else -1)
        # Of the periodic square as a whole the shape is held: stripes unlike in area give way.
        assert gradient[0, 1] + gradient[1, 0] == pytest.approx(expected, rel=0.3)


def test_a_film_without_a_substrate_is_film_throughout() -> None:
    sites = build_film(film=Film(substrate=0.0), field=(5.0, 5.0))
    assert (sites["phase"] == 0).all()
    assert set(sites["species"].values) == {"Bi", "Fe", "O"}


def test_a_misfit_of_zero_and_one_element_make_a_single_cube() -> None:
    film = Film(elements=("Sr", "Ti"), misfit=0.0, displacement="0 nm")
    b, off = _off_center(build_film(film=film, field=(8.0, 8.0)))
    assert np.abs(off).max() < 1e-12
    assert set(b["class"].values) == {"TiO"}


def test_the_drawn_map_follows_the_cells_of_the_image_but_for_a_hand() -> None:
    simulation = simulate_film(size=256, field="8 nm", seed=2)
    cells = simulation.cells
    classes = xr.Dataset({"label": ("site", cells["domain"].values)}, coords=cells.coords)
    far = cells["wall_distance"].values > 0.8
    # Four standard deviations of the hand: all of the cells beyond are drawn right.
    of_far = classes.isel(site=np.flatnonzero(far))
    assert compare_classes(of_far, simulation.drawn).scores["accuracy"].item() == 1.0
    everywhere = compare_classes(classes, simulation.drawn).scores["accuracy"].item()
    assert 0.85 < everywhere < 1.0


def test_the_drawn_map_drifts_with_the_sample() -> None:
    drifting = replace(SCANNED_EXACTLY, drift="1.5 nm")
    cells = simulate_film(size=256, field="8 nm", microscope=drifting, seed=2)
    far = np.flatnonzero(cells.cells["wall_distance"].values > 0.8)
    found = cells.cells.isel(site=far)
    classes = xr.Dataset({"label": ("site", found["domain"].values)}, coords=found.coords)
    # Drift that speeds up bends the image by up to an eighth of it, 0.2 nm.
    assert compare_classes(classes, cells.drawn).scores["accuracy"].item() > 0.99


def test_another_dose_leaves_the_film_as_it_is() -> None:
    few = simulate_film(size=64, field="3 nm", seed=7)
    more = simulate_film(size=64, field="3 nm", seed=7, microscope=Microscope(electrons=900.0))
    xr.testing.assert_identical(few.cells["polar_displacement"], more.cells["polar_displacement"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"displacement": "0.1 d"}, "displacement='0.1 d' must be a positive length in nm"),
        ({"variants": (4,)}, "must be one or more of 0, 1, 2, 3"),
        ({"substrate": 1.0}, "0 to less than 1"),
        ({"misfit": 0.5}, "no perovskite"),
        ({"steps": -1}, "must be 0 or more"),
    ],
)
def test_a_film_that_cannot_be_names_the_setting(setting: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Film(**setting)  # type: ignore[arg-type]


def test_a_field_without_room_says_so() -> None:
    with pytest.raises(SettingError, match="no room for two cells"):
        build_film(field=(0.5, 5.0))


@pytest.mark.parametrize("settings", [{"margin": -1.0}, {"field": (np.nan, 4.0)}])
def test_a_film_without_extent_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"margin=|field="):
        build_film(**({"field": (4.0, 4.0)} | settings))
