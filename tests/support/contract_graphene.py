"""Small calls of the steps that find and compare the defects of a sheet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.defects import assign_species, find_defects
from adatom.simulation import Flake, build_graphene, simulate_graphene

_FLAKE = Flake(threefold=0.01, fourfold=0.0, vacancies=0.0, divacancies=0.0)


def _named() -> xr.Dataset:
    sites = build_graphene(flake=_FLAKE, field=(3.0, 3.0)).atoms
    bright = np.where(sites["species"].values == "Si", 4.0, 1.0)
    sites["amplitude"] = ("site", bright)
    return assign_species(sites)


def _image() -> xr.DataArray:
    return simulate_graphene(size=96, field="1.5 nm", flake=_FLAKE).image


EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.find_sheet_atoms": lambda: Example((_image(),)),
    "defects.assign_species": lambda: Example((_named(),)),
    "defects.find_defects": lambda: Example((_named(),)),
    "defects.compare_defects": lambda: Example(
        (find_defects(_named()).members, find_defects(_named()).members)
    ),
    "defects.compare_names": lambda: Example(
        (find_defects(_named()).defects, find_defects(_named()).defects)
    ),
}
