"""Settings of JPK files, and how stored numbers become lengths and forces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

Properties = Mapping[str, str]

_TYPES: Final = {
    "signedshort": ">i2",
    "unsignedshort": ">u2",
    "signedinteger": ">i4",
    "unsignedinteger": ">u4",
    "signedlong": ">i8",
    "short-data": ">i2",
    "integer-data": ">i4",
    "long-data": ">i8",
    "float-data": ">f4",
    "float": ">f4",
    "double-data": ">f8",
    "double": ">f8",
}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_PAIR: Final = re.compile(r"((?:\\.|[^\\=:\s])+)\s*[=:]?\s*(.*)")


@dataclass(frozen=True)
class Channel:
    """How the samples of a channel are stored and calibrated.

    Attributes
    ----------
    name : str
        As in the file.
    member : str
        Of the archive, below the folder of the segment.
    dtype : numpy.dtype
        Of the stored numbers.
    base, default : str
        Calibration of what the encoder gives, and the one that JPK shows.
    encoder : tuple of float
        Factor and offset from stored numbers to the base.
    slots : mapping of str
        Calibration -> the one that it is made from, factor, offset.
    units : mapping of str
        Calibration -> unit.
    """

    name: str
    member: str
    dtype: np.dtype[Any]
    base: str
    default: str
    encoder: tuple[float, float]
    slots: Mapping[str, tuple[str, float, float]]
    units: Mapping[str, str]

    def unit(self, slot: str) -> str:
        """Give the unit of a calibration."""
        return self.units.get(slot, "")

    def scale(self, slot: str) -> float:
        """Give the factor of a calibration from the one that it is made from."""
        return self.slots[slot][1]

    def calibrated(self, stored: NDArray[Any], slot: str) -> NDArray[np.float64]:
        """Calibrate stored numbers, step by step from the base."""
        steps = [self.encoder]
        chain: list[tuple[float, float]] = []
        while slot != self.base and slot in self.slots and len(chain) < len(self.slots):
            slot, factor, offset = self.slots[slot]
            chain.append((factor, offset))
        values = stored.astype(np.float64)
        for factor, offset in [*steps, *reversed(chain)]:
            values = values * factor + offset
        return values


def parse_properties(stored: bytes, /) -> Properties:
    r"""Read the text of Java properties: keys, values, escapes.

    Examples
    --------
    >>> parse_properties(b"#comment\ntime=13\\:24\nname = a")
    {'time': '13:24', 'name': 'a'}
    """
    found = {}
    for line in stored.decode("latin-1").splitlines():
        pair = _PAIR.fullmatch(line.strip())
        if pair is not None and not line.lstrip().startswith(("#", "!")):
            found[_unescaped(pair[1])] = _unescaped(pair[2])
    return found


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 5 else found[1], text
    )


def channel_of_segment(
    path: Path, name: str, header: Properties, shared: Properties, /
) -> Channel | None:
    """Gather what header and shared settings say of a channel; nothing if it has no samples.

    New files keep it once for all curves under a number, old ones in every segment.
    """
    member = header.get(f"channel.{name}.data.file.name", "")
    if not member:
        return None
    number = header.get(f"channel.{name}.lcd-info.*", "")

    def get(key: str) -> str:
        for found in (
            header.get(f"channel.{name}.{key}"),
            header.get(f"channel.{name}.data.{key}"),
            shared.get(f"lcd-info.{number}.{key}"),
        ):
            if found is not None:
                return found
        return ""

    stored_as = get("encoder.type") or get("type")
    if stored_as not in _TYPES:
        reason = f"the channel {name!r} is stored as {stored_as!r}, which is not known"
        raise read_error(path, reason, "Export it as text, or tell the authors of adatom")
    slots, units = _calibrations(path, get)
    base = get("conversion-set.conversions.base")
    units[base] = get("encoder.scaling.unit.unit") or get("unit.unit")
    default = get("conversion-set.conversions.default")
    return Channel(
        name=name,
        member=member,
        dtype=np.dtype(_TYPES[stored_as]),
        base=base,
        default=default if default in slots else base,
        encoder=_linear(path, get, "encoder.scaling"),
        slots=slots,
        units=units,
    )


def _calibrations(
    path: Path, get: Callable[[str], str]
) -> tuple[dict[str, tuple[str, float, float]], dict[str, str]]:
    slots: dict[str, tuple[str, float, float]] = {}
    units = {}
    for slot in get("conversion-set.conversions.list").split():
        key = f"conversion-set.conversion.{slot}"
        if get(f"{key}.defined") == "false":
            continue
        slots[slot] = (get(f"{key}.base-calibration-slot"), *_linear(path, get, f"{key}.scaling"))
        units[slot] = get(f"{key}.scaling.unit.unit") or get(f"{key}.scaling.unit")
    return slots, units


def _linear(path: Path, get: Callable[[str], str], key: str) -> tuple[float, float]:
    """Read factor and offset; what has no scaling is taken as it is."""
    kind = get(f"{key}.type")
    if kind not in {"", "linear"} or get(f"{key}.style") not in {"", "offsetmultiplier"}:
        reason = f"its scaling is {kind!r} {get(f'{key}.style')!r}, which is not known"
        raise read_error(path, reason, "Export it as text, or tell the authors of adatom")
    return float(get(f"{key}.multiplier") or 1.0), float(get(f"{key}.offset") or 0.0)
