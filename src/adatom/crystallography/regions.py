"""Connected regions of one class, and how large each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse
import xarray as xr
from scipy.sparse.csgraph import connected_components

from adatom.crystallography._counting import COUNT_VARIANCE, count_variance
from adatom.crystallography._lengths import (
    Pieces,
    errors_of_outlines,
    length_errors,
    pieces_of_lines,
)
from adatom.crystallography._placed import PlacedClasses, placed_classes, sites_of_classes
from adatom.errors import SettingError
from adatom.numerics.class_contours import ClassLines, class_lines
from adatom.numerics.groups import means_by_group, sums_by_group
from adatom.numerics.meshes import smooth_over_mesh
from adatom.schema import CLASSES, Classes, Sites, Table, add_note, positions, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Regions(NamedTuple):
    """Connected regions of one class.

    Attributes
    ----------
    regions : Classes
        Number of the region of every site or pixel, by falling area; -1: none.
    table : Table
        A row a region.
    """

    regions: Classes
    table: Table


def find_regions(classes: Classes, sites: Sites | None = None, /, *, min_sites: int = 1) -> Regions:
    """Find connected regions of one class, and measure them.

    Sites are connected to their neighbors: those that ``neighbor_index``
    names, if the sites carry it, else those whose Voronoi cells share a face
    longer than a quarter of their distance. Pixels are connected across
    their sides.

    Parameters
    ----------
    classes : Classes
        Of the sites of one frame, or of the pixels or windows of a map.
    sites : Sites, optional
        Where the classes are, if they do not say so themselves.
    min_sites : int
        Smaller regions get no number. By default all are told. Islands of
        one site within another class are most often errors of the labels:
        a note says how many there are, and none is given another class.

    Returns
    -------
    Regions
        ``regions``: Classes of the same places, ``label`` the number of the
        region, by falling area. ``table``, a row a region: ``region``,
        ``class``, ``n_sites`` (of pixels for maps), ``area`` (sum of the
        cells of its sites), ``perimeter`` within the field (the length of its
        boundaries as of `find_boundaries`, not along the edge of the field;
        of islands too small for a boundary the circumference of a circle of
        that area), ``equivalent_diameter`` of a circle of that area, centroid
        ``y`` and ``x``, each with its ``_error``; ``is_cut``: reaches the
        edge of the field or a place without classes, so that only a part of
        it may be seen.

        The error of an area is that of counting the cells of a lattice
        within a smooth outline that lies anywhere [1]_, as discs laid among these
        very sites tell it, and of the probabilities of the labels where there are
        any. Of a straight wall that runs along a lattice row, nobody knows where
        between two rows it is: its area is uncertain by 0.29 spacings times its
        length, which ``area_error`` does not hold; nor does it hold classes that
        are wrong along one side of a wall.
        Of simulated blobs of 4 spacings radius and more, on square, hexagonal and
        honeycomb lattices, 1.96 errors hold about 95 % of areas, perimeters and
        centroids.

    Raises
    ------
    KindError
        If the classes do not say where they are, or are of several frames.
    TooFewSitesError
        If fewer than three sites have a class, or all lie on a line.
    SettingError
        If `min_sites` is less than one.

    References
    ----------
    .. [1] H. J. G. Gundersen and E. B. Jensen, J. Microsc. 147, 229 (1987).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:6, :6]
    >>> sites = sites_from_positions(y.ravel(), x.ravel(), unit="nm")
    >>> classes = xr.Dataset({"label": ("site", (x.ravel() > 1).astype(int))})
    >>> find_regions(classes, sites).table["area"].values
    array([24., 12.])
    """
    CLASSES.check(classes)
    if min_sites < 1:
        msg = f"{min_sites=} must be 1 or more"
        raise SettingError(msg)
    placed = placed_classes(classes, sites)
    pairs = connections(placed, classes, sites)
    region = region_numbers(placed, pairs)
    lines = smoothed_lines(placed, placed.mesh.spacing)
    columns = _measured(placed, region, lines)
    kept = columns["n_sites"] >= min_sites
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    table = _table({name: column[kept] for name, column in columns.items()}, placed.unit)
    labels = np.full(classes["label"].size, -1, dtype=np.int64)
    labels[placed.index] = number[region]
    found = classes[["label"]].copy()
    found = found.assign(label=(classes["label"].dims, labels.reshape(classes["label"].shape)))
    found.attrs = {
        name: value for name, value in classes.attrs.items() if name in {"extent", "spacing"}
    }
    found.attrs |= {"of": "region", "n_classes": int(kept.sum())}
    for result in (found, table):
        add_note(result, _told(placed, columns["n_sites"], kept, classes["label"].size, min_sites))
    return Regions(found, table)


def connections(
    placed: PlacedClasses, classes: xr.Dataset, sites: xr.Dataset | None, /
) -> NDArray[np.int64]:
    """Give pairs of connected places: named neighbors where they are neighbors among these."""
    if placed.is_map:
        return placed.mesh.edges[placed.mesh.faces > 0]
    named = sites_of_classes(classes, sites)
    if not {"neighbor_index", "neighbor_vector"} <= set(named):
        return placed.mesh.neighbors
    index = named["neighbor_index"].values
    places, vector = positions(named), named["neighbor_vector"].values
    filled = (index >= 0) & (index < len(places))
    first, slot = np.nonzero(filled)
    second = index[first, slot]
    off = np.abs(places[second] - places[first] - vector[first, slot]).max(axis=1)
    # Neighbors among other sites have numbers too, but not the places that these vectors lead to.
    if not len(off) or not (off < 1e-3 * placed.mesh.spacing).all():
        return placed.mesh.neighbors
    number = np.full(len(places), -1, dtype=np.int64)
    number[placed.index] = np.arange(len(placed.index))
    pairs = np.column_stack([number[first], number[second]])
    return pairs[(pairs >= 0).all(axis=1)]


def region_numbers(placed: PlacedClasses, pairs: NDArray[np.int64], /) -> NDArray[np.int64]:
    """Give connected places of one class a number, the largest region first."""
    same = pairs[placed.labels[pairs[:, 0]] == placed.labels[pairs[:, 1]]]
    n = len(placed.labels)
    graph = scipy.sparse.coo_array(
        (np.ones(len(same), dtype=np.int8), (same[:, 0], same[:, 1])), shape=(n, n)
    ).tocsr()
    _, region = connected_components(graph, directed=False)
    areas = np.bincount(region, cell_areas(placed))
    # Equal areas in the order of their sites.
    order = np.argsort(-np.round(areas / placed.mesh.spacing**2, 9), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[region])


def cell_areas(placed: PlacedClasses, /) -> NDArray[np.float64]:
    """Give the area of the cell of each place; at the rim that of others of its class."""
    mesh = placed.mesh
    if placed.is_map:
        return np.full(len(mesh.points), mesh.spacing**2)
    inside = ~mesh.open
    all_usual = float(np.median(mesh.areas[inside])) if inside.any() else mesh.spacing**2
    areas = mesh.areas.copy()
    for k in np.unique(placed.labels):
        of_class = placed.labels == k
        inner = mesh.areas[of_class & inside]
        # A few cells of a class would be no better known than those of all.
        usual = float(np.median(inner)) if len(inner) >= 20 else all_usual
        areas[of_class & mesh.open] = usual
    return areas


def smoothed_lines(placed: PlacedClasses, sigma: float, /) -> ClassLines:
    """Draw the boundaries between classes of places that are smoothed by `sigma`."""
    return class_lines(placed.mesh, smooth_over_mesh(placed.mesh, placed.share, sigma=sigma))


def _measured(
    placed: PlacedClasses, region: NDArray[np.int64], lines: ClassLines
) -> dict[str, NDArray[Any]]:
    n = int(region.max()) + 1
    cells, points = cell_areas(placed), placed.mesh.points
    count = np.bincount(region, minlength=n)
    area = np.bincount(region, cells, n)
    center = sums_by_group(cells[:, None] * points, region, n_groups=n) / area[:, None]
    spread = means_by_group((points - center[region]) ** 2, region, n_groups=n)
    is_cut = np.bincount(region, placed.mesh.rim, n) > 0
    variance = variance_of_counts(placed, cells)
    perimeter, perimeter_error = _perimeters(placed, region, lines, ~is_cut, variance)
    lost = (perimeter == 0) & ~is_cut
    perimeter = np.where(lost, 2 * np.sqrt(np.pi * area), perimeter)
    perimeter_error[lost] = errors_of_outlines(
        perimeter[lost], placed.mesh, placed.mesh.spacing, variance=variance
    )
    cell = area / count
    own = placed.share[np.arange(len(region)), placed.labels]
    doubt = np.bincount(region, own * (1 - own) * cells**2, n)
    grid = variance * perimeter * cell**1.5
    area_error = np.sqrt(grid + doubt)
    diameter = 2 * np.sqrt(area / np.pi)
    # Cells won or lost lie at the outline, twice as far (squared) from the
    # centroid as those within a disc or an ellipse.
    center_error = np.sqrt(2 * (spread + cell[:, None] / 12) * (grid + doubt)[:, None])
    center_error = center_error / area[:, None]
    label = np.zeros(n, dtype=np.int64)
    label[region] = placed.labels
    return {
        "region": np.arange(n),
        "class": label,
        "n_sites": count,
        "area": area,
        "area_error": area_error,
        "perimeter": perimeter,
        "perimeter_error": perimeter_error,
        "equivalent_diameter": diameter,
        "equivalent_diameter_error": diameter / 2 * area_error / area,
        "y": center[:, 0],
        "y_error": center_error[:, 0],
        "x": center[:, 1],
        "x_error": center_error[:, 1],
        "is_cut": is_cut,
    }


def variance_of_counts(placed: PlacedClasses, cells: NDArray[np.float64], /) -> float:
    """Give the variance of areas of smooth shapes, over their perimeters in roots of a cell."""
    return COUNT_VARIANCE if placed.is_map else count_variance(placed.mesh, cells)


def _perimeters(
    placed: PlacedClasses,
    region: NDArray[np.int64],
    lines: ClassLines,
    closed: NDArray[np.bool_],
    variance: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give each region the segments beside it, those that end where three meet too; and errors."""
    mesh, n = placed.mesh, len(closed)
    pieces = pieces_of_lines(mesh, lines, mesh.spacing)
    both = []
    for side in (0, 1):
        beside = region_beside(placed, region, lines, side)
        following = np.append(beside[1:], -1) if len(beside) else beside
        beside = np.where(beside >= 0, beside, following)
        both.append(np.where(pieces.length > 0, beside, -1))
    group = np.concatenate(both)
    known = group >= 0
    twice = Pieces(*(np.concatenate([part, part]) for part in pieces))
    perimeter = np.bincount(group[known], twice.length[known], n).astype(float)
    return perimeter, length_errors(twice, group, closed, mesh, mesh.spacing, variance=variance)


