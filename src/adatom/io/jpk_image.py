"""Images of JPK: TIFF whose own tags tell channels, calibrations and the grid."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import tifffile

from adatom.io.guard import check_size, read_error
from adatom.io.lazy import LazyArray
from adatom.io.metadata import iso_date
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_DATE, _LENGTHS, _ANGLE, _REFLECT = 0x8003, (0x8043, 0x8042), 0x8044, 0x8045
_SHORT_NAME, _RETRACE, _NAME = 0x8050, 0x8051, 0x8052
_N_SLOTS, _DEFAULT, _FIRST_SLOT, _SLOT = 0x8080, 0x8081, 0x8090, 0x30
# Within a slot: unit, kind of scaling, factor, offset, and what stands for "not measured".
_UNIT, _SCALING, _FACTOR, _OFFSET, _INVALID = 0x12, 0x13, 0x14, 0x15, 0x1A
_MOST_SLOTS: Final = 16
# The calibrated height is read where nothing else is asked for.
_PREFERRED: Final = ("measuredHeight", "height")


class _Scaling(NamedTuple):
    """How stored numbers become values."""

    unit: str
    factor: float
    offset: float
    invalid: float | None


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the tags of all channels."""
    with tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
        common = _tags(pages[0])
        found = [
            (_tags(page), _signal(path, number, page, common))
            for number, page in enumerate(pages)
            # The first page is a small picture for file managers.
            if _NAME in page.tags and _N_SLOTS in page.tags
        ]
    if not found:
        raise read_error(path, "it holds no channel", "Save the image again")
    chosen = _preferred([tags for tags, _ in found])
    signals = [signal for _, signal in found]
    if chosen is not None:
        signals[chosen] = replace(signals[chosen], preferred=f"{signals[chosen].name} was read")
    return RawFile(path, key, signals)


def _tags(page: tifffile.TiffPage) -> dict[int, Any]:
    return {tag.code: tag.value for tag in page.tags.values() if tag.code >= 0x8000}


def _preferred(channels: list[dict[int, Any]]) -> int | None:
    for name in _PREFERRED:
        for number, tags in enumerate(channels):
            if tags.get(_SHORT_NAME) == name and not tags.get(_RETRACE):
                return number
    return None


def _signal(
    path: Path, number: int, page: tifffile.TiffPage, common: Mapping[int, Any]
) -> RawSignal:
    tags = _tags(page)
    if len(page.shape) != 2 or page.dtype is None:
        reason = f"the page of {tags[_NAME]!r} has shape {page.shape}"
        raise read_error(path, reason, "Save the image again")
    check_size(path, page.shape, page.dtype.itemsize, stored=path.stat().st_size)
    scaling = _scaling(tags)
    # JPK counts y upwards: its first row is the lowest of the picture.
    upwards = not common.get(_REFLECT)
    read = partial(_read_page, path, number, scaling, upwards)
    metadata: dict[str, Any] = {"channel": str(tags[_NAME])}
    if common.get(_DATE):
        metadata["date"] = iso_date(str(common[_DATE]).rpartition(" ")[0], "%Y-%m-%d %H:%M:%S.%f")
    notes = []
    angle = float(common.get(_ANGLE, 0.0))
    if angle:
        metadata["scan_angle"] = float(np.degrees(angle))
    if not upwards:
        notes.append("the scan is mirrored: rows are in the order of the file")
    axes = tuple(
        RawAxis(name, "m", float(common[tag]) / size) if tag in common else RawAxis(name)
        for name, tag, size in zip("yx", _LENGTHS, page.shape, strict=True)
    )
    values = LazyArray(page.shape, np.dtype(np.float64), read)
    direction = " retrace" if tags.get(_RETRACE) else " trace"
    name = f"{tags[_NAME]}{direction if _RETRACE in tags else ''}"
    return RawSignal(values, axes, name, unit=scaling.unit, metadata=metadata, notes=tuple(notes))


def _scaling(tags: Mapping[int, Any]) -> _Scaling:
    """Take the calibration that JPK's software shows."""
    for slot in range(min(int(tags[_N_SLOTS]), _MOST_SLOTS)):
        base = _FIRST_SLOT + slot * _SLOT
        if tags.get(base) == tags.get(_DEFAULT):
            linear = tags.get(base + _SCALING) == "LinearScaling"
            invalid = tags.get(base + _INVALID)
            return _Scaling(
                str(tags.get(base + _UNIT, "")),
                float(tags[base + _FACTOR]) if linear else 1.0,
                float(tags[base + _OFFSET]) if linear else 0.0,
                None if invalid is None else float(invalid),
            )
    return _Scaling("", 1.0, 0.0, None)


def _read_page(
    path: Path,
    number: int,
    scaling: _Scaling,
    upwards: bool,
    index: Any,  # noqa: ANN401 -- any index
) -> NDArray[np.float64]:
    with tifffile.TiffFile(path) as file:
        stored = file.pages[number].asarray()
    values = stored * scaling.factor + scaling.offset
    if scaling.invalid is not None:
        values = np.where(stored == scaling.invalid, np.nan, values)
    found: NDArray[np.float64] = np.asarray((values[::-1] if upwards else values)[index], float)
    return found
