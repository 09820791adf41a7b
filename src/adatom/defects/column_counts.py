"""How many columns of each sort a layer holds, and how much of it that makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2

from adatom.defects.layers import columns_of_layer, layer_of_name
from adatom.errors import KindError
from adatom.numerics.intervals import wilson_interval
from adatom.schema import SITES, Sites, Table, add_note, space_unit, table_from_columns

if TYPE_CHECKING:
    from adatom.defects.layers import Column, Layer

_TWO_SIDED: Final = 1.96
# Of the host's columns: fewer than this left are what a complete conversion leaves over.
_LEFT_OVER: Final = 0.1


def count_columns(sites: Sites, /) -> Table:
    """Count what stands at the places of a layer, with shares, densities and 95 % intervals.

    Parameters
    ----------
    sites : Sites
        From `assign_column_species`.

    Returns
    -------
    Table
        A row for every sort of column of each sublattice: ``sublattice`` (its
        element in the host), ``column``, ``defect_name``, ``count`` of the
        most probable; ``share`` of the places of the sublattice with
        ``share_low`` and ``share_high`` (Wilson); ``density`` per squared
        unit of length with ``density_low`` and ``density_high`` (Poisson [1]_).
        ``attrs["statement"]`` says in words what the layer is made of.

    Raises
    ------
    KindError
        If the sites do not say what stands at each.

    References
    ----------
    .. [1] F. Garwood, Biometrika 28, 437 (1936).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.defects import assign_column_species
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    >>> sites = sites_from_positions(y, x, unit="nm")
    >>> of = np.arange(64) % 2
    >>> sites["sublattice"] = ("site", of)
    >>> height = np.where(of == 0, 1.0, 0.42) + 0.02 * np.sin(np.arange(64.0))
    >>> sites["relative_intensity"] = ("site", height)
    >>> sites["relative_intensity_error"] = ("site", np.full(64, 0.02))
    >>> count_columns(assign_column_species(sites, host="MoS2")).attrs["statement"]
    'places of Mo: Mo 100.0 % (89.3 to 100.0); places of S2: S2 100.0 % (89.3 to 100.0)'
    """
    SITES.check(sites)
    if "column" not in sites or "host" not in sites.attrs:
        msg = "the sites do not say what stands at each: take those of assign_column_species"
        raise KindError(msg)
    layer = layer_of_name(str(sites.attrs["host"]))
    kinds = columns_of_layer(layer, sites.attrs["metals"], sites.attrs["chalcogens"])
    is_metal = sites["sublattice"].values == int(sites.attrs["metal_sublattice"])
    label = sites["column"].values.astype(str)
    area = _area_of_place(sites)
    rows: list[tuple[object, ...]] = []
    said = []
    for columns, here in zip(kinds, (is_metal, ~is_metal)):
        measured = int((here & (label != "")).sum())
        counts = [int((here & (label == one.label)).sum()) for one in columns]
        shares = [_share(count, measured) for count in counts]
        element = columns[0].label
        for one, count, (share, low, high) in zip(columns, counts, shares):
            rows.append((
                element, one.label, one.name, count, share, low, high,
                *_density(count, measured * area),
            ))  # fmt: skip
        said.append(_said(element, columns, counts, shares))
    table = _table(rows, space_unit(sites))
    statement = "; ".join([*said, *_conversion(layer, kinds[1], table)])
    table.attrs["statement"] = statement
    add_note(table, statement)
    return table


def _share(count: int, number: int) -> tuple[float, float, float]:
    if not number:
        return (float("nan"),) * 3
    low, high = wilson_interval(count / number, number, deviations=_TWO_SIDED)
    return count / number, float(low), float(high)


def _area_of_place(sites: Sites) -> float:
    vectors = sites.attrs.get("cell_vectors")
    if vectors is None:
        return float("nan")
    return abs(float(np.linalg.det(np.array(vectors, dtype=float))))


def _density(count: int, area: float) -> tuple[float, float, float]:
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return count / area, float(low) / area, float(chi2.ppf(0.975, 2 * count + 2)) / 2 / area


def _said(
    element: str, columns: list[Column], counts: list[int], shares: list[tuple[float, float, float]]
) -> str:
    told = [
        f"{one.label} {100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        for one, count, (share, low, high) in zip(columns, counts, shares)
        if count
    ]
    return f"places of {element}: {', '.join(told) or 'none measured'}"


def _conversion(layer: Layer, columns: list[Column], table: Table) -> list[str]:
    """Say how much of the host's chalcogen has been replaced, where others were told of."""
    own = table["sublattice"].values == columns[0].label
    count = table["count"].values[own].astype(float)
    other = [[a for a in one.atoms if a not in {layer.chalcogen, layer.metal}] for one in columns]
    if not any(other):
        return []
    replaced = float((count * [len(atoms) for atoms in other]).sum())
    kept = float((count * [one.atoms.count(layer.chalcogen) for one in columns]).sum())
    if not replaced + kept:
        return []
    low, high = wilson_interval(
        replaced / (replaced + kept), replaced + kept, deviations=_TWO_SIDED
    )
    names = sorted({atom for atoms in other for atom in atoms})
    share, left = 100 * replaced / (replaced + kept), float(table["share_high"].values[own][0])
    how = "fully" if left < _LEFT_OVER else "partially"
    if not replaced:
        how = "not"
    told = (
        f"{' and '.join(names)} make {share:.1f} % ({100 * low:.1f} to {100 * high:.1f}) of the "
        f"chalcogen: {how} converted, {100 * table['share'].values[own][0]:.1f} % of the columns "
        f"are those of {layer.name} still"
    )
    return [told]


def _table(rows: list[tuple[object, ...]], unit: str) -> Table:
    names = (
        "sublattice", "column", "defect_name", "count", "share", "share_low", "share_high",
        "density", "density_low", "density_high",
    )  # fmt: skip
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows))}
    units = {name: f"1/{unit}^2" for name in names if name.startswith("density")}
    units |= {name: "1" for name in names if name.startswith("share")}
    return table_from_columns(columns, units=units)
