"""A network that learned from simulated rods tells where rods point."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.io import read_image
from adatom.localization import compare_sites, find_particles
from adatom.networks import Architecture, Training, export_network
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.matching import match_points
from adatom.pipelines import train_particle_finder
from adatom.schema import Sites, positions
from adatom.simulation import ParticleImages, simulate_particle_image

pytest.importorskip("torch", reason="training needs torch: pip install 'adatom[train]'")

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def finder() -> ExportedNetwork:
    """Train for a few minutes on one core."""
    return export_network(
        train_particle_finder(
            architecture=Architecture(width=16, symmetry=2),
            training=Training(n_steps=1500, n_steps_per_score=500),
            seed=1,
        )
    )


def orientation_errors(found: Sites, truth: Sites) -> NDArray[np.float64]:
    """Give the differences of the orientations of matched particles, modulo 180 deg."""
    matches = match_points(positions(found), positions(truth), max_distance=5.0)
    one = found["orientation"].values[matches.left]
    other = truth["orientation"].values[matches.right]
    return np.asarray((one - other + 90) % 180 - 90)


def test_rods_of_new_images_are_found_with_their_orientation(finder: ExportedNetwork) -> None:
    clear = ParticleImages(snr=(5.0, 5.0), spacing=(20.0, 20.0), size=256)
    made = simulate_particle_image(images=clear, seed=77)
    found = find_particles(made.image, finder)
    scores = compare_sites(found, made.sites).scores
    assert float(scores["f1"][0]) > 0.97
    assert np.median(np.abs(orientation_errors(found, made.sites))) < 3


@pytest.mark.skipif("ADATOM_DATA" not in os.environ, reason="ADATOM_DATA is not set")
def test_rods_turned_by_a_degree_each_are_told_apart(finder: ExportedNetwork) -> None:
    # 63 rods in 7 rows of 9; in reading order the k-th points at 36 - k deg from the rows axis.
    path = Path(os.environ["ADATOM_DATA"]) / "imaging/afm_nanolocz/Example Data/Rotate test.tif"
    image = read_image(path)
    found = find_particles(image, finder)
    assert found.sizes["site"] == 63
    place = positions(found)
    order = np.lexsort((place[:, 1], np.rint(place[:, 0] / found.attrs["spacing"])))
    # skimage's regionprops counts from the row axis, ours from +x towards +y.
    angle = found["orientation"].values[order]
    steps = (np.diff(angle) + 90) % 180 - 90
    assert np.median(np.abs(np.abs(steps) - 1)) < 1.5