def region_beside(
    placed: PlacedClasses, region: NDArray[np.int64], lines: ClassLines, side: int, /
) -> NDArray[np.int64]:
    """Give the region at a side of each vertex of the lines: -1 where it is of another class."""
    end = lines.ends[:, side]
    is_own = (end >= 0) & (placed.labels[end] == lines.pair[lines.line, side])
    return np.where(is_own, region[end], -1)


def _table(columns: dict[str, NDArray[Any]], unit: str) -> Table:
    lengths = ("perimeter", "equivalent_diameter", "y", "x")
    units = dict.fromkeys(("area", "area_error"), f"{unit}^2")
    units |= {f"{name}{end}": unit for name in lengths for end in ("", "_error")}
    columns = {**columns, "region": np.arange(len(columns["region"]))}
    return table_from_columns(columns, units=units)


def _told(
    placed: PlacedClasses,
    sizes: NDArray[np.int64],
    kept: NDArray[np.bool_],
    n_all: int,
    min_sites: int,
) -> str:
    what = "pixels" if placed.is_map else "sites"
    single = int((sizes == 1).sum())
    text = f"{int(kept.sum())} regions of {int(sizes[kept].sum())} {what}"
    if single:
        text += f"; {single} single {what} within other classes, most likely errors of the labels"
    if not kept.all():
        text += (
            f"; {int((~kept).sum())} regions of fewer than {min_sites} {what}, "
            f"{int(sizes[~kept].sum())} in all, have no number"
        )
    left = n_all - len(placed.labels)
    return text + (f"; {left} {what} without a class or a place." if left else ".")
