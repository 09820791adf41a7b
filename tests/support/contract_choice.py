"""Small calls of the steps for simulated spectra and the choice of a number."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_eels_map": lambda: Example((), {"size": 12, "n_channels": 64}),
}
