"""How often the 95 % intervals of derived quantities hold the truth.

Run as ``python benchmarks/coverage.py [group ...]``; the groups are named in ``GROUPS``.
Places are planted with normal noise of known size; seeds are fixed.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
from numpy.typing import NDArray
from planted_crystals import planted, turn
from strained_lattices import MAP, noisy, places

from adatom.crystallography import (
    estimate_bonds,
    estimate_lattice_parameters,
    estimate_polarization,
    estimate_site_order,
    estimate_strain,
    find_grains,
    find_rings,
    fit_lattice,
)
from adatom.descriptors import neighbor_vectors
from adatom.schema import Sites, sites_from_positions

Floats = NDArray[np.float64]
SHEAR = np.array([[1.0, 0.0], [0.15, 1.0]])


class Row(NamedTuple):
    """One line of the table: what, how often its interval held, of how many, and where."""

    quantity: str
    held: float
    draws: int
    where: str


def held(quantity: str, off: Floats, error: Floats, where: str) -> Row:
    """Count how often the truth is within 1.96 errors."""
    known = np.isfinite(off) & np.isfinite(error)
    inside = np.abs(off[known]) <= 1.96 * error[known]
    return Row(quantity, float(inside.mean()), int(known.sum()), where)


def of_sites(sites: Sites, name: str, truth: float | Floats, where: str) -> Row:
    """Count it for a variable of sites."""
    off = sites[name].values - np.asarray(truth)
    return held(name, off, sites[f"{name}_error"].values, where)


def between(sites: Sites, name: str, truth: float | Floats, where: str) -> Row:
    """Count how often the truth is between the ends of an interval."""
    low, high = (sites[f"{name}_{end}"].values for end in ("lower", "upper"))
    # What cannot be more than one may be one to within rounding.
    inside = (low <= np.asarray(truth) + 1e-9) & (np.asarray(truth) <= high + 1e-9)
    there = np.isfinite(low)
    return Row(f"{name} lower to upper", float(inside[there].mean()), int(there.sum()), where)


def strain() -> Iterator[Row]:
    """Strain, rotation, cells and bonds of sites."""
    for lattice in ("square", "hexagonal", "honeycomb"):
        true = places(lattice, n=75 if lattice == "honeycomb" else 106, vacancies=0.03) @ MAP.T
        for known in (False, True):
            sites = neighbor_vectors(noisy(true, (0.02, 0.012), known=known))
            where = f"{lattice}, noise 0.02 and 0.012 {'told' if known else 'estimated'}"
            for n_shells in (0, 1, 2):
                found = estimate_strain(sites, n_shells=n_shells)
                for name in ("strain_yy", "strain_xx", "strain_xy", "rotation", "dilatation"):
                    yield of_sites(found, name, 0.0, f"{where}, {n_shells} shells")


def cells() -> Iterator[Row]:
    """Lattice parameters and bonds of sites."""
    second = {"square": (1.0, 0.0), "hexagonal": (np.sqrt(0.75), -0.5), "honeycomb": (1.5, -np.sqrt(0.75))}
    for lattice in ("square", "hexagonal", "honeycomb"):
        n = 75 if lattice == "honeycomb" else 106
        sites = neighbor_vectors(noisy(places(lattice, n=n, vacancies=0.03) @ MAP.T, (0.02, 0.012)))
        a = MAP @ [0.0, np.sqrt(3) if lattice == "honeycomb" else 1.0]
        b = MAP @ second[lattice]
        long_a, long_b = (float(np.linalg.norm(v)) for v in (a, b))
        angle = float(np.degrees(np.arccos(a @ b / long_a / long_b)))
        truth = {"lattice_a": long_a, "lattice_b": long_b, "axial_ratio": long_b / long_a}
        for n_shells in (0, 1):
            found = estimate_lattice_parameters(sites, n_shells=n_shells)
            for name, value in (truth | {"lattice_angle": angle}).items():
                yield of_sites(found, name, value, f"{lattice}, {n_shells} shells")
        for noise in ((0.02, 0.012), (0.05, 0.03)):
            whole = neighbor_vectors(noisy(places(lattice, n=n, vacancies=0.03), noise))
            found = estimate_bonds(whole)
            between = {"square": 90.0, "hexagonal": 60.0, "honeycomb": 120.0}[lattice]
            yield of_sites(found, "bond_length", 1.0, f"{lattice}, noise {noise}")
            yield of_sites(found, "bond_angle", between, f"{lattice}, noise {noise}")


def polarization() -> Iterator[Row]:
    """Displacements in a cage."""
    corners = places("square", n=106, vacancies=0.02)
    inside = places("square", n=105) + 0.5
    for size in (0.0, 0.03, 0.05, 0.1, 0.2):
        moved = size * np.array([0.6, -0.8])
        for known in (False, True):
            cage = noisy(corners, (0.01, 0.01), seed=1, known=known)
            caged = noisy(inside + moved, (0.02, 0.02), seed=2, known=known)
            found = estimate_polarization(neighbor_vectors(caged, cage, n_neighbors=4), cage)
            where = f"{size} spacings, noise {'told' if known else 'estimated'}"
            yield of_sites(found, "displacement_y", moved[0], where)
            yield of_sites(found, "displacement_x", moved[1], where)
            yield between(found, "displacement_magnitude", size, where)
            if size >= 0.1:
                angle = float(np.degrees(np.arctan2(moved[0], moved[1])))
                yield of_sites(found, "displacement_angle", angle, where)


def order() -> Iterator[Row]:
    """Bond order of sheared lattices."""
    for lattice, n_fold, bonds in (("square", 4, 4), ("hexagonal", 6, 6), ("honeycomb", 3, 3)):
        for shear in (0.0, 0.05, 0.15):
            true = places(lattice, n=75 if lattice == "honeycomb" else 106) @ (
                np.eye(2) + shear / 0.15 * (SHEAR - np.eye(2))
            ).T
            exact = estimate_site_order(sites_from_positions(*true.T, unit="nm"), n_fold=n_fold)
            for noise in (0.01, 0.03, 0.05):
                sites = noisy(true, (noise, 0.8 * noise), known=True)
                found = estimate_site_order(sites, n_fold=n_fold)
                same = ((found["coordination"] == bonds) & (exact["coordination"] == bonds)).values
                found = found.isel(site=same)
                where = f"{lattice}, shear {shear}, noise {noise}"
                for name in ("bond_order", "bond_order_angle"):
                    yield of_sites(found, name, exact[name].values[same], where)
                truth = exact["bond_order"].values[same]
                yield between(found, "bond_order", truth, where)


def rings() -> Iterator[Row]:
    """Areas of rings."""
    truth = planted("honeycomb", half_width=90.0)
    for noise in (0.02, 0.05):
        sites = noisy(truth.place, (noise, noise), known=True)
        found = find_rings(sites)
        six = (found["n_members"] == 6).values
        yield of_sites(found.isel(site=six), "area", 1.5 * 3**0.5, f"honeycomb, noise {noise}")


def _many_grains(name: str, half_width: float, n: int, noise: float, *, pairs: bool) -> Sites:
    """Give sites of n grains (of n pairs that touch), far apart, indexed as they were planted."""
    vectors = {"square": np.eye(2), "rectangular": np.diag([1.8, 1.0]), "hexagonal": planted_basis()}
    basis = vectors[name]
    rng = np.random.default_rng(5)
    parts, index, grain, bases = [], [], [], []
    reach = 3.0 * half_width + 10
    side = int(np.ceil(np.sqrt(n)))
    for k in range(n):
        shift = reach * np.array(divmod(k, side))
        for half in range(1 + pairs):
            angle = 12.0 * half
            cell = np.stack(
                np.meshgrid(*[np.arange(-40, 40)] * 2, indexing="ij"), axis=-1
            ).reshape(-1, 2)
            turned = basis @ turn(angle)
            place = cell @ turned
            kept = (np.abs(place) < half_width).all(axis=1)
            if pairs:
                kept &= (place[:, 1] < -0.4) if half == 0 else (place[:, 1] > 0.4)
            parts.append(place[kept] + shift)
            index.append(cell[kept])
            grain.append(np.full(int(kept.sum()), len(bases)))
            bases.append(turned)
    place = np.concatenate(parts)
    place = place + rng.normal(scale=noise, size=place.shape)
    sites = sites_from_positions(*place.T, unit="nm")
    sites.coords["direction"] = ("direction", ["i", "j"])
    sites["lattice_index"] = (("site", "direction"), np.concatenate(index))
    sites["grain"] = ("site", np.concatenate(grain))
    sites["sublattice"] = ("site", np.zeros(len(place), dtype=np.int64))
    sites.attrs["lattice_vectors"] = np.array(bases).tolist()
    return sites


def planted_basis() -> Floats:
    """Vectors of a hexagonal lattice."""
    return np.array([[np.sqrt(0.75), 0.5], [0.0, 1.0]])


def lattices() -> Iterator[Row]:
    """Cells and displacements of fitted lattices."""
    for name, half, n in (("rectangular", 3.0, 10_000), ("hexagonal", 8.0, 3_000)):
        for noise in (0.02, 0.05):
            fit = fit_lattice(_many_grains(name, half, n, noise, pairs=False))
            table = fit.lattices
            size = int(np.median(table["n_sites"].values))
            where = f"{name} grains of {size} sites, noise {noise}"
            true = (1.8, 1.0, 90.0) if name == "rectangular" else (1.0, 1.0, 60.0)
            for column, value in zip(("length_i", "length_j", "angle"), true):
                error = table[f"{column}_error"].values
                yield held(f"fit_lattice {column}", table[column].values - value, error, where)
            off = table["orientation"].values
            off = (off + 30.0) % 60.0 - 30.0 if name == "hexagonal" else (off + 90) % 180 - 90
            yield held("fit_lattice orientation", off, table["orientation_error"].values, where)
            yield held(
                "fit_lattice displacement",
                fit.sites["displacement"].values.ravel(),
                fit.sites["displacement_error"].values.ravel(),
                where,
            )


def grains() -> Iterator[Row]:
    """Misorientation of two grains that touch."""
    for name, half, n in (("square", 4.0, 3_000), ("hexagonal", 6.0, 3_000)):
        for noise in (0.02, 0.05):
            found = find_grains(_many_grains(name, half, n, noise, pairs=True)).boundaries
            where = f"{name} pairs of grains, noise {noise}"
            off, error = found["misorientation"].values - 12.0, found["misorientation_error"].values
            yield held("misorientation", off, error, where)


GROUPS: dict[str, Callable[[], Iterator[Row]]] = {
    "strain": strain,
    "cells": cells,
    "polarization": polarization,
    "order": order,
    "rings": rings,
    "lattices": lattices,
    "grains": grains,
}


def main(names: list[str]) -> None:
    """Print the table, worst rows marked."""
    warnings.simplefilter("ignore")
    for name in names or GROUPS:
        start = time.perf_counter()
        for row in GROUPS[name]():
            mark = " " if 0.93 <= row.held <= 0.97 else "*"
            print(f"{mark} {row.quantity:38s} {100 * row.held:5.1f} % {row.draws:6d}  {row.where}")
        print(f"  [{name}: {time.perf_counter() - start:.1f} s]", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
