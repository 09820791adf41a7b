"""Images of Bruker's NanoScope (.spm, .001 and other numbers).

Heights follow from the rule of Bruker's manual for CIAO parameters: what is
stored spans the hard value, which the sensitivity of the channel, its soft
scale, turns into nm.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adatom.io.blocks import stored_block
from adatom.io.guard import check_size, read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_HEADER: Final = 2**20
# V [Sens. Zsens] (0.0003750000 V/LSB) 12.50 V: soft scale, hard scale, hard value, unit.
_SCALED: Final = re.compile(
    r"[VC] (?:\[(?P<soft>.*?)\] )?(?:\(.*?\) ?)?(?P<value>[-+\d.eE]+) ?(?P<unit>.*)"
)
_TITLE: Final = re.compile(r'S (?:\[.*?\] )?"(?P<title>.*)"')
_SIZE: Final = re.compile(r"(?P<x>[\d.eE+-]+)(?: (?P<y>[\d.eE+-]+))? (?P<unit>\S+)")
_UNITS: Final = {"~m": "um", "º": "deg", "Arb": "", "LSB": ""}

Section = dict[str, str]


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header of a file of images."""
    sections = header_sections(path)
    images = [section for name, section in sections if name == "Ciao image list"]
    if not images:
        names = ", ".join(dict.fromkeys(name for name, _ in sections))
        reason = f"it has no list of images of NanoScope 4.2 or later, but {names}"
        raise read_error(path, reason, "Save it anew in a later version, or export it as text")
    softs: Section = {}
    for _, section in sections:
        softs.update({name: text for name, text in section.items() if name.startswith("@")})
    # Of lists of the same name the first counts.
    settings = dict(reversed(sections))
    facts = _facts(settings, sections)
    signals = [_image(path, image, settings, softs, facts) for image in images]
    heights = [n for n, one in enumerate(signals) if one.name.startswith("Height")]
    chosen = heights[0] if heights else 0
    if len(signals) > 1:
        why = f"{signals[chosen].name} was read"
        signals[chosen] = replace(signals[chosen], preferred=why)
    return RawFile(path, key, signals)


def header_sections(path: Path, /) -> list[tuple[str, Section]]:
    """Read the header: lists, each with its settings."""
    with path.open("rb") as file:
        text, end, _ = file.read(_MAX_HEADER).partition(b"\x1a")
    if not end:
        raise read_error(path, "its header does not end", "The file may be cut off: copy it again")
    found: list[tuple[str, Section]] = []
    for line in text.decode("latin-1").splitlines():
        if line.startswith("\\*"):
            found.append((line[2:].strip(), {}))
        elif line.startswith("\\") and found:
            # The names of scales hold a colon after a digit: "@2:Z scale: V ...".
            name, _, value = line[1:].partition(": ")
            found[-1][1][re.sub(r"^@\d+:", "@", name).strip().rstrip(":")] = value.strip()
    return found


def _image(
    path: Path,
    image: Section,
    settings: Mapping[str, Section],
    softs: Mapping[str, str],
    facts: Mapping[str, Any],
) -> RawSignal:
    rows, columns = _count(path, image, "Number of lines"), _count(path, image, "Samps/line")
    offset, length = _count(path, image, "Data offset"), _count(path, image, "Data length")
    check_size(path, (offset + length,), 1, stored=path.stat().st_size, packed=False)
    # The stated bytes of a pixel are wrong since version 9.2.
    bytes_each = length / (rows * columns)
    if bytes_each not in {2, 4}:
        reason = f"an image of {rows} x {columns} pixels has {length} bytes"
        raise read_error(path, reason, "The file is damaged: copy it again")
    title = _TITLE.fullmatch(image.get("@Image Data", ""))
    name = title["title"] if title else "unnamed"
    direction = image.get("Line Direction", "")
    full_name = f"{name} {direction.lower()}".strip()
    scale, unit, notes = _scale(image, softs, int(bytes_each))
    height, width, length_unit = _size(image, settings, rows, columns)
    return RawSignal(
        # The lowest line comes first.
        stored_block(
            path, offset, (rows, columns), f"<i{int(bytes_each)}", flipped=(0,), scale=scale
        ),
        (
            RawAxis("y", length_unit, height / rows, stored="signal"),
            RawAxis("x", length_unit, width / columns, stored="signal"),
        ),
        name=full_name,
        unit=unit,
        metadata={**facts, "channel": full_name},
        notes=tuple(notes),
    )


def _count(path: Path, image: Section, name: str) -> int:
    text = image.get(name, "")
    if not text.isdigit() or (not int(text) and name != "Data offset"):
        raise read_error(path, f"its {name} is {text!r}", "The file is damaged: copy it again")
    return int(text)


def _scale(
    image: Section, softs: Mapping[str, str], bytes_each: int
) -> tuple[float, str, list[str]]:
    """Give the value and unit of one step of the converter."""
    hard = _SCALED.fullmatch(image.get("@Z scale", ""))
    if hard is None:
        return 1.0, "", ["the file gives no scale of the channel: values are the converter's steps"]
    scale, unit = float(hard["value"]) / 2 ** (8 * bytes_each), hard["unit"].strip()
    soft = _SCALED.fullmatch(softs.get(f"@{hard['soft']}", ""))
    if soft is not None and "/" in soft["unit"]:
        scale, unit = scale * float(soft["value"]), soft["unit"].partition("/")[0].strip()
    elif hard["soft"]:
        note = f"the file lacks {hard['soft']!r}: values are in {unit or 'steps'}"
        return scale, _UNITS.get(unit, unit), [note]
    return scale, _UNITS.get(unit, unit), []


def _size(
    image: Section, settings: Mapping[str, Section], rows: int, columns: int
) -> tuple[float, float, str]:
    """Give height, width and unit of a scan."""
    for text in (
        image.get("Scan Size", ""),
        image.get("Scan size", ""),
        settings.get("Ciao scan list", {}).get("Scan Size", ""),
    ):
        size = _SIZE.fullmatch(text)
        if size is None:
            continue
        width, unit = float(size["x"]), _UNITS.get(size["unit"], size["unit"])
        # Where one length is given, pixels are square.
        height = float(size["y"]) if size["y"] else width * rows / columns
        return height, width, unit
    return float(rows), float(columns), ""


def _facts(
    settings: Mapping[str, Section], sections: Sequence[tuple[str, Section]]
) -> dict[str, Any]:
    equipment = settings.get("Equipment list", {})
    facts: dict[str, Any] = {"instrument": equipment.get("Description", "NanoScope")}
    date = settings.get("File list", {}).get("Date")
    if date:
        facts["date"] = iso_date(date, "%I:%M:%S %p %a %b %d %Y")
    angle = settings.get("Ciao scan list", {}).get("Rotate Ang.", "")
    if re.fullmatch(r"[-+\d.]+", angle):
        facts["scan_angle"] = float(angle)
    flat = {
        f"{number} {name}.{key}": value
        for number, (name, section) in enumerate(sections)
        for key, value in section.items()
    }
    facts["raw"] = raw_metadata(flat)
    return facts
