"""Components, classes of every number and a class map of 1024x1024x1024 counts on disk (4.3 GB).

Started by ``spectra.py --large``. The counts are float32 in a zarr store of
chunks of 32 MB, not compressed, so that reading measures the programs and not
the codec. The measure beside it is what the machine can do at best: two reads
of the store and one product of all channels with each other.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from spectra import HERE, N_CLASSES, N_PRINCIPAL, NUMBERS, SEED, THREADS, Figure, report, run_alone

SIDE, N_CHANNELS, ROWS_PER_CHUNK = 1024, 1024, 8
CAP = 4 << 30


def make(folder: Path) -> None:
    """Write the counts row by row; nothing but a chunk for every thread is in memory."""
    import zarr

    from adatom.simulation import simulate_eels_map

    # Two channels suffice for the domains, two pixels for the spectra.
    places = simulate_eels_map(size=SIDE, n_channels=2, seed=SEED)
    endmembers = simulate_eels_map(size=2, n_channels=N_CHANNELS, seed=SEED).endmembers.values
    amounts = places.abundances.values * places.thickness.values[..., None]
    np.save(folder / "truth.npy", places.truth["label"].values)
    stored = zarr.create_array(
        folder / "counts.zarr",
        shape=(SIDE, SIDE, N_CHANNELS),
        chunks=(ROWS_PER_CHUNK, SIDE, N_CHANNELS),
        dtype="float32",
        compressors=None,
    )
    streams = np.random.SeedSequence(SEED).spawn(SIDE // ROWS_PER_CHUNK)

    def write(number: int) -> None:
        here = slice(number * ROWS_PER_CHUNK, (number + 1) * ROWS_PER_CHUNK)
        rng = np.random.default_rng(streams[number])
        stored[here] = rng.poisson(amounts[here] @ endmembers)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(len(streams))))


def spectra_in(folder: Path) -> Any:  # noqa: ANN401 -- xarray is imported where it is used
    import dask.array as da
    import xarray as xr

    counts = da.from_zarr(folder / "counts.zarr")
    return xr.DataArray(
        counts,
        dims=("y", "x", "energy"),
        coords={"energy": ("energy", 200.0 + np.arange(N_CHANNELS), {"units": "eV"})},
        attrs={"units": "1"},
    )


def machine(folder: Path) -> None:
    """Time a read of the store, and the product of all channels at the rate of sgemm."""
    from adatom.numerics.blocks import blocks
    from adatom.numerics.folds import fold

    begin = time.perf_counter()
    fold(blocks(spectra_in(folder)), lambda block: len(block.values), lambda a, b: a + b)
    read = time.perf_counter() - begin
    rng = np.random.default_rng(0)
    first, second = (rng.random((8192, N_CHANNELS), dtype=np.float32) for _ in range(2))
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        first.T @ second
        times.append(time.perf_counter() - begin)
    product = float(np.median(times)) * SIDE * SIDE / len(first)
    report("large: machine", Figure("one read", read, "s"))
    report("large: machine", Figure("product of all channels by sgemm", product, "s"))
    report("large: machine", Figure("two reads and the product", 2 * read + product, "s"))


def by_adatom(folder: Path) -> None:
    from adatom.clustering import assign_classes, fit_kmeans_sweep
    from adatom.correction import correct_intensity
    from adatom.decomposition import decompose_pca
    from adatom.numerics.scores import adjusted_rand_index

    name = "large: adatom PCA, k-means 2 to 10, class map"
    begin, cpu = time.perf_counter(), time.process_time()
    spectra = correct_intensity(spectra_in(folder))
    scores = decompose_pca(spectra, n_components=N_PRINCIPAL).scores
    decomposed = time.perf_counter() - begin
    sweep = fit_kmeans_sweep(scores, min_classes=NUMBERS[0], max_classes=NUMBERS[-1], seed=SEED)
    classes = assign_classes(scores, sweep.models[N_CLASSES - NUMBERS[0]])
    report(name, Figure("wall time", time.perf_counter() - begin, "s"))
    report(name, Figure("wall time of the components", decomposed, "s"))
    report(name, Figure("CPU time", time.process_time() - cpu, "s"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report(name, Figure("peak memory", peak, "MB"))
    truth = np.load(folder / "truth.npy")
    ari = adjusted_rand_index(classes["label"].values.ravel(), truth.ravel())
    report(name, Figure("ARI", ari, "1"))


def by_hyperspy(folder: Path) -> None:
    """Decompose lazily, with the memory of the process capped."""
    import dask.array as da
    import hyperspy.api as hs

    name = "large: HyperSpy lazy SVD under 4 GB"
    signal = hs.signals.Signal1D(da.from_zarr(folder / "counts.zarr")).as_lazy()
    resource.setrlimit(resource.RLIMIT_AS, (CAP, CAP))
    begin = time.perf_counter()
    outcome = "completed"
    try:
        signal.decomposition(algorithm="SVD", output_dimension=N_PRINCIPAL, print_info=False)
    except MemoryError:
        outcome = "MemoryError"
    report(name, Figure("outcome", outcome, ""))
    report(name, Figure("wall time", time.perf_counter() - begin, "s"))


PROGRAMS = {"make": make, "machine": machine, "adatom": by_adatom, "hyperspy": by_hyperspy}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lines = []
        for program in PROGRAMS:
            lines += run_alone(HERE.with_name("spectra_large.py"), program, name)
    told = {(line["program"], line["figure"]): line["value"] for line in lines}
    own = "large: adatom PCA, k-means 2 to 10, class map"
    best = told["large: machine", "two reads and the product"]
    ratio = told[own, "wall time"] / best
    report(own, Figure("wall time over two reads and the product", ratio, "1"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if len(sys.argv) == 3:
        PROGRAMS[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
