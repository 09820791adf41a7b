"""Profiles of any quantity across boundaries, averaged along them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import xarray as xr

from adatom.crystallography._distances import NearestLine, nearest_line
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.class_contours import normals
from adatom.numerics.intervals import NORMAL_95, student_widening
from adatom.numerics.wall_fits import PEAK_WIDTH, STEP_WIDTH, WallFit, fit_wall
from adatom.schema import (
    IMAGE,
    SITES,
    Image,
    Sites,
    Table,
    add_note,
    pixel_size,
    positions,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pieces of boundary that are taken as independent: fewer make their scatter uncertain (the factor
# of a 95 % interval is 2.2 for twelve, 2.0 for many), more are shorter than what they share.
_FEWEST_PIECES: Final = 6
_MOST_PIECES: Final = 40
# Pieces this many correlation lengths long share so little that their scatter tells the error to
# within a tenth.
_PIECE: Final = 6.0
# The variance of means of pieces, times their number, falls short of that of an endless boundary by
# this many correlation lengths over the length of a piece: 0.32 where the correlation is
# a Gaussian of the distance, 0.5 where it is exponential.
_SHARED: Final = 0.5
_COMPONENTS: Final = ("normal", "along")


class BoundaryProfile(NamedTuple):
    """Profile of a quantity across boundaries.

    Attributes
    ----------
    profile : Table
        A row a distance.
    wall : Table
        One row: the step or peak that was fitted.
    """

    profile: Table
    wall: Table


def estimate_profile(
    data: Sites | Image,
    boundaries: Sites,
    /,
    *,
    quantity: str = "",
    component: Literal["", "normal", "along"] = "",
    between: tuple[int, int] | None = None,
    reach: Length = "8 d",
    bin_width: Length = "0.5 d",
    shape: Literal["step", "peak"] = "step",
) -> BoundaryProfile:
    """Estimate how a quantity changes across boundaries.

    Every site or pixel has a signed distance to the nearest boundary,
    positive on the side of its second class; values are averaged along the
    boundary in bins of this distance. What lies beyond the open end of a
    boundary does not count.

    Parameters
    ----------
    data : Sites or Image
        What carries the quantity, in the unit of the boundaries.
    boundaries : Sites
        Vertices as of `find_boundaries`; take some by ``isel``.
    quantity : str
        Variable of the sites. Not for an image.
    component : {"", "normal", "along"}
        Of a vector (site, axis) that across the boundary (positive
        towards the second class), or along it, turned from it by 90 deg from +x towards +y.
    between : tuple of two ints, optional
        Only boundaries between these classes. By default those of the pair with the
        longest ones, told in a note where there are others: walls between
        different phases have no profile in common.
    reach : length
        On either side; d is the spacing of the boundaries' own sites.
    bin_width : length
        Half a spacing shows a wall of one unit cell.
    shape : {"step", "peak"}
        What is fitted: ``tanh`` for what differs between the two sides,
        ``sech^2`` for what there is at the wall only.

    Returns
    -------
    BoundaryProfile
        ``profile``: ``distance`` (mean in the bin), ``value`` and ``value_error``,
        ``value_low`` and ``value_high`` of an interval of 95 %, ``fit``,
        and ``n`` sites or pixels. ``wall``: ``center``, ``width`` (from 10 to
        90 % of a step, full width at half maximum of a peak), ``low`` and
        ``rise``, each with ``_error``; ``n_pieces``.

        Errors are from the scatter of pieces of the boundary (delete-one
        jackknife [1]_), each many times as long as neighboring sites agree
        along it, so that they hold whatever the noise has in common. Where
        pieces are few they are widened by Student's distribution, so that
        1.96 errors are an interval of 95 %. Where there is no boundary, tables
        have no rows.

    Raises
    ------
    KindError
        If `data` are neither sites nor an image, are of several frames, or lack
        the quantity.
    SettingError
        If `component` is missing for a vector, bins are wider than the reach, or
        `shape` is not known.
    TooFewSitesError
        If the boundary is too short for six pieces, or nothing lies near it.

    References
    ----------
    .. [1] B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), ch. 3.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (part.ravel() for part in np.mgrid[:40, :40])
    >>> sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    >>> sites["shift"] = ("site", np.tanh((x - 19.3) / 2), {"units": "nm"})
    >>> from adatom.crystallography import find_boundaries
    >>> classes = xr.Dataset({"label": ("site", (x > 19.3).astype(int))})
    >>> found = find_boundaries(classes, sites)
    >>> wall = estimate_profile(sites, found.vertices, quantity="shift").wall
    >>> round(wall["width"].item(), 1)
    4.4
    """
    if shape not in {"step", "peak"}:
        msg = f"{shape=} is not known: use 'step' or 'peak'"
        raise SettingError(msg)
    places, values, name, unit = _values(data, quantity)
    SITES.check(boundaries, name="boundaries")
    lines = _chosen(boundaries, between)
    if space_unit(data) != space_unit(boundaries):
        msg = f"data are in {space_unit(data)}, boundaries in {space_unit(boundaries)}"
        raise KindError(msg)
    far, bin_size = (
        _length(setting, data, boundaries, label)
        for setting, label in ((reach, "reach"), (bin_width, "bin_width"))
    )
    if not 0 < bin_size < far:
        msg = f"{bin_width=} must be positive and less than {reach=}"
        raise SettingError(msg)
    if far / bin_size > len(places):
        msg = (
            f"{bin_width=} and {reach=} make {2 * far / bin_size:.3g} bins of {len(places)} "
            "places: make bin_width wider or reach less"
        )
        raise TooFewSitesError(msg)
    if not lines.sizes["site"]:
        return _nothing(name, (unit, space_unit(data)), is_step=shape == "step")
    points, line = positions(lines), lines["boundary"].values.astype(np.int64)
    _, line = np.unique(line, return_inverse=True)
    near = nearest_line(places, points, line, reach=far, piece=bin_size)
    values = _component(values, component, points, line, near, name)
    samples = _Samples.of(near, values, far=far, size=bin_size)
    found = _result(samples, name, unit, space_unit(data), is_step=shape == "step")
    if between is None and lines.sizes["site"] < boundaries.sizes["site"]:
        pair = (int(lines["class_first"].values[0]), int(lines["class_second"].values[0]))
        add_note(found.profile, f"between={pair}, the longest: other pairs have boundaries too")
    return found


def _values(
    data: xr.DataArray | xr.Dataset, quantity: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], str, str]:
    if isinstance(data, xr.DataArray):
        IMAGE.check(data, name="data")
        if quantity:
            msg = f"{quantity=} is for sites; an image has its own values only"
            raise SettingError(msg)
        y, x = np.meshgrid(data.coords["y"].values, data.coords["x"].values, indexing="ij")
        places = np.column_stack([y.ravel(), x.ravel()]).astype(float)
        values = np.asarray(data.values).ravel().astype(float)
        return (
            places,
            values,
            "value" if data.name is None else str(data.name),
            str(data.attrs.get("units", "1")),
        )
    SITES.check(data, name="data")
    if quantity not in data.variables or data[quantity].dims[:1] != ("site",):
        along = [str(name) for name, one in data.variables.items() if one.dims[:1] == ("site",)]
        msg = f"{quantity=} is no variable of the sites: they have {', '.join(sorted(along))}"
        raise KindError(msg)
    found = data[quantity]
    if found.dims not in {("site",), ("site", "axis")} or found.dtype.kind not in "uifb":
        msg = (
            f"{quantity!r} has dims {found.dims} of {found.dtype}: numbers of (site) or "
            "(site, axis) are needed"
        )
        raise KindError(msg)
    if "frame" in data.coords and len(frames := np.unique(data.coords["frame"].values)) > 1:
        msg = (
            f"sites are of {len(frames)} frames, boundaries of one: take its sites by "
            "sites.isel(site=sites.frame == number)"
        )
        raise KindError(msg)
    unit = str(found.attrs.get("units", "1"))
    return positions(data), np.asarray(found.values, dtype=float), quantity, unit


def _chosen(boundaries: xr.Dataset, between: tuple[int, int] | None) -> xr.Dataset:
    if "boundary" not in boundaries:
        msg = "boundaries have no variable 'boundary': give the vertices of find_boundaries"
        raise KindError(msg)
    pairs = np.stack([boundaries["class_first"].values, boundaries["class_second"].values], axis=1)
    if between is None:
        first, second = _longest_pair(boundaries, pairs)
    else:
        first, second = min(between), max(between)
    keep = (pairs == (first, second)).all(axis=1)
    if between is not None and not keep.any():
        msg = f"{between=}: no boundary runs between these classes"
        raise SettingError(msg)
    return boundaries.isel(site=np.flatnonzero(keep))


def _longest_pair(boundaries: xr.Dataset, pairs: NDArray[np.int64]) -> tuple[int, int]:
    """Give the two classes whose boundaries together are the longest."""
    if not len(pairs):
        return 0, 1
    place, line = positions(boundaries), boundaries["boundary"].values
    step = np.linalg.norm(np.diff(place, axis=0), axis=1) * (np.diff(line) == 0)
    kinds, which = np.unique(pairs, axis=0, return_inverse=True)
    length = np.bincount(which.ravel()[1:], step, len(kinds))
    first, second = kinds[int(length.argmax())]
    return int(first), int(second)


def _length(
    setting: Length, data: xr.DataArray | xr.Dataset, boundaries: xr.Dataset, name: str
) -> float:
    size = float(np.sqrt(np.prod(pixel_size(data)))) if isinstance(data, xr.DataArray) else None
    return length_from_setting(
        setting,
        unit=space_unit(data),
        pixel_size=size,
        spacing=boundaries.attrs.get("spacing"),
        name=name,
    )


def _component(
    values: NDArray[np.float64],
    component: str,
    points: NDArray[np.float64],
    line: NDArray[np.int64],
    near: NearestLine,
    name: str,
) -> NDArray[np.float64]:
    if values.ndim == 1:
        if component:
            msg = f"{component=}, but {name!r} is no vector (site, axis)"
            raise SettingError(msg)
        return values
    if component not in _COMPONENTS:
        msg = f"{name!r} is a vector: {component=} must be one of {', '.join(_COMPONENTS)}"
        raise SettingError(msg)
    normal = normals(points, line)[np.maximum(near.vertex, 0)]
    if component == "along":
        # (y, x) turned from +x towards +y.
        normal = np.column_stack([normal[:, 1], -normal[:, 0]])
    return np.asarray((values * normal).sum(axis=1))


@dataclass(frozen=True)
class _Samples:
    """Values near boundaries: bin of their distance, and piece of boundary.

    Attributes
    ----------
    place, value : ndarray, shape (bin, piece)
        Sums of distances and of values.
    count : ndarray, shape (bin, piece)
    size : float
        Width of a bin.
    inflation : float
        By which errors grow since neighboring pieces are not quite independent.
    """

    place: NDArray[np.float64]
    value: NDArray[np.float64]
    count: NDArray[np.float64]
    size: float
    inflation: float

    @classmethod
    def of(
        cls, near: NearestLine, values: NDArray[np.float64], *, far: float, size: float
    ) -> _Samples:
        known = (near.line >= 0) & np.isfinite(values)
        n_bins = 2 * max(1, round(far / size))
        if np.count_nonzero(known) < n_bins:
            msg = (
                f"{np.count_nonzero(known)} measured places near the boundaries, {n_bins} bins: "
                "make bin_width wider or reach less"
            )
            raise TooFewSitesError(msg)
        distance, value = near.distance[known], values[known]
        bins = np.clip(((distance + far) / (2 * far) * n_bins).astype(np.int64), 0, n_bins - 1)
        along = _end_to_end(near.along[known], near.line[known], size)
        piece, n_pieces, correlated = _pieces(bins, along, value, n_bins, size)
        inflation = 1 / np.sqrt(max(1 - _SHARED * correlated, 0.3))
        key = bins * n_pieces + piece
        place, total, count = (
            np.bincount(key, weights, n_bins * n_pieces).astype(float).reshape(n_bins, n_pieces)
            for weights in (distance, value, np.ones(len(key)))
        )
        return cls(place, total, count, size, inflation)

    def means(self, without: int = -1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the mean distance and value of each bin, without a piece if told."""
        place, value, count = (
            part.sum(axis=1) - (part[:, without] if without >= 0 else 0.0)
            for part in (self.place, self.value, self.count)
        )
        divisor = np.where(count > 0.5, count, np.nan)
        return place / divisor, value / divisor


