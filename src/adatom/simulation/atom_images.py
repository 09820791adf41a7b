"""Elliptic Gaussians of many atoms on the lines of a scan, as quickly as numpy allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

# At four standard deviations a Gaussian is 3e-4 of its peak, far under the
# noise of any image; the existing renderer goes to five where 1e-6 matters.
_REACH: Final = 4.0
# Tails are low: what lies beyond this makes up some percent of them.
_TAIL_REACH: Final = 2.5
_BATCH: Final = 400_000


@dataclass(frozen=True)
class Probe:
    """What one atom looks like.

    Attributes
    ----------
    width : float
        Standard deviation in px, geometric mean of both axes of the ellipse.
    ellipticity : float
        Longer over shorter axis of the ellipse.
    direction : float
        Of the longer axis, in rad, from +x towards +y.
    tail_width : float
        Standard deviation of the tails, in px; more than `width`.
    tail_fraction : float
        Share of an atom's intensity in the tails.
    """

    width: float
    ellipticity: float = 1.0
    direction: float = 0.0
    tail_width: float = 0.0
    tail_fraction: float = 0.0

    def tail_reach(self) -> int:
        """Give how far in px the tails are worth looking at."""
        return math.ceil(_TAIL_REACH * self.tail_width) if self.tail_fraction else 0

    def precision(self) -> tuple[float, float, float]:
        """Inverse covariance for unit width: yy, yx, xx."""
        cos, sin = math.cos(self.direction), math.sin(self.direction)
        long, short = 1 / self.ellipticity, self.ellipticity
        return (
            long * sin**2 + short * cos**2,
            (long - short) * sin * cos,
            long * cos**2 + short * sin**2,
        )


@dataclass(frozen=True)
class LineOffsets:
    """By how much each line of the scan misses its place.

    The pixel of line i and column j shows the place ``i + y[i], j + x[i]``.

    Attributes
    ----------
    y, x : ndarray, shape (row,)
        In px.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]


