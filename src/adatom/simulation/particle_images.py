"""Labeled images of particles that point somewhere: rods, triangles, squares, hexagons."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np
import xarray as xr

from adatom.errors import SettingError
from adatom.schema import image_from_array, sites_from_positions
from adatom.simulation.training_images import LabeledImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = Literal["rod", "triangle", "square", "hexagon"]

FOLDS: Final[dict[str, int]] = {"rod": 2, "triangle": 3, "square": 4, "hexagon": 6}
"""Turns by 360 deg over this leave a shape as it is."""

# Places are shifted from those of a square grid by this share of a spacing.
_SHIFT: Final = 0.15
_EMPTY: Final = 0.1
_HEIGHTS: Final = 0.2
# Pixels over which the edge of a particle rises, at the scale of the network.
_EDGE: Final = (0.4, 1.2)


@dataclass(frozen=True)
class ParticleImages:
    """A stream of simulated images of particles.

    Attributes
    ----------
    shape : {"rod", "triangle", "square", "hexagon"}
        Rods as of proteins and nanorods; the others are regular polygons.
    size : int
        Rows and columns of an image after it is resampled by its ``scale``.
    spacing : tuple of two floats
        Range of the distance of neighboring particles in px, after resampling.
    scale : tuple of two floats
        Range of the factor, noted in the manifest, by which the user of the
        image resamples it, as in `TrainingImages`.
    length : tuple of two floats
        Range of the longest extent of a particle, in spacings.
    aspect : tuple of two floats
        Range of the length of a rod over its width.
    snr : tuple of two floats
        Range of the height of a particle over the noise of a pixel; on a
        logarithmic scale.
    """

    shape: Shape = "rod"
    size: int = 160
    spacing: tuple[float, float] = (10.0, 24.0)
    scale: tuple[float, float] = (0.4, 1.5)
    length: tuple[float, float] = (0.5, 0.9)
    aspect: tuple[float, float] = (2.0, 6.0)
    snr: tuple[float, float] = (1.5, 30.0)

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            msg = f"shape={self.shape!r} is not known: use one of {', '.join(get_args(Shape))}"
            raise SettingError(msg)
        if self.size < 32:
            msg = f"size={self.size} must be 32 or more: smaller images hold no particles"
            raise SettingError(msg)
        for name in ("spacing", "scale", "length", "aspect", "snr"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                msg = f"{name}=({low}, {high}) must be a range of positive numbers, lower first"
                raise SettingError(msg)

    @property
    def symmetry(self) -> int:
        """Fold of the particles' shape, as the architecture of a network asks for it."""
        return FOLDS[self.shape]


def simulate_particle_image(
    *,
    images: ParticleImages = ParticleImages(),
    seed: int = 0,
    index: int = 0,
) -> LabeledImage:
    """Simulate one image of a stream of particles that point anywhere.

    As by an atomic force microscope on a flat ground: particles of one shape
    and about one size, slopes, steps between scan lines, noise.

    Parameters
    ----------
    images : ParticleImages
        What the images are like.
    seed, index : int
        Which stream, and which image of it.

    Returns
    -------
    LabeledImage
        ``sites`` with ``orientation`` in deg from +x towards +y, from 0 to
        360 / symmetry; ``lattice`` is True everywhere.

    Raises
    ------
    SettingError
        If the seed or the index is negative.

    Examples
    --------
    >>> made = simulate_particle_image(images=ParticleImages(size=64), seed=1)
    >>> bool((made.sites["orientation"] < 180).all())
    True
    """
    if seed < 0 or index < 0:
        msg = f"{seed=} and {index=} must be 0 or more"
        raise SettingError(msg)
    rng = np.random.default_rng([seed, index])
    drawn = _draw(images, rng)
    side = max(8, round(images.size / drawn.scale))
    spacing = drawn.spacing / drawn.scale
    place = _places(side, spacing, rng)
    angle = rng.uniform(0.0, 360.0 / images.symmetry, len(place))
    height = rng.normal(1.0, _HEIGHTS, len(place)).clip(0.3)
    values = np.zeros((side, side), dtype=np.float32)
    for where, turn, top in zip(place, np.deg2rad(angle), height, strict=True):
        _add_particle(values, where, float(turn), float(top), images, drawn)
    values += _ground(side, rng)
    values += rng.standard_normal(values.shape, dtype=np.float32) / np.float32(drawn.snr)
    inside = ((place > -0.5) & (place < side - 0.5)).all(axis=1)
    sites = sites_from_positions(*place[inside].T, unit="px", spacing=spacing)
    sites.attrs["extent"] = (0.0, side - 1.0, 0.0, side - 1.0)
    sites["orientation"] = ("site", angle[inside], {"units": "deg"})
    sites["visible"] = ("site", np.ones(int(inside.sum()), dtype=bool))
    image = image_from_array(values, pixel_size="1 px")
    everywhere = xr.DataArray(np.ones(values.shape, bool), dims=("y", "x"), coords=image.coords)
    told = {"images": asdict(images), "seed": seed, "index": index, **drawn._asdict()}
    return LabeledImage(image, sites, everywhere, ~everywhere, json.dumps(told))


