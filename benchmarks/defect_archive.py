"""An archive of 600 simulated images through `adatom run defect_library`, a JSON line a figure.

python benchmarks/defect_archive.py make FOLDER      # 600 images and five broken files
python benchmarks/defect_archive.py run FOLDER       # time and memory on all cores
python benchmarks/defect_archive.py scaling FOLDER   # a sixth of it with one and two processes
python benchmarks/defect_archive.py killed FOLDER    # killed twice on the way: the same library?

A third word takes every so many files only: `run FOLDER 6`, `killed FOLDER 6`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adatom.io import write_file
from adatom.simulation import Flake, Microscope, simulate_graphene

SIZES = {256: 300, 512: 200, 1024: 80, 2048: 20}
"""Images of so many pixels across: of 2, 4, 8 and 16 nm within a quarter."""
PIXEL = 0.0078
SEED = 7


def main() -> None:
    action, folder = sys.argv[1], Path(sys.argv[2])
    {"make": make, "run": run, "scaling": scaling, "killed": killed}[action](folder)


@dataclass(frozen=True)
class Picture:
    """One image of the archive, all of which follows from its number."""

    number: int
    size: int

    @property
    def stem(self) -> str:
        """Name of its files, without the ending."""
        return f"graphene_{self.number:04d}_{self.size}"


def pictures() -> list[Picture]:
    """Sizes mixed as they come from a microscope, not sorted."""
    sizes = np.repeat(list(SIZES), list(SIZES.values()))
    return [
        Picture(k, int(size))
        for k, size in enumerate(np.random.default_rng(SEED).permutation(sizes))
    ]


def write_picture(picture: Picture, folder: Path) -> None:
    rng = np.random.default_rng([SEED, picture.number])
    pixel = PIXEL * rng.uniform(0.85, 1.25)
    few = rng.uniform(0.2, 1.0)
    flake = Flake(
        threefold=0.004 * few, fourfold=0.002 * few, vacancies=0.001 * few,
        divacancies=0.0008 * few, rotation=float(rng.uniform(0, 60)),
    )  # fmt: skip
    simulation = simulate_graphene(
        size=picture.size,
        field=f"{pixel * picture.size:.6g} nm",
        flake=flake,
        microscope=Microscope(electrons=float(10 ** rng.uniform(2.1, 3.0))),
        contamination=float(rng.choice([0.0, 0.0, 0.05, 0.1])),
        seed=picture.number,
    )
    place = folder / f"{picture.stem}.tif"
    write_file(simulation.image, place, overwrite=True)
    write_file(simulation.vacancies, place.with_suffix(".vacancies.csv"), overwrite=True)
    write_file(simulation.truth, place.with_suffix(".truth.csv"), overwrite=True)


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    missing = [p for p in pictures() if not (folder / f"{p.stem}.truth.csv").exists()]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(write_picture, missing, [folder] * len(missing), chunksize=4))
    break_files(folder)
    n_images = len(list(folder.glob("*.tif")))
    report("images and broken files", n_images, "1", folder_MB=size_of(folder))


def break_files(folder: Path) -> None:
    """Five ways in which files of an archive are broken."""
    whole = (folder / f"{pictures()[0].stem}.tif").read_bytes()
    (folder / "broken_empty.tif").write_bytes(b"")
    (folder / "broken_cut.tif").write_bytes(whole[: len(whole) // 3])
    (folder / "broken_text.tif").write_text("the microscope was off\n")
    (folder / "broken_noise.tif").write_bytes(np.random.default_rng(0).bytes(5000))
    zeros = bytearray(whole)
    zeros[4:64] = bytes(60)
    (folder / "broken_header.tif").write_bytes(zeros)


def images_of(folder: Path) -> list[Path]:
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    return sorted(folder.glob("*.tif"))[::every]


def command(files: list[Path], out: Path, *, jobs: int | None = None) -> list[str]:
    library = out.with_suffix(".db")
    count = [] if jobs is None else ["--jobs", str(jobs)]
    return [
        sys.executable, "-m", "adatom", "run", "defect_library", *map(str, files),
        "--out", str(out), "--set", f"library.library={library}", *count,
    ]  # fmt: skip


def watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of a process; give the largest memory of its whole tree in MB."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_of_tree(process.pid))
        # Adding up the pages of a process stops it for a while.
        time.sleep(3)
    return peak


def memory_of_tree(pid: int) -> float:
    """Proportional set size of a process and all below it, in MB: what is shared counts once."""
    total = 0.0
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = next(float(row.split()[1]) for row in text.splitlines() if row.startswith("Pss:"))
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, StopIteration):
        return 0.0
    return total / 1024 + sum(memory_of_tree(int(child)) for child in children)


def timed(files: list[Path], out: Path, *, jobs: int | None = None) -> tuple[float, float]:
    fresh(out)
    begin = time.perf_counter()
    with (out.parent / f"{out.name}.log").open("wb") as log:
        process = subprocess.Popen(command(files, out, jobs=jobs), stdout=log, stderr=log)
        peak = watch(process)
    return time.perf_counter() - begin, peak


def fresh(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    for place in out.parent.glob(f"{out.name}.*"):
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def run(folder: Path) -> None:
    files = images_of(folder)
    seconds, peak = timed(files, folder / "undisturbed")
    report("all files", seconds, "s", files=len(files), load=round(os.getloadavg()[0], 2))
    report("peak memory of all processes", peak, "MB")


def scaling(folder: Path) -> None:
    files = images_of(folder)
    files = files if len(sys.argv) > 3 else files[::6]
    for jobs in (1, 2):
        seconds, _ = timed(files, folder / f"scaling_{jobs}", jobs=jobs)
        report(f"{jobs} at once", seconds, "s", files=len(files))


def killed(folder: Path) -> None:
    """Kill the whole tree of processes twice; the third run goes to the end."""
    files, out, undisturbed = images_of(folder), folder / "killed", folder / "undisturbed.db"
    fresh(out)
    for share in (0.25, 0.6):
        process = subprocess.Popen(
            command(files, out),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and n_done(out) < share * len(files):
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        report("killed after", n_done(out), "files")
    subprocess.run(command(files, out), check=False, stdout=subprocess.DEVNULL)
    mine, others = (rows_of_library(place) for place in (out.with_suffix(".db"), undisturbed))
    seen = images_of_library(out.with_suffix(".db"))
    # The undisturbed run may have been of more files.
    odd = mine ^ {row for row in others if row[0] in seen}
    good = sum(not place.name.startswith("broken") for place in files)
    report("images missing", good - len(seen), "1")
    report("rows in one of the libraries only", len(odd), "rows", of=len(mine), first=[*odd][:3])


def rows_of_library(place: Path) -> set[tuple[object, ...]]:
    """Give what defects say of themselves; numbers of rows and times aside."""
    with sqlite3.connect(place) as database:
        return set(
            database.execute(
                "SELECT i.image_hash, d.number, d.name, d.class_key, d.formula, d.y_nm, d.x_nm, "
                "d.confidence, hex(d.members), hex(d.bonds) FROM adatom_defects d "
                "JOIN adatom_images i ON i.id = d.image_id"
            )
        )


def images_of_library(place: Path) -> set[object]:
    with sqlite3.connect(place) as database:
        return {row[0] for row in database.execute("SELECT image_hash FROM adatom_images")}


def n_done(out: Path) -> int:
    return len(list(out.glob("*/report.html")))


def size_of(folder: Path) -> float:
    return round(sum(place.stat().st_size for place in folder.glob("*.*")) / 1e6, 1)


def report(name: str, value: float, unit: str, **more: object) -> None:
    row = {"benchmark": "defect_archive", "name": name, "value": round(value, 3), "unit": unit}
    print(json.dumps({**row, **more}), flush=True)


if __name__ == "__main__":
    main()
