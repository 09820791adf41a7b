"""Image -> sites.

=============================  ===================================================================
``find_atoms``                 positions of atoms, with nothing told but the image
``find_atoms_in_movie``        the same in every frame of a movie
``find_impurities_in_movie``   bright impurities in every frame of a movie, on the host's lattice
``MovieImpurities``            what ``find_impurities_in_movie`` gives
``find_sheet_atoms``           atoms of a sheet with a known bond, in noisy images
``find_spots``                 round particles without order, dark or bright
``find_spots_in_movie``        the same in every frame of a movie
``find_particles``             rods, triangles ... and where they point, by a network
``find_blobs``                 spots and dips of one width, in an image or a movie
``find_lattice_regions``       where there is a lattice to analyze
``find_lattice_sites``         every place of a crystal, atom or no atom, and its intensity
``refine_sites``               all positions refined by one fit, with covariance
``find_unit_cell``             the cell under whose shifts a picture repeats
``find_motifs``                where the content of the cell comes again
``estimate_columns``           sites folded into one unit cell: its columns
``estimate_motif``             what the cell holds, as a mean image
``find_agreement``             sites of several finders as one set, and who agrees
``find_atoms_by_ensemble``     atoms by several networks, with their agreement
``compare_sites``              precision, recall, errors against known positions
``SiteComparison``             what ``compare_sites`` gives
``compare_scale``              whether the stated scale fits a known lattice
``ScaleComparison``            what ``compare_scale`` gives
``sites_from_labels``          a drawing, one blob a site -> sites with the names of their classes
``assign_labels``              what a person marked, given to the sites at the same places
``estimate_column_intensity``  integrated intensity of every column, by cell or by fit
=============================  ===================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.localization.blobs import find_blobs
    from adatom.localization.cells import find_unit_cell
    from adatom.localization.columns import estimate_columns
    from adatom.localization.comparing import SiteComparison, compare_sites
    from adatom.localization.ensembles import find_agreement, find_atoms_by_ensemble
    from adatom.localization.finding import find_atoms
    from adatom.localization.impurities import MovieImpurities, find_impurities_in_movie
    from adatom.localization.intensity import estimate_column_intensity
    from adatom.localization.labels import assign_labels, sites_from_labels
    from adatom.localization.lattice_sites import find_lattice_sites
    from adatom.localization.motifs import estimate_motif, find_motifs
    from adatom.localization.movies import find_atoms_in_movie
    from adatom.localization.particles import find_particles
    from adatom.localization.refinement import refine_sites
    from adatom.localization.regions import find_lattice_regions
    from adatom.localization.scale import ScaleComparison, compare_scale
    from adatom.localization.sheet import find_sheet_atoms
    from adatom.localization.spots import find_spots, find_spots_in_movie

__all__ = [
    "MovieImpurities",
    "ScaleComparison",
    "SiteComparison",
    "assign_labels",
    "compare_scale",
    "compare_sites",
    "estimate_column_intensity",
    "estimate_columns",
    "estimate_motif",
    "find_agreement",
    "find_atoms",
    "find_atoms_by_ensemble",
    "find_atoms_in_movie",
    "find_blobs",
    "find_impurities_in_movie",
    "find_lattice_regions",
    "find_lattice_sites",
    "find_motifs",
    "find_particles",
    "find_sheet_atoms",
    "find_spots",
    "find_spots_in_movie",
    "find_unit_cell",
    "refine_sites",
    "sites_from_labels",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "MovieImpurities": "impurities",
        "ScaleComparison": "scale",
        "SiteComparison": "comparing",
        "assign_labels": "labels",
        "compare_scale": "scale",
        "compare_sites": "comparing",
        "estimate_column_intensity": "intensity",
        "estimate_columns": "columns",
        "estimate_motif": "motifs",
        "find_agreement": "ensembles",
        "find_atoms": "finding",
        "find_atoms_by_ensemble": "ensembles",
        "find_atoms_in_movie": "movies",
        "find_impurities_in_movie": "impurities",
        "find_blobs": "blobs",
        "find_lattice_regions": "regions",
        "find_lattice_sites": "lattice_sites",
        "find_motifs": "motifs",
        "find_particles": "particles",
        "find_sheet_atoms": "sheet",
        "find_spots": "spots",
        "find_spots_in_movie": "spots",
        "find_unit_cell": "cells",
        "refine_sites": "refinement",
        "sites_from_labels": "labels",
    },
)
