"""CPU seconds of neighbor_vectors and features_from_sites for 1e4, 1e5 and 1e6 sites.

Run ``python benchmarks/neighbors.py``: one JSON line a figure. Sites are given
in random order, with noise of 5 % of the spacing.
"""

from __future__ import annotations

import json
import resource
import time

import numpy as np

from adatom.descriptors import features_from_sites, neighbor_vectors
from adatom.schema import Sites, sites_from_positions

LATTICES = {
    "square": ([[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0]]),
    "honeycomb": ([[1.5, 0.866], [0.0, 1.732]], [[0.0, 0.0], [1.0, 0.0]]),
    "hexagonal": ([[0.866, 0.5], [0.0, 1.0]], [[0.0, 0.0]]),
}


def noisy_sites(kind: str, n_sites: int) -> Sites:
    cell, basis = LATTICES[kind]
    side = int(np.ceil(np.sqrt(n_sites / len(basis))))
    rows, columns = np.mgrid[:side, :side]
    # Skewed rows are pushed back, so that the crystal is about as high as wide.
    corner = np.stack([rows.ravel(), columns.ravel() - rows.ravel() // 2], axis=1) @ np.array(cell)
    ideal = np.concatenate([corner + np.array(place) for place in basis])[:n_sites]
    rng = np.random.default_rng(0)
    y, x = rng.permutation(ideal + rng.normal(0, 0.05, ideal.shape)).T
    return sites_from_positions(y, x, unit="nm")


def main() -> None:
    for n_sites in (10_000, 100_000, 1_000_000):
        for kind in LATTICES:
            sites = noisy_sites(kind, n_sites)
            wall, cpu = time.perf_counter(), time.process_time()
            found = neighbor_vectors(sites)
            between = time.process_time()
            features_from_sites(found)
            figure = {
                "lattice": kind,
                "n_sites": n_sites,
                "n_neighbors": found.sizes["neighbor"],
                "neighbor_vectors_cpu_s": round(between - cpu, 3),
                "features_from_sites_cpu_s": round(time.process_time() - between, 3),
                "wall_s": round(time.perf_counter() - wall, 3),
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
            print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
