"""Small calls of the steps that make labeled images."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

from adatom.simulation import TrainingImages, simulate_training_image

_SMALL = TrainingImages(size=48, spacing=(6.0, 9.0))

EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_training_image": lambda: Example((), {"images": _SMALL}),
    "simulation.training_image_from_manifest": lambda: Example(
        (simulate_training_image(images=_SMALL, seed=2).manifest,)
    ),
}
