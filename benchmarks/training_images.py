"""CPU milliseconds for one labeled image of 256x256 px, by what is drawn.

Run ``python benchmarks/training_images.py``: one JSON line a figure. On two cores
50 images a second are made where one takes 40 ms.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np

from adatom.simulation import TrainingImages, simulate_training_image
from adatom.simulation.training_images import empty_images, held_out_images

STREAMS = {
    "default": TrainingImages(),
    "default, larger or smaller by scale": TrainingImages(scale=(0.6, 2.5)),
    "6 px between atoms": TrainingImages(spacing=(6.0, 6.0), empty=0.0),
    "all dirty": TrainingImages(dirty=1.0, empty=0.0),
    "held out": held_out_images(),
    "empty": empty_images(),
    "512x512": replace(TrainingImages(), size=512),
}
N_IMAGES = 60


def main() -> None:
    for name, images in STREAMS.items():
        simulate_training_image(images=images)
        times = []
        for index in range(N_IMAGES):
            start = time.process_time()
            simulate_training_image(images=images, seed=1, index=index)
            times.append(1e3 * (time.process_time() - start))
        figures = {"mean_ms": np.mean(times), "slowest_ms": np.max(times)}
        print(json.dumps({"stream": name, **{k: round(float(v), 1) for k, v in figures.items()}}))


if __name__ == "__main__":
    main()
