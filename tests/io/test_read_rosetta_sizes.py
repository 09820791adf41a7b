"""Arrays that RosettaSciIO gives shorter than the file says are told of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adatom.io.rosetta import signal_from_dictionary


@pytest.mark.parametrize(("columns", "told"), [(5, []), (4, ["the file gives x 5 entries"])])
def test_columns_that_are_missing_are_told(columns: int, told: list[str]) -> None:
    axes = [{"name": name, "size": 5, "scale": 1.0, "offset": 0.0} for name in "yx"]
    entry: dict[str, Any] = {"data": np.zeros((5, columns)), "axes": axes, "metadata": {}}
    notes = signal_from_dictionary(entry, ()).notes
    assert [note.partition(",")[0] for note in notes] == told
