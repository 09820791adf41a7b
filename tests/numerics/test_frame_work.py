"""Work on frames: in order, kept where a folder is lent, gone on with after a stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.frame_work import work_on_frames
from adatom.numerics.long_work import lend_long_work


class _Work:
    """Squares of the frame's number, which fails once at a frame."""

    def __init__(self, fails_at: int = -1) -> None:
        self.done: list[int] = []
        self.fails_at = fails_at

    def __call__(self, number: int) -> dict[str, np.ndarray]:
        if number == self.fails_at:
            raise KeyboardInterrupt
        self.done.append(number)
        return {"square": np.array([number**2]), "text": np.array(f"frame {number}")}


def _squares(work: _Work, n: int) -> list[int]:
    return [int(one["square"][0]) for one in work_on_frames(n, work)]


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3)])
def test_results_come_in_order_whoever_works(executor: SerialExecutor | ThreadExecutor) -> None:
    with use_executor(executor):
        assert _squares(_Work(), 50) == [k**2 for k in range(50)]


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    first, second = _Work(fails_at=40), _Work()
    with (
        use_executor(SerialExecutor()),
        lend_long_work(tmp_path / "kept"),
        pytest.raises(KeyboardInterrupt),
    ):
        _squares(first, 50)
    with use_executor(SerialExecutor()), lend_long_work(tmp_path / "kept"):
        assert _squares(second, 50) == [k**2 for k in range(50)]
    assert second.done == list(range(32, 50))
    with lend_long_work(tmp_path / "kept"):
        again = list(work_on_frames(50, _Work(fails_at=0)))
    assert [str(one["text"]) for one in again] == [f"frame {k}" for k in range(50)]


def test_what_cannot_be_read_is_done_again(tmp_path: Path) -> None:
    with lend_long_work(tmp_path):
        _squares(_Work(), 20)
        kept = sorted(tmp_path.glob("*.npz"))
        assert len(kept) == 2
        kept[0].write_bytes(kept[0].read_bytes()[:100])
        kept[1].write_bytes(b"")
        assert _squares(_Work(), 20) == [k**2 for k in range(20)]


def test_progress_is_told() -> None:
    heard: list[tuple[int, int]] = []
    with lend_long_work(listener=lambda done, total, *_: heard.append((done, total))):
        _squares(_Work(), 40)
    assert heard == [(16, 40), (32, 40), (40, 40)]
