"""Pictures of lattices: grains, dislocations, rings and missing sites."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from adatom.plotting import plot_dislocations, plot_grains, plot_rings, plot_sites
from adatom.plotting.lattice import has_dislocations, has_grains, has_rings
from adatom.report.files import file_stem
from adatom.report.picture import Picture
from adatom.schema import SITES

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Lineage, Result


def is_none(sites: xr.Dataset, /) -> bool:
    """Tell whether dislocations or missing sites were sought, and there are none: no picture."""
    return not sites.sizes["site"] and bool({"burgers_vector", "n_connected"} & set(sites))


def lattice_pictures(
    lineage: Lineage, result: Result, ground: xr.DataArray | None, /
) -> list[Picture]:
    """List the pictures of sites that tell of the lattice; none where they do not."""
    name, sites = file_stem(result.name), result.value
    over = ", over the image" if ground is not None else ""
    before = lineage.origin(result.step, SITES)
    if has_rings(sites):
        caption = (
            f"{result.name}: rings of bonds by the number of their members{over}; the most "
            "frequent number is drawn faintly."
        )
        return [Picture(name, caption, partial(plot_rings, sites, ground))]
    if has_dislocations(sites) and sites.sizes["site"]:
        caption = (
            f"{result.name}: dislocations and the directions of their Burgers vectors{over}; "
            "arrows are not to scale."
        )
        atoms = before.value if before is not None else None
        return [Picture(name, caption, partial(plot_dislocations, sites, ground, atoms))]
    if {"n_connected", "lattice_index"} <= set(sites) and sites.sizes["site"]:
        caption = f"{result.name}: places of the lattice that no site fills{over}."
        return [Picture(name, caption, partial(plot_sites, sites.drop_vars("sublattice"), ground))]
    if has_grains(sites) and (before is None or not has_grains(before.value)):
        caption = (
            f"{result.name}: grains{over}, with the lattice vectors i and j of each; arrows are "
            "not to scale."
        )
        return [Picture(name, caption, partial(plot_grains, sites, ground))]
    return []
