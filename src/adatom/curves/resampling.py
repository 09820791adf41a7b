"""Force curves on one axis and on their grid, so that they can be clustered and mapped."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.contacts import ordered
from adatom.numerics.force_curves import grid_of, needed_channels, rows_by_curves, segment_number
from adatom.schema import FEATURES, FORCE_CURVES, Features, ForceCurves, Spectra, add_note
from adatom.units import length_from_setting

Array = NDArray[np.float64]

# Places of one row of a grid scatter by a drift of a tenth of the step at most.
_SAME_LINE: Final = 0.25
_EQUAL_STEPS: Final = 0.1


def features_from_curves(
    curves: ForceCurves,
    /,
    *,
    span: tuple[str, str] | None = None,
    n_samples: int = 200,
    segments: list[str] | None = None,
) -> Spectra:
    """Resample the force of every curve onto one axis of separation.

    The axis runs through the segments in the order of the measurement, so
    that approach and retract of a curve are one row, drawn as a loop.
    Samples between two places of the axis are averaged.

    Parameters
    ----------
    curves : ForceCurves
        With ``force`` and ``separation``. Numpy gives numpy; dask gives
        dask, after one pass for the span if it is not told.
    span : tuple of two texts, optional
        Such as ("-50 nm", "200 nm"), negative where the tip indents. By
        default what nine in ten curves with a contact cover; 0 to 1 nm if
        none has one. Curves that do not cover it have NaN there.
    n_samples : int
        Of each segment.
    segments : list of str, optional
        By default approach and retract, as far as there are.

    Returns
    -------
    Spectra
        (site, separation) in the unit of the force; coordinate ``segment``
        (separation) says which is which. NaN for curves without contact.

    Raises
    ------
    KindError
        If there is no force or separation.
    SettingError
        If the span is empty, or the curves share none.

    Examples
    --------
    >>> separation = np.linspace(9.0, -5.0, 141)
    >>> dims = ("site", "segment", "sample")
    >>> curves = xr.Dataset(
    ...     {"separation": (dims, separation[None, None], {"units": "nm"}),
    ...      "force": (dims, np.clip(-separation, 0, None)[None, None], {"units": "nN"})},
    ...     coords={"segment": ["approach"]})
    >>> features_from_curves(curves, span=("-4 nm", "8 nm"), n_samples=121).values[0, [0, 80, 110]]
    array([0., 0., 3.])
    """
    FORCE_CURVES.check(curves)
    needed_channels(curves, "force", by="correction.correct_deflection")
    needed_channels(curves, "separation", by="correction.correct_separation")
    if n_samples < 2:
        msg = f"{n_samples=} must be two or more"
        raise SettingError(msg)
    there = [str(name) for name in curves.coords["segment"].values]
    names = (
        list(segments or [])
        or [name for name in ("approach", "retract") if name in there]
        or there[:1]
    )
    numbers = [segment_number(curves, name) for name in names]
    low, high = _told_span(span) if span else _common_span(curves, numbers)
    axis = np.linspace(high, low, n_samples)

    def work(separations: Array, forces: Array) -> Array:
        return np.concatenate([_resampled(separations[k], forces[k], axis) for k in numbers])

    values = rows_by_curves(curves, ("separation", "force"), work,
                            n_columns=n_samples * len(names))  # fmt: skip
    falls = [name != "retract" for name in names]
    whole = np.concatenate([axis if fall else axis[::-1] for fall in falls])
    values = _turned(values, falls, n_samples)
    kept = {name: coord for name, coord in curves.coords.items() if coord.dims == ("site",)}
    result = xr.DataArray(
        values,
        dims=("site", "separation"),
        coords={
            **kept,
            "separation": ("separation", whole, {"units": "nm"}),
            "segment": ("separation", np.repeat(np.array(names, dtype=str), n_samples)),
        },
        name="force",
        attrs={"units": str(curves["force"].attrs["units"]), **grid_of(curves)},
    )
    add_note(
        result,
        f"Resampled to {n_samples} separations from {low:.5g} to {high:.5g} nm of "
        f"{' and '.join(names)}.",
    )
    return result


def map_from_sites(features: Features, /) -> Features:
    """Put features of sites that fill a grid onto that grid: a map.

    Parameters
    ----------
    features : Features
        First dim ``site``, coordinates y and x along it. Numpy gives numpy;
        dask gives dask.

    Returns
    -------
    Features
        (y, x, ...) if the places fill a rectangle in equal steps, each once,
        and are all of the grid that ``attrs["grid_shape"]`` tells, if any;
        else as they were, with a note that says why.

    Raises
    ------
    KindError
        If the rows are not sites.

    Examples
    --------
    >>> place = {"units": "nm"}
    >>> rows = xr.DataArray([[1.0], [2.0], [3.0], [4.0]], dims=("site", "measure"),
    ...     coords={"y": ("site", [0.0, 0, 5, 5], place), "x": ("site", [0.0, 7, 7, 0], place)})
    >>> map_from_sites(rows).values[..., 0]
    array([[1., 2.],
           [4., 3.]])
    """
    FEATURES.check(features)
    if features.dims[0] != "site":
        msg = f"found dims {features.dims}, need ('site', <what is measured>)"
        raise KindError(msg)
    grid = features.attrs.get("grid_shape")
    if grid is not None and int(np.prod(grid)) != features.sizes["site"]:
        return _left(
            features,
            f"they are {features.sizes['site']} of a grid of {' x '.join(map(str, grid))}",
        )
    if not {"y", "x"} <= set(features.coords):
        return _left(features, "their places are not known")
    lines_y, lines_x = (
        _grid_axis(features.coords[name].values.astype(float)) for name in ("y", "x")
    )
    if lines_y is None or lines_x is None:
        return _left(features, "their places are not in equal steps")
    (y, rows), (x, columns) = lines_y, lines_x
    number = rows * len(x) + columns
    if len(number) != len(y) * len(x) or np.unique(number).size != len(number):
        return _left(
            features,
            f"{len(number)} places do not fill a grid of {len(y)} x {len(x)}",
        )
    order = np.argsort(number, kind="stable")
    units = features.coords["y"].attrs
    on_sites = {name for name, coord in features.coords.items() if "site" in coord.dims}
    kept = {name: c for name, c in features.coords.items() if name not in on_sites}
    shape = (len(y), len(x), *features.shape[1:])
    values: Any = features.data[order].reshape(shape)
    return xr.DataArray(
        values,
        dims=("y", "x", *features.dims[1:]),
        coords={**kept, "y": ("y", y, dict(units)), "x": ("x", x, dict(units))},
        name=features.name,
        attrs=features.attrs,
    )


def _left(features: xr.DataArray, why: str) -> xr.DataArray:
    result = features.copy(deep=False)
    result.attrs = dict(features.attrs)
    add_note(result, f"No map: {why}; they stay sites.")
    return result


def _grid_axis(places: Array) -> tuple[Array, NDArray[np.intp]] | None:
    """Give the lines of a grid along one axis, and the line of every place."""
    if not np.isfinite(places).all():
        return None
    order = np.argsort(places, kind="stable")
    steps = np.diff(places[order])
    if not steps.size or steps.max() == 0:
        return places[:1].copy(), np.zeros(len(places), dtype=np.intp)
    is_new = steps > _SAME_LINE * steps.max()
    line = np.empty(len(places), dtype=np.intp)
    line[order] = np.concatenate([[0], np.cumsum(is_new)])
    centers = np.bincount(line, weights=places) / np.bincount(line)
    gaps = np.diff(centers)
    if np.ptp(gaps) > _EQUAL_STEPS * gaps.mean():
        return None
    return np.linspace(centers[0], centers[-1], len(centers)), line


def _told_span(span: tuple[str, str]) -> tuple[float, float]:
    low, high = (length_from_setting(text, unit="nm", name="span") for text in span)
    if not low < high:
        msg = f"{span=} is empty: give the lower separation first, negative where the tip indents"
        raise SettingError(msg)
    return low, high


def _common_span(curves: xr.Dataset, numbers: list[int]) -> tuple[float, float]:
    """Give the separations that nine in ten curves with a contact cover."""
    separation = curves["separation"].isel(segment=numbers)
    lowest = separation.min("sample").max("segment").values
    highest = separation.max("sample").min("segment").values
    known = np.isfinite(lowest) & np.isfinite(highest)
    if not known.any():
        return 0.0, 1.0
    low, high = np.quantile(lowest[known], 0.9), np.quantile(highest[known], 0.1)
    if not low < high:
        msg = "the curves share no range of separation: give span="
        raise SettingError(msg)
    return float(low), float(high)


def _resampled(separation: Array, force: Array, axis: Array) -> Array:
    """Average samples around every place of a falling axis, between them interpolate."""
    x, y = ordered(separation, force)
    if len(x) < 2:
        return np.full(len(axis), np.nan)
    step = float(axis[0] - axis[1])
    place = np.rint((axis[0] - x) / step).astype(np.int64)
    inside = (place >= 0) & (place < len(axis))
    counts = np.bincount(place[inside], minlength=len(axis))
    sums = np.bincount(place[inside], weights=y[inside], minlength=len(axis))
    between = np.interp(axis[::-1], x[::-1], y[::-1], left=np.nan, right=np.nan)[::-1]
    return np.where(counts > 1, sums / np.maximum(counts, 1), between)


def _turned(values: Any, falls: list[bool], n: int) -> Any:  # noqa: ANN401 -- numpy or dask
    """Turn the columns of segments that go away from the surface."""
    columns = [np.arange(k * n, (k + 1) * n)[:: 1 if fall else -1] for k, fall in enumerate(falls)]
    return values[:, np.concatenate(columns)]
