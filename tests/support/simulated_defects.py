"""Silicon in graphene as records of defects, with known geometry."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from adatom.defects.records import Defects
from adatom.schema import image_from_array, sites_from_positions, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SPACING = 0.142
BOND = 0.175


def star(name: str) -> tuple[list[str], NDArray[np.float64], list[tuple[int, int]]]:
    """Give species, places (atom, axis y, x) in nm and bonds of a defect of the given name."""
    if name == "Si1C3":
        angles = np.radians([0, 120, 240])
        return _centered(["Si"], angles)
    if name == "Si1C4":
        return _centered(["Si"], np.radians([45, 135, 225, 315]))
    if name == "Si2C6":
        one, other = np.radians([60, 180, 300]), np.radians([0, 120, 240])
        left = np.stack([np.sin(one), np.cos(one)], axis=1) * BOND
        right = np.stack([np.sin(other), np.cos(other)], axis=1) * BOND + [0.0, 0.45]
        places = np.concatenate([[[0.0, 0.0], [0.0, 0.45]], left, right])
        bonds = [(0, 2), (0, 3), (0, 4), (1, 5), (1, 6), (1, 7)]
        return ["Si", "Si", *["C"] * 6], places, bonds
    if name == "V1":
        species, places, _ = _centered(["X"], np.radians([0, 120, 240]))
        return species, places, []
    raise KeyError(name)


def _centered(
    core: list[str], angles: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64], list[tuple[int, int]]]:
    around = np.stack([np.sin(angles), np.cos(angles)], axis=1) * BOND
    species = [*core, *["C"] * len(angles)]
    places = np.concatenate([[[0.0, 0.0]], around])
    return species, places, [(0, number + 1) for number in range(len(angles))]


def turned(places: NDArray[np.float64], angle: float, *, mirrored: bool) -> NDArray[np.float64]:
    """Turn places by an angle (deg), and mirror them before if asked for."""
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    flipped = places * np.array([-1.0, 1.0]) if mirrored else places
    laid: NDArray[np.float64] = flipped @ np.array([[cosine, -sine], [sine, cosine]])
    return laid


def simulated_defects(
    names: Sequence[str],
    /,
    *,
    seed: int,
    noise: float = 0.005,
    box: float = 2.0,
    unit: str = "nm",
    nm_per_unit: float = 1.0,
) -> Defects:
    """Make defects of the given names at random places and angles, lengths by `unit`."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(0.3, box - 0.3, (len(names), 2))
    parts: list[dict[str, Any]] = []
    bonds: list[tuple[int, int]] = []
    n_members = 0
    for number, name in enumerate(names):
        species, places, own = star(name)
        here = turned(places, rng.uniform(0, 360), mirrored=bool(rng.integers(2)))
        here = here + centers[number] + rng.normal(0, noise, here.shape)
        n_core = sum(symbol not in "CX" for symbol in species)
        n_missing = species.count("X")
        roles = [
            "missing" if symbol == "X" else "neighbor" if symbol == "C" else "core"
            for symbol in species
        ]
        parts.append(
            {
                "places": here, "species": species, "roles": roles, "n_core": n_core,
                "n_missing": n_missing, "n_neighbors": len(species) - n_core - n_missing,
                "center": here[: n_core + n_missing].mean(axis=0),
                "extent": float(max(np.linalg.norm(here[:, None] - here[None], axis=2).ravel())),
            }
        )  # fmt: skip
        bonds += [(one + n_members, other + n_members) for one, other in own]
        n_members += len(species)
    return _found(names, parts, bonds, unit, nm_per_unit, box, rng)


def _found(
    names: Sequence[str],
    parts: list[dict[str, Any]],
    bonds: list[tuple[int, int]],
    unit: str,
    nm_per_unit: float,
    box: float,
    rng: np.random.Generator,
) -> Defects:
    scale = nm_per_unit
    centers = np.array([part["center"] for part in parts]).reshape(-1, 2) / scale
    defects = sites_from_positions(centers[:, 0], centers[:, 1], unit=unit, spacing=SPACING / scale)
    keys = [hashlib.sha256(name.encode()).hexdigest()[:16] for name in names]
    defects["name"] = ("site", np.array(names, dtype=np.str_))
    kinds = ["vacancy" if name == "V1" else "substitution" for name in names]
    defects["kind"] = ("site", np.array(kinds, dtype=np.str_))
    defects["class_key"] = ("site", np.array(keys, dtype=np.str_))
    defects["chirality"] = ("site", np.zeros(len(names), dtype=np.int64))
    defects["orientation"] = ("site", rng.uniform(0, 120, len(names)), {"units": "deg"})
    extents = np.array([part["extent"] for part in parts]) / scale
    defects["extent"] = ("site", extents, {"units": unit})
    defects["confidence"] = ("site", rng.uniform(0.6, 1, len(names)), {"units": "1"})
    for key in ("n_core", "n_neighbors", "n_missing"):
        defects[key] = ("site", np.array([part[key] for part in parts], dtype=np.int64))
    defects.attrs |= {
        "host": "graphene", "nm_per_unit": scale, "scale_from": "file",
        "area": (box / scale) ** 2, "source": "simulated",
    }  # fmt: skip
    places = np.concatenate([part["places"] for part in parts] or [np.empty((0, 2))]) / scale
    members = sites_from_positions(places[:, 0], places[:, 1], unit=unit)
    sizes = [len(part["species"]) for part in parts]
    members["defect"] = ("site", np.repeat(np.arange(len(parts)), sizes).astype(np.int64))
    for key, plural in (("species", "species"), ("role", "roles")):
        values = [value for part in parts for value in part[plural]]
        members[key] = ("site", np.array(values, dtype=np.str_))
    members["atom"] = ("site", np.arange(len(places)))
    members["species_probability"] = ("site", np.full(len(places), 0.95))
    for key in ("y_error", "x_error"):
        members[key] = ("site", np.full(len(places), 0.004 / scale), {"units": unit})
    ends = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    lengths = np.linalg.norm(places[ends[:, 0]] - places[ends[:, 1]], axis=1)
    table = table_from_columns(
        {
            "first": ends[:, 0], "second": ends[:, 1], "length": lengths,
            "length_error": np.full(len(lengths), 0.005 / scale),
        },
        units={"length": unit, "length_error": unit},
    )  # fmt: skip
    return Defects(defects, members, table)


def simulated_picture(*, seed: int, n: int = 64, box: float = 2.0) -> xr.DataArray:
    """Make an image that is as large as the box of the defects."""
    values = np.random.default_rng(seed).normal(size=(n, n)).astype(np.float32)
    return image_from_array(values, pixel_size=f"{box / n} nm", attrs={"source": f"{seed}.npy"})