def _end_to_end(
    along: NDArray[np.float64], line: NDArray[np.int64], gap: float
) -> NDArray[np.float64]:
    """Lay all boundaries end to end."""
    n_lines = int(line.max()) + 1
    length = np.zeros(n_lines)
    np.maximum.at(length, line, along)
    begin = np.cumsum(length + gap) - length - gap
    return np.asarray(begin[line] + along)


def _pieces(
    bins: NDArray[np.int64],
    along: NDArray[np.float64],
    value: NDArray[np.float64],
    n_bins: int,
    size: float,
) -> tuple[NDArray[np.int64], int, float]:
    """Cut boundaries into pieces, many correlation lengths long: which, how many, how long.

    The last is the correlation length over that of a piece.
    """
    total = float(along.max())
    correlated = _correlation_length(bins, along, value, n_bins, size)
    number = int(np.clip(total / (_PIECE * correlated), _FEWEST_PIECES, _MOST_PIECES))
    if total < _FEWEST_PIECES * 2 * size:
        msg = (
            f"boundaries of {total:.3g} in all are too short for {_FEWEST_PIECES} pieces of two "
            f"bins ({2 * size:.3g}) each, from which errors are told"
        )
        raise TooFewSitesError(msg)
    # Pieces hold equally many values, as far as their places allow.
    edges = np.quantile(along, np.linspace(0, 1, number + 1)[1:-1])
    return np.searchsorted(edges, along, side="right"), number, number * correlated / total


