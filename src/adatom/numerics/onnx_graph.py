"""What an ONNX file holds, read without running it and without the onnx package."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adatom.numerics.protobuf_fields import Field, fields_of_message, length_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Field numbers of onnx.proto3 (ONNX 1.18), https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
_MODEL: Final = {"graph": 7, "opset_import": 8, "metadata_props": 14}
_MODEL_OTHERS: Final = frozenset({1, 2, 3, 4, 5, 6})  # versions, names, remarks
_GRAPH: Final = {"node": 1, "initializer": 5, "input": 11, "output": 12}
_GRAPH_OTHERS: Final = frozenset({2, 10, 13, 16})  # name, remarks, shapes within
_NODE: Final = {"op_type": 4, "attribute": 5, "domain": 7}
_NODE_OTHERS: Final = frozenset({1, 2, 3, 6, 9})  # names of inputs, outputs, remarks
_ATTRIBUTE_TENSOR: Final = 5
# Numbers and texts, single and in lists, name, kind, remarks; graphs within are not among them.
_ATTRIBUTE_OTHERS: Final = frozenset({1, 2, 3, 4, 7, 8, 9, 13, 20})
_TENSOR_NAME, _TENSOR_TYPE = 8, 2
_TENSOR_OUTSIDE: Final = {13: "external_data", 14: "data_location"}
_FLOAT32: Final = 1
_TEXT_TENSOR: Final = 8

OPERATORS: Final = frozenset(
    {"Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv"}
    | {"ConvTranspose", "DepthToSpace", "Div", "Elu", "Exp", "Gather", "Gelu", "Gemm", "Floor"}
    | {"GlobalAveragePool", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity", "Log"}
    | {"InstanceNormalization", "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg"}
    | {"PRelu", "Pad", "Pow", "Reciprocal", "ReduceMean", "Relu", "Reshape", "Resize", "Shape"}
    | {"Sigmoid", "Slice", "Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Tanh"}
    | {"Transpose", "Unsqueeze", "Upsample"}
)
"""What fully convolutional networks are made of: arithmetic, no loops, no files, no own code."""


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Attributes
    ----------
    name : str
    is_float32 : bool
    sizes : tuple of int or None
        None along an axis of any size; empty where the graph does not say.
    """

    name: str
    is_float32: bool
    sizes: tuple[int | None, ...]


