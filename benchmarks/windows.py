"""Seconds and memory of spectra of sliding windows and their unmixing, and of other descriptors.

Run ``python benchmarks/windows.py``: one JSON line a figure. The image has 1024 x 1024 pixels,
two lattices and noise; 841 windows of 128 pixels, four components. Each figure is of a
process of its own, so that the peak memory is its own as well: that of Python with the libraries
loaded (`loaded_mb`) is told beside it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

FIGURES = ("spectra_and_nmf", "spectra_and_nmf_without_noise_waves", "quantiles_and_kmeans")


def two_lattices(n_pixels: int = 1024) -> NDArray[np.float32]:
    """Give a square lattice beside a hexagonal one, with noise."""
    y, x = np.mgrid[:n_pixels, :n_pixels].astype(np.float32) * np.float32(2 * np.pi / 16)
    square = np.cos(y) + np.cos(x)
    hexagonal = sum(np.cos(y * np.sin(a) + x * np.cos(a)) for a in np.deg2rad([10.0, 70.0, 130.0]))
    image = np.where(x > x.mean() + 0.2 * y, square, hexagonal)
    noise = np.random.default_rng(0).normal(0, 1, image.shape)
    return np.asarray(image + noise, dtype=np.float32)


def measure(figure: str) -> dict[str, object]:
    from adatom import clustering, decomposition, descriptors
    from adatom.schema import image_from_array

    image = image_from_array(two_lattices())
    # Loads what is loaded on first use.
    small = descriptors.window_spectra(image[:128, :128], size="32 px")
    decomposition.decompose_nmf(small, n_components=2)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    if figure == "quantiles_and_kmeans":
        windows = descriptors.window_quantiles(image, size="128 px")
        clustering.cluster_kmeans(windows, n_classes=4)
    else:
        shortest = None if figure == "spectra_and_nmf" else "6 px"
        windows = descriptors.window_spectra(image, size="128 px", shortest_period=shortest)
        decomposition.decompose_nmf(windows, n_components=4)
    return {
        "figure": figure,
        "n_windows": windows.sizes["y"] * windows.sizes["x"],
        "n_features": windows.sizes["feature"],
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "loaded_mb": loaded // 1024,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cores": len(os.sched_getaffinity(0)),
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])), flush=True)
        return
    for figure in FIGURES:
        subprocess.run([sys.executable, __file__, figure], check=True)


if __name__ == "__main__":
    main()
