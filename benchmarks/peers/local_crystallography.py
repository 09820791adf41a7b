"""Neighbors of the same 10,000 sites by atomap, by the notebook method and by adatom.

Run it by the environment that ``setup.py`` beside it makes: one JSON line a figure. Every
program gets the same sites (one perfect square phase, noise of 3 % of the spacing) in a
process of its own. atomap finds neighbors and atomic planes, which is where its users
begin. The notebook method stands as published notebooks have it: nearest neighbors within
1.4 spacings, sorted by angle, rows filled up with zeros where there are fewer than four,
k-means. What it and adatom's vectors make of one phase is judged alike, by the number of
classes that `choose_n_classes` finds and by how much two classes explain.
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
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
SIDE, SPACING, NOISE, SEED = 100, 10.0, 0.03, 0
N_NEIGHBORS, CUTOFF = 4, 1.4
REPEATS = 3


def scene() -> Floats:
    """Lay out one perfect square phase, rows along x, with noise along each axis: (y, x)."""
    rng = np.random.default_rng(SEED)
    grid = np.stack(np.mgrid[:SIDE, :SIDE], axis=-1).reshape(-1, 2)
    return (grid + 1.5) * SPACING + rng.normal(0, NOISE * SPACING, grid.shape)


def by_atomap(points: Floats) -> Floats | None:
    import atomap.api as am

    image = np.zeros((int((SIDE + 2) * SPACING),) * 2)
    sublattice = am.Sublattice(points[:, ::-1], image=image)
    sublattice.construct_zone_axes()
    return None


def by_notebook(points: Floats) -> Floats | None:
    """Sort neighbors by angle and fill up with zeros: one row a site."""
    distance, index = cKDTree(points).query(points, k=N_NEIGHBORS + 1)
    rows = np.zeros((len(points), 2 * N_NEIGHBORS))
    for site in range(len(points)):
        near = index[site, 1:][distance[site, 1:] < CUTOFF * SPACING]
        vectors = points[near] - points[site]
        vectors = vectors[np.argsort(np.arctan2(vectors[:, 0], vectors[:, 1]))]
        rows[site, : vectors.size] = vectors.ravel()
    return rows


def by_adatom(points: Floats) -> Floats | None:
    from adatom.descriptors import features_from_sites, neighbor_vectors
    from adatom.schema import sites_from_positions

    low, high = points.min() - SPACING / 2, points.max() + SPACING / 2
    sites = sites_from_positions(*points.T, unit="px", extent=[low, high, low, high])
    rows: Floats = features_from_sites(neighbor_vectors(sites)).values
    return rows


PROGRAMS: dict[str, Callable[[Floats], Floats | None]] = {
    "adatom neighbor_vectors": by_adatom,
    "notebook: angle sort, zeros": by_notebook,
    "atomap construct_zone_axes": by_atomap,
}


def measure(name: str) -> None:
    """Run one program in this process: once to warm up, then `REPEATS` times if it is quick."""
    warnings.simplefilter("ignore")
    points = scene()
    PROGRAMS[name](points[: 10 * SIDE])
    wall: list[float] = []
    cpu: list[float] = []
    rows = None
    while len(wall) < REPEATS and sum(wall) < 10:
        begin, cpu_begin = time.perf_counter(), time.process_time()
        rows = PROGRAMS[name](points)
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - cpu_begin)
    report(name, "wall time", float(np.median(wall)), "s")
    report(name, "CPU time", float(np.median(cpu)), "s")
    report(name, "peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")
    if rows is not None:
        judge(name, points, rows)


def judge(name: str, points: Floats, rows: Floats) -> None:
    """Tell how many phases the rows of one phase fall into, without the sites at the edges."""
    import xarray as xr

    from adatom.clustering import choose_n_classes, cluster_kmeans
    from adatom.clustering.models import KMeansModel

    low, high = points.min(axis=0) + 1.5 * SPACING, points.max(axis=0) - 1.5 * SPACING
    inner = rows[((points > low) & (points < high)).all(axis=1)]
    features = xr.DataArray(inner / SPACING, dims=("site", "feature"))
    found = [cluster_kmeans(features, n_classes=number) for number in (1, 2)]
    one, two = (each.model.inertia for each in found if isinstance(each.model, KMeansModel))
    labels = found[1].classes["label"].values
    report(name, "phases found (one is true)", choose_n_classes(features).attrs["n_classes"], "1")
    report(name, "inertia of two classes / of one", two / one, "1")
    smaller = float(min((labels == k).mean() for k in (0, 1)))
    report(name, "share of the smaller of two classes", smaller, "1")


def report(program: str, name: str, value: float, unit: str) -> None:
    line = {"program": program, "figure": name, "value": round(value, 4), "unit": unit}
    print(json.dumps(line), flush=True)


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    for name in PROGRAMS:
        subprocess.run([sys.executable, str(Path(__file__).resolve()), name], check=True)


if __name__ == "__main__":
    main()
