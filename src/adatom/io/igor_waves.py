"""Igor binary waves of version 5: what their header says, and the texts behind their numbers.

The layout is that of WaveMetrics' Technical Note 003.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

from adatom.io.guard import check_size, read_error

if TYPE_CHECKING:
    from pathlib import Path

DATA_AT: Final = 384
"""Where the numbers of a wave begin."""

_WAVE_AT: Final = 64
_LABEL: Final = 32
_COMPLEX: Final = 1
_UNSIGNED: Final = 64
_TYPES: Final = {2: "f4", 4: "f8", 8: "i1", 16: "i2", 32: "i4"}


@dataclass(frozen=True)
class Wave:
    """What the header of a wave says, and the texts behind its numbers."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    steps: tuple[float, ...]
    starts: tuple[float, ...]
    units: tuple[str, ...]
    unit: str
    name: str
    note: Mapping[str, str]
    labels: tuple[tuple[str, ...], ...]
    """Of the rows, columns, layers and chunks; empty where there are none."""

    @property
    def of_asylum(self) -> bool:
        """Whether Asylum's software wrote it."""
        return "ScanSize" in self.note or "MicroscopeModel" in self.note


def read_wave(path: Path, /) -> Wave:
    """Read the header of a wave and its texts, once they are known to be in the file."""
    stored = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(DATA_AT)
        if len(head) < DATA_AT or head[:2] not in {b"\x05\x00", b"\x00\x05"}:
            raise read_error(path, "it is no Igor wave of version 5", "Save it anew in Igor")
        order = "<" if head[0] else ">"
        # Lengths of formula, note, long unit, long units of dimensions, labels of dimensions.
        texts = struct.unpack_from(f"{order}11i", head, 8)
        (number,) = struct.unpack_from(f"{order}h", head, _WAVE_AT + 16)
        sizes = struct.unpack_from(f"{order}4i", head, _WAVE_AT + 68)
        dtype = _dtype(path, order, number)
        if min(*sizes, *texts) < 0 or sizes[0] == 0:
            raise read_error(path, f"its header gives a wave of {sizes}", "The file is damaged")
        shape = tuple(size for size in sizes if size)
        check_size(path, shape, int(dtype[2:]), stored=stored - DATA_AT, packed=False)
        end = DATA_AT + prod(shape) * int(dtype[2:])
        check_size(path, (sum(texts),), 1, stored=stored - end, packed=False)
        file.seek(end + texts[0])
        note = file.read(texts[1]).decode("latin-1")
        file.seek(texts[2] + sum(texts[3:7]), 1)
        labels = [file.read(length) for length in texts[7:11]]
    units = [head[_WAVE_AT + 152 + 4 * k :][:4] for k in range(4)]
    return Wave(
        path,
        dtype,
        shape,
        struct.unpack_from(f"{order}4d", head, _WAVE_AT + 84),
        struct.unpack_from(f"{order}4d", head, _WAVE_AT + 116),
        tuple(_word(unit) for unit in units),
        _word(head[_WAVE_AT + 148 :][:4]),
        _word(head[_WAVE_AT + 28 :][:32]) or path.stem,
        _note(note),
        tuple(_labels(text, size) for text, size in zip(labels, sizes, strict=True)),
    )


def _dtype(path: Path, order: str, number: int) -> str:
    """Name the type: bits tell size, complex numbers and unsigned ones."""
    kind = _TYPES.get(number & ~_UNSIGNED & ~_COMPLEX)
    if kind is None or (number & _UNSIGNED and kind[0] == "f"):
        raise read_error(path, f"its numbers are of the unknown type {number}", "Save it anew")
    if number & _COMPLEX:
        if kind[0] != "f":
            raise read_error(path, "its numbers are complex integers", "Save their real part")
        return f"{order}c{2 * int(kind[1])}"
    return order + (f"u{kind[1]}" if number & _UNSIGNED else kind)


def _word(text: bytes) -> str:
    return text.split(b"\0")[0].decode("latin-1").strip()


def _note(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in re.split(r"[\r\n]+", text))
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _labels(text: bytes, count: int) -> tuple[str, ...]:
    """Part the labels of layers; the first one is of the dimension itself."""
    labels = [_word(text[at : at + _LABEL]) for at in range(_LABEL, len(text), _LABEL)][:count]
    return tuple(labels) if any(labels) else ()
