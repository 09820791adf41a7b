"""Tails of the probe are found in the image, and without them bright columns pull no dim ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree
from simulated_atoms import simulate

from adatom.correction import correct_probe_tails
from adatom.errors import KindError, TooFewSitesError
from adatom.localization import find_atoms, refine_sites
from adatom.numerics.probe_tails import Columns, Tails, image_of_tails
from adatom.schema import Image, Sites, image_from_array, notes, positions, sites_from_positions
from adatom.simulation import FilmSimulation, simulate_film
from adatom.simulation.film_images import FILM_MICROSCOPE


def _film(electrons: float = 150.0, seed: int = 0) -> FilmSimulation:
    microscope = replace(FILM_MICROSCOPE, electrons=electrons)
    return simulate_film(size=768, field="11 nm", microscope=microscope, seed=seed)


@pytest.mark.parametrize(("electrons", "seed"), [(150.0, 0), (150.0, 1), (50.0, 0)])
def test_tails_are_those_of_the_microscope(electrons: float, seed: int) -> None:
    image = _film(electrons, seed).image
    without = correct_probe_tails(image, find_atoms(image, method="classical"))
    # Tails of 0.13 nm beside a core of 0.05 nm with 35 % of the electrons: of height 0.08.
    # Columns of oxygen alone, which are not found, change both somewhat.
    assert without.attrs["tail_width"] == pytest.approx(0.13, rel=0.15)
    assert without.attrs["tail_height"] == pytest.approx(0.08, rel=0.35)
    assert "tails of the probe taken off" in notes(without)[-1]


def test_without_tails_displacements_are_too_long_by_a_third_of_what_they_were() -> None:
    film = _film()
    atoms = find_atoms(film.image, method="classical")
    without = correct_probe_tails(film.image, atoms)
    before = _stretch(film, atoms)
    after = _stretch(film, refine_sites(without, atoms))
    assert before > 1.12
    # Columns of oxygen alone pull as well: by a twentieth.
    assert after == pytest.approx(1.05, abs=0.03)


def _stretch(film: FilmSimulation, atoms: Sites) -> float:
    """Give by how much B is too far from the middle of its cage, away from walls."""
    cells, cages = film.cells, film.truth.isel(site=film.truth["sublattice"].values == 0)
    inner = cells["wall_distance"].values > 0.6
    near, corner = cKDTree(positions(cages)).query(positions(cells), k=4)
    found = cKDTree(positions(atoms))
    off_b, b = found.query(positions(cells))
    off_a, a = found.query(positions(cages))
    good = inner & (near.max(axis=1) < 0.35) & (off_b < 0.05) & (off_a[corner] < 0.05).all(axis=1)
    good &= atoms["fit_ok"].values[b] & atoms["fit_ok"].values[a][corner].all(axis=1)
    place = positions(atoms)
    told = (place[b] - place[a][corner].mean(axis=1))[good]
    true = (positions(cells) - positions(cages)[corner].mean(axis=1))[good]
    assert good.sum() > 200
    return float((told * true).sum() / (true**2).sum())


@pytest.mark.parametrize("kind", ["square", "hexagonal", "honeycomb"])
def test_columns_without_tails_are_left_as_they_are(kind: str) -> None:
    scene = simulate(kind, n_sites=900, snr=20.0, off=0.5, seed=1)
    without = correct_probe_tails(scene.image, refine_sites(scene.image, scene.start))
    assert without.attrs["tail_width"] == without.attrs["tail_height"] == 0.0
    np.testing.assert_array_equal(without.values, scene.image.values)
    assert "no tails" in notes(without)[-1]


def test_tails_are_summed_where_the_columns_are() -> None:
    rng = np.random.default_rng(0)
    step, width = (0.02, 0.03), 0.15
    place = rng.uniform(-0.2, 1.4, (40, 2))
    columns = Columns(place, rng.uniform(0.5, 3, 40), np.full(40, 0.05))
    summed = image_of_tails((60, 45), columns, Tails(width, 0.1, 0.01), step=step)
    y, x = np.arange(60) * step[0], np.arange(45) * step[1]
    squared = (y[:, None, None] - place[:, 0]) ** 2 + (x[None, :, None] - place[:, 1]) ** 2
    direct = 0.1 * (np.exp(-squared / (2 * width**2)) * columns.height).sum(axis=2)
    np.testing.assert_allclose(summed, direct, atol=0.01 * direct.max())


def _fitted(n: int, *, unit: str = "px") -> tuple[Image, Sites]:
    y, x = (8.0 + 8 * axis.ravel() for axis in np.indices((n, n)))
    sites = sites_from_positions(y, x, unit=unit, spacing=8.0)
    image = np.random.default_rng(0).normal(size=(8 * n + 8, 8 * n + 8))
    return image_from_array(image), sites.assign(
        amplitude=("site", np.ones(n * n)), width=("site", np.full(n * n, 2.0), {"units": unit}),
        fit_ok=("site", np.ones(n * n, dtype=bool)),
    )  # fmt: skip


def test_what_is_missing_is_named() -> None:
    image, sites = _fitted(6)
    with pytest.raises(KindError, match="amplitude"):
        correct_probe_tails(image, sites.drop_vars("amplitude"))
    with pytest.raises(KindError, match="nm"):
        correct_probe_tails(image, _fitted(6, unit="nm")[1])
    with pytest.raises(TooFewSitesError, match="16 of 16"):
        correct_probe_tails(*_fitted(4))
    small = image.isel(y=slice(0, 20)).notnull()
    with pytest.raises(KindError, match="regions"):
        correct_probe_tails(image, sites, small)
    nothing = (image * 0).astype(bool)
    assert correct_probe_tails(image, sites, nothing).attrs["tail_height"] == 0.0
