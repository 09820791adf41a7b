"""HyperSpy, in an environment of its own, reads the same numbers on the same axes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adatom.io import read_image

DATA, PEER = os.environ.get("ADATOM_DATA", ""), os.environ.get("ADATOM_HYPERSPY", "")
SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "peers" / "hyperspy"
# Every difference, which the page docs/hyperspy.md explains: part of the file's path, part of why.
EXPLAINED = {
    "MoS2_stem_Exp-000-2.npy": "8.98242] nm, in HyperSpy [0.0, 511.0] 1",
    "MoS2_stem_Exp-001-5.npy": "6.98633] nm, in HyperSpy [0.0, 511.0] 1",
    "SuperScan (HAADF) 8_corrected.tif": "7.99219] nm, in HyperSpy [0.0, 7.99219] 1",
    "SuperScan (HAADF) 10_corrected.tif": "7.99219] nm, in HyperSpy [0.0, 7.99219] 1",
    "SuperScan (HAADF) 12_corrected.tif": "3.99219] nm, in HyperSpy [0.0, 3.99219] 1",
    "test_fft_packed_complex8.dm4": "x has 4 entries, HyperSpy's axis 5",
    "Si100_2D_3D_DPC_potential_2slices.emd": "what its axes stand for is not told",
    "16x16-spectrum_image_5x5x4000-not_square_1.ser": "origin [-12.16",
}


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA and PEER), reason="ADATOM_DATA or ADATOM_HYPERSPY (a Python) is not set"
)
def test_what_both_read_is_equal_but_for_what_is_explained(tmp_path: Path) -> None:
    subprocess.run([PEER, str(SCRIPTS / "dump.py"), DATA, str(tmp_path)], check=True)
    command = [sys.executable, str(SCRIPTS / "compare.py"), DATA, str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in told.splitlines()]
    both = [row for row in rows if row["hyperspy"] and row["adatom"]]
    assert len(both) > 370
    assert [row["file"] for row in rows if not row["adatom"]] == []
    odd = {row["file"].rpartition("/")[2]: row["differ"] for row in both if row["differ"]}
    assert odd.keys() == EXPLAINED.keys()
    for name, reason in EXPLAINED.items():
        assert all(reason in text for text in odd[name]), name


def test_flips_transposes_shifts_and_other_scales_are_told(tmp_path: Path) -> None:
    compare = _comparison()
    pixels = np.arange(16.0).reshape(4, 4)
    np.save(tmp_path / "square.npy", pixels)
    ours = read_image(tmp_path / "square.npy").assign_coords(
        y=("y", np.arange(4) * 0.5, {"units": "nm"}), x=("x", np.arange(4) * 0.5, {"units": "nm"})
    )

    def told(values: Any, names: str = "yx", start: float = 0.0, step: float = 0.5) -> list[str]:
        along = start + step * np.arange(4)
        axes = [compare.Axis(name, "nm", False, along) for name in names]
        return list(compare.differences(ours, values, axes, "")[0])

    assert told(pixels) == told(pixels.T, "xy") == told(pixels, "__") == []
    assert told(pixels.T) == told(pixels.T, "__") == told(pixels[::-1]) == told(pixels[:, ::-1])
    assert told(pixels.T) == ["numbers differ (float64, float64 in HyperSpy)"]
    assert told(pixels.astype(np.float32)) == ["numbers differ (float64, float32 in HyperSpy)"]
    assert told(pixels, start=1.0) == ["origin [0.0, 0.0] is [1.0, 1.0] nm in HyperSpy"]
    assert told(pixels, step=0.50001)[0] == "y is [0.0, 1.5] nm, in HyperSpy [0.0, 1.50003] nm"
    assert told(pixels[:3])[0].startswith("shape (4, 4) is (3, 4) in HyperSpy")


def _comparison() -> Any:
    spec = importlib.util.spec_from_file_location("hyperspy_comparison", SCRIPTS / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
