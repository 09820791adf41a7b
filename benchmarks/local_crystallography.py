"""How surely planted phases, variants and doubled cells are found, and how fast.

Run as ``python benchmarks/local_crystallography.py [n_seeds] [cases, "null", "large"]``: 20
seeds of all if not told; perfect crystals ("null") take five times as many.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from planted_domains import Planted, planted, stated

from adatom.crystallography import find_doubling, find_variants
from adatom.numerics.scores import adjusted_rand_index

# Spacings along each side: 1,000 sites, 3,600 where eight or ten domains are planted, and 700 of
# perfect crystals.
SIZE = 32
LARGE_SIZE = 60
NULL_SIZE = 26
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


DOUBLED = {"doubled i", "doubled j", "checkerboard", "antiphase", "antiphase j"}


class Score(NamedTuple):
    """What was stated, ARI away from walls, the window, and antiphase boundaries.

    `within` is the share of the boundary's points that lie within a cell of
    the planted one, `found` their number over that planted.
    """

    told: str
    ari: float
    window: int
    within: float = 1.0
    found: float = 1.0

    def right(self, expected: str, noise: float) -> bool:
        """Tell whether all is as asked."""
        least = 0.99 if noise < 0.05 else 0.95
        return self.told == expected and self.ari >= least and self.within >= 0.95


def score(case: str, truth: Planted) -> Score:
    """Find variants, and doubled cells where they are planted, and compare with the truth."""
    found = find_variants(truth.sites)
    label = found.variants["label"].values
    inner = truth.inner & (label >= 0)
    ari = adjusted_rand_index(truth.domain[inner], label[inner])
    window = found.model.averaging
    if case not in DOUBLED:
        return Score(stated(found.statement), ari, window)
    doubling = find_doubling(truth.sites, found.variants)
    told = str(doubling.statement["doubled"].values[0])
    ends = doubling.boundaries["between"].values
    if "antiphase" not in case:
        return Score(told, ari, window, within=float(len(ends) == 0))
    # Distances to the wall have the sign of the side, which parity and the true cell tell.
    along = 1 if case == "antiphase j" else 0
    side = (truth.domain + truth.sites["lattice_index"].values[:, along]) % 2
    off = np.abs((truth.wall * (2 * side - 1))[ends].mean(axis=1))
    return Score(
        told,
        ari,
        window,
        float(np.mean(off < 1)) if len(off) else 0.0,
        len(ends) / (SIZE * 0.97**2),
    )


def run_cases(n_seeds: int, cases: dict[str, str]) -> None:
    """Print, for every case and noise, in how many seeds all is right, and the ARI."""
    print(f"{'case':22s} noise  right  ARI least, second  windows  s a call", flush=True)
    for noise in (0.05, 0.03, 0.02):
        for case, expected in cases.items():
            size = LARGE_SIZE if case.startswith("polar") else SIZE
            start = time.process_time()
            scores = [
                score(case, planted(case, size=size, noise=noise, seed=seed))
                for seed in range(n_seeds)
            ]
            each = (time.process_time() - start) / n_seeds
            right = sum(one.right(expected, noise) for one in scores)
            least = sorted(one.ari for one in scores)
            wrong = sorted({one.told for one in scores if one.told != expected})
            windows = sorted({one.window for one in scores})
            told = f"{wrong}" if wrong else ""
            if "antiphase" in case:
                within = np.mean([one.within for one in scores])
                share = np.mean([one.found for one in scores])
                told = f"{within:.3f} within a cell, {share:.2f} of the boundary found {told}"
            print(
                f"{case:22s} {noise:.2f}  {right:2d}/{n_seeds}  {least[0]:.4f} "
                f"{least[min(1, n_seeds - 1)]:.4f}  {windows}  {each:.1f}  {told}",
                flush=True,
            )


def run_null(n_seeds: int) -> None:
    """Print in how many perfect crystals symmetry is said to be broken."""
    for case, noise in NULL:
        claims, low = 0, 0
        for seed in range(n_seeds):
            truth = planted(case, size=NULL_SIZE, noise=noise, seed=seed)
            statement = find_variants(truth.sites).statement
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
    start, cpu = time.perf_counter(), time.process_time()
    found = find_variants(truth.sites)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inner = truth.inner
    ari = adjusted_rand_index(truth.domain[inner], found.variants["label"].values[inner])
    print(
        f"{truth.sites.sizes['site']} sites: {seconds:.1f} s ({cpu:.1f} s of one core), "
        f"ARI {ari:.4f}, peak {peak / 1e6:.2f} GB ({before / 1e6:.2f} GB before), "
        f"{found.statement.attrs['statement']}"
    )


if __name__ == "__main__":
    asked = [text for text in sys.argv[1:] if not text.isdigit()] or [*CASES, "null", "large"]
    seeds = next((int(text) for text in sys.argv[1:] if text.isdigit()), 20)
    run_cases(seeds, {case: told for case, told in CASES.items() if case in asked})
    if "null" in asked:
        run_null(5 * seeds)
    if "large" in asked:
        run_large()
