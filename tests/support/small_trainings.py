"""Trainings that take a second: square lattices in noise, learned by a narrow network."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adatom.networks import Architecture, TrainedNetwork, Trainer, Training
from adatom.networks.pictures import LabeledPicture, batch_from_pictures
from adatom.networks.training import Predict
from adatom.numerics.heatmaps import Batch
from adatom.numerics.long_work import lend_long_work

SPACING = 8.0
SIZE = 32


def lattice_picture(number: int, *, size: int = SIZE, noise: float = 0.3) -> LabeledPicture:
    """Give a picture of a square lattice at a place of chance, normalized."""
    rng = np.random.default_rng((3, number))
    shift = rng.uniform(0, SPACING, 2)
    position = np.argwhere(np.ones((size // 8 + 2,) * 2)) * SPACING - SPACING + shift
    place = np.arange(size)
    rows, columns = (np.exp(-0.125 * (place[:, None] - position[:, axis]) ** 2) for axis in (0, 1))
    values = rows @ columns.T / np.sqrt(2) + rng.normal(0, noise, (size, size))
    picture = ((values - values.mean()) / values.std()).astype(np.float32)
    everywhere = np.ones((size, size), dtype=bool)
    inside = ((position > -2) & (position < size + 1)).all(axis=1)
    return LabeledPicture(
        picture, position[inside], np.zeros(inside.sum(), np.int64),
        np.ones(inside.sum(), dtype=bool), everywhere, everywhere, SPACING, 1 / noise,
    )  # fmt: skip


def batch(number: int) -> Batch:
    """Make batch k from k alone."""
    return batch_from_pictures([lattice_picture(4 * number + k) for k in range(4)])


def share_of_right_cells(predict: Predict) -> Mapping[str, float]:
    """Score a network by the cells that it judges rightly."""
    judged = batch(10**6)
    return {"score": float(((predict(judged.picture)[:, 0] > 0) == (judged.center > 0)).mean())}


def trainer(seed: int = 1, **changes: object) -> Trainer:
    """Give a trainer of 30 steps."""
    settings = {
        "n_steps": 30, "batch_size": 4, "n_steps_per_score": 10, "precision": "float32",
        "n_threads": 1, **changes,
    }  # fmt: skip
    return Trainer(Architecture(width=4), Training(**settings), seed)  # type: ignore[arg-type]


def same_tensors(one: TrainedNetwork, other: TrainedNetwork) -> bool:
    """Tell whether two networks are bit for bit the same."""
    return one.tensors.keys() == other.tensors.keys() and all(
        values.tobytes() == other.tensors[name].tobytes() for name, values in one.tensors.items()
    )


def maps_of(network: TrainedNetwork, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the maps of pictures."""
    from adatom.networks.predicting import predictor_of_network

    return predictor_of_network(network)(pictures)


def _train_slowly(folder: str) -> None:
    """Train in a process that is killed from outside, and say after each step how far it is."""

    def tell(done: int, *_: object) -> None:
        print(done, flush=True)  # noqa: T201 -- to the parent

    with lend_long_work(Path(folder), listener=tell):
        trainer().train(batch, share_of_right_cells)


if __name__ == "__main__":
    _train_slowly(sys.argv[1])
