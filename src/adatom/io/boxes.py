"""Boxes drawn by hand around defects and particles, as the VGG image annotator saves them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.signals import RawFile, RawTable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_BYTES: Final = 200 * 2**20
_CORNER_NOTE: Final = (
    "x and y of the file are the top left corners of boxes: those of their centers were computed"
)
_FILE_COLUMNS: Final = ("filename", "image", "file", "image_name")


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read boxes from the JSON of the VGG image annotator, versions 1 and 2."""
    if path.stat().st_size > _MAX_BYTES:
        reason = f"it is JSON of {path.stat().st_size} bytes"
        raise read_error(path, reason, f"Split it into files of {_MAX_BYTES} bytes or less")
    try:
        tree = json.loads(path.read_text("utf-8-sig"))
    except RecursionError as error:
        raise read_error(path, "it is nested too deeply", "Save the boxes anew") from error
    images = _images(tree)
    if images is None:
        raise read_error(path, "it is JSON text without boxes or arrays", "Give the array file")
    rows = [row for image in images for row in _rows(image)]
    notes = _notes(rows)
    return RawFile(path, key, [replace(_table(rows, path.stem), notes=notes)])


def _images(tree: object) -> list[Mapping[str, Any]] | None:
    """Give the entries of all images, if the tree is in the form of the annotator."""
    if not isinstance(tree, Mapping):
        return None
    # A whole project keeps its images one level down.
    entries = tree.get("_via_img_metadata", tree)
    if not isinstance(entries, Mapping) or not entries:
        return None
    images = [one for one in entries.values() if isinstance(one, Mapping) and "regions" in one]
    return images if len(images) == len(entries) else None


def _rows(image: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    regions = image["regions"]
    # Version 1 numbers its regions, version 2 lists them.
    listed = regions.values() if isinstance(regions, Mapping) else regions
    for region in listed:
        row = {"image": str(image.get("filename", ""))}
        yield row | _box(region.get("shape_attributes", {})) | _texts(region)


def _texts(region: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in region.get("region_attributes", {}).items()}


def _box(shape: Mapping[str, Any]) -> dict[str, float | str]:
    """Give center and size of a shape; pixels are counted by their centers, as everywhere."""
    kind = str(shape.get("name", ""))
    if kind == "rect":
        y, x, height, width = (float(shape[name]) for name in ("y", "x", "height", "width"))
    elif kind in {"circle", "ellipse", "point"}:
        height, width = (
            2 * float(shape.get("ry", shape.get("r", 0))),
            2 * float(shape.get("rx", shape.get("r", 0))),
        )
        y, x = float(shape["cy"]) - height / 2, float(shape["cx"]) - width / 2
    else:
        ys, xs = (np.asarray(shape[f"all_points_{name}"], float) for name in ("y", "x"))
        y, x = float(ys.min()), float(xs.min())
        height, width = float(np.ptp(ys)), float(np.ptp(xs))
    return {
        "y": _center(y, height),
        "x": _center(x, width),
        "height": height,
        "width": width,
        "shape": kind,
    }


def _center(corner: Any, size: Any) -> Any:  # noqa: ANN401 -- numbers or arrays of them
    # Corner 0 is the outer edge of pixel 0, whose center is the origin.
    return corner + size / 2 - 0.5


def _table(rows: list[dict[str, Any]], name: str) -> RawTable:
    names = list(dict.fromkeys(key for row in rows for key in row))
    names = names or ["image", "y", "x", "height", "width", "shape"]
    columns: dict[str, NDArray[Any]] = {}
    for key in names:
        if key in {"y", "x", "height", "width"}:
            columns[key] = np.array([row[key] for row in rows], float)
        else:
            columns[key] = np.array([row.get(key, "") for row in rows], np.str_)
    if set(columns["shape"].tolist()) <= {"rect"}:
        del columns["shape"]
    pixels = dict.fromkeys(("y", "x", "height", "width"), "px")
    return RawTable(columns, pixels, name)


def _notes(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    shapes = {row["shape"] for row in rows}
    notes = [_CORNER_NOTE] if "rect" in shapes else []
    if shapes - {"rect", "circle", "ellipse", "point"}:
        notes.append("of polygons and lines, y, x, height and width are of the box around them")
    return tuple(notes)


def is_via_table(table: RawTable, /) -> bool:
    """Tell whether a table is the annotator's own, with shapes as JSON in one column."""
    return {"filename", "region_shape_attributes", "region_attributes"} <= set(table.columns)


def table_from_via_rows(path: Path, table: RawTable, /) -> RawTable:
    """Take the JSON in the annotator's table apart."""
    texts = [
        table.columns[name].tolist()
        for name in ("filename", "region_shape_attributes", "region_attributes")
    ]
    rows = []
    for image, shape, attributes in zip(*texts, strict=True):
        # An image without regions has a line as well.
        described = json.loads(shape or "{}")
        if described:
            region = {"region_attributes": json.loads(attributes or "{}")}
            rows.append({"image": image} | _box(described) | _texts(region))
    return replace(_table(rows, path.stem), notes=(*table.notes, *_notes(rows)))


def with_centers(table: RawTable, /) -> RawTable:
    """Turn corners of boxes in a table into centers; other tables stay as they are.

    Only in a table that names images, x, y, width and height are of boxes: in
    others x and y may be centers already.
    """
    columns = dict(table.columns)
    if {"xmin", "ymin", "xmax", "ymax"} <= set(columns) and not {"x", "y"} & set(columns):
        low_high = [columns.pop(name) for name in ("ymin", "ymax", "xmin", "xmax")]
        if any(values.dtype.kind not in "iuf" for values in low_high):
            return table
        y, y_end, x, x_end = low_high
        sizes = {"height": y_end - y, "width": x_end - x}
        columns = {"y": _center(y, sizes["height"]), "x": _center(x, sizes["width"]), **columns}
        columns |= sizes
    else:
        named = next((name for name in _FILE_COLUMNS if name in columns), None)
        box = [columns.get(name) for name in ("x", "y", "width", "height")]
        if named is None or any(one is None or one.dtype.kind not in "iuf" for one in box):
            return table
        columns["y"] = _center(columns["y"].astype(float), columns["height"])
        columns["x"] = _center(columns["x"].astype(float), columns["width"])
    columns = {"image" if name in _FILE_COLUMNS else name: v for name, v in columns.items()}
    units = {name: table.units.get(name, "px") for name in ("y", "x", "height", "width")}
    notes = (*table.notes, _CORNER_NOTE)
    return replace(table, columns=columns, units={**table.units, **units}, notes=notes)
