"""From the image of a ferroic film to the map of its domains: accuracy and time, a JSON line each.

python benchmarks/ferroic_film.py            # all
python benchmarks/ferroic_film.py speed      # 2048 x 2048 pixels, 10,000 columns and more
python benchmarks/ferroic_film.py accuracy
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from ferroic_films import judged, steps_of_recipe

from adatom.simulation import Film, simulate_film
from adatom.simulation.film_images import FILM_MICROSCOPE

REPEATS = 3
SEEDS = range(4)
# Electrons per carbon atom: some 100, 35 and 15 on the brightest pixel of 0.0146 nm.
DOSES = (150.0, 50.0, 20.0)
FILMS = {
    "stripes of 4 nm": Film(),
    "patches of 5 nm": Film(pattern="patches", domain_size="5 nm"),
    "along edges": Film(directions="edges", wall_angle=90.0),
    "sheared by 0.5 deg": Film(shear=0.5),
}


def main() -> None:
    asked = sys.argv[1:] or ["speed", "accuracy"]
    if "speed" in asked:
        measure_speed()
    if "accuracy" in asked:
        for name, film in FILMS.items():
            measure_accuracy(name, film, DOSES[0])
        for dose in DOSES[1:]:
            measure_accuracy("stripes of 4 nm", FILMS["stripes of 4 nm"], dose)
        measure_accuracy("stripes of 3 nm", Film(domain_size="3 nm"), DOSES[1])


def measure_speed() -> None:
    simulation = simulate_film(size=2048, field="28.5 nm", seed=0)
    times: dict[str, list[float]] = defaultdict(list)
    totals, cpu = [], []
    for _ in range(REPEATS):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        last = begin
        for name, _ in steps_of_recipe(simulation.image):
            now = time.perf_counter()
            times[name].append(now - last)
            last = now
        totals.append(last - begin)
        cpu.append(time.process_time() - cpu_begin)
    n_columns = simulation.truth.sizes["site"]
    for name, walls in times.items():
        report(f"2048 x 2048, {n_columns} columns: {name}", float(np.median(walls)), "s")
    report("2048 x 2048: all", float(np.median(totals)), "s", cpu_s=round(float(np.median(cpu)), 2))
    report("cores", len(os.sched_getaffinity(0)), "1", load=round(os.getloadavg()[0], 2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("peak memory", peak, "MB")


def measure_accuracy(name: str, film: Film, dose: float) -> None:
    microscope = replace(FILM_MICROSCOPE, electrons=dose)
    scores = []
    for seed in SEEDS:
        simulation = simulate_film(
            film=film, size=1024, field="15 nm", microscope=microscope, seed=seed
        )
        results = dict(steps_of_recipe(simulation.image))
        scores.append(judged(simulation, results["domains"].variants))
    for key in scores[0]:
        values = [score[key] for score in scores]
        report(f"{name}, {dose:g} electrons: {key}", float(np.mean(values)), "1",
               least=round(min(values), 4))  # fmt: skip


def report(what: str, value: float, unit: str, **more: float) -> None:
    print(json.dumps({"what": what, "value": round(value, 4), "unit": unit, **more}), flush=True)


if __name__ == "__main__":
    main()
