"""Igor binary waves that hold images (.ibw), as those of Asylum Research.

The layout of version 5 is that of WaveMetrics' Technical Note 003.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adatom.io.blocks import stored_block
from adatom.io.guard import check_size, read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

_DATA_AT: Final = 384
_WAVE_AT: Final = 64
_LABEL: Final = 32
_COMPLEX: Final = 1
_UNSIGNED: Final = 64
_TYPES: Final = {2: "f4", 4: "f8", 8: "i1", 16: "i2", 32: "i4"}
# Beginnings of Asylum's channels -> unit; the wave says "m" whatever its layers hold.
_UNITS: Final = {
    "height": "m",
    "zsensor": "m",
    "deflection": "m",
    "amplitude": "m",
    "phase": "deg",
    "frequency": "Hz",
    "current": "A",
    "potential": "V",
    "lateral": "V",
    "userin": "V",
}


@dataclass(frozen=True)
class _Wave:
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
    labels: tuple[str, ...]

    @property
    def of_asylum(self) -> bool:
        """Whether Asylum's software wrote it."""
        return "ScanSize" in self.note or "MicroscopeModel" in self.note


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read header, note and labels of a wave."""
    wave = _wave(path)
    if len(wave.shape) == 1:
        return RawFile(path, key, [_spectrum(wave)])
    if len(wave.shape) == 4:
        raise read_error(path, f"its wave is {wave.shape}", "Save three dimensions of it in Igor")
    if len(wave.shape) == 2 or wave.labels or wave.of_asylum:
        return RawFile(path, key, _layers(wave))
    columns, rows, layers = wave.shape
    part = RawSignal(
        stored_block(path, _DATA_AT, (layers, rows, columns), wave.dtype),
        (_axis(wave, 2, ""), _axis(wave, 1, "y"), _axis(wave, 0, "x")),
        name=wave.name,
        unit=wave.unit,
        metadata=_facts(wave, ""),
    )
    return RawFile(path, key, [part])


def _wave(path: Path) -> _Wave:
    stored = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_DATA_AT)
        if len(head) < _DATA_AT or head[:2] not in {b"\x05\x00", b"\x00\x05"}:
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
        check_size(path, shape, int(dtype[2:]), stored=stored - _DATA_AT, packed=False)
        end = _DATA_AT + _n_values(shape) * int(dtype[2:])
        check_size(path, (sum(texts),), 1, stored=stored - end, packed=False)
        file.seek(end + texts[0])
        note = file.read(texts[1]).decode("latin-1")
        file.seek(texts[2] + sum(texts[3:7]), 1)
        labels = [file.read(length) for length in texts[7:11]]
    units = [head[_WAVE_AT + 152 + 4 * k :][:4] for k in range(4)]
    return _Wave(
        path,
        dtype,
        shape,
        struct.unpack_from(f"{order}4d", head, _WAVE_AT + 84),
        struct.unpack_from(f"{order}4d", head, _WAVE_AT + 116),
        tuple(_word(unit) for unit in units),
        _word(head[_WAVE_AT + 148 :][:4]),
        _word(head[_WAVE_AT + 28 :][:32]) or path.stem,
        _note(note),
        _labels(labels[2], shape[2] if len(shape) > 2 else 0),
    )


def _n_values(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


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


def _axis(wave: _Wave, number: int, name: str) -> RawAxis:
    step, unit = wave.steps[number], wave.units[number]
    # Asylum's layers carry the unit of the picture, which means nothing.
    stored: Any = "stack" if name == "" else "signal"
    return RawAxis(name or "frame", unit, step, wave.starts[number], stored=stored)


def _layers(wave: _Wave) -> list[RawSignal]:
    """Make an image of each layer: x runs fastest, then y."""
    columns, rows = wave.shape[:2]
    count = wave.shape[2] if len(wave.shape) > 2 else 1
    names = wave.labels or tuple(f"layer {number}" for number in range(count))
    if count == 1 and not wave.labels:
        names = (wave.name,)
    size = rows * columns * int(wave.dtype[2:])
    preferred = next((n for n, name in enumerate(names) if name.lower().startswith("height")), 0)
    return [
        RawSignal(
            # Asylum's y counts upwards, so that the lowest line comes first.
            stored_block(
                wave.path,
                _DATA_AT + number * size,
                (rows, columns),
                wave.dtype,
                flipped=(0,) if wave.of_asylum else (),
            ),
            (_axis(wave, 1, "y"), _axis(wave, 0, "x")),
            name=name,
            unit=_unit(wave, name),
            metadata=_facts(wave, name),
            preferred=f"{name} was read" if count > 1 and number == preferred else "",
        )
        for number, name in zip(range(count), names, strict=False)
    ]


def _unit(wave: _Wave, name: str) -> str:
    if not wave.of_asylum:
        return wave.unit
    lowered = name.lower()
    return next((unit for start, unit in _UNITS.items() if lowered.startswith(start)), "")


def _spectrum(wave: _Wave) -> RawSignal:
    axis = RawAxis("channel", wave.units[0], wave.steps[0], wave.starts[0], stored="signal")
    if not wave.units[0]:
        axis = RawAxis("channel", stored="signal")
    return RawSignal(
        stored_block(wave.path, _DATA_AT, wave.shape, wave.dtype),
        (axis,),
        name=wave.name,
        unit=wave.unit,
        metadata=_facts(wave, ""),
    )


def _facts(wave: _Wave, channel: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"channel": channel} if channel else {}
    if wave.of_asylum:
        facts["instrument"] = f"Asylum {wave.note.get('MicroscopeModel', '')}".strip()
    date = f"{wave.note.get('Date', '')} {wave.note.get('Time', '')}".strip()
    if date:
        facts["date"] = iso_date(date, "%Y-%m-%d %I:%M:%S %p")
    # In deg and N/m.
    for name, fact in (("ScanAngle", "scan_angle"), ("SpringConstant", "spring_constant")):
        try:
            facts[fact] = float(wave.note[name])
        except (KeyError, ValueError):
            continue
    if wave.note:
        facts["raw"] = raw_metadata(wave.note)
    return facts