@dataclass(frozen=True)
class GraphSummary:
    """What an ONNX file holds, apart from its numbers.

    Attributes
    ----------
    inputs, outputs : tuple of Port
        What is put in at each run, and what comes out.
    operators : mapping
        How often each operator stands in the graph.
    metadata : mapping
        Texts that the file carries.
    bare : bytes
        The file without its metadata.
    hash : str
        SHA-256 of `bare`, hexadecimal.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: Mapping[str, int]
    metadata: Mapping[str, str]
    bare: bytes
    hash: str


def graph_summary(model: bytes, /) -> GraphSummary:
    """Read what an ONNX file holds and refuse what a network has no need of.

    Raises
    ------
    ValueError
        If the bytes are no ONNX model; if it has operators outside of
        `OPERATORS`, of other domains or of its own, graphs within graphs, or
        tensors that lie in other files. The text says which.
    """
    graphs: list[memoryview] = []
    metadata: dict[str, str] = {}
    bare: list[memoryview] = []
    view = memoryview(model)
    for part in fields_of_message(view):
        if part.number == _MODEL["metadata_props"]:
            key, value = _entry(_bytes(part))
            if key in metadata:
                msg = f"its metadata has {key!r} twice"
                raise ValueError(msg)
            metadata[key] = value
            continue
        if part.number == _MODEL["graph"]:
            graphs.append(_bytes(part))
        elif part.number == _MODEL["opset_import"]:
            _check_domain(_text_of(_bytes(part), 1))
        elif part.number not in _MODEL_OTHERS:
            msg = (
                f"it has field {part.number}, that no network needs: it is another kind of file, "
                "or has functions or training in it"
            )
            raise ValueError(msg)
        bare.append(view[part.start : part.end])
    if len(graphs) != 1:
        msg = f"it holds {len(graphs)} graphs, need one: this is no ONNX model"
        raise ValueError(msg)
    inputs, outputs, operators = _graph(graphs[0])
    kept = b"".join(bare)
    return GraphSummary(
        inputs, outputs, operators, metadata, kept, hashlib.sha256(kept).hexdigest()
    )


def model_with_metadata(bare: bytes, metadata: Mapping[str, str], /) -> bytes:
    """Append texts to an ONNX model; fields of a message may stand in any order."""
    entries = [
        length_field(1, key.encode()) + length_field(2, value.encode())
        for key, value in metadata.items()
    ]
    return bare + b"".join(length_field(_MODEL["metadata_props"], entry) for entry in entries)


def _graph(
    graph: memoryview,
) -> tuple[tuple[Port, ...], tuple[Port, ...], Mapping[str, int]]:
    inputs, outputs, constants = [], [], set()
    operators: Counter[str] = Counter()
    for part in fields_of_message(graph):
        if part.number == _GRAPH["node"]:
            operators[_operator(_bytes(part))] += 1
        elif part.number == _GRAPH["initializer"]:
            constants.add(_tensor_name(_bytes(part)))
        elif part.number == _GRAPH["input"]:
            inputs.append(_port(_bytes(part)))
        elif part.number == _GRAPH["output"]:
            outputs.append(_port(_bytes(part)))
        elif part.number not in _GRAPH_OTHERS:
            msg = f"its graph has field {part.number}, as of sparse or quantized tensors"
            raise ValueError(msg)
    # Old files list the weights among the inputs as well.
    asked = tuple(port for port in inputs if port.name not in constants)
    return asked, tuple(outputs), dict(operators)


def _operator(node: memoryview) -> str:
    name = ""
    for part in fields_of_message(node):
        if part.number == _NODE["op_type"]:
            name = _text(part)
        elif part.number == _NODE["domain"]:
            _check_domain(_text(part))
        elif part.number == _NODE["attribute"]:
            _check_attribute(_bytes(part))
        elif part.number not in _NODE_OTHERS:
            msg = f"one of its operators has field {part.number}, as of functions of its own"
            raise ValueError(msg)
    if name not in OPERATORS:
        msg = f"it has the operator {name!r}, which is not among those of convolutional networks"
        raise ValueError(msg)
    return name


def _check_attribute(attribute: memoryview) -> None:
    for part in fields_of_message(attribute):
        if part.number == _ATTRIBUTE_TENSOR:
            _tensor_name(_bytes(part))
        elif part.number not in _ATTRIBUTE_OTHERS:
            msg = f"an attribute has field {part.number}, as of graphs within the graph"
            raise ValueError(msg)


def _tensor_name(tensor: memoryview) -> str:
    name = ""
    for part in fields_of_message(tensor):
        # A location of 0 is the file itself.
        if part.number in _TENSOR_OUTSIDE and part.value != 0:
            msg = f"a tensor lies in another file ({_TENSOR_OUTSIDE[part.number]})"
            raise ValueError(msg)
        if part.number == _TENSOR_TYPE and part.value == _TEXT_TENSOR:
            msg = "a tensor holds texts"
            raise ValueError(msg)
        if part.number == _TENSOR_NAME:
            name = _text(part)
    return name


def _port(value_info: memoryview) -> Port:
    name, kind = "", None
    for part in fields_of_message(value_info):
        if part.number == 1:
            name = _text(part)
        elif part.number == 2:
            kind = _only(_bytes(part), 1)
    if kind is None:
        return Port(name, False, ())
    sizes: list[int | None] = []
    is_float32 = False
    for part in fields_of_message(kind):
        if part.number == 1:
            is_float32 = part.value == _FLOAT32
        elif part.number == 2:
            sizes = [_size(_bytes(dim)) for dim in fields_of_message(_bytes(part))]
    return Port(name, is_float32, tuple(sizes))


def _size(dim: memoryview) -> int | None:
    sizes = [part.value for part in fields_of_message(dim) if part.number == 1]
    return sizes[-1] if sizes and isinstance(sizes[-1], int) else None


def _only(message: memoryview, number: int) -> memoryview | None:
    found = [part for part in fields_of_message(message) if part.number == number]
    return _bytes(found[-1]) if found else None


def _check_domain(domain: str) -> None:
    if domain not in {"", "ai.onnx"}:
        msg = f"it needs operators of the domain {domain!r}, which are not part of ONNX"
        raise ValueError(msg)


def _entry(entry: memoryview) -> tuple[str, str]:
    return _text_of(entry, 1), _text_of(entry, 2)


def _text_of(message: memoryview, number: int) -> str:
    found: Iterator[str] = (
        _text(part) for part in fields_of_message(message) if part.number == number
    )
    return next(found, "")


def _text(part: Field) -> str:
    return bytes(_bytes(part)).decode()


def _bytes(part: Field) -> memoryview:
    if isinstance(part.value, int):
        msg = f"field {part.number} is a number, need bytes: this is no ONNX model"
        raise ValueError(msg)  # noqa: TRY004 -- of the contents, not of an argument
    return part.value
