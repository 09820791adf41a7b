"""The XML of imzML: where spectra lie, in the map and in the .ibd file."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adatom.io.guard import read_error
from adatom.io.xml_events import xml_events

if TYPE_CHECKING:
    from pathlib import Path

# Accession numbers of the vocabularies of mzML and imzML.
_TYPES: Final = {
    "MS:1000521": "<f4",
    "MS:1000523": "<f8",
    "MS:1000519": "<i4",
    "MS:1000522": "<i8",
    "IMS:1000141": "<i4",
    "IMS:1000142": "<i8",
    "IMS:1100000": "<i1",
    "IMS:1100001": "<i2",
}
MZ: Final = "MS:1000514"
INTENSITY: Final = "MS:1000515"
_ZLIB: Final = "MS:1000574"
_PACKINGS: Final = {"MS:1000576", _ZLIB}
_LENGTH: Final = "IMS:1000103"
_OFFSET: Final = "IMS:1000102"
_ENCODED: Final = "IMS:1000104"
_PLACE: Final = {"x": "IMS:1000050", "y": "IMS:1000051", "z": "IMS:1000052"}
PIXEL_SIZES: Final = {"x": "IMS:1000046", "y": "IMS:1000047"}
COUNTS: Final = {"x": "IMS:1000042", "y": "IMS:1000043"}
IDENTITY: Final = "IMS:1000080"
PROFILE: Final = "MS:1000128"
CENTROID: Final = "MS:1000127"

# Elements whose parameters are of the whole measurement.
_TOLD: Final = {"fileContent", "scanSettings"}
_MAX_SPECTRA: Final = 20_000_000


@dataclass
class Arrays:
    """Places of all arrays of one sort, m/z or intensities, and the forms that they have."""

    offsets: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    encoded: array[int] = field(default_factory=lambda: array("q"))
    forms: set[tuple[str, bool]] = field(default_factory=set)


@dataclass
class Header:
    """What the XML says."""

    arrays: dict[str, Arrays] = field(default_factory=lambda: {MZ: Arrays(), INTENSITY: Arrays()})
    places: dict[str, array[int]] = field(
        default_factory=lambda: {name: array("q") for name in _PLACE}
    )
    groups: dict[str, dict[str, Mapping[str, str]]] = field(default_factory=dict)
    settings: dict[str, Mapping[str, str]] = field(default_factory=dict)
    date: str = ""


@dataclass
class _Walk:
    """Where in the XML one is: a group, or a spectrum, or an array in it."""

    path: Path
    header: Header = field(default_factory=Header)
    group: str = ""
    told: str = ""
    spectrum: dict[str, Mapping[str, str]] | None = None
    array: dict[str, Mapping[str, str]] | None = None

    def open(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take up the beginning of an element."""
        target = self._target()
        if tag == "cvParam" and target is not None:
            target[attributes.get("accession", "")] = attributes
        elif tag == "referenceableParamGroupRef" and target is not None:
            for name, one in self.header.groups.get(attributes.get("ref", ""), {}).items():
                # What an element says itself counts more than what a group says.
                target.setdefault(name, one)
        elif tag == "referenceableParamGroup":
            self.group = attributes.get("id", "")
            self.header.groups[self.group] = {}
        elif tag in _TOLD:
            self.told = tag
        elif tag == "run":
            self.header.date = attributes.get("startTimeStamp", "")
        elif tag == "spectrum":
            self.spectrum = {}
        elif tag == "binaryDataArray" and self.spectrum is not None:
            self.array = {}

    def close(self, tag: str) -> None:
        """Take up the end of an element."""
        if tag == "referenceableParamGroup":
            self.group = ""
        elif tag == self.told:
            self.told = ""
        elif tag == "binaryDataArray" and self.array is not None:
            _add_array(self.path, self.header, self.array)
            self.array = None
        elif tag == "spectrum" and self.spectrum is not None:
            _add_place(self.path, self.header, self.spectrum)
            self.spectrum = None

    def _target(self) -> dict[str, Mapping[str, str]] | None:
        """Tell where a parameter belongs: to the innermost element that is open."""
        if self.group:
            return self.header.groups[self.group]
        if self.array is not None:
            return self.array
        if self.spectrum is not None:
            return self.spectrum
        return self.header.settings if self.told else None


def header_of_file(path: Path, /) -> Header:
    """Read the XML in one go, keeping places only."""
    walk = _Walk(path)
    for opens, tag, attributes in xml_events(path):
        if opens:
            walk.open(tag, attributes)
        else:
            walk.close(tag)
    return walk.header


def number_of(params: Mapping[str, Mapping[str, str]], accession: str, /) -> float | None:
    """Give the number of a parameter, if it is there and is one."""
    text = params.get(accession, {}).get("value", "")
    try:
        return float(text)
    except ValueError:
        return None


def _add_place(path: Path, header: Header, params: Mapping[str, Mapping[str, str]]) -> None:
    if len(header.places["x"]) >= _MAX_SPECTRA:
        raise read_error(path, f"it holds more than {_MAX_SPECTRA} spectra", "Split it")
    for name, accession in _PLACE.items():
        value = number_of(params, accession)
        if value is None and name != "z":
            reason = f"spectrum {len(header.places['x'])} has no position {name}"
            raise read_error(path, reason, "Export it again with positions")
        header.places[name].append(1 if value is None else int(value))


def _add_array(path: Path, header: Header, params: Mapping[str, Mapping[str, str]]) -> None:
    sort = MZ if MZ in params else INTENSITY if INTENSITY in params else ""
    if not sort:
        return
    dtype = next((_TYPES[one] for one in params if one in _TYPES), "")
    packings = {one for one in params if "compression" in params[one].get("name", "")}
    if not dtype or packings - _PACKINGS:
        found = "of an unknown type" if not dtype else f"packed as {min(packings)}"
        raise read_error(path, f"its arrays are {found}", "Export it without compression")
    numbers = [number_of(params, one) for one in (_OFFSET, _LENGTH, _ENCODED)]
    offset, length, encoded = (-1 if one is None else int(one) for one in numbers)
    if offset < 0 or length < 0:
        raise read_error(path, "an array has no place in the .ibd file", "Export it again")
    arrays = header.arrays[sort]
    arrays.forms.add((dtype, _ZLIB in params))
    arrays.offsets.append(offset)
    arrays.lengths.append(length)
    arrays.encoded.append(encoded)
