"""Link the same simulated walkers with trackpy, laptrack and adatom: one JSON line a figure.

Run it by the environment that ``setup.py`` beside it makes. The walkers, and what a
right link is, are those of ``benchmarks/tracking.py``. Every program runs in a process of its
own. trackpy and laptrack are told the range, as their users must, here five times
the step with its errors, which cuts off one step in 300,000; adatom is told nothing.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def _walkers() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "tracking.py"
    spec = importlib.util.spec_from_file_location("walkers", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["walkers"] = module
    spec.loader.exec_module(module)
    return module


walkers = _walkers()
SCENES = {
    "2,000 walkers, 5 % missed": walkers.Scene(2000, 200, 1700.0),
    "2,000 walkers, 5 % missed, nearer": walkers.Scene(2000, 200, 1000.0),
    "500 walkers": walkers.Scene(500, 10, 750.0),
}
# Whole minutes or more.
TOO_LARGE_FOR = {"laptrack": {"2,000 walkers, 5 % missed", "2,000 walkers, 5 % missed, nearer"}}
LINKED = "linked"


def reach(scene) -> float:  # type: ignore[no-untyped-def]  # noqa: ANN001 -- loaded at run time
    return float(5 * np.sqrt(scene.step**2 + 2 * scene.error**2))


def by_trackpy(seen, scene) -> Ints:  # type: ignore[no-untyped-def]  # noqa: ANN001
    import pandas as pd
    import trackpy

    trackpy.quiet()
    table = pd.DataFrame({"y": seen.place[:, 0], "x": seen.place[:, 1], "frame": seen.frame})
    table[LINKED] = np.arange(len(table))
    linked = trackpy.link(table, reach(scene), memory=walkers.MEMORY)
    return linked.sort_values(LINKED)["particle"].to_numpy()


def by_laptrack(seen, scene) -> Ints:  # type: ignore[no-untyped-def]  # noqa: ANN001
    import pandas as pd
    from laptrack import LapTrack

    table = pd.DataFrame({"y": seen.place[:, 0], "x": seen.place[:, 1], "frame": seen.frame})
    table[LINKED] = np.arange(len(table))
    square = reach(scene) ** 2
    linker = LapTrack(
        cutoff=square,
        gap_closing_cutoff=square,
        gap_closing_max_frame_count=walkers.MEMORY,
        splitting_cutoff=False,
        merging_cutoff=False,
    )
    linked, _, _ = linker.predict_dataframe(
        table, ["y", "x"], frame_col="frame", only_coordinate_cols=False
    )
    return linked.sort_values(LINKED)["track_id"].to_numpy()


PROGRAMS: dict[str, Callable[..., Ints]] = {
    "adatom link_sites": walkers.by_adatom,
    "trackpy link": by_trackpy,
    "laptrack": by_laptrack,
}


def measure(program: str, name: str) -> None:
    """Run one program in this process: on few walkers to warm up, then once."""
    warnings.simplefilter("ignore")
    scene = SCENES[name]
    small = walkers.Scene(20, 5, 100.0)
    PROGRAMS[program](walkers.detections(small), small)
    seen = walkers.detections(scene)
    wall, cpu = time.perf_counter(), time.process_time()
    track = PROGRAMS[program](seen, scene)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    recall, precision = walkers.scores(seen, track)
    walkers.report(program, name, "recall", round(recall, 5), "1")
    walkers.report(program, name, "precision", round(precision, 5), "1")
    walkers.report(program, name, "CPU time", round(cpu, 3), "s")
    walkers.report(program, name, "wall time", round(wall, 3), "s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    walkers.report(program, name, "peak memory", round(peak), "MB")


def main() -> None:
    if len(sys.argv) == 3:
        measure(*sys.argv[1:])
        return
    for name in SCENES:
        for program in PROGRAMS:
            if name not in TOO_LARGE_FOR.get(program, ()):
                command = [sys.executable, str(Path(__file__).resolve()), program, name]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
