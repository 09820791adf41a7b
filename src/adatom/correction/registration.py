"""Frames of a movie brought onto one another: as a whole, by lattice phase, or line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import xarray as xr

from adatom.correction.rigid_registration import FrameReader, RigidShifts, register_rigidly
from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.numerics.bragg_phases import reflection_waves, shifts_from_phases
from adatom.numerics.frame_sampling import Canvas, bounds_of, moved_piece, warped_piece
from adatom.numerics.periodic_part import BraggLattice, find_bragg_lattice
from adatom.schema import (
    MOVIE,
    Movie,
    Table,
    add_note,
    pixel_size,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Method = Literal["auto", "rigid", "lattice", "rows"]
Edges = Literal["extend", "keep", "common"]

# A lattice that frames share has its phases in nearly all of their strength.
_COHERENT: Final = 0.8
# Values of a registered frame: one beyond this does not fit in memory beside others.
_LARGEST: Final = 100_000_000


class Registration(NamedTuple):
    """Frames on one grid, and how far each was off.

    Attributes
    ----------
    movie : Movie
        Frames as the first one lies, lazy: each is sampled when it is read. NaN where a
        frame shows nothing.
    shifts : Table
        A row a frame: ``frame``, ``time`` where it is known; ``shift_y``, ``shift_x``, how far
        the sample has moved since the first frame; ``error_y``, ``error_x``, standard errors
        against all other frames; ``score``, the correlation with their mean; ``margin``, by
        how many standard deviations the shift fits better than the next best that is a
        lattice vector away (NaN where there is no rival); ``method``.
    lines : Table
        Of "rows" a row for every line of every frame: ``frame``, ``line``, ``shift_y``,
        ``shift_x``, ``error_y``, ``error_x``; else empty.
    """

    movie: Movie
    shifts: Table
    lines: Table


def register_frames(
    movie: Movie,
    /,
    *,
    method: Method = "auto",
    max_shift: Length | None = None,
    edges: Edges = "extend",
) -> Registration:
    """Bring the frames of a movie onto one another, to a fraction of a pixel.

    First every frame is correlated with a few others [1]_, or each with each
    where they are few; a robust fit joins the shifts of pairs to a path, so that one wrong
    pair does no harm. Then each frame is fitted to the mean of all others, again
    and again, so that errors do not add up along the movie and what the pixels
    have in common, which no longer overlaps once frames are moved, drops out.

    Parameters
    ----------
    movie : Movie
        Read frame by frame, several times over. Take out frames that cannot be used before
        (`choose_frames`), and level the lines of a scanning probe (`correct_lines`), or what
        is equal along them is what is registered.
    method : {"auto", "rigid", "lattice", "rows"}
        "rigid": one shift a frame. "lattice": then one by the phases of Bragg
        reflections [2]_, which use the whole lattice and nothing else: most exact where a
        perfect lattice is all there is. "rows": then one shift a line, smooth
        from line to line [3]_: the sample drifts while a frame is scanned. "auto": rigid, or
        lattice where rigid shifts cannot tell lattice vectors apart in most frames.
    max_shift : length, optional
        Between frames that follow one another no larger shift is sought; by default
        as long as three tenths of two frames overlap.
    edges : {"extend", "keep", "common"}
        Of the grid: "extend": all that any frame shows; "keep": that of the first
        frame, and what moved out is left out; "common": what all frames show.

    Returns
    -------
    Registration
        ``movie``, ``shifts`` and ``lines``; notes tell of lattice vectors that are not known,
        and of frames that were not found, which are NaN.

    Raises
    ------
    KindError
        If there is one frame only, or no two frames match.
    NoLatticeError
        If the mean of frames has no lattice, of "lattice".
    SettingError
        If `max_shift` is not positive, no pixel is common to all frames, or drift spans
        a grid that is beyond memory.

    Notes
    -----
    Cubic splines go through pixels and smooth noise between them; sums of counts are
    kept but for the borders, counts are no longer whole, and may fall below zero
    beside bright spots. Of "rows" only differences of frames are known: a distortion that all
    share stays, and the mean of all paths is taken for straight.

    References
    ----------
    .. [1] D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012).
    .. [2] M. J. Hytch et al., Ultramicroscopy 74, 131 (1998).
    .. [3] L. Jones et al., Adv. Struct. Chem. Imaging 1, 8 (2015); C. Ophus et al.,
       Ultramicroscopy 162, 1 (2016).

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> scene = np.random.default_rng(0).normal(size=(80, 80)).cumsum(axis=0).cumsum(axis=1)
    >>> cuts = [image_from_array(scene[8 - k : 72 - k, 8 + 2 * k : 72 + 2 * k]) for k in range(4)]
    >>> found = register_frames(xr.concat(cuts, dim="frame"))
    >>> found.shifts["shift_y"].values.round(), found.shifts["shift_x"].values.round()
    (array([0., 1., 2., 3.]), array([ 0., -2., -4., -6.]))
    """
    MOVIE.check(movie)
    if method not in ("auto", "rigid", "lattice", "rows"):
        msg = f'{method=} must be "auto", "rigid", "lattice" or "rows"'
        raise SettingError(msg)
    if edges not in ("extend", "keep", "common"):
        msg = f'{edges=} must be "extend", "keep" or "common"'
        raise SettingError(msg)
    if movie.sizes["frame"] < 2:
        msg = f"the movie has {movie.sizes['frame']} frame, registration needs 2 or more"
        raise KindError(msg)
    frames = FrameReader(movie)
    rigid = register_rigidly(frames, reach=_reach(movie, max_shift))
    named = np.full(len(frames), "rigid", dtype=object)
    lattice = None
    sure = np.isfinite(rigid.shift).all(axis=1)
    if method == "lattice" or (method == "auto" and 2 * rigid.unsure.sum() > sure.sum()):
        rigid, lattice = _by_phases(frames, rigid, needed=method == "lattice")
        named[:] = "lattice" if lattice is not None else "rigid"
    sure = np.isfinite(rigid.shift).all(axis=1)
    if not sure.any():
        msg = "no frame shows reflections beyond noise: take method='rigid'"
        raise NoLatticeError(msg)
    # What is known is known of differences: the first frame that was found is the grid.
    first = int(np.flatnonzero(sure)[0])
    rigid = rigid._replace(shift=rigid.shift - rigid.shift[first])
    paths = [np.tile(shift, (movie.sizes["y"], 1)) for shift in rigid.shift]
    errors: list[Floats] | None = None
    if method == "rows":
        from adatom.correction.line_registration import register_lines

        named[:] = "rows"
        paths, errors = register_lines(frames, rigid)
        middle = np.array([path.mean(axis=0) for path in paths])
        rigid = rigid._replace(shift=middle)
    named[~sure] = "not found"
    bounds = _grid(paths, frames.shape[1:], edges)
    registered = _sampled(movie, paths, bounds, by_lines=method == "rows")
    shifts = _shift_table(movie, rigid, named)
    for told in _told(movie, rigid, named, lattice, bounds, edges):
        add_note(registered, told)
        add_note(shifts, told)
    return Registration(registered, shifts, _line_table(movie, paths, errors))


def _reach(movie: Movie, max_shift: Length | None) -> float | None:
    """Give the largest step from one frame to the next in pixels."""
    if max_shift is None:
        return None
    size = min(pixel_size(movie))
    value = length_from_setting(
        max_shift, unit=space_unit(movie), pixel_size=size, name="max_shift"
    )
    if not value > 0:
        msg = f"{max_shift=} must be positive"
        raise SettingError(msg)
    return value / size


def _by_phases(
    frames: FrameReader, rigid: RigidShifts, *, needed: bool
) -> tuple[RigidShifts, BraggLattice | None]:
    """Refine shifts by the phases of the reflections that the mean of frames has."""
    lattice = find_bragg_lattice(_mean_image(frames, rigid.shift))
    if lattice is None:
        if not needed:
            return rigid, None
        msg = 'the mean of frames shows no two reflections that span a lattice: take method="rigid"'
        raise NoLatticeError(msg)
    measured = [reflection_waves(frames.flat(k, fine=0.0), lattice.frequency) for k in frames]
    waves, noise = (np.array(part) for part in zip(*measured, strict=True))
    found = shifts_from_phases(waves, noise, lattice.frequency, rigid.shift)
    if not needed and not np.nanmedian(found.coherence) > _COHERENT:
        return rigid, None
    return rigid._replace(shift=found.shift, error=found.error, score=found.coherence), lattice


def _mean_image(frames: FrameReader, shift: Floats) -> Floats:
    """Average frames on the grid of the first that was found, without gaps."""
    known = np.flatnonzero(np.isfinite(shift).all(axis=1))
    origin = np.rint(-shift[known[0]]).astype(int)
    canvas = Canvas(origin, origin + np.array(frames.shape[1:]))
    for k in known.tolist():
        canvas.add(moved_piece(frames.flat(k, fine=0.0), shift[k]))
    return np.where(canvas.count > 0, canvas.mean(), 0.0)


def _grid(
    paths: list[Floats], shape: tuple[int, ...], edges: Edges
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give where the grid begins and ends, in pixels of the first frame."""
    known = [path for path in paths if np.isfinite(path).all()]
    each = np.array([bounds_of(shape, path) for path in known])
    if edges == "extend":
        low = np.minimum(each[:, 0].min(axis=0), 0)
        high = np.maximum(each[:, 1].max(axis=0), shape)
        if int(np.prod(high - low)) > _LARGEST:
            size = (high - low).tolist()
            msg = f"drift spans {size[0]} x {size[1]} pixels: cut the movie, or take edges='keep'"
            raise SettingError(msg)
        return low, high
    if edges == "keep":
        return np.zeros(2, dtype=int), np.array(shape)
    low, high = each[:, 0].max(axis=0), each[:, 1].min(axis=0)
    if (high - low < 2).any():
        msg = "no two rows and columns are common to all frames: take edges='extend'"
        raise SettingError(msg)
    return low, high


