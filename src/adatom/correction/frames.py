"""Frames of a movie that cannot be used, told by reasons that hold for any movie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import MOVIE, Movie, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A detector within its range meets the ends of it in single pixels.
MOST_SATURATED: Final = 0.01
# Lines that jump by more than heights spread within a line hide whatever is there.
MOST_JUMP: Final = 1.0
# So many robust standard deviations from the usual level, no frame is by chance.
FARTHEST: Final = 6.0


class FrameChoice(NamedTuple):
    """Frames that can be used.

    Attributes
    ----------
    movie : Movie
        These frames, with their numbers in the whole movie as ``frame``.
    frames : Table
        A row for each frame of the whole movie: ``frame``, ``time`` where it
        is known, ``level`` (median), ``spread`` within lines, ``saturated``
        (share of pixels), ``line_jump`` (over the spread), ``used`` and
        ``reason`` why not.
    """

    movie: Movie
    frames: Table


def choose_frames(movie: Movie, /) -> FrameChoice:
    """Leave out the frames of a movie that cannot be used, and say why of each.

    A frame is left out if it is constant or empty; if more than 1 % of its
    pixels are at the least or the largest value of the whole movie
    (saturated); if its lines jump by more than heights spread within a line;
    or if its level is more than 6 robust standard deviations from that of the
    other frames. So the movie itself sets every scale.

    Parameters
    ----------
    movie : Movie
        As recorded, before any leveling; read frame by frame.

    Returns
    -------
    FrameChoice
        The usable frames (lazy if the movie is), and a table of all frames.

    Raises
    ------
    KindError
        If no frame can be used: the text counts the reasons.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> pixels = {dim: (dim, np.arange(8.0), {"units": "px"}) for dim in ("y", "x")}
    >>> heights = np.random.default_rng(0).normal(size=(5, 8, 8))
    >>> heights[2] = 0.0
    >>> movie = xr.DataArray(heights, dims=("frame", "y", "x"), coords=pixels)
    >>> choose_frames(movie).frames["reason"].values.tolist()
    ['', '', 'constant', '', '']
    """
    MOVIE.check(movie)
    measures = [_measured(frame.values) for frame in movie]
    columns = {
        name: np.array([getattr(one, name) for one in measures]) for name in _Measures._fields
    }
    reasons = _reasons(columns)
    used = np.array([not reason for reason in reasons], dtype=bool)
    if not used.any():
        counts = ", ".join(f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons)))
        msg = f"none of {len(reasons)} frames can be used: {counts}"
        raise KindError(msg)
    numbers = _numbers(movie)
    kept = movie.isel(frame=np.flatnonzero(used)).assign_coords(frame=numbers[used])
    left_out = [f"{n} ({r})" for n, r in zip(numbers.tolist(), reasons, strict=True) if r]
    if left_out:
        told = f"{len(left_out)} of {len(reasons)} frames are left out: {', '.join(left_out)}."
    else:
        told = f"All {len(reasons)} frames can be used."
    add_note(kept, told)
    table = _table(movie, numbers, columns, used, reasons)
    add_note(table, told)
    return FrameChoice(kept, table)


class _Measures(NamedTuple):
    """What is measured of one frame; NaN where nothing was."""

    lowest: float
    highest: float
    at_lowest: float
    at_highest: float
    level: float
    spread: float
    jump: float


def _measured(frame: NDArray[np.floating]) -> _Measures:
    values = frame.astype(float)
    known = values[np.isfinite(values)]
    if not known.size:
        return _Measures(*[np.nan] * 7)
    lines = values[np.isfinite(values).any(axis=1)]
    level = np.nanmedian(lines, axis=1)
    return _Measures(
        float(known.min()),
        float(known.max()),
        _share_beyond_one(known == known.min()),
        _share_beyond_one(known == known.max()),
        float(np.median(known)),
        float(np.nanstd(lines - level[:, None])),
        float(np.diff(level).std()) if len(level) > 1 else 0.0,
    )


def _share_beyond_one(at_end: NDArray[np.bool_]) -> float:
    """Give the share of pixels at an end of the range, but for the one that any frame has there."""
    return float(at_end.sum() - 1) / at_end.size


def _reasons(columns: dict[str, NDArray[np.float64]]) -> list[str]:
    lowest, highest = np.nanmin(columns["lowest"]), np.nanmax(columns["highest"])
    columns["saturated"] = np.where(columns["lowest"] == lowest, columns["at_lowest"], 0.0)
    columns["saturated"] += np.where(columns["highest"] == highest, columns["at_highest"], 0.0)
    spread = columns["spread"]
    columns["line_jump"] = np.divide(
        columns["jump"], spread, out=np.full(spread.shape, np.inf), where=spread > 0
    )
    empty = np.isnan(columns["level"])
    constant = columns["lowest"] == columns["highest"]
    columns["saturated"][constant | empty] = np.nan
    columns["line_jump"][constant | empty] = np.nan
    # A frame that fails by itself does not say what is usual.
    tests = {
        "empty": empty,
        "constant": constant,
        "saturated": columns["saturated"] > MOST_SATURATED,
        "lines jump": columns["line_jump"] > MOST_JUMP,
    }
    good = ~np.logical_or.reduce(list(tests.values()))
    tests["level"] = _far_off(columns["level"], good, columns["spread"])
    names = {"level": "far from the usual level"}
    return [
        "; ".join(names.get(name, name) for name, failed in tests.items() if failed[k])
        for k in range(len(empty))
    ]


def _far_off(
    level: NDArray[np.float64], good: NDArray[np.bool_], spread: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which levels lie far from those of good frames; where these agree, by their spread."""
    if not good.any():
        return np.zeros(level.shape, dtype=bool)
    usual = float(np.median(level[good]))
    deviation = SIGMA_OF_MAD * float(np.median(np.abs(level[good] - usual)))
    scale = max(deviation, float(np.median(spread[good])))
    return np.asarray(np.abs(level - usual) > FARTHEST * scale)


def _numbers(movie: Movie) -> NDArray[np.int64]:
    if "frame" in movie.coords:
        return np.asarray(movie.coords["frame"].values, dtype=np.int64)
    return np.arange(movie.sizes["frame"])


def _table(
    movie: Movie,
    numbers: NDArray[np.int64],
    columns: dict[str, NDArray[np.float64]],
    used: NDArray[np.bool_],
    reasons: list[str],
) -> Table:
    unit = str(movie.attrs.get("units", "1"))
    shown: dict[str, NDArray[np.generic]] = {"frame": numbers}
    if "time" in movie.coords:
        shown["time"] = movie.coords["time"].values.astype(float)
    shown |= {name: columns[name] for name in ("level", "spread", "saturated", "line_jump")}
    shown |= {"used": used, "reason": np.array(reasons)}
    return table_from_columns(shown, units={"level": unit, "spread": unit, "time": "s"})
