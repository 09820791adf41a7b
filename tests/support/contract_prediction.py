"""Small calls of the steps that run a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import xarray as xr
from contract_example import Example
from tiny_networks import blob_network

from adatom import simulation
from adatom.numerics.exported_network import ExportedNetwork


@cache
def _network() -> ExportedNetwork:
    return blob_network()


@cache
def _simulated() -> xr.DataArray:
    crystal = simulation.Crystal(lattice="square", spacing="12 px", displacement=0.02)
    return simulation.simulate_lattice(
        crystal=crystal, size=96, width="2.5 px", snr=12.0, pixel_size="0.02 nm", seed=5
    ).image


def _image() -> xr.DataArray:
    return _simulated().astype(float)


def _movie() -> xr.DataArray:
    # The middle frame shows nothing.
    return xr.concat([_image(), 0 * _image(), 1 + _image()], dim="frame").rename("intensity")


EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.find_lattice_regions": lambda: Example(
        (_image(), _network()), {"method": "network"}
    ),
    "localization.find_atoms_in_movie": lambda: Example(
        (_movie(), None, _network()), {"method": "network"}
    ),
}
