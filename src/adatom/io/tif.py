"""TIFF: scales by RosettaSciIO, palettes by tifffile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.io.guard import check_size, collected_chatter, read_error
from adatom.io.rosetta import named_apart, read_dictionaries, signal_from_dictionary
from adatom.io.sidecar import with_sidecar
from adatom.io.signals import RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_signals(path: Path, family: str, /) -> RawFile:
    """Read all series of pages of a file."""
    palettes = _checked_palettes(path)
    entries, notes = read_dictionaries(path, family, lazy=False)
    signals = [
        _with_palette(signal_from_dictionary(entry, notes), palette)
        for entry, palette in zip(entries, palettes, strict=True)
    ]
    return with_sidecar(RawFile(path, family, named_apart(signals)))


def _checked_palettes(path: Path) -> list[NDArray[np.uint16] | None]:
    """Give the palette of each series that has one, once its size is known to be possible."""
    import tifffile

    palettes: list[NDArray[np.uint16] | None] = []
    stored = path.stat().st_size
    with collected_chatter(("tifffile",)), tifffile.TiffFile(path) as file:
        if not file.series:
            raise read_error(path, "it holds no picture", "The file may be damaged: copy it again")
        for series in file.series:
            check_size(path, series.shape, series.dtype.itemsize, stored=stored)
            # ImageJ's palette is how it shows numbers, not what they are.
            palettes.append(None if file.is_imagej else series.keyframe.colormap)
    return palettes


def _with_palette(signal: RawSignal, palette: NDArray[np.uint16] | None) -> RawSignal:
    if palette is None:
        return signal
    if _is_grey_ramp(palette):
        return signal
    colors: Any = np.moveaxis(palette[:, signal.values], 0, -1)
    note = "its numbers stand for colors of a palette, which were looked up"
    names = ("red", "green", "blue")
    return replace(signal, values=colors, colors=names, notes=(*signal.notes, note))


def _is_grey_ramp(palette: NDArray[np.uint16]) -> bool:
    """Tell whether a palette shows number i as grey i, so that the numbers are the picture."""
    ramp = np.linspace(0.0, float(palette.max()), palette.shape[1])
    return bool(np.abs(palette - ramp).max() <= 257.0) and palette.max() > 0
