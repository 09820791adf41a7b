"""Small calls of the steps that register frames and follow what is in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.schema import image_from_array, sites_from_positions


def _movie() -> xr.DataArray:
    rng = np.random.default_rng(2)
    scene = np.zeros((72, 72))
    scene[rng.integers(0, 72, 25), rng.integers(0, 72, 25)] = 400.0
    for _ in range(6):
        scene = (scene + np.roll(scene, 1, 0) + np.roll(scene, 1, 1) + np.roll(scene, (1, 1))) / 4
    cuts = [
        image_from_array(scene[4 - k : 60 - k, 2 + k : 58 + k] + rng.normal(0, 1, (56, 56)),
                         pixel_size="0.02 nm")
        for k in range(4)
    ]  # fmt: skip
    return xr.concat(cuts, dim="frame").assign_coords(frame=np.arange(4))


def _tracks() -> xr.Dataset:
    sites = sites_from_positions(
        [0.5, 0.52, 0.2], [0.4, 0.41, 0.9], unit="nm", frame=[0, 1, 1], extent=[0, 1, 0, 1]
    )
    sites["track"] = ("site", [0, 0, 1])
    return sites


EXAMPLES: dict[str, Callable[[], Example]] = {
    "correction.register_frames": lambda: Example((_movie(),)),
    "correction.mean_from_frames": lambda: Example((_movie(),)),
    "correction.estimate_dose": lambda: Example(
        (_movie(),), {"current": "20 pA", "frame_time": "0.5 s"}
    ),
    "localization.find_blobs": lambda: Example((_movie(),), {"width": "0.1 nm"}),
    "tracking.count_sightings": lambda: Example((_tracks(), _movie())),
}
