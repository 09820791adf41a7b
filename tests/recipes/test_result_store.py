"""The store: whole results or none, damage seen, several processes at once."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adatom.errors import AdatomWarning, StoreError
from adatom.recipes.cache import ResultStore, write_text_atomic
from adatom.schema import table_from_columns

KEY = "ab" + 62 * "0"
TABLE = table_from_columns({"value": np.arange(100.0)})


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "store")


def test_what_is_added_is_found(store: ResultStore) -> None:
    assert store.find(KEY) is None
    with store:
        store.add(KEY, TABLE, {"step": "trial.draw"})
    found = ResultStore(store.folder).find(KEY)
    assert found is not None
    assert found.load().identical(TABLE)
    assert found.origin == {"step": "trial.draw"}


def test_a_closed_store_leaves_no_drafts(store: ResultStore) -> None:
    with store:
        store.add(KEY, TABLE, {})
    assert list((store.folder / "drafts").iterdir()) == []


def files_of(store: ResultStore) -> list[Path]:
    return sorted(path for path in (store.folder / "ab").rglob("*") if path.is_file())


def test_every_damaged_file_is_seen(store: ResultStore) -> None:
    with store:
        store.add(KEY, TABLE, {})
    for path in files_of(store):
        content = path.read_bytes()
        for damaged in (content[:-1], b"", bytes([content[0] ^ 1]) + content[1:], None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            with pytest.warns(AdatomWarning, match="a stored result is damaged and made anew"):
                assert ResultStore(store.folder).find(KEY) is None
            path.write_bytes(content)
    assert ResultStore(store.folder).find(KEY) is not None


def test_a_damaged_result_is_replaced(store: ResultStore) -> None:
    with store:
        store.add(KEY, TABLE, {})
    files_of(store)[0].write_bytes(b"")
    with ResultStore(store.folder) as later:
        assert later.add(KEY, TABLE, {}).load().identical(TABLE)
    assert list((store.folder / "drafts").iterdir()) == []


def test_the_first_of_two_equal_results_stays(store: ResultStore) -> None:
    with store:
        store.add(KEY, TABLE, {"number": 1})
        store.add(KEY, TABLE, {"number": 2})
    found = store.find(KEY)
    assert found is not None
    assert found.origin == {"number": 1}


def test_what_cannot_be_stored_leaves_nothing_behind(store: ResultStore) -> None:
    with store, pytest.raises(StoreError, match="cannot be stored"):
        store.add(KEY, object(), {})
    assert store.find(KEY) is None


def test_a_full_disk_is_one_clear_error(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adatom.recipes.cache.write_result", full)
    with store, pytest.raises(StoreError, match=r"cannot write a result into .*No space left"):
        store.add(KEY, TABLE, {})
    assert store.find(KEY) is None


def add_many(folder: str, barrier: Any) -> None:
    with ResultStore(Path(folder)) as mine:
        for number in range(12):
            barrier.wait()
            mine.add(f"{number:02x}{62 * '0'}", TABLE, {})


def test_processes_that_write_the_same_keys_at_once_do_not_disturb_one_another(
    store: ResultStore,
) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [
        context.Process(target=add_many, args=(str(store.folder), barrier)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    for number in range(12):
        found = store.find(f"{number:02x}{62 * '0'}")
        assert found is not None
        assert found.load().identical(TABLE)
    assert list((store.folder / "drafts").iterdir()) == []


HOLD = """
import sys, time
from pathlib import Path
from adatom.recipes.cache import ResultStore
store = ResultStore(Path(sys.argv[1]))
draft = store.new_draft()
(draft / "half").write_text("x")
print("ready", flush=True)
time.sleep(60)
"""


def test_leftovers_of_the_dead_are_removed_and_drafts_of_the_living_kept(
    store: ResultStore,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    drafts = store.folder / "drafts"
    store.remove_leftovers()
    assert len(list(drafts.rglob("half"))) == 1
    process.kill()
    process.wait()
    process.stdout.close()
    store.remove_leftovers()
    assert list(drafts.iterdir()) == []


def test_small_files_are_written_whole_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_text_atomic(path, "old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adatom.numerics.whole_files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_reading_a_large_store_is_quick(store: ResultStore) -> None:
    # Once in a process a result is checked by its hashes, not at every look.
    values = np.random.default_rng(0).random(2_000_000)
    with store:
        store.add(KEY, values, {})
    store.find(KEY)
    start = time.perf_counter()
    store.find(KEY)
    assert time.perf_counter() - start < 0.01


def test_the_manifest_names_every_file(store: ResultStore) -> None:
    with store:
        stored = store.add(KEY, TABLE, {})
    manifest = json.loads((stored.folder / "manifest.json").read_text())
    there = {p.relative_to(stored.folder).as_posix() for p in files_of(store)}
    assert set(manifest["files"]) == there - {"manifest.json"}
