"""Boundaries between classes: where they run, how long and how wide they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.crystallography._distances import nearest_line
from adatom.crystallography._lengths import (
    N_DIRECTIONS,
    Pieces,
    direction_bins,
    directions,
    length_errors,
    pieces_of_lines,
)
from adatom.crystallography._placed import PlacedClasses, placed_classes
from adatom.crystallography.regions import (
    cell_areas,
    connections,
    region_beside,
    region_numbers,
    smoothed_lines,
    variance_of_counts,
)
from adatom.errors import SettingError
from adatom.numerics.class_contours import ClassLines, normals
from adatom.schema import (
    Classes,
    Sites,
    Table,
    add_note,
    pixel_size,
    sites_from_positions,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The scale w of (1 + tanh(s / w)) / 2 times this is the distance from 10 to 90 %: ln 9.
TEN_TO_NINETY: Final = 2.1972
# Widths that are tried, in spacings: below the first nobody could tell them from a step.
_WIDTHS: Final = np.geomspace(0.02, 20.0, 121)
# A line is known to this share of a spacing, by the scatter of areas of discs of 6 to 20 spacings,
# so that no wall is known to be sharper, in w of its tanh.
_SHARPEST: Final = 0.1
# Spacings from a boundary within which the labels of sites tell of its width.
_REACH: Final = 10.0


class Boundaries(NamedTuple):
    """Boundaries between classes.

    Attributes
    ----------
    table : Table
        A row a boundary: a line that runs between two classes without a break.
    vertices : Sites
        Points of the lines, in order along each, with the ``boundary`` that
        each belongs to.
    directions : Table
        Length of boundary in each direction, for each pair of classes.
    """

    table: Table
    vertices: Sites
    directions: Table


def find_boundaries(
    classes: Classes, sites: Sites | None = None, /, *, smoothing: Length = "1 d"
) -> Boundaries:
    """Draw the boundaries between classes, and measure them.

    The share of every class is smoothed over the mesh of sites or pixels as
    by diffusion, and boundaries are the lines along which two classes
    have equal shares. So they cross a lattice at any angle without the steps
    that its rows make: counted side by side, those would lengthen a diagonal by
    up to 41 %. What smoothing takes from the length of an arc, half the square
    of curvature times smoothing and a smaller term of its fourth power, is given back,
    and the 0.7 % that steps still add, averaged over all directions, are taken
    off. Their errors hold by how much more steps add in one direction than in
    another, 0.4 % of a straight wall, and how well the sites tell where a
    bend is. Of straight walls and arcs of all directions, and of outlines of
    blobs 4 to 20 spacings in radius, on square, hexagonal and honeycomb lattices,
    1.96 errors hold the true length of about 95 %. Labels that are wrong beside a
    boundary make it longer, which errors do not hold.

    Parameters
    ----------
    classes : Classes
        Of the sites of one frame, or of the pixels or windows of a map. If
        they have a ``probability``, it places the boundaries between sites.
    sites : Sites, optional
        Where the classes are, if they do not say so themselves.
    smoothing : length
        Standard deviation of the smoothing; d is the distance between
        neighboring sites or pixels. Half of it leaves steps (lengths 3 % off), twice
        of it rounds corners and loses islands of two spacings across.
        Where labels are often wrong more is needed.

    Returns
    -------
    Boundaries
        ``table``, a row a boundary: ``boundary``, ``class_first`` and
        ``class_second``, ``region_first`` and ``region_second`` (numbers as of
        `find_regions`), ``length`` and ``width``, each with its ``_error``: the
        width is that from 10 to 90 % of the second class, of a tanh fitted to
        labels or probabilities across the boundary;
        ``direction``: mean direction in deg, from +x towards +y, modulo
        180; ``alignment``: 1 straight, 0 all directions alike; ``is_closed``.
        Lengths are those between the outermost sites, and the width is
        that about the smoothed line: waves longer than the smoothing are
        length, shorter ones width.

        ``vertices``: Sites with ``boundary``, ``class_first``,
        ``class_second``, unit ``normal (site, axis)`` towards the second class, and
        ``direction``. ``directions``: ``class_first``, ``class_second``,
        ``direction`` (middle of 10 deg), ``length``.

    Raises
    ------
    KindError
        If the classes do not say where they are, or are of several frames.
    TooFewSitesError
        If fewer than three sites have a class, or all lie on a line.
    SettingError
        If `smoothing` is not positive, or more than half of what the places cover.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:9, :9]
    >>> sites = sites_from_positions(y.ravel(), x.ravel(), unit="nm")
    >>> classes = xr.Dataset({"label": ("site", (x.ravel() > 3.5).astype(int))})
    >>> table = find_boundaries(classes, sites).table
    >>> round(table["length"].item(), 2), table["direction"].item()
    (7.92, 90.0)
    """
    placed = placed_classes(classes, sites)
    sigma = _smoothing(classes, placed, smoothing)
    lines = smoothed_lines(placed, sigma)
    direction = directions(lines)
    pieces = pieces_of_lines(placed.mesh, lines, sigma)
    region = region_numbers(placed, connections(placed, classes, sites))
    variance = variance_of_counts(placed, cell_areas(placed))
    table = _table(placed, lines, region, direction, pieces, sigma, variance)
    vertices = _vertices(placed, lines, direction)
    histogram = _histogram(placed, lines, direction, pieces, sigma, variance)
    _tell(placed, lines, table, sigma)
    return Boundaries(table, vertices, histogram)


def _smoothing(classes: Classes, placed: PlacedClasses, smoothing: Length) -> float:
    size = None
    if placed.is_map:
        size = float(np.sqrt(np.prod(pixel_size(classes["label"]))))
    sigma = length_from_setting(
        smoothing,
        unit=placed.unit,
        pixel_size=size,
        spacing=placed.mesh.spacing,
        name="smoothing",
    )
    if not sigma > 0:
        msg = f"{smoothing=} must be positive: about one spacing of the sites"
        raise SettingError(msg)
    widest = float(np.ptp(placed.mesh.points, axis=0).max())
    # No boundary is left of what is smoothed by more, and diffusion so far takes forever.
    if sigma > max(widest / 2, placed.mesh.spacing):
        msg = (
            f"{smoothing=} is {sigma:.3g} {placed.unit}, more than half of the {widest:.3g} "
            f"{placed.unit} that the places cover: about one spacing of the sites is usual"
        )
        raise SettingError(msg)
    return sigma


def _table(
    placed: PlacedClasses,
    lines: ClassLines,
    region: NDArray[np.int64],
    direction: NDArray[np.float64],
    pieces: Pieces,
    sigma: float,
    variance: float,
) -> Table:
    n, length = len(lines.pair), pieces.length
    total = np.bincount(lines.line, length, n).astype(float)
    wave = np.bincount(lines.line, length * np.cos(np.radians(2 * direction)), n) + 1j * (
        np.bincount(lines.line, length * np.sin(np.radians(2 * direction)), n)
    )
    width, width_error = _widths(placed, lines)
    mean = np.degrees(np.angle(wave)) / 2 % 180
    columns: dict[str, Any] = {
        "boundary": np.arange(n),
        "class_first": lines.pair[:, 0],
        "class_second": lines.pair[:, 1],
        "region_first": _usual(region_beside(placed, region, lines, 0), lines.line, n),
        "region_second": _usual(region_beside(placed, region, lines, 1), lines.line, n),
        "length": total,
        "length_error": length_errors(
            pieces, lines.line, lines.closed, placed.mesh, sigma, variance=variance
        ),
        "width": width,
        "width_error": width_error,
        "direction": np.where(mean > 180 - 1e-9, 0.0, mean),
        "alignment": np.abs(wave) / np.where(total > 0, total, 1.0),
        "is_closed": lines.closed,
    }
    names = ("length", "length_error", "width", "width_error")
    return table_from_columns(
        columns, units=dict.fromkeys(names, placed.unit) | {"direction": "deg"}
    )


def _usual(values: NDArray[np.int64], line: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Give the most frequent value of each line, -1 (unknown) only if there is no other."""
    found = np.full(n, -1, dtype=np.int64)
    known = values >= 0
    if not known.any():
        return found
    keys, counts = np.unique(
        line[known] * (int(values.max()) + 1) + values[known], return_counts=True
    )
    order = np.argsort(counts, kind="stable")
    found[keys[order] // (int(values.max()) + 1)] = keys[order] % (int(values.max()) + 1)
    return found


def _widths(
    placed: PlacedClasses, lines: ClassLines
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit (1 + tanh(s / w)) / 2 to the share of the second class, by likelihood over a grid."""
    n, spacing = len(lines.pair), placed.mesh.spacing
    near = nearest_line(
        placed.mesh.points, lines.points, lines.line, reach=_REACH * spacing, piece=spacing / 2
    )
    row = np.flatnonzero(near.line >= 0)
    line = near.line[row]
    both = placed.share[row[:, None], lines.pair[line]]
    total = both.sum(axis=1)
    row, line, both, total = (part[total > 0.5] for part in (row, line, both, total))
    share, distance = both[:, 1] / total, near.distance[row] / spacing
    fit = np.zeros((n, len(_WIDTHS)))
    for column, width in enumerate(_WIDTHS):
        # log of a logistic curve, without overflow.
        rise = 2 * distance / width
        fit[:, column] = np.bincount(
            line, -share * np.logaddexp(0, -rise) - (1 - share) * np.logaddexp(0, rise), n
        )
    best = fit.argmax(axis=1)
    width = _WIDTHS[best]
    chance = 1 / (1 + np.exp(-np.clip(2 * distance / width[line], -500, 500)))
    # Probabilities scatter less about the curve than labels, of which each is 0 or 1.
    spread = np.bincount(line, chance * (1 - chance), n)
    scatter = np.bincount(line, (share - chance) ** 2, n)
    ratio = np.clip(scatter / np.where(spread > 0, spread, 1.0), 1e-3, 1.0)
    inside = fit > (fit.max(axis=1) - ratio / 2)[:, None]
    low = _WIDTHS[inside.argmax(axis=1)]
    high = _WIDTHS[len(_WIDTHS) - 1 - inside[:, ::-1].argmax(axis=1)]
    counts = np.bincount(line, minlength=n)
    known = counts >= 4
    error = np.hypot((high - low) / 2, _SHARPEST)
    scale = TEN_TO_NINETY * spacing
    return np.where(known, scale * width, np.nan), np.where(known, scale * error, np.nan)


def _vertices(placed: PlacedClasses, lines: ClassLines, direction: NDArray[np.float64]) -> Sites:
    vertices = sites_from_positions(
        lines.points[:, 0], lines.points[:, 1], unit=placed.unit, spacing=placed.mesh.spacing
    )
    pair = lines.pair[lines.line]
    vertices["boundary"] = ("site", lines.line)
    vertices["class_first"] = ("site", pair[:, 0])
    vertices["class_second"] = ("site", pair[:, 1])
    vertices["normal"] = (("site", "axis"), normals(lines.points, lines.line), {"units": "1"})
    vertices["direction"] = ("site", direction, {"units": "deg"})
    vertices.coords["axis"] = ("axis", ["y", "x"])
    vertices.attrs["of"] = "boundary"
    return vertices


def _histogram(
    placed: PlacedClasses,
    lines: ClassLines,
    direction: NDArray[np.float64],
    pieces: Pieces,
    sigma: float,
    variance: float,
) -> Table:
    pairs, number = np.unique(lines.pair, axis=0, return_inverse=True)
    step = 180 / N_DIRECTIONS
    key = number.ravel()[lines.line] * N_DIRECTIONS + direction_bins(direction)
    total = np.bincount(key, pieces.length, len(pairs) * N_DIRECTIONS).astype(float)
    open_ended = np.zeros(len(total), dtype=bool)
    error = length_errors(pieces, key, open_ended, placed.mesh, sigma, variance=variance)
    # A piece of about one cell may count in either of two directions.
    edge = np.sqrt(placed.mesh.usual_area / 12)
    columns = {
        "class_first": np.repeat(pairs[:, 0], N_DIRECTIONS),
        "class_second": np.repeat(pairs[:, 1], N_DIRECTIONS),
        "direction": np.tile(np.arange(N_DIRECTIONS) * step, len(pairs)),
        "length": total,
        "length_error": np.hypot(error, edge * (total > 0)),
    }
    units = {"direction": "deg", "length": placed.unit, "length_error": placed.unit}
    return table_from_columns(columns, units=units)


def _tell(placed: PlacedClasses, lines: ClassLines, table: Table, sigma: float) -> None:
    real = lines.ends[:, 0] >= 0
    ends = lines.ends[real]
    pair = lines.pair[lines.line[real]]
    other = np.unique(ends[placed.labels[ends] != pair])
    what = "pixels" if placed.is_map else "sites"
    add_note(
        table,
        f"{len(lines.pair)} boundaries, {float(table['length'].sum()):.4g} {placed.unit} in all, "
        f"after smoothing by {sigma:.3g} {placed.unit}; {len(other)} {what} beside them are of a "
        "class that the smoothed one overrules.",
    )
