"""Crops of one labeled frame, heavily varied: a training set made of a single picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.ndimage

from adatom.networks.pictures import LabeledPicture, batch_from_pictures
from adatom.numerics.network_input import normalized_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.heatmaps import Batch

    Grid = NDArray[np.float32]
    Floats = NDArray[np.float64]

# Normalizing looks this far, in pixels of the picture: so much more is taken and cut off again.
_MARGIN: Final = 20
# So many crops show one violation at least, of each class as many; they are rare elsewhere.
_ON_SITE: Final = 0.9
# Cells of violations have this share of the weight in a batch, of which they are a few in a
# thousand; at most so many times as much as others.
_SHARE_OF_SITES: Final = 0.2
_MOST_WEIGHT: Final = 100.0
# Magnification, and stretch of one direction against another.
_SCALE: Final = (0.85, 1.18)
_STRETCH: Final = 0.05
# Displacements, in distances of neighbors: smooth ones over some four, as of drift, and those of
# single atoms, as where a crystal loses its order. Up to these standard deviations.
_DRIFT, _DRIFT_LENGTH = 0.15, 4.0
_DISORDER, _DISORDER_LENGTH = 0.1, 0.6
# In pixels of the picture, and in standard deviations of the frame's own noise.
_BLUR: Final = 0.6
_NOISE: Final = 0.8
# Brightness changes by up to this share across a crop.
_SLOPE: Final = 0.3
# One crop in three has an empty disc, of so many distances of neighbors, as later frames may.
_HOLES: Final = 1 / 3
_HOLE_RADIUS: Final = (0.8, 4.0)
_HOLE_RIM: Final = 0.15


class LabeledFrame(NamedTuple):
    """A frame at the scale of the network, with its labels, not yet normalized.

    Attributes
    ----------
    values : ndarray, shape (y, x)
        Finite.
    position : ndarray, shape (site, 2)
    number : ndarray of int, shape (site,)
        Class of each site.
    is_sure : ndarray of bool, shape (site,)
        False: neither a violation of periodicity nor none.
    lattice, usable : ndarray of bool, shape (y, x)
    spacing : float
        In pixels of the picture.
    noise : float
        Standard deviation of a pixel.
    empty : float
        Value where there is nothing.
    """

    values: Grid
    position: Floats
    number: NDArray[np.int64]
    is_sure: NDArray[np.bool_]
    lattice: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    spacing: float
    noise: float
    empty: float


@dataclass(frozen=True, eq=False)
class FrameCrops:
    """Makes batch k of crops from a frame, the seed and k alone.

    Each crop is turned by any angle, mirrored, stretched, warped smoothly and
    from atom to atom, blurred, lit unevenly, made noisier, and some get an
    empty disc: what may befall the frames that come later.

    Attributes
    ----------
    frame : LabeledFrame
    crop : int
        Rows and columns of a crop, a multiple of 16.
    batch_size : int
    seed : int
    """

    frame: LabeledFrame
    crop: int
    batch_size: int
    seed: int

    def __call__(self, number: int, /) -> Batch:
        """Make a batch."""
        first = number * self.batch_size
        made = [self.picture(first + k) for k in range(self.batch_size)]
        return _with_weight_on_sites(batch_from_pictures(made))

    def picture(self, index: int, /) -> LabeledPicture:
        """Make one crop."""
        rng = np.random.default_rng((self.seed, index))
        side = self.crop + 2 * _MARGIN
        view = _random_view(self.frame, side, rng)
        places = view.places()
        # Beyond the frame its mirror image keeps the brightness even; it is not judged.
        values = scipy.ndimage.map_coordinates(self.frame.values, places, order=1, mode="mirror")
        usable, lattice = (
            _nearest(mask, places) for mask in (self.frame.usable, self.frame.lattice)
        )
        place = view.positions(self.frame.position)
        sure = self.frame.is_sure.copy()
        if rng.uniform() < _HOLES:
            hole, rim = _hole(side, view.spacing, rng)
            values = np.where(hole, np.float32(self.frame.empty), values)
            lattice &= ~hole
            at = np.clip(np.rint(place), 0, side - 1).astype(int)
            gone = hole[tuple(at.T)]
            sure &= ~rim[tuple(at.T)]
            place = np.where(gone[:, None], -2.0 * side, place)
        picture = normalized_picture(_photographed(values, self.frame, rng))
        inner = slice(_MARGIN, side - _MARGIN)
        return LabeledPicture(
            picture=np.ascontiguousarray(picture[inner, inner]),
            position=place - _MARGIN,
            number=self.frame.number,
            is_sure=sure,
            lattice=lattice[inner, inner],
            usable=usable[inner, inner],
            spacing=view.spacing,
            snr=float("nan"),
        )

    def whole(self) -> LabeledPicture:
        """Give the frame itself, as it is."""
        frame = self.frame
        return LabeledPicture(
            normalized_picture(frame.values, None if frame.usable.all() else frame.usable),
            frame.position,
            frame.number,
            frame.is_sure,
            frame.lattice,
            frame.usable,
            frame.spacing,
            float("nan"),
        )


def _with_weight_on_sites(batch: Batch) -> Batch:
    """Let the few cells of violations decide as much as a fifth of all others."""
    on_site = (batch.center > 0) & (batch.weight > 0)
    n_sites, n_all = int(on_site.sum()), int((batch.weight > 0).sum())
    if not n_sites:
        return batch
    wanted = _SHARE_OF_SITES / (1 - _SHARE_OF_SITES) * (n_all - n_sites) / n_sites
    more = np.float32(np.clip(wanted, 1.0, _MOST_WEIGHT))
    return batch._replace(weight=np.where(on_site, more, batch.weight))


class _View(NamedTuple):
    """Which place of the frame each pixel of a crop shows: ``matrix @ pixel + start + warp``."""

    matrix: Floats
    start: Floats
    warp: NDArray[np.float32]
    spacing: float

    def places(self) -> NDArray[np.float32]:
        """Give the places of all pixels, (axis, y, x)."""
        side = self.warp.shape[1]
        pixel = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
        straight = np.tensordot(self.matrix, pixel, axes=1) + self.start[:, None, None]
        return np.asarray(straight + self.warp, dtype=np.float32)

    def positions(self, place: Floats) -> Floats:
        """Give where places (site, axis) of the frame come to lie in the crop."""
        inverse = np.linalg.inv(self.matrix)
        side = self.warp.shape[1]
        found = (place - self.start) @ inverse.T
        # The warp is small and smooth: it is that of the place before, to little more each time.
        for _ in range(3):
            at = np.clip(found, 0, side - 1).T
            warp = [scipy.ndimage.map_coordinates(part, at, order=1) for part in self.warp]
            found = (place - self.start - np.stack(warp, axis=-1)) @ inverse.T
        return np.asarray(found)


def _random_view(frame: LabeledFrame, side: int, rng: np.random.Generator) -> _View:
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    scale = float(np.exp(rng.uniform(*np.log(_SCALE))))
    stretch = np.eye(2) + rng.uniform(-_STRETCH, _STRETCH, (2, 2))
    mirror = np.diag([1.0, float(rng.choice([-1.0, 1.0]))])
    # A larger scale shows less of the frame.
    matrix = rotation @ stretch @ mirror / scale
    center = rng.uniform(0, np.array(frame.values.shape) - 1)
    sure = np.flatnonzero(frame.is_sure)
    if len(sure) and rng.uniform() < _ON_SITE:
        number = rng.choice(np.unique(frame.number[sure]))
        center = frame.position[rng.choice(sure[frame.number[sure] == number])]
        center = center + matrix @ rng.uniform(-0.3, 0.3, 2) * (side - 2 * _MARGIN)
    warp = _smooth_field(side, _DRIFT_LENGTH * frame.spacing, rng) * _DRIFT * rng.uniform()
    disorder = _DISORDER * rng.uniform() ** 2
    warp += _smooth_field(side, _DISORDER_LENGTH * frame.spacing, rng) * disorder
    start = center - matrix @ np.full(2, (side - 1) / 2)
    return _View(matrix, start, warp * np.float32(frame.spacing), frame.spacing * scale)


def _smooth_field(side: int, length: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a vector field (axis, y, x) of unit variance that changes over a length."""
    nodes = int(np.ceil(side / length)) + 4
    coarse = rng.standard_normal((2, nodes, nodes)).astype(np.float32)
    place = rng.uniform(1, 2) + np.arange(side, dtype=np.float32) / length
    first = np.floor(place).astype(np.intp)
    part = place - first
    field = coarse[:, first] * (1 - part)[:, None] + coarse[:, first + 1] * part[:, None]
    field = field[:, :, first] * (1 - part) + field[:, :, first + 1] * part
    # Between nodes means of several values are calmer: by 2 / 3 along each axis.
    return np.asarray(1.5 * field, dtype=np.float32)


