"""AtomAI's part of ``networks.py``; run by the environment in this folder, called by that script.

    python segment.py train SET.npz NAME CPU_SECONDS
    python segment.py predict MODEL.tar IMAGES.npz FOUND.npz
    python segment.py time MODEL.tar IMAGE.npy

AtomAI is called as its documentation shows. It imports torchvision for ready-made
classifiers and for a grid of pictures; neither is used here, and an empty module
stands in for it, which makes AtomAI's import a little faster than it is for others.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import types
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from atomai.models import Segmentor
    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Mini-batches by which the time of one is measured, and of which it averages the last weights.
TIMED, AVERAGED = 8, 30


def stand_in_for_torchvision() -> None:
    """Let ``import atomai`` pass where torchvision is not installed."""

    def missing(*_: object, **__: object) -> None:
        msg = "torchvision is not installed"
        raise RuntimeError(msg)

    names = {"models": ("mobilenet_v2", "resnet50", "vgg16"), "utils": ("make_grid",)}
    package = sys.modules["torchvision"] = types.ModuleType("torchvision")
    for name, functions in names.items():
        module = types.ModuleType(f"torchvision.{name}")
        for function in functions:
            setattr(module, function, missing)
        sys.modules[f"torchvision.{name}"] = module
        setattr(package, name, module)


def train(images: Path, model: Path, seconds: float) -> None:
    """Train the U-Net of a Segmentor, by its defaults, for so many seconds of CPU time."""
    held = np.load(images)
    cost = _fit(held, model, cycles=TIMED) / TIMED
    cycles = max(int(seconds / cost) - TIMED, AVERAGED)
    used = _fit(held, model, cycles=cycles)
    print(json.dumps({"cycles": cycles, "cpu_s": used, "cpu_s_a_cycle": used / cycles}))


def _fit(held: NpzFile, model: Path, *, cycles: int) -> float:
    import atomai as aoi

    start = time.process_time()
    segmentor = aoi.models.Segmentor("Unet", nb_classes=1)
    segmentor.fit(
        held["images"],
        held["masks"],
        held["test_images"],
        held["test_masks"],
        training_cycles=cycles,
        # Averaging of weights and flips with quarter turns, as in its examples.
        swa=cycles >= AVERAGED,
        rotation=True,
        filename=str(model),
        plot_training_history=False,
    )
    return time.process_time() - start


def predict(model: Path, images: Path, found: Path) -> None:
    """Find atoms in all images of an archive: (row, column) in the resized image.

    The name of an image ends in the rows and columns to which it is resized: ``NAME@256``.
    """
    import atomai as aoi

    segmentor = aoi.load_model(str(model))
    with np.load(images) as held:
        np.savez(
            found,
            **{name: _positions(segmentor, held[name], int(name.split("@")[1])) for name in held},
        )


def _positions(segmentor: Segmentor, image: Floats, size: int) -> Floats:
    """Find atoms in an image that is resized to so many rows and columns."""
    return segmentor.predict(image, resize=(size, size), verbose=False)[1][0][:, :2]


def measure_time(model: Path, image: Path) -> None:
    """Time an inference with its positions: once to warm up, then the median of three."""
    import atomai as aoi

    pixels = np.load(image)
    segmentor = aoi.load_model(str(model))
    wall, cpu = [], []
    for _ in range(4):
        start, cpu_start = time.perf_counter(), time.process_time()
        sites = segmentor.predict(pixels, verbose=False)[1][0]
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"wall_s": float(np.median(wall[1:])), "cpu_s": float(np.median(cpu[1:]))}
    print(json.dumps(told | {"peak_mb": peak, "sites": len(sites)}))


def main() -> None:
    """Do one task."""
    warnings.simplefilter("ignore")
    stand_in_for_torchvision()
    task, *words = sys.argv[1:]
    if task == "train":
        train(Path(words[0]), Path(words[1]), float(words[2]))
    elif task == "predict":
        predict(*map(Path, words))
    elif task == "time":
        measure_time(*map(Path, words))
    elif task == "import":
        import atomai  # noqa: F401


if __name__ == "__main__":
    main()
