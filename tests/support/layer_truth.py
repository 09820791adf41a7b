"""Simulated layers of MoS2 or WS2 with known defects, and how many of them are found."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.defects import assign_column_species
from adatom.defects.lattice_defects import find_lattice_defects
from adatom.defects.layers import layer_of_name
from adatom.localization import find_atoms, find_lattice_sites
from adatom.schema import Sites, positions
from adatom.simulation import Crystal, Disorder, Microscope, Sample, Simulation, simulate_sample


def names_of_defects(metal: str, /) -> dict[str, str]:
    """Translate what the simulator calls the defects at a place."""
    return {
        "S2 less S": "V_S", f"{metal} for S2": f"{metal}_S2", f"S2 for {metal}": f"S2_{metal}",
        "Se for S": "Se_S", f"V({metal})": f"V_{metal}", "V(S2)": "V_S2",
    }  # fmt: skip


class Score(NamedTuple):
    """Of one name: places planted, found there under this name, and found under it in all."""

    planted: int
    right: int
    found: int


def sulfide(*, electrons: float, seed: int, size: int = 512, metal: str = "Mo") -> Simulation:
    """Simulate 8 nm of a layer of the metal and sulfur with vacancies, antisites and selenium."""
    disorder = Disorder(
        vacancies=0.02, empty_columns=0.005, substitutions=0.02, substitute="Se", antisites=0.005
    )
    return simulate_sample(
        sample=Sample(
            crystal=Crystal("tmd", spacing="1 d", species=(metal, "S")), disorder=disorder
        ),
        size=size,
        field="8 nm",
        microscope=Microscope(electrons=electrons),
        seed=seed,
    )


def named_places(simulation: Simulation, /, *, metal: str = "Mo") -> Sites:
    """Give all places with what stands there, from the image alone."""
    image = simulation.image
    lattice = find_lattice_sites(image, find_atoms(image), n_columns=2)
    return assign_column_species(lattice, host=f"{metal}S2", chalcogens=["Se"])


def scores(simulation: Simulation, named: Sites, /) -> dict[str, Score]:
    """Compare the names of places with what was planted; what has no name here is left out."""
    defects = find_lattice_defects(named)
    core = defects.members.isel(
        site=np.flatnonzero(np.isin(defects.members["role"].values, ["core", "missing"]))
    )
    tree = cKDTree(positions(named))
    listed = set(tree.query(positions(core))[1].tolist())
    measured = named["column"].values != ""
    planted = _planted(simulation, named, tree)
    found = Counter(str(named["defect_name"].values[k]) for k in listed if planted.get(k) != "?")
    right = Counter(
        name for k, name in planted.items()
        if k in listed and str(named["defect_name"].values[k]) == name
    )  # fmt: skip
    total = Counter(name for k, name in planted.items() if measured[k])
    names = sorted({*total, *found} - {"?"})
    return {name: Score(total[name], right[name], found[name]) for name in names}


def _planted(simulation: Simulation, named: Sites, tree: cKDTree) -> dict[int, str]:
    planted: dict[int, str] = {}
    reach = 0.3 * float(named.attrs["spacing"])
    metal = layer_of_name(str(named.attrs["host"])).metal
    usual, names = {metal, "S2"}, names_of_defects(metal)
    for sites in (simulation.vacancies, simulation.truth):
        apart, place = tree.query(positions(sites))
        for name, k, distance in zip(sites["class"].values.astype(str), place, apart):
            if distance < reach and name not in usual:
                planted[int(k)] = names.get(name, "?")
    return planted
