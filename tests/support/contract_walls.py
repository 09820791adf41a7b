"""Small calls of the steps that part columns from the tails of others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from contract_example import Example

from adatom.localization import find_atoms
from adatom.schema import Image, Sites
from adatom.simulation import simulate_film


@cache
def _film() -> tuple[Image, Sites]:
    image = simulate_film(size=256, field="4 nm").image
    return image, find_atoms(image, method="classical")


EXAMPLES: dict[str, Callable[[], Example]] = {
    "correction.correct_probe_tails": lambda: Example(_film()),
}