def _nearest(mask: NDArray[np.bool_], places: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Read a mask at places; beyond it nothing is True."""
    at = np.rint(places).astype(np.intp)
    last = np.array(mask.shape)[:, None, None] - 1
    inside = ((at >= 0) & (at <= last)).all(axis=0)
    row, column = np.clip(at, 0, last)
    return np.asarray(mask[row, column] & inside)


def _hole(
    side: int, spacing: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw an uneven disc, and the rim about it where nobody could tell what belongs to it."""
    center = rng.uniform(_MARGIN, side - _MARGIN, 2)
    y, x = np.ogrid[:side, :side]
    angle = np.arctan2(y - center[0], x - center[1])
    radius = float(np.exp(rng.uniform(*np.log(_HOLE_RADIUS)))) * spacing
    uneven = 1 + _HOLE_RIM * np.sin(3 * angle + rng.uniform(0, 6)) * rng.uniform()
    uneven = uneven + _HOLE_RIM * np.sin(5 * angle + rng.uniform(0, 6)) * rng.uniform()
    distance = np.hypot(y - center[0], x - center[1])
    return distance < radius * uneven, distance < radius * uneven + spacing


def _photographed(values: Grid, frame: LabeledFrame, rng: np.random.Generator) -> Grid:
    """Blur, light unevenly and add noise."""
    blurred = scipy.ndimage.gaussian_filter(values, _BLUR * rng.uniform())
    side = values.shape[0]
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    slopes = rng.uniform(-_SLOPE, _SLOPE, 2)
    gain = 1 + slopes[0] * ramp[:, None] + slopes[1] * ramp
    noise = rng.standard_normal(values.shape, dtype=np.float32) * np.float32(
        frame.noise * _NOISE * rng.uniform()
    )
    return np.asarray((blurred - frame.empty) * gain + noise, dtype=np.float32)
