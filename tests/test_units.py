"""Claims about units and lengths as settings."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adatom import units
from adatom.errors import UnitError
from adatom.units import (
    ANGLE,
    ENERGY,
    HOUSE_UNITS,
    LENGTH,
    TIME,
    Quantity,
    house_unit,
    length_from_setting,
    quantity_from_text,
)

finite = st.floats(min_value=1e-9, max_value=1e9)


@pytest.mark.parametrize(
    ("text", "unit", "factor"),
    [
        ("nm", "nm", 1.0),
        (" nm ", "nm", 1.0),
        ("$nm$", "nm", 1.0),
        ("nanometer", "nm", 1.0),
        ("Nanometers", "nm", 1.0),
        ("Meter", "nm", 1e9),
        ("Volts", "V", 1.0),
        ("pm", "nm", 1e-3),
        ("\u00c5", "nm", 0.1),  # latin letter
        ("\u212b", "nm", 0.1),  # sign
        ("ang", "nm", 0.1),
        ("Angstrom", "nm", 0.1),
        ("\u00b5m", "nm", 1e3),  # micro sign
        ("\u03bcm", "nm", 1e3),  # greek mu
        ("um", "nm", 1e3),
        ("micron", "nm", 1e3),
        ("Microns", "nm", 1e3),
        ("~m", "nm", 1e3),
        ("m", "nm", 1e9),
        ("", "1", 1.0),
        ("a.u.", "1", 1.0),
        ("Counts", "1", 1.0),
        ("px", "px", 1.0),
        ("Pixels", "px", 1.0),
        ("keV", "eV", 1e3),
        ("meV", "eV", 1e-3),
        ("ms", "s", 1e-3),
        ("seconds", "s", 1.0),
        ("mV", "V", 1e-3),
        ("pA", "nA", 1e-3),
        ("pN", "nN", 1e-3),
        ("\u00b0", "deg", 1.0),
        ("mrad", "deg", 0.18 / math.pi),
        ("cm-1", "1/cm", 1.0),
        ("cm^-1", "1/cm", 1.0),
        ("1/cm", "1/cm", 1.0),
        ("1/nm", "1/nm", 1.0),
        ("1/angstrom", "1/nm", 10.0),
        ("m/z", "Da", 1.0),
        ("kHz", "Hz", 1e3),
    ],
)
def test_spellings_of_files_become_house_units(text: str, unit: str, factor: float) -> None:
    found, scale = house_unit(text)
    assert found == unit
    assert scale == pytest.approx(factor, rel=1e-14)


@pytest.mark.parametrize("unit", sorted({units[0] for units in HOUSE_UNITS.values()}))
def test_house_units_stay_as_they_are(unit: str) -> None:
    assert house_unit(unit) == (unit, 1.0)


@pytest.mark.parametrize("text", ["banana", "lumen", "nm/banana", "???", "1e5", "m^2"])
def test_units_of_no_known_quantity_are_refused_by_name(text: str) -> None:
    with pytest.raises(UnitError) as caught:
        house_unit(text)
    assert repr(text) in str(caught.value)
    assert "length" in str(caught.value)


@settings(deadline=None)
@given(finite)
def test_a_length_means_the_same_in_every_unit_it_is_written_in(value: float) -> None:
    written = {"nm": value, "pm": value * 1e3, "angstrom": value * 10, "µm": value / 1e3}
    for unit, number in written.items():
        found = length_from_setting(f"{number!r} {unit}", unit="nm")
        assert found == pytest.approx(value, rel=1e-12)


@settings(deadline=None)
@given(finite, finite, finite)
def test_px_and_d_scale_with_pixel_and_spacing(value: float, step: float, spacing: float) -> None:
    assert length_from_setting(f"{value!r} px", unit="nm", pixel_size=step) == value * step
    assert length_from_setting(f"{value!r} d", unit="nm", spacing=spacing) == value * spacing
    assert length_from_setting(f"{value!r} px", unit="px") == value
    assert length_from_setting(f"{value!r} d", unit="px", spacing=spacing) == value * spacing


@settings(deadline=None)
@given(finite)
def test_nm_and_mm_convert_both_ways(value: float) -> None:
    assert length_from_setting(f"{value!r} mm", unit="nm") == pytest.approx(value * 1e6, rel=1e-12)
    assert length_from_setting(f"{value!r} nm", unit="mm") == pytest.approx(value / 1e6, rel=1e-12)


@pytest.mark.parametrize("text", ["2 nm", "2nm", " 2 nm ", "2.0 nm", "+2 nm", "0.2e1 nm", "2. nm"])
def test_a_length_may_be_written_in_many_ways(text: str) -> None:
    assert LENGTH.check(text) == (2.0, "nm")


@pytest.mark.parametrize("text", ["2 nm", "20 angstrom", "2000 pm", "0.002 µm", "0.002 um"])
def test_other_units_of_length_are_converted(text: str) -> None:
    value, unit = LENGTH.check(text)
    assert unit == "nm"
    assert value == pytest.approx(2.0)


@pytest.mark.parametrize("bad", [2.0, None, "nm", "", "two nm", "1..2 nm", "2 nm 3", ["2 nm"]])
def test_what_is_no_length_is_told_how_to_write_one(bad: object) -> None:
    with pytest.raises(UnitError, match=r'such as "0\.8 nm"') as caught:
        LENGTH.check(bad, name="size")
    assert str(caught.value).startswith(f"size={bad!r}")


@pytest.mark.parametrize("bad", ["2", "2 eV", "2 banana", "1e999 nm", "2 s", "2 d2"])
def test_a_length_without_a_unit_of_length_is_told_the_units(bad: str) -> None:
    with pytest.raises(UnitError, match="use one of nm, mm, px, d"):
        LENGTH.check(bad)


def test_other_quantities_convert_to_their_own_unit() -> None:
    assert TIME.check("3 s") == (3.0, "s")
    assert ENERGY.check("0.52 keV") == (520.0, "eV")
    assert ANGLE.check("30 °") == (30.0, "deg")
    with pytest.raises(UnitError, match='such as "30 deg"'):
        ANGLE.check("30 nm")


def test_lengths_that_the_data_cannot_resolve_name_the_remedy() -> None:
    with pytest.raises(UnitError, match=r"size='2 d' .* run localization\.find_atoms first"):
        length_from_setting("2 d", unit="nm", name="size")
    with pytest.raises(UnitError, match=r"'2 px' is in px.*give it in nm or d"):
        length_from_setting("2 px", unit="nm")
    with pytest.raises(UnitError, match=r'has no scale: read it with pixel_size="\.\.\. nm"'):
        length_from_setting("2 nm", unit="px")


def test_common_units_are_what_pint_says_without_loading_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = dict(units._COMMON)
    monkeypatch.setattr(units, "_COMMON", {})
    assert {text: house_unit(text) for text in told} == told


def test_common_units_need_no_pint() -> None:
    code = (
        "import sys; from adatom.units import house_unit; "
        "[house_unit(t) for t in ('m', 'pm', 'um', 'µm', 'mV', 'keV', 'pA', 'Å', '1/cm', 'ms')]; "
        "print('pint' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize("text", ["20 1/cm", "20  1/cm", " 2e1 1/cm "])
def test_wavenumbers_are_written_as_on_the_axis(text: str) -> None:
    assert quantity_from_text(text) == Quantity(20.0, "1/cm")
