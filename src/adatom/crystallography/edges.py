"""Edges of a sheet: where its atoms end although more would have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter1d

from adatom.crystallography._edge_lines import EdgeLine, beside_lines, smooth_line
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.alpha_shapes import Outline, outlines_of_points
from adatom.numerics.readers import reader_of
from adatom.schema import (
    IMAGE,
    MASK,
    MOVIE,
    SITES,
    Image,
    Mask,
    Movie,
    Sites,
    Table,
    add_note,
    extent,
    pixel_size,
    positions,
    sites_from_positions,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Fewer sites in one piece are a cluster of adatoms or of false sites rather than a sheet.
_FEWEST: Final = 24
# Shorter pieces of edge are corners where an outermost site was not found.
_SHORTEST: Final = 4.0
# Where brightness is compared, in spacings beyond and inside of the outermost atoms, after a blur
# that levels the lattice; over how many sides of the outline together; and what share of
# the way from the sheet to the darkest part of the frame it must be darker.
_BEYOND: Final = (1.0, 1.5, 2.0)
_INSIDE: Final = (-1.5, -2.0, -2.5)
_BLUR: Final = 0.8
_TOGETHER: Final = 5
_DARK: Final = 0.4


class Edges(NamedTuple):
    """Edges of a sheet, in every frame.

    Attributes
    ----------
    table : Table
        A row an edge.
    lines : Sites
        Points along the edges.
    sites : Sites
        The sites, with which of them are on an edge.
    """

    table: Table
    lines: Sites
    sites: Sites


class _Edge(NamedTuple):
    line: EdgeLine
    members: NDArray[np.int64]
    is_hole: bool
    area: float
    roughness: float
    darkness: float = float("nan")


def find_edges(
    sites: Sites,
    image: Image | Movie | None = None,
    regions: Mask | None = None,
    /,
    *,
    reach: Length = "1.7 d",
    margin: Length = "2 d",
    smoothing: Length = "2 d",
) -> Edges:
    """Find the edges of a sheet: its outer edge, and those of holes.

    The sheet is what triangles of neighboring sites fill (their alpha shape): a
    disc of the radius `reach` finds no room in it. Its outline is an
    edge where what lies beyond was seen to be empty; along the border of the frame, or
    beside what was not analyzed, the sheet may go on, and there is no edge. Lines are
    smoothed along their way, so that they have a direction at every atom.

    Parameters
    ----------
    sites : Sites
        Atoms of an image, or of the frames of a movie, with ``attrs["spacing"]``, and
        ``attrs["extent"]`` of what was seen; else that is the box of all sites, the border of
        which then shows no edges.
    image : Image or Movie, optional
        Atoms are bright. An edge is then one only if it is dark beyond it, about as
        dark as the darkest part of the frame. So a part of the sheet in which atoms were
        not found, or contamination, makes no edge. Frames are read one by one.
    regions : Mask, optional
        False where atoms would not have been seen, as under contamination; vacuum is True.
    reach : length
        Holes into which a disc of this radius does not fit are none: by default a missing atom
        or pair is no edge, a missing ring of six is.
    margin : length
        How far beyond the outermost atoms vacuum must have been seen.
    smoothing : length
        Standard deviation of the smoothing of lines, along them. Two spacings level the
        teeth of the lattice and keep bends of a nanometer.

    Returns
    -------
    Edges
        ``table``, a row an edge: ``edge`` (number within its frame, the longest
        first), ``frame`` if sites have it, ``length``, ``roughness`` (root mean square distance
        of the outermost atoms from the line), ``direction`` (of the straight line that fits
        best, in deg from +x towards +y, modulo 180; NaN if closed), ``is_closed``, ``is_hole``,
        ``area`` (of holes and of islands, else NaN), ``n_sites``, and ``darkness`` beyond it (0 as
        bright as the sheet, 1 as dark as the darkest part of the frame; NaN without image).

        ``lines``: Sites along the edges, a fourth of a spacing apart, with ``edge``,
        ``frame``, ``along`` (length from the first point) and ``normal`` (site, axis), the unit
        vector towards the vacuum. The line runs so that the normal is its
        direction turned by 90 deg from +x towards +y.

        ``sites``: as given, with ``edge``, the number of the edge on which each is, -1 for none,
        and ``edge_distance`` from the nearest line, positive towards the vacuum; NaN in
        frames without one.

    Raises
    ------
    KindError
        If the sites do not tell their spacing, or image or regions have other frames.
    SettingError
        If a length is not positive.
    TooFewSitesError
        If there are no sites.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:10.0, :12.0])
    >>> sheet = sites_from_positions(y, x, unit="nm", spacing=1.0, extent=[0, 20, 0, 11])
    >>> edges = find_edges(sheet)
    >>> edges.table["length"].values.round(1), edges.table["direction"].values.round(1)
    (array([11.]), array([0.]))
    """
    SITES.check(sites, name="sites")
    if not sites.sizes["site"]:
        msg = "there are no sites: find the atoms of the sheet first"
        raise TooFewSitesError(msg)
    spacing = _spacing(sites)
    lengths = {
        name: length_from_setting(told, unit=space_unit(sites), spacing=spacing, name=name)
        for name, told in (("reach", reach), ("margin", margin), ("smoothing", smoothing))
    }
    for name, length in lengths.items():
        if not length > 0:
            msg = f"{name} is {length:.3g} {space_unit(sites)}, it must be positive"
            raise SettingError(msg)
    places = positions(sites)
    frame = sites["frame"].values if "frame" in sites.coords else np.zeros(len(places), dtype=int)
    seen = _Seen(sites, regions, places)
    dark = _Darkness(sites, image, spacing)
    found: dict[int, list[_Edge]] = {}
    n_short = n_loose = 0
    for number in np.unique(frame).tolist():
        here = np.flatnonzero((frame == number) & np.isfinite(places).all(axis=1))
        outlines = outlines_of_points(places[here], radius=lengths["reach"])
        edges, short, loose = _edges(
            places[here], outlines, seen.of_frame(number), dark.in_frame(number), lengths, spacing
        )
        n_short, n_loose = n_short + short, n_loose + loose
        found[number] = [edge._replace(members=here[edge.members]) for edge in edges]
    with_frames = "frame" in sites.coords
    table = _table(found, space_unit(sites), with_frames)
    _tell(table, found, n_short, n_loose)
    lines = _lines(found, sites, with_frames)
    return Edges(table, lines, _marked(sites, places, frame, found, spacing))


def _spacing(sites: Sites) -> float:
    spacing = sites.attrs.get("spacing")
    if not spacing or not float(spacing) > 0:
        msg = (
            "the sites have no attrs['spacing'], the distance of neighbors: finders give it; "
            'else set sites.attrs["spacing"]'
        )
        raise KindError(msg)
    return float(spacing)


class _Seen:
    """Where atoms would have been seen, had there been any."""

    def __init__(self, sites: Sites, regions: Mask | None, places: Floats) -> None:
        self.box = sites.attrs.get("extent")
        if self.box is None and regions is not None:
            self.box = extent(regions)
        if self.box is None:
            low, high = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
            self.box = [low[0], high[0], low[1], high[1]]
        self.regions = regions
        if regions is None:
            return
        MASK.check(regions, name="regions")
        if space_unit(regions) != space_unit(sites):
            msg = f"regions are in {space_unit(regions)}, the sites in {space_unit(sites)}"
            raise KindError(msg)
        if "frame" in regions.dims and "frame" not in sites.coords:
            msg = "regions has frames, sites have no coordinate 'frame': give one frame of regions"
            raise KindError(msg)

    def of_frame(self, number: int) -> _SeenInFrame:
        if self.regions is None:
            return _SeenInFrame(self.box, None)
        if "frame" not in self.regions.dims:
            return _SeenInFrame(self.box, self.regions)
        numbers = np.arange(self.regions.sizes["frame"])
        if "frame" in self.regions.coords:
            numbers = self.regions.coords["frame"].values
        at = np.flatnonzero(numbers == number)
        if len(at) != 1:
            msg = f"sites hold frame {number}, regions do not: give regions of every frame"
            raise KindError(msg)
        return _SeenInFrame(self.box, self.regions.isel(frame=int(at[0])))


class _SeenInFrame(NamedTuple):
    box: Any
    regions: Mask | None

    def at(self, places: Floats) -> Bools:
        """Tell of places (place, axis) whether an atom there would have been seen."""
        low_y, high_y, low_x, high_x = self.box
        seen = (places >= [low_y, low_x]).all(axis=1) & (places <= [high_y, high_x]).all(axis=1)
        if self.regions is None:
            return np.asarray(seen)
        origin = np.array([self.regions.coords[axis].values[0] for axis in ("y", "x")])
        pixel = np.rint((places - origin) / pixel_size(self.regions)).astype(int)
        inside = ((pixel >= 0) & (pixel < self.regions.shape)).all(axis=1)
        pixel = np.clip(pixel, 0, np.array(self.regions.shape) - 1)
        return np.asarray(seen & inside & self.regions.values[pixel[:, 0], pixel[:, 1]])


class _Darkness:
    """How dark the image is beyond an edge."""

    def __init__(self, sites: Sites, image: Image | Movie | None, spacing: float) -> None:
        self.image, self.spacing = image, spacing
        if image is None:
            return
        (MOVIE if "frame" in image.dims else IMAGE).check(image, name="image")
        if space_unit(image) != space_unit(sites):
            msg = f"the image is in {space_unit(image)}, the sites in {space_unit(sites)}"
            raise KindError(msg)
        if ("frame" in image.dims) != ("frame" in sites.coords):
            msg = "only one of image and sites has frames: give the movie in which they were found"
            raise KindError(msg)

    def in_frame(self, number: int) -> _DarknessInFrame | None:
        """Prepare one frame; None without image."""
        if self.image is None:
            return None
        steps = np.array(pixel_size(self.image))
        origin = np.array([self.image.coords[axis].values[0] for axis in ("y", "x")])
        values = _frame_of(self.image, number)
        pixels = gaussian_filter(values, _BLUR * self.spacing / steps, mode="nearest")
        return _DarknessInFrame(
            pixels, origin, steps, self.spacing, float(np.percentile(pixels, 1))
        )


class _DarknessInFrame(NamedTuple):
    pixels: Floats
    origin: Floats
    steps: Floats
    spacing: float
    darkest: float

    def beyond(self, places: Floats, outward: Floats, *, over: int, reach: float) -> Floats:
        """Give the darkness beyond places (place, axis) around a loop, each with its neighbors."""

        def level(distances: Sequence[float], count: int) -> Floats:
            there = np.zeros(len(places))
            for away in distances:
                at = (places + away * self.spacing * outward - self.origin) / self.steps
                there += map_coordinates(self.pixels, at.T, order=1, mode="nearest")
            together = uniform_filter1d(there, min(count, len(there)), mode="wrap")
            return np.asarray(together / len(distances))

        sheet = level(_INSIDE, 3 * over)
        empty = level([reach * away for away in _BEYOND], over)
        contrast = sheet - self.darkest
        return np.where(contrast > 0, (sheet - empty) / np.where(contrast > 0, contrast, 1.0), 0.0)


def _frame_of(image: Image | Movie, number: int) -> Floats:
    """Read a frame; what was not measured is as bright as most."""
    if "frame" not in image.dims:
        values = np.asarray(image.values, dtype=float)
    else:
        numbers = np.arange(image.sizes["frame"])
        if "frame" in image.coords:
            numbers = image.coords["frame"].values
        at = np.flatnonzero(numbers == number)
        if len(at) != 1:
            msg = f"sites hold frame {number}, the movie does not"
            raise KindError(msg)
        k, whole = int(at[0]), [slice(0, size) for size in image.shape[1:]]
        values = np.asarray(reader_of(image.data)((slice(k, k + 1), *whole)), dtype=float)[0]
    return np.where(np.isfinite(values), values, float(np.nanmedian(values)))


def _edges(
    places: Floats,
    outlines: list[Outline],
    seen: _SeenInFrame,
    dark: _DarknessInFrame | None,
    lengths: dict[str, float],
    spacing: float,
) -> tuple[list[_Edge], int, int]:
    """Cut outlines to edges, the longest first; tell how many pieces were short, or loose."""
    edges: list[_Edge] = []
    short = loose = 0
    sizes: dict[int, int] = {}
    for outline in outlines:
        sizes.setdefault(outline.part, _size(outline, spacing))
        if sizes[outline.part] < _FEWEST:
            loose += outline.area > 0
            continue
        members = outline.points
        corner, following = places[members], places[np.roll(members, -1)]
        along = following - corner
        length = np.linalg.norm(along, axis=1, keepdims=True)
        outward = np.column_stack([along[:, 1], -along[:, 0]]) / np.where(length > 0, length, 1.0)
        middle = (corner + following) / 2
        real = seen.at(middle + lengths["margin"] * outward)
        darkness = np.full(len(real), np.nan)
        if dark is not None:
            # Not beyond the middle of a hole.
            radius = float(np.sqrt(abs(outline.area) / np.pi)) / spacing
            reach = min(1.0, radius / _BEYOND[-1]) if outline.area < 0 else 1.0
            darkness = dark.beyond(middle, outward, over=_TOGETHER, reach=reach)
            real &= darkness > _DARK
        for piece, closed in _pieces(real):
            run = members[piece]
            line = smooth_line(
                places[run], closed=closed, spacing=spacing, sigma=lengths["smoothing"]
            )
            if line.length < _SHORTEST * spacing:
                short += 1
                continue
            beside = beside_lines(places[run], line.points, line.normal, step=spacing)
            roughness = float(np.sqrt(np.mean(beside.distance**2)))
            area = abs(outline.area) if closed else float("nan")
            mean = float(darkness[piece[: None if closed else -1]].mean())
            edges.append(_Edge(line, run, outline.area < 0, area, roughness, mean))
    edges.sort(key=lambda edge: -edge.line.length)
    return edges, short, loose


def _size(outline: Outline, spacing: float) -> int:
    """Give about how many sites of a honeycomb, of 1.3 spacings squared each, a part holds."""
    return round(outline.area / (1.3 * spacing**2)) + len(outline.points) // 2


def _pieces(real: Bools) -> list[tuple[NDArray[np.int64], bool]]:
    """List the runs of a loop's sides that are real, as numbers of corners, and if closed."""
    n = len(real)
    if real.all():
        return [(np.arange(n), True)]
    pieces = []
    for start in np.flatnonzero(real & ~np.roll(real, 1)).tolist():
        count = int(np.argmin(np.roll(real, -start)))
        pieces.append(((start + np.arange(count + 1)) % n, False))
    return pieces


