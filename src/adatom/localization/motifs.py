"""What a unit cell holds, and where it is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage
import xarray as xr
from scipy.spatial import cKDTree

from adatom.errors import KindError, NoLatticeError
from adatom.localization.cells import PART, frame_numbers, frames_of
from adatom.numerics.autocorrelation import without_background
from adatom.numerics.peaks import local_maxima, parabolic_maxima, thin_out
from adatom.schema import (
    IMAGE,
    MOVIE,
    SITES,
    TABLE,
    Image,
    Movie,
    Sites,
    Table,
    add_note,
    extent,
    image_from_array,
    pixel_size,
    positions,
    sites_from_positions,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float64]

# The first motif is averaged over so many cells to every side: near enough that no
# distortion of the scan blurs it.
CELLS_AROUND = 2
# Places at which it is tried, along each axis.
TRIALS = 5
# Each round averages the places that were found and looks again; the third changes little.
ROUNDS = 3
# Two motifs are not seen nearer to one another than this share of the shorter vector, nor
# than this share of the cell along each of its vectors.
APART = 0.6
# A motif of a lattice has others at so many of the six shortest shifts, each found within
# this share of the shorter vector.
FEWEST_NEIGHBORS = 2
ASIDE = 0.25
# Of the places where copies with shifted rows are like the motif, so many in a hundred are less so.
BEYOND_CHANCE = 99.0
# A motif cut by the edge is compared where so much of it is seen.
LEAST_WITHIN = 0.7
# Shorter vectors per width of the filter that turns a motif into one blob.
BLOB = 0.25


class _Motif(NamedTuple):
    """Pixels around the middle of a cell, and which of them belong to it."""

    pixels: Grid
    inside: NDArray[np.bool_]


def find_motifs(
    picture: Image | Movie,
    cells: Table,
    /,
    *,
    contrast: Literal["bright", "dark"] = "bright",
    seed: int = 0,
) -> Sites:
    """Find the places where the content of the unit cell comes again.

    The motif is the mean of neighboring cells. Where the picture is like it
    (correlation coefficient over one cell), a motif is found; the mean of all
    found ones is then looked for again. So rings, clusters and whole groups of
    atoms are found as one thing each, whatever they look like, and distortions
    of the scan are followed.

    Parameters
    ----------
    picture : Image or Movie
        A movie is read frame by frame.
    cells : Table
        From `find_unit_cell` of this picture; frames without a cell are left
        out.
    contrast : {"bright", "dark"}
        Seen from afar, a motif is a bright or a dark blob: its middle is taken
        for the place. It changes no more than the places within the cell.
    seed : int
        Of the shifts of rows by which chance is measured.

    Returns
    -------
    Sites
        The middles of the motifs, also of those that lie mostly within the
        picture. ``score``: correlation with the mean motif of the frame.
        A site is taken where it is more like the motif than 99 % of the best
        places of a copy with randomly shifted rows, and has two others at
        shifts of the lattice or more. ``attrs["spacing"]`` is the
        shorter vector of the cell (median over the frames).

    Raises
    ------
    NoLatticeError
        If no frame has a unit cell.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.localization import find_unit_cell
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> image = image_from_array(np.cos(y) + np.cos(x), pixel_size="0.01 nm")
    >>> motifs = find_motifs(image, find_unit_cell(image))
    >>> motifs.sizes["site"]  # those of which the frame cuts half are left out
    49
    """
    vectors = _checked(picture, cells)
    sign = 1.0 if contrast == "bright" else -1.0
    pixel = np.array(pixel_size(picture))
    is_movie = "frame" in picture.dims
    numbers = frame_numbers(picture) if is_movie else np.zeros(1, dtype=np.int64)
    found: list[tuple[Grid, Grid, int]] = []
    for number, frame, pair in zip(numbers, frames_of(picture), vectors, strict=True):
        if np.isfinite(pair).all():
            values = sign * without_background(frame)
            place, score = _places(values, pair / pixel, seed)
            found.append((place, score, int(number)))
    place = np.concatenate([one[0] for one in found]) * pixel
    frame_of_site = np.concatenate([np.full(len(one[0]), one[2]) for one in found])
    field = extent(picture)
    sites = sites_from_positions(
        place[:, 0] + field[0],
        place[:, 1] + field[2],
        unit=space_unit(picture),
        frame=frame_of_site if is_movie else None,
        spacing=float(np.nanmedian(np.hypot(*vectors[:, 0].T))),
        extent=field,
    )
    sites["score"] = ("site", np.concatenate([one[1] for one in found]))
    if len(found) < len(vectors):
        add_note(sites, _left_out(len(vectors) - len(found)))
    return sites


def estimate_motif(picture: Image | Movie, sites: Sites, cells: Table, /) -> Image:
    """Average the picture around sites: the content of the unit cell.

    Parameters
    ----------
    picture : Image or Movie
    sites : Sites
        From `find_motifs`; of the lower half by score none takes part.
    cells : Table
        From `find_unit_cell`: the mean is as large as twice the cell.

    Returns
    -------
    Image
        The mean over all sites, of all frames alike, as far as the picture
        goes around each; background is taken off before.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.localization import find_motifs, find_unit_cell
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> image = image_from_array(np.cos(y) + np.cos(x), pixel_size="0.01 nm")
    >>> cell = find_unit_cell(image)
    >>> motif = estimate_motif(image, find_motifs(image, cell), cell)
    >>> motif.sizes["y"] > 24, float(motif.max() - motif.min()) > 1
    (True, True)
    """
    vectors = _checked(picture, cells)
    SITES.check(sites)
    pixel = np.array(pixel_size(picture))
    typical = np.nanmedian(vectors, axis=0) / pixel
    half = np.ceil(np.abs(typical).sum(axis=0)).astype(int)
    field = extent(picture)
    place = (positions(sites) - np.array([field[0], field[2]])) / pixel
    score = sites["score"].values
    number = sites["frame"].values if "frame" in sites.coords else np.zeros(len(place), dtype=int)
    numbers = frame_numbers(picture) if "frame" in picture.dims else np.zeros(1, dtype=int)
    total, count = np.zeros(2 * half + 1), np.zeros(2 * half + 1)
    for one, frame in zip(numbers, frames_of(picture), strict=True):
        if one not in number:
            continue
        here = (number == one) & (score >= np.median(score[number == one]))
        cut = _cut(without_background(frame), place[here], half, whole=False)
        known = np.isfinite(cut)
        total += np.where(known, cut, 0.0).sum(axis=0)
        count += known.sum(axis=0)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    unit, step = space_unit(picture), float(np.sqrt(pixel.prod()))
    motif = image_from_array(
        mean.astype(np.result_type(picture.dtype, np.float32)),
        pixel_size=f"{step!r} {unit}",
        name="intensity" if picture.name is None else str(picture.name),
        units=str(picture.attrs.get("units", "1")),
    )
    for axis, dim in enumerate(("y", "x")):
        along = (np.arange(2 * half[axis] + 1) - half[axis]) * pixel[axis]
        motif = motif.assign_coords({dim: (dim, along, {"units": unit})})
    add_note(motif, f"Mean of {int(count.max())} places, of {int(count.min())} or more everywhere.")
    return motif


def _left_out(n_frames: int) -> str:
    if n_frames == 1:
        return "One frame without a unit cell is left out."
    return f"{n_frames} frames without a unit cell are left out."


def _checked(picture: xr.DataArray, cells: xr.Dataset) -> NDArray[np.float64]:
    """Check kinds, and give the vectors of every frame (frame, vector, axis)."""
    if not (MOVIE.fits(picture) or IMAGE.fits(picture)):
        msg = f"found {type(picture).__name__}, need an Image or a Movie"
        raise KindError(msg)
    TABLE.check(cells, name="cells")
    names = ("a_y", "a_x", "b_y", "b_x")
    n_frames = picture.sizes.get("frame", 1)
    if not set(names) <= set(cells) or cells.sizes["row"] != n_frames:
        msg = f"cells must come from find_unit_cell of this picture: one row for {n_frames=}"
        raise KindError(msg)
    vectors = np.stack([cells[name].values for name in names], axis=-1).reshape(-1, 2, 2)
    if not np.isfinite(vectors).all(axis=(1, 2)).any():
        msg = "no frame has a unit cell: level lines before find_unit_cell, or leave the step out"
        raise NoLatticeError(msg)
    return np.asarray(vectors)


def _places(values: Grid, vectors: Grid, seed: int) -> tuple[Grid, Grid]:
    """Find the motifs of one frame, in pixels, and how like the mean motif each is."""
    motif = _first_motif(values, vectors)
    for _ in range(ROUNDS):
        points, score = _single_maxima(_likeness(values, motif), vectors, above=0.0)
        good = points[score >= np.median(score)].astype(float)
        cut = _cut(values, good, np.array(motif.pixels.shape) // 2)
        if len(cut) > 1:
            motif = _centered(values, good, cut.mean(axis=0), vectors, motif.inside)
    likeness = _likeness(values, motif)
    points, score = _single_maxima(likeness, vectors, above=_chance(values, motif, vectors, seed))
    places = parabolic_maxima(likeness, points)
    kept = _has_neighbors(places, vectors)
    return places[kept], score[kept]


def _single_maxima(likeness: Grid, vectors: Grid, *, above: float) -> tuple[NDArray[np.intp], Grid]:
    """Give maxima of which none is within a cell of a higher one, and their heights."""
    points = local_maxima(likeness, above=above)
    apart = APART * float(np.hypot(*vectors.T).min())
    points = points[thin_out(points, likeness[tuple(points.T)], distance=apart)]
    in_cells = points @ np.linalg.inv(vectors)
    kept = np.sort(thin_out(in_cells, likeness[tuple(points.T)], distance=APART))
    return points[kept], np.asarray(likeness[tuple(points[kept].T)])


def _has_neighbors(places: Grid, vectors: Grid) -> NDArray[np.bool_]:
    """Tell which places have others at the shifts of the lattice."""
    if not len(places):
        return np.zeros(0, dtype=bool)
    a, b = vectors
    third = a - b if a @ b > 0 else a + b
    reach = ASIDE * float(np.hypot(*vectors.T).min())
    tree = cKDTree(places)
    shifted = places[:, None] + np.array([a, b, third, -a, -b, -third])
    count = (tree.query(shifted)[0] < reach).sum(axis=1)
    return np.asarray(count >= FEWEST_NEIGHBORS)


def _chance(values: Grid, motif: _Motif, vectors: Grid, seed: int) -> float:
    """Give how like the motif are the best places of a copy with randomly shifted rows."""
    rng = np.random.default_rng(seed)
    part = values[:PART, :PART]
    shifts = rng.integers(0, part.shape[1], len(part))
    places = (np.arange(part.shape[1]) - shifts[:, None]) % part.shape[1]
    likeness = _likeness(np.take_along_axis(part, places, axis=1), motif)
    _, best = _single_maxima(likeness, vectors, above=0.0)
    return float(np.percentile(best, BEYOND_CHANCE)) if best.size else 0.0


def _window(vectors: Grid) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the half size of the window that holds a cell, and the pixels of the cell in it."""
    half = np.ceil(np.abs(vectors).sum(axis=0) / 2).astype(np.intp)
    y, x = np.mgrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    share = np.stack([y, x], axis=-1) @ np.linalg.inv(vectors)
    return half, np.asarray((np.abs(share) <= 0.5).all(axis=-1))


