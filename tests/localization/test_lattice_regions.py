"""Where the classical method sees a lattice, on simulated images with contamination and vacuum."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from adatom import localization
from adatom.errors import NoLatticeError
from adatom.schema import MASK, Image, image_from_array, positions
from adatom.simulation import Crystal, simulate_graphene, simulate_lattice

find_atoms = partial(localization.find_atoms, method="classical")
find_lattice_regions = partial(localization.find_lattice_regions, method="classical")


def lattice(size: int = 256) -> Image:
    crystal = Crystal("hexagonal", spacing="12 px", displacement=0.02)
    return simulate_lattice(crystal=crystal, size=size, width="3 px", snr=6, seed=2).image


def in_disc(size: int, center: tuple[int, int], radius: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.asarray(np.hypot(y - center[0], x - center[1]) < radius)


def test_a_clean_lattice_is_kept_whole() -> None:
    mask = find_lattice_regions(lattice())
    MASK.check(mask)
    assert mask.values.mean() > 0.99


def test_contamination_is_left_out_and_carries_no_marks() -> None:
    image, dirt = lattice(), in_disc(256, (120, 140), 55)
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=dirt.shape), 3.5)
    image.values[dirt] = (1.5 + 0.8 * texture / texture.std())[dirt]
    mask = find_lattice_regions(image)
    assert mask.values[in_disc(256, (120, 140), 45)].mean() < 0.1
    assert mask.values[~in_disc(256, (120, 140), 75)].mean() > 0.97
    assert mask.attrs["left_out"]["disordered"] == pytest.approx(dirt.mean(), abs=0.05)
    found = find_atoms(image)
    inside = np.hypot(found.y - 120, found.x - 140) < 45
    assert int(inside.sum()) <= 2
    assert any("left out" in note for note in found.attrs["notes"])


def test_vacuum_is_left_out_as_empty() -> None:
    image, hole = lattice(), in_disc(256, (128, 128), 60)
    noise = np.random.default_rng(0).normal(0, 1 / 6, hole.shape).astype(np.float32)
    image.values[hole] = noise[hole]
    mask = find_lattice_regions(image)
    assert mask.values[in_disc(256, (128, 128), 45)].mean() < 0.15
    assert sum(mask.attrs["left_out"].values()) == pytest.approx(hole.mean(), abs=0.06)


def test_an_image_of_noise_has_no_lattice_region_to_give() -> None:
    noise = np.random.default_rng(0).normal(size=(128, 128))
    with pytest.raises(NoLatticeError, match="try contrast="):
        find_lattice_regions(image_from_array(noise))


@pytest.mark.parametrize("seed", [0, 4])
def test_film_through_which_the_lattice_shines_is_left_out(seed: int) -> None:
    simulated = simulate_graphene(size=384, field="4.5 nm", seed=seed)
    kept, clean = find_lattice_regions(simulated.image).values, simulated.clean.values
    # Of the film, 8 % of the area, a fifth may be missed along its rim.
    assert (kept & ~clean).mean() < 0.016
    assert (clean & ~kept).mean() < 0.05


def test_a_cluster_of_bright_atoms_is_no_film() -> None:
    crystal = Crystal("honeycomb", spacing="18 px", displacement=0.02)
    simulated = simulate_lattice(crystal=crystal, size=320, width="5 px", snr=3.0, seed=1)
    image, truth = simulated.image.copy(deep=True), positions(simulated.truth)
    y, x = np.mgrid[:320, :320]
    for place in truth[np.argsort(np.hypot(*(truth - 160).T))[[0, 4, 9]]]:
        # Silicon beside carbon: three times as much again.
        image.values += 9 * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / (2 * 5.0**2))
    assert find_lattice_regions(image).values.all()
