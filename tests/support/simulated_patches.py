"""Patches with one thing each, anywhere in them: crystal, vacancy, interstitial, fault, twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adatom import simulation
from adatom.schema import Image, sites_from_positions

KINDS = ("perfect", "vacancy", "interstitial", "fault", "twin")
# An oblique cell, which its mirror image is not: a twin shows.
CELL = np.array([[0.0, 0.30], [0.27, 0.09]])
PIXEL = 0.03
SIDE = 64


def simulated_patches(
    n_each: int, *, electrons: float, seed: int
) -> tuple[list[Image], NDArray[np.int64]]:
    """Give patches in the order of `KINDS`, and the number of the kind of each."""
    rng = np.random.default_rng(seed)
    images = [_patch(kind, electrons, rng) for kind in KINDS for _ in range(n_each)]
    return images, np.repeat(np.arange(len(KINDS)), n_each)


def _patch(kind: str, electrons: float, rng: np.random.Generator) -> Image:
    field = SIDE * PIXEL
    i, j = np.mgrid[-16:17, -16:17]
    # The crystal lies anywhere under the patch.
    points = np.stack([i.ravel(), j.ravel()], axis=1) @ CELL + rng.uniform(0, 1, 2) @ CELL
    brightness = np.ones(len(points))
    # A plane parallel to the rows, somewhere in the middle half.
    plane = rng.uniform(-0.25, 0.25) * field
    rows = np.unique(points[:, 0].round(6))
    plane = rows[np.abs(rows - plane).argmin()]
    if kind == "fault":
        points[points[:, 0] > plane + 1e-3] += [0.0, 0.10]
    if kind == "twin":
        keep = points[points[:, 0] < plane + 1e-3]
        mirrored = keep[keep[:, 0] < plane - 1e-3] * [-1, 1] + [2 * plane, 0]
        points, brightness = np.concatenate([keep, mirrored]), np.ones(len(keep) + len(mirrored))
    inner = np.flatnonzero((np.abs(points) < 0.35 * field).all(axis=1))
    if kind == "vacancy":
        brightness[rng.choice(inner)] = 0
    if kind == "interstitial":
        added = points[rng.choice(inner)] + CELL.sum(axis=0) / 2
        points, brightness = np.vstack([points, added]), np.append(brightness, 0.7)
    kept = brightness > 0
    places = points[kept] + field / 2
    sites = sites_from_positions(places[:, 0], places[:, 1], unit="nm")
    sites["species"] = ("site", np.full(len(places), "Cd"))
    sites["occupancy"] = ("site", brightness[kept])
    microscope = simulation.Microscope(electrons=electrons, drift="0 nm", distortion=0.0)
    seed: Any = int(rng.integers(1 << 31))
    return simulation.simulate_image(
        sites, shape=(SIDE, SIDE), pixel_size=f"{PIXEL} nm", microscope=microscope, seed=seed
    ).image
