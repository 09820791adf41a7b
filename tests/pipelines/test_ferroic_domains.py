"""From the image of a ferroic film to its domains, end to end."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import xarray as xr
from ferroic_films import judged, steps_of_recipe
from scipy.spatial import cKDTree

from adatom.schema import positions
from adatom.simulation import Film, FilmSimulation, simulate_film
from adatom.simulation.film_images import FILM_MICROSCOPE


def test_the_domain_map_of_a_small_film_is_right_in_97_cells_of_100() -> None:
    # 640 cells, a quarter of them substrate; those within walls and at the border count as well.
    simulation = simulate_film(film=Film(domain_size="5 nm"), size=512, field="10 nm", seed=2)
    results = dict(steps_of_recipe(simulation.image))
    scores = judged(simulation, results["domains"].variants)
    assert scores["right away from walls"] >= 0.97
    assert scores["right"] >= 0.97
    # A hand is off by half a cell at every wall.
    assert scores["as drawn"] >= 0.85
    _displacements_are_those_of_the_film(simulation, results["polarization"])


def _displacements_are_those_of_the_film(simulation: FilmSimulation, polar: xr.Dataset) -> None:
    cells = simulation.cells
    distance, nearest = cKDTree(positions(cells)).query(positions(polar))
    known = (distance < 0.1) & np.isfinite(polar["displacement_y"].values)
    known &= cells["wall_distance"].values[nearest] > 0.6
    told = np.column_stack([polar["displacement_y"], polar["displacement_x"]])[known]
    true = cells["polar_displacement"].values[nearest][known]
    # 7 pm of 40: B is a sixth as bright as A, and scan lines of 20 pm jump by 6 pm.
    assert np.median(np.abs(told - true)) * 1.48 < 0.009
    # The tails of the nearer A, which the fit does not know, pull B towards it: by a sixth here.
    slope = float((told * true).sum() / (true * true).sum())
    assert slope == pytest.approx(1.1, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "film",
    [
        Film(),
        Film(directions="edges", wall_angle=90.0),
        Film(shear=0.5),
        Film(pattern="patches", domain_size="5 nm"),
    ],
    ids=["stripes", "edges", "sheared", "patches"],
)
@pytest.mark.parametrize("seed", range(3))
def test_domain_maps_are_right_up_to_the_walls(film: Film, seed: int) -> None:
    simulation = simulate_film(film=film, size=1024, field="15 nm", seed=seed)
    results = dict(steps_of_recipe(simulation.image))
    scores = judged(simulation, results["domains"].variants)
    # Also in patches, where opposite domains meet in walls whose middle is not polar.
    assert scores["right"] >= 0.97
    assert scores["right away from walls"] >= 0.99


@pytest.mark.slow
def test_a_film_at_a_third_of_the_electrons_keeps_its_domains() -> None:
    microscope = replace(FILM_MICROSCOPE, electrons=50.0)
    simulation = simulate_film(size=1024, field="16 nm", microscope=microscope, seed=0)
    results = dict(steps_of_recipe(simulation.image))
    assert judged(simulation, results["domains"].variants)["right"] >= 0.95


def test_the_recipe_takes_the_steps_that_are_tested_here() -> None:
    text = (resources.files("adatom.recipes") / "library" / "ferroic_domains.toml").read_text()
    taken = {name for name, _ in steps_of_recipe(simulate_film(size=384, field="5.5 nm").image)}
    assert taken <= set(tomllib.loads(text))