def image_of_atoms(
    places: NDArray[np.float64],
    peaks: NDArray[np.float64],
    widths: NDArray[np.float64],
    *,
    probe: Probe,
    lines: LineOffsets,
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Add up one elliptic Gaussian an atom.

    Parameters
    ----------
    places : ndarray, shape (site, axis)
        On the sample, in px.
    peaks : ndarray, shape (site,)
        Height of the Gaussian, without its tails.
    widths : ndarray, shape (site,)
        Of each atom relative to that of the probe.
    probe : Probe
        Shape of an atom.
    lines : LineOffsets
        Errors of the scan.
    shape : tuple of int
        Rows and columns.
    """
    widest = float(widths.max()) if widths.size else 1.0
    jump = max(np.abs(lines.y).max(), np.abs(lines.x).max())
    reach = math.ceil(_REACH * probe.width * widest * math.sqrt(probe.ellipticity) + jump)
    rows, columns = shape
    # Tails of atoms beyond the image reach into it, or it would darken towards its edges.
    beyond = reach + probe.tail_reach()
    inside = ((places > -beyond) & (places < np.asarray(shape) - 1 + beyond)).all(axis=1)
    places, peaks, widths = places[inside], peaks[inside], widths[inside]
    pad = beyond + reach + 1
    offset_y, offset_x = (
        np.pad(o, pad, mode="edge").astype(np.float32) for o in (lines.y, lines.x)
    )
    canvas = np.zeros((rows + 2 * pad, columns + 2 * pad), dtype=np.float32)
    corners = np.rint(places).astype(np.int64) - reach
    window = np.arange(2 * reach + 1)
    yy, yx, xx = probe.precision()
    scale = (0.5 / (probe.width * widths) ** 2).astype(np.float32)[:, None]
    batch = max(1, _BATCH // window.size**2)
    for first in range(0, len(places), batch):
        part = slice(first, first + batch)
        line = corners[part, :1] + window
        fraction = (corners[part] - places[part]).astype(np.float32)
        down = fraction[:, :1] + window.astype(np.float32) + offset_y[line + pad]
        right = (fraction[:, 1:] + window.astype(np.float32))[:, None, :] + offset_x[line + pad][
            :, :, None
        ]
        # The square completed along the line: one product less for each pixel.
        right += np.float32(yx / xx) * down[:, :, None]
        right *= right
        right *= (-scale[part] * np.float32(xx))[:, :, None]
        np.exp(right, out=right)
        by_line = np.exp(-scale[part] * np.float32(yy - yx**2 / xx) * down**2)
        by_line *= peaks[part].astype(np.float32)[:, None]
        right *= by_line[:, :, None]
        starts = (corners[part] + pad).tolist()
        for (row, column), patch in zip(starts, right, strict=True):
            canvas[row : row + window.size, column : column + window.size] += patch
    if probe.tail_fraction > 0:
        canvas = with_tails(canvas, probe)
    return canvas[pad : pad + rows, pad : pad + columns].copy()


def with_tails(canvas: NDArray[np.float32], probe: Probe) -> NDArray[np.float32]:
    """Move a share of the intensity of each atom into broader Gaussians."""
    broader = math.sqrt(max(probe.tail_width**2 - probe.width**2, 0.0))
    share = probe.tail_fraction
    # Relative to the core, whose peaks stay as they were asked for.
    return canvas + np.float32(share / (1 - share)) * blurred(canvas, broader)


def blurred(canvas: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Convolve with a round Gaussian of unit sum; opposite sides of the canvas meet."""
    fast = _fast_shape(canvas)
    return _multiplied(canvas, fast, _transfer(fast, width))


def difference_of_blurs(canvas: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Take one blur from another half as wide, of `width`; opposite sides of the canvas meet."""
    fast = _fast_shape(canvas)
    return _multiplied(canvas, fast, _transfer(fast, width) - _transfer(fast, 2 * width))


def _fast_shape(canvas: NDArray[np.float32]) -> tuple[int, int]:
    rows, columns = canvas.shape
    return scipy.fft.next_fast_len(rows, real=True), scipy.fft.next_fast_len(columns, real=True)


def _transfer(shape: tuple[int, int], width: float) -> NDArray[np.float32]:
    """Fourier transform of a Gaussian of unit sum."""
    down = np.exp(-2 * (math.pi * width * np.fft.fftfreq(shape[0])) ** 2).astype(np.float32)
    right = np.exp(-2 * (math.pi * width * np.fft.rfftfreq(shape[1])) ** 2).astype(np.float32)
    transfer: NDArray[np.float32] = down[:, None] * right[None, :]
    return transfer


def _multiplied(
    canvas: NDArray[np.float32], shape: tuple[int, int], transfer: NDArray[np.float32]
) -> NDArray[np.float32]:
    spectrum = scipy.fft.rfft2(canvas, s=shape)
    spectrum *= transfer
    rows, columns = canvas.shape
    found: NDArray[np.float32] = scipy.fft.irfft2(spectrum, s=shape)[:rows, :columns]
    return found


def imaged_places(
    places: NDArray[np.float64],
    widths: NDArray[np.float64],
    *,
    probe: Probe,
    lines: LineOffsets,
) -> NDArray[np.float64]:
    """Centroids in the image of the Gaussians that `image_of_atoms` draws.

    A line that jumps takes a slice of each atom along, so where an atom then
    *is* depends on its width: slices are weighted by their intensity.
    """
    yy, yx, xx = probe.precision()
    deviation = probe.width * widths / math.sqrt(yy - yx**2 / xx)
    reach = math.ceil(_REACH * float(deviation.max(initial=1.0)) + np.abs(lines.y).max()) + 1
    row = np.rint(places[:, :1]).astype(np.int64) + np.arange(-reach, reach + 1)
    known = row.clip(0, len(lines.y) - 1)
    down = row + lines.y[known] - places[:, :1]
    weight = np.exp(-0.5 * (down / deviation[:, None]) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    x = places[:, 1:] - lines.x[known] - (yx / xx) * down
    return np.stack([(weight * row).sum(axis=1), (weight * x).sum(axis=1)], axis=1)
