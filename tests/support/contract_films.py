"""Small calls of the steps of local crystallography: films."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.build_film": lambda: Example((), {"field": (2.0, 2.0)}),
    "simulation.simulate_film": lambda: Example((), {"size": 64, "field": "2 nm"}),
}
