"""Claims about lattices and graphene as sites."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from adatom.errors import SettingError, UnitError
from adatom.schema import SITES, positions
from adatom.simulation import Crystal, Flake, build_graphene, build_lattice
from adatom.simulation.cells import LatticeName

BOND = 0.246 / np.sqrt(3)


@pytest.mark.parametrize(
    ("lattice", "n_neighbors", "density"),
    [
        # Sites per squared nearest-neighbor distance.
        ("square", 4, 1.0),
        ("hexagonal", 6, 2 / np.sqrt(3)),
        ("honeycomb", 3, 4 / (3 * np.sqrt(3))),
        ("rectangular", 2, 1 / np.sqrt(2)),
    ],
)
def test_lattices_have_their_coordination_and_density(
    lattice: LatticeName, n_neighbors: int, density: float
) -> None:
    sites = build_lattice(crystal=Crystal(lattice, spacing="10 px"), field=(500.0, 400.0))
    SITES.check(sites)
    assert sites.attrs["spacing"] == 10.0
    places = positions(sites)
    assert len(places) * 100 / (500 * 400) == pytest.approx(density, rel=0.02)
    inner = ((places > 30) & (places < [470, 370])).all(axis=1)
    distance, _ = KDTree(places).query(places[inner], k=n_neighbors + 2)
    np.testing.assert_allclose(distance[:, 1 : n_neighbors + 1], 10.0, rtol=1e-9)
    assert (distance[:, n_neighbors + 1] > 11).all()


def test_rotation_runs_from_x_towards_y() -> None:
    sites = build_lattice(crystal=Crystal("square", spacing="10 px", rotation=20.0))
    places = positions(sites)
    step = places[:, None] - places[None]
    neighbor = step[np.isclose(np.hypot(*step.transpose(2, 0, 1)), 10.0)]
    angles = np.degrees(np.arctan2(neighbor[:, 0], neighbor[:, 1])) % 90
    np.testing.assert_allclose(angles, 20.0, atol=1e-6)


def test_strain_stretches_along_x_only() -> None:
    crystal = Crystal("square", spacing="10 px", rotation=0.0, strain=0.1)
    places = positions(build_lattice(crystal=crystal, field=(100.0, 100.0)))
    np.testing.assert_allclose(np.diff(np.unique(places[:, 0].round(6))), 10.0, atol=1e-5)
    np.testing.assert_allclose(np.diff(np.unique(places[:, 1].round(6))), 11.0, atol=1e-5)


def test_displacements_and_vacancies_are_as_many_as_asked() -> None:
    field = (1000.0, 1000.0)
    perfect = build_lattice(crystal=Crystal(spacing="10 px"), field=field, seed=3)
    holes = build_lattice(crystal=Crystal(spacing="10 px", vacancies=0.05), field=field, seed=3)
    n_perfect = perfect.sizes["site"]
    assert n_perfect - holes.sizes["site"] == round(0.05 * n_perfect)
    moved = build_lattice(crystal=Crystal(spacing="10 px", displacement=0.05), field=field, seed=3)
    step = positions(moved) - positions(perfect)
    # 10,000 values per axis: the standard error of their deviation is under a percent.
    np.testing.assert_allclose(step.std(axis=0), 0.5, rtol=0.03)


def test_the_margin_lies_round_the_field() -> None:
    sites = build_lattice(field=(100.0, 200.0), margin=50.0)
    assert sites.y.values.min() < -30
    assert sites.y.values.max() > 130
    assert sites.x.values.max() > 230
    assert sites.x.values.max() <= 250


def test_lattices_refuse_settings_that_make_no_lattice() -> None:
    with pytest.raises(SettingError, match="lattice='quasi' is not known: use one of square"):
        Crystal("quasi")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"vacancies=1\.0 is a fraction"):
        Crystal(vacancies=1.0)
    with pytest.raises(SettingError, match="spacing='0 px' must be more than 0"):
        Crystal(spacing="0 px")
    with pytest.raises(SettingError, match="displacement"):
        Crystal(displacement=-0.1)
    with pytest.raises(UnitError, match="spacing='20 px' is in px"):
        build_lattice(unit="nm", field=(5.0, 5.0))


FLAKE = Flake(threefold=0.006, fourfold=0.003, vacancies=0.003, divacancies=0.002)


def count(classes: np.ndarray, name: str) -> int:
    return int((classes == name).sum())


def test_graphene_holds_the_defects_that_were_asked_for() -> None:
    atoms, vacancies = build_graphene(flake=FLAKE, field=(8.0, 8.0), seed=2)
    perfect, _ = build_graphene(flake=Flake(0, 0, 0, 0), field=(8.0, 8.0), seed=2)
    inside = ((positions(perfect) >= 0) & (positions(perfect) <= 8)).all(axis=1).sum()
    classes = atoms["class"].values
    n_3, n_4 = round(0.006 * inside), round(0.003 * inside)
    n_1, n_2 = round(0.003 * inside), round(0.002 * inside)
    assert count(classes, "Si-C3") == n_3
    assert count(classes, "Si-C4") == n_4
    assert count(classes, "C at Si-C3") == 3 * n_3
    assert count(classes, "C at Si-C4") == 4 * n_4
    assert count(classes, "C at V1") == 3 * n_1
    assert count(classes, "C at V2") == 4 * n_2
    assert count(vacancies["class"].values, "V1") == n_1
    assert count(vacancies["class"].values, "V2") == n_2
    species = atoms["species"].values
    assert count(species, "Si") == n_3 + n_4
    assert perfect.sizes["site"] - atoms.sizes["site"] == n_4 + n_1 + 2 * n_2


def neighbor_distances(field: float, name: str, n_neighbors: int) -> np.ndarray:
    flake = Flake(0.006, 0.003, 0.003, 0.002, displacement=0.0)
    atoms, _ = build_graphene(flake=flake, field=(field, field), seed=2)
    places = positions(atoms)
    centers = places[atoms["class"].values == name]
    distance: np.ndarray = KDTree(places).query(centers, k=n_neighbors + 2)[0][:, 1:]
    return distance


def test_silicon_stands_off_its_neighbors() -> None:
    threefold = neighbor_distances(8.0, "Si-C3", 3)
    # Other defects, 0.75 nm away or more, still move atoms by a picometer or two.
    np.testing.assert_allclose(threefold[:, :3], 0.170, atol=0.004)
    assert (threefold[:, 3] > 0.22).all()
    fourfold = neighbor_distances(8.0, "Si-C4", 4)
    np.testing.assert_allclose(fourfold[:, :4], np.sqrt(7) / 2 * BOND, atol=0.004)
    assert (fourfold[:, 4] > 0.22).all()


def test_atoms_beside_vacancies_pair_up() -> None:
    nearest = neighbor_distances(8.0, "C at V2", 3)
    np.testing.assert_allclose(nearest[:, 2], 0.175, atol=0.004)


def test_far_from_defects_graphene_is_perfect() -> None:
    atoms, _ = build_graphene(flake=Flake(0, 0, 0, 0, displacement=0.0), field=(4.0, 4.0))
    places = positions(atoms)
    inner = ((places > 0) & (places < 4)).all(axis=1)
    distance, _ = KDTree(places).query(places[inner], k=4)
    np.testing.assert_allclose(distance[:, 1:], BOND, rtol=1e-9)


def test_no_two_atoms_come_closer_than_a_bond() -> None:
    for seed in range(10):
        atoms, _ = build_graphene(field=(6.0, 6.0), seed=seed)
        distance, _ = KDTree(positions(atoms)).query(positions(atoms), k=2)
        assert distance[:, 1].min() > 0.11


def test_too_many_defects_say_how_many_fit() -> None:
    with pytest.raises(SettingError, match=r"room for \d+ of the \d+ defects"):
        build_graphene(flake=Flake(threefold=0.2), field=(4.0, 4.0))
    with pytest.raises(SettingError, match=r"threefold=1\.2 is a number per site"):
        Flake(threefold=1.2)
