"""Small calls of the steps that simulate movies of known kinetics."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

from adatom.simulation import Brownian, DefectiveSheet, Kinetics

_KINETICS = Kinetics(n_defects=4, births=(0.1,) * 5, deaths=(0.02,) * 5)

EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_kinetics": lambda: Example(
        (), {"kinetics": _KINETICS, "field": "6 nm", "n_frames": 12}
    ),
    "simulation.simulate_brownian": lambda: Example(
        (), {"particles": Brownian(n_particles=12, missed=0.1, false=1.0), "n_frames": 6}
    ),
    "simulation.simulate_kinetic_movie": lambda: Example(
        (),
        {
            "sheet": DefectiveSheet(kinetics=_KINETICS, lost=0.3),
            "size": 64,
            "field": "4 nm",
            "n_frames": 4,
        },
    ),
    "simulation.plan_movie": Example,
}
