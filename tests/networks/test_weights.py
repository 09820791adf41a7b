"""Files of weights: read back exactly, and refused where they are not what they seem."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_trainings import same_tensors, trainer

from adatom.errors import KindError, StoreError, WriteError
from adatom.networks import TrainedNetwork, TrainingCard, read_network

pytest.importorskip("torch", reason="networks need torch: pip install 'adatom[train]'")

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def network() -> TrainedNetwork:
    """Give a network with its first weights."""
    made = trainer().untrained()
    card = replace(
        made.card,
        scores={"f1": 0.5},
        calibration=((0.1, 0.0), (0.9, 1.0)),
        history=({"step": 1.0, "loss": 2.0},),
    )
    return replace(made, card=card)


@pytest.fixture
def file(network: TrainedNetwork, tmp_path: Path) -> Path:
    """Give its file."""
    path = tmp_path / "network.safetensors"
    network.save(path)
    return path


def test_a_network_comes_back_as_it_was(network: TrainedNetwork, file: Path) -> None:
    back = read_network(file)
    assert same_tensors(back, network)
    assert back.architecture == network.architecture
    assert back.card == network.card


def test_the_same_network_gives_the_same_file(network: TrainedNetwork, file: Path) -> None:
    network.save(file.with_name("again"))
    assert file.read_bytes() == file.with_name("again").read_bytes()


def test_a_disk_that_fails_in_the_middle_leaves_the_file_before(
    network: TrainedNetwork, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def full(_: int) -> None:
        msg = "no space left"
        raise OSError(msg)

    monkeypatch.setattr(os, "fsync", full)
    other = replace(network, card=replace(network.card, scores={"f1": 0.6}))
    with pytest.raises(WriteError, match="no space left"):
        other.save(file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_cannot_be_written_is_told(network: TrainedNetwork, tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot write the network"):
        network.save(tmp_path / "no folder" / "network.safetensors")


def _changed_header(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


def _changed_card(file: Path, **changes: object) -> None:
    def change(header: dict[str, Any]) -> None:
        told = json.loads(header["__metadata__"]["adatom"])
        told["card"] |= changes
        header["__metadata__"]["adatom"] = json.dumps(told)

    _changed_header(file, change)


def test_changed_weights_are_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"is refused: its tensors have hash \w+, its card tells"):
        read_network(file)


def test_another_hash_is_refused(file: Path) -> None:
    _changed_card(file, sha256="0" * 64)
    with pytest.raises(StoreError, match="its card tells 000000000000"):
        read_network(file)


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1, -4096])
def test_a_file_that_is_cut_off_is_refused(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(StoreError, match="is refused"):
        read_network(file)


def test_a_huge_header_is_not_read(file: Path) -> None:
    size = 5 * 2**20
    file.write_bytes(size.to_bytes(8, "little") + b" " * size)
    with pytest.raises(StoreError, match="its header has 5242880 bytes"):
        read_network(file)


def test_a_header_nested_without_end_is_refused(file: Path) -> None:
    text = b"[" * 10**6
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(StoreError, match="its header is not JSON"):
        read_network(file)


def test_tensors_of_another_program_are_refused(file: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3, np.float32)}, file)
    with pytest.raises(StoreError, match="it has no card of adatom"):
        read_network(file)


def _with_tensors(network: TrainedNetwork, file: Path, **tensors: Any) -> None:
    merged = {**network.tensors, **tensors}
    kept = {name: values for name, values in merged.items() if values is not None}
    replace(network, tensors=kept).save(file)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"heads.bias": None}, "1 missing, such as 'heads.bias'"),
        ({"more": np.zeros(2, np.float32)}, "1 unexpected, such as 'more'"),
        ({"heads.bias": np.zeros(5, np.float32)}, r"of shape \(5,\), its architecture needs"),
        ({"heads.bias": np.zeros(4, np.int64)}, "is int64 .* needs float32"),
        ({"heads.bias": np.zeros(4, np.float64)}, "'heads.bias' is F64, need F32 or I64"),
        ({"heads.bias": np.full(4, np.nan, np.float32)}, "values that are no numbers"),
    ],
)
def test_tensors_of_another_architecture_are_refused(
    network: TrainedNetwork, file: Path, tensors: dict[str, Any], told: str
) -> None:
    _with_tensors(network, file, **tensors)
    with pytest.raises(StoreError, match=told):
        read_network(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_steps": "many"}, {"threshold": None}, {"calibration": [[1, 2, 3]]}, {"scores": []},
        {"spacings": [6]}, {"history": [1]}, {"more": 1}, {"trained_on": 3},
    ],
)  # fmt: skip
def test_an_odd_card_is_refused(file: Path, changes: dict[str, Any]) -> None:
    _changed_card(file, **changes)
    with pytest.raises(StoreError, match="card"):
        read_network(file)


@pytest.mark.parametrize(
    "architecture",
    [{"kind": "huge"}, {"width": 10**6}, {"width": "8"}, {"depth": 3}, {"classes": 5}, [1, 2], 7],
)
def test_an_architecture_that_cannot_be_built_is_refused(file: Path, architecture: Any) -> None:
    def change(header: dict[str, Any]) -> None:
        told = json.loads(header["__metadata__"]["adatom"])
        told["architecture"] = architecture
        header["__metadata__"]["adatom"] = json.dumps(told)

    _changed_header(file, change)
    with pytest.raises(StoreError, match=r"its architecture cannot be built|are not those of"):
        read_network(file)


def test_whatever_byte_is_damaged_the_file_is_refused_or_the_same(
    network: TrainedNetwork, file: Path
) -> None:
    content = file.read_bytes()
    rng = np.random.default_rng(8)
    header = int.from_bytes(content[:8], "little")
    # Most of them in the header, where there is something to misunderstand.
    places = [*range(8), *rng.integers(8, header, 120), *rng.integers(header, len(content), 12)]
    for place in map(int, places):
        damaged = bytearray(content)
        damaged[place] = int(rng.integers(256))
        file.write_bytes(damaged)
        try:
            back = read_network(file)
        except StoreError:
            continue
        # Damage to the words of a card cannot be told; weights are the same.
        assert same_tensors(back, network)


def test_a_card_of_unknown_parts_is_refused() -> None:
    with pytest.raises(StoreError, match="the card has"):
        TrainingCard.from_json({"n_steps": 3})


def test_only_paths_are_read() -> None:
    with pytest.raises(KindError, match="found int, need the path"):
        read_network(5)  # type: ignore[arg-type]
