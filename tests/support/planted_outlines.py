"""Lattices and domains whose outlines are known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.schema import Sites, sites_from_positions

Array = NDArray[np.float64]

LATTICES = ("square", "hexagonal", "honeycomb")


def lattice(
    kind: str,
    *,
    size: float = 60.0,
    noise: float = 0.03,
    seed: int = 0,
    angle: float | None = None,
) -> Array:
    """Give a lattice of spacing 1 that lies anywhere, turned or as told, around 0."""
    rng = np.random.default_rng(seed)
    turn = np.radians(rng.uniform(0, 360) if angle is None else angle)
    turning = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    i, j = np.indices((2 * int(size), 2 * int(size))).reshape(2, -1) - int(size)
    cell = np.eye(2) if kind == "square" else np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    points = np.column_stack([i, j]) @ cell
    if kind == "honeycomb":
        points = np.concatenate([points, points + cell.sum(axis=0) / 3]) * np.sqrt(3)
    points = points @ turning.T + rng.uniform(-1, 1, 2)
    points = points + rng.normal(0, noise, points.shape)
    return np.asarray(points[(np.abs(points) < size / 2).all(axis=1)])


def sites_of(points: Array) -> Sites:
    return sites_from_positions(points[:, 0], points[:, 1], unit="nm", spacing=1.0)


def classes_of(labels: NDArray[Any]) -> xr.Dataset:
    return xr.Dataset({"label": ("site", np.asarray(labels).astype(np.int64))})


class Blob(NamedTuple):
    """Outline r(angle) with its true measures."""

    amplitudes: Array
    phases: Array
    radius: float
    area: float
    perimeter: float
    center: tuple[float, float]

    def holds(self, points: Array) -> NDArray[np.int64]:
        angle = np.arctan2(points[:, 0], points[:, 1])
        inside = np.hypot(*points.T) < _outline(self, angle)
        return np.asarray(inside, dtype=np.int64)


def _outline(blob: Blob, angle: Array) -> Array:
    waves = np.arange(2, 5)[:, None]
    bumps = blob.amplitudes[:, None] * np.cos(waves * angle + blob.phases[:, None])
    return np.asarray(blob.radius * (1 + bumps.sum(axis=0)))


def blob(radius: float, *, seed: int) -> Blob:
    """Give a smooth outline of two to four bumps."""
    rng = np.random.default_rng(seed)
    shape = Blob(rng.normal(0, 0.08, 3), rng.uniform(0, 2 * np.pi, 3), radius, 0, 0, (0, 0))
    angle = np.linspace(0, 2 * np.pi, 4001)
    r = _outline(shape, angle)
    x, y = r * np.cos(angle), r * np.sin(angle)
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    area = float(cross.sum()) / 2
    row, column = (float(((p[:-1] + p[1:]) * cross).sum()) / 6 / area for p in (y, x))
    perimeter = float(np.hypot(np.diff(x), np.diff(y)).sum())
    return shape._replace(area=area, perimeter=perimeter, center=(row, column))


def random_field(size: int, correlation: float, rng: np.random.Generator) -> Array:
    """Give a Gaussian field of variance 1 whose correlation falls as exp(-h^2 / (2 c^2))."""
    y, x = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    damping = np.exp(-((2 * np.pi * np.hypot(y, x) * correlation) ** 2) / 4)
    noise = np.fft.rfft2(rng.normal(size=(size, size)))
    field = np.fft.irfft2(noise * damping, s=(size, size))
    return np.asarray(field / field.std())