def _correlation_length(
    bins: NDArray[np.int64],
    along: NDArray[np.float64],
    value: NDArray[np.float64],
    n_bins: int,
    size: float,
) -> float:
    """Give the integral of the correlation along the boundary, at equal distance from it."""
    step = 2 * size
    n_steps = int(along.max() / step) + 1
    key = bins * n_steps + np.minimum((along / step).astype(np.int64), n_steps - 1)
    count = np.bincount(key, minlength=n_bins * n_steps).reshape(n_bins, n_steps)
    total = np.bincount(key, value, n_bins * n_steps).reshape(n_bins, n_steps)
    mean = np.where(count > 0, total / np.maximum(count, 1), 0.0)
    known = count > 0
    off = np.where(
        known, mean - mean.sum(1, keepdims=True) / known.sum(1, keepdims=True).clip(1), 0
    )
    spectrum = np.abs(np.fft.rfft(off, 2 * n_steps, axis=1)) ** 2
    pairs = np.abs(np.fft.rfft(known.astype(float), 2 * n_steps, axis=1)) ** 2
    products = np.fft.irfft(spectrum.sum(0), 2 * n_steps)[:n_steps]
    numbers = np.fft.irfft(pairs.sum(0), 2 * n_steps)[:n_steps]
    covariance = products / np.maximum(numbers, 1.0)
    if not covariance[0] > 0:
        return step
    correlation = covariance / covariance[0]
    reach = 1 + np.arange(n_steps)
    integral = 1 + 2 * (np.cumsum(correlation) - 1)
    # The window of Sokal: five times what is found within it.
    enough = reach >= 5 * integral
    return step * max(1.0, float(integral[int(enough.argmax()) if enough.any() else n_steps // 4]))


def _result(
    samples: _Samples, name: str, unit: str, space: str, *, is_step: bool
) -> BoundaryProfile:
    distance, value = samples.means()
    n_pieces = samples.count.shape[1]
    left_out = [samples.means(piece) for piece in range(n_pieces)]
    # The scatter of a few pieces is itself not well known.
    widened = samples.inflation * student_widening(n_pieces - 1)
    value_error = widened * _jackknife(np.array([one[1] for one in left_out]))
    # Bins count by their numbers: weights from errors that a few pieces tell would
    # let those bins decide whose scatter happens to be small.
    fit = _fit(distance, value, samples, is_step)
    others = [_fit(*one, samples, is_step) for one in left_out]
    profile = table_from_columns(
        {
            "distance": distance,
            "value": value,
            "value_error": value_error,
            "value_low": value - NORMAL_95 * value_error,
            "value_high": value + NORMAL_95 * value_error,
            "fit": fit.at(distance, is_step=is_step),
            "n": samples.count.sum(axis=1).astype(np.int64),
        },
        units=dict.fromkeys(("value", "value_error", "value_low", "value_high", "fit"), unit)
        | {"distance": space},
    )
    wall = _wall(fit, others, widened, (unit, space), is_step)
    # A wall within one bin may be of any width up to that.
    unresolved = wall["width"] < samples.size
    wall["width_error"] = wall["width_error"].clip(min=samples.size / 2 * unresolved)
    _mark(profile, wall, name, is_step=is_step)
    add_note(
        profile,
        f"{int(samples.count.sum())} values in {len(value)} bins of {samples.size:.3g} {space}; "
        f"errors from {n_pieces} pieces of boundary.",
    )
    return BoundaryProfile(profile, wall)


def _nothing(name: str, units: tuple[str, str], *, is_step: bool) -> BoundaryProfile:
    """Give tables without rows, where there is no boundary."""
    of_value, space = units
    columns = ("distance", "value", "value_error", "value_low", "value_high", "fit")
    profile = table_from_columns(
        {name: np.zeros(0) for name in columns} | {"n": np.zeros(0, dtype=np.int64)},
        units=dict.fromkeys(columns[1:], of_value) | {"distance": space},
    )
    wall = _wall(WallFit(0, 1, 0, 0, 0), [], 1.0, units, is_step).isel(row=slice(0))
    _mark(profile, wall, name, is_step=is_step)
    add_note(profile, "There is no boundary.")
    return BoundaryProfile(profile, wall)


def _mark(profile: Table, wall: Table, name: str, *, is_step: bool) -> None:
    profile.attrs |= {"of": "boundary profile", "quantity": name}
    wall.attrs |= {"of": "wall", "quantity": name, "shape": "step" if is_step else "peak"}


def _fit(
    distance: NDArray[np.float64],
    value: NDArray[np.float64],
    samples: _Samples,
    is_step: bool,
) -> WallFit:
    known = np.isfinite(value) & np.isfinite(distance)
    return fit_wall(
        np.where(known, distance, 0.0),
        np.where(known, value, 0.0),
        np.where(known, samples.count.sum(axis=1), 0.0),
        is_step=is_step,
        finest=samples.size,
    )


def _jackknife(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give standard errors from values (piece, ...) that each leave out one piece."""
    n = len(values)
    return np.asarray(np.sqrt((n - 1) * values.var(axis=0)))


def _wall(
    fit: WallFit, others: list[WallFit], widened: float, unit: tuple[str, str], is_step: bool
) -> Table:
    scale = STEP_WIDTH if is_step else PEAK_WIDTH
    of_value, space = unit
    units = {"center": space, "width": space, "low": of_value, "rise": of_value}
    columns: dict[str, Any] = {}
    for name in units:
        factor = scale if name == "width" else 1.0
        columns[name] = [factor * getattr(fit, name)]
        scattered = factor * np.array([getattr(one, name) for one in others])
        errors = _jackknife(scattered) if others else np.nan
        columns[f"{name}_error"] = [widened * float(errors)]
    columns["n_pieces"] = [len(others)]
    return table_from_columns(columns, units=units | {f"{k}_error": u for k, u in units.items()})
