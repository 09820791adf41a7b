"""How often each track was seen, where, and how its places scatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.errors import KindError
from adatom.numerics.readers import reader_of
from adatom.schema import (
    MOVIE,
    SITES,
    Movie,
    Sites,
    Table,
    add_note,
    pixel_size,
    positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def count_sightings(tracks: Sites, movie: Movie | None = None, /) -> Table:
    """Count in how many frames each track was seen, and how its places scatter.

    Of something that does not move, seen again and again in registered
    frames, the scatter is what finding, registration and distortion of the scan leave.

    Parameters
    ----------
    tracks : Sites
        With ``frame`` and ``track``, as `link_sites` gives them.
    movie : Movie, optional
        In which they were found, as registered: tells how many frames show the place at
        all. Without it all frames with sites do.

    Returns
    -------
    Table
        A row a track, the most often seen first: ``track``; ``n_seen``, frames in which it was
        seen; ``n_shown``, frames that show its mean place; ``first``, ``last`` frame; mean
        ``y``, ``x``; ``scatter_y``, ``scatter_x``, standard deviations about the mean (NaN of
        one sighting).

    Raises
    ------
    KindError
        If sites have no ``track`` or ``frame``, or the movie has another unit.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([1.0, 1.2, 5.0], [2.0, 2.0, 5.0], unit="nm", frame=[0, 1, 1])
    >>> sites["track"] = ("site", [0, 0, 1])
    >>> count_sightings(sites)["n_seen"].values.tolist()
    [2, 1]
    """
    SITES.check(tracks)
    if "track" not in tracks.variables or "frame" not in tracks.coords:
        msg = "the sites have no 'track' and 'frame': run tracking.link_sites first"
        raise KindError(msg)
    unit = space_unit(tracks)
    frame, track = tracks["frame"].values, tracks["track"].values
    place = positions(tracks)
    numbers = np.unique(track[track >= 0])
    members = [np.flatnonzero(track == number) for number in numbers]
    mean = np.array([place[one].mean(axis=0) for one in members]).reshape(-1, 2)
    scatter = [
        place[one].std(axis=0, ddof=1) if len(one) > 1 else np.full(2, np.nan) for one in members
    ]
    spread = np.array(scatter).reshape(-1, 2)
    seen = np.array([len(np.unique(frame[one])) for one in members], dtype=np.int64)
    n_frames = len(np.unique(frame))
    shown = np.full(len(numbers), n_frames, dtype=np.int64)
    if movie is not None:
        MOVIE.check(movie, name="movie")
        if space_unit(movie) != unit:
            msg = f"the movie is in {space_unit(movie)}, its sites are in {unit}: read both alike"
            raise KindError(msg)
        shown, n_frames = _shown(movie, mean), movie.sizes["frame"]
    order = np.lexsort((numbers, -seen))
    columns = {
        "track": numbers,
        "n_seen": seen,
        "n_shown": np.maximum(shown, seen),
        "first": np.array([frame[one].min() for one in members], dtype=np.int64),
        "last": np.array([frame[one].max() for one in members], dtype=np.int64),
        "y": mean[:, 0], "x": mean[:, 1], "scatter_y": spread[:, 0], "scatter_x": spread[:, 1],
    }  # fmt: skip
    table = table_from_columns(
        {name: values[order] for name, values in columns.items()},
        units=dict.fromkeys(("y", "x", "scatter_y", "scatter_x"), unit),
    )
    table.attrs["n_frames"] = int(n_frames)
    if len(numbers):
        first = order[0]
        told = (
            f"Track {numbers[first]} is seen in {seen[first]} of {n_frames} frames, at "
            f"({mean[first, 0]:.4g}, {mean[first, 1]:.4g}) {unit} (y, x)"
        )
        if seen[first] > 1:
            told += f"; places scatter by {spread[first, 0]:.2g} and {spread[first, 1]:.2g} {unit}"
        others = int((seen[order[1:]] > 1).sum())
        add_note(table, f"{told}. {others} other tracks are seen more than once.")
    return table


def _shown(movie: Movie, places: Floats) -> NDArray[np.int64]:
    """Count the frames that measured the pixel at each place."""
    read = reader_of(movie.data)
    start = [float(movie.coords[dim].values[0]) for dim in ("y", "x")]
    at = np.rint((places - start) / pixel_size(movie)).astype(int)
    inside = ((at >= 0) & (at < movie.shape[1:])).all(axis=1)
    at = np.clip(at, 0, np.array(movie.shape[1:]) - 1)
    count = np.zeros(len(places), dtype=np.int64)
    for k in range(movie.sizes["frame"]):
        values = np.asarray(read((slice(k, k + 1), slice(0, movie.shape[1]))))[0]
        count += np.isfinite(values[tuple(at.T)]) & inside
    return count
