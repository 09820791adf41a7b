"""Time and memory of clustering: ``python benchmarks/clustering.py [--large]``."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import dask.array as da
import numpy as np
import xarray as xr

from adatom.clustering import (
    choose_n_classes,
    cluster_gaussian_mixture,
    cluster_kmeans,
)
from adatom.numerics.scores import adjusted_rand_index


def blobs(n_rows: int, n_features: int, *, distance: float, n_classes: int = 6) -> xr.DataArray:
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 1, (n_classes, n_features))
    centers *= distance / np.sqrt(2 * n_features)
    label = rng.integers(n_classes, size=n_rows)
    rows = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    rows += centers[label].astype(np.float32)
    return xr.DataArray(rows, dims=("site", "feature"), coords={"truth": ("site", label)})


def lazy_spectra(side: int, n_channels: int) -> xr.DataArray:
    """Spectra that are made when read: more than memory holds."""
    rng = np.random.default_rng(0)
    centers = rng.gamma(2.0, 1.0, (6, n_channels)).astype(np.float32)
    label = rng.integers(6, size=(side, side))

    def make(_block: np.ndarray, block_info: dict) -> np.ndarray:  # type: ignore[type-arg]
        (y0, y1), (x0, x1), _ = block_info[0]["array-location"]
        noise = np.random.default_rng(y0).standard_normal(
            (y1 - y0, x1 - x0, n_channels), dtype=np.float32
        )
        return centers[label[y0:y1, x0:x1]] + 2 * noise

    empty = da.zeros((side, side, n_channels), chunks=(16, side, n_channels), dtype=np.float32)
    cube = empty.map_blocks(make, dtype=np.float32, meta=np.zeros((0, 0, 0), np.float32))
    return xr.DataArray(cube, dims=("y", "x", "energy"), coords={"truth": (("y", "x"), label)})


def report(name: str, features: xr.DataArray, work: Callable[[], xr.Dataset]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    classes = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    score = ""
    if "label" in classes:
        ari = adjusted_rand_index(classes["label"].values, features["truth"].values)
        score = f"ARI {ari:.4f}"
    elif "n_classes" in classes.attrs:
        score = f"answer {classes.attrs['n_classes']}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:44s} {wall:7.2f} s wall {cpu:7.2f} s CPU  peak {peak:5.2f} GB  {score}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also a lazy cube of 4.3 GB")
    large = parser.parse_args().large
    for n_rows, n_features, distance in ((1_000_000, 8, 8.0), (65_536, 1024, 30.0)):
        rows = blobs(n_rows, n_features, distance=distance)
        size = f"{n_rows} x {n_features}"
        report(f"k-means {size}", rows, lambda r=rows: cluster_kmeans(r, n_classes=6).classes)
        report(
            f"Gaussian mixture {size}",
            rows,
            lambda r=rows: cluster_gaussian_mixture(r, n_classes=6).classes,
        )
    for n_rows, n_features, distance in ((10_000, 8, 8.0), (65_536, 200, 30.0)):
        rows = blobs(n_rows, n_features, distance=distance)
        report(f"choose {n_rows} x {n_features}", rows, lambda r=rows: choose_n_classes(r))
    if large:
        cube = lazy_spectra(1024, 1024)
        report(
            "k-means, lazy 1024 x 1024 x 1024",
            cube,
            lambda: cluster_kmeans(cube, n_classes=6).classes,
        )


if __name__ == "__main__":
    main()
