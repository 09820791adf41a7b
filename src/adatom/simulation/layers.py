"""Two sheets over one another, and what one sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.numerics.groups import sums_by_group
from adatom.schema import SITES, Sites, add_note, positions, space_unit
from adatom.simulation.cells import brightness_of_elements
from adatom.simulation.columns import column_counts, joined_sites, set_columns, spacing_of
from adatom.simulation.gathering import grouped, middles_of_groups
from adatom.simulation.lattices import Crystal, build_lattice
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


def build_bilayer(
    *,
    lower: Crystal = Crystal("honeycomb", rotation=7.0),  # noqa: B008 -- frozen
    upper: Crystal = Crystal("honeycomb", rotation=12.0),  # noqa: B008 -- frozen
    field: tuple[float, float] = (256.0, 256.0),
    unit: str = "px",
    margin: float = 0.0,
    seed: int = 0,
) -> Sites:
    """Lay one sheet over another: a moire where they are turned or unlike.

    Parameters
    ----------
    lower, upper : Crystal
        The sheets. Their rotations differ by the twist, their spacings by the
        mismatch; by default both are alike but for a twist of 5 deg.
    field : tuple of two floats
        Height and width of the field in `unit`; its first corner is the origin.
    unit : {"nm", "mm", "px"}
        Unit of the positions.
    margin : float
        Sites are laid out as far as this beyond the field, in `unit`.
    seed : int
        Of where each sheet lies, and of its disorder.

    Returns
    -------
    Sites
        Atoms or columns of both, with ``layer`` 0 for the lower, 1 for the upper.
        Where two lie over one another both are listed: `columns_from_sites` makes
        one of them. The spacing is that of the closer sheet.

    Raises
    ------
    SettingError
        If the unit is not known.

    Examples
    --------
    >>> sites = build_bilayer(field=(100.0, 100.0))
    >>> sorted(set(sites["layer"].values.tolist()))
    [0, 1]
    """
    seeds = np.random.SeedSequence(seed).generate_state(2).tolist()
    sheets = []
    for layer, (crystal, own) in enumerate(zip((lower, upper), seeds, strict=True)):
        sheet = build_lattice(crystal=crystal, field=field, unit=unit, margin=margin, seed=own)
        sheet["layer"] = ("site", np.full(sheet.sizes["site"], layer))
        if "sublattice" not in sheet:
            sheet["sublattice"] = ("site", np.zeros(sheet.sizes["site"], dtype=np.int64))
        sheets.append(sheet)
    both = joined_sites(sheets)
    spacings = [float(sheet.attrs["spacing"]) for sheet in sheets]
    both.attrs = dict(sheets[int(np.argmin(spacings))].attrs)
    return both


def columns_from_sites(sites: Sites, /, *, tolerance: Length = "0.25 d") -> Sites:
    """Make one column of what lies over one another, as a microscope does.

    Parameters
    ----------
    sites : Sites
        With ``species``, such as `build_bilayer` gives.
    tolerance : length
        Radius of a column: two Gaussians whose centers are nearer
        than about a quarter of the spacing have one maximum.

    Returns
    -------
    Sites
        At the mean of what was joined, weighted by brightness. Other variables
        are those of the brightest part; ``class`` names all parts, such as "C + C";
        ``spread`` is how far parts stray from the mean, standard deviation per axis.

    Raises
    ------
    KindError
        If the sites have no species.

    Examples
    --------
    >>> sites = build_bilayer()
    >>> columns_from_sites(sites).sizes["site"] < sites.sizes["site"]
    True
    """
    SITES.check(sites)
    elements, counts = column_counts(sites)
    places = positions(sites)
    if not len(places):
        return sites.copy()
    spacing = spacing_of(sites) if len(places) > 1 else None
    unit = space_unit(sites)
    reach = length_from_setting(tolerance, unit=unit, spacing=spacing, name="tolerance")
    group = grouped(places, None, reach)
    weight = counts @ brightness_of_elements(elements)
    mean, variance = middles_of_groups(places, group, weight)
    # The first of each group when sorted by brightness is its brightest part.
    order = np.lexsort((-weight, group))
    brightest = order[np.unique(group[order], return_index=True)[1]]
    columns = sites.isel(site=brightest).assign_coords(
        y=("site", mean[:, 0], {"units": unit}), x=("site", mean[:, 1], {"units": unit})
    )
    columns.attrs = dict(sites.attrs)
    if "class" in sites:
        columns["class"] = ("site", _joined_names(sites["class"].values, group, order))
    if "spread" in sites:
        own = weight * sites["spread"].values ** 2
        total = sums_by_group(weight, group, n_groups=len(mean))
        variance = variance + sums_by_group(own, group, n_groups=len(mean)) / total
    columns["spread"] = ("site", np.sqrt(variance), {"units": unit})
    set_columns(columns, elements, sums_by_group(counts, group, n_groups=len(mean)))
    add_note(columns, f"{len(places)} sites seen as {len(columns.site)} columns")
    return columns


def _joined_names(
    names: NDArray[np.str_], group: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.str_]:
    """Name each group by its parts, the brightest first: `order` sorts by group and brightness."""
    ends = np.cumsum(np.bincount(group))
    first = ends - np.bincount(group)
    joined = names[order[first]].astype(object)
    for number in np.flatnonzero(ends - first > 1).tolist():
        joined[number] = " + ".join(names[order[first[number] : ends[number]]].tolist())
    return np.asarray(joined, dtype=str)
