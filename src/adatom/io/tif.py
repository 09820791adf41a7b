"""TIFF: scales by RosettaSciIO, palettes and large stacks by tifffile."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tifffile

from adatom.io.guard import check_size, collected_chatter, read_error
from adatom.io.lazy import rows_array
from adatom.io.rosetta import read_dictionaries, signal_from_dictionary
from adatom.io.signals import COLORS, RawAxis, RawFile, RawSignal
from adatom.io.written import with_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# RosettaSciIO reads a whole series at once; stacks larger than this are read page by page.
_LARGE: Final = 256 * 2**20
# The spelling of micrometer in ImageJ's description, which is ASCII.
_IMAGEJ_MICRO: Final = "\\u00B5"
_SPACE: Final = ("height", "width")
# ImageJ takes dots per inch or cm of any picture for its scale.
_OF_PRINTERS: Final = ("inch", "inches", "in", "cm")


@dataclass(frozen=True)
class _Series:
    """What tifffile knows of a series of pages that RosettaSciIO does not tell.

    The offset is where its numbers begin, if they lie in one piece as they are.
    """

    palette: NDArray[np.uint16] | None
    imagej_unit: str
    imagej: Mapping[str, Any]
    by_page: bool
    offset: int | None
    stored_dtype: np.dtype[Any]


def _read_pages(path: Path, series: int, numbers: Sequence[int]) -> Iterator[NDArray[Any]]:
    with collected_chatter(("tifffile",)), tifffile.TiffFile(path) as file:
        pages = file.series[series]
        for number in numbers:
            yield _page(pages, number)


def _page(series: tifffile.TiffPageSeries, number: int) -> NDArray[Any]:
    page = series.pages[number]
    if page is None:
        msg = f"page {number} is missing"
        raise ValueError(msg)
    return np.asarray(page.asarray())


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all series of pages of a file."""
    known = _checked_series(path)
    large = path.stat().st_size > _LARGE
    entries, notes = read_dictionaries(path, key, lazy=large)
    signals = [
        _completed(path, number, signal_from_dictionary(entry, notes), series, large)
        for number, (entry, series) in enumerate(zip(entries, known, strict=True))
    ]
    del entries
    if large:
        # RosettaSciIO leaves the file open behind its lazy arrays, which are not used.
        with collected_chatter():
            gc.collect()
    return RawFile(path, key, signals)


def _checked_series(path: Path) -> list[_Series]:
    """List the series of pages, once their sizes are known to be possible."""
    stored = path.stat().st_size
    with collected_chatter(("tifffile",)), tifffile.TiffFile(path) as file:
        if not file.series:
            raise read_error(path, "it holds no picture", "The file may be damaged: copy it again")
        for series in file.series:
            check_size(path, series.shape, series.dtype.itemsize, stored=stored)
        imagej = (file.imagej_metadata or {}) if file.is_imagej else {}
        unit = str(imagej.get("unit", ""))
        return [
            _Series(
                # ImageJ's palette is how it shows numbers, not what they are.
                palette=None if file.is_imagej else series.keyframe.colormap,
                imagej=imagej,
                imagej_unit=unit.replace(_IMAGEJ_MICRO, "\u00b5"),
                by_page=series.ndim == 3 and len(series.pages) == series.shape[0],
                offset=series.dataoffset,
                stored_dtype=series.dtype.newbyteorder(file.byteorder),
            )
            for series in file.series
        ]


def _completed(
    path: Path, number: int, signal: RawSignal, series: _Series, large: bool
) -> RawSignal:
    if large and not signal.colors:
        signal = replace(signal, values=_lazy_values(path, number, signal, series))
    if series.imagej_unit:
        signal = _in_unit(signal, series.imagej_unit)
    else:
        signal = _with_warning_of_oblong_pixels(signal)
    signal = _with_imagej_notes(_with_times(signal, series.imagej), series.imagej)
    return _with_palette(signal, series.palette)


def _lazy_values(path: Path, number: int, signal: RawSignal, series: _Series) -> Any:  # noqa: ANN401 -- any array
    """Give a series that does not fit in memory, without its pixels."""
    if series.offset is not None:
        return np.memmap(
            path, series.stored_dtype, mode="r", offset=series.offset, shape=signal.shape
        )
    if series.by_page:
        return rows_array(signal.shape, signal.dtype, partial(_read_pages, path, number))
    return signal.values


def _in_unit(signal: RawSignal, unit: str) -> RawSignal:
    """Give the space axes the unit of ImageJ, of which RosettaSciIO knows only micron."""
    if unit.lower() in _OF_PRINTERS:
        axes = [replace(a, unit="", scale=1.0) if a.name in _SPACE else a for a in signal.axes]
        note = f"a resolution in {unit} is of a printer, not of a microscope, and was not used"
        return replace(signal, axes=tuple(axes), notes=(*signal.notes, note))
    axes = [replace(a, unit=unit) if a.name in _SPACE else a for a in signal.axes]
    return replace(signal, axes=tuple(axes))


def _with_times(signal: RawSignal, imagej: Mapping[str, Any]) -> RawSignal:
    """Give the frames of a stack the times of ImageJ."""
    interval = imagej.get("finterval")
    stacks = [i for i, axis in enumerate(signal.axes) if axis.name not in _SPACE]
    if not isinstance(interval, int | float) or not interval > 0 or len(stacks) != 1:
        return signal
    unit = str(imagej.get("tunit", "s"))
    axes = list(signal.axes)
    axes[stacks[0]] = RawAxis("time", unit, float(interval), stored="stack")
    return replace(signal, axes=tuple(axes))


def _with_imagej_notes(signal: RawSignal, imagej: Mapping[str, Any]) -> RawSignal:
    """Take what adatom wrote among the notes of ImageJ."""
    text = str(imagej.get("Info", ""))
    if not text.startswith('{"adatom":'):
        return signal
    try:
        return with_attributes(signal, json.dumps(json.loads(text)["adatom"]))
    except ValueError:
        return signal


def _with_warning_of_oblong_pixels(signal: RawSignal) -> RawSignal:
    scales = {axis.name: axis.scale for axis in signal.axes if axis.unit}
    y, x = scales.get("height", 1.0), scales.get("width", 1.0)
    if np.isclose(y, x, rtol=1e-6, atol=0.0):
        return signal
    # RosettaSciIO 0.15 exchanges them for some vendors.
    note = (
        f"pixels are not square by the file ({y:.6g} high, {x:.6g} wide): height and width may be "
        "exchanged, so compare with the instrument's software"
    )
    return replace(signal, notes=(*signal.notes, note))


def _with_palette(signal: RawSignal, palette: NDArray[np.uint16] | None) -> RawSignal:
    if palette is None or _is_grey_ramp(palette):
        return signal
    note = "its numbers stand for colors of a palette, which were looked up"
    return replace(
        signal,
        values=np.moveaxis(palette[:, np.asarray(signal.values)], 0, -1),
        colors=COLORS[:3],
        notes=(*signal.notes, note),
    )


def _is_grey_ramp(palette: NDArray[np.uint16]) -> bool:
    """Tell whether a palette shows number i as grey i, so that the numbers are the picture."""
    ramp = np.linspace(0.0, float(palette.max()), palette.shape[1])
    # Palettes of 16 bits are made of 8 bits by shift or by factor 255, 256 or 257.
    return bool(np.abs(palette - ramp).max() <= 257.0) and palette.max() > 0
