"""Images of Gaussians on lattices, written out pixel by pixel, and the bound on their errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.schema import image_from_array, sites_from_positions

Floats = NDArray[np.float64]


class Simulated(NamedTuple):
    """An image, where its sites are, and where a finder might have put them."""

    image: xr.DataArray
    truth: Floats
    start: xr.Dataset


def lattice(kind: str, spacing: float, n_sites: int) -> Floats:
    """Give at least `n_sites` places (site, axis) whose next neighbors are `spacing` apart."""
    cell = {"square": (1.0, 1.0), "hexagonal": (0.75**0.5, 1.0), "honeycomb": (1.5, 3**0.5)}[kind]
    per_cell = 2 if kind == "honeycomb" else 1
    side = int(np.ceil((n_sites / per_cell) ** 0.5))
    i, j = np.mgrid[:side, :side]
    shift = 0.0 if kind == "square" else 0.5 * (i % 2)
    points = np.stack([i * cell[0], (j + shift) * cell[1]], axis=-1).reshape(-1, 2)
    if kind == "honeycomb":
        points = np.concatenate([points, points + np.array([1.0, 0.0])])
    places: Floats = points * spacing
    return places


def gaussians(shape: tuple[int, int], places: Floats, amplitude: Floats, width: Floats) -> Floats:
    """Sum Gaussians over the whole image, in pixels."""
    image = np.zeros(shape)
    reach = int(np.ceil(8 * np.max(width)))
    for (y, x), height, sigma in zip(places, amplitude, width):
        top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
        rows = np.arange(top, min(int(y) + reach + 1, shape[0]))
        columns = np.arange(left, min(int(x) + reach + 1, shape[1]))
        along_y = np.exp(-((rows - y) ** 2) / (2 * sigma**2))
        along_x = np.exp(-((columns - x) ** 2) / (2 * sigma**2))
        image[top : top + rows.size, left : left + columns.size] += (
            height * along_y[:, None] * along_x
        )
    return image


def simulate(
    kind: str = "square",
    *,
    n_sites: int = 100,
    sigma: float = 2.0,
    spacing: float = 8.0,
    snr: float = np.inf,
    off: float = 0.5,
    seed: int = 0,
) -> Simulated:
    """Simulate sites of height 1 on a background of 0.3, displaced by 3 % of their spacing."""
    rng = np.random.default_rng(seed)
    truth = lattice(kind, spacing, n_sites)
    truth = truth + rng.normal(0, 0.03 * spacing, truth.shape)
    truth += 1.2 * spacing + rng.uniform(0, 1, 2) - truth.min(axis=0)
    shape = tuple(int(n) for n in np.ceil(truth.max(axis=0) + 1.2 * spacing))
    one = np.ones(len(truth))
    values = 0.3 + gaussians((shape[0], shape[1]), truth, one, sigma * one)
    values += rng.normal(0, 1 / snr, shape)
    start = truth + rng.normal(0, off, truth.shape)
    sites = sites_from_positions(start[:, 0], start[:, 1], unit="px", spacing=spacing)
    return Simulated(image_from_array(values), truth, sites)


def bound(kind: str, *, sigma: float, spacing: float, snr: float) -> float:
    """Give the Cramer-Rao bound on the error along an axis deep inside a perfect lattice.

    Heights, places and widths of all sites and one background are unknown.
    """
    n_sites = 49
    places = lattice(kind, spacing, n_sites)
    places = places + 2 * spacing + 0.3 - places.min(axis=0)
    y, x = np.mgrid[
        : int(places[:, 0].max() + 2 * spacing), : int(places[:, 1].max() + 2 * spacing)
    ]
    columns = [np.ones(y.size)]
    for place in places:
        v, u = (y - place[0]).ravel() / sigma, (x - place[1]).ravel() / sigma
        shape = np.exp(-0.5 * (v * v + u * u))
        columns += [v * shape / sigma, u * shape / sigma, shape, (v * v + u * u) * shape]
    design = np.stack(columns, axis=1)
    covariance = np.linalg.inv(design.T @ design)
    inner = int(np.argmin(np.linalg.norm(places - places.mean(axis=0), axis=1)))
    return float(np.sqrt(np.mean(np.diag(covariance)[[1 + 4 * inner, 2 + 4 * inner]])) / snr)


def errors(refined: xr.Dataset, truth: Floats) -> Floats:
    """Give the errors (site, axis) of refined positions."""
    off: Floats = np.stack([refined.y.values, refined.x.values], axis=1) - truth
    return off


def share_inside(refined: xr.Dataset, truth: Floats) -> float:
    """Give the share of true positions inside the stated regions of 95 %."""
    off, covariance = errors(refined, truth), refined["covariance"].values
    square = np.einsum("na,nab,nb->n", off, np.linalg.inv(covariance), off)
    # 95 % of chi squared with two degrees of freedom is -2 log 0.05.
    return float(np.mean(square < -2 * np.log(0.05)))
