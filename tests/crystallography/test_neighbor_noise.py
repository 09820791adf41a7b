"""Position noise is told as it was planted, whatever walls, doubled cells and dirt there are."""

from __future__ import annotations

import numpy as np
import pytest
from planted_domains import Planted, planted

from adatom.crystallography.aligned import aligned_vectors
from adatom.crystallography.cell_fields import Noise, sampled_field
from adatom.crystallography.neighbor_noise import estimate_noise
from adatom.descriptors import neighbor_vectors
from adatom.schema import Sites, sites_from_positions


def _noise(sites: Sites) -> Noise:
    """Estimate the noise, in the unit of the sites."""
    aligned = aligned_vectors(sites, None)
    index = sites["lattice_index"].values
    field, held = sampled_field(aligned, index, n_sites=20_000, seed=0)
    noise = estimate_noise(field, aligned.deviation[held], itself=aligned.itself, seed=0)
    return Noise(noise.site * aligned.spacing, noise.neighbor * aligned.spacing)


def _stripes(width: float, *, noise_y: float, noise_x: float, wall: float = 0.7) -> Sites:
    """Make centers in a cage, of displacements in four directions, in stripes at 45 degrees.

    The displacement goes over into the next within `wall` cells to either side.
    """
    rng = np.random.default_rng(0)
    size = 50
    i, j = np.indices((size, size)).reshape(2, -1)
    depth = (i + j) / np.sqrt(2) / width
    number = np.floor(depth).astype(int)
    push = 0.15 * np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])
    # From the middle of a stripe to that of the next.
    blend = 0.5 * (1 + np.tanh((depth - np.round(depth)) * width / wall))[:, None]
    near = np.round(depth).astype(int)
    moved = (1 - blend) * push[(near - 1) % 4] + blend * push[near % 4]
    assert number.max() > 4

    def seen(y: np.ndarray, x: np.ndarray, share: float) -> Sites:
        off = rng.normal(0, share, (2, len(y)))
        return sites_from_positions(y + noise_y * off[0], x + noise_x * off[1], unit="nm")

    cage = seen(i, j, 0.3)
    sites = neighbor_vectors(
        seen(i + 0.5 + moved[:, 0], j + 0.5 + moved[:, 1], 1.0), cage, n_neighbors=4
    )
    sites["lattice_index"] = (("site", "direction"), np.stack([i, j], axis=1))
    sites["sublattice"] = sites["grain"] = ("site", np.zeros(len(i), int))
    return sites


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("case", ["square", "honeycomb", "two grains"])
def test_noise_of_a_perfect_crystal_is_that_planted(case: str, noise: float) -> None:
    found = _noise(planted(case, size=40, noise=noise).sites)
    # One standard deviation is 3 % with 1,600 sites.
    np.testing.assert_allclose(found.site, noise, rtol=0.09)


@pytest.mark.parametrize("case", ["ferroelastic", "tetragonal twins", "second phase", "doubled i"])
def test_walls_and_doubled_cells_are_no_noise(case: str) -> None:
    found = _noise(planted(case, size=40, noise=0.02).sites)
    np.testing.assert_allclose(found.site, 0.02, rtol=0.1)


def test_noise_within_narrow_stripes_is_that_of_both_sublattices_and_axes() -> None:
    """Stripes of 7.5 cells with wide walls: of sites four cells apart hardly any are alike."""
    found = _noise(_stripes(7.5, noise_y=0.05, noise_x=0.04))
    np.testing.assert_allclose(found.site, [0.05, 0.04], rtol=0.12)
    np.testing.assert_allclose(found.neighbor, [0.015, 0.012], rtol=0.08)


def test_many_domains_are_little_noise() -> None:
    truth: Planted = planted("polar and parent", size=60, noise=0.03, seed=1)
    found = _noise(truth.sites)
    np.testing.assert_allclose(found.site, 0.03, rtol=0.12)
    np.testing.assert_allclose(found.neighbor, 0.03, rtol=0.06)


def test_dirt_is_no_noise() -> None:
    sites = planted("square", size=40, noise=0.03).sites
    vector = sites["neighbor_vector"].values.copy()
    vector[::20] += np.random.default_rng(0).normal(0, 0.3, vector[::20].shape)
    sites["neighbor_vector"] = (sites["neighbor_vector"].dims, vector)
    np.testing.assert_allclose(_noise(sites).site, 0.03, rtol=0.1)


def test_a_crystal_of_a_few_sites_tells_nothing() -> None:
    assert np.isnan(_noise(planted("square", size=4, vacancies=0.0).sites).site).all()
