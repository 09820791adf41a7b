"""Maps and sites -> features.

============================  ====================================================================
``neighbor_vectors``          sites -> sites with the vectors to their neighbors, in the slots of
                              a reference star
``features_from_sites``       what was measured of sites -> features
``site_patches``              the image around each site, cut at its sub-pixel center
``window_spectra``            Fourier magnitudes of windows that slide over an image
``estimate_bond_order``       how well sites keep to a lattice
``sites_from_sublattice``     the sites of one sublattice
``sites_from_classes``        the sites of one class
``add_classes``               sites with the class of each, without those in none
``compare_maps``              maps beside an image of the same pixels
``window_patches``            the image in windows that slide over it
``neighbor_distances``        sites -> sites with the distances to their neighbors, where no star
                              is common to them
``neighborhood_composition``  which classes stand around each site -> features
``features_from_files``       features of many files as rows of one
``estimate_superlattice``     where waves of a superlattice lie over a lattice
``Superlattice``              what ``estimate_superlattice`` gives
``window_quantiles``          which local shapes windows are made of, wherever they lie
``features_from_parts``       several features of the same rows side by side, in balance
``window_projections``        how rugged windows are along every direction (Radon)
``window_moments``            magnitudes of the Zernike moments of windows
``edge_environments``         neighbors of impurities on an edge, along it and outward
``edge_patches``              the image around them, turned alike
============================  ====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.descriptors.along_edges import edge_environments
    from adatom.descriptors.bond_order import estimate_bond_order
    from adatom.descriptors.edge_images import edge_patches
    from adatom.descriptors.environments import neighbor_distances, neighborhood_composition
    from adatom.descriptors.joining import features_from_files, features_from_parts
    from adatom.descriptors.map_comparison import compare_maps
    from adatom.descriptors.neighbors import neighbor_vectors
    from adatom.descriptors.patches import site_patches
    from adatom.descriptors.projections import window_moments, window_projections
    from adatom.descriptors.quantiles import window_quantiles
    from adatom.descriptors.selection import (
        add_classes,
        sites_from_classes,
        sites_from_sublattice,
    )
    from adatom.descriptors.site_features import features_from_sites
    from adatom.descriptors.sliding_patches import window_patches
    from adatom.descriptors.superlattice import Superlattice, estimate_superlattice
    from adatom.descriptors.windows import window_spectra

__all__ = [
    "Superlattice",
    "add_classes",
    "compare_maps",
    "edge_environments",
    "edge_patches",
    "estimate_bond_order",
    "estimate_superlattice",
    "features_from_files",
    "features_from_parts",
    "features_from_sites",
    "neighbor_distances",
    "neighbor_vectors",
    "neighborhood_composition",
    "site_patches",
    "sites_from_classes",
    "sites_from_sublattice",
    "window_moments",
    "window_patches",
    "window_projections",
    "window_quantiles",
    "window_spectra",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Superlattice": "superlattice",
        "add_classes": "selection",
        "compare_maps": "map_comparison",
        "edge_environments": "along_edges",
        "edge_patches": "edge_images",
        "estimate_bond_order": "bond_order",
        "estimate_superlattice": "superlattice",
        "features_from_files": "joining",
        "features_from_parts": "joining",
        "features_from_sites": "site_features",
        "neighbor_distances": "environments",
        "neighbor_vectors": "neighbors",
        "neighborhood_composition": "environments",
        "site_patches": "patches",
        "sites_from_classes": "selection",
        "sites_from_sublattice": "selection",
        "window_moments": "projections",
        "window_patches": "sliding_patches",
        "window_projections": "projections",
        "window_quantiles": "quantiles",
        "window_spectra": "windows",
    },
)
