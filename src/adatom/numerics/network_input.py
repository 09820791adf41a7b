"""Pictures made ready for a network: brought to one scale, even in brightness and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.ndimage

from adatom.errors import SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float32]

SPACINGS: Final = (6.0, 14.0)
"""Distances between neighboring atoms, in pixels of the picture, that networks are made for."""

# Brightness is evened out over about this many pixels of the picture, more than
# the distance between atoms; contrast over half as much again.
_REACH: Final = 14.0
_SPREAD_REACH: Final = 21.0
# Local mean and spread are smooth: a grid this many times coarser holds them.
_BIN: Final = 4
_BLOCK: Final = 16
# Below this share of the usual spread a part is flat, and stays so.
_FLAT: Final = 0.1
_LIMIT: Final = 8.0
# Brightness grows by its logarithm beyond so many usual spreads from the median.
_USUAL: Final = 3.0


class Resampled(NamedTuple):
    """A picture at another scale.

    Attributes
    ----------
    picture : ndarray, shape (y, x)
    factor : tuple of float
        Pixels of the picture per pixel of the image, down and across, exactly.
        Pixel i of the image lies at ``(i + 0.5) * factor - 0.5`` of the picture.
    """

    picture: Grid
    factor: tuple[float, float]

    def positions_in_picture(self, positions: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Carry positions (site, axis), in pixels, from the image to the picture."""
        return np.asarray((positions + 0.5) * np.array(self.factor) - 0.5)

    def positions_in_image(self, positions: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Carry positions (site, axis), in pixels, from the picture to the image."""
        return np.asarray((positions + 0.5) / np.array(self.factor) - 0.5)


def resampled_picture(
    values: NDArray[np.floating], factor: float | tuple[float, float], /
) -> Resampled:
    """Bring an image to another scale; finer structure than the new pixels is averaged.

    Parameters
    ----------
    values : ndarray, shape (y, x)
        Finite.
    factor : float or tuple of two float
        Pixels of the result per pixel of `values`; rounded so that the result
        has whole pixels and shows all of the image.

    Examples
    --------
    >>> resampled_picture(np.ones((30, 40), dtype=np.float32), 0.5).picture.shape
    (15, 20)
    """
    from PIL import Image

    factors = (factor, factor) if isinstance(factor, (int, float)) else factor
    if not all(np.isfinite(f) and f > 0 for f in factors):
        msg = f"{factor=} must be positive"
        raise SettingError(msg)
    rows, columns = (max(1, round(n * f)) for n, f in zip(values.shape, factors, strict=True))
    picture = np.asarray(values, dtype=np.float32)
    if (rows, columns) != values.shape:
        # Pillow widens its kernel when it makes a picture smaller, so that nothing aliases.
        resized = Image.fromarray(picture).resize((columns, rows), Image.Resampling.BICUBIC)
        picture = np.asarray(resized, dtype=np.float32)
    return Resampled(picture, (rows / values.shape[0], columns / values.shape[1]))


def normalized_picture(picture: Grid, usable: NDArray[np.bool_] | None = None, /) -> Grid:
    """Take off the local mean and divide by the local spread, over a few atoms.

    Slopes of thickness, charging and gain do not reach the network, and
    atoms beside a bright particle keep their contrast. Where there is
    nothing but a constant the result is 0.

    Parameters
    ----------
    picture : ndarray, shape (y, x)
        At the scale that the network is made for, finite where usable.
    usable : ndarray of bool, shape (y, x), optional
        False where nothing was measured: 0 in the result, without influence elsewhere.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64].astype(np.float32)
    >>> picture = normalized_picture(1000 + 5 * x + np.sin(x) * np.sin(y))
    >>> bool(abs(picture.std() - 1) < 0.2), abs(float(picture.mean())) < 0.1
    (True, True)
    """
    weight = np.ones(picture.shape, np.float32) if usable is None else usable.astype(np.float32)
    if not weight.any():
        return np.zeros(picture.shape, np.float32)
    measured = np.where(weight > 0, picture, 0).astype(np.float32)
    usual = _usual_spread(measured, weight)
    # Rounding of a constant image is no structure.
    usual = max(usual, 1e-5 * float(np.abs(measured).max()))
    if usual == 0:
        return np.zeros(picture.shape, np.float32)
    measured = _compressed(measured, weight, usual)
    flat = (measured - _local_mean(measured, weight, _REACH)) * weight
    # The rim of a particle is to count as high contrast, not as a hundred times so high.
    tamed = np.clip(flat, -_USUAL * usual, _USUAL * usual)
    spread = np.sqrt(np.maximum(_local_mean(tamed * tamed, weight, _SPREAD_REACH), 0))
    flat /= np.maximum(spread, np.float32(_FLAT * usual))
    return np.clip(flat, -_LIMIT, _LIMIT, out=flat)


def _usual_spread(measured: Grid, weight: Grid) -> float:
    """Give the median of the spreads within blocks as large as an atom and its surroundings."""
    down, across = (np.arange(0, n, _BLOCK) for n in measured.shape)

    def per_block(values: Grid) -> NDArray[np.float64]:
        by_row = np.add.reduceat(values, down, axis=0, dtype=np.float64)
        return np.add.reduceat(by_row, across, axis=1)

    number = per_block(weight)
    full = number > 0.5 * number.max()
    mean = per_block(measured)[full] / number[full]
    # About the middle of the image, so that squares keep their digits.
    shifted = (measured - np.float32(np.median(mean))) * weight
    mean, square = per_block(shifted)[full] / number[full], per_block(shifted**2)[full]
    return float(np.sqrt(np.median(np.maximum(square / number[full] - mean**2, 0))))


def _compressed(measured: Grid, weight: Grid, usual: float) -> Grid:
    """Bring what is far brighter or darker than the rest nearer, by a logarithm.

    A particle a hundred times brighter than the lattice would take the
    contrast of all atoms within the reach of its rim.
    """
    middle = np.float32(np.median(measured[weight > 0]))
    scale = np.float32(_USUAL * usual)
    return np.asarray(np.arcsinh((measured - middle) / scale) * scale * weight)


def _local_mean(values: Grid, weight: Grid, reach: float) -> Grid:
    """Average around each pixel, with weights; `values` are 0 where the weight is."""
    rows, columns = values.shape
    total, share = _binned(values), _binned(weight)
    sigma = reach / _BIN
    for grid in (total, share):
        scipy.ndimage.gaussian_filter(grid, sigma, mode="constant", truncate=3.0, output=grid)
    # Far from anything measured both are 0.
    mean = np.asarray(total / np.maximum(share, 1e-6), dtype=np.float32)
    return _spread_out(_spread_out(mean, rows, 0), columns, 1)


def _binned(values: Grid) -> Grid:
    """Sum squares of pixels; the last ones may reach beyond the picture."""
    down, across = (np.arange(0, n, _BIN) for n in values.shape)
    return np.add.reduceat(np.add.reduceat(values, down, axis=0), across, axis=1)


def _spread_out(coarse: Grid, size: int, axis: int) -> Grid:
    """Interpolate bins back to pixels along an axis."""
    place = (np.arange(size, dtype=np.float32) + 0.5) / _BIN - 0.5
    first = np.clip(np.floor(place).astype(np.intp), 0, max(coarse.shape[axis] - 2, 0))
    second = np.minimum(first + 1, coarse.shape[axis] - 1)
    part = np.clip(place - first, 0, 1).astype(np.float32)
    part = part[:, None] if axis == 0 else part[None, :]
    low, high = coarse.take(first, axis=axis), coarse.take(second, axis=axis)
    return np.asarray(low + part * (high - low), dtype=np.float32)
