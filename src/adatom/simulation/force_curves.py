"""Force curves of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.measures import named_measures
from adatom.schema import Features, ForceCurves
from adatom.units import Length, length_from_setting

Array = NDArray[np.float64]

# nN / nm^2 are GPa.
_GPA_PER_KPA: Final = 1e-6
_DEPTHS: Final = 4000


@dataclass(frozen=True)
class Cantilever:
    """Cantilever, tip and what disturbs them.

    Attributes
    ----------
    spring_constant : float
        N/m.
    radius : length
        Of the paraboloid at its end.
    sensitivity : float
        nm/V.
    noise : float
        Of the deflection, in nm: standard deviation of single samples.
    offset : float
        Deflection of the free cantilever, in nm, as the laser was adjusted.
    tilt : float
        Of the free line: nm of deflection over nm of height.
    """

    spring_constant: float = 0.1
    radius: Length = "50 nm"
    sensitivity: float = 40.0
    noise: float = 0.2
    offset: float = 3.0
    tilt: float = 0.002


@dataclass(frozen=True)
class Soft:
    """An elastic sample in two halves.

    Attributes
    ----------
    young_modulus : tuple of float
        kPa of the left and of the right half.
    adhesion : tuple of float
        Pull-off force of the two, in nN.
    poisson_ratio : float
        Of both.
    roughness : length
        Standard deviation of the height of the surface from curve to curve.
    """

    young_modulus: tuple[float, float] = (500.0, 3000.0)
    adhesion: tuple[float, float] = (0.5, 1.5)
    poisson_ratio: float = 0.5
    roughness: Length = "20 nm"


class ForceSimulation(NamedTuple):
    """Simulated force curves and what is true of them."""

    curves: ForceCurves
    truth: Features
    """(site, measure): contact height, modulus, adhesion force."""


def simulate_force_curves(
    *,
    shape: tuple[int, int] = (8, 8),
    n_samples: int = 512,
    ramp: Length = "600 nm",
    cantilever: Cantilever = Cantilever(),
    sample: Soft = Soft(),
    seed: int = 0,
) -> ForceSimulation:
    """Simulate a map of force curves of a sphere on an elastic, adhesive sample.

    The contact is that of Derjaguin, Muller and Toporov [1]_: Hertz's force
    less a constant pull-off force. The approach jumps into contact where
    the tip touches; the retract stays in contact until the force is that of
    the pull-off. At every height the cantilever is in equilibrium with the
    contact.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map.
    n_samples : int
        Of each segment.
    ramp : length
        Over which the height falls and rises; a third of it lies below the surface.
    cantilever : Cantilever
        With the noise and the line of the free cantilever.
    sample : Soft
        Elastic, adhesive, in two halves.
    seed : int
        Of noise and roughness.

    Returns
    -------
    ForceSimulation
        Curves with ``height`` (nm) and ``deflection`` (V) as instruments
        give them, with spring constant and sensitivity in ``attrs``; and
        the truth: ``contact_height`` (nm), ``young_modulus`` (kPa),
        ``adhesion_force`` (nN).

    Raises
    ------
    SettingError
        If a size or a property is not above zero.

    Examples
    --------
    >>> simulated = simulate_force_curves(shape=(2, 3), n_samples=100)
    >>> simulated.curves.deflection.shape, simulated.truth.measure.values[1]
    ((6, 2, 100), np.str_('young_modulus'))

    References
    ----------
    .. [1] B. V. Derjaguin, V. M. Muller, Yu. P. Toporov, J. Colloid Interface Sci. 53, 314 (1975).
    """
    length = length_from_setting(ramp, unit="nm", name="ramp")
    _check(shape, n_samples, length, cantilever, sample)
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape).reshape(2, -1)
    half = (columns >= (shape[1] + 1) // 2).astype(int)
    rough = length_from_setting(sample.roughness, unit="nm", name="roughness")
    surface = rng.normal(0, rough, rows.size)
    down = np.linspace(2 / 3 * length, -length / 3, n_samples)
    heights = np.broadcast_to(np.stack([down, down[::-1]]), (rows.size, 2, n_samples))
    bent = np.stack(
        [
            _deflections(height - above, cantilever, sample, kind)
            for height, above, kind in zip(heights, surface, half, strict=True)
        ]
    )
    bent = bent + cantilever.offset + cantilever.tilt * heights
    bent = bent + rng.normal(0, cantilever.noise, bent.shape)
    dims = ("site", "segment", "sample")
    place = {"units": "nm"}
    coords = {
        "segment": np.array(["approach", "retract"]),
        "y": ("site", 100.0 * rows, place),
        "x": ("site", 100.0 * columns, place),
        "n_samples": (("site", "segment"), np.full((rows.size, 2), n_samples)),
    }
    curves = xr.Dataset(
        {
            "height": (dims, heights.copy(), {"units": "nm"}),
            "deflection": (dims, bent / cantilever.sensitivity, {"units": "V"}),
        },
        coords=coords,
        attrs={
            "spring_constant": cantilever.spring_constant,
            "deflection_sensitivity": cantilever.sensitivity,
            "grid_shape": [int(size) for size in shape],
        },
    )
    numbers = [surface, np.array(sample.young_modulus)[half], np.array(sample.adhesion)[half]]
    truth = xr.DataArray(
        np.stack(numbers, axis=1),
        dims=("site", "measure"),
        coords={name: coords[name] for name in ("y", "x")},
    )
    units = {"contact_height": "nm", "young_modulus": "kPa", "adhesion_force": "nN"}
    return ForceSimulation(curves, named_measures(truth, units, name="truth"))


def _check(
    shape: tuple[int, int], n_samples: int, length: float, cantilever: Cantilever, sample: Soft
) -> None:
    if min(shape) < 1 or n_samples < 2 or not length > 0:
        msg = f"{shape=}, {n_samples=} and a ramp of {length:g} nm make no curves"
        raise SettingError(msg)
    if not min(cantilever.spring_constant, cantilever.sensitivity, *sample.young_modulus) > 0:
        msg = f"spring constant, sensitivity and moduli must be above zero: {cantilever}, {sample}"
        raise SettingError(msg)


def _deflections(height: Array, cantilever: Cantilever, sample: Soft, half: int) -> Array:
    """Give the deflection (segment, sample) in equilibrium at heights above the free surface."""
    radius = length_from_setting(cantilever.radius, unit="nm", name="radius")
    modulus = sample.young_modulus[half] * _GPA_PER_KPA / (1 - sample.poisson_ratio**2)
    pull, spring = sample.adhesion[half], cantilever.spring_constant
    deepest = float(-height.min()) + pull / spring + 1.0
    depth = np.linspace(0, 1, _DEPTHS) ** 2 * deepest
    force = 4 / 3 * modulus * np.sqrt(radius) * depth**1.5 - pull
    # Where the base has to be for this depth; it falls as the depth grows.
    base = -depth - force / spring
    bent = np.interp(height, base[::-1], force[::-1] / spring)
    # In contact from where the tip touches, and until it is pulled off.
    touches = np.stack([height[0] <= 0, height[1] <= pull / spring])
    return np.asarray(np.where(touches, bent, 0.0))