def _sampled(
    movie: Movie,
    paths: list[Floats],
    bounds: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    by_lines: bool,
) -> Movie:
    import dask.array as da

    low, high = bounds
    size = tuple((high - low).tolist())
    dtype = np.result_type(movie.dtype, np.float32)
    source: Any = movie.data
    if not isinstance(source, da.Array):
        source = da.from_array(source, chunks=(1, *movie.shape[1:]))  # type: ignore[no-untyped-call]
    whole: Any = source.rechunk((1, *movie.shape[1:]))
    moves = np.array(paths) if by_lines else np.array([path[0] for path in paths])
    values: Any = whole.map_blocks(
        _resampled,
        moves,
        tuple(low.tolist()),
        size,
        dtype,
        dtype=dtype,
        chunks=((1,) * movie.sizes["frame"], (size[0],), (size[1],)),
        meta=np.empty((0, 0, 0), dtype=dtype),
    )
    coords = {name: c for name, c in movie.coords.items() if not {"y", "x"} & set(c.dims)}
    steps = pixel_size(movie)
    for axis, dim in enumerate(("y", "x")):
        along = movie.coords[dim]
        places = float(along.values[0]) + steps[axis] * np.arange(low[axis], high[axis])
        coords[dim] = (dim, places, dict(along.attrs))
    return xr.DataArray(
        values, dims=movie.dims, coords=coords, name=movie.name, attrs=dict(movie.attrs)
    )


