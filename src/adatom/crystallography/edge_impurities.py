"""Impurities on the edges of a sheet, each with a frame of its own along the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.crystallography._edge_lines import Beside, beside_lines
from adatom.errors import KindError, SettingError
from adatom.schema import SITES, Sites, add_note, positions, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Species of atoms whose brightness fits no element that was told, and of unmeasured ones.
_UNTOLD: Final = ("?", "")


def find_edge_impurities(
    sites: Sites,
    lines: Sites,
    /,
    *,
    impurities: list[str] | None = None,
    max_distance: Length = "2.5 d",
) -> Sites:
    """Find the impurities on or near the edges of a sheet.

    Parameters
    ----------
    sites : Sites
        Atoms with ``species``, as `defects.assign_species` gives them.
    lines : Sites
        The edges, as `find_edges` gives them for these sites.
    impurities : list of str, optional
        Elements that count; by default all but the most frequent one, and but those that are
        not known ("?").
    max_distance : length
        From the edge, on either side. The default takes the atoms of the first two rows.

    Returns
    -------
    Sites
        The impurities alone, with all that was known of them, and ``edge``, the number of their
        edge; ``edge_position``, along it from its beginning; ``edge_distance`` from it,
        positive towards the vacuum; the unit vectors ``edge_tangent`` and ``edge_normal``
        (site, axis), the second towards the vacuum; and ``site_number`` of each among `sites`.

    Raises
    ------
    KindError
        If the sites have no species, or the lines are none of edges.
    SettingError
        If an element named is that of the sheet, or `max_distance` is not positive.

    Examples
    --------
    >>> from adatom.crystallography import find_edges
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:10.0, :12.0])
    >>> sheet = sites_from_positions(y, x, unit="nm", spacing=1.0, extent=[0, 20, 0, 11])
    >>> sheet["species"] = ("site", np.where((y == 9) & (x == 5), "Si", "C"))
    >>> found = find_edge_impurities(sheet, find_edges(sheet).lines)
    >>> found["edge_normal"].values.round(6) + 0.0
    array([[1., 0.]])
    """
    SITES.check(sites, name="sites")
    SITES.check(lines, name="lines")
    if not {"edge", "along", "normal"} <= set(lines.variables):
        msg = (
            "the lines have no edge, along and normal: give the lines of crystallography.find_edges"
        )
        raise KindError(msg)
    if space_unit(lines) != space_unit(sites):
        msg = f"the lines are in {space_unit(lines)}, the sites in {space_unit(sites)}"
        raise KindError(msg)
    spacing = lines.attrs["spacing"]
    limit = length_from_setting(
        max_distance, unit=space_unit(sites), spacing=spacing, name="max_distance"
    )
    if not limit > 0:
        msg = f"{max_distance=} must be positive"
        raise SettingError(msg)
    foreign = np.flatnonzero(_foreign(sites, impurities))
    number, beside, place = _beside(sites, lines, foreign, spacing)
    near = np.abs(beside.distance) <= limit
    out = sites.isel(site=number[near])
    unit = {"units": space_unit(sites)}
    out.coords["axis"] = ("axis", np.array(["y", "x"]))
    out["edge"] = ("site", lines["edge"].values[beside.point[near]])
    out["edge_position"] = ("site", place[near], unit)
    out["edge_distance"] = ("site", beside.distance[near], unit)
    out["edge_tangent"] = (("site", "axis"), beside.tangent[near], {"units": "1"})
    out["edge_normal"] = (("site", "axis"), beside.normal[near], {"units": "1"})
    out["site_number"] = ("site", number[near])
    add_note(
        out,
        f"{int(near.sum())} of {len(foreign)} impurities are within {limit:.3g} "
        f"{space_unit(sites)} of an edge.",
    )
    return out


def _foreign(sites: Sites, impurities: list[str] | None) -> NDArray[np.bool_]:
    if "species" not in sites or sites["species"].dims != ("site",):
        msg = "the sites have no species: run defects.assign_species, or set it"
        raise KindError(msg)
    species = sites["species"].values.astype(str)
    known = species[~np.isin(species, _UNTOLD)]
    names, counts = np.unique(known, return_counts=True)
    host = str(names[np.argmax(counts)]) if len(names) else ""
    if impurities is None:
        return np.asarray((species != host) & ~np.isin(species, _UNTOLD))
    if host in impurities:
        msg = f"{impurities=}: {host} is what the sheet is made of, name what is foreign in it"
        raise SettingError(msg)
    return np.isin(species, impurities)


def _beside(
    sites: Sites, lines: Sites, foreign: NDArray[np.int64], spacing: float
) -> tuple[NDArray[np.int64], Beside, NDArray[np.float64]]:
    """Find where impurities lie beside the lines of their frame, if it has any."""
    if ("frame" in sites.coords) != ("frame" in lines.coords):
        msg = "only one of sites and lines has a coordinate 'frame': take both from one find_edges"
        raise KindError(msg)
    with_frames = "frame" in sites.coords
    points, normal, along = positions(lines), lines["normal"].values, lines["along"].values
    places = positions(sites)
    line_frame = lines["frame"].values if with_frames else np.zeros(len(points), dtype=int)
    frame = sites["frame"].values[foreign] if with_frames else np.zeros(len(foreign), dtype=int)
    numbers, parts = [np.zeros(0, dtype=np.int64)], []
    for one in np.unique(frame).tolist():
        mine, here = foreign[frame == one], np.flatnonzero(line_frame == one)
        mine = mine[np.isfinite(places[mine]).all(axis=1)]
        if len(mine) and len(here):
            beside = beside_lines(places[mine], points[here], normal[here], step=spacing)
            parts.append(beside._replace(point=here[beside.point]))
            numbers.append(mine)
    number = np.concatenate(numbers)
    nothing = Beside(
        np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2))
    )
    parts = [nothing, *parts]
    order = np.argsort(number, kind="stable")
    found = Beside(
        np.concatenate([part.point for part in parts])[order],
        np.concatenate([part.ahead for part in parts])[order],
        np.concatenate([part.distance for part in parts])[order],
        np.concatenate([part.tangent for part in parts])[order],
        np.concatenate([part.normal for part in parts])[order],
    )
    return number[order], found, along[found.point] + found.ahead
