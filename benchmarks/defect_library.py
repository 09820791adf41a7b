"""A library of 100,000 simulated defects: speed of adding and searching, size, memory.

Run ``python benchmarks/defect_library.py [--rows N] [--place FILE|URL]``. Images hold 20 defects
each, and a transaction one image, as when a folder of images is read; defects are those of silicon
in graphene with the frequencies of the published library, displaced by 5 pm an axis, turned and
mirrored at random.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from adatom.defects.library import (
    DefectQuery,
    Library,
    add_defects,
    count_defects,
    open_library,
    read_defect,
    search_library,
    search_like,
)

NAMES = ("Si1C3", "Si1C4", "Si2C6", "V1")
SHARES = (0.55, 0.2, 0.15, 0.1)
PER_IMAGE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--place", help="default: a file in a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.place or str(Path(folder) / "defects.db")
        with open_library(place, create=True) as library:
            fill(library, given.rows)
        with open_library(place) as library:
            ask(library)
        if given.place is None:
            size = Path(place).stat().st_size
            print(f"size on disk: {size / 1e6:.0f} MB, {size / given.rows:.0f} bytes a defect")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {peak:.0f} MB")


def fill(library: Library, n_rows: int) -> None:
    from simulated_defects import simulated_defects

    rng = np.random.default_rng(0)
    seconds = 0.0
    for number in range(n_rows // PER_IMAGE):
        names = rng.choice(NAMES, PER_IMAGE, p=SHARES).tolist()
        found = simulated_defects(names, seed=number)
        start = time.perf_counter()
        add_defects(library, found)
        seconds += time.perf_counter() - start
        if (number + 1) % 1000 == 0:
            done = (number + 1) * PER_IMAGE
            print(f"  {done} rows: {done / seconds:.0f} rows/s", flush=True)
    # PostgreSQL does so by itself within a minute.
    library.session.execute("ANALYZE")
    print(f"add: {n_rows / seconds:.0f} rows/s, {PER_IMAGE} a transaction")


def ask(library: Library) -> None:
    questions: dict[str, Callable[[], object]] = {
        "formula Si2C6, first 100": lambda: search(library, 100, formula="Si2C6"),
        "formula Si2C6, all": lambda: search(library, None, formula="Si2C6"),
        "composition Si>=2, first 100": lambda: search(library, 100, formula="Si>=2"),
        "name Si1C4, first 100": lambda: search(library, 100, name="Si1C4"),
        "formula Si2C6 with all bonds 0.172 to 0.180 nm": lambda: search(
            library, None, formula="Si2C6", lengths={"Si-C": (0.172, 0.180)}
        ),
        "statistics": lambda: count_defects(library),
    }
    for name, question in questions.items():
        print(f"{name}: {milliseconds(question):.1f} ms")
    for name in NAMES:
        # The given defect itself is found first, at no distance, and so is no test: it is moved.
        ids = search(library, 5, name=name)["id"].values
        one = read_defect(library, int(ids[-1]))
        atoms = one.structure
        atoms.rattle(0.05, seed=3)
        start = time.perf_counter()
        found = search_like(library, atoms, n_results=20)
        seconds = time.perf_counter() - start
        print(
            f"like a {name}: {seconds:.2f} s, {found.attrs['n_compared']} of "
            f"{found.attrs['n_candidates']} compared, certain: {found.attrs['is_exact']}"
        )


def search(library: Library, limit: int | None, **query: object):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return search_library(library, DefectQuery(**query), limit=limit)  # type: ignore[arg-type]


def milliseconds(question: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        question()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


if __name__ == "__main__":
    main()
