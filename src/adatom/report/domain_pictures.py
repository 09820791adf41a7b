"""Pictures of domains, the boundaries between them, and what is measured across these."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from adatom.plotting import (
    plot_boundary_directions,
    plot_boundary_profile,
    plot_class_cells,
    plot_class_displacements,
    plot_domains,
    plot_fractions,
    plot_vector_field,
)
from adatom.plotting.domains import is_boundary, is_region_map
from adatom.plotting.walls import is_directions, is_fractions, is_profile
from adatom.report.files import file_stem
from adatom.report.picture import SMALLER, Picture
from adatom.schema import CLASSES, IMAGE, SITES

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Lineage, Result


def is_region(result: Result, /) -> bool:
    """Tell whether classes are the numbers of regions."""
    return result.kind is CLASSES and is_region_map(result.value)


def is_variant(result: Result, /) -> bool:
    """Tell whether classes are variants, whose step tells the phase of each."""
    members = result.step.results.get("members")
    return (
        result.kind is CLASSES
        and result.name.endswith(".variants")
        and members is not None
        and {"phase", "displacement_y", "displacement_x"} <= set(members)
    )


def region_pictures(
    lineage: Lineage, result: Result, image: xr.DataArray | None, /
) -> list[Picture]:
    """Show numbered regions."""
    sites = _sites_of(lineage, result, result.value)
    caption = f"{result.name}: connected regions, the largest with their numbers."
    draw = partial(plot_domains, result.value, image, sites)
    return [Picture(file_stem(result.name), caption, draw, SMALLER)]


def variant_pictures(
    lineage: Lineage, result: Result, image: xr.DataArray | None, /
) -> list[Picture]:
    """Show domains, those of one phase in shades of its color."""
    members = result.step.results["members"]
    y, x = (np.asarray(members[f"displacement_{axis}"].values) for axis in ("y", "x"))
    # The mean that is left of cells that are all alike has no direction.
    ferroic = ~np.isin(members["phase"].values, _plain_phases(result))
    y, x = y * ferroic, x * ferroic
    classes = result.value.assign_attrs(
        phase=[int(k) for k in members["phase"].values],
        displacement=[[float(a), float(b)] for a, b in zip(y, x, strict=True)],
    )
    sites = _sites_of(lineage, result, classes)
    caption = (
        f"{result.name}: domains; variants of one phase are shades of one color. Directions are "
        "those in which the center of a variant is displaced against its neighbors."
    )
    draw = partial(plot_domains, classes, image, sites)
    return [Picture(f"{file_stem(result.name)}-domains", caption, draw)]


def _plain_phases(result: Result) -> list[int]:
    """List phases without variants."""
    statement = result.step.results.get("statement")
    if statement is None:
        return []
    plain = statement["verdict"].values.astype(str) == "non-ferroic"
    return [int(k) for k in statement["phase"].values[plain]]


def neighbor_pictures(
    sites: xr.Dataset, classes: xr.Dataset, name: str, image: xr.DataArray | None, /
) -> list[Picture]:
    """Show what tells classes of neighbors apart: mean displacements, and mean images."""
    caption = (
        f"{name}: how the neighbors of each class are displaced from the mean of all (circles), "
        "exaggerated."
    )
    draw = partial(plot_class_displacements, sites, classes)
    pictures = [Picture(f"{file_stem(name)}-displacements", caption, draw, SMALLER)]
    if image is not None and IMAGE.fits(image):
        caption = f"{name}: the mean image around the sites of each class, and their neighbors."
        draw = partial(plot_class_cells, image, sites, classes)
        pictures.append(Picture(f"{file_stem(name)}-cells", caption, draw, SMALLER))
    return pictures


def boundary_pictures(
    lineage: Lineage, result: Result, image: xr.DataArray | None, /
) -> list[Picture]:
    """Show boundaries over the domains that they part, if these vertices are such."""
    if not is_boundary(result.value):
        return []
    classes = lineage.origin(result.step, CLASSES)
    caption = f"{result.name}: boundaries between classes, over the classes."
    if classes is None:
        return []
    sites = _sites_of(lineage, result, classes.value)
    draw = partial(plot_domains, classes.value, image, sites, result.value)
    return [Picture(file_stem(result.name), caption, draw)]


def wall_pictures(_: Lineage, result: Result, /) -> list[Picture]:
    """Show tables of boundaries: profiles, directions, fractions."""
    name, table = file_stem(result.name), result.value
    if is_profile(table):
        caption = (
            f"{result.name}: mean along the boundary, against the distance from it; positive on "
            "the side of the class with the higher number."
        )
        draw = partial(plot_boundary_profile, table, result.step.results.get("wall"))
        return [Picture(name, caption, draw, SMALLER)]
    if is_directions(table) and not table["length"].values.any():
        # No boundaries, no directions.
        return []
    if is_directions(table):
        caption = f"{result.name}: length of boundary by direction, from +x towards +y (y down)."
        return [Picture(name, caption, partial(plot_boundary_directions, table), SMALLER)]
    if is_fractions(table):
        caption = f"{result.name}: fraction of each class; bars are the intervals."
        return [Picture(name, caption, partial(plot_fractions, table), SMALLER)]
    return []


def vector_pictures(result: Result, image: xr.DataArray | None, /) -> list[Picture]:
    """Show each vector that sites carry, such as a polarization, as a field of arrows."""
    sites = result.value
    names = [
        str(name)
        for name, one in sites.data_vars.items()
        if one.dims == ("site", "axis") and not str(name).endswith("_error")
    ]
    return [
        Picture(
            f"{file_stem(result.name)}-{file_stem(name)}",
            f"{result.name}: {name.replace('_', ' ')} of every site, exaggerated as told below.",
            partial(plot_vector_field, sites, image, quantity=name),
        )
        for name in names
    ]


def _sites_of(lineage: Lineage, result: Result, classes: xr.Dataset) -> xr.Dataset | None:
    """Find the sites that classes are of; none for maps."""
    if classes["label"].dims != ("site",):
        return None
    for one in lineage.origins(result.step):
        if one.kind is SITES and one.value.sizes["site"] == classes["label"].size:
            return one.value  # type: ignore[no-any-return]
    return None