def _first_motif(values: Grid, vectors: Grid) -> _Motif:
    """Average cells about several places, and take the mean that holds most of its power."""
    half, inside = _window(vectors)
    steps = np.arange(-CELLS_AROUND, CELLS_AROUND + 1)
    shifts = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2) @ vectors
    margin = np.minimum(np.abs(shifts).max(axis=0) + half, np.array(values.shape) // 2 - 1)
    trials = [
        np.linspace(room, size - 1 - room, TRIALS)
        for room, size in zip(margin, values.shape, strict=True)
    ]
    best, most = None, -np.inf
    for y in trials[0]:
        for x in trials[1]:
            cut = _cut(values, np.array([y, x]) + shifts, half)
            if len(cut) < 2:
                continue
            mean = cut.mean(axis=0)
            power = float(mean[inside].var() / cut[:, inside].var())
            if power > most:
                best, most = (np.array([y, x]) + shifts, mean), power
    if best is None:
        msg = "the picture is smaller than two unit cells: nothing can be averaged"
        raise NoLatticeError(msg)
    return _centered(values, best[0], best[1], vectors, inside)


def _centered(
    values: Grid, places: Grid, mean: Grid, vectors: Grid, inside: NDArray[np.bool_]
) -> _Motif:
    """Average again, with the middle where the motif is highest when seen from afar."""
    half = np.array(mean.shape) // 2
    blob = scipy.ndimage.gaussian_filter(values, BLOB * float(np.hypot(*vectors.T).min()))
    cut = _cut(blob, places, half)
    afar = np.where(inside, cut.mean(axis=0), -np.inf)
    shift = np.array(np.unravel_index(int(np.argmax(afar)), afar.shape)) - half
    moved = _cut(values, places + shift, half)
    return _Motif(moved.mean(axis=0) if len(moved) else mean, inside)


def _cut(values: Grid, places: Grid, half: NDArray[np.intp], *, whole: bool = True) -> Grid:
    """Cut windows about places: those within the picture, or all, NaN beyond it."""
    if whole:
        room = np.array(values.shape) - 1 - half
        places = places[((places >= half) & (places <= room)).all(axis=1)]
    y, x = np.mgrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    rows = places[:, 0][:, None, None] + y
    columns = places[:, 1][:, None, None] + x
    return np.asarray(
        scipy.ndimage.map_coordinates(
            values, [rows, columns], order=1, mode="constant", cval=np.nan
        )
    )


def _likeness(values: Grid, motif: _Motif) -> Grid:
    """Give the correlation coefficient with the motif at every pixel, as far as the picture goes.

    Where too little of the motif lies within the picture it is 0.
    """
    half = np.array(motif.pixels.shape) // 2
    shape = [
        scipy.fft.next_fast_len(size + 2 * int(h), real=True)
        for size, h in zip(values.shape, half, strict=True)
    ]
    at = tuple(slice(0, size) for size in values.shape)

    def summed(image: Grid, kernel: Grid) -> Grid:
        # The kernel's middle at the origin, so that sums stand at their own pixel.
        centered = np.roll(_padded(kernel, shape), -half, axis=(0, 1))
        product = scipy.fft.rfft2(image, shape) * np.conj(scipy.fft.rfft2(centered))
        return np.asarray(scipy.fft.irfft2(product, shape)[at])

    inside = motif.inside.astype(float)
    template = np.where(motif.inside, motif.pixels - motif.pixels[motif.inside].mean(), 0.0)
    known = np.ones_like(values)
    count = np.maximum(summed(known, inside), 1.0)
    total, of_template = summed(values, inside), summed(known, template)
    power = summed(values**2, inside) - total**2 / count
    power_of_template = summed(known, template**2) - of_template**2 / count
    covariance = summed(values, template) - total * of_template / count
    norm = np.sqrt(np.maximum(power, 0.0) * np.maximum(power_of_template, 0.0))
    whole = (count >= LEAST_WITHIN * inside.sum()) & (norm > 1e-9 * float(norm.max(initial=0.0)))
    likeness = np.zeros_like(values)
    np.divide(covariance, norm, out=likeness, where=whole)
    return likeness


def _padded(kernel: Grid, shape: list[int]) -> Grid:
    return np.pad(kernel, [(0, s - k) for s, k in zip(shape, kernel.shape, strict=True)])
