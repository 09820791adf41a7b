"""Small calls of the steps that find particles and where they point."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example
from tiny_networks import blob_network

from adatom import networks, simulation
from adatom.simulation import ParticleImages

IMAGES = ParticleImages(size=64)


def _blobs() -> Example:
    crystal = simulation.Crystal(lattice="square", spacing="12 px", displacement=0.02)
    image = simulation.simulate_lattice(crystal=crystal, size=64, width="2.5 px", seed=5).image
    return Example((image.astype(float), blob_network()))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.find_particles": _blobs,
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
