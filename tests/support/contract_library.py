"""Small calls of the steps of the library of defects, for the contract."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from contract_example import Example
from simulated_defects import simulated_defects, simulated_picture


def _add() -> Example:
    library = Path(tempfile.gettempdir()) / f"adatom-contract-{os.getpid()}.db"
    found = simulated_defects(["Si1C3", "V1"], seed=1)
    return Example((found, simulated_picture(seed=1)), {"library": str(library)})


EXAMPLES: dict[str, Callable[[], Example]] = {"defects.add_to_library": _add}
