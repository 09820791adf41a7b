"""Sums of Gaussians: the expected image of atoms, quickly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import map_coordinates

from adatom.simulation.scanning import ScanPath, exact_scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beyond five standard deviations a Gaussian is under 4e-6 of its peak, less
# than float32 resolves beside it in a sum of some atoms.
_REACH: Final = 5.0
# Values in the windows of one batch: 8 MB of float32 stays in the cache of a processor.
_BATCH: Final = 2_000_000
# A cubic spline through a Gaussian sampled four times per standard deviation is
# right to 2e-4 of its peak.
_FINENESS: Final = 4


def sum_of_gaussians(
    scan: ScanPath,
    places: NDArray[np.float64],
    peaks: NDArray[np.float64],
    *,
    width: float | NDArray[np.float64],
) -> NDArray[np.float32]:
    """Add up one round Gaussian per atom, as the scan sees them.

    Parameters
    ----------
    scan : ScanPath
        Which place of the sample each pixel shows.
    places : ndarray, shape (site, axis)
        Of the atoms on the sample; those beyond the image count as well.
    peaks : ndarray, shape (site,)
        Height of each Gaussian.
    width : float or ndarray, shape (site,)
        Standard deviation of all, or of each, in the unit of the places.
    """
    size = scan.pixel_size
    widths = np.broadcast_to(np.asarray(width, dtype=float), peaks.shape)
    near = scan.nearest_positions(places) / size
    jump = 4 * np.abs(np.diff(scan.offsets, axis=0)).std() if len(scan.offsets) > 1 else 0.0
    # The map may stretch an atom in the image.
    stretch = np.linalg.norm(np.linalg.inv(scan.matrix), 2)
    reach = math.ceil((_REACH * float(widths.max(initial=0.0)) * stretch + jump) / size) + 1
    rows, columns = scan.shape
    seen = ((near > -reach - 1) & (near < np.asarray(scan.shape) + reach)).all(axis=1) & (
        peaks != 0
    )
    near, places, peaks, widths = near[seen], places[seen], peaks[seen], widths[seen]
    corners = np.rint(near).astype(np.int64) - reach
    window = np.arange(2 * reach + 1)
    canvas = np.zeros((rows + 4 * reach + 4, columns + 4 * reach + 4), dtype=np.float32)
    batch = max(1, _BATCH // window.size**2)
    for first in range(0, len(places), batch):
        part = slice(first, first + batch)
        patches = _windows(scan, corners[part], places[part], peaks[part], window, widths[part])
        starts = (corners[part] + 2 * reach + 1).tolist()
        for (row, column), patch in zip(starts, patches, strict=True):
            canvas[row : row + window.size, column : column + window.size] += patch
    offset = 2 * reach + 1
    return canvas[offset : offset + rows, offset : offset + columns].copy()


def sum_of_broad_gaussians(
    scan: ScanPath, places: NDArray[np.float64], peaks: NDArray[np.float64], *, width: float
) -> NDArray[np.float32]:
    """Add up one round Gaussian per atom, broad against the pixels, to 2e-4 of the peak.

    Like `sum_of_gaussians`, but summed on a grid on the sample that is only as
    fine as the width asks, then read where the scan went.
    """
    step = width / _FINENESS
    if step <= scan.pixel_size:
        return sum_of_gaussians(scan, places, peaks, width=width)
    y, x = scan.sample_positions()
    # Nodes beyond the scan keep the spline's free ends out of the image.
    origin = np.array([y.min(), x.min()]) - 4 * step
    size = np.array([y.max(), x.max()]) - origin
    shape = (math.ceil(size[0] / step) + 5, math.ceil(size[1] / step) + 5)
    grid = sum_of_gaussians(exact_scan(shape, step), places - origin, peaks, width=width)
    where = np.stack([(y - origin[0]) / step, (x - origin[1]) / step])
    image: NDArray[np.float32] = map_coordinates(grid, where, output=np.float32, order=3)
    # Where no atom is near, a spline swings about zero by rounding.
    return image.clip(0.0)


def _windows(
    scan: ScanPath,
    corners: NDArray[np.int64],
    places: NDArray[np.float64],
    peaks: NDArray[np.float64],
    window: NDArray[np.int64],
    widths: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Gaussians (site, row, column) in the windows that begin at the corners."""
    rows = corners[:, :1] + window
    y = rows * scan.pixel_size
    # From the atom to the pixel, on the sample, in standard deviations: a part
    # by row and a part by column. Small numbers, so that float32 is enough.
    by_row = (
        y[..., None] * scan.matrix[:, 0]
        + scan.offsets_of_rows(rows)
        - places[:, None, :]
        + (corners[:, None, 1:] * scan.pixel_size) * scan.matrix[:, 1]
    ) / widths[:, None, None]
    by_column = window[:, None] * scan.pixel_size * scan.matrix[:, 1] / widths[:, None, None]
    down, right = np.moveaxis(by_row.astype(np.float32), -1, 0)[..., None]
    down_too, right_too = np.moveaxis(by_column.astype(np.float32), -1, 0)[:, :, None]
    square: NDArray[np.float32] = (down + down_too) ** 2
    square += (right + right_too) ** 2
    square *= np.float32(-0.5)
    np.exp(square, out=square)
    square *= peaks.astype(np.float32)[:, None, None]
    return square
