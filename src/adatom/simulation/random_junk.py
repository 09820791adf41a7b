"""Random dirt on the sample: contamination with its texture, clusters, bright particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.simulation.atom_images import blurred
from adatom.simulation.chances import Chance
from adatom.simulation.smooth_fields import draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Height of the typical atom over the standard deviation of the texture of a film
# over it: above the first each atom is told, below the second none is.
_TOLD: Final = 3.0
_DROWNED: Final = 1.8
# ... as long as this share of their contrast is left.
_FADED: Final = 0.25
# A particle hides atoms where it is this much as bright as the typical atom.
_HIDING: Final = 0.8


@dataclass(frozen=True)
class Junk:
    """What lies on the sample.

    Attributes
    ----------
    intensity : ndarray, shape (y, x)
        That it adds, relative to the brightest regular column.
    transmission : ndarray, shape (y, x)
        Share of the lattice's contrast that is left.
    opaque : ndarray of bool, shape (y, x)
        True where no lattice can be told below.
    doubtful : ndarray of bool, shape (y, x)
        True where the lattice is told, but not each of its atoms.
    """

    intensity: NDArray[np.float32]
    transmission: NDArray[np.float32]
    opaque: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]


def no_junk(shape: tuple[int, int]) -> Junk:
    """Give a clean sample."""
    none = np.zeros(shape, dtype=bool)
    zeros, ones = (np.full(shape, value, dtype=np.float32) for value in (0.0, 1.0))
    return Junk(zeros, ones, none, none)


def draw_contamination(
    chance: Chance, *, shape: tuple[int, int], width: float, typical: float, coverage: float
) -> Junk:
    """Draw a film of varying thickness that covers a share of the image.

    Parameters
    ----------
    chance : Chance
        Source of randomness.
    shape : tuple of int
        Rows and columns.
    width : float
        Standard deviation of an atom in px: the texture is as fine.
    typical : float
        Height of the typical column of the lattice.
    coverage : float
        Share of the image under the film.
    """
    detail, steepness = chance.between(0.5, 4.0), chance.between(2.0, 3.5)
    field = draw_smooth_field(chance.rng, shape, detail=detail, steepness=steepness).pixels()
    height = (field - np.float32(np.quantile(field, 1 - coverage))).clip(0, None)
    # Rims are gentle slopes or steep walls.
    slope, most = np.float32(chance.log_between(0.5, 8.0)), np.float32(chance.between(0.7, 2.5))
    thickness = most * np.tanh(slope / most * height)
    grain = chance.log_between(0.9, 2.2) * width
    roughness = chance.log_between(0.35, 1.5) * typical
    level = chance.log_between(0.3, 5.0) * typical
    spread = np.float32(roughness) * np.sqrt(thickness)
    transmission = np.exp(-np.float32(chance.between(0.6, 2.0)) * thickness)
    chance.note(
        contamination={
            "coverage": coverage, "detail": detail, "level": level, "roughness": roughness
        }
    )  # fmt: skip
    intensity = np.float32(level) * thickness + spread * _texture(chance.rng, shape, grain)
    return _film(intensity, transmission, spread, typical)


def draw_film(chance: Chance, *, shape: tuple[int, int], width: float, typical: float) -> Junk:
    """Draw a thin amorphous film over all of the image, through which the lattice is seen."""
    roughness = np.float32(chance.between(0.05, 0.33) * typical)
    chance.note(film_roughness=float(roughness))
    texture = _texture(chance.rng, shape, width * chance.between(0.9, 2.5))
    ones = np.ones(shape, dtype=np.float32)
    return _film(roughness * (2 + texture), ones, roughness * ones, typical)


def _film(
    intensity: NDArray[np.floating],
    transmission: NDArray[np.float32],
    spread: NDArray[np.floating],
    typical: float,
) -> Junk:
    """Judge what is told under a texture of a given spread."""
    contrast = typical * transmission
    opaque = (contrast < _DROWNED * spread) | (transmission < _FADED)
    doubtful = (contrast < _TOLD * spread) & ~opaque
    return Junk(intensity.astype(np.float32), transmission, opaque, doubtful)


def _texture(rng: np.random.Generator, shape: tuple[int, int], width: float) -> NDArray[np.float32]:
    """Many atoms over one another: white noise seen through the probe, of unit spread."""
    pad = math.ceil(3 * width)
    noise = rng.standard_normal((shape[0] + pad, shape[1] + pad), dtype=np.float32)
    smooth = blurred(noise, width)[: shape[0], : shape[1]]
    found: NDArray[np.float32] = smooth / smooth.std()
    return found


def draw_particles(
    chance: Chance, *, shape: tuple[int, int], width: float, spacing: float, typical: float
) -> Junk:
    """Draw a few round or lumpy bright particles, none so small that it could be an atom."""
    intensity = np.zeros(shape, dtype=np.float32)
    y, x = (np.arange(size, dtype=np.float32) for size in shape)
    radii = [spacing * chance.log_between(1.1, 5.0) for _ in range(int(chance.rng.integers(1, 7)))]
    chance.note(particles=radii)
    for radius in radii:
        height = np.float32(typical * chance.log_between(1.2, 8.0))
        center = chance.rng.uniform(0.0, 1.0, 2) * shape
        for _ in range(int(chance.rng.integers(1, 5))):
            at = center + radius * 0.7 * chance.rng.standard_normal(2)
            down, right = (
                np.exp(-0.5 * ((axis - place) / (0.6 * radius)) ** 2)
                for axis, place in zip((y, x), at.astype(np.float32), strict=True)
            )
            intensity += height * down[:, None] * right[None, :]
    # Particles are made of atoms as well.
    grain = np.float32(chance.between(0.0, 0.4))
    intensity *= (1 + grain * _texture(chance.rng, shape, width)).clip(0.2, None)
    transmission = np.exp(-2 / np.float32(typical) * intensity)
    opaque = intensity > _HIDING * typical
    return Junk(intensity, transmission, opaque, (intensity > 0.5 * _HIDING * typical) & ~opaque)


def together(one: Junk, two: Junk) -> Junk:
    """Lay one kind of junk over the other."""
    return Junk(
        one.intensity + two.intensity,
        one.transmission * two.transmission,
        one.opaque | two.opaque,
        (one.doubtful | two.doubtful) & ~(one.opaque | two.opaque),
    )