def _resampled(
    block: NDArray[Any],
    moves: Floats,
    low: tuple[int, int],
    size: tuple[int, int],
    dtype: np.dtype[Any],
    block_id: tuple[int, ...] | None = None,
) -> NDArray[Any]:
    """Sample one frame on the grid."""
    out = np.full((1, *size), np.nan, dtype=dtype)
    move = moves[block_id[0]] if block_id else np.full(2, np.nan)
    if not np.isfinite(move).all():
        return out
    frame = block[0].astype(float)
    piece = moved_piece(frame, move) if move.ndim == 1 else warped_piece(frame, move)
    start = np.array(piece.origin) - low
    stop = start + piece.values.shape
    first, last = np.maximum(start, 0), np.minimum(stop, size)
    if (last > first).all():
        part = np.s_[
            first[0] - start[0] : last[0] - start[0], first[1] - start[1] : last[1] - start[1]
        ]
        out[0, first[0] : last[0], first[1] : last[1]] = piece.values[part]
    return out


def _numbers(movie: Movie) -> NDArray[np.int64]:
    if "frame" in movie.coords:
        return np.asarray(movie.coords["frame"].values, dtype=np.int64)
    return np.arange(movie.sizes["frame"])


def _shift_table(movie: Movie, rigid: RigidShifts, named: NDArray[np.object_]) -> Table:
    unit, steps = space_unit(movie), np.array(pixel_size(movie))
    columns: dict[str, Any] = {"frame": _numbers(movie)}
    if "time" in movie.coords:
        columns["time"] = movie.coords["time"].values.astype(float)
    for axis, dim in enumerate(("y", "x")):
        columns[f"shift_{dim}"] = rigid.shift[:, axis] * steps[axis]
    for axis, dim in enumerate(("y", "x")):
        columns[f"error_{dim}"] = rigid.error[:, axis] * steps[axis]
    columns |= {"score": rigid.score, "margin": rigid.margin, "method": named.astype(str)}
    lengths = [f"{what}_{dim}" for what in ("shift", "error") for dim in ("y", "x")]
    units = {**dict.fromkeys(lengths, unit), "time": "s", "score": "1", "margin": "1"}
    return table_from_columns(columns, units=units)


