"""Single force curves of Bruker's NanoScope."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.nanoscope import Section, header_sections
from adatom.io.signals import RawCurves, RawFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_NAMES: Final = {"Height Sensor": "height", "Deflection Error": "deflection"}
# V [Sens. DeflSens] (0.000375 V/LSB) 2.5 V: sensitivity, hard scale, value.
_SCALED: Final = re.compile(
    r"[VC] (?:\[(?P<soft>.*?)\] )?(?:\((?P<step>\S+) (?P<per>\S+)/LSB\) )?"
    r"(?P<value>\S+) ?(?P<unit>.*)"
)
_TITLE: Final = re.compile(r'S \[.*?\] "(.*)"')


@dataclass(frozen=True)
class _Channel:
    """Where the samples of a channel lie, and what one step of them stands for."""

    name: str
    offset: int
    dtype: str
    scale: float
    unit: str


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header of a force curve."""
    sections = header_sections(path)
    images = [section for name, section in sections if name == "Ciao force image list"]
    # Of lists of the same name the first counts.
    settings = dict(reversed(sections))
    if not images:
        raise read_error(path, "it holds no force curve", "Export it as text in the software")
    counts = _counts(path, images[0], settings.get("Ciao force list", {}))
    softs: Section = {}
    for _, section in sections:
        softs.update({name: text for name, text in section.items() if name.startswith("@Sens.")})
    channels = [_channel(path, section, softs, sum(counts)) for section in images]
    constant = _spring_constant(images)
    step = _ramp_step(images[0], softs, counts[0])
    units = {channel.name: channel.unit for channel in channels}
    notes = ["approach is stored from the contact on, and was turned around"]
    if "height" in units:
        notes.append("the sensor counts towards the sample: its negative is the height")
    elif step:
        units["height"] = "nm"
        notes.append("no height was recorded: it was made of the size of the ramp, 0 at its end")
    if constant and units.get("deflection") in {"nm", "m"}:
        units = {"force": "nN"} | units
    part = RawCurves(
        np.array([counts]),
        ("approach", "retract"),
        units,
        partial(_read_curve, path, tuple(channels), counts, constant, step),
        name=path.stem,
        metadata=_metadata(settings, constant) | {"raw": raw_metadata(settings)},
        notes=tuple(notes),
    )
    return RawFile(path, key, [part])


def _counts(path: Path, image: Section, settings: Section) -> tuple[int, int]:
    """Give the number of samples of approach and retract."""
    numbers = [int(text) for text in image.get("Samps/line", "").split() if text.isdigit()]
    if len(numbers) == 1:
        numbers *= 2
    retract = settings.get("Samps/line, retrace", "")
    if len(numbers) == 2 and numbers[0] != numbers[1]:
        # Which of the two is which is told apart.
        known = retract.isdigit() and int(retract) in numbers
        numbers = [sum(numbers) - int(retract), int(retract)] if known else []
    if len(numbers) != 2 or min(numbers) < 1:
        reason = f"its curves have {image.get('Samps/line')!r} samples"
        raise read_error(path, reason, "Export it as text in the software")
    return numbers[0], numbers[1]


def _channel(path: Path, image: Section, softs: Section, total: int) -> _Channel:
    """Find place, type and scale of a channel: hard scale times sensitivity."""
    offset, length = int(image["Data offset"]), int(image["Data length"])
    check_size(path, (offset + length,), 1, stored=path.stat().st_size, packed=False)
    size = length / total
    if size not in {2, 4} or offset < 0:
        reason = f"a channel of {total} samples has {length} bytes: it holds more than two segments"
        raise read_error(path, reason, "Export it as text in the software")
    title = _TITLE.fullmatch(image.get("@Image Data", ""))
    name = title[1] if title else "unnamed"
    hard = _SCALED.fullmatch(image.get("@Z scale", ""))
    if hard is None or hard["step"] is None:
        raise read_error(path, f"its channel {name!r} has no scale", "Export it as text")
    soft = _SCALED.fullmatch(softs.get(f"@{hard['soft']}", ""))
    scale, unit = float(hard["step"]), hard["per"]
    if soft is not None and soft["unit"].endswith(f"/{unit}"):
        scale, unit = scale * float(soft["value"]), soft["unit"].removesuffix(f"/{unit}")
    house = _NAMES.get(name) or re.sub(r"\W+", "_", name).strip("_").lower()
    sign = -1.0 if house == "height" else 1.0
    return _Channel(house, offset, f"<i{int(size)}", sign * scale, unit)


def _spring_constant(images: Sequence[Section]) -> float | None:
    """Give the one of the deflection; other channels hold numbers without meaning."""
    for image in images:
        if "Deflection" in image.get("@Image Data", ""):
            value = float(image.get("Spring Constant", "nan"))
            return value if np.isfinite(value) and value > 0 else None
    return None


def _ramp_step(image: Section, softs: Section, count: int) -> float | None:
    size = _SCALED.fullmatch(image.get("@Ramp size", ""))
    soft = _SCALED.fullmatch(softs.get("@Sens. Zsens", ""))
    if size is None or soft is None or soft["unit"] != "nm/V":
        return None
    return float(size["value"]) * float(soft["value"]) / count


def _metadata(settings: Mapping[str, Section], constant: float | None) -> dict[str, Any]:
    known: dict[str, Any] = {}
    instrument = settings.get("Equipment list", {}).get("Description")
    if instrument:
        known["instrument"] = instrument
    date = settings.get("Force file list", {}).get("Date")
    if date:
        known["date"] = iso_date(date, "%I:%M:%S %p %a %b %d %Y")
    if constant:
        known["spring_constant"] = constant
    return known


def _read_curve(
    path: Path,
    channels: Sequence[_Channel],
    counts: tuple[int, int],
    constant: float | None,
    step: float | None,
    number: int,
) -> dict[str, list[NDArray[Any]]]:
    """Read the one curve of the file."""
    del number
    approach, retract = counts
    found: dict[str, list[NDArray[Any]]] = {}
    for channel in channels:
        stored = np.fromfile(path, channel.dtype, approach + retract, offset=channel.offset)
        values = stored * channel.scale
        found[channel.name] = [values[:approach][::-1], values[approach:]]
    if "height" not in found and step:
        found["height"] = [np.arange(approach)[::-1] * step, np.arange(retract) * step]
    if constant and "deflection" in found:
        found["force"] = [samples * constant for samples in found["deflection"]]
    return found
