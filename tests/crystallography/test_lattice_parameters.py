"""Cells of known lattices, with errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
from strained_lattices import MAP, coverage, noisy, places

from adatom.crystallography import estimate_lattice_parameters
from adatom.descriptors import neighbor_vectors
from adatom.schema import sites_from_positions

NAMES = ("lattice_a", "lattice_b", "axial_ratio", "lattice_angle")


def _truth(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    long_a, long_b = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.degrees(np.arccos(a @ b / long_a / long_b))
    return dict(zip(NAMES, (float(long_a), float(long_b), float(long_b / long_a), float(angle))))


@pytest.mark.parametrize("n_shells", [0, 1])
@pytest.mark.parametrize(
    ("lattice", "a", "b"),
    [
        ("square", [0.0, 1.0], [1.0, 0.0]),
        ("hexagonal", [0.0, 1.0], [np.sqrt(0.75), -0.5]),
        ("honeycomb", [0.0, np.sqrt(3)], [1.5, -np.sqrt(0.75)]),
    ],
)
def test_intervals_of_cells_hold(
    lattice: str, a: list[float], b: list[float], n_shells: int
) -> None:
    sites = noisy(places(lattice, vacancies=0.03) @ MAP.T, (0.02, 0.012))
    found = estimate_lattice_parameters(neighbor_vectors(sites), n_shells=n_shells)
    for name, value in _truth(MAP @ a, MAP @ b).items():
        assert coverage(found, name, value) == pytest.approx(0.95, abs=0.02), name


def test_a_film_that_grows_along_y_has_its_c_over_a() -> None:
    true = places("square", n=20) * [0.415, 0.390]
    found = estimate_lattice_parameters(neighbor_vectors(sites_from_positions(*true.T, unit="nm")))
    inside = found.isel(site=210)
    assert inside["axial_ratio"].item() == pytest.approx(0.415 / 0.390)
    assert inside["lattice_a"].item() == pytest.approx(0.390)
    assert inside["lattice_angle"].item() == pytest.approx(90)
    assert found["lattice_b"].attrs["units"] == "nm"


def test_a_sheared_cell_shows_its_angle_on_either_side_of_ninety() -> None:
    for shear, angle in ((0.02, 88.854), (-0.02, 91.146)):
        true = places("square", n=12) @ np.array([[1.0, 0.0], [shear, 1.0]]).T
        sites = sites_from_positions(*true.T, unit="nm")
        found = estimate_lattice_parameters(neighbor_vectors(sites)).isel(site=78)
        assert found["lattice_angle"].item() == pytest.approx(angle, abs=1e-3)
