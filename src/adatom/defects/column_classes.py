"""What stands at places of a layer, as classes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from adatom.errors import KindError
from adatom.schema import CLASSES, SITES, Classes, Sites


def classes_from_columns(sites: Sites, /) -> Classes:
    """Make classes of what stands at every place, the most frequent first.

    Parameters
    ----------
    sites : Sites
        From `assign_column_species`.

    Returns
    -------
    Classes
        ``label`` (site), -1 where nothing was measured;
        ``attrs["class_names"]`` are the columns: "Mo", "S2", "S" ...

    Raises
    ------
    KindError
        If the sites do not say what stands at each.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], unit="nm")
    >>> sites["column"] = ("site", ["S2", "S2", "S"])
    >>> classes_from_columns(sites)["label"].values
    array([0, 0, 1])
    """
    SITES.check(sites)
    if "column" not in sites:
        msg = "the sites do not say what stands at each: take those of assign_column_species"
        raise KindError(msg)
    column = sites["column"].values.astype(str)
    names, number, counts = np.unique(column, return_inverse=True, return_counts=True)
    order = [k for k in np.argsort(-counts, kind="stable").tolist() if names[k]]
    label = np.full(len(names), -1, dtype=np.int64)
    label[order] = np.arange(len(order))
    classes = xr.Dataset({"label": ("site", label[number])}, coords=sites.coords)
    classes.attrs["class_names"] = [str(names[k]) for k in order]
    CLASSES.check(classes)
    return classes
