"""A classifier of patches whose answers are known, made without training."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from adatom.numerics.patch_classifier import PatchCard, PatchClassifier
from adatom.numerics.patch_grid import N_GRID, disc

# Logits of a patch that is the template, of spread one.
STEEPNESS = 20.0


def center_classifier(*, diameter: float = 2.0, unit: str = "d") -> PatchClassifier:
    """Give a classifier that tells whether the middle is "bright", "dark" or like all else, "even".

    One convolution over all of the patch, with a spot that has no mean: it
    answers with the contrast between the middle and what surrounds it.
    """
    place = np.arange(N_GRID) - (N_GRID - 1) / 2
    spot = np.exp(-(place[:, None] ** 2 + place**2) / (2 * (N_GRID / 8) ** 2)) * disc()
    spot -= disc() * spot.sum() / disc().sum()
    spot *= STEEPNESS / np.abs(spot).sum()
    kernel = np.stack([spot, -spot, np.zeros_like(spot)])[:, None].astype(np.float32)
    bias = np.array([0.0, 0.0, 0.25 * STEEPNESS], dtype=np.float32)
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["patch", *shape])
        for name, shape in (("patch", (1, N_GRID, N_GRID)), ("logits", (3, 1, 1)))
    ]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["patch", "kernel", "bias"], ["logits"])],
        "centers",
        ports[:1],
        ports[1:],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    card = PatchCard(("bright", "dark", "even"), diameter, unit, (1, 1, 1), version="test")
    return PatchClassifier.from_graph(model.SerializeToString(), card)
