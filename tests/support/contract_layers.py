"""Small calls of the steps that find defects of layers of metal and chalcogen."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from contract_example import Example

from adatom import defects, descriptors
from adatom.schema import Sites, image_from_array, sites_from_positions
from adatom.simulation import DefectiveSheet, Kinetics, simulate_kinetic_movie


@cache
def _places() -> Sites:
    y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    of = (y + x).astype(int) % 2
    height = np.where(of == 0, 1.0, 0.42) + 0.02 * np.sin(np.arange(64.0))
    height[28] = 0.22
    sites["sublattice"] = ("site", of)
    sites["relative_intensity"] = ("site", height)
    sites["relative_intensity_error"] = ("site", np.full(64, 0.02))
    return sites


def _named() -> Sites:
    return defects.assign_column_species(_places(), host="MoS2")


def _departing() -> Example:
    """Give a square lattice with one atom missing, and the picture around each place."""
    y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    frame = np.cos(y) + np.cos(x) + 0.2 * np.random.default_rng(0).normal(size=y.shape)
    frame[46:51, 46:51] -= 1.5
    places = np.mgrid[12:90:12, 12:90:12].reshape(2, -1)
    sites = sites_from_positions(*places, unit="px", spacing=12.0)
    return Example((sites, descriptors.site_patches(image_from_array(frame), sites, size="2 d")))


def _damaged() -> Example:
    sheet = DefectiveSheet(kinetics=Kinetics(n_defects=2))
    made = simulate_kinetic_movie(sheet=sheet, n_frames=2, size=128, field="3.5 nm", seed=1)
    return Example((made.movie.load(),), {"n_columns": 2})


EXAMPLES: dict[str, Callable[[], Example]] = {
    "defects.assign_column_species": lambda: Example(
        (_places().copy(deep=True),), {"host": "MoS2", "chalcogens": ["Se"]}
    ),
    "defects.find_lattice_defects": lambda: Example((_named(),)),
    "defects.find_departures": _departing,
    "pipelines.find_departures_in_movie": _damaged,
    "defects.classes_from_columns": lambda: Example((_named(),)),
    "defects.count_columns": lambda: Example((_named(),)),
}
