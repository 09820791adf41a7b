"""The dose that the frames of a movie put on the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import MOVIE, Movie, Table, add_note, pixel_size, space_unit, table_from_columns
from adatom.units import TIME, Time, quantity_from_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Electrons in a second of one nA.
_PER_NA: Final = 1e-9 / 1.602176634e-19


def estimate_dose(
    movie: Movie,
    /,
    *,
    current: str,
    frame_time: Time | None = None,
    pause: Time = "0 s",
    field: list[float] | None = None,
) -> Table:
    """List the dose of every frame, and the sum so far.

    The beam is taken to be on the field of the frame during all of the frame
    time: dose = current x time / (e x area).

    Parameters
    ----------
    movie : Movie
        In nm; ``time`` of frames, if it has them, is when each began.
    current : str
        Of the beam on the sample, such as "20 pA". No file tells it reliably.
    frame_time : time, optional
        During which the beam scans a frame: dwell time times pixels and what the beam takes
        to fly back. By default the shortest step between the times of frames.
    pause : time
        After each frame with the beam on the field, as where it is not
        blanked; it counts for the frame that follows.
    field : list of two floats, optional
        Height and width of what is scanned in nm, if the scan is larger than the frame,
        as with a margin that is not recorded.

    Returns
    -------
    Table
        A row a frame: ``frame``; ``time`` in s, where it is known, of the start; ``exposure`` in
        s; ``dose`` of the frame and ``total_dose`` to its end in e/nm^2; ``dose_rate`` in
        e/(nm^2 s).

    Raises
    ------
    KindError
        If neither the movie nor `frame_time` tells how long a frame took, or the movie
        has no scale.
    SettingError
        If current or times are not positive, or frames would last longer than
        the steps between them.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import image_from_array
    >>> frame = image_from_array(np.zeros((100, 100)), pixel_size="0.1 nm")
    >>> movie = frame.expand_dims(frame=3)
    >>> estimate_dose(movie, current="16 pA", frame_time="2 s")["total_dose"].values.round(-5)
    array([2000000., 4000000., 6000000.])
    """
    MOVIE.check(movie)
    amount = quantity_from_text(current, name="current")
    if amount.unit != "nA" or not amount.value > 0:
        msg = f'{current=} must be a positive current, such as "20 pA"'
        raise SettingError(msg)
    area = _area(movie, field)
    begun, exposure, told = _exposure(movie, frame_time)
    waited = _seconds(pause, name="pause")
    if waited < 0:
        msg = f"{pause=} must not be negative"
        raise SettingError(msg)
    rate = amount.value * _PER_NA / area
    n = movie.sizes["frame"]
    dose = np.full(n, rate * exposure)
    before = np.where(np.arange(n) > 0, rate * waited, 0.0)
    numbers = movie.coords["frame"].values if "frame" in movie.coords else np.arange(n)
    columns: dict[str, Any] = {"frame": np.asarray(numbers, dtype=np.int64)}
    if begun is not None:
        columns["time"] = begun
    skipped = _frames_before(columns["frame"])
    columns |= {
        "exposure": np.full(n, exposure),
        "dose": dose,
        # Frames that were left out of the movie were on the sample all the same.
        "total_dose": np.cumsum(dose + before) + skipped * rate * (exposure + waited),
        "dose_rate": np.full(n, rate),
    }
    units = {"time": "s", "exposure": "s", "dose": "e/nm^2", "total_dose": "e/nm^2"}
    table = table_from_columns(columns, units={**units, "dose_rate": "e/(nm^2 s)"})
    add_note(
        table, f"{amount.value * 1e3:.4g} pA on {area:.4g} nm^2, {exposure:.4g} s a frame {told}."
    )
    if skipped[-1:].any():
        add_note(
            table,
            f"Numbers of frames have gaps: {int(skipped[-1])} frames that the movie lacks are "
            "counted in total_dose.",
        )
    return table


def _area(movie: Movie, field: list[float] | None) -> float:
    if field is not None:
        if len(field) != 2 or not (np.asarray(field) > 0).all():
            msg = f"{field=} must be two positive numbers, height and width in nm"
            raise SettingError(msg)
        return float(field[0] * field[1])
    if space_unit(movie) == "px":
        msg = 'the movie has no scale: read it with pixel_size="... nm", or give field= in nm'
        raise KindError(msg)
    steps = pixel_size(movie)
    factor = 1e12 if space_unit(movie) == "mm" else 1.0
    return float(factor * steps[0] * steps[1] * movie.shape[1] * movie.shape[2])


def _seconds(setting: Time, *, name: str) -> float:
    value, unit = TIME.check(setting, name=name)
    return value * (1e-9 if unit == "ns" else 1.0)


def _exposure(
    movie: Movie, frame_time: Time | None
) -> tuple[NDArray[np.float64] | None, float, str]:
    begun, step = None, np.inf
    if "time" in movie.coords:
        begun = movie.coords["time"].values.astype(float)
        if movie.coords["time"].attrs.get("units") == "ns":
            begun = begun * 1e-9
        numbers = movie.coords["frame"].values if "frame" in movie.coords else np.arange(begun.size)
        steps = np.diff(begun) / np.maximum(np.diff(numbers.astype(float)), 1.0)
        step = float(steps.min()) if steps.size else np.inf
    if frame_time is None:
        if not np.isfinite(step) or not step > 0:
            msg = (
                "nothing tells how long a frame took: the movie has no times of frames; give "
                'frame_time="... s"'
            )
            raise KindError(msg)
        return begun, step, "by the times in the file"
    exposure = _seconds(frame_time, name="frame_time")
    if not exposure > 0:
        msg = f"{frame_time=} must be positive"
        raise SettingError(msg)
    if exposure > step * (1 + 1e-6):
        msg = f"{frame_time=} is longer than the {step:.6g} s between frames of the file"
        raise SettingError(msg)
    return begun, exposure, "as given"


def _frames_before(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the frames that lack before each, by their numbers."""
    return np.asarray(numbers - numbers[0] - np.arange(numbers.size)) if numbers.size else numbers
