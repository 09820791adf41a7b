"""Settings of a microscope whose electrons are waves, and of the propagation of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adatom.errors import SettingError
from adatom.units import ANGLE, ENERGY, LENGTH, Angle, Energy, Length, length_from_setting

# h / sqrt(2 m e) in nm sqrt(V), and e / (2 m c^2) in 1/V.
_DE_BROGLIE = 1.2264260
_RELATIVISTIC = 0.97845e-6


@dataclass(frozen=True)
class Optics:
    """Probe, focus and annular detector of a scanning transmission electron microscope.

    The defaults are those of a corrected instrument at 60 kV with a
    high-angle annular dark-field detector. For annular bright field take
    a detector within the cone of the probe, such as from half its semiangle to all of it.

    Attributes
    ----------
    energy : energy
        Of the electrons.
    semiangle : angle
        Of convergence, such as "31 mrad".
    inner, outer : angle
        Of the detector. Beyond some 60 mrad atoms scatter nearly
        incoherently: images are bright where atoms are, by their atomic number.
    defocus : length
        Positive for underfocus: the probe is sharpest so far below the entrance
        surface of the sample.
    spherical_aberration : length
        Of third order, such as "1 mm" for an instrument without corrector.
    source_size : length
        Standard deviation of the image of the source on the sample, with
        vibrations of the instrument: 0.035 nm is 0.08 nm full width at half maximum.
    """

    energy: Energy = "60 keV"
    semiangle: Angle = "31 mrad"
    inner: Angle = "80 mrad"
    outer: Angle = "200 mrad"
    defocus: Length = "0 nm"
    spherical_aberration: Length = "0 nm"
    source_size: Length = "0.035 nm"

    def __post_init__(self) -> None:
        if not self.volts > 0:
            msg = f"energy={self.energy!r} must be more than 0"
            raise SettingError(msg)
        if not 0 < self.milliradians("semiangle") < 150:
            msg = f"semiangle={self.semiangle!r} must lie between 0 and 150 mrad"
            raise SettingError(msg)
        inner, outer = self.milliradians("inner"), self.milliradians("outer")
        if not 0 <= inner < outer <= 400:
            msg = (
                f"the detector from inner={self.inner!r} to outer={self.outer!r} takes in nothing: "
                "inner must be less than outer, outer 400 mrad or less"
            )
            raise SettingError(msg)
        for name in ("defocus", "spherical_aberration", "source_size"):
            self.nanometers(name)
        if self.nanometers("source_size") < 0:
            msg = f"source_size={self.source_size!r} must be 0 or more"
            raise SettingError(msg)

    @property
    def volts(self) -> float:
        """Accelerating voltage in V, the energy in eV."""
        return ENERGY.check(self.energy, name="energy").value

    @property
    def wavelength(self) -> float:
        """Of the electrons, in nm, with relativity."""
        return _DE_BROGLIE / math.sqrt(self.volts * (1 + _RELATIVISTIC * self.volts))

    @property
    def atoms_are_bright(self) -> bool:
        """Whether the detector lies outside of the cone of the probe."""
        return self.milliradians("inner") >= self.milliradians("semiangle")

    def milliradians(self, name: str, /) -> float:
        """Give the angle of this name in mrad."""
        return _milliradians(getattr(self, name), name)

    def nanometers(self, name: str, /) -> float:
        """Give the length of this name in nm."""
        return _nanometers(getattr(self, name), name)


@dataclass(frozen=True)
class Multislice:
    """How the waves are propagated, and how the atoms vibrate.

    The defaults are meant for shapes and positions. Where absolute intensities of thick
    crystals matter, take more configurations and a larger angle until nothing changes.

    Attributes
    ----------
    displacement : length
        Root mean square of the thermal displacement along each axis:
        0.005 to 0.009 nm in most crystals at room temperature.
    configurations : int
        Frozen configurations of displaced atoms over which images are averaged.
    slice_thickness : length
        Atoms of one slice scatter as if they lay in one plane.
    largest_angle : angle
        Waves are kept up to this angle, or up to the outer angle of the
        detector where that is more.
    margin : length
        How much more than the field is computed on every side, where the structure is
        cut out; about the radius of the tails of the probe.
    """

    displacement: Length = "0.0075 nm"
    configurations: int = 4
    slice_thickness: Length = "0.2 nm"
    largest_angle: Angle = "150 mrad"
    margin: Length = "0.4 nm"

    def __post_init__(self) -> None:
        if self.configurations < 1:
            msg = f"configurations={self.configurations} must be 1 or more"
            raise SettingError(msg)
        if not self.nanometers("slice_thickness") > 0:
            msg = f"slice_thickness={self.slice_thickness!r} must be more than 0"
            raise SettingError(msg)
        for name in ("displacement", "margin"):
            if self.nanometers(name) < 0:
                msg = f"{name}={getattr(self, name)!r} must be 0 or more"
                raise SettingError(msg)
        if not 10 <= self.milliradians("largest_angle") <= 400:
            msg = f"largest_angle={self.largest_angle!r} must lie between 10 and 400 mrad"
            raise SettingError(msg)

    def milliradians(self, name: str, /) -> float:
        """Give the angle of this name in mrad."""
        return _milliradians(getattr(self, name), name)

    def nanometers(self, name: str, /) -> float:
        """Give the length of this name in nm."""
        return _nanometers(getattr(self, name), name)


def _milliradians(text: str, name: str) -> float:
    return 1e3 * math.radians(ANGLE.check(text, name=name).value)


def _nanometers(text: str, name: str) -> float:
    if LENGTH.check(text, name=name).unit not in {"nm", "mm"}:
        msg = f"{name}={text!r}: give it in nm, the microscope knows neither pixels nor lattice"
        raise SettingError(msg)
    return length_from_setting(text, unit="nm", name=name)
