"""Networks that find atoms: adatom beside AtomAI 0.8.1, in one run. One JSON line a figure.

    python benchmarks/peers/setup.py atomai
    ADATOM_DATA=... python benchmarks/peers/networks.py --cpu-minutes 180 [--out FOLDER]

AtomAI is trained on the images of the stream on which the shipped network was
trained, for so many minutes of CPU time, by the defaults of its Segmentor; its
masks are those of its `create_lattice_mask`. Then both read the two graphene
images with published coordinates. adatom is told nothing. AtomAI's users have
to resize an image to the scale of the training: it gets five sizes that put
neighbors 7 to 12 px apart, by the true pixel size, and the best of them is kept
beside that which lies in the middle of the scales that it was trained for.
Times and peak memory are those of an image of 2048 x 2048 px, each program in a
process of its own with two threads; import times are medians of five. What is
made stays in the folder, so that a second run only measures again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))

HERE = Path(__file__).resolve().parent
ATOMAI = HERE / "atomai" / ".venv" / "bin" / "python"
SEGMENT = HERE / "atomai" / "segment.py"
GRAPHENE = ("G-GrainBoundary-4nm", "G-Si-2nm")
BOND = 0.142
# Distances of neighbors in px to which graphene is resized; the middle of 6 to 14 is 9.2.
MIDDLE, SPACINGS = 9.2, (7.0, 8.0, 9.2, 10.5, 12.0)
SIDE, N_TRAIN, N_TEST, SEED = 128, 4000, 320, 5
LARGE = 2048
IMPORTS = 5
Floats = NDArray[np.float64]


def report(program: str, figure: str, value: float, unit: str) -> None:
    line = {"program": program, "figure": figure, "value": round(value, 4), "unit": unit}
    print(json.dumps(line), flush=True)


def with_threads(number: int) -> dict[str, str]:
    """Give the environment in which every library uses so many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict(os.environ) | dict.fromkeys(names, str(number))


