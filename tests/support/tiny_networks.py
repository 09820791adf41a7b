"""Small ONNX networks whose answers are known, of the shape that trained ones have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from adatom.numerics.exported_network import Card, ExportedNetwork

# Sigma, in pixels, of the blobs that the network answers strongest to, and
# half of the side of its window.
SIGMA = 2.2
HALF = 7


def blob_network(*, sigma: float = SIGMA) -> ExportedNetwork:
    """Give a network that finds blobs by their Laplacian, with the position of its peak."""
    return ExportedNetwork.from_graph(
        model(_blob_nodes(), _blob_weights(sigma)).SerializeToString(),
        Card(reach=48, threshold=0.5, scores={"f1": 1.0}, version="test"),
    )


def model(
    nodes: list[NodeProto], weights: dict[str, NDArray[np.generic]], *, n_channels: int = 4
) -> ModelProto:
    """Make an ONNX model with one picture in and maps out."""
    graph = _graph(nodes, weights, n_channels)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made


def _graph(
    nodes: list[NodeProto], weights: dict[str, NDArray[np.generic]], n_channels: int
) -> GraphProto:
    size: list[str | int | None] = ["batch", 1, "rows", "columns"]
    maps: list[str | int | None] = ["batch", n_channels, "cell_rows", "cell_columns"]
    return helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, maps)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )


def _number(value: float) -> NDArray[np.float32]:
    return np.array([value], dtype=np.float32)


def _blob_weights(sigma: float) -> dict[str, NDArray[np.generic]]:
    # A window of even side has its middle where the cell has its center.
    offset = np.arange(2 * HALF) - HALF + 0.5
    squared = (offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * sigma**2)
    kernel = (1 - squared) * np.exp(-squared)
    kernel -= kernel.mean()
    kernel /= np.abs(kernel).sum()
    slopes = np.zeros((4, 1, 3, 3), dtype=np.float32)
    slopes[0, 0, [0, 2], 1] = [-0.5, 0.5]
    slopes[1, 0, 1, [0, 2]] = [-0.5, 0.5]
    slopes[2, 0, :, 1] = [-1, 2, -1]
    slopes[3, 0, 1, :] = [-1, 2, -1]
    return {
        "kernel": kernel[None, None].astype(np.float32),
        "slopes": slopes,
        "tiny": _number(1e-3),
        "far": _number(-1.5),
        "farther": _number(1.5),
        "steep": _number(60.0),
        "least": _number(0.08),
        "peaked": _number(200.0),
        "two": np.array([2, 2], dtype=np.int64),
    }


def _blob_nodes() -> list[NodeProto]:
    """Chain: response, its highest around, slopes over curvatures, logits."""
    around = [HALF - 1, HALF - 1, HALF, HALF]
    node = helper.make_node
    return [
        node("Conv", ["picture", "kernel"], ["response"], strides=[2, 2], pads=around),
        node("MaxPool", ["response"], ["highest"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("MaxPool", ["response"], ["widest"], kernel_shape=[9, 9], pads=[4, 4, 4, 4]),
        node("Conv", ["response", "slopes"], ["derivatives"], pads=[1, 1, 1, 1]),
        node("Split", ["derivatives", "two"], ["slope", "curvature"], axis=1),
        node("Max", ["curvature", "tiny"], ["bend"]),
        node("Div", ["slope", "bend"], ["far_off"]),
        node("Max", ["far_off", "far"], ["less_far"]),
        node("Min", ["less_far", "farther"], ["offset"]),
        node("Sub", ["response", "highest"], ["below"]),
        node("Mul", ["below", "peaked"], ["below_peak"]),
        node("Sub", ["response", "least"], ["above"]),
        node("Mul", ["above", "steep"], ["strength"]),
        node("Add", ["below_peak", "strength"], ["center"]),
        node("Sub", ["widest", "least"], ["above_wide"]),
        node("Mul", ["above_wide", "steep"], ["lattice"]),
        node("Concat", ["center", "offset", "lattice"], ["maps"], axis=1),
    ]
