"""HyperSpy, in an environment of its own, reads the same numbers on the same axes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA, PEER = os.environ.get("ADATOM_DATA", ""), os.environ.get("ADATOM_HYPERSPY", "")
SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "peers" / "hyperspy"
# Each is explained on the page docs/hyperspy.md.
UNDERSTOOD = (
    "stm_wse2_mlstm",
    "stem_misc_aistem",
    "mos2_scilink",
    "ws2_janus_dyck",
    "test_fft_packed_complex8",
)


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA and PEER), reason="ADATOM_DATA or ADATOM_HYPERSPY (a Python) is not set"
)
def test_what_both_read_is_equal_but_for_what_is_understood(tmp_path: Path) -> None:
    dumped = tmp_path / "hyperspy.jsonl"
    with dumped.open("w") as file:
        subprocess.run([PEER, str(SCRIPTS / "dump.py"), DATA], check=True, stdout=file)
    command = [sys.executable, str(SCRIPTS / "compare.py"), DATA, str(dumped)]
    table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    both = [row for row in rows if row[1] != "no"]
    assert len(both) > 300
    odd = [row for row in both if row[-1] != "yes" and not any(u in row[0] for u in UNDERSTOOD)]
    assert odd == []
