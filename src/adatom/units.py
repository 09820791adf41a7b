"""One unit per quantity inside; conversion at the border; lengths as settings."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from adatom.errors import UnitError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUSE_UNITS: Final[Mapping[str, tuple[str, ...]]] = {
    "length": ("nm", "mm", "px"),
    "time": ("s", "ns"),
    "energy": ("eV",),
    "voltage": ("V",),
    "current": ("nA",),
    "force": ("nN",),
    "angle": ("deg",),
    "wavenumber": ("1/cm",),
    "reciprocal length": ("1/nm",),
    "mass": ("Da",),
    "frequency": ("Hz",),
    "number": ("1",),
}
"""The units used inside, the first of each quantity unless the data say otherwise."""

SPACE_UNITS: Final = HOUSE_UNITS["length"]

# Each is a thousand of the one before.
_LADDER: Final = ("pm", "nm", "\u00b5m", "mm", "m", "km")

_NUMBER_AND_UNIT = re.compile(
    r"\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>(?:(?<=\s)1/)?[^\s\d./].*?)?\s*"
)
_ANGLE = re.compile("radian|degree|arc|grad|turn|revolution|cycle")
# Spellings met in instrument files that pint does not know or reads as something else.
_SPELLINGS: Final = {
    "": "1",
    "a.u.": "1",
    "arb. units": "1",
    "counts": "1",
    "counts (-)": "1",
    "ang": "angstrom",
    "angstrom": "angstrom",
    "angstroms": "angstrom",
    "å": "angstrom",
    "\u212b": "angstrom",
    "micron": "micrometer",
    "microns": "micrometer",
    "um": "micrometer",
    "~m": "micrometer",
    "pixel": "px",
    "pixels": "px",
    "px": "px",
    "degree": "deg",
    "degrees": "deg",
    "°": "deg",
    "amu": "Da",
    "m/z": "Da",
    "dalton": "Da",
    "cm-1": "1/cm",
    "cm^-1": "1/cm",
    "second": "s",
    "seconds": "s",
    "nanometer": "nm",
    "nanometers": "nm",
    "micrometer": "micrometer",
    "micrometers": "micrometer",
    "meter": "m",
    "meters": "m",
    "volt": "V",
    "volts": "V",
}


# Base units of the house with the exponent of ten to them, and prefixes: what nearly all files
# hold is told without pint, whose import takes as long as reading an image.
_BASES: Final = {"m": ("nm", 9), "A": ("nA", 9), "N": ("nN", 9)} | {
    unit: (unit, 0) for unit in ("eV", "V", "s", "Hz", "Da")
}
_PREFIXES: Final = {"f": -15, "p": -12, "n": -9, "u": -6, "\u00b5": -6, "m": -3, "": 0} | {
    "k": 3, "M": 6, "G": 9
}  # fmt: skip
_COMMON: Final = {
    prefix + base: (house, float(f"1e{power + exponent}"))
    for base, (house, exponent) in _BASES.items()
    for prefix, power in _PREFIXES.items()
} | {
    "angstrom": ("nm", 0.1), "cm": ("nm", 1e7), "micrometer": ("nm", 1e3), "1/nm": ("1/nm", 1.0),
    "1/cm": ("1/cm", 1.0), "1/m": ("1/nm", 1e-9), "1/angstrom": ("1/nm", 10.0),
}  # fmt: skip


class Quantity(NamedTuple):
    """A number with its unit, as written by a user."""

    value: float
    unit: str


@dataclass(frozen=True)
class QuantityRule:
    """What a setting that carries a unit may look like.

    Attributes
    ----------
    name : str
        The physical quantity, for messages.
    units : tuple of str
        Units understood as they are.
    example : str
        A correct value, for messages.
    """

    name: str
    units: tuple[str, ...]
    example: str

    def check(self, text: object, /, *, name: str = "setting") -> Quantity:
        """Parse `text`, or raise an error that shows a correct value.

        Examples
        --------
        >>> LENGTH.check("1.5 d", name="size")
        Quantity(value=1.5, unit='d')
        """
        match = _NUMBER_AND_UNIT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            msg = (
                f"{name}={text!r} is not a {self.name}: "
                f'write a number and a unit, such as "{self.example}"'
            )
            raise UnitError(msg)
        value, unit = float(match["number"]), match["unit"] or ""
        if unit in self.units and math.isfinite(value):
            return Quantity(value, unit)
        try:
            house, factor = house_unit(unit)
        except UnitError:
            house, factor = "", math.nan
        if not unit or house not in self.units or not math.isfinite(value):
            msg = (
                f"{name}={text!r} has no unit of {self.name}: "
                f'use one of {", ".join(self.units)}, such as "{self.example}"'
            )
            raise UnitError(msg)
        return Quantity(value * factor, house)


LENGTH: Final = QuantityRule("length", ("nm", "mm", "px", "d"), "0.8 nm")
TIME: Final = QuantityRule("time", ("s", "ns"), "0.5 s")
ENERGY: Final = QuantityRule("energy", ("eV",), "520 eV")
ANGLE: Final = QuantityRule("angle", ("deg",), "30 deg")

Length = Annotated[str, LENGTH]
"""A setting such as "0.8 nm", "12 px", or "1.5 d" (d: nearest-neighbor distance)."""
Time = Annotated[str, TIME]
Energy = Annotated[str, ENERGY]
Angle = Annotated[str, ANGLE]


def house_unit(text: str, /) -> tuple[str, float]:
    """Find the house's unit for a unit met in a file, and the factor to it.

    Parameters
    ----------
    text : str
        As written in the file: "µm", "pm", "1/nm", "keV", "cm^-1" ...

    Returns
    -------
    unit : str
        One of the values of `HOUSE_UNITS`.
    factor : float
        Multiply values in `text` by it to have them in `unit`.

    Raises
    ------
    UnitError
        If the unit is of no quantity that adatom knows.

    Examples
    --------
    >>> house_unit("µm")
    ('nm', 1000.0)
    >>> house_unit("keV")
    ('eV', 1000.0)
    """
    plain = text.strip().strip("$").strip().replace("\u03bc", "\u00b5")
    plain = _SPELLINGS.get(plain.lower(), plain)
    if plain in {"px", "1"}:
        return plain, 1.0
    for units in HOUSE_UNITS.values():
        if plain == units[0]:
            return plain, 1.0
    if plain in _COMMON:
        return _COMMON[plain]
    registry = _registry()
    try:
        measured = registry.Quantity(1.0, plain)
        for quantity, units in HOUSE_UNITS.items():
            house = units[0]
            # 1/cm and 1/nm measure the same: spectra are written in the one,
            # diffraction in the other.
            if quantity == "wavenumber" and "cm" not in plain:
                continue
            # To pint every plain number, as of percent or counts, is in radians.
            if quantity == "angle" and not _ANGLE.search(str(measured.units)):
                continue
            if house != "1" and measured.is_compatible_with(house):
                factor = float(measured.to(house).magnitude)
                # 1 pm is 1.0000000000000002e-3 nm in pint; fifteen digits are what is meant.
                return house, float(f"{factor:.15g}")
    except Exception as error:
        msg = f"unknown unit {text!r}: known are those of {', '.join(HOUSE_UNITS)}"
        raise UnitError(msg) from error
    msg = f"unit {text!r} is of no known quantity: known are {', '.join(HOUSE_UNITS)}"
    raise UnitError(msg)


def quantity_from_text(text: object, /, *, name: str = "setting") -> Quantity:
    """Give number and house unit of text such as "0.7 keV"; a number alone has the unit "1".

    Raises
    ------
    UnitError
        If it is no number with a known unit.

    Examples
    --------
    >>> quantity_from_text("0.7 keV")
    Quantity(value=700.0, unit='eV')
    >>> quantity_from_text("20 1/cm")
    Quantity(value=20.0, unit='1/cm')
    """
    match = _NUMBER_AND_UNIT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        msg = f'{name}={text!r} is no number with a unit, such as "520 eV"'
        raise UnitError(msg)
    unit, factor = house_unit(match["unit"] or "")
    return Quantity(float(match["number"]) * factor, unit)


def length_from_setting(
    setting: Length,
    /,
    *,
    unit: str,
    pixel_size: float | None = None,
    spacing: float | None = None,
    name: str = "length",
) -> float:
    """Turn a length as the user wrote it into a number in the unit of the data.

    Parameters
    ----------
    setting : length
        Such as "0.8 nm", "12 px" or "1.5 d".
    unit : {"nm", "mm", "px"}
        Unit of the data's space axes.
    pixel_size : float, optional
        Size of a pixel in `unit`; needed for a length in px on calibrated data.
    spacing : float, optional
        Nearest-neighbor distance in `unit`; needed for a length in d.
    name : str
        Name of the setting, for messages.

    Raises
    ------
    UnitError
        If the data do not have what the unit of the setting needs.

    Examples
    --------
    >>> length_from_setting("2 d", unit="nm", spacing=0.142)
    0.284
    """
    value, given = LENGTH.check(setting, name=name)
    if given == unit:
        return value
    if given == "d":
        if spacing is None:
            msg = (
                f"{name}={setting!r} is in nearest-neighbor distances, but these data do not carry "
                "one: run localization.find_atoms first, or give a length in nm or px"
            )
            raise UnitError(msg)
        return value * spacing
    if given == "px":
        if pixel_size is None:
            msg = f"{name}={setting!r} is in px, these data have no pixels: give it in {unit} or d"
            raise UnitError(msg)
        return value * pixel_size
    if unit == "px":
        msg = (
            f"{name}={setting!r} is in {given}, but the image has no scale: read it with "
            'pixel_size="... nm", or give the length in px or d'
        )
        raise UnitError(msg)
    return value * (1e6 if given == "mm" else 1e-6)


def shown_length_unit(length: float, unit: str, /) -> tuple[float, str]:
    """Choose the unit in which a length needs few zeros: what to divide by, and its name.

    Examples
    --------
    >>> shown_length_unit(4e10, "nm")
    (1000000000.0, 'm')
    >>> shown_length_unit(0.05, "nm")
    (0.001, 'pm')
    >>> shown_length_unit(5000.0, "px")
    (1.0, 'px')
    """
    if unit not in _LADDER:
        return 1.0, unit
    names = list(_LADDER)
    rung = names.index(unit)
    size = abs(length)
    while size >= 1000 and rung + 1 < len(names):
        rung, size = rung + 1, size / 1000
    if 0 < size < 0.1 and rung:
        rung -= 1
    return 1000.0 ** (rung - names.index(unit)), names[rung]


@cache
def _registry() -> Any:  # noqa: ANN401 -- pint's registry has no static type of its own
    import pint

    return pint.UnitRegistry(cache_folder=None)
