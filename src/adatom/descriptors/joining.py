"""Features of many files as rows of one, and several of the same rows side by side."""

from __future__ import annotations

import numpy as np
import xarray as xr

from adatom.errors import KindError, TooFewSitesError
from adatom.numerics.blocks import blocks
from adatom.numerics.moments import moments_of, sample_of
from adatom.numerics.principal_axes import MOST_COLUMNS, axes_of_rows, principal_variances
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


def features_from_parts(
    one: Features, other: Features, third: Features | None = None, /
) -> Features:
    """Put features of the same rows side by side, each part with the same weight.

    Descriptors have scales and numbers of columns of their own; the largest would
    decide alone. So each is divided by its first singular value, about the mean of its
    rows: the most that one direction of a part can tell apart is then
    the same for all, whatever the number of its columns (multiple factor analysis [1]_).

    Parameters
    ----------
    one, other, third : Features
        On the same places. Loaded. Rows with NaN in a part keep it.

    Returns
    -------
    Features
        (..., feature), without unit. ``part`` (feature) counts the parts from 0,
        ``column`` (feature) the columns in each. Notes tell what each was divided by.

    Raises
    ------
    KindError
        If the parts are not on the same places.
    TooFewSitesError
        If a part has fewer than two measured rows, or they are all alike.

    References
    ----------
    .. [1] B. Escofier and J. Pages, Comput. Stat. Data Anal. 18, 121 (1994), sec. 2.

    Examples
    --------
    >>> one = xr.DataArray([[0.0], [2.0]], dims=("site", "feature"))
    >>> other = xr.DataArray([[100.0, 0.0], [300.0, 0.0]], dims=("site", "feature"))
    >>> both = features_from_parts(one, other)
    >>> both.values.round(3)
    array([[0.   , 0.707, 0.   ],
           [1.414, 2.121, 0.   ]])
    """
    parts = [part for part in (one, other, third) if part is not None]
    for number, part in enumerate(parts):
        FEATURES.check(part, name=f"part {number}")
        if part.dims[:-1] != one.dims[:-1] or part.shape[:-1] != one.shape[:-1]:
            msg = (
                f"part {number} is on {dict(zip(part.dims[:-1], part.shape[:-1], strict=True))}, "
                f"part 0 on {dict(zip(one.dims[:-1], one.shape[:-1], strict=True))}: measure both "
                "at the same places, as with one size and one step of windows"
            )
            raise KindError(msg)
    weights = [_largest_singular_value(part, number) for number, part in enumerate(parts)]
    dtype = np.result_type(np.float32, *(part.dtype for part in parts))
    scaled = [np.asarray(part.values) / weight for part, weight in zip(parts, weights, strict=True)]
    sizes = [part.shape[-1] for part in parts]
    joined = xr.DataArray(
        np.concatenate(scaled, axis=-1).astype(dtype),
        dims=(*one.dims[:-1], "feature"),
        coords={
            **{name: c for name, c in one.coords.items() if one.dims[-1] not in c.dims},
            "part": ("feature", np.repeat(np.arange(len(parts)), sizes)),
            "column": ("feature", np.concatenate([np.arange(size) for size in sizes])),
        },
        name="joined",
        attrs={
            "units": "1",
            **{k: one.attrs[k] for k in ("spacing", "extent", "window_shape") if k in one.attrs},
        },
    )
    told = ", ".join(f"{size} columns by {w:.4g}" for size, w in zip(sizes, weights, strict=True))
    add_note(joined, f"Parts were divided by their first singular values: {told}.")
    return joined


def _largest_singular_value(part: Features, number: int) -> float:
    cut = blocks(part)
    wide = cut.n_columns > MOST_COLUMNS
    moments = moments_of(cut, scatter=not wide)
    n_rows = int(moments.counts.sum())
    if n_rows >= 2 and wide:
        # Exact up to so many rows; of more, a sample of them tells.
        rows = sample_of(cut, moments.counts, n_rows=MOST_COLUMNS, seed=0) - moments.mean
        largest = float(axes_of_rows(rows)[0][0]) * (len(rows) - 1) * n_rows / len(rows)
    elif n_rows >= 2:
        assert moments.scatter is not None  # noqa: S101 -- asked for
        largest = float(principal_variances(moments.scatter)[0])
    if n_rows < 2 or not largest > 0:
        msg = (
            f"part {number} has {n_rows} measured rows, of which no two differ: nothing in it "
            "could tell places apart"
        )
        raise TooFewSitesError(msg)
    return float(np.sqrt(largest))


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
