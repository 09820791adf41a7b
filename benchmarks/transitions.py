"""Coverage of intervals of transition matrices, and times: one JSON line a figure.

``python benchmarks/transitions.py whole --first 0 --repeats 1000``; also ``gaps``, ``plain``,
``hidden`` and ``time``. Repeats are told apart by their seeds, so that they run in
pieces; shares of pieces are summed as ``held`` over ``entries``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from simulated_chains import FOUR, coverage, simulated_tracks

from adatom.dynamics import count_transitions, estimate_transitions

KINDS = ("whole", "gaps", "plain", "hidden")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=(*KINDS, "time"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=100)
    asked = parser.parse_args()
    if asked.what == "time":
        measure_time()
    else:
        measure_coverage(asked.what, asked.first, asked.repeats)


def measure_coverage(kind: str, first: int, repeats: int) -> None:
    begin = time.process_time()
    found = coverage(kind, range(first, first + repeats))
    where = {"kind": kind, "first": first, "repeats": repeats}
    report("entries", found.entries, "1", **where)
    report("held", found.held, "1", **where)
    report("coverage", found.share, "1", **where)
    report("largest mean error", float(np.abs(found.error).max()), "1", **where)
    report("CPU time of a repeat", (time.process_time() - begin) / repeats, "s", **where)


def measure_time() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=10_000, n_frames=100, lost=0.3)
    where = {"sites": tracks.sizes["site"]}
    begin = time.process_time()
    counts = count_transitions(tracks)
    report("CPU time of count_transitions", time.process_time() - begin, "s", **where)
    begin = time.process_time()
    estimate_transitions(counts)
    report("CPU time of estimate_transitions", time.process_time() - begin, "s", **where)


def report(name: str, value: float, unit: str, **where: object) -> None:
    print(json.dumps({"figure": name, "value": round(value, 5), "unit": unit, **where}), flush=True)


if __name__ == "__main__":
    main()
