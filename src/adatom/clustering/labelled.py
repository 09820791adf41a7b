"""Classes from labels that a method gave without a model of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.clustering.assigning import class_means
from adatom.clustering.models import size_order
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import map_to
from adatom.numerics.groups import counts_by_group
from adatom.schema import Classes, Features, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray


_KEPT_ATTRS: Final = ("spacing", "extent")


def bare_classes(features: xr.DataArray, label: NDArray[Any], n_classes: int, /) -> Classes:
    """Give labels (row,) the places of the rows that they belong to, with the count of each."""
    places = features.dims[:-1]
    classes = xr.Dataset(
        {"label": (places, label.reshape(features.shape[:-1]).astype(np.int32))},
        coords={
            name: coord for name, coord in features.coords.items() if set(coord.dims) <= set(places)
        },
        attrs={key: features.attrs[key] for key in _KEPT_ATTRS if key in features.attrs},
    ).assign_coords({"class": np.arange(n_classes)})
    classes["count"] = ("class", counts_by_group(label, n_groups=n_classes))
    classes.attrs["n_classes"] = n_classes
    return classes


def classes_from_labels(
    features: xr.DataArray, label: NDArray[Any], /, *, n_classes: int
) -> tuple[Classes, Features]:
    """Make classes, the largest first, and their means from labels of any order.

    Parameters
    ----------
    features : Features
        What was clustered.
    label : array of int, shape (row,)
        -1 where a row has no class.
    n_classes : int
        Each with one row or more.

    Returns
    -------
    classes : Classes
        With ``distance`` to the mean of the class and ``margin`` (0 where
        another mean is as near or nearer), as of `assign_classes`.
    means : Features
        (class, feature).
    """
    means = class_means(features, bare_classes(features, label, n_classes))
    order = size_order(means.coords["count"].values, means.values.astype(np.float64))
    rank = np.empty(n_classes + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(n_classes), -1
    label = rank[label]
    means = means.isel({"class": order}).assign_coords({"class": np.arange(n_classes)})
    classes = bare_classes(features, label, n_classes)
    distance, margin = _how_typical(features, label, means.values)
    places = features.dims[:-1]
    classes["distance"] = (places, distance.reshape(features.shape[:-1]))
    classes["margin"] = (places, margin.reshape(features.shape[:-1]))
    n_missing = int(np.isnan(distance).sum() - np.count_nonzero(label < 0))
    if n_missing:
        add_note(classes, f"{n_missing} rows lack features: they have no distance and no margin")
    return classes, means


def _how_typical(
    features: xr.DataArray, label: NDArray[Any], means: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the distance of every row to its mean, and its margin to the next."""
    cut = blocks(features)
    both = np.full((cut.n_rows, 2), np.nan, dtype=np.float32)
    if not len(means):
        return both[:, 0], both[:, 1]

    def work(rows: NDArray[Any], own: NDArray[Any]) -> list[NDArray[np.float32]]:
        result = np.full((len(own), 2), np.nan, dtype=np.float32)
        here = own >= 0
        rows, own = rows[here], own[here]
        distances = np.stack([np.sqrt(((rows - mean) ** 2).sum(axis=1)) for mean in means])
        index = (own, np.arange(len(own)))
        near = distances[index]
        distances[index] = np.inf
        other = distances.min(axis=0)
        ratio = np.divide(near, other, out=np.zeros_like(near), where=other > 0)
        margin = np.where(other > 0, np.clip(1 - ratio, 0, 1), 0)
        result[here] = np.stack([near, margin], axis=1)
        return [result]

    map_to(cut, work, [both], beside=(label,))
    return both[:, 0], both[:, 1]
