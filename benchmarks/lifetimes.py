"""Errors of lifetimes and fractions of simulated decays, and times: one JSON line a figure."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from decay_figures import PERIOD, pixel_errors, simulated, sum_errors

from adatom.curves import estimate_response, fit_decays, phasors_from_decays

SEEDS = range(5)


def main() -> None:
    for seed in SEEDS:
        measure_sums(seed)
        measure_pixels(seed)
    measure_time()


def measure_sums(seed: int) -> None:
    """Print relative errors from class sums: lifetimes 0.8 and 2.0 ns, a 60/40 mixture."""
    errors = sum_errors(simulated(seed))
    for name, values in errors._asdict().items():
        report(f"error from class sums, {name}", float(np.abs(values).max()), "1", seed=seed)


def measure_pixels(seed: int) -> None:
    """Print bias and spread of lifetimes of single pixels of 1000 photons."""
    errors = pixel_errors(simulated(seed))
    for k, lifetime in enumerate((0.8, 2.0)):
        where = {"lifetime": lifetime, "seed": seed}
        report("bias of pixels", float(errors.bias[k]), "1", **where)
        report("spread of pixels over Cramer-Rao bound", float(errors.over_bound[k]), "1", **where)
        report("standard error over Cramer-Rao bound", float(errors.told[k]), "1", **where)


def measure_time() -> None:
    decays = simulated(0).decays
    n_pixels = decays.sizes["y"] * decays.sizes["x"]
    begin = time.perf_counter()
    response = estimate_response(decays, period=PERIOD)
    report("time of estimate_response", time.perf_counter() - begin, "s", pixels=n_pixels)
    begin = time.perf_counter()
    fit_decays(decays, response, period=PERIOD)
    report("time of fit_decays", time.perf_counter() - begin, "s", pixels=n_pixels)
    begin = time.perf_counter()
    phasors_from_decays(decays, response, period=PERIOD)
    report("time of phasors_from_decays", time.perf_counter() - begin, "s", pixels=n_pixels)


def report(name: str, value: float, unit: str, **where: object) -> None:
    print(json.dumps({"figure": name, "value": round(value, 5), "unit": unit, **where}), flush=True)


if __name__ == "__main__":
    main()
