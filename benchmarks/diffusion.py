"""How often intervals of diffusion hold the truth, and how long it takes.

Run as ``nice -n 19 python benchmarks/diffusion.py [case ...] [--repeats 1000]``; the cases are
named in ``CASES``. One JSON line a case; seeds are fixed. A case takes about a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
from brownian_tracks import (
    blended_walks,
    confined_walks,
    free_walks,
    lattice_walks,
    persistent_walks,
    tracks_of,
)
from numpy.typing import NDArray

from adatom.dynamics import count_hops, estimate_diffusion, estimate_mobility, estimate_msd
from adatom.schema import Sites, sites_from_positions

Row = dict[str, float | int | str]


class Walks(NamedTuple):
    """Free walks of D = 1: what is drawn in each repeat."""

    n_tracks: int
    n_frames: int
    error: float
    exposure: float
    gaps: float
    lag: int = 1


WALKS = {
    "long": Walks(30, 200, 0.5, 0.0, 0.0),
    "short": Walks(200, 10, 0.5, 0.0, 0.0),
    "error": Walks(50, 40, 1.5, 0.0, 0.0),
    "blur": Walks(50, 40, 0.5, 1.0, 0.0),
    "gaps": Walks(50, 40, 0.5, 0.0, 0.05),
    "all": Walks(50, 40, 0.5, 1.0, 0.05),
    "twelve": Walks(12, 50, 0.5, 0.5, 0.05),
    "five": Walks(5, 100, 0.5, 0.5, 0.05),
    "one": Walks(1, 200, 0.5, 0.0, 0.0),
    "lag": Walks(40, 60, 0.5, 0.0, 0.0, 4),
}


class Memory(NamedTuple):
    """Walks of D = 1 whose steps may be alike over some frames: what is drawn in each repeat."""

    n_tracks: int
    n_frames: int
    memory: float = 0.0
    kept: float = 0.0
    error: float = 0.3
    exposure: float = 0.0


MEMORIES = {
    "auto free": Memory(40, 100, error=0.5),
    "auto blur": Memory(40, 100, error=0.5, exposure=1.0),
    "auto short": Memory(150, 20, error=0.5),
    "auto 0.25": Memory(40, 100, 0.25),
    "auto 0.4": Memory(40, 100, 0.4),
    "auto 0.6": Memory(40, 100, 0.6),
    "auto 1": Memory(40, 100, 1.0),
    "auto 2": Memory(40, 100, 2.0),
    "auto 4": Memory(40, 100, 4.0),
    "auto blended 0.2": Memory(40, 100, kept=0.2),
    "auto blended 0.5": Memory(40, 100, kept=0.5),
    "auto many 0.3": Memory(150, 200, 0.3),
    "auto many 1": Memory(150, 200, 1.0),
}
HELD = ("diffusion", "diffusion_lags", "diffusion_yy", "localization_error", "exponent")


def free(case: str, repeats: int) -> Row:
    """Count how often each interval holds the truth, and how often free motion is doubted."""
    walks = WALKS[case]
    rng = np.random.default_rng(1)
    truth = dict.fromkeys(HELD, 1.0) | {"localization_error": walks.error}
    inside: dict[str, list[float]] = {name: [] for name in (*HELD, "of a track")}
    values: dict[str, list[float]] = {name: [] for name in HELD}
    doubted: dict[str, list[float]] = {"free_p": [], "isotropy_p": []}
    begin = time.process_time()
    for seed in range(repeats):
        places = free_walks(
            walks.n_tracks, walks.n_frames, rng, error=walks.error, exposure=walks.exposure
        )
        tracks = tracks_of(places, keep=rng.uniform(size=places.shape[:2]) >= walks.gaps)
        found = estimate_diffusion(
            tracks, frame_time="1 s", exposure=f"{walks.exposure} s", lag=walks.lag, seed=seed
        )
        row = found.classes.isel(row=0)
        for name in HELD:
            low, high = (float(row[f"{name}_{end}"]) for end in ("low", "high"))
            values[name].append(float(row[name]))
            inside[name].append(low <= truth[name] <= high if np.isfinite(low + high) else np.nan)
        for name, chances in doubted.items():
            chances.append(float(row[name]))
        low, high = (found.tracks[f"diffusion_{end}"].values for end in ("low", "high"))
        inside["of a track"].append(float(((low <= 1) & (high >= 1)).mean()))
    seconds = (time.process_time() - begin) / repeats
    row_out: Row = {"case": case, **walks._asdict(), "repeats": repeats}
    row_out |= {f"{name} held": _mean(part) for name, part in inside.items()}
    row_out |= {f"{name} mean": _mean(part) for name, part in values.items()}
    row_out["diffusion spread"] = round(float(np.std(values["diffusion"])), 4)
    row_out["diffusion_lags spread"] = round(float(np.std(values["diffusion_lags"])), 4)
    row_out |= {
        f"{name} < 0.05": _mean([np.nan if np.isnan(p) else p < 0.05 for p in part])
        for name, part in doubted.items()
    }
    return row_out | {"CPU s": round(seconds, 4)}


def automatic(case: str, repeats: int) -> Row:
    """Count how often D holds the truth with lag="auto", beside one frame and the first pass."""
    memory = MEMORIES[case]
    rng = np.random.default_rng(6)
    held: dict[str, list[float]] = {"auto": [], "one frame": [], "shortest that passes": []}
    values, widths, lags = [], [], []
    for seed in range(repeats):
        walks = _with_memory(memory, rng)
        tracks = tracks_of(walks)
        row = estimate_diffusion(tracks, lag="auto", seed=seed).classes
        lag = int(row.attrs["lag"])
        one = estimate_diffusion(tracks, seed=seed).classes
        first = one if lag <= 2 else estimate_diffusion(tracks, lag=lag // 2, seed=seed).classes
        for name, found in zip(held, (row, one, first), strict=True):
            low, high = (float(found[f"diffusion_{end}"][0]) for end in ("low", "high"))
            held[name].append(low <= 1 <= high)
            if name != "shortest that passes":
                widths.append(high - low)
        values.append(float(row["diffusion"][0]))
        lags.append(lag)
    out: Row = {"case": case, **memory._asdict(), "repeats": repeats}
    out |= {f"{name} held": _mean(part) for name, part in held.items()}
    out["mean"] = _mean(values)
    out["lag"] = int(np.median(lags))
    out["width over one frame"] = round(float(np.mean(widths[::2]) / np.mean(widths[1::2])), 2)
    return out


def _with_memory(memory: Memory, rng: np.random.Generator) -> NDArray[np.float64]:
    size = memory.n_tracks, memory.n_frames
    if memory.memory:
        return persistent_walks(*size, rng, memory=memory.memory, error=memory.error)
    if memory.kept:
        return blended_walks(*size, rng, kept=memory.kept, error=memory.error)
    return free_walks(*size, rng, error=memory.error, exposure=memory.exposure)


def _mean(values: Sequence[float]) -> float:
    known = np.array(values, dtype=float)
    known = known[np.isfinite(known)]
    return round(float(known.mean()), 4) if len(known) else float("nan")


def hops(case: str, repeats: int) -> Row:
    """Count how often the intervals of rate and D of hops hold the truth."""
    rate, error = {"hops": (0.03, 0.08), "rests": (0.03, 0.12)}[case]
    line = np.arange(-60, 61.0)
    y, x = np.meshgrid(line, line)
    lattice = (sites_from_positions(y.ravel(), x.ravel(), unit="nm"),) if case == "hops" else ()
    rng = np.random.default_rng(2)
    held, relative = [], []
    for _ in range(repeats):
        tracks = tracks_of(lattice_walks(20, 100, rng, rate=rate, error=error))
        row = count_hops(tracks, *lattice).classes.isel(row=0)
        held.append(float(row["diffusion_low"]) <= rate / 4 <= float(row["diffusion_high"]))
        relative.append(float(row["diffusion"]) / (rate / 4))
    return {
        "case": case,
        "repeats": repeats,
        "diffusion held": round(float(np.mean(held)), 4),
        "diffusion mean": round(float(np.mean(relative)), 4),
    }


def power(case: str, repeats: int) -> Row:
    """Count how often confinement is told, and how its radius comes out."""
    rng = np.random.default_rng(3)
    told, radius, inside = [], [], []
    for seed in range(repeats):
        walks = confined_walks(20, 100, rng, diffusion=0.05, radius=1.0)
        walks += rng.normal(0, 0.1, walks.shape)
        row = estimate_diffusion(tracks_of(walks), seed=seed).classes.isel(row=0)
        told.append(row["motion"].item() == "confined")
        radius.append(float(row["confinement_radius"]))
        low, high = (float(row[f"confinement_radius_{end}"]) for end in ("low", "high"))
        inside.append(low <= 1 <= high)
    return {
        "case": case,
        "repeats": repeats,
        "told": _mean(told),
        "radius mean": _mean(radius),
        "radius held": _mean(inside),
    }


def mobility(case: str, repeats: int) -> Row:
    """Count how often local D is within 1.96 errors of the truth."""
    rng = np.random.default_rng(4)
    off = []
    for _ in range(repeats):
        walks = free_walks(200, 40, rng, error=0.7) + rng.uniform(0, 100, (200, 1, 2))
        sites = tracks_of(walks)
        sites.attrs["extent"] = [0.0, 100.0, 0.0, 100.0]
        found = estimate_mobility(sites, bin_size="20 nm")
        off.append(((found.diffusion - 1) / found.error).values)
    held = np.abs(off) <= 1.96
    return {"case": case, "repeats": repeats, "held": round(float(held.mean()), 4)}


def speed(case: str, repeats: int) -> Row:  # noqa: ARG001 -- as the others
    """Time 2,000 tracks of 200 frames with 5 % missing."""
    rng = np.random.default_rng(5)
    walks = free_walks(2000, 200, rng, error=0.3)
    tracks: Sites = tracks_of(walks, keep=rng.uniform(size=walks.shape[:2]) > 0.05)
    row: Row = {"case": case, "tracks": 2000, "frames": 200}
    for name, call in (
        ("estimate_msd", lambda: estimate_msd(tracks, max_lag=100)),
        ("estimate_diffusion", lambda: estimate_diffusion(tracks)),
    ):
        call()
        times = []
        for _ in range(5):
            begin = time.process_time()
            call()
            times.append(time.process_time() - begin)
        row[f"{name} CPU s"] = round(float(np.median(times)), 3)
    return row


CASES = {
    **dict.fromkeys(WALKS, free),
    **dict.fromkeys(MEMORIES, automatic),
    "hops": hops,
    "rests": hops,
    "confined": power,
    "mobility": mobility,
    "speed": speed,
}


def main() -> None:
    """Run the cases that are asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case")
    parser.add_argument("--repeats", type=int, default=1000)
    asked = parser.parse_args()
    for case in asked.cases or CASES:
        print(json.dumps(CASES[case](case, asked.repeats)), flush=True)


if __name__ == "__main__":
    main()
