"""Walls whose length is known, straight or bent, as they are found among sites."""

from __future__ import annotations

import numpy as np
from planted_outlines import Array, classes_of, lattice, sites_of

from adatom.crystallography import find_boundaries


def excess_of_wall(kind: str, *, radius: float, seed: int) -> tuple[float, float]:
    """Give by how much a wall of 30 spacings in any direction is found too long, and its error."""
    points = lattice(kind, size=44, seed=seed, angle=0.0)
    angle = np.random.default_rng([9, seed]).uniform(0, np.pi)
    normal = np.array([np.sin(angle), np.cos(angle)])
    tangent = np.array([-normal[1], normal[0]])

    def laid_out(places: Array) -> Array:
        """Give the distance from the wall, and the way along it."""
        from_center, along = places @ normal + radius, places @ tangent
        away = np.hypot(from_center, along) - radius - 0.3
        return np.stack([away, (radius + 0.3) * np.arctan2(along, from_center)])

    points = points[np.abs(laid_out(points)[1]) < 15]
    found = find_boundaries(classes_of(laid_out(points)[0] > 0), sites_of(points))
    if found.table.sizes["row"] != 1:
        msg = f"{found.table.sizes['row']} walls found among the sites of {seed=}, one is planted"
        raise AssertionError(msg)
    lines = np.column_stack([found.vertices["y"], found.vertices["x"]])
    span = float(np.ptp(laid_out(lines)[1]))
    return float(found.table["length"][0]) - span, float(found.table["length_error"][0])
