"""The shipped network on simulated images, with nothing told but the image."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.errors import NoLatticeError
from adatom.localization import compare_sites, find_atoms
from adatom.localization.shipped import has_shipped_network
from adatom.schema import image_from_array, positions
from adatom.simulation import Crystal, Simulation, simulate_lattice

pytestmark = pytest.mark.skipif(not has_shipped_network(), reason="no network is shipped")


def simulated(lattice: str, spacing: float) -> Simulation:
    crystal = Crystal(lattice, spacing=f"{spacing} px", displacement=0.02)  # type: ignore[arg-type]
    size = int(max(160, 12 * spacing))
    return simulate_lattice(crystal=crystal, size=size, width=f"{0.24 * spacing} px", snr=6, seed=4)


@pytest.mark.parametrize("lattice", ["square", "hexagonal", "honeycomb", "rectangular"])
@pytest.mark.parametrize("spacing", [7, 17, 40])
def test_every_lattice_is_found_at_every_scale(lattice: str, spacing: float) -> None:
    simulation = simulated(lattice, spacing)
    found = find_atoms(simulation.image, method="network")
    assert float(compare_sites(found, simulation.truth).scores["f1"][0]) > 0.97


@pytest.mark.parametrize("lattice", ["square", "hexagonal", "honeycomb"])
@pytest.mark.parametrize("angle", [11.0, 30.0, 45.0])
def test_a_turned_image_gives_the_same_atoms(lattice: str, angle: float) -> None:
    image = simulated(lattice, 14).image
    turned = scipy.ndimage.rotate(image.values, angle, reshape=False, mode="reflect", order=3)
    middle = (np.array(image.shape) - 1) / 2
    found = positions(find_atoms(image, method="network"))
    offset = positions(find_atoms(image_from_array(turned), method="network")) - middle
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    back = offset @ np.array([[cosine, -sine], [sine, cosine]]) + middle
    inner = np.hypot(*offset.T) < 60
    distance, _ = cKDTree(found).query(back[inner])
    assert np.mean(distance < 2) > 0.98
    distance, _ = cKDTree(back).query(found[np.hypot(*(found - middle).T) < 60])
    assert np.mean(distance < 2) > 0.98


@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("seed", [1, 2])
def test_noise_of_any_grain_is_no_lattice(sigma: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(256, 256))
    grains = scipy.ndimage.gaussian_filter(noise, sigma)
    with pytest.raises(NoLatticeError):
        find_atoms(image_from_array(grains), method="network")


def test_a_lattice_in_a_corner_of_a_large_image_is_found() -> None:
    crystal = Crystal("square", spacing="18 px", displacement=0.02)
    island = simulate_lattice(crystal=crystal, size=200, width="4 px", snr=6, seed=4)
    dark = float(np.median(island.image.values))
    height = float(island.image.values.max()) - dark
    image = np.random.default_rng(4).normal(0, height / 6, (1100, 1100)).astype(np.float32)
    image[:200, 900:] += island.image.values - dark
    found = positions(find_atoms(image_from_array(image), method="network"))
    true = positions(island.truth) + np.array([0, 900])
    clear = true[((true > [20, 920]) & (true < [180, 1080])).all(axis=1)]
    assert np.mean(cKDTree(found).query(clear)[0] < 4) > 0.97
    assert np.mean(cKDTree(true).query(found)[0] < 4) > 0.9
