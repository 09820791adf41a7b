"""Arrays whose size in the file is not what RosettaSciIO gives, or no file could hold."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written_files import WRITERS

from adatom.errors import ReadError
from adatom.io import read_contents
from adatom.io.rosetta import signal_from_dictionary


@pytest.mark.parametrize(("columns", "told"), [(5, []), (4, ["the file gives x 5 entries"])])
def test_columns_that_are_missing_are_told(columns: int, told: list[str]) -> None:
    axes = [{"name": name, "size": 5, "scale": 1.0, "offset": 0.0} for name in "yx"]
    entry: dict[str, Any] = {"data": np.zeros((5, columns)), "axes": axes, "metadata": {}}
    notes = signal_from_dictionary(entry, ()).notes
    assert [note.partition(",")[0] for note in notes] == told


def test_a_zipped_store_that_promises_more_than_it_can_hold_is_refused_before_memory_is_taken(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "promise.zspy", WRITERS["zspy"](tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(store.rglob("*")):
            if not file.is_file():
                continue
            text = file.read_bytes()
            if file.name in {".zarray", "zarr.json"} and file.parent.name == "data":
                text = json.dumps(json.loads(text) | {"shape": [10**6, 10**6]}).encode()
            archive.writestr(str(file.relative_to(store)), text)
    with pytest.raises(ReadError, match=r"its header promises an array of shape \(1000000, 1000"):
        read_contents(path)
