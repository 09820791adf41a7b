"""Small calls of the steps that train networks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr
from contract_example import Example
from tiny_networks import blob_network

from adatom import networks, simulation
from adatom.schema import sites_from_positions
from adatom.simulation import LabeledImage, TrainingImages, simulate_training_image

TRAINING = networks.Training(n_steps=2, batch_size=2, precision="float32", n_threads=1)
PICTURES = networks.Pictures(crop=32, n_judged=1)


@cache
def untrained() -> networks.TrainedNetwork:
    """Give a small network with its first weights."""
    network = networks.Trainer(networks.Architecture(width=4)).untrained()
    history = ({"step": 10.0, "loss": 0.5, "f1": 0.8},)
    return replace(network, card=replace(network.card, history=history))


def _saved() -> Path:
    path = Path(tempfile.gettempdir()) / f"adatom-contract-{os.getpid()}.safetensors"
    untrained().save(path)
    return path


def _members() -> list[xr.Dataset]:
    rng = np.random.default_rng(4)
    place = np.argwhere(np.ones((7, 7))) * 6.0 + 2.0
    return [
        sites_from_positions(
            *(place[:n] + rng.normal(0, 0.1, (n, 2))).T, unit="px", spacing=6.0
        ).assign(score=("site", rng.uniform(0.5, 1, n)))
        for n in (40, 45, 49)
    ]


@cache
def _labeled() -> LabeledImage:
    return simulate_training_image(images=TrainingImages(size=64, empty=0.0, dirty=0.0), seed=2)


def _lattice_image() -> xr.DataArray:
    crystal = simulation.Crystal(lattice="square", spacing="12 px", displacement=0.02)
    return simulation.simulate_lattice(crystal=crystal, size=64, width="2.5 px", seed=5).image


_SETTINGS = {"training": TRAINING, "pictures": PICTURES}

EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.find_agreement": lambda: Example((_members(),)),
    "localization.find_atoms_by_ensemble": lambda: Example(
        (_lattice_image().astype(float), None, [blob_network(), blob_network(sigma=2.4)])
    ),
    "networks.export_network": lambda: Example((untrained(),)),
    "networks.export_networks": lambda: Example(([untrained(), untrained()],)),
    "networks.read_network": lambda: Example((_saved(),)),
    "networks.table_from_training": lambda: Example((untrained(),)),
    "pipelines.compare_finder": lambda: Example(
        (_labeled().image.copy(), _labeled().sites.copy(), untrained())
    ),
    "pipelines.train_ensemble": lambda: Example(
        (untrained(),), {"images": TrainingImages(size=64), "n_members": 2, **_SETTINGS}
    ),
    "pipelines.train_finder": lambda: Example(
        (untrained(),), {"images": TrainingImages(size=64), **_SETTINGS}
    ),
    "pipelines.train_on_labels": lambda: Example(
        (_labeled().image.copy(), _labeled().sites.copy(), untrained()),
        {"simulated": TrainingImages(size=64), **_SETTINGS},
    ),
}
