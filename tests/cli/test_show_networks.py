"""``adatom show`` on files of networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_networks import blob_network

from adatom.cli import main


def test_the_card_of_an_exported_network_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = blob_network()
    network.save(tmp_path / "blobs.onnx")
    assert main(["show", str(tmp_path / "blobs.onnx")]) == 0
    told = capsys.readouterr().out
    assert "exported network" in told
    assert f"hash: {network.card.hash}" in told


def test_a_file_that_only_ends_like_a_network_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.onnx").write_bytes(b"no network at all")
    assert main(["show", str(tmp_path / "other.onnx")]) == 2
    assert "other.onnx" in capsys.readouterr().err


@pytest.mark.network
def test_weights_tell_their_architecture_and_what_they_were_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="weights need torch: pip install 'adatom[train]'")
    from adatom.networks import Architecture, Trainer

    Trainer(Architecture(width=4), seed=3).untrained().save(tmp_path / "new.safetensors")
    assert main(["show", str(tmp_path / "new.safetensors")]) == 0
    told = capsys.readouterr().out
    assert "weights of a network" in told
    assert "width: 4" in told
    assert "seed: 3" in told
