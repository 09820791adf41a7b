"""Settings of the scanning transmission electron microscope."""

from __future__ import annotations

from dataclasses import dataclass

from adatom.errors import SettingError
from adatom.units import LENGTH, Length


@dataclass(frozen=True)
class Microscope:
    """An annular dark-field microscope: probe, scan and detector.

    The defaults are like a corrected instrument at 60 kV on a quick scan:
    the lattice is plain, single atoms are noisy.

    Attributes
    ----------
    probe_width : length
        Standard deviation of the image of one atom: 0.05 nm is 0.12 nm full
        width at half maximum, probe, source size and vibration together.
    tail_width : length
        Standard deviation of the second, broader Gaussian: the tails that
        residual aberrations give to every probe.
    tail_fraction : float
        Share of an atom's electrons that lie in the tails.
    z_exponent : float
        Electrons of an atom grow as Z to this power, 1.64 in an annular
        dark field at 60 kV [1]_.
    electrons : float
        Detected electrons per carbon atom, whatever the size of the pixels.
    background : float
        Electrons that do not come from the lattice, relative to
        those of a full sheet of the sample's atoms.
    slope : float
        Relative change of the background from edge to edge, in a random direction.
    readout_noise : float
        Standard deviation of the detector's own noise, in electrons per pixel.
    jitter : length
        Standard deviation of the random offset of every scan line, per axis.
    drift : length
        Distance by which the sample moves, in a random direction, during the frame.
    distortion : float
        Standard deviation of the relative errors of scan calibration: two
        scales and two shears.

    References
    ----------
    .. [1] O. L. Krivanek et al., Nature 464, 571 (2010), doi:10.1038/nature08879.
    """

    probe_width: Length = "0.05 nm"
    tail_width: Length = "0.13 nm"
    tail_fraction: float = 0.35
    z_exponent: float = 1.64
    electrons: float = 1200.0
    background: float = 0.3
    slope: float = 0.3
    readout_noise: float = 0.5
    jitter: Length = "0.006 nm"
    drift: Length = "0.1 nm"
    distortion: float = 0.005

    def __post_init__(self) -> None:
        for name in ("probe_width", "tail_width", "jitter", "drift"):
            text = getattr(self, name)
            value, unit = LENGTH.check(text, name=name)
            if value < 0 or (value == 0 and name.endswith("width")):
                msg = f"{name}={text!r} must be positive (jitter and drift may be 0)"
                raise SettingError(msg)
            if unit == "d":
                msg = f"{name}={text!r}: give it in nm or px, the microscope knows no lattice"
                raise SettingError(msg)
        if not 0 <= self.tail_fraction < 1:
            msg = f"tail_fraction={self.tail_fraction} is a share: 0 to less than 1"
            raise SettingError(msg)
        if not self.electrons > 0:
            msg = f"electrons={self.electrons} must be more than 0"
            raise SettingError(msg)
        for name in ("background", "readout_noise", "distortion"):
            value = getattr(self, name)
            if not value >= 0:
                msg = f"{name}={value} must be 0 or more"
                raise SettingError(msg)
        if not abs(self.slope) <= 1:
            msg = f"slope={self.slope} must lie between -1 and 1"
            raise SettingError(msg)
