"""Where the probe really was: drift, scan-line jitter and distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ScanPath:
    """The map from places in the image to places on the sample.

    The pixel of row i at the place r of the image shows the sample at
    ``matrix @ r + offsets[i]``: one linear map for all distortion that grows
    evenly along a line or from line to line, and an offset for every line.

    Attributes
    ----------
    matrix : ndarray, shape (axis, axis)
        Axis y, x.
    offsets : ndarray, shape (row, axis)
        In the unit of the pixel size.
    shape : tuple of int
        Rows and columns of the image.
    pixel_size : float
        Step of the scan, in the unit of the positions.
    """

    matrix: NDArray[np.float64]
    offsets: NDArray[np.float64]
    shape: tuple[int, int]
    pixel_size: float

    def offsets_of_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Offsets (..., axis); rows beyond the image go on as its first or last row."""
        offsets: NDArray[np.float64] = self.offsets[rows.clip(0, self.shape[0] - 1)]
        return offsets

    def sample_positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places y and x on the sample that the pixels show."""
        y = np.arange(self.shape[0])[:, None] * self.pixel_size
        x = np.arange(self.shape[1])[None, :] * self.pixel_size
        (yy, yx), (xy, xx) = self.matrix
        return (
            yy * y + yx * x + self.offsets[:, :1],
            xy * y + xx * x + self.offsets[:, 1:],
        )

    def nearest_positions(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places in the image (site, axis) of places on the sample, to about the jitter."""
        inverse = np.linalg.inv(self.matrix)
        mean = self.offsets.mean(axis=0)
        found: NDArray[np.float64] = (places - mean) @ inverse.T
        # Offsets change little from one line to the next but may drift far over
        # the frame: three rounds bring the row to that of the place itself.
        for _ in range(3):
            rows = np.rint(found[:, 0] / self.pixel_size).astype(np.int64)
            found = (places - self.offsets_of_rows(rows)) @ inverse.T
        return found

    def imaged_positions(
        self, places: NDArray[np.float64], *, width: float | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Centroids in the image of round Gaussian atoms at places on the sample.

        A line that jumps carries a slice of every atom on it along; where the
        atom then *is* depends on its width. Here it is the centroid of
        its intensity, exactly: along a line the center of a Gaussian follows
        in closed form, over lines the weights are those of the slices.

        Parameters
        ----------
        places : ndarray, shape (site, axis)
            On the sample.
        width : float or ndarray, shape (site,)
            Standard deviation of all atoms, or of each.
        """
        near = self.nearest_positions(places)
        widths = np.broadcast_to(np.asarray(width, dtype=float), len(places))
        widest = float(widths.max(initial=0.0))
        reach = math.ceil((5 * widest + 4 * self.offsets.std(axis=0).max()) / self.pixel_size) + 2
        middle = np.rint(near[:, 0] / self.pixel_size).astype(np.int64)
        rows = middle[:, None] + np.arange(-reach, reach + 1)
        y = rows * self.pixel_size
        along = self.matrix[:, 1]
        # Vector from the atom to where the line crosses x = 0, on the sample.
        start = y[..., None] * self.matrix[:, 0] + self.offsets_of_rows(rows) - places[:, None, :]
        x = -(start @ along) / (along @ along)
        miss = start + x[..., None] * along
        weights = np.exp(-(miss**2).sum(axis=-1) / (2 * widths[:, None] ** 2))
        weights /= weights.sum(axis=1, keepdims=True)
        return np.stack([(weights * y).sum(axis=1), (weights * x).sum(axis=1)], axis=1)


def exact_scan(shape: tuple[int, int], pixel_size: float) -> ScanPath:
    """Scan without any error."""
    return ScanPath(np.eye(2), np.zeros((shape[0], 2)), shape, pixel_size)


def random_scan(
    shape: tuple[int, int],
    pixel_size: float,
    *,
    jitter: float,
    drift: float,
    distortion: float,
    rng: np.random.Generator,
) -> ScanPath:
    """Scan with errors drawn at random.

    The sample drifts in a random direction, slowing down or speeding up by up to
    a half; errors of calibration leave the middle of the image in place.
    """
    n_rows = shape[0]
    matrix = np.eye(2) + rng.normal(0.0, 1.0, (2, 2)) * distortion
    center = (np.asarray(shape) - 1) / 2 * pixel_size
    time = np.linspace(-0.5, 0.5, n_rows) if n_rows > 1 else np.zeros(1)
    direction = rng.uniform(0.0, 2 * math.pi)
    moved = drift * (time + rng.uniform(-0.5, 0.5) * (time**2 - 0.25))
    offsets = moved[:, None] * np.array([math.sin(direction), math.cos(direction)])
    offsets = offsets + rng.normal(0.0, 1.0, (n_rows, 2)) * jitter
    return ScanPath(matrix, offsets + center - matrix @ center, shape, pixel_size)
