"""The unit cell of a picture: its two shortest vectors, with no atoms needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.errors import KindError
from adatom.numerics.autocorrelation import (
    Lattice,
    autocorrelation,
    find_lattice_of_shifts,
    without_background,
)
from adatom.schema import (
    IMAGE,
    MOVIE,
    Image,
    Movie,
    Table,
    add_note,
    pixel_size,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Grid = NDArray[np.float64]

# Copies with shifted rows tell what chance does; on a part, since chance scales with the area.
N_CHANCE = 8
# With this factor one picture of noise in some hundred passes.
BEYOND_CHANCE = 1.5
PART = 512


def find_unit_cell(picture: Image | Movie, /, *, seed: int = 0) -> Table:
    """Find the unit cell of an image, or of every frame of a movie.

    The autocorrelation peaks at the shifts under which the picture repeats.
    The two shortest of them span the cell; all near ones take part in the fit
    of its vectors. Shifts that bring like places of one cell onto one another
    repeat less well than whole cells do, and are told by that.

    Parameters
    ----------
    picture : Image or Movie
        A movie is read frame by frame. Lines that jump are to be leveled
        before (`correction.correct_lines`).
    seed : int
        Of the shifts of rows by which chance is measured.

    Returns
    -------
    Table
        One row, or one a frame: lengths ``a`` <= ``b`` and ``angle`` between
        them (60 to 120 deg), ``orientation`` of a from +x towards +y, their
        errors (1 sigma, from the scatter of the shifts about the fit), the
        vectors ``a_y``, ``a_x``, ``b_y``, ``b_x``, and ``repeat``: the
        correlation at the weaker vector. ``chance`` is the largest one in
        copies of the picture with randomly shifted rows; where `repeat` is
        not 1.5 times as large, there is no lattice and the others are NaN.

    Notes
    -----
    Distortions of the scan are part of the result: a square cell of a
    drifting sample is not square here.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> cell = find_unit_cell(image_from_array(np.cos(y) + np.cos(x), pixel_size="0.01 nm"))
    >>> round(cell["a"].item(), 3), round(cell["angle"].item(), 1)
    (0.12, 90.0)
    """
    if not (MOVIE.fits(picture) or IMAGE.fits(picture)):
        msg = f"found {type(picture).__name__}, need an Image or a Movie"
        raise KindError(msg)
    pixel = np.array(pixel_size(picture))
    rows = [_row(frame, pixel, seed) for frame in frames_of(picture)]
    columns: dict[str, list[float]] = {}
    if "frame" in picture.dims:
        columns["frame"] = frame_numbers(picture).tolist()
        if "time" in picture.coords:
            columns["time"] = picture.coords["time"].values.astype(float).tolist()
    columns |= {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    table = table_from_columns(columns, units=_units(picture))
    missing = int(np.isnan(table["a"].values).sum()) if rows else 0
    if missing:
        which = f"{missing} of {len(rows)} frames show" if len(rows) > 1 else "The image shows"
        add_note(table, f"{which} no lattice beyond chance.")
    return table


def frames_of(picture: Image | Movie, /) -> Iterator[Grid]:
    """Give the pixels of an image, or of the frames of a movie one by one; NaN become the mean."""
    for number in range(picture.sizes.get("frame", 1)):
        frame = picture.isel(frame=number) if "frame" in picture.dims else picture
        values = np.asarray(frame.values, dtype=float)
        known = np.isfinite(values)
        yield values if known.all() else np.where(known, values, values[known].mean(initial=0.0))


def frame_numbers(movie: Movie, /) -> NDArray[np.int64]:
    """Give the numbers of frames: those of the whole movie, where some were left out."""
    if "frame" in movie.coords:
        return np.asarray(movie.coords["frame"].values, dtype=np.int64)
    return np.arange(movie.sizes["frame"])


def _units(picture: Image | Movie) -> dict[str, str]:
    unit = space_unit(picture)
    lengths = dict.fromkeys(("a", "b", "a_error", "b_error", "a_y", "a_x", "b_y", "b_x"), unit)
    angles = dict.fromkeys(("angle", "angle_error", "orientation"), "deg")
    return {**lengths, **angles, "time": "s", "area": f"{unit}^2"}


def _row(frame: Grid, pixel: Grid, seed: int) -> dict[str, float]:
    values = without_background(frame)
    found = find_lattice_of_shifts(autocorrelation(values)) if values.std() > 0 else None
    chance = _chance(values, seed) if found is not None else np.nan
    repeat = found.repeat if found is not None else np.nan
    kept = found if repeat > BEYOND_CHANCE * chance else None
    return {**_cell(kept, pixel), "repeat": repeat, "chance": chance}


def _chance(values: Grid, seed: int) -> float:
    """Give the largest repeat in copies whose rows are shifted at random."""
    rng = np.random.default_rng(seed)
    part = values[:PART, :PART]
    best = 0.0
    for _ in range(N_CHANCE):
        shifts = rng.integers(0, part.shape[1], len(part))
        places = (np.arange(part.shape[1]) - shifts[:, None]) % part.shape[1]
        found = find_lattice_of_shifts(autocorrelation(np.take_along_axis(part, places, axis=1)))
        best = max(best, found.repeat if found is not None else 0.0)
    return best * float(np.sqrt(part.size / values.size))


def _cell(found: Lattice | None, pixel: Grid) -> dict[str, float]:
    names = ("a", "b", "angle", "orientation", "area", "a_error", "b_error", "angle_error")
    if found is None:
        return dict.fromkeys((*names, "a_y", "a_x", "b_y", "b_x"), np.nan)
    vectors = found.vectors * pixel
    lengths = np.hypot(*vectors.T)
    error = np.sqrt(np.diag(found.covariance) * float(pixel @ pixel) / 2)
    angle = np.degrees(np.arccos(np.clip(vectors[0] @ vectors[1] / lengths.prod(), -1, 1)))
    area = abs(vectors[0, 0] * vectors[1, 1] - vectors[0, 1] * vectors[1, 0])
    numbers = (
        *lengths, angle, np.degrees(np.arctan2(vectors[0, 0], vectors[0, 1])), area,
        *error, np.degrees(np.hypot(*(error / lengths))),
    )  # fmt: skip
    row = dict(zip(names, map(float, numbers), strict=True))
    return row | dict(zip(("a_y", "a_x", "b_y", "b_x"), map(float, vectors.ravel()), strict=True))
