"""Small calls of the steps by which one frame teaches a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import xarray as xr
from contract_example import Example

from adatom import networks
from adatom.numerics.exported_network import ExportedNetwork
from adatom.pipelines import train_from_frame
from adatom.schema import image_from_array

TRAINING = networks.Training(n_steps=2, batch_size=2, precision="float32")
SMALL = networks.Architecture("unet", 4, ("missing", "extra"))


def _frame() -> xr.DataArray:
    """Give a square lattice with one atom too dark and one too bright."""
    y, x = np.mgrid[:96, :96] * (2 * np.pi / 8)
    values = np.cos(y) + np.cos(x) + 0.2 * np.random.default_rng(4).normal(size=y.shape)
    values[38:42, 54:58] -= 2.0
    values[62:66, 30:34] += 2.0
    return image_from_array(values, pixel_size="0.02 nm")


def _movie() -> xr.DataArray:
    frame = _frame()
    movie: xr.DataArray = xr.concat([frame, frame + 0.1], dim="frame")
    return movie


@cache
def _taught() -> ExportedNetwork:
    return networks.export_network(
        train_from_frame(_frame(), architecture=SMALL, training=TRAINING)
    )


EXAMPLES: dict[str, Callable[[], Example]] = {
    "networks.choose_periodic_frame": lambda: Example((_movie(),)),
    "networks.labels_from_periodicity": lambda: Example((_frame(),)),
    "simulation.simulate_defect_movie": lambda: Example(
        (), {"n_frames": 2, "size": 48, "field": "1.5 nm"}
    ),
    "pipelines.train_from_frame": lambda: Example(
        (_frame(),), {"architecture": SMALL, "training": TRAINING}
    ),
    "pipelines.find_defects_in_movie": lambda: Example((_movie(), _taught())),
}
