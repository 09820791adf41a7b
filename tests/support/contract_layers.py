"""Small calls of the steps that find defects of layers of metal and chalcogen."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from contract_example import Example

from adatom import defects
from adatom.schema import Sites, sites_from_positions


@cache
def _places() -> Sites:
    y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    of = (y + x).astype(int) % 2
    height = np.where(of == 0, 1.0, 0.42) + 0.02 * np.sin(np.arange(64.0))
    height[28] = 0.22
    sites["sublattice"] = ("site", of)
    sites["relative_intensity"] = ("site", height)
    sites["relative_intensity_error"] = ("site", np.full(64, 0.02))
    return sites


def _named() -> Sites:
    return defects.assign_column_species(_places(), host="MoS2")


EXAMPLES: dict[str, Callable[[], Example]] = {
    "defects.assign_column_species": lambda: Example(
        (_places().copy(deep=True),), {"host": "MoS2", "chalcogens": ["Se"]}
    ),
    "defects.find_lattice_defects": lambda: Example((_named(),)),
    "defects.classes_from_columns": lambda: Example((_named(),)),
    "defects.count_columns": lambda: Example((_named(),)),
}
