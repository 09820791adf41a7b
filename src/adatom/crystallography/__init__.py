"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

===============================  =================================================================
``assign_lattice_indices``       sites -> sites with lattice indices, sublattice, grain
``fit_lattice``                  the ideal lattice of every grain, and the displacement of every
                                 site from it
``correct_lattice_distortion``   undo drift and shear where the true cell is known
``find_grains``                  grains with their lattice, and their boundaries
``find_dislocations``            circuits that do not close, and their Burgers vectors
``find_missing_sites``           places of the lattice that no site fills
``find_rings``                   rings of bonds, with the number of their members
``estimate_bonds``               lengths of bonds and angles between them
``estimate_lattice_parameters``  lengths and angle of the unit cell around every site
``estimate_polarization``        displacement of columns against the cage of their neighbors
``estimate_site_order``          bond-orientational order and coordination of every site
``estimate_strain``              strain and rotation of the lattice around every site
``compare_columns``              the columns of a cell laid over those of a structure
``ColumnComparison``             what ``compare_columns`` gives
``assign_sublattices``           the brighter from the dimmer of two sublattices
``find_variants``                phases, and ferroic variants of them, by symmetry
``assign_variants``              the same variants in another image
``find_doubling``                doubled cells and antiphase boundaries
``find_regions``                 connected regions of one class, and their sizes
``find_boundaries``              lines between classes: length, width, direction
``estimate_profile``             any quantity across boundaries, with the wall's width
``estimate_fractions``           phase fractions whose intervals know of domains
``find_edges``                   edges of a sheet and of holes in it, as lines
``Edges``                        what ``find_edges`` gives
``find_edge_impurities``         impurities on them, with directions along and outward
===============================  =================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.bonds import estimate_bonds
    from adatom.crystallography.boundaries import Boundaries, find_boundaries
    from adatom.crystallography.column_comparison import ColumnComparison, compare_columns
    from adatom.crystallography.dislocations import find_dislocations
    from adatom.crystallography.distortion import correct_lattice_distortion
    from adatom.crystallography.doubling import Doubling, find_doubling
    from adatom.crystallography.edge_impurities import find_edge_impurities
    from adatom.crystallography.edges import Edges, find_edges
    from adatom.crystallography.fractions import estimate_fractions
    from adatom.crystallography.grains import Grains, find_grains
    from adatom.crystallography.indices import assign_lattice_indices
    from adatom.crystallography.lattice_fits import LatticeFit, fit_lattice
    from adatom.crystallography.lattice_parameters import estimate_lattice_parameters
    from adatom.crystallography.missing import find_missing_sites
    from adatom.crystallography.polarization import estimate_polarization
    from adatom.crystallography.profiles import BoundaryProfile, estimate_profile
    from adatom.crystallography.regions import Regions, find_regions
    from adatom.crystallography.rings import find_rings
    from adatom.crystallography.site_order import estimate_site_order
    from adatom.crystallography.strain import estimate_strain
    from adatom.crystallography.sublattices import assign_sublattices
    from adatom.crystallography.variant_models import VariantModel
    from adatom.crystallography.variants import Variants, assign_variants, find_variants

__all__ = [
    "Boundaries",
    "BoundaryProfile",
    "ColumnComparison",
    "Doubling",
    "Edges",
    "Grains",
    "LatticeFit",
    "Regions",
    "VariantModel",
    "Variants",
    "assign_lattice_indices",
    "assign_sublattices",
    "assign_variants",
    "compare_columns",
    "correct_lattice_distortion",
    "estimate_bonds",
    "estimate_fractions",
    "estimate_lattice_parameters",
    "estimate_polarization",
    "estimate_profile",
    "estimate_site_order",
    "estimate_strain",
    "find_boundaries",
    "find_dislocations",
    "find_doubling",
    "find_edge_impurities",
    "find_edges",
    "find_grains",
    "find_missing_sites",
    "find_regions",
    "find_rings",
    "find_variants",
    "fit_lattice",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Boundaries": "boundaries",
        "BoundaryProfile": "profiles",
        "ColumnComparison": "column_comparison",
        "Doubling": "doubling",
        "Edges": "edges",
        "Grains": "grains",
        "LatticeFit": "lattice_fits",
        "Regions": "regions",
        "VariantModel": "variant_models",
        "Variants": "variants",
        "assign_lattice_indices": "indices",
        "assign_sublattices": "sublattices",
        "assign_variants": "variants",
        "compare_columns": "column_comparison",
        "correct_lattice_distortion": "distortion",
        "estimate_bonds": "bonds",
        "estimate_fractions": "fractions",
        "estimate_lattice_parameters": "lattice_parameters",
        "estimate_polarization": "polarization",
        "estimate_profile": "profiles",
        "estimate_site_order": "site_order",
        "estimate_strain": "strain",
        "find_boundaries": "boundaries",
        "find_dislocations": "dislocations",
        "find_doubling": "doubling",
        "find_edge_impurities": "edge_impurities",
        "find_edges": "edges",
        "find_grains": "grains",
        "find_missing_sites": "missing",
        "find_regions": "regions",
        "find_rings": "rings",
        "find_variants": "variants",
        "fit_lattice": "lattice_fits",
    },
)
