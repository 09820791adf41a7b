"""Strain of any sites: even, wavy, and round dislocations, known at every site."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.schema import SITES, Sites, positions, space_unit
from adatom.simulation.columns import spacing_of
from adatom.units import LENGTH, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAVES: Final = 24
# Of an isotropic crystal; between those of oxides (0.25) and of metals (0.35).
_POISSON: Final = 0.3
# Elasticity ends at the core of a dislocation, about half a spacing from its line.
_CORE: Final = 0.5


@dataclass(frozen=True)
class Strain:
    """How a crystal is deformed.

    Attributes
    ----------
    xx, yy, xy : float
        Even strain, as components of the symmetric tensor: 0.02 makes the
        crystal 2 % longer along an axis, and xy is half the angle of shear.
    waviness : float
        Standard deviation of every derivative of a random smooth displacement, 0.01
        for a flake on a rough support.
    wavelength : length
        Shortest wave of it; the longest is three times as long.
    dislocations : int
        Edge dislocations at random places, with Burgers vectors that are vectors of
        the cell and cancel in pairs.
    """

    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0
    waviness: float = 0.0
    wavelength: Length = "20 d"
    dislocations: int = 0

    def __post_init__(self) -> None:
        for name in ("xx", "yy", "xy"):
            if not abs(getattr(self, name)) < 0.5:
                msg = f"{name}={getattr(self, name)} must lie between -0.5 and 0.5"
                raise SettingError(msg)
        if not 0 <= self.waviness <= 0.2:
            msg = f"waviness={self.waviness} must lie between 0 and 0.2: beyond, sites fold over"
            raise SettingError(msg)
        if not LENGTH.check(self.wavelength, name="wavelength").value > 0:
            msg = f"wavelength={self.wavelength!r} must be more than 0"
            raise SettingError(msg)
        if self.dislocations < 0:
            msg = f"dislocations={self.dislocations} must be 0 or more"
            raise SettingError(msg)


def apply_strain(sites: Sites, /, *, strain: Strain = Strain(xx=0.02), seed: int = 0) -> Sites:
    """Deform a crystal.

    The middle of the sites stays where it is. Displacements are a function
    of place alone: other sites of the same extent move along with the same seed.
    Edge dislocations displace as in an isotropic elastic medium [1]_, Poisson's ratio 0.3.

    Parameters
    ----------
    sites : Sites
        Laid out beyond the field by as much as they will move, or its rim falls dry.
    strain : Strain
        Even, wavy, and of dislocations; they add up.
    seed : int
        Of waves and of places of dislocations.

    Returns
    -------
    Sites
        Moved, with ``displacement`` (site, axis), axis y, x, in the unit of the
        sites, ``strain`` (site, component), the tensor's xx, yy, xy, and
        ``lattice_rotation`` in deg, both by the derivatives of the displacement
        where a site was before, to first order.

    Raises
    ------
    SettingError
        If dislocations are asked for, but the sites do not tell their cell in
        ``attrs["cell_vectors"]``, as builders do.

    References
    ----------
    .. [1] J. P. Hirth and J. Lothe, Theory of Dislocations, 2nd ed. (1982), eqs. 3-45, 3-46.

    Examples
    --------
    >>> from adatom.simulation import Crystal, build_lattice
    >>> sites = build_lattice(crystal=Crystal("square", rotation=0.0), field=(100.0, 100.0))
    >>> strained = apply_strain(sites, strain=Strain(xx=0.1))
    >>> round(float(strained.x.max() - strained.x.min()) / float(sites.x.max() - sites.x.min()), 3)
    1.1
    """
    SITES.check(sites)
    places = positions(sites)
    unit = space_unit(sites)
    if not len(places):
        return sites.copy()
    wave_rng, dislocation_rng = np.random.default_rng(seed).spawn(2)
    low, high = places.min(axis=0), places.max(axis=0)
    parts = [_even(places - (low + high) / 2, strain)]
    if strain.waviness:
        spacing = spacing_of(sites)
        shortest = length_from_setting(
            strain.wavelength, unit=unit, spacing=spacing, name="wavelength"
        )
        parts.append(_wavy(places, strain.waviness, shortest, wave_rng))
    if strain.dislocations:
        parts += _dislocated(sites, places, strain.dislocations, dislocation_rng)
    moved = np.sum([part.displacement for part in parts], axis=0)
    gradient = np.sum([part.gradient for part in parts], axis=0)
    return _deformed(sites, places, moved, gradient)


class _Field(NamedTuple):
    """Displacements (site, axis), and their derivatives (site, axis, along axis), axis y, x."""

    displacement: NDArray[np.float64]
    gradient: NDArray[np.float64]


def _even(from_middle: NDArray[np.float64], strain: Strain) -> _Field:
    tensor = np.array([[strain.yy, strain.xy], [strain.xy, strain.xx]])
    return _Field(from_middle @ tensor.T, np.broadcast_to(tensor, (len(from_middle), 2, 2)))


def _wavy(
    places: NDArray[np.float64], waviness: float, shortest: float, rng: np.random.Generator
) -> _Field:
    """Sum plane waves in all directions; each of the four derivatives varies by `waviness`."""
    turns = rng.uniform(0.0, 2 * math.pi, _WAVES)
    waves = 2 * math.pi / (shortest * rng.uniform(1.0, 3.0, _WAVES))
    vectors = np.stack([np.sin(turns), np.cos(turns)], axis=1) * waves[:, None]
    phases = rng.uniform(0.0, 2 * math.pi, (_WAVES, 2))
    # Every wave adds as much to the derivatives, whatever its length; the mean over all
    # directions of the square of a component of the unit vector is one half, as that of a sine.
    sizes = 2 * waviness / (waves * math.sqrt(_WAVES))
    displacement, gradient = np.zeros((len(places), 2)), np.zeros((len(places), 2, 2))
    for vector, phase, size in zip(vectors, phases, sizes.tolist(), strict=True):
        angle = (places @ vector)[:, None] + phase
        displacement += size * np.sin(angle)
        gradient += size * np.cos(angle)[:, :, None] * vector
    return _Field(displacement, gradient)


def _dislocated(
    sites: Sites, places: NDArray[np.float64], n_wanted: int, rng: np.random.Generator
) -> list[_Field]:
    if "cell_vectors" not in sites.attrs:
        msg = (
            "sites do not tell their cell, of which Burgers vectors are vectors: "
            'give it as attrs["cell_vectors"], [[y, x], [y, x]], or build them by build_lattice'
        )
        raise SettingError(msg)
    cell = np.asarray(sites.attrs["cell_vectors"], dtype=float)
    low, high = places.min(axis=0), places.max(axis=0)
    core = _CORE * spacing_of(sites)
    found = []
    burgers = cell[0]
    for number in range(n_wanted):
        # Each second one cancels the one before.
        burgers = -burgers if number % 2 else cell[rng.integers(2)]
        line = low + (high - low) * rng.uniform(0.15, 0.85, 2)
        found.append(_round_dislocation(places - line, burgers, core, float((high - low).max())))
    return found


def _round_dislocation(
    from_line: NDArray[np.float64], burgers: NDArray[np.float64], core: float, size: float
) -> _Field:
    """Displace round one edge dislocation; the cut lies behind it, against its Burgers vector."""
    b = float(np.hypot(*burgers))
    # Rows of the frame are x along the Burgers vector and y across it, seen as (y, x) of places.
    along = burgers / b
    frame = np.stack([along, np.array([along[1], -along[0]])])
    x, y = (from_line @ frame.T).T
    squared = np.maximum(x**2 + y**2, core**2)
    plain, twice = (1 - 2 * _POISSON) / (4 * (1 - _POISSON)), 1 / (2 * (1 - _POISSON))
    u_x = np.arctan2(y, x) + twice * x * y / squared
    u_y = -plain * np.log(squared / size**2) - twice / 2 * (x**2 - y**2) / squared
    fourth = squared**2
    gradient = np.empty((len(x), 2, 2))
    gradient[:, 0, 0] = -y / squared + twice * y * (y**2 - x**2) / fourth
    gradient[:, 0, 1] = x / squared + twice * x * (x**2 - y**2) / fourth
    gradient[:, 1, 0] = -plain * 2 * x / squared - twice * 2 * x * y**2 / fourth
    gradient[:, 1, 1] = -plain * 2 * y / squared + twice * 2 * x**2 * y / fourth
    scale = b / (2 * math.pi)
    return _Field(scale * np.stack([u_x, u_y], axis=1) @ frame, scale * frame.T @ gradient @ frame)


def _deformed(
    sites: Sites,
    places: NDArray[np.float64],
    moved: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> Sites:
    unit = {"units": space_unit(sites)}
    new = places + moved
    out = sites.assign_coords(y=("site", new[:, 0], unit), x=("site", new[:, 1], unit))
    out.attrs = dict(sites.attrs)
    out["displacement"] = (("site", "axis"), moved, unit)
    out.coords["axis"] = ("axis", ["y", "x"])
    (yy, yx), (xy, xx) = np.moveaxis(gradient, 0, -1)
    components = np.stack([xx, yy, (xy + yx) / 2], axis=1)
    out["strain"] = (("site", "component"), components, {"units": "1"})
    out.coords["component"] = ("component", ["xx", "yy", "xy"])
    # Angles run from +x towards +y: a vector along x turns by the derivative of y along x.
    turn = np.degrees((yx - xy) / 2)
    out["lattice_rotation"] = ("site", turn, {"units": "deg"})
    return out
