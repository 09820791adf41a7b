"""Small calls of the steps that compute defects, for the contract."""

from __future__ import annotations

from collections.abc import Callable

import ase
from contract_example import Example
from simulated_defects import simulated_defects

from adatom import defects


def _embedding() -> Example:
    found = simulated_defects(["Si1C3", "V1"], seed=1)
    return Example((found.defects, found.members), {"number": 1})


def _relaxing() -> Example:
    # Steps enough to move, too few to wait for.
    settings = {"calculator": defects.Calculator("tersoff"), "max_steps": 2}
    return Example((defects.build_impurity("Si"),), settings)


_FAST_GPAW = defects.Calculator("gpaw", settings={"h": 0.3, "basis": "sz(dzp)", "kpts": [2, 2, 1]})


def _cell() -> ase.Atoms:
    from ase.build import graphene

    cell: ase.Atoms = graphene(vacuum=4.0)  # type: ignore[no-untyped-call]
    cell.pbc = True
    return cell


EXAMPLES: dict[str, Callable[[], Example]] = {
    "defects.structure_from_defect": _embedding,
    "defects.build_impurity": lambda: Example(("Si",), {}),
    "defects.relax_defect": _relaxing,
    "defects.estimate_density_of_states": lambda: Example(
        (defects.build_impurity("Si"),), {"width": "0.5 eV"}
    ),
    "defects.simulate_tunneling": lambda: Example(
        (_cell(),), {"bias": -4.0, "calculator": _FAST_GPAW, "pixel_size": "0.05 nm"}
    ),
}

NEEDS = {"defects.estimate_density_of_states": "tblite", "defects.simulate_tunneling": "gpaw"}
