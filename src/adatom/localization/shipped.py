"""The network that a prediction uses: the shipped one, or the user's own."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from adatom.errors import ReadError
from adatom.localization.running import Runner, runner_of_network
from adatom.numerics.exported_network import ExportedNetwork

SHIPPED: Final = "networks/universal.onnx"
"""Where the shipped network lies within this package."""

SHIPPED_SHA256: Final = "38fe63750519bd9fd17643be575cb37223bf201cf01ff17cf497fc4d6288963a"
"""Of the file; another one is not used. Empty while no network is shipped."""


def chosen_runner(network: ExportedNetwork | None, path: str | None, /) -> Runner:
    """Give the network to use, ready to run.

    Parameters
    ----------
    network : ExportedNetwork, optional
        As another step of a recipe gave it.
    path : str, optional
        Of a file, if there is no `network`; by default the shipped one.

    Raises
    ------
    ReadError
        If a file cannot be used, or none is shipped.
    """
    if network is not None:
        return runner_of_network(network)
    return runner_of_network(_shipped() if path is None else ExportedNetwork.load(path))


def has_shipped_network() -> bool:
    """Tell whether a network comes with this installation."""
    return bool(SHIPPED_SHA256) and files(__package__).joinpath(SHIPPED).is_file()


@cache
def _shipped() -> ExportedNetwork:
    place = files(__package__).joinpath(SHIPPED)
    if not has_shipped_network():
        msg = (
            "no network comes with this installation of adatom: give a file as network=, or "
            'use method="classical"'
        )
        raise ReadError(msg)
    contents = place.read_bytes()
    found = hashlib.sha256(contents).hexdigest()
    if found != SHIPPED_SHA256:
        msg = (
            f"{place} is not the network that this version of adatom was released with "
            f"(SHA-256 {found[:16]}, need {SHIPPED_SHA256[:16]}): install adatom again, or give "
            "the file as network= if you mean to use it"
        )
        raise ReadError(msg)
    return ExportedNetwork.from_bytes(contents)