class _Drawn(NamedTuple):
    """What one image has drawn; lengths in px at the scale of the network."""

    scale: float
    spacing: float
    length: float
    aspect: float
    edge: float
    snr: float


def _draw(images: ParticleImages, rng: np.random.Generator) -> _Drawn:
    def evenly(limits: tuple[float, float]) -> float:
        return float(np.exp(rng.uniform(*np.log(limits))))

    spacing = evenly(images.spacing)
    return _Drawn(
        scale=evenly(images.scale),
        spacing=spacing,
        length=spacing * evenly(images.length),
        aspect=evenly(images.aspect),
        edge=evenly(_EDGE),
        snr=evenly(images.snr),
    )


def _places(side: int, spacing: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Lay out places on a turned grid, each a little off, some of them empty."""
    count = math.ceil(side / spacing) + 2
    steps = np.arange(-count, count + 1) * spacing
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    turn = rng.uniform(0, math.pi / 2)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    place = grid @ rotation + side / 2 + rng.uniform(0, spacing, 2)
    place += rng.uniform(-_SHIFT, _SHIFT, place.shape) * spacing
    near = ((place > -spacing) & (place < side + spacing)).all(axis=1)
    return np.asarray(place[near & (rng.uniform(size=len(place)) > _EMPTY)])


def _add_particle(
    values: NDArray[np.float32],
    place: NDArray[np.float64],
    turn: float,
    height: float,
    images: ParticleImages,
    drawn: _Drawn,
) -> None:
    """Add one particle to the pixels that it reaches."""
    length, edge = drawn.length / drawn.scale, drawn.edge / drawn.scale
    reach = math.ceil(length / 2 + 4 * edge) + 1
    middle = np.rint(place).astype(int)
    first = np.clip(middle - reach, 0, values.shape)
    last = np.clip(middle + reach + 1, 0, values.shape)
    if (first >= last).any():
        return
    y = np.arange(first[0], last[0])[:, None] - place[0]
    x = np.arange(first[1], last[1])[None, :] - place[1]
    along = x * math.cos(turn) + y * math.sin(turn)
    across = y * math.cos(turn) - x * math.sin(turn)
    if images.shape == "rod":
        radius = length / 2 / drawn.aspect
        outside = np.hypot(np.maximum(np.abs(along) - length / 2 + radius, 0), across) - radius
    else:
        outside = _beyond_polygon(along, across, images.symmetry, length / 2)
    window = values[first[0] : last[0], first[1] : last[1]]
    window += np.float32(height) / (1 + np.exp(np.clip(outside / edge, -40, 40)))


def _beyond_polygon(
    along: NDArray[np.float64], across: NDArray[np.float64], fold: int, radius: float
) -> NDArray[np.float64]:
    """Give how far points lie beyond the nearest side; a corner lies along the orientation."""
    normals = math.pi / fold + np.arange(fold) * (2 * math.pi / fold)
    reach = [along * math.cos(angle) + across * math.sin(angle) for angle in normals]
    return np.asarray(np.max(reach, axis=0) - radius * math.cos(math.pi / fold))


def _ground(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a slope and the steps between the scan lines of a microscope."""
    place = np.linspace(-0.5, 0.5, side)
    slope = rng.normal(0.0, 0.4, 2)
    lines = rng.normal(0.0, rng.uniform(0, 0.15), side)
    ground = slope[0] * place[:, None] + slope[1] * place[None, :] + lines[:, None]
    return np.asarray(ground, dtype=np.float32)
