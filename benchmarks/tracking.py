"""Links of simulated walkers with known truth: right and wrong ones, CPU seconds, memory.

Run ``python benchmarks/tracking.py [NAME ...]``: one JSON line a figure. Walkers
take normally distributed steps in a square field with reflecting walls; their
positions have errors, and some detections are missed. A true link joins a
detection to the next one of the same walker, over no more than `MEMORY` missed frames.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MEMORY = 2
SEED = 0


class Scene(NamedTuple):
    """Walkers: how many, over how many frames, in a field so wide, how they move and are seen."""

    n_walkers: int
    n_frames: int
    side: float
    step: float = 1.0
    error: float = 0.2
    missed: float = 0.05
    false: float = 0.0


SCENES = {
    "2,000 walkers, 5 % missed": Scene(2000, 200, 1700.0),
    "2,000 walkers, 5 % missed, nearer": Scene(2000, 200, 1000.0),
    "crowded: 1,000 walkers, steps of a quarter of their distance": Scene(
        1000, 100, 128.0, missed=0.02
    ),
    "1e6 sites over 1,000 frames": Scene(1053, 1000, 725.0),
    "10,000 walkers over 100 frames": Scene(10_526, 100, 2290.0),
    "false detections: 20 % of all": Scene(1000, 100, 707.0, false=0.25),
}


class Detections(NamedTuple):
    """Detections in random order within their frames, with the walker of each, -1 for none."""

    frame: Ints
    place: Floats
    walker: Ints


def detections(scene: Scene) -> Detections:
    rng = np.random.default_rng(SEED)
    place = rng.uniform(0, scene.side, (scene.n_walkers, 2))
    parts = []
    for frame in range(scene.n_frames):
        if frame:
            place = place + rng.normal(0, scene.step, place.shape)
            place = np.abs(place)
            place = scene.side - np.abs(scene.side - place)
        seen = np.flatnonzero(rng.random(scene.n_walkers) >= scene.missed)
        n_false = rng.poisson(scene.false * scene.n_walkers)
        found = np.concatenate(
            [
                place[seen] + rng.normal(0, scene.error, (len(seen), 2)),
                rng.uniform(0, scene.side, (n_false, 2)),
            ]
        )
        walker = np.concatenate([seen, np.full(n_false, -1)])
        order = rng.permutation(len(found))
        parts.append((np.full(len(found), frame), found[order], walker[order]))
    return Detections(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def links(frame: Ints, track: Ints, *, longest: int | None = None) -> Ints:
    """Give pairs of consecutive detections of a track, as numbers of detections (link, 2)."""
    order = np.lexsort((frame, track))
    one, two = order[:-1], order[1:]
    keep = (track[one] == track[two]) & (track[one] >= 0)
    if longest is not None:
        keep &= frame[two] - frame[one] <= longest
    return np.stack([one[keep], two[keep]], axis=1)


def scores(seen: Detections, track: Ints) -> tuple[float, float]:
    """Give recall and precision of links."""
    code = [
        pairs[:, 0] * len(track) + pairs[:, 1]
        for pairs in (
            links(seen.frame, seen.walker, longest=MEMORY + 1),
            links(seen.frame, track),
        )
    ]
    right = np.intersect1d(*code, assume_unique=True).size
    return right / len(code[0]), right / max(len(code[1]), 1)


def by_adatom(seen: Detections, _: Scene) -> Ints:
    from adatom.schema import sites_from_positions
    from adatom.tracking import link_sites

    sites = sites_from_positions(*seen.place.T, unit="px", frame=seen.frame)
    return link_sites(sites, memory=MEMORY)["track"].values


def report(program: str, scene: str, name: str, value: float, unit: str) -> None:
    line = {"program": program, "scene": scene, "figure": name, "value": value, "unit": unit}
    print(json.dumps(line), flush=True)


def measure(name: str) -> None:
    seen = detections(SCENES[name])
    by_adatom(detections(Scene(20, 5, 100.0)), SCENES[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = time.perf_counter(), time.process_time()
    track = by_adatom(seen, SCENES[name])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    recall, precision = scores(seen, track)
    report("adatom", name, "detections", len(track), "1")
    report("adatom", name, "recall", round(recall, 5), "1")
    report("adatom", name, "precision", round(precision, 5), "1")
    report("adatom", name, "CPU time", round(cpu, 3), "s")
    report("adatom", name, "wall time", round(wall, 3), "s")
    report("adatom", name, "memory before", round(before), "MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("adatom", name, "peak memory", round(peak), "MB")


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--alone":
        measure(sys.argv[2])
        return
    for name in SCENES:
        if not sys.argv[1:] or any(part in name for part in sys.argv[1:]):
            # A process of its own, so that its peak memory is its own.
            command = [sys.executable, str(Path(__file__).resolve()), "--alone", name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
