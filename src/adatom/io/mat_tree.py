"""What the arrays of a MATLAB file are: maps, spectra, columns, facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.signals import (
    RawAxis,
    RawPart,
    RawSignal,
    RawTable,
    axis_from_values,
    plain_axes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# How people call rows and columns of a map, in lower case without signs.
_SIZES: Final = (
    ("h", "w"), ("height", "width"), ("nrow", "ncol"), ("nrows", "ncols"), ("rows", "cols"),
    ("rows", "columns"), ("lines", "columns"), ("lines", "samples"), ("ny", "nx"), ("row", "col"),
)  # fmt: skip
_SIZE_PAIRS: Final = ("imagesize", "imgsize", "mapsize", "imsize", "gridsize")
_MEASURED: Final = {
    "wavelength": "wavelength", "wavelengths": "wavelength", "wl": "wavelength",
    "lambda": "wavelength", "wavenumber": "wavenumber", "wavenumbers": "wavenumber",
    "ramanshift": "wavenumber", "shift": "wavenumber", "energy": "energy", "bias": "bias",
    "voltage": "bias", "frequency": "frequency", "mz": "m/z",
}  # fmt: skip


@dataclass
class Tree:
    """Everything found in a file, under dotted names."""

    arrays: dict[str, Any] = field(default_factory=dict)
    """Arrays of two or more entries, numpy or lazy."""
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def parts_of_tree(tree: Tree, /) -> list[RawPart]:
    """Make signals of matrices and cubes, tables of vectors of equal length."""
    parts: list[RawPart] = []
    vectors: dict[tuple[str, int], dict[str, NDArray[Any]]] = {}
    for name, values in tree.arrays.items():
        shape = _shape_without_ones(values.shape)
        if len(shape) == 1:
            level = name.rpartition(".")[0]
            vectors.setdefault((level, shape[0]), {})[name] = np.asarray(values[...]).reshape(-1)
    for name, values in tree.arrays.items():
        if len(_shape_without_ones(values.shape)) > 1:
            parts.append(_signal(tree, name, values, vectors))
    metadata = _metadata(tree)
    for (level, length), columns in vectors.items():
        title = f"{level}.columns of {length}" if level else f"columns of {length}"
        short = {name.rpartition(".")[2]: column for name, column in columns.items()}
        parts.append(RawTable(short, {}, title, metadata, tuple(tree.notes)))
    return parts


def _shape_without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _metadata(tree: Tree) -> dict[str, Any]:
    """Keep short texts and numbers as they are called in the file, under one key."""
    facts: dict[str, Any] = dict(list(tree.texts.items())[:50])
    facts |= dict(list(tree.numbers.items())[:50])
    return {"variables": facts} if facts else {}


def add_number(tree: Tree, name: str, number: float, /) -> None:
    """Keep a number; what is none, as NaN, as text, since JSON has no such number."""
    if np.isfinite(number):
        tree.numbers[name] = number
    else:
        tree.texts[name] = str(number)


def _signal(
    tree: Tree,
    name: str,
    values: Any,  # noqa: ANN401 -- numpy or lazy
    vectors: Mapping[tuple[str, int], Mapping[str, NDArray[Any]]],
) -> RawSignal:
    level = name.rpartition(".")[0]
    grid = _named_grid(tree, level, values.shape)
    notes = list(tree.notes)
    axes = plain_axes(len(values.shape))
    metadata = _metadata(tree)
    if grid is not None and len(values.shape) == 3:
        channel = _measured_axis(level, values.shape[2], vectors)
        axes = (RawAxis("y", stored="stack"), RawAxis("x", stored="stack"), channel)
    elif grid is not None and len(values.shape) == 2:
        axes = pixel_axes(values.shape, grid, _measured_axis(level, 0, {}))
        bands = next(i for i, axis in enumerate(axes) if axis.stored == "signal")
        channel = _measured_axis(level, values.shape[bands], vectors)
        axes = pixel_axes(values.shape, grid, channel)
        metadata["grid_shape"] = list(grid)
        notes.append(unfolded_note(name, grid))
    return RawSignal(values, axes, name, metadata=metadata, notes=tuple(notes))


def pixel_axes(
    shape: Sequence[int], grid: tuple[int, int], channel: RawAxis, /
) -> tuple[RawAxis, ...]:
    """Make the axes of a matrix of which one side counts the pixels of a map."""
    pixels = RawAxis(stored="stack")
    return (pixels, channel) if shape[0] == grid[0] * grid[1] else (channel, pixels)


def unfolded_note(name: str, grid: tuple[int, int], /) -> str:
    """Tell how the pixels of a matrix become a map, since files do not say in which order."""
    size = f"{grid[0]} x {grid[1]}"
    return (
        f"{name!r} holds the pixels of a map of {size} one after the other; the file does not say "
        f'in which order: read_spectral_map with grid="{size} column-major", as is usual in '
        f'MATLAB, or "{size} row-major" folds them'
    )


def _named_grid(tree: Tree, level: str, shape: Sequence[int]) -> tuple[int, int] | None:
    """Find rows and columns that the file names, if they fit the array."""
    for grid in _grids(tree, level):
        pixels = grid[0] * grid[1]
        if len(shape) == 2 and min(grid) > 1 and (shape[0] == pixels) != (shape[1] == pixels):
            return grid
        if len(shape) == 3 and tuple(shape[:2]) == grid:
            return grid
    return None


def _grids(tree: Tree, level: str) -> list[tuple[int, int]]:
    prefix = f"{level}." if level else ""
    numbers = {
        _plain(name.removeprefix(prefix)): value
        for name, value in tree.numbers.items()
        if name.rpartition(".")[0] == level
    }
    found = [
        (int(numbers[rows]), int(numbers[columns]))
        for rows, columns in _SIZES
        if rows in numbers and columns in numbers
    ]
    for name, values in tree.arrays.items():
        short = _plain(name.removeprefix(prefix))
        if name.rpartition(".")[0] == level and short in _SIZE_PAIRS and np.prod(values.shape) == 2:
            rows, columns = (int(size) for size in np.asarray(values[...]).reshape(-1))
            found.append((rows, columns))
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _measured_axis(
    level: str,
    size: int,
    vectors: Mapping[tuple[str, int], Mapping[str, NDArray[Any]]],
) -> RawAxis:
    """Find a vector that is called what an axis of spectra is called."""
    for name, values in vectors.get((level, size), {}).items():
        dim = _MEASURED.get(_plain(name.rpartition(".")[2]))
        steps = np.diff(values.astype(float)) if values.dtype.kind in "iuf" else np.zeros(1)
        if dim and (bool((steps > 0).all()) or bool((steps < 0).all())):
            axis = axis_from_values(dim, "", values.astype(float))
            return RawAxis(axis.name, "", axis.scale, axis.offset, axis.values, "signal")
    return RawAxis(stored="signal")
