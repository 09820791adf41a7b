"""Small calls of the steps of local crystallography: variants."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from contract_example import Example
from planted_domains import planted

from adatom.crystallography import Variants, find_variants
from adatom.schema import Sites


@cache
def _sites() -> Sites:
    return planted("ferroelastic", size=24, noise=0.02).sites


@cache
def _variants() -> Variants:
    return find_variants(_sites())


EXAMPLES: dict[str, Callable[[], Example]] = {
    "crystallography.assign_variants": lambda: Example((_sites(), _variants().model)),
    "crystallography.find_doubling": lambda: Example((_sites(), _variants().variants)),
    "crystallography.find_variants": lambda: Example((_sites(),)),
}