def _line_table(movie: Movie, paths: list[Floats], errors: list[Floats] | None) -> Table:
    names = ("shift_y", "shift_x", "error_y", "error_x")
    columns: dict[str, Any] = {"frame": np.empty(0, dtype=np.int64)}
    columns["line"] = np.empty(0, dtype=np.int64)
    columns |= {name: np.empty(0) for name in names}
    if errors is not None:
        n_lines = movie.sizes["y"]
        columns["frame"] = np.repeat(_numbers(movie), n_lines)
        columns["line"] = np.tile(np.arange(n_lines), movie.sizes["frame"])
        both = np.concatenate([np.array(paths), np.array(errors)], axis=2).reshape(-1, 4)
        steps = np.tile(pixel_size(movie), 2)
        columns |= {name: both[:, k] * steps[k] for k, name in enumerate(names)}
    return table_from_columns(columns, units=dict.fromkeys(names, space_unit(movie)))


def _told(
    movie: Movie,
    rigid: RigidShifts,
    named: NDArray[np.object_],
    lattice: BraggLattice | None,
    bounds: tuple[NDArray[np.intp], NDArray[np.intp]],
    edges: Edges,
) -> list[str]:
    """Say what was done, and what is not known."""
    unit, steps = space_unit(movie), np.array(pixel_size(movie))
    found = named != "not found"
    span = np.ptp(rigid.shift[found], axis=0) * steps
    typical = np.nanmedian(rigid.error[found], axis=0) * steps
    methods = ", ".join(sorted(set(named[found].tolist())))
    drift = f"drift spans {span[0]:.3g} {unit} along y and {span[1]:.3g} {unit} along x"
    errors = f"standard errors are {typical[0]:.2g} and {typical[1]:.2g} {unit}"
    n_found = int(found.sum())
    told = [f"{n_found} of {len(named)} frames were registered ({methods}): {drift}, {errors}."]
    numbers = _numbers(movie)
    if not found.all():
        told.append(f"Not found, and NaN: frames {_listed(numbers[~found])}.")
    if rigid.unsure.any():
        vectors = " and ".join(f"({y:.3g}, {x:.3g}) {unit}" for y, x in rigid.rivals[:2] * steps)
        text = (
            f"In {int(rigid.unsure.sum())} frames shifts that differ by {vectors} (y, x) "
            "fit alike; "
            "the one nearest to the frames around was taken. A drift of more than half of that "
            "from one frame to the next is not seen: frames "
            f"{_listed(numbers[rigid.unsure])}."
        )
        told.append(text)
    if lattice is not None:
        vectors = " and ".join(f"({y:.3g}, {x:.3g}) {unit}" for y, x in lattice.vectors * steps)
        told.append(
            f"Shifts are by the phases of {len(lattice.frequency)} reflections, of a lattice of "
            f"{vectors} (y, x)."
        )
    low, high = bounds
    out = np.concatenate([-low, high - movie.shape[1:]])
    if edges == "extend" and out.any():
        told.append(
            f"The grid grew from {movie.shape[1]} x {movie.shape[2]} to "
            f"{high[0] - low[0]} x {high[1] - low[1]} pixels; NaN where a frame shows nothing."
        )
    if edges == "keep":
        told.append("What moved beyond the field of the first frame is left out.")
    if edges == "common":
        told.append(
            f"Only {high[0] - low[0]} x {high[1] - low[1]} of {movie.shape[1]} x "
            f"{movie.shape[2]} pixels are common to all frames; the others are left out."
        )
    return told


def _listed(numbers: NDArray[np.int64]) -> str:
    return ", ".join(map(str, numbers[:10])) + (" ..." if len(numbers) > 10 else "")
