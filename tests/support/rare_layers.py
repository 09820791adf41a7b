"""Simulated layers of WSe2 in which few places of selenium are empty, and who they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.schema import Image, Sites, sites_from_positions
from adatom.simulation import Microscope, simulate_image

LATTICE_CONSTANT = 0.328


class Layer(NamedTuple):
    """A simulated image, and labels as a person would set them: the rare places alone."""

    image: Image
    labels: Sites


def simulated_layer(
    *,
    seed: int,
    size: int = 512,
    field: float = 9.0,
    vacancies: float = 0.01,
    electrons: float = 60.0,
    turn: float = 0.2,
) -> Layer:
    """Simulate WSe2 with a share of its columns of selenium without one of the two atoms.

    Parameters
    ----------
    seed : int
        Of the places and of the image.
    size : int
        Rows and columns of the image.
    field : float
        Height and width in nm.
    vacancies : float
        Share of the columns of selenium that lack an atom.
    electrons : float
        Of the microscope: fewer make the image noisier.
    turn : float
        Of the lattice, in rad.
    """
    rng = np.random.default_rng([seed, 7])
    place, is_metal = _places(field, turn)
    is_rare = ~is_metal & (rng.random(len(place)) < vacancies)
    sites = sites_from_positions(*place.T, unit="nm", spacing=LATTICE_CONSTANT / np.sqrt(3))
    sites["species"] = ("site", np.where(is_metal, "W", "Se"))
    sites["occupancy"] = ("site", np.where(is_metal | is_rare, 1.0, 2.0))
    sites["class"] = ("site", np.where(is_rare, "vacancy", ""))
    simulated = simulate_image(
        sites,
        shape=(size, size),
        pixel_size=f"{field / size} nm",
        microscope=Microscope(electrons=electrons),
        seed=seed,
    )
    marked = simulated.truth["class"].values == "vacancy"
    labels = simulated.truth.isel(site=np.flatnonzero(marked))
    # People click about where they see something, not at the truth.
    jitter = rng.normal(scale=0.02, size=(2, labels.sizes["site"]))
    clicked = sites_from_positions(labels.y + jitter[0], labels.x + jitter[1], unit="nm")
    return Layer(simulated.image, clicked.assign({"class": ("site", labels["class"].values)}))


def _places(field: float, turn: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    n = int(2.5 * field / LATTICE_CONSTANT)
    cell = np.moveaxis(np.mgrid[-n:n, -n:n], 0, -1).reshape(-1, 2)
    angles = np.array([turn, turn + np.pi / 3])
    vectors = LATTICE_CONSTANT * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    place = np.concatenate([cell @ vectors, (cell + 1 / 3) @ vectors]) + field / 2
    near = ((place > -0.5) & (place < field + 0.5)).all(axis=1)
    is_metal = np.arange(len(place)) < len(cell)
    return place[near], is_metal[near]
