"""Small calls of the steps that find particles and where they point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from contract_example import Example
from tiny_networks import blob_network

from adatom import networks, simulation
from adatom.schema import image_from_array
from adatom.simulation import ParticleImages

IMAGES = ParticleImages(size=64)


def _blobs() -> Example:
    crystal = simulation.Crystal(lattice="square", spacing="12 px", displacement=0.02)
    image = simulation.simulate_lattice(crystal=crystal, size=64, width="2.5 px", seed=5).image
    return Example((image.astype(float), blob_network()))


def _spots(n_frames: int | None = None) -> Example:
    """Draw a few round spots, of an image or of the frames of a movie."""
    y, x = np.mgrid[:48, :56]
    frames = np.random.default_rng(7).normal(0, 0.02, (n_frames or 1, *y.shape))
    for a, b in ((12, 15), (30, 22), (20, 40)):
        frames += np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8)
    image = image_from_array(frames[0], pixel_size="0.5 nm")
    if n_frames is None:
        return Example((image,))
    return Example((image.expand_dims(frame=n_frames).copy(data=frames),))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.find_particles": _blobs,
    "localization.find_spots": _spots,
    "localization.find_spots_in_movie": lambda: _spots(3),
    "pipelines.train_particle_finder": lambda: Example(
        (),
        {
            "images": IMAGES,
            "architecture": networks.Architecture(width=4, symmetry=2),
            "training": networks.Training(
                n_steps=2, batch_size=2, precision="float32", n_threads=1
            ),
            "pictures": networks.Pictures(crop=32, n_judged=1),
        },
    ),
    "simulation.simulate_particle_image": lambda: Example((), {"images": IMAGES, "seed": 1}),
}
