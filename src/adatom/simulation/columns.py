"""What the columns of sites hold: numbers of atoms of each element, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.spatial import KDTree

from adatom.errors import KindError, TooFewSitesError
from adatom.schema import Sites, positions
from adatom.simulation.cells import brightness_of_elements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_TOLERANCE = 1e-9


def column_counts(sites: Sites, /) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Elements, and how many atoms (site, element) of each every column holds.

    Read from ``composition`` and ``occupancy``, or from ``species`` where a column
    holds one element only; a column without ``occupancy`` is one atom.
    """
    if "species" not in sites:
        msg = "sites carry no 'species', the elements of their columns: add it along 'site'"
        raise KindError(msg)
    occupancy = sites["occupancy"].values if "occupancy" in sites else 1.0
    if "composition" in sites:
        elements = tuple(sites.coords["element"].values.astype(str).tolist())
        shares = sites["composition"].transpose("site", "element").values
    else:
        names, number = np.unique(sites["species"].values.astype(str), return_inverse=True)
        elements = tuple(names.tolist())
        shares = np.eye(len(elements))[number]
    return elements, shares * np.reshape(occupancy, (-1, 1))


def set_columns(sites: Sites, elements: Sequence[str], counts: NDArray[np.float64], /) -> None:
    """Write, in place, what columns hold: ``species``, ``occupancy`` and ``composition``.

    Occupancy is left out where every column is one atom, composition where none is mixed.
    """
    used = [number for number, column in enumerate(counts.T) if (column > 0).any()]
    elements, counts = [elements[number] for number in used], counts[:, used]
    scattered = counts * brightness_of_elements(elements)
    brightest = scattered.argmax(axis=1) if elements else np.zeros(len(counts), dtype=np.int64)
    names = np.asarray([*elements, ""])[np.where(scattered.any(axis=1), brightest, -1)]
    sites["species"] = ("site", names)
    total = counts.sum(axis=1)
    for name in ("occupancy", "composition", "element"):
        if name in sites.variables:
            del sites[name]
    if (abs(total - 1) > _TOLERANCE).any():
        sites["occupancy"] = ("site", total, {"units": "1"})
    if ((counts > 0).sum(axis=1) > 1).any():
        shares = counts / np.where(total > 0, total, 1.0)[:, None]
        sites["composition"] = (("site", "element"), shares, {"units": "1"})
        sites.coords["element"] = ("element", np.asarray(elements))


def joined_sites(parts: Sequence[Sites], /) -> Sites:
    """Put sites one after the other; columns keep what they hold, whatever elements each has."""
    known = [column_counts(part) for part in parts]
    elements = tuple(dict.fromkeys(element for names, _ in known for element in names))
    counts = np.zeros((sum(len(some) for _, some in known), len(elements)))
    first = 0
    for names, some in known:
        columns = [elements.index(name) for name in names]
        counts[first : first + len(some), columns] = some
        first += len(some)
    plain = [
        part.drop_vars([n for n in ("occupancy", "composition", "element") if n in part.variables])
        for part in parts
    ]
    joined = xr.concat(plain, dim="site", data_vars="all", combine_attrs="override")
    set_columns(joined, elements, counts)
    return joined


def spacing_of(sites: Sites, /) -> float:
    """Give the nearest-neighbor distance: as the sites tell it, or else the median one."""
    if "spacing" in sites.attrs:
        return float(sites.attrs["spacing"])
    places = positions(sites)
    if len(places) < 2:
        msg = f"{len(places)} sites have no spacing: give lengths in nm or px"
        raise TooFewSitesError(msg)
    return float(np.median(KDTree(places).query(places, k=2)[0][:, 1]))
