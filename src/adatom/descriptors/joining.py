"""Features of many files as rows of one."""

from __future__ import annotations

import numpy as np
import xarray as xr

from adatom.errors import KindError, TooFewSitesError
from adatom.schema import FEATURES, Features, add_note


def features_from_files(features: list[Features], /) -> Features:
    """Join what was measured of many files, row under row.

    So that files are sorted together: patches that were cut by others, one a
    file, or windows of several images, whose classes then mean the same.

    Parameters
    ----------
    features : list of Features
        One of each file, in the order of the files, all of the same columns. They
        are loaded.

    Returns
    -------
    Features
        Dims (site, feature), ``file`` (site) the number of the file, from 0 on;
        ``y``, ``x`` (site) where a file has more rows than one and knows their places.
        Attributes are those that all files have alike.

    Raises
    ------
    TooFewSitesError
        If the list is empty.
    KindError
        If the columns of two files differ, as where windows are of other sizes.

    Examples
    --------
    >>> one = xr.DataArray([[[1.0, 2.0]]], dims=("y", "x", "feature"))
    >>> joined = features_from_files([one, one + 1])
    >>> joined.values, joined["file"].values
    (array([[1., 2.],
           [2., 3.]]), array([0, 1]))
    """
    given: object = features
    if not isinstance(given, list | tuple):
        msg = f"features is a {type(features).__name__}, need a list of Features, one of each file"
        raise KindError(msg)
    if not features:
        msg = "no features to join: every file failed, or none was given"
        raise TooFewSitesError(msg)
    for number, one in enumerate(features):
        FEATURES.check(one, name=f"features of file {number}")
    first = features[0]
    last = str(first.dims[-1])
    for number, one in enumerate(features):
        _check_columns(first, one, number)
    rows = [np.asarray(one.values).reshape(-1, one.shape[-1]) for one in features]
    columns = {name: c for name, c in first.coords.items() if c.dims == (last,)}
    attrs = {
        key: value
        for key, value in first.attrs.items()
        if key != "notes" and all(_alike(value, one.attrs.get(key)) for one in features)
    }
    places = {} if len(rows) == sum(map(len, rows)) else _places(features)
    joined = xr.DataArray(
        np.concatenate(rows),
        dims=("site", last),
        coords={
            **columns,
            **places,
            "file": ("site", np.repeat(np.arange(len(rows)), [len(part) for part in rows])),
        },
        name=first.name,
        attrs=attrs,
    )
    add_note(joined, f"{joined.sizes['site']} rows of {len(rows)} files.")
    return joined


def _check_columns(first: Features, one: Features, number: int) -> None:
    last = first.dims[-1]
    same = one.dims[-1] == last and one.shape[-1] == first.shape[-1]
    if same:
        same = all(
            name in one.coords and np.array_equal(c.values, one.coords[name].values)
            for name, c in first.coords.items()
            if c.dims == (last,)
        )
    if not same:
        msg = (
            f"file {number} has {one.shape[-1]} columns along {one.dims[-1]!r}, file 0 "
            f"{first.shape[-1]} along {last!r}, or they mean something else: measure all files "
            "with the same settings, of images of one size and scale"
        )
        raise KindError(msg)


def _alike(one: object, other: object) -> bool:
    return type(one) is type(other) and np.array_equal(np.asarray(one), np.asarray(other))


def _places(features: list[Features]) -> dict[str, xr.Variable]:
    """Give y and x of all rows, if every file has them in one unit."""
    units = {one.coords[dim].attrs.get("units") for one in features for dim in ("y", "x")
             if dim in one.coords}  # fmt: skip
    if len(units) != 1 or not all({"y", "x"} <= set(one.coords) for one in features):
        return {}
    found = {}
    for dim in ("y", "x"):
        parts = [
            one.coords[dim].broadcast_like(one.isel({one.dims[-1]: 0}, drop=True)).values.ravel()
            for one in features
        ]
        found[dim] = xr.Variable("site", np.concatenate(parts), {"units": next(iter(units))})
    return found
