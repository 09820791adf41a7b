"""Merges and splits of simulated walkers: how many are found, and how many falsely.

Run ``nice -n 19 python benchmarks/merges.py [case ...] [--seeds 20]``: one JSON line a case, by
positions alone and with intensities that add up (each walker has its own, 30 % apart; 10 % of
noise). Steps are 1 px along each axis, position errors 0.2 px, 5 % of the detections are missed.
An event is right within two frames and six pixels of a planted one of its kind.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from merging_walkers import Planted, merging_walkers, right_events

from adatom.schema import Sites
from adatom.tracking import find_merges_and_splits, link_sites

CASES: dict[str, dict[str, Any]] = {
    "none, mean distance 22 px": {"n_walkers": 400, "n_events": 0, "side": 440.0},
    "none, no other ends": {"n_walkers": 400, "n_events": 0, "side": 440.0, "ends": 0.0},
    "none, mean distance 10 px": {"n_walkers": 400, "n_events": 0, "side": 200.0},
    "planted": {"n_walkers": 300, "n_events": 20, "side": 440.0},
    "planted, few other ends": {"n_walkers": 300, "n_events": 20, "side": 440.0, "ends": 0.0005},
    "planted, 4 px apart before": {"n_walkers": 300, "n_events": 20, "side": 440.0, "apart": 4.0},
    "planted, mean distance 12 px": {"n_walkers": 300, "n_events": 20, "side": 220.0},
}


class Count:
    """What was found in all movies of a case, in one way."""

    def __init__(self) -> None:
        self.planted = self.listed = self.right = self.ends = self.movies_with_false = 0
        self.expected = self.seconds = 0.0

    def add(self, planted: Planted, tracks: Sites, intensity: str | None) -> None:
        """Find merges and splits of a movie, and hold them against the planted ones."""
        begin = time.process_time()
        found = find_merges_and_splits(tracks, intensity=intensity)
        self.seconds += time.process_time() - begin
        right = right_events(planted, found)
        self.right += right
        self.listed += found.sizes["row"]
        self.movies_with_false += found.sizes["row"] > right
        self.planted += len(planted.kind)
        self.ends += found.attrs["n_ends"] + found.attrs["n_beginnings"]
        self.expected += float((1 - found["probability"].values).sum())


def measure(case: str, seeds: int) -> None:
    counts = {None: Count(), "intensity": Count()}
    for seed in range(seeds):
        planted = merging_walkers(n_frames=100, seed=seed, **CASES[case])
        tracks = link_sites(planted.sites)
        for intensity, count in counts.items():
            count.add(planted, tracks, intensity)
    for intensity, count in counts.items():
        line = {
            "case": case,
            "by": intensity or "positions",
            "movies": seeds,
            "ends and beginnings": count.ends,
            "planted": count.planted,
            "recall": round(count.right / count.planted, 3) if count.planted else None,
            "precision": round(count.right / count.listed, 3) if count.listed else None,
            "false": count.listed - count.right,
            "false as expected": round(count.expected, 1),
            "movies with false": count.movies_with_false,
            "CPU s a movie": round(count.seconds / seeds, 3),
        }
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case")
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    for case in asked.cases or CASES:
        measure(case, asked.seeds)


if __name__ == "__main__":
    main()
