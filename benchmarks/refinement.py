"""Time, error over the Cramer-Rao bound and coverage of refine_sites: one JSON line a figure."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from simulated_atoms import bound, errors, share_inside, simulate

from adatom.localization import refine_sites

KINDS = ("square", "hexagonal", "honeycomb")
REPEATS = 5


def main() -> None:
    for n_sites in (1024, 10_000):
        for kind in KINDS:
            measure_time(kind, n_sites)
    for kind in KINDS:
        for snr in (5.0, 20.0):
            measure_accuracy(kind, snr)
    report("peak memory of this process", peak_memory(), "MB")


def measure_time(kind: str, n_sites: int) -> None:
    scene = simulate(kind, n_sites=n_sites, snr=5, off=0.5)
    wall, cpu = [], []
    for _ in range(REPEATS):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        refine_sites(scene.image, scene.start)
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - cpu_begin)
    where = {"kind": kind, "n_sites": len(scene.truth)}
    report("wall time", float(np.median(wall)), "s", **where)
    report("CPU time", float(np.median(cpu)), "s", **where)


def measure_accuracy(kind: str, snr: float, n_sites: int = 10_000) -> None:
    scene = simulate(kind, n_sites=n_sites, snr=snr, off=0.5, seed=1)
    sites = refine_sites(scene.image, scene.start)
    ok = sites["fit_ok"].values
    error = float(np.sqrt(np.mean(errors(sites, scene.truth)[ok] ** 2)))
    where = {"kind": kind, "snr": snr, "n_sites": len(ok)}
    limit = bound(kind, sigma=2.0, spacing=8.0, snr=snr)
    report("RMSE over Cramer-Rao bound", error / limit, "1", **where)
    inside = share_inside(sites.isel(site=ok), scene.truth[ok])
    report("true positions inside the 95 % region", inside, "1", **where)
    report("sites not fitted", float(np.sum(~ok)), "1", **where)


def peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name: str, value: float, unit: str, **where: object) -> None:
    print(json.dumps({"figure": name, "value": round(value, 4), "unit": unit, **where}), flush=True)


if __name__ == "__main__":
    main()