def atomai(*words: object, threads: int = 2) -> str:
    """Run a task of AtomAI in its own environment, and give the last line that it prints."""
    done = subprocess.run(
        [str(ATOMAI), str(SEGMENT), *map(str, words)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=with_threads(threads),
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def adatom(*words: str | Path) -> dict[str, Any]:
    """Run a task of this script in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--task", *map(str, words)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=with_threads(2),
    )
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def discs(place: Floats, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Draw the masks of AtomAI's `create_lattice_mask`: discs of 5 px across on rounded places."""
    from scipy.ndimage import distance_transform_edt

    mask = np.ones(shape, dtype=bool)
    row, column = np.rint(place).astype(int).T
    within = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    mask[row[within], column[within]] = False
    return np.asarray(distance_transform_edt(mask) <= 2.5, dtype=np.float32)


def labeled(n: int, start: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Make images between 0 and 1, as AtomAI reads them, with their masks."""
    from adatom.schema import positions
    from adatom.simulation.training_images import TrainingImages, simulate_training_image

    images = TrainingImages(size=SIDE)
    for index in range(start, start + n):
        made = simulate_training_image(images=images, seed=SEED, index=index)
        pixels = made.image.values
        span = float(np.ptp(pixels)) or 1.0
        shown = positions(made.sites)[made.sites["visible"].values]
        yield (pixels - pixels.min()) / span, discs(shown, pixels.shape)


def make_training_set(path: Path) -> None:
    if path.exists():
        return
    parts = {
        f"{prefix}{name}": np.stack(values)[:, None]
        for prefix, n, start in (("", N_TRAIN, 0), ("test_", N_TEST, N_TRAIN))
        for name, values in zip(("images", "masks"), zip(*labeled(n, start)))
    }
    np.savez(path, **parts)


def train_atomai(out: Path, seconds: float) -> Path:
    """Train AtomAI unless it was trained for that time, and say how long it took."""
    make_training_set(out / "set.npz")
    model, told = out / "atomai_metadict_final.tar", out / f"atomai_{seconds:.0f}.json"
    if not told.exists():
        # One thread, so that no CPU time goes into waiting for the other.
        told.write_text(atomai("train", out / "set.npz", out / "atomai", seconds, threads=1))
    used = json.loads(told.read_text())
    report("AtomAI", "training, CPU time", used["cpu_s"], "s")
    report("AtomAI", "training, mini-batches of 32", used["cycles"], "1")
    return model


def graphene_by_atomai(model: Path, out: Path) -> None:
    """Report F1 on the graphene images at the middle scale, and at the best of five."""
    from real_truth import GRAPHENE as FOLDER
    from real_truth import published_graphene, sites_of_pixels

    from adatom.io import read_image
    from adatom.localization import compare_sites
    from adatom.schema import pixel_size

    images = {name: read_image(FOLDER / f"{name}.hdf5") for name in GRAPHENE}
    sizes = {
        (name, spacing): round(image.sizes["y"] * spacing / (BOND / pixel_size(image)[0]))
        for name, image in images.items()
        for spacing in SPACINGS
    }
    asked = {f"{name}@{size}": images[name].values for (name, _), size in sizes.items()}
    np.savez(out / "graphene.npz", **asked)
    atomai("predict", model, out / "graphene.npz", out / "found.npz")
    found = np.load(out / "found.npz")
    for name, image in images.items():
        f1 = {}
        for spacing in SPACINGS:
            size = sizes[name, spacing]
            place = (found[f"{name}@{size}"] + 0.5) * image.sizes["y"] / size - 0.5
            if len(place) < 2:
                f1[spacing] = 0.0
                continue
            scores = compare_sites(
                sites_of_pixels(place, image), published_graphene(name, image)
            ).scores
            f1[spacing] = float(scores["f1"][0])
        report("AtomAI", f"F1 on {name}, neighbors {MIDDLE:g} px apart", f1[MIDDLE], "1")
        best = max(f1, key=lambda spacing: f1[spacing])
        report("AtomAI", f"F1 on {name}, best of five scales ({best:g} px)", f1[best], "1")


def graphene_by_adatom(network: str | None) -> None:
    """Report F1 on the graphene images, with nothing told."""
    from real_truth import GRAPHENE as FOLDER
    from real_truth import published_graphene

    from adatom.io import read_image
    from adatom.localization import compare_sites, find_atoms

    for name in GRAPHENE:
        image = read_image(FOLDER / f"{name}.hdf5")
        scores = compare_sites(
            find_atoms(image, method="network", network=network), published_graphene(name, image)
        ).scores
        report("adatom", f"F1 on {name}, nothing told", float(scores["f1"][0]), "1")


def make_large_image(path: Path) -> None:
    from adatom.simulation.training_images import TrainingImages, simulate_training_image

    images = TrainingImages(
        size=LARGE,
        spacing=(MIDDLE, MIDDLE),
        snr=(5.0, 5.0),
        families=("honeycomb",),
        empty=0.0,
        dirty=0.0,
        tunneling=0.0,
    )
    if not path.exists():
        np.save(path, simulate_training_image(images=images, seed=SEED).image.values)


def time_adatom(path: Path, part: str, network: str | None) -> None:
    """Time one part in this process: once to warm up, then the median of three; all once.

    ``network``: network and positions at the scale of the image, which is what
    AtomAI does; ``scale``: the scale is found before; ``all``: `find_atoms`,
    with positions refined and their errors.
    """
    pixels = np.load(path)
    run = {"network": _network_alone, "scale": _with_scale, "all": _find_atoms}[part](
        pixels, network
    )
    wall, cpu = [], []
    for _ in range(1 if part == "all" else 4):
        start, cpu_start = time.perf_counter(), time.process_time()
        n_sites = run()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    told = {
        "wall_s": statistics.median(wall[1:] or wall),
        "cpu_s": statistics.median(cpu[1:] or cpu),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sites": n_sites,
    }
    print(json.dumps(told))


def _network_alone(pixels: NDArray[np.float32], network: str | None) -> Callable[[], int]:
    from adatom.localization.seeing import view_of_image
    from adatom.localization.shipped import chosen_runner

    runner, usable = chosen_runner(None, network), np.ones(pixels.shape, dtype=bool)
    return lambda: len(view_of_image(pixels, usable, runner, factor=1.0).position)


def _with_scale(pixels: NDArray[np.float32], network: str | None) -> Callable[[], int]:
    from adatom.localization.network import predict_sites_of_pixels
    from adatom.localization.shipped import chosen_runner

    runner, usable = chosen_runner(None, network), np.ones(pixels.shape, dtype=bool)
    return lambda: len(predict_sites_of_pixels(pixels, usable, runner, step=(1.0, 1.0)).position)


def _find_atoms(pixels: NDArray[np.float32], network: str | None) -> Callable[[], int]:
    from adatom.localization import find_atoms
    from adatom.schema import image_from_array

    image = image_from_array(pixels)
    return lambda: int(find_atoms(image, method="network", network=network).sizes["site"])


def import_times(command: list[str]) -> float:
    """Give the median time of a process that only imports, without the start of Python."""
    wall = []
    for _ in range(IMPORTS):
        start = time.perf_counter()
        subprocess.run([command[0], "-c", "pass"], check=True)
        middle = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=with_threads(2))
        wall.append(time.perf_counter() - middle - (middle - start))
    return statistics.median(wall)


def compare_times(model: Path, image: Path, network: str | None) -> None:
    """Report times and memory of both, one program after the other."""
    more = () if network is None else ("--network", network)
    parts = {
        "adatom, network and positions": adatom("network", image, *more),
        "adatom, scale found as well": adatom("scale", image, *more),
        "adatom find_atoms, refined": adatom("all", image, *more),
        "AtomAI, network and positions": json.loads(atomai("time", model, image)),
    }
    for program, told in parts.items():
        for key, unit in (("wall_s", "s"), ("cpu_s", "s"), ("peak_mb", "MB"), ("sites", "1")):
            report(program, f"{LARGE} x {LARGE}, {key.split('_')[0]}", told[key], unit)
    path = (
        f"from adatom.localization.shipped import chosen_runner; chosen_runner(None, {network!r})"
    )
    code = f"import adatom.localization as room; room.find_atoms; {path}"
    report("adatom", "import and load", import_times([sys.executable, "-c", code]), "s")
    report("AtomAI", "import", import_times([str(ATOMAI), str(SEGMENT), "import"]), "s")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cpu-minutes", type=float, default=30.0, help="training of AtomAI")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "runs" / "networks")
    parser.add_argument("--network", help="file of another network than the shipped one")
    parser.add_argument("--task", nargs=2, metavar=("PART", "IMAGE"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.task:
        time_adatom(Path(told.task[1]), told.task[0], told.network)
        return
    if not ATOMAI.exists():
        sys.exit("AtomAI is not installed: python benchmarks/peers/setup.py atomai")
    out = told.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    model = train_atomai(out, 60 * told.cpu_minutes)
    graphene_by_atomai(model, out)
    graphene_by_adatom(told.network)
    make_large_image(out / "large.npy")
    compare_times(model, out / "large.npy", told.network)


if __name__ == "__main__":
    main()
