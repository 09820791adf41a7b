"""Igor binary waves that hold images (.ibw), as those of Asylum Research.

The layout of version 5 is that of WaveMetrics' Technical Note 003.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adatom.io.blocks import stored_block
from adatom.io.guard import read_error
from adatom.io.igor_waves import DATA_AT, Wave, read_wave
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

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


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read header, note and labels of a wave."""
    wave = read_wave(path)
    if len(wave.shape) == 1:
        return RawFile(path, key, [_spectrum(wave)])
    if len(wave.shape) == 4:
        raise read_error(path, f"its wave is {wave.shape}", "Save three dimensions of it in Igor")
    if len(wave.shape) == 2 or wave.labels[2] or wave.of_asylum:
        return RawFile(path, key, _layers(wave))
    columns, rows, layers = wave.shape
    part = RawSignal(
        stored_block(path, DATA_AT, (layers, rows, columns), wave.dtype),
        (_axis(wave, 2, ""), _axis(wave, 1, "y"), _axis(wave, 0, "x")),
        name=wave.name,
        unit=wave.unit,
        metadata=_facts(wave, ""),
    )
    return RawFile(path, key, [part])


def _axis(wave: Wave, number: int, name: str) -> RawAxis:
    step, unit = wave.steps[number], wave.units[number]
    # Asylum's layers carry the unit of the picture, which means nothing.
    stored: Any = "stack" if name == "" else "signal"
    return RawAxis(name or "frame", unit, step, wave.starts[number], stored=stored)


def _layers(wave: Wave) -> list[RawSignal]:
    """Make an image of each layer: x runs fastest, then y."""
    columns, rows = wave.shape[:2]
    count = wave.shape[2] if len(wave.shape) > 2 else 1
    names = wave.labels[2] or tuple(f"layer {number}" for number in range(count))
    if count == 1 and not wave.labels[2]:
        names = (wave.name,)
    size = rows * columns * int(wave.dtype[2:])
    preferred = next((n for n, name in enumerate(names) if name.lower().startswith("height")), 0)
    return [
        RawSignal(
            # Asylum's y counts upwards, so that the lowest line comes first.
            stored_block(
                wave.path,
                DATA_AT + number * size,
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


def _unit(wave: Wave, name: str) -> str:
    if not wave.of_asylum:
        return wave.unit
    lowered = name.lower()
    return next((unit for start, unit in _UNITS.items() if lowered.startswith(start)), "")


def _spectrum(wave: Wave) -> RawSignal:
    axis = RawAxis("channel", wave.units[0], wave.steps[0], wave.starts[0], stored="signal")
    if not wave.units[0]:
        axis = RawAxis("channel", stored="signal")
    return RawSignal(
        stored_block(wave.path, DATA_AT, wave.shape, wave.dtype),
        (axis,),
        name=wave.name,
        unit=wave.unit,
        metadata=_facts(wave, ""),
    )


def _facts(wave: Wave, channel: str) -> dict[str, Any]:
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
