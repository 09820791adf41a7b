"""Defects against the ideal crystal: found, named, kept in a library, computed.

==============================  ================================================================
``Defects``                     defects, the atoms of each, and the bonds between these
``ClassCard``                   a class of defects as an atlas shows it
``assign_species``              which element each atom of a sheet is, by its brightness
``find_defects``                vacancies, impurities, odd rings: found, named, with their atoms
``assign_column_species``       what stands at every place of a layer such as MoS2
``find_lattice_defects``        places of a layer that do not hold what the crystal has there
``find_departures``             places of any crystal around which the image is unlike the usual
``classes_from_columns``        what stands at every place, as classes
``count_columns``               how many columns of each sort a layer holds
``compare_defects``             how far the atoms of defects are from one another
``compare_names``            names of defects that were found against a table of the true ones
``NameComparison``           what `compare_names` gives
``structure_from_defect``       a defect as atoms in a supercell of its host
``build_impurity``              a sheet with one foreign atom, without an image
``relax_defect``                relaxed geometry, energy of formation, distance from the image
``estimate_density_of_states``  densities of states, atom by atom
``Calculator``                  a program that computes energies, and its settings
``RelaxedDefect``               what `relax_defect` gives
``DensityOfStates``             what `estimate_density_of_states` gives
``add_to_library``              put the defects of an image into a database, all or nothing
``simulate_tunneling``          image of a tunneling microscope, by GPAW
``Estimate``                    a number with its interval, on such a card
``Drawing``                     atoms of one defect, on such a card
``Computed``                    what a calculator says, on such a card
==============================  ================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.calculators import Calculator
    from adatom.defects.class_cards import ClassCard, Computed, Drawing, Estimate
    from adatom.defects.column_classes import classes_from_columns
    from adatom.defects.column_counts import count_columns
    from adatom.defects.column_species import assign_column_species
    from adatom.defects.comparing import NameComparison, compare_names
    from adatom.defects.densities import DensityOfStates, estimate_density_of_states
    from adatom.defects.departures import find_departures
    from adatom.defects.finding import find_defects
    from adatom.defects.lattice_defects import find_lattice_defects
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
    "ClassCard",
    "Computed",
    "Defects",
    "DensityOfStates",
    "Drawing",
    "Estimate",
    "NameComparison",
    "RelaxedDefect",
    "add_to_library",
    "assign_column_species",
    "assign_species",
    "build_impurity",
    "classes_from_columns",
    "compare_defects",
    "compare_names",
    "count_columns",
    "estimate_density_of_states",
    "find_defects",
    "find_departures",
    "find_lattice_defects",
    "relax_defect",
    "simulate_tunneling",
    "structure_from_defect",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AddedDefects": "library.adding_step",
        "Calculator": "calculators",
        "ClassCard": "class_cards",
        "Computed": "class_cards",
        "Defects": "records",
        "DensityOfStates": "densities",
        "Drawing": "class_cards",
        "Estimate": "class_cards",
        "NameComparison": "comparing",
        "RelaxedDefect": "relaxing",
        "add_to_library": "library.adding_step",
        "assign_column_species": "column_species",
        "assign_species": "species",
        "build_impurity": "structure",
        "classes_from_columns": "column_classes",
        "compare_defects": "similarity",
        "compare_names": "comparing",
        "count_columns": "column_counts",
        "estimate_density_of_states": "densities",
        "find_defects": "finding",
        "find_departures": "departures",
        "find_lattice_defects": "lattice_defects",
        "relax_defect": "relaxing",
        "simulate_tunneling": "tunneling",
        "structure_from_defect": "structure",
    },
)
