"""How surely planted phases, variants and doubled cells are found, and how fast.

Run as ``python benchmarks/local_crystallography.py [n_seeds n_null_seeds large]``.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from planted_domains import Planted, planted, stated

from adatom.crystallography import find_doubling, find_variants
from adatom.numerics.scores import adjusted_rand_index

CASES = {
    "square": "1 non-ferroic",
    "honeycomb": "1 non-ferroic",
    "two grains": "1 non-ferroic",
    "two honeycomb grains": "1 non-ferroic",
    "ferroelastic": "2 of 2 ferroic",
    "rotated twins": "2 of 2 ferroic",
    "tetragonal twins": "2 of 2 ferroic",
    "polar": "4 of 4 ferroic",
    "polar and parent": "4 of 4 ferroic, 1 non-ferroic",
    "second phase": "1 non-ferroic, 1 non-ferroic",
    "doubled i": "i",
    "doubled j": "j",
    "checkerboard": "checkerboard",
    "antiphase": "i",
    "antiphase j": "j",
}
NULL = (
    ("square", 0.03),
    ("square", 0.05),
    ("square", 0.1),
    ("honeycomb", 0.03),
    ("honeycomb", 0.05),
)


def score(case: str, truth: Planted) -> tuple[str, float, int]:
    """Give what was stated, ARI away from walls, and the window."""
    found = find_variants(truth.sites)
    label = found.variants["label"].values
    told = stated(found.statement)
    if case in {"doubled i", "doubled j", "checkerboard", "antiphase", "antiphase j"}:
        told = str(find_doubling(truth.sites, found.variants).statement["doubled"].values[0])
    inner = truth.inner & (label >= 0)
    ari = adjusted_rand_index(truth.domain[inner], label[inner])
    return told, ari, found.model.averaging


def run_cases(n_seeds: int) -> None:
    """Print, for every case and noise, in how many seeds all is right, and the ARI."""
    print(f"{'case':22s} noise  right  least ARI  second  windows  s a call")
    for case, expected in CASES.items():
        for noise in (0.02, 0.03, 0.05):
            start = time.perf_counter()
            scores = [score(case, planted(case, noise=noise, seed=seed)) for seed in range(n_seeds)]
            needed = 0.99 if noise < 0.05 else 0.95
            right = sum(told == expected and ari >= needed for told, ari, _ in scores)
            least = sorted(ari for _, ari, _ in scores)
            wrong = {told for told, _, _ in scores if told != expected}
            windows = sorted({window for *_, window in scores})
            each = (time.perf_counter() - start) / n_seeds
            print(
                f"{case:22s} {noise:.2f}  {right:2d}/{n_seeds}  {least[0]:.4f}     "
                f"{least[min(1, n_seeds - 1)]:.4f}  {windows}  {each:.1f}  {wrong or ''}",
                flush=True,
            )


def run_null(n_seeds: int) -> None:
    """Print in how many perfect crystals symmetry is said to be broken."""
    for case, noise in NULL:
        claims, low = 0, 0
        for seed in range(n_seeds):
            statement = find_variants(planted(case, noise=noise, seed=seed).sites).statement
            claims += stated(statement) != "1 non-ferroic"
            low += bool((statement["p_value"] <= 0.05).any())
        print(
            f"null {case} {noise:.2f}: {claims} claims, {low} p-values <= 0.05 of {n_seeds}",
            flush=True,
        )


def run_large() -> None:
    """Time a million sites with four polar variants."""
    truth = planted("polar", size=1000, noise=0.03)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = find_variants(truth.sites)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inner = truth.inner
    ari = adjusted_rand_index(truth.domain[inner], found.variants["label"].values[inner])
    print(
        f"{truth.sites.sizes['site']} sites: {seconds:.1f} s, ARI {ari:.4f}, peak "
        f"{peak / 1e6:.2f} GB ({before / 1e6:.2f} GB before), "
        f"{found.statement.attrs['statement']}"
    )


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    seeds, null_seeds, large = [*given, 20, 100, 1][:3] if not given else [*given, 0, 0][:3]
    if seeds:
        run_cases(seeds)
    if null_seeds:
        run_null(null_seeds)
    if large:
        run_large()
