"""Defects against the ideal crystal: found, named, kept in a library, computed.

===================  =============================================================
``assign_species``   which element each atom of a sheet is, by its brightness
``find_defects``     vacancies, impurities, odd rings: found, named, with their atoms
``compare_defects``  how far the atoms of defects are from one another
``structure_from_defect``  a defect as atoms in a supercell of its host
``build_impurity``   a sheet with one foreign atom, without an image
``relax_defect``     relaxed geometry, energy of formation, distance from the image
``estimate_density_of_states``  densities of states, atom by atom
``simulate_tunneling``  image of a tunneling microscope, by GPAW
``Calculator``       a program that computes energies, and its settings
``RelaxedDefect``    what `relax_defect` gives
``DensityOfStates``  what `estimate_density_of_states` gives
``add_to_library``   put the defects of an image into a database, all or nothing
``Defects``          defects, the atoms of each, and the bonds between these
===================  =============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.calculators import Calculator
    from adatom.defects.densities import DensityOfStates, estimate_density_of_states
    from adatom.defects.finding import find_defects
    from adatom.defects.library.adding_step import AddedDefects, add_to_library
    from adatom.defects.records import Defects
    from adatom.defects.relaxing import RelaxedDefect, relax_defect
    from adatom.defects.similarity import compare_defects
    from adatom.defects.species import assign_species
    from adatom.defects.structure import build_impurity, structure_from_defect
    from adatom.defects.tunneling import simulate_tunneling

__all__ = [
    "AddedDefects",
    "Calculator",
    "Defects",
    "DensityOfStates",
    "RelaxedDefect",
    "add_to_library",
    "assign_species",
    "build_impurity",
    "compare_defects",
    "estimate_density_of_states",
    "find_defects",
    "relax_defect",
    "simulate_tunneling",
    "structure_from_defect",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Calculator": "calculators",
        "Defects": "records",
        "DensityOfStates": "densities",
        "RelaxedDefect": "relaxing",
        "AddedDefects": "library.adding_step",
        "add_to_library": "library.adding_step",
        "assign_species": "species",
        "build_impurity": "structure",
        "compare_defects": "similarity",
        "estimate_density_of_states": "densities",
        "find_defects": "finding",
        "relax_defect": "relaxing",
        "simulate_tunneling": "tunneling",
        "structure_from_defect": "structure",
    },
)