def _table(found: dict[int, list[_Edge]], unit: str, with_frames: bool) -> Table:
    rows = [(frame, k, edge) for frame, edges in found.items() for k, edge in enumerate(edges)]
    columns: dict[str, Any] = {"edge": np.array([k for _, k, _ in rows], dtype=np.int64)}
    if with_frames:
        columns["frame"] = np.array([frame for frame, _, _ in rows], dtype=np.int64)
    columns |= {
        "length": np.array([edge.line.length for *_, edge in rows], dtype=float),
        "roughness": np.array([edge.roughness for *_, edge in rows], dtype=float),
        "direction": np.array([_direction(edge.line) for *_, edge in rows], dtype=float),
        "is_closed": np.array([edge.line.closed for *_, edge in rows], dtype=bool),
        "is_hole": np.array([edge.is_hole for *_, edge in rows], dtype=bool),
        "area": np.array([edge.area for *_, edge in rows], dtype=float),
        "darkness": np.array([edge.darkness for *_, edge in rows], dtype=float),
        "n_sites": np.array([len(edge.members) for *_, edge in rows], dtype=np.int64),
    }
    units = {"length": unit, "roughness": unit, "direction": "deg", "area": f"{unit}^2"}
    return table_from_columns(columns, units=units)


def _direction(line: EdgeLine) -> float:
    if line.closed:
        return float("nan")
    apart = line.points - line.points.mean(axis=0)
    axis = np.linalg.svd(apart, full_matrices=False)[2][0]
    angle = float(np.degrees(np.arctan2(axis[0], axis[1])) % 180)
    return 0.0 if angle > 180 - 1e-9 else angle


