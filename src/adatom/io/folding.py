"""Pixels kept one after the other, folded into a map as the user says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adatom.errors import SettingError
from adatom.io.draft import lazy
from adatom.io.guard import read_error
from adatom.io.signals import RawAxis, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

_GRID: Final = re.compile(r"\s*(\d+)\s*[x,]\s*(\d+)\s+(row|column)-major\s*")


def grid_from_setting(grid: str, /) -> tuple[int, int, bool]:
    """Parse "95 x 95 column-major": rows, columns, and whether rows follow one another fastest.

    Raises
    ------
    SettingError
        If the text is in another form; the order is never guessed.

    Examples
    --------
    >>> grid_from_setting("50 x 40 column-major")
    (50, 40, True)
    """
    found = _GRID.fullmatch(grid)
    if found is None or not int(found[1]) * int(found[2]):
        msg = (
            f'{grid=} is no grid: write rows, columns and order, such as "95 x 80 column-major" '
            '(pixels go down the columns first, as in MATLAB) or "95 x 80 row-major"'
        )
        raise SettingError(msg)
    return int(found[1]), int(found[2]), found[3] == "column"


def folded_signal(path: Path, signal: RawSignal, /, *, grid: str) -> RawSignal:
    """Fold a matrix of pixels and channels into a cube (y, x, channel), lazily.

    Parameters
    ----------
    path : Path
        For messages.
    signal : RawSignal
        Of two axes, one of which counts the pixels.
    grid : str
        Rows, columns and order: "95 x 95 column-major".

    Raises
    ------
    ReadError
        If neither or both of the axes have as many entries as the grid.
    """
    rows, columns, by_columns = grid_from_setting(grid)
    pixels = _pixel_axis(path, signal, rows * columns, grid)
    values = lazy(signal.values, (pixels,))
    values = values if pixels == 0 else values.T
    if by_columns:
        cube = values.reshape((columns, rows, -1)).transpose((1, 0, 2))
    else:
        cube = values.reshape((rows, columns, -1))
    channel = replace(signal.axes[1 - pixels], stored="signal")
    order = "column" if by_columns else "row"
    note = f"pixels were folded to {rows} x {columns} {order} by {order}, as grid= says"
    kept = tuple(line for line in signal.notes if "with grid=" not in line)
    metadata = {k: v for k, v in signal.metadata.items() if not k.startswith("grid_")}
    axes = (*_space_axes(signal, (rows, columns)), channel)
    return replace(signal, values=cube, axes=axes, notes=(*kept, note), metadata=metadata)


def _pixel_axis(path: Path, signal: RawSignal, count: int, grid: str) -> int:
    fitting = [place for place, size in enumerate(signal.shape) if size == count]
    if len(signal.shape) != 2 or not fitting:
        reason = f"no axis of {signal.name!r}, of shape {signal.shape}, has {count} entries"
        raise read_error(path, reason, f"Correct {grid=}, or leave it out")
    if len(fitting) == 2:
        told = [place for place in fitting if signal.axes[place].stored == "stack"]
        if len(told) != 1:
            reason = f"both axes of {signal.name!r} have {count} entries: which counts the pixels?"
            raise read_error(path, reason, f"Name the axes in {path.name}.json beside it")
        fitting = told
    return fitting[0]


def _space_axes(signal: RawSignal, grid: tuple[int, int]) -> tuple[RawAxis, RawAxis]:
    """Give y and x the step of the file, if the file names the same grid."""
    steps = signal.metadata.get("grid_step")
    unit = str(signal.metadata.get("grid_unit", ""))
    if steps is None or signal.metadata.get("grid_shape") != list(grid):
        return RawAxis("y", stored="stack"), RawAxis("x", stored="stack")
    return (
        RawAxis("y", unit, float(steps[0]), stored="stack"),
        RawAxis("x", unit, float(steps[1]), stored="stack"),
    )
