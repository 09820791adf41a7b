"""Decompose and cluster one simulated EELS map with adatom, HyperSpy, scikit-learn and faiss.

Run it by the environment that ``setup.py`` beside it makes; it prints one JSON
line a figure. Every program gets the same arrays and two cores, and runs in a
process of its own, so that its peak memory is its own. ``--large`` adds a map
of 4 GB on disk, see `spectra_large.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
HERE = Path(__file__).resolve()
SIZE, N_CHANNELS, SEED = 256, 1024, 0
N_PRINCIPAL, N_CLASSES, NUMBERS = 20, 6, range(2, 11)
REPEATS, LONG = 3, 10.0
THREADS = 2
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Figure(NamedTuple):
    """What is told of a program."""

    name: str
    value: float | str
    unit: str


class Program(NamedTuple):
    """What is timed, and what of its result is told."""

    data: str
    run: Callable[[Array], Any]
    judge: Callable[[Array, Any, Path], Iterator[Figure]]


def in_blocks(rows: Array) -> Iterator[tuple[slice, Array]]:
    for start in range(0, len(rows), 4096):
        yield slice(start, start + 4096), rows[start : start + 4096].astype(np.float64)


def labelled(values: Array) -> Any:  # noqa: ANN401 -- xarray is imported where it is used
    import xarray as xr

    dims = ("y", "x", "energy")[-values.ndim :]
    return xr.DataArray(values, dims=dims)


# Principal components


def pca_by_adatom(values: Array) -> tuple[Array, Array, Array]:
    from adatom.decomposition import decompose_pca

    found = decompose_pca(labelled(values), n_components=N_PRINCIPAL)
    scores = found.scores.values.reshape(-1, N_PRINCIPAL)
    return scores, found.components.values, found.model.center


def pca_by_hyperspy(solver: str) -> Callable[[Array], tuple[Array, Array, Array]]:
    def run(values: Array) -> tuple[Array, Array, Array]:
        import hyperspy.api as hs

        signal = hs.signals.Signal1D(values)
        signal.decomposition(
            algorithm="SVD", svd_solver=solver, output_dimension=N_PRINCIPAL, print_info=False
        )
        found = signal.learning_results
        center = np.zeros(values.shape[-1])
        return found.loadings[:, :N_PRINCIPAL], found.factors[:, :N_PRINCIPAL].T, center

    return run


def pca_by_sklearn(values: Array) -> tuple[Array, Array, Array]:
    from sklearn.decomposition import PCA

    model = PCA(N_PRINCIPAL, svd_solver="covariance_eigh")
    scores = model.fit_transform(values.reshape(-1, values.shape[-1]))
    return scores, model.components_, model.mean_


def judge_pca(values: Array, found: tuple[Array, Array, Array], _: Path) -> Iterator[Figure]:
    scores, components, center = found
    left = whole = 0.0
    rows = values.reshape(-1, values.shape[-1])
    mean = rows.mean(axis=0, dtype=np.float64)
    for here, block in in_blocks(rows):
        left += float(((block - center - scores[here] @ components) ** 2).sum())
        whole += float(((block - mean) ** 2).sum())
    yield Figure("left out of the variance", left / whole, "1")


# k-means of every number of classes


def kmeans_by_adatom(values: Array) -> list[Array]:
    from adatom.clustering import fit_kmeans_sweep

    sweep = fit_kmeans_sweep(
        labelled(values), min_classes=NUMBERS[0], max_classes=NUMBERS[-1], seed=SEED
    )
    return [model.means for model in sweep.models]


def kmeans_by_sklearn(values: Array) -> list[Array]:
    from sklearn.cluster import KMeans

    rows = values.reshape(-1, values.shape[-1])
    return [KMeans(k, random_state=SEED).fit(rows).cluster_centers_ for k in NUMBERS]


def kmeans_by_faiss(values: Array) -> list[Array]:
    """All rows are given to every pass; by default faiss takes 256 rows a class."""
    import faiss

    rows = values.reshape(-1, values.shape[-1])
    found = []
    for k in NUMBERS:
        model = faiss.Kmeans(rows.shape[1], k, seed=SEED, max_points_per_centroid=len(rows))
        model.train(rows)
        found.append(model.centroids)
    return found


def judge_kmeans(values: Array, found: list[Array], _: Path) -> Iterator[Figure]:
    rows = values.reshape(-1, values.shape[-1])
    mean = rows.mean(axis=0, dtype=np.float64)
    inertia = np.zeros(len(found))
    for _, block in in_blocks(rows):
        centered = block - mean
        squares = (centered**2).sum(axis=1)
        for place, means in enumerate(found):
            about = means.astype(np.float64) - mean
            distances = (about**2).sum(axis=1) - 2 * centered @ about.T
            inertia[place] += (squares + distances.min(axis=1)).sum()
    for k, value in zip(NUMBERS, inertia, strict=True):
        yield Figure(f"inertia of {k} classes", float(value), "1")


# Gaussian mixtures with posteriors, on scores


def mixture_by_adatom(scores: Array) -> tuple[Array, Array, Array, Array]:
    from adatom.clustering import cluster_gaussian_mixture

    found = cluster_gaussian_mixture(
        labelled(scores), n_classes=N_CLASSES, outliers=False, seed=SEED
    )
    model = found.model
    return (
        found.classes["probability"].values,
        model.weights,
        model.center + model.means @ model.basis,
        model.basis.T @ model.covariances @ model.basis,
    )


def mixture_by_sklearn(scores: Array) -> tuple[Array, Array, Array, Array]:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(N_CLASSES, random_state=SEED).fit(scores)
    return model.predict_proba(scores), model.weights_, model.means_, model.covariances_


def judge_mixture(scores: Array, found: Any, folder: Path) -> Iterator[Figure]:  # noqa: ANN401
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    from adatom.numerics.scores import adjusted_rand_index

    probability, weights, means, covariances = found
    logs = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(scores.astype(np.float64))
        for weight, mean, covariance in zip(weights, means, covariances, strict=True)
    ]
    yield Figure("log-likelihood of a row", float(logsumexp(logs, axis=0).mean()), "1")
    truth = np.load(folder / "truth.npy").ravel()
    yield Figure("ARI", adjusted_rand_index(probability.argmax(axis=1), truth), "1")


# Non-negative factors


def nmf_by_adatom(loss: str) -> Callable[[Array], tuple[Array, Array]]:
    def run(values: Array) -> tuple[Array, Array]:
        from adatom.decomposition import decompose_nmf

        found = decompose_nmf(labelled(values), n_components=N_CLASSES, loss=loss, seed=SEED)
        return found.scores.values.reshape(-1, N_CLASSES), found.components.values

    return run


def nmf_by_hyperspy(values: Array) -> tuple[Array, Array]:
    import hyperspy.api as hs

    signal = hs.signals.Signal1D(values)
    signal.decomposition(algorithm="NMF", output_dimension=N_CLASSES, print_info=False)
    return signal.learning_results.loadings, signal.learning_results.factors.T


def nmf_by_sklearn(loss: str) -> Callable[[Array], tuple[Array, Array]]:
    def run(values: Array) -> tuple[Array, Array]:
        from sklearn.decomposition import NMF

        solver = {"frobenius": "cd", "kullback-leibler": "mu"}[loss]
        model = NMF(N_CLASSES, solver=solver, beta_loss=loss, random_state=SEED)
        scores = model.fit_transform(values.reshape(-1, values.shape[-1]))
        return scores, model.components_

    return run


def judge_nmf(values: Array, found: tuple[Array, Array], _: Path) -> Iterator[Figure]:
    scores, components = (part.astype(np.float64) for part in found)
    rows = values.reshape(-1, values.shape[-1])
    loss = sum(
        float(((block - scores[here] @ components) ** 2).sum()) for here, block in in_blocks(rows)
    )
    yield Figure("squared loss", loss, "1")


def judge_counts(values: Array, found: tuple[Array, Array], _: Path) -> Iterator[Figure]:
    from scipy.special import kl_div

    scores, components = (part.astype(np.float64) for part in found)
    rows = values.reshape(-1, values.shape[-1])
    deviance = 0.0
    for here, block in in_blocks(rows):
        deviance += 2 * float(kl_div(block, np.maximum(scores[here] @ components, 1e-12)).sum())
    yield Figure("deviance", deviance, "1")


PROGRAMS = {
    "PCA: adatom decompose_pca": Program("counts", pca_by_adatom, judge_pca),
    "PCA: HyperSpy SVD randomized": Program("counts", pca_by_hyperspy("randomized"), judge_pca),
    "PCA: HyperSpy SVD full": Program("counts", pca_by_hyperspy("full"), judge_pca),
    "PCA: scikit-learn covariance_eigh": Program("counts", pca_by_sklearn, judge_pca),
    "k-means 2 to 10: adatom fit_kmeans_sweep": Program("shares", kmeans_by_adatom, judge_kmeans),
    "k-means 2 to 10: scikit-learn": Program("shares", kmeans_by_sklearn, judge_kmeans),
    "k-means 2 to 10: faiss": Program("shares", kmeans_by_faiss, judge_kmeans),
    "mixture: adatom": Program("scores", mixture_by_adatom, judge_mixture),
    "mixture: scikit-learn": Program("scores", mixture_by_sklearn, judge_mixture),
    "NMF: adatom": Program("counts", nmf_by_adatom("frobenius"), judge_nmf),
    "NMF: HyperSpy": Program("counts", nmf_by_hyperspy, judge_nmf),
    "NMF: scikit-learn": Program("counts", nmf_by_sklearn("frobenius"), judge_nmf),
    "Poisson NMF, 128x128: adatom": Program("part", nmf_by_adatom("poisson"), judge_counts),
    "Poisson NMF, 128x128: scikit-learn": Program(
        "part", nmf_by_sklearn("kullback-leibler"), judge_counts
    ),
}


def measure(name: str, folder: Path) -> None:
    """Run one program in this process: once, and, if that was short, `REPEATS` times more."""
    warnings.simplefilter("ignore")
    data, run, judge = PROGRAMS[name]
    values = np.load(folder / f"{data}.npy")
    times = [timed(lambda: run(values))]
    if times[0][0] < LONG:
        times = [timed(lambda: run(values)) for _ in range(REPEATS)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report(name, Figure("wall time", float(np.median([wall for wall, _, _ in times])), "s"))
    report(name, Figure("CPU time", float(np.median([cpu for _, cpu, _ in times])), "s"))
    report(name, Figure("peak memory", peak, "MB"))
    for figure in judge(values, times[-1][2], folder):
        report(name, figure)


def timed(run: Callable[[], Any]) -> tuple[float, float, Any]:
    begin, cpu_begin = time.perf_counter(), time.process_time()
    found = run()
    return time.perf_counter() - begin, time.process_time() - cpu_begin, found


def report(program: str, figure: Figure) -> None:
    value = figure.value if isinstance(figure.value, str) else float(f"{figure.value:.9g}")
    line = {"program": program, "figure": figure.name, "value": value, "unit": figure.unit}
    print(json.dumps(line), flush=True)


def make_data(folder: Path) -> None:
    """Simulate the map, and what the programs get of it."""
    from adatom.decomposition import decompose_pca
    from adatom.simulation import simulate_eels_map

    made = simulate_eels_map(size=SIZE, n_channels=N_CHANNELS, seed=SEED)
    counts = made.spectra.values
    np.save(folder / "counts.npy", counts)
    np.save(folder / "part.npy", np.ascontiguousarray(counts[:128, :128]))
    # Every spectrum divided by its mean, which takes the thickness out.
    np.save(folder / "shares.npy", counts / counts.mean(axis=-1, keepdims=True))
    scores = decompose_pca(made.spectra, n_components=10).scores.values
    np.save(folder / "scores.npy", scores.reshape(-1, 10))
    np.save(folder / "truth.npy", made.truth["label"].values)


def run_alone(script: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run a script in a process of its own on two cores, and pass its lines on."""
    environment = os.environ | dict.fromkeys(VARIABLES, str(THREADS))
    found = []
    command = [sys.executable, str(script), *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout or ():
            if line.startswith("{"):
                found.append(json.loads(line))
                print(line, end="", flush=True)
    if child.returncode:
        failed = {"program": arguments[0], "figure": "failed", "value": child.returncode}
        print(json.dumps(failed | {"unit": "1"}), flush=True)
    return found


def report_ratios(lines: list[dict[str, Any]]) -> None:
    """Tell how many times as long, or as much, every peer took as adatom."""
    told = {(line["program"], line["figure"]): line["value"] for line in lines}
    for program, figure in list(told):
        task = program.partition(":")[0]
        own = next(name for name in PROGRAMS if name.startswith(f"{task}: adatom"))
        if program == own or (own, figure) not in told or figure in ("ARI", "peak memory"):
            continue
        ratio = told[program, figure] / told[own, figure]
        report(program, Figure(f"{figure}, as a multiple of adatom's", ratio, "1"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also a map of 4 GB on disk")
    parser.add_argument("--only", default="", help="only programs whose name begins like this")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with tempfile.TemporaryDirectory() as name:
        run_alone(HERE, "--make", name)
        lines = []
        for program in PROGRAMS:
            if program.startswith(arguments.only):
                lines += run_alone(HERE, program, name)
        report_ratios(lines)
    if arguments.large:
        run_alone(HERE.with_name("spectra_large.py"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_data(Path(sys.argv[2]))
    elif len(sys.argv) == 3 and sys.argv[1] in PROGRAMS:
        measure(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
