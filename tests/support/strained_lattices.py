"""Lattices of known strain with noise, vacancies and drift, and how often intervals hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adatom.schema import Sites, sites_from_positions

SQUARE = np.array([[0.0, 1.0], [1.0, 0.0]])
HEXAGONAL = np.array([[0.0, 1.0], [np.sqrt(0.75), 0.5]])
MAP = np.array([[1.01, 0.015], [0.002, 0.985]])
"""An affine map, y before x, of strains of 1 % and a rotation of -0.4 deg."""


def places(
    lattice: str, *, n: int = 106, vacancies: float = 0.0, seed: int = 0
) -> NDArray[np.float64]:
    """Give the sites (site, 2) of a square, hexagonal or honeycomb lattice of spacing 1."""
    index = np.stack(np.meshgrid(*[np.arange(n)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    if lattice == "honeycomb":
        cells = index @ (np.sqrt(3) * HEXAGONAL)
        found = np.concatenate([cells, cells + np.array([1.0, 0.0])])
    else:
        found = index @ (SQUARE if lattice == "square" else HEXAGONAL)
    kept = np.random.default_rng([1, seed]).random(len(found)) >= vacancies
    return found[kept]


def noisy(
    true: NDArray[np.float64], noise: tuple[float, float], *, seed: int = 0, known: bool = False
) -> Sites:
    """Add normal noise along y and x, and its size as errors if `known`."""
    error = np.random.default_rng([2, seed]).normal(size=true.shape) * noise
    sites = sites_from_positions(*(true + error).T, unit="nm")
    if known:
        for name, size in zip(("y_error", "x_error"), noise):
            sites[name] = ("site", np.full(len(true), size), {"units": "nm"})
    return sites


def coverage(sites: Sites, name: str, truth: float | NDArray[np.float64]) -> float:
    """Give the share of sites whose 95 % interval holds the truth."""
    off = sites[name].values - np.asarray(truth)
    error = sites[f"{name}_error"].values
    known = np.isfinite(off)
    assert np.isfinite(error[known]).all()
    return float((np.abs(off[known]) < 1.96 * error[known]).mean())
