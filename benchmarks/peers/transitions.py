"""Transition matrices of the same tracks by adatom, deeptime and AtomAI: one JSON line a figure.

Run it by the environment that ``setup.py peers`` makes; AtomAI's part runs in its own
(``setup.py atomai``, or ``--atomai PYTHON``) and is left out where that is missing.
Tracks are those of the tests, of a chain with known truth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))

from simulated_chains import FOUR, LOST, TURNOVER, simulated_tracks

from adatom.dynamics import count_transitions, estimate_transitions

Floats = NDArray[np.float64]
HERE = Path(__file__).resolve().parent
N_MOVIES = 20
THREE: Floats = np.array([[0.90, 0.08, 0.02], [0.05, 0.80, 0.15], [0.10, 0.10, 0.80]])
ABSORBING: Floats = np.array([[0.9, 0.08, 0.02], [0.1, 0.85, 0.05], [0.0, 0.0, 1.0]])

# Matrix, tracks, frames, share of frames lost, tracks that end per frame.
CASES: dict[str, tuple[Floats, int, int, float, float]] = {
    "three states, whole tracks": (THREE, 40, 50, 0.0, 0.0),
    "three states, 5 % lost": (THREE, 40, 50, 0.05, 0.0),
    "four states, gaps, births, deaths": (FOUR, 40, 100, LOST, TURNOVER),
    "an absorbing state": (ABSORBING, 40, 50, 0.0, 0.0),
}


def by_adatom(tracks: xr.Dataset) -> Floats:
    found: Floats = estimate_transitions(count_transitions(tracks))["probability"].values
    return found


def sequences(tracks: xr.Dataset, *, cut: bool) -> list[NDArray[np.int64]]:
    """Give the labels of every track, cut at gaps or with gaps closed."""
    track, frame = tracks["track"].values, tracks["frame"].values
    new = np.diff(track) != 0
    if cut:
        new |= np.diff(frame) != 1
    parts = np.split(tracks["label"].values, np.flatnonzero(new) + 1)
    return [part for part in parts if len(part) > 1]


def by_deeptime(tracks: xr.Dataset, *, cut: bool, reversible: bool) -> Floats:
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import MaximumLikelihoodMSM

    counts = TransitionCountEstimator(lagtime=1, count_mode="sliding").fit_fetch(
        sequences(tracks, cut=cut)
    )
    model = MaximumLikelihoodMSM(reversible=reversible).fit_fetch(counts)
    found: Floats = model.transition_matrix
    return found


PROGRAMS: dict[str, Callable[[xr.Dataset], Floats]] = {
    "adatom": by_adatom,
    "deeptime, defaults, gaps closed": lambda t: by_deeptime(t, cut=False, reversible=True),
    "deeptime, not reversible, cut at gaps": lambda t: by_deeptime(t, cut=True, reversible=False),
}


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    own = HERE / "atomai" / ".venv" / "bin" / "python"
    parser.add_argument("--atomai", type=Path, default=own, help="Python that has AtomAI")
    asked = parser.parse_args()
    for case, (truth, n_tracks, n_frames, lost, turnover) in CASES.items():
        movies = [
            simulated_tracks(
                truth, n_tracks=n_tracks, n_frames=n_frames, seed=k, lost=lost, turnover=turnover
            )
            for k in range(N_MOVIES)
        ]
        for name, program in PROGRAMS.items():
            measure(case, name, program, movies, truth)
        if asked.atomai.exists():
            measure_atomai(case, asked.atomai, movies, truth)


def measure(
    case: str,
    name: str,
    program: Callable[[xr.Dataset], Floats],
    movies: list[xr.Dataset],
    truth: Floats,
) -> None:
    errors, seconds = [], []
    try:
        program(movies[0])
    except (ImportError, ValueError, RuntimeError) as error:
        print(json.dumps({"case": case, "program": name, "failed": str(error)[:120]}), flush=True)
        return
    for tracks in movies:
        begin = time.process_time()
        found = program(tracks)
        seconds.append(time.process_time() - begin)
        errors.append(largest_error(found, truth))
    report(case, name, errors, seconds)


def measure_atomai(case: str, python: Path, movies: list[xr.Dataset], truth: Floats) -> None:
    arrays: dict[str, NDArray[np.int64]] = {}
    for k, tracks in enumerate(movies):
        arrays |= {f"{name}_{k}": tracks[name].values for name in ("track", "frame")}
        arrays[f"state_{k}"] = tracks["label"].values
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "tracks.npz", Path(folder) / "found.npz"
        np.savez(given, n_states=len(truth), n_movies=len(movies), **arrays)
        subprocess.run([python, HERE / "atomai" / "transitions.py", given, found], check=True)
        with np.load(found) as told:
            errors = [largest_error(matrix, truth) for matrix in told["matrices"]]
            report(case, "AtomAI", errors, told["seconds"].tolist())


def largest_error(found: Floats, truth: Floats) -> float:
    """Give the largest error of an entry, NaN where states are missing or rows are empty."""
    return float(np.abs(found - truth).max()) if found.shape == truth.shape else float("nan")


def report(case: str, name: str, errors: list[float], seconds: list[float]) -> None:
    lacking = int(np.isnan(errors).sum())
    line = {
        "case": case,
        "program": name,
        "largest error, mean": round(float(np.nanmean(errors)), 4)
        if lacking < len(errors)
        else None,
        "movies without a whole matrix": lacking,
        "CPU time [s]": round(float(np.median(seconds)), 4),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
