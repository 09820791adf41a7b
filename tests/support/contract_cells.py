"""Small calls of the steps of local crystallography: cells."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.build_oxide": lambda: Example((), {"field": (4.0, 4.0)}),
    "simulation.simulate_oxide": lambda: Example((), {"size": 64, "field": "4 nm"}),
}
