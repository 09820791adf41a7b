"""Refine the same 1,024 atoms with atomap, scipy, trackpy and adatom: one JSON line a figure.

Run it by the environment that ``setup.py`` beside it makes. Every program gets
the same image and, where it takes any, the same starts, and runs in a process
of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
SIDE, SPACING, SIGMA, SNR, SEED = 32, 12.0, 2.5, 10.0, 0
REPEATS = 3


def scene() -> tuple[Floats, Floats, Floats]:
    """Simulate an image, its true positions and starts half a pixel off, all (y, x)."""
    rng = np.random.default_rng(SEED)
    grid = np.stack(np.mgrid[:SIDE, :SIDE], axis=-1).reshape(-1, 2)
    truth = (grid + 1.5) * SPACING + rng.normal(0, 0.03 * SPACING, grid.shape)
    n_pixels = int((SIDE + 2) * SPACING)
    pixel = np.arange(n_pixels)
    along = np.exp(-((pixel[None] - truth[:, :1]) ** 2) / (2 * SIGMA**2))
    across = np.exp(-((pixel[None] - truth[:, 1:]) ** 2) / (2 * SIGMA**2))
    image = 1.0 + along.T @ across + rng.normal(0, 1 / SNR, (n_pixels, n_pixels))
    return image, truth, truth + rng.normal(0, 0.5, truth.shape)


def by_adatom(image: Floats, start: Floats) -> Floats:
    from adatom.localization import refine_sites
    from adatom.schema import image_from_array, positions, sites_from_positions

    sites = sites_from_positions(start[:, 0], start[:, 1], unit="px")
    return positions(refine_sites(image_from_array(image), sites))


def by_atomap(image: Floats, start: Floats) -> Floats:
    import atomap.api as am

    sublattice = am.Sublattice(start[:, ::-1], image=image)
    sublattice.find_nearest_neighbors()
    sublattice.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
    return np.stack([sublattice.y_position, sublattice.x_position], axis=1)


def by_scipy(image: Floats, start: Floats) -> Floats:
    """Fit each atom by itself in the square around it that is nearest to it."""

    def model(
        place: Floats, height: float, y: float, x: float, sigma: float, background: float
    ) -> Floats:
        square = (place[0] - y) ** 2 + (place[1] - x) ** 2
        curve: Floats = background + height * np.exp(-square / (2 * sigma**2))
        return curve

    reach = int(SPACING / 2)
    found = np.empty_like(start)
    for number, (y, x) in enumerate(start):
        rows = slice(round(y) - reach, round(y) + reach + 1)
        columns = slice(round(x) - reach, round(x) + reach + 1)
        place = np.mgrid[rows, columns].reshape(2, -1).astype(float)
        patch = image[rows, columns].ravel()
        guess = (float(np.ptp(patch)), y, x, SPACING / 4, float(patch.min()))
        found[number] = curve_fit(model, place, patch, p0=guess)[0][1:3]
    return found


def by_trackpy(image: Floats, _: Floats) -> Floats:
    """Locate atoms without starts, as trackpy does; the diameter is its one setting.

    It keeps sites one pixel more than the diameter apart: with 11 px it loses half of them.
    """
    import trackpy

    found = trackpy.locate(image, 2 * int(SPACING / 2) - 3, engine="numba")
    return found[["y", "x"]].to_numpy()


PROGRAMS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "adatom refine_sites": by_adatom,
    "atomap 2D Gaussian": by_atomap,
    "scipy curve_fit per atom": by_scipy,
    "trackpy locate": by_trackpy,
}


def measure(name: str) -> None:
    """Run one program in this process: once to warm up, then `REPEATS` times."""
    warnings.simplefilter("ignore")
    image, truth, start = scene()
    PROGRAMS[name](image, start)
    wall, cpu = [], []
    for _ in range(REPEATS):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        found = PROGRAMS[name](image, start)
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - cpu_begin)
    distance, _ = cKDTree(found).query(truth)
    near = distance < SPACING / 2
    error = float(np.sqrt(np.mean(distance[near] ** 2) / 2))
    report(name, "wall time", float(np.median(wall)), "s")
    report(name, "CPU time", float(np.median(cpu)), "s")
    report(name, "RMSE along an axis", error, "px")
    report(name, "atoms found", float(near.sum()), "1")
    report(name, "peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")


def report(program: str, name: str, value: float, unit: str) -> None:
    line = {"program": program, "figure": name, "value": round(value, 4), "unit": unit}
    print(json.dumps(line), flush=True)


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    # Along an axis, of one atom whose height, width and background are unknown.
    report("theory", "Cramer-Rao bound", float(np.sqrt(2 / np.pi) / SNR), "px")
    for name in PROGRAMS:
        subprocess.run([sys.executable, str(Path(__file__).resolve()), name], check=True)


if __name__ == "__main__":
    main()
