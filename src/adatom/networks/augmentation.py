"""Few labeled images made many: turned, resized, blurred, noisier, of another contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.ndimage

from adatom.errors import SettingError
from adatom.networks.pictures import LabeledPicture
from adatom.numerics.network_input import SPACINGS, normalized_picture, resampled_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float32]

# A square turned by any angle lies within one this many times larger.
_DIAGONAL: Final = 2**0.5
# Rows around a cut that the change of scale looks at.
_BORDER: Final = 6
# The darkest and brightest pixels, by which the range of an image is told.
_RANGE: Final = (0.5, 99.5)


@dataclass(frozen=True)
class Augmentation:
    """How far views of a labeled image differ from it.

    Attributes
    ----------
    rotation : float
        Largest angle in deg; 180 turns at will. An image of which the
        direction tells the class of a site needs a small one.
    spacing : tuple of float
        Range of the distances of neighboring sites, in pixels of the
        picture, drawn evenly on a logarithmic scale.
    gamma : float
        Brightness is raised to a power between exp(-gamma) and exp(gamma).
    noise : float
        Largest noise that is added, in standard deviations of the image.
    blur : float
        Largest sigma of a blur, in pixels of the picture.
    """

    rotation: float = 180.0
    spacing: tuple[float, float] = SPACINGS
    gamma: float = 0.4
    noise: float = 0.4
    blur: float = 0.8

    def __post_init__(self) -> None:
        low, high = self.spacing
        if not SPACINGS[0] / 2 <= low <= high <= SPACINGS[1] * 2:
            msg = f"spacing={self.spacing} must be a range within 3 and 28 px, the lower first"
            raise SettingError(msg)
        if min(self.rotation, self.gamma, self.noise, self.blur) < 0:
            msg = f"{self} must have no negative settings"
            raise SettingError(msg)


class LabeledArray(NamedTuple):
    """A labeled image in plain arrays, in its own pixels.

    Attributes
    ----------
    values : ndarray, shape (y, x)
        NaN where nothing was measured.
    position : ndarray, shape (site, 2)
        Row and column of every site; some may lie outside.
    number : ndarray of int, shape (site,)
        Class of each site, -1 for none.
    lattice : ndarray of bool, shape (y, x)
        Where a lattice can be analyzed.
    spacing : float
        Distance of neighboring sites.
    angle : ndarray, shape (site,), optional
        Orientation in deg; NaN where it is not known.
    """

    values: Grid
    position: NDArray[np.float64]
    number: NDArray[np.int64]
    lattice: NDArray[np.bool_]
    spacing: float
    angle: NDArray[np.float64] | None = None


def view_of_image(
    image: LabeledArray, size: int, augmentation: Augmentation, rng: np.random.Generator, /
) -> LabeledPicture:
    """Cut a square picture at a place, angle and scale of chance, and change its looks.

    Parameters
    ----------
    image : LabeledArray
    size : int
        Rows and columns of the picture.
    augmentation : Augmentation
        How far it may differ.
    rng : numpy.random.Generator
    """
    low, high = np.log(augmentation.spacing)
    factor = float(np.exp(rng.uniform(low, high))) / image.spacing
    corner, window = _window(image, size / factor, rng)
    usable = np.isfinite(window.values)
    filled = np.where(
        usable, window.values, np.median(window.values[usable]) if usable.any() else 0
    )
    made = resampled_picture(filled.astype(np.float32), factor)
    grid = _changed(made.picture, augmentation, rng)
    seen = _at_scale(usable, factor)
    picture = normalized_picture(grid, None if seen.all() else seen)
    angle = np.deg2rad(rng.uniform(-augmentation.rotation, augmentation.rotation))
    turn = _Turn(angle, bool(rng.integers(2)), (picture.shape[0], picture.shape[1]), size)
    inside = turn.of_grid(np.ones(picture.shape, np.float32), order=0) > 0.5
    return LabeledPicture(
        picture=(turn.of_grid(picture, order=3) * inside).astype(np.float32),
        position=turn.of_positions(made.positions_in_picture(image.position - corner)),
        number=image.number,
        is_sure=np.ones(len(image.position), dtype=bool),
        lattice=turn.of_grid(_at_scale(window.lattice, factor).astype(np.float32), order=0) > 0.5,
        usable=(turn.of_grid(seen.astype(np.float32), order=0) > 0.5) & inside,
        spacing=image.spacing * factor,
        snr=np.nan,
        angle=None if image.angle is None else turn.of_angles(image.angle),
    )


def _window(
    image: LabeledArray, side: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], LabeledArray]:
    """Cut what a turned square needs, with a border; all of an image that is smaller."""
    span = int(np.ceil(side * _DIAGONAL)) + 2 * _BORDER
    starts = [int(rng.integers(max(n - span, 0) + 1)) for n in image.values.shape]
    cut = tuple(slice(start, start + span) for start in starts)
    kept = image._replace(values=image.values[cut], lattice=image.lattice[cut])
    return np.array(starts, dtype=float), kept


def _at_scale(mask: NDArray[np.bool_], factor: float) -> NDArray[np.bool_]:
    return resampled_picture(mask.astype(np.float32), factor).picture > 0.5


def _changed(grid: Grid, augmentation: Augmentation, rng: np.random.Generator) -> Grid:
    """Change contrast, sharpness and noise."""
    low, high = np.percentile(grid, _RANGE)
    if high <= low:
        return grid
    power = np.exp(rng.uniform(-augmentation.gamma, augmentation.gamma))
    shown = np.clip((grid - low) / (high - low), 0, 1.5) ** power
    sigma = rng.uniform(0, augmentation.blur)
    shown = scipy.ndimage.gaussian_filter(shown, sigma) if sigma > 0.2 else shown
    noise = rng.uniform(0, augmentation.noise) * shown.std()
    return np.asarray(shown + noise * rng.standard_normal(shown.shape), dtype=np.float32)


class _Turn:
    """A turn about the middle, perhaps mirrored, from a grid to a square."""

    def __init__(self, angle: float, mirrored: bool, shape: tuple[int, int], size: int) -> None:
        cos, sin = np.cos(angle), np.sin(angle)
        flip = -1.0 if mirrored else 1.0
        # From the square to the grid; its own inverse is its transpose.
        self.matrix = np.array([[cos, -sin * flip], [sin, cos * flip]])
        self.middle = (np.array(shape) - 1) / 2
        self.size, self.center = size, np.full(2, (size - 1) / 2)

    def of_grid(self, grid: Grid, *, order: int) -> Grid:
        """Read the grid at the pixels of the square; 0 outside."""
        offset = self.middle - self.matrix @ self.center
        shape = (self.size, self.size)
        turned = scipy.ndimage.affine_transform(
            grid, self.matrix, offset, output_shape=shape, order=order, mode="constant"
        )
        return np.asarray(turned, dtype=np.float32)

    def of_positions(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry positions from the grid to the square."""
        return np.asarray((position - self.middle) @ self.matrix + self.center)

    def of_angles(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry orientations in deg from the grid to the square."""
        turned = np.deg2rad(angle)
        y, x = (np.stack([np.sin(turned), np.cos(turned)], axis=-1) @ self.matrix).T
        return np.asarray(np.rad2deg(np.arctan2(y, x)))