def _tell(table: Table, found: dict[int, list[_Edge]], n_short: int, n_loose: int) -> None:
    without = [number for number, edges in found.items() if not edges]
    frames = f" in {len(found)} frames" if len(found) > 1 else ""
    add_note(table, f"{table.sizes['row']} edges{frames}, {int(table['is_hole'].sum())} of holes.")
    if without and len(found) > 1:
        named = ", ".join(map(str, without[:20])) + (", ..." if len(without) > 20 else "")
        add_note(table, f"{len(without)} frames show no edge: {named}.")
    if n_short:
        add_note(table, f"{n_short} pieces shorter than {_SHORTEST:g} spacings were left out.")
    if n_loose:
        add_note(table, f"{n_loose} clusters of fewer than {_FEWEST} sites are no part of a sheet.")


def _lines(found: dict[int, list[_Edge]], sites: Sites, with_frames: bool) -> Sites:
    rows = [(frame, k, edge.line) for frame, edges in found.items() for k, edge in enumerate(edges)]
    counts = [len(line.points) for *_, line in rows]
    nothing = np.zeros((0, 2))
    points = np.concatenate([nothing, *(line.points for *_, line in rows)])
    frame = np.repeat(np.array([number for number, *_ in rows], dtype=np.int64), counts)
    lines = sites_from_positions(
        *points.T,
        unit=space_unit(sites),
        frame=frame if with_frames else None,
        spacing=sites.attrs["spacing"],
        extent=sites.attrs.get("extent"),
    )
    lines.coords["axis"] = ("axis", np.array(["y", "x"]))
    edge = np.repeat(np.array([k for _, k, _ in rows], dtype=np.int64), counts)
    lines["edge"] = ("site", edge)
    along = np.concatenate([np.zeros(0), *(line.along for *_, line in rows)])
    lines["along"] = ("site", along, {"units": space_unit(sites)})
    normal = np.concatenate([nothing, *(line.normal for *_, line in rows)])
    lines["normal"] = (("site", "axis"), normal, {"units": "1"})
    return lines


def _marked(
    sites: Sites,
    places: Floats,
    frame: NDArray[np.int64],
    found: dict[int, list[_Edge]],
    spacing: float,
) -> Sites:
    edge = np.full(len(places), -1, dtype=np.int64)
    distance = np.full(len(places), np.nan)
    for number, edges in found.items():
        here = np.flatnonzero((frame == number) & np.isfinite(places).all(axis=1))
        if not edges or not len(here):
            continue
        points = np.concatenate([one.line.points for one in edges])
        normal = np.concatenate([one.line.normal for one in edges])
        distance[here] = beside_lines(places[here], points, normal, step=spacing).distance
        for k, one in reversed(list(enumerate(edges))):
            edge[one.members] = k
    marked = sites.copy()
    marked["edge"] = ("site", edge)
    marked["edge_distance"] = ("site", distance, {"units": space_unit(sites)})
    return marked
