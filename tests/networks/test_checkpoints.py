"""States of trainings: read back, and refused where this version does not know them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adatom.errors import StoreError
from adatom.networks import checkpoints
from adatom.networks.checkpoints import Checkpoint, find_checkpoint, write_checkpoint

pytest.importorskip("safetensors", reason="states are kept by safetensors")

STATE = Checkpoint({"width": 4}, {"step": 3}, {"weight": np.arange(3, dtype=np.float32)})


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, STATE)
    back = find_checkpoint(tmp_path, STATE.identity)
    assert back is not None
    assert (back.identity, back.numbers) == (STATE.identity, STATE.numbers)
    np.testing.assert_array_equal(back.tensors["weight"], STATE.tensors["weight"])


def test_a_state_of_another_layout_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "FORMAT", "2")
    write_checkpoint(tmp_path, STATE)
    monkeypatch.undo()
    refused = r"has layout '2', this version of adatom reads layout '1': go on with the version"
    with pytest.raises(StoreError, match=refused) as caught:
        find_checkpoint(tmp_path, STATE.identity)
    assert "damaged" not in str(caught.value)


def test_a_state_without_a_layout_is_damaged(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    metadata = {"identity": "{}", "numbers": "{}"}
    save_file(STATE.tensors, tmp_path / checkpoints.FILE, metadata)
    with pytest.raises(StoreError, match=r"is damaged .*'format'"):
        find_checkpoint(tmp_path, {})
