"""Exported networks: written, read back, and refused where they are not what they seem."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, checker, helper, load_from_string, numpy_helper
from tiny_networks import blob_network, model

from adatom.errors import ReadError, SettingError
from adatom.numerics.exported_network import CARD_KEY, Card, ExportedNetwork
from adatom.numerics.onnx_graph import graph_summary


@pytest.fixture(scope="module")
def network() -> ExportedNetwork:
    return blob_network()


def _changed(network: ExportedNetwork) -> ModelProto:
    return load_from_string(network.graph)


def _refusal(changed: ModelProto) -> str:
    with pytest.raises(SettingError) as refused:
        ExportedNetwork.from_graph(changed.SerializeToString(), Card())
    return str(refused.value)


def test_a_network_comes_back_from_its_file(network: ExportedNetwork, tmp_path: Path) -> None:
    network.save(tmp_path / "a.onnx")
    assert ExportedNetwork.load(tmp_path / "a.onnx") == network
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_the_file_is_a_valid_onnx_model_with_the_card_in_its_metadata(
    network: ExportedNetwork,
) -> None:
    stored = load_from_string(network.to_bytes())
    checker.check_model(stored)
    card = {entry.key: entry.value for entry in stored.metadata_props}[CARD_KEY]
    assert json.loads(card)["hash"] == network.card.hash


def test_a_full_card_comes_back(network: ExportedNetwork) -> None:
    card = Card(
        channels=("center", "offset_y", "offset_x", "lattice", "class:W", "class:Se", "cos", "sin"),
        symmetry=3,
        calibration=((0.1, 0.0), (0.5, 0.8), (0.9, 0.99)),
        trained_on='{"seed": 1}',
        scores={"f1": 0.98},
        hash="ab",
    )
    assert Card.from_json(card.to_json()) == card
    assert card.classes == ("W", "Se")
    assert network.card.classes == ()


def test_the_reader_counts_operators_as_onnx_does(network: ExportedNetwork) -> None:
    nodes = _changed(network).graph.node
    counted = graph_summary(network.graph).operators
    assert sum(counted.values()) == len(nodes)
    assert counted["Conv"] == sum(node.op_type == "Conv" for node in nodes)


def test_one_changed_weight_is_noticed(network: ExportedNetwork) -> None:
    changed = bytearray(network.to_bytes())
    kernel = _changed(network).graph.initializer[0].raw_data
    changed[bytes(changed).index(kernel)] ^= 1
    with pytest.raises(SettingError, match="damaged or was changed"):
        ExportedNetwork.from_bytes(bytes(changed))


def test_a_file_without_a_card_is_refused_and_told_how_to_get_one(
    network: ExportedNetwork, tmp_path: Path
) -> None:
    (tmp_path / "bare.onnx").write_bytes(network.graph)
    with pytest.raises(ReadError, match=r"bare.onnx.*no card.*export_network"):
        ExportedNetwork.load(tmp_path / "bare.onnx")


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "0 graphs"),
        (b"\x80\x02K\x01.", "no network that is safe"),
        (b"not an onnx file at all", "no network that is safe"),
        (b"\xff" * 64, "no network that is safe"),
    ],
)
def test_what_is_no_onnx_model_is_refused(contents: bytes, reason: str) -> None:
    with pytest.raises(SettingError, match=reason):
        ExportedNetwork.from_bytes(contents)


def test_every_truncated_file_is_refused(network: ExportedNetwork) -> None:
    contents = network.to_bytes()
    for end in range(0, len(contents), 97):
        with pytest.raises(SettingError):
            ExportedNetwork.from_bytes(contents[:end])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"nowhere\.onnx cannot be read"):
        ExportedNetwork.load(tmp_path / "nowhere.onnx")


def test_tensors_in_other_files_are_refused(network: ExportedNetwork) -> None:
    changed = _changed(network)
    tensor = changed.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    assert "another file" in _refusal(changed)


def test_tensors_in_other_files_are_refused_in_attributes_too(network: ExportedNetwork) -> None:
    changed = _changed(network)
    tensor = numpy_helper.from_array(np.ones(1, dtype=np.float32), "c")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    changed.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    assert "another file" in _refusal(changed)


def test_operators_of_other_domains_are_refused(network: ExportedNetwork) -> None:
    changed = _changed(network)
    changed.graph.node[0].domain = "com.microsoft"
    assert "com.microsoft" in _refusal(changed)
    changed = _changed(network)
    changed.opset_import.add(domain="ai.onnx.contrib", version=1)
    assert "ai.onnx.contrib" in _refusal(changed)


@pytest.mark.parametrize("operator", ["Loop", "If", "Scan", "RandomNormal", "PyOp", ""])
def test_operators_outside_of_the_list_are_refused(network: ExportedNetwork, operator: str) -> None:
    changed = _changed(network)
    changed.graph.node[1].op_type = operator
    assert repr(operator) in _refusal(changed)


def test_graphs_within_graphs_are_refused(network: ExportedNetwork) -> None:
    changed = _changed(network)
    inner = _changed(network).graph
    changed.graph.node[1].attribute.add(name="body").g.CopyFrom(inner)
    assert "graphs within the graph" in _refusal(changed)


def test_functions_of_its_own_are_refused(network: ExportedNetwork) -> None:
    changed = _changed(network)
    changed.functions.add(name="Relu", domain="")
    assert "functions" in _refusal(changed)


def test_a_second_input_is_refused(network: ExportedNetwork) -> None:
    changed = _changed(network)
    changed.graph.input.add().CopyFrom(
        helper.make_tensor_value_info("more", TensorProto.FLOAT, [1])
    )
    assert "2 arrays (picture, more) as input" in _refusal(changed)


def test_weights_listed_among_the_inputs_as_in_old_files_are_no_inputs(
    network: ExportedNetwork,
) -> None:
    changed = _changed(network)
    changed.graph.input.add().CopyFrom(
        helper.make_tensor_value_info("kernel", TensorProto.FLOAT, [1, 1, 14, 14])
    )
    ExportedNetwork.from_graph(changed.SerializeToString(), Card())


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (TensorProto.FLOAT, ["b", 3, "y", "x"]),
        (TensorProto.FLOAT, ["b", 1, 256, 256]),
        (TensorProto.FLOAT, ["y", "x"]),
        (TensorProto.DOUBLE, ["b", 1, "y", "x"]),
        (TensorProto.FLOAT16, ["b", 1, "y", "x"]),
    ],
)
def test_an_input_of_another_shape_or_type_is_refused(
    network: ExportedNetwork, kind: int, size: list[str | int]
) -> None:
    changed = _changed(network)
    changed.graph.input[0].CopyFrom(helper.make_tensor_value_info("picture", kind, size))
    assert "as input, need one float32 array (batch, 1, y, x)" in _refusal(changed)


def test_maps_that_the_card_does_not_name_are_refused(network: ExportedNetwork) -> None:
    card = Card(channels=("center", "offset_y", "offset_x", "lattice", "class:a", "class:b"))
    with pytest.raises(SettingError, match=r"as output, need one float32 array \(batch, 6, y, x\)"):
        ExportedNetwork.from_graph(network.graph, card)


def test_metadata_of_an_exporter_are_left_out_of_the_graph(network: ExportedNetwork) -> None:
    changed = _changed(network)
    changed.metadata_props.add(key="producer", value="x" * 100)
    again = ExportedNetwork.from_graph(changed.SerializeToString(), network.card)
    assert again == network


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"channels": ("center",)}, "channels"),
        ({"channels": ("center", "offset_y", "offset_x", "lattice", "what")}, "channels"),
        ({"stride": 3}, "stride=3"),
        ({"stride": True}, "stride=True"),
        ({"reach": -1}, "reach=-1"),
        ({"distances": (14.0, 6.0)}, "rising"),
        ({"threshold": 1.0}, "threshold=1.0"),
        ({"calibration": ((0.5, 0.5), (0.4, 0.6))}, "must rise"),
        ({"calibration": ((0.5, float("nan")),)}, "pairs of numbers"),
        ({"symmetry": 3}, "with a symmetry"),
        ({"scores": {"f1": "good"}}, "scores"),
    ],
)
def test_a_card_that_no_prediction_could_follow_is_refused(
    odd: dict[str, object], reason: str
) -> None:
    with pytest.raises(SettingError, match=reason):
        Card(**odd)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"format": 2}', "of layout 2"),
        ('{"format": 1, "colour": 3}', "colour"),
        ('{"stride": 2}', "format"),
    ],
)
def test_what_is_no_card_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SettingError, match=reason):
        Card.from_json(text)


def test_a_card_of_another_network_is_refused(network: ExportedNetwork) -> None:
    with pytest.raises(SettingError, match="hash"):
        ExportedNetwork(network.graph, dataclasses.replace(network.card, hash="0" * 64))


def test_a_graph_may_be_made_of_any_convolutional_operators() -> None:
    nodes = [
        helper.make_node("Conv", ["picture", "k"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["maps"]),
    ]
    made = model(nodes, {"k": np.ones((4, 1, 2, 2), dtype=np.float32)})
    assert ExportedNetwork.from_graph(made.SerializeToString(), Card()).card.hash
