"""A simulated movie of moving defects through `adatom run defect_dynamics`, against its truth.

python benchmarks/defect_dynamics.py movie FOLDER [seed ...]   # made, run by one command, scored
python benchmarks/defect_dynamics.py statistics [repeats]      # intervals of the matrix alone

A JSON line a figure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from adatom.dynamics import count_transitions, estimate_transitions
from adatom.io import write_file
from adatom.recipes import open_run
from adatom.schema import Sites, positions
from adatom.simulation import (
    Crystal,
    KineticMovie,
    Kinetics,
    simulate_kinetic_movie,
    simulate_kinetics,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

NEAR = 0.1
"""In nm: a found defect within this of a true one is that one; places are 0.315 nm apart."""
FEWEST = 20
"""Counts of an entry of the matrix that are asked for."""


def main() -> None:
    action, *more = sys.argv[1:]
    if action == "movie":
        for seed in more[1:] or ["0"]:
            movie(Path(more[0]), int(seed))
    else:
        statistics(int(more[0]) if more else 1000)


def movie(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    made = simulate_kinetic_movie(seed=seed)
    place = folder / f"movie_{seed}.zarr"
    if not place.exists():
        write_file(made.movie, place)
    out = folder / f"run_{seed}"
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    command = [sys.executable, "-m", "adatom", "run", "defect_dynamics", str(place)]
    subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    report("seconds", time.perf_counter() - began, seed=seed, load=round(os.getloadavg()[0], 2))
    score(made, out, seed)


def score(made: KineticMovie, out: Path, seed: int) -> None:
    """Compare what a run found with the truth."""
    run = open_run(out)
    found, tracks = run["departures.sites"], run["tracks"]
    mine = true_of_found(made.truth, found)
    hits = int((mine >= 0).sum())
    recall, precision = hits / made.truth.sizes["site"], hits / found.sizes["site"]
    report("detection F1", 2 * recall * precision / (recall + precision), seed=seed)
    label = run["classes.classes"]["label"].values
    known = mine >= 0
    true_class = made.truth["class"].values[mine[known]]
    report("ARI of classes", adjusted_rand_score(true_class, label[known]), seed=seed)
    report("classes", int(label.max()) + 1, seed=seed, in_none=int((label < 0).sum()))
    classified = mine[label >= 0]
    recall, precision = links(made.truth, classified, tracks)
    report("recall of links", recall, seed=seed)
    report("precision of links", precision, seed=seed)
    hopped = made.rates["event"].values == "hop"
    weights = made.rates["time_at_risk"].values[hopped]
    true = float(np.average(made.rates["diffusion_done"].values[hopped], weights=weights))
    for name in ("hops", "diffusion"):
        row = run[f"{name}.classes"].isel(row=0)
        value, low, high = (float(row[f"diffusion{end}"]) for end in ("", "_low", "_high"))
        report(f"D by {name} over the true one", value / true, seed=seed, holds=low < true < high)
    compare_matrices(made.truth, true_class, label[known], run["transitions"], seed)


def true_of_found(truth: Sites, found: Sites) -> Ints:
    """Give the true defect that each found one is, -1 for none; each is found once."""
    mine = np.full(found.sizes["site"], -1, dtype=np.int64)
    for frame in np.unique(truth["frame"].values):
        true, here = (np.flatnonzero(one["frame"].values == frame) for one in (truth, found))
        if len(here):
            distance, nearest = cKDTree(positions(found)[here]).query(positions(truth)[true])
            mine[here[nearest[distance < NEAR]]] = true[distance < NEAR]
    return mine


def links(truth: Sites, mine: Ints, tracks: Sites) -> tuple[float, float]:
    """Compare links between sites that follow one another with those of the true defects."""
    frame = tracks["frame"].values
    of = np.where(mine >= 0, truth["track"].values[mine], -1)
    true, found = (_pairs(track, frame) for track in (of, tracks["track"].values))
    return len(true & found) / len(true), len(true & found) / len(found)


def _pairs(track: Ints, frame: Ints) -> set[tuple[int, int]]:
    order = np.lexsort((frame, track))
    one, two = order[:-1], order[1:]
    same = (track[one] == track[two]) & (track[one] >= 0)
    return set(zip(one[same].tolist(), two[same].tolist(), strict=True))


def compare_matrices(
    truth: Sites, true_class: Ints, label: Ints, transitions: object, seed: int
) -> None:
    """Tell how many of the entries hold the truth, classes in the order of the true ones."""
    matrix = np.array(truth.attrs["transition_matrix"])
    n = len(matrix)
    table = np.zeros((n, max(int(label.max()) + 1, n)))
    np.add.at(table, (true_class[label >= 0], label[label >= 0]), 1)
    order = table.argmax(axis=1)
    if len(set(order.tolist())) < n:
        report("entries of the matrix held", float("nan"), seed=seed)
        return
    held, entries, largest = 0, 0, 0.0
    for row in range(n):
        for column in range(n):
            at = {"state": order[row], "state_to": order[column]}
            low, high, middle = (
                float(transitions[name].isel(at))
                for name in ("probability_low", "probability_high", "probability")
            )
            held += low <= matrix[row, column] <= high
            entries += 1
            largest = max(largest, abs(middle - matrix[row, column]))
    report("entries of the matrix held", held, seed=seed, of=entries)
    report("largest error of the matrix", largest, seed=seed)


def statistics(repeats: int) -> None:
    """Count how often the intervals hold the truth, of entries with twenty counts or more."""
    kinetics = Kinetics()
    crystal = Crystal("hexagonal", spacing="0.3153 nm", rotation=0.0)
    held = entries = 0
    for seed in range(repeats):
        made = simulate_kinetics(
            kinetics=kinetics, crystal=crystal, field="13 nm", n_frames=100, seed=seed
        )
        matrix = np.array(made.sites.attrs["transition_matrix"])
        counts = count_transitions(made.sites, of="class")
        found = estimate_transitions(counts, seed=seed)
        enough = counts["count"].sum("lag").values >= FEWEST
        low, high = (found[f"probability_{end}"].values for end in ("low", "high"))
        held += int(((low <= matrix) & (matrix <= high))[enough].sum())
        entries += int(enough.sum())
    report("intervals of the matrix that hold", held / entries, entries=entries, repeats=repeats)


def report(name: str, value: float, **more: object) -> None:
    row = {"benchmark": "defect_dynamics", "name": name, "value": round(float(value), 4)}
    print(json.dumps({**row, **more}), flush=True)


if __name__ == "__main__":
    main()
