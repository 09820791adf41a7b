"""Random dirt on the sample: contamination with its texture, clusters, bright particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.simulation.atom_images import blurred
from adatom.simulation.smooth_fields import draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Atoms are told from the texture of a film over them down to this ratio of the
# typical atom's height to the standard deviation of the texture.
_TOLD: Final = 2.0
# ... and as long as this share of their contrast is left.
_FADED: Final = 0.25


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
    """

    intensity: NDArray[np.float32]
    transmission: NDArray[np.float32]
    opaque: NDArray[np.bool_]


def no_junk(shape: tuple[int, int]) -> Junk:
    """Give a clean sample."""
    zeros = np.zeros(shape, dtype=np.float32)
    return Junk(zeros, np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=bool))


def draw_contamination(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    *,
    shape: tuple[int, int],
    width: float,
    typical: float,
    coverage: float,
) -> Junk:
    """Draw a film of varying thickness that covers a share of the image.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    drawn : dict
        What was drawn is noted here.
    shape : tuple of int
        Rows and columns.
    width : float
        Standard deviation of an atom in px: the texture is as fine.
    typical : float
        Height of the typical column of the lattice.
    coverage : float
        Share of the image under the film.
    """
    detail, steepness = float(rng.uniform(0.5, 4.0)), float(rng.uniform(2.0, 3.5))
    field = draw_smooth_field(rng, shape, detail=detail, steepness=steepness).pixels()
    height = (field - np.quantile(field, 1 - coverage)).clip(0, None)
    # Rims are gentle slopes or steep walls.
    slope = float(np.exp(rng.uniform(math.log(0.5), math.log(8.0))))
    most = float(rng.uniform(0.7, 2.5))
    thickness = most * np.tanh(slope * height / most)
    grain = float(np.exp(rng.uniform(math.log(0.9), math.log(2.2)))) * width
    roughness = float(np.exp(rng.uniform(math.log(0.25), math.log(1.3)))) * typical
    texture = _texture(rng, shape, grain)
    level = float(np.exp(rng.uniform(math.log(0.3), math.log(5.0)))) * typical
    spread = roughness * np.sqrt(thickness)
    transmission = np.exp(-thickness * float(rng.uniform(0.3, 1.5))).astype(np.float32)
    intensity = level * thickness + spread * texture
    # What is told drowns in the texture, or fades away.
    told = (typical * transmission > _TOLD * spread) & (transmission > _FADED)
    drawn["contamination"] = {
        "coverage": round(coverage, 3), "detail": round(detail, 2), "slope": round(slope, 2),
        "level": round(level, 3), "roughness": round(roughness, 3),
    }  # fmt: skip
    return Junk(intensity.astype(np.float32), transmission, ~told & (thickness > 0))


def _texture(rng: np.random.Generator, shape: tuple[int, int], width: float) -> NDArray[np.float32]:
    """Many atoms over one another: white noise seen through the probe, of unit spread."""
    pad = math.ceil(3 * width)
    noise = rng.standard_normal((shape[0] + pad, shape[1] + pad), dtype=np.float32)
    smooth = blurred(noise, width)[: shape[0], : shape[1]]
    return smooth / smooth.std()


def draw_particles(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    *,
    shape: tuple[int, int],
    spacing: float,
    typical: float,
) -> Junk:
    """Draw a few round or lumpy bright particles, from one stray cluster to large."""
    number = int(rng.integers(1, 7))
    intensity = np.zeros(shape, dtype=np.float32)
    y, x = (np.arange(size, dtype=np.float32) for size in shape)
    radii = []
    for _ in range(number):
        radius = spacing * float(np.exp(rng.uniform(math.log(0.5), math.log(4.0))))
        height = typical * float(np.exp(rng.uniform(math.log(1.2), math.log(8.0))))
        center = rng.uniform(0.0, 1.0, 2) * shape
        for _ in range(int(rng.integers(1, 5))):
            at = center + radius * 0.7 * rng.standard_normal(2)
            down, right = (
                np.exp(-0.5 * ((axis - place) / (0.6 * radius)) ** 2)
                for axis, place in zip((y, x), at, strict=True)
            )
            intensity += np.float32(height) * down[:, None] * right[None, :]
        radii.append(round(radius, 2))
    drawn["particles"] = radii
    transmission = 1 / (1 + intensity / (2 * np.float32(typical)))
    return Junk(intensity, transmission, intensity > 0.6 * typical)


def together(one: Junk, two: Junk) -> Junk:
    """Lay one kind of junk over the other."""
    return Junk(
        one.intensity + two.intensity,
        one.transmission * two.transmission,
        one.opaque | two.opaque,
    )
