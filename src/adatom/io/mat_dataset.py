"""Objects of PLS_Toolbox ("DataSet") in MATLAB files, as WITec and others write them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from adatom.io.mat_tree import Tree, pixel_axes, unfolded_note
from adatom.io.signals import RawAxis, RawPart, RawSignal, axis_from_values


def dataset_objects(tree: Tree, /) -> tuple[list[RawPart], Tree]:
    """Take the DataSet objects out of a tree, and give what is left."""
    names = {*tree.arrays, *tree.texts, *tree.numbers}
    objects = [
        name.removesuffix(".data")
        for name in tree.arrays
        if name.endswith(".data") and f"{name.removesuffix('.data')}.datasetversion" in names
    ]
    parts: list[RawPart] = [_signal(tree, name) for name in objects]

    def outside(name: str) -> bool:
        return not any(name.startswith(f"{one}.") for one in objects)

    rest = Tree(
        {name: value for name, value in tree.arrays.items() if outside(name)},
        {name: value for name, value in tree.numbers.items() if outside(name)},
        {name: value for name, value in tree.texts.items() if outside(name)},
        tree.notes,
    )
    return parts, rest


def _signal(tree: Tree, name: str) -> RawSignal:
    values = tree.arrays[f"{name}.data"]
    notes = list(tree.notes)
    notes.append("labels, classes and other fields of the DataSet object were not read")
    metadata: dict[str, Any] = {}
    if f"{name}.name" in tree.texts:
        metadata["title"] = tree.texts[f"{name}.name"]
    channel = _channel(tree, name, values.shape[-1])
    grid = _grid(tree, name)
    axes: tuple[RawAxis, ...]
    if len(values.shape) == 2 and grid is not None and values.shape[0] == grid[0] * grid[1]:
        axes = pixel_axes(values.shape, grid, channel)
        metadata["grid_shape"] = list(grid)
        metadata.update(_pixel(tree, name))
        notes.append(unfolded_note(name, grid))
    else:
        others = (RawAxis(stored="stack") for _ in values.shape[:-1])
        axes = (*others, channel)
    return RawSignal(values, axes, name, metadata=metadata, notes=tuple(notes))


def _channel(tree: Tree, name: str, size: int) -> RawAxis:
    """Make the axis of the variables. Cells are kept by columns: scales, then their names."""
    along = tree.arrays.get(f"{name}.axisscale[1]")
    if along is None or np.size(along) != size:
        return RawAxis(stored="signal")
    text = tree.texts.get(f"{name}.axisscale[3]", "")
    unit = re.sub(r"^rel\.\s*", "", text).strip()
    dim = "wavenumber" if unit in {"1/cm", "cm-1", "cm^-1"} else ""
    axis = axis_from_values(dim, unit, np.asarray(along, float).reshape(-1))
    return RawAxis(axis.name, axis.unit, axis.scale, axis.offset, axis.values, "signal")


def _grid(tree: Tree, name: str) -> tuple[int, int] | None:
    sizes = tree.arrays.get(f"{name}.imagesize")
    if sizes is None or np.size(sizes) != 2:
        return None
    rows, columns = (int(size) for size in np.asarray(sizes).reshape(-1))
    return (rows, columns) if min(rows, columns) > 0 else None


def _pixel(tree: Tree, name: str) -> dict[str, Any]:
    """Give the steps of rows and columns and their unit, for when the pixels are folded."""
    steps = []
    for number in (0, 1):
        along = tree.arrays.get(f"{name}.imageaxisscale[{number}]")
        if along is None or np.size(along) < 2:
            return {}
        steps.append(float(np.diff(np.asarray(along, float).reshape(-1)).mean()))
    unit = tree.texts.get(f"{name}.imageaxisscale[2]", "")
    # The micro sign often does not survive: what stands before m was one sign.
    unit = "um" if re.fullmatch(r"[^A-Za-z0-9]+m", unit) else unit
    return {"grid_step": steps, "grid_unit": unit}
