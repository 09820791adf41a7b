"""Ensemble mean squared displacements by trackpy and adatom: one JSON line a figure.

Run it by the environment that ``setup.py peers`` makes. Tracks are free walks of known
diffusion, 2,000 of 200 frames, whole or with 5 % of the sites missing (trackpy fills gaps with
NaN and averages what is left, at true lags). Both run in one process, in turns, after a warm-up;
told are medians of their CPU times, the ratio with its range over the turns, how far the
results differ, and how busy the machine was. ``--tracks``, ``--frames`` and ``--turns`` make it
smaller or longer.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adatom.dynamics import estimate_msd
from adatom.schema import Sites, sites_from_positions

Floats = NDArray[np.float64]
MISSING = {"whole tracks": 0.0, "5 % missing": 0.05}
SEED = 0


def walks(n_tracks: int, n_frames: int, missing: float) -> pd.DataFrame:
    """Walk freely with steps of 1 px along each axis; give a table as trackpy takes it."""
    rng = np.random.default_rng(SEED)
    place = np.cumsum(rng.normal(size=(n_tracks, n_frames, 2)), axis=1)
    track, frame = np.nonzero(rng.random((n_tracks, n_frames)) >= missing)
    y, x = place[track, frame].T
    return pd.DataFrame({"frame": frame, "particle": track, "y": y, "x": x})


def sites_of(table: pd.DataFrame) -> Sites:
    sites = sites_from_positions(
        table["y"].to_numpy(), table["x"].to_numpy(), unit="px", frame=table["frame"].to_numpy()
    )
    sites["track"] = ("site", table["particle"].to_numpy())
    return sites


def cpu(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def compare(name: str, n_tracks: int, n_frames: int, max_lag: int, turns: int) -> None:
    import trackpy

    table = walks(n_tracks, n_frames, MISSING[name])
    sites = sites_of(table)

    def theirs() -> Floats:
        return np.asarray(trackpy.emsd(table, mpp=1.0, fps=1.0, max_lagtime=max_lag))

    def ours() -> Floats:
        return np.asarray(estimate_msd(sites, max_lag=max_lag)["msd"].values)

    difference = np.abs(ours() / theirs() - 1)
    times = np.array([(cpu(ours), cpu(theirs)) for _ in range(turns)])
    ratio = times[:, 1] / times[:, 0]
    line = {
        "case": name,
        "tracks": n_tracks,
        "frames": n_frames,
        "lags": max_lag,
        "turns": turns,
        "adatom estimate_msd CPU s": round(float(np.median(times[:, 0])), 4),
        "trackpy emsd CPU s": round(float(np.median(times[:, 1])), 4),
        "times as fast": round(float(np.median(times[:, 1]) / np.median(times[:, 0])), 1),
        "least and most of a turn": [round(float(v), 1) for v in (ratio.min(), ratio.max())],
        "largest relative difference": float(difference.max()),
        "load of the machine": round(os.getloadavg()[0], 1),
        "processors": os.cpu_count(),
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--lags", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in MISSING:
        compare(name, asked.tracks, asked.frames, asked.lags, asked.turns)


if __name__ == "__main__":
    main()
