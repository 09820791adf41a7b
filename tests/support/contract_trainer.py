"""Small calls of the steps that train networks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from contract_example import Example

from adatom import networks
from adatom.simulation import TrainingImages

TRAINING = networks.Training(n_steps=2, batch_size=2, precision="float32")
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


EXAMPLES: dict[str, Callable[[], Example]] = {
    "networks.export_network": lambda: Example((untrained(),)),
    "networks.read_network": lambda: Example((_saved(),)),
    "networks.table_from_training": lambda: Example((untrained(),)),
    "pipelines.train_finder": lambda: Example(
        (untrained(),),
        {"images": TrainingImages(size=64), "training": TRAINING, "pictures": PICTURES},
    ),
}
