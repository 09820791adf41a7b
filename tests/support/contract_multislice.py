"""Small calls of the steps that propagate electron waves, for the contract."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from contract_example import Example

from adatom import simulation
from adatom.simulation import reference_images
from adatom.simulation.electron_waves import PeriodicImages
from adatom.simulation.reference_structures import REFERENCES


def _silicon() -> Any:
    return bulk("Si", cubic=True).repeat((2, 2, 1))  # type: ignore[no-untyped-call]


@cache
def kept_reference() -> str:
    """Give a folder that holds one reference as if it had been computed: a few waves."""
    folder = Path(tempfile.mkdtemp(prefix="adatom-contract-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keep_stand_in(folder, "mgo_100")
    return str(folder)


def keep_stand_in(folder: Path, name: str) -> Path:
    """Keep a wave over the cell of a reference in the place of its images."""
    entry = reference_images._entry(name, REFERENCES[name])
    try:
        version = metadata.version("abtem")
    except metadata.PackageNotFoundError:
        version = "1.0"
    path = folder / f"{name}-{entry.key}-abtem{version}.npz"
    reference_images._write(path, stand_in(entry.box.atoms), entry.told | {"abtem": version})
    return path


def stand_in(atoms: Any) -> PeriodicImages:
    """Give images of one wave, for atoms that do not vibrate."""
    width, height = (float(length) / 10 for length in np.diag(atoms.cell)[:2])
    series = np.zeros((2, 5, 5), dtype=complex)
    series[:, 0, 0] = 0.1
    series[:, 0, 1] = series[:, 0, -1] = 0.02
    return PeriodicImages(series, (height, width), atoms.positions[:, 1::-1] / 10, "PRISM")


EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_multislice": lambda: Example(
        (_silicon(),),
        {
            "field": ("1 nm", "1 nm"),
            "pixel_size": "0.05 nm",
            "optics": simulation.Optics(semiangle="12 mrad", inner="20 mrad", outer="40 mrad"),
            "multislice": simulation.Multislice(configurations=1, largest_angle="40 mrad"),
            "dose": 1e6,
        },
    ),
    "simulation.simulate_reference_image": lambda: Example(
        (), {"name": "mgo_100", "pixel_size": "0.05 nm", "folder": kept_reference()}
    ),
}

NEEDS = {"simulation.simulate_multislice": "abtem"}
"""Steps that need a library which is installed with an extra."""
