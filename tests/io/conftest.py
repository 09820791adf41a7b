"""Files written for the tests of readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest


class Axis(NamedTuple):
    """An axis as HyperSpy writes it."""

    name: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    navigate: bool = False


@pytest.fixture
def pattern() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Give an image that is like none of its mirror images."""
    return np.arange(35, dtype=np.float32).reshape(5, 7) ** 2


def signal_dictionary(
    values: np.ndarray[Any, Any], axes: Sequence[Axis], quantity: str
) -> dict[str, Any]:
    """Make a dictionary as RosettaSciIO writes it."""
    described = [
        {
            "_type": "UniformDataAxis",
            "name": axis.name,
            "units": axis.unit,
            "scale": axis.scale,
            "offset": axis.offset,
            "size": size,
            "navigate": axis.navigate,
            "is_binned": False,
        }
        for axis, size in zip(axes, values.shape, strict=True)
    ]
    return {
        "data": values,
        "axes": described,
        "metadata": {
            "General": {"title": "HAADF", "date": "2020-02-03", "time": "10:11:12"},
            "Signal": {"signal_type": "", "quantity": quantity},
            "Acquisition_instrument": {"TEM": {"beam_energy": 60.0, "microscope": "Nion"}},
        },
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "models": {},
        "package_info": {"package": "", "package_version": ""},
        "tmp_parameters": {},
    }


@pytest.fixture
def write_hspy(tmp_path: Path) -> Callable[..., Path]:
    """Give a writer of .hspy and .emd files."""

    def write(
        values: np.ndarray[Any, Any],
        *axes: Axis,
        name: str = "file.hspy",
        quantity: str = "Intensity (Counts)",
    ) -> Path:
        writer = import_module(f"rsciio.{Path(name).suffix[1:]}").file_writer
        writer(str(tmp_path / name), signal_dictionary(values, axes, quantity))
        return tmp_path / name

    return write


@pytest.fixture
def axis() -> type[Axis]:
    """Give the class of axes for `write_hspy`."""
    return Axis
