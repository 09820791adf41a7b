"""Any kind of data -> figure, without pyplot's global state.

============================  ====================================================================
``plot``                      any kind of data, by its kind
``plot_image``                an image with scale bar and color bar
``plot_impurities``           frames with impurities and what was left out
``plot_movie``                frames of a movie
``plot_spectral_map``         the mean over the channels
``plot_decays``               decays with fits and residuals, logarithmically
``plot_phasors``              the phasor plot of decays
``plot_spectra``              spectra that make no map, or a streak image
``plot_force_curves``         force against height
``plot_diffraction_map``      mean pattern and mean intensity of a scan
``plot_regions``              a mask: what was left out
``plot_sites``                sites over their image
``plot_movie_sites``          sites of some frames, and their number over all
``plot_site_statistics``      distances, widths, amplitudes, position errors
``plot_neighbor_vectors``     vectors to the neighbors, class by class
``plot_classes``              where each class is
``plot_class_means``          the mean of each class
``plot_turned_classes``       mean pictures of classes in several orientations, how often each
``plot_class_spectra``        the mean spectrum of each class, with its spread
``plot_member_spectra``       typical and doubtful spectra of each class
``plot_members``              typical and doubtful members of each class
``plot_cell_columns``         the columns of a unit cell
``plot_unit_cells``           the unit cell of every frame of a movie
``plot_class_choice``         indices against the number of classes
``plot_class_sweep``          maps and spectra of the classes of every number of them
``plot_confusion``            true names against found ones, with the recall of each
``plot_comparison``           hits, misses and false sites against the truth
``plot_features``             the mean row of features
``plot_feature_maps``         a map of each feature: scores, abundances, parameters
``plot_components``           the curve of each component
``plot_curve_set``            a few curves over one another, such as endmembers
``plot_variances``            the variance of each component, and the noise
``plot_training``             losses and scores of a network that learned
``plot_tree``                 the merges of a hierarchical clustering, and its cut
``plot_correction``           spectra before and after a correction
``plot_fits``                 curves, the models fitted to them, and what is left
``plot_feature_histogram``    how features of one number spread, class by class
``plot_contact_sheet``        many small images side by side, each with its name
``plot_table``                how each column of a table spreads
``plot_site_quantity``        sites colored by a quantity: strain, rotation, cells
``plot_site_profiles``        quantities of sites with error bars along an axis
``plot_column_comparison``    the columns found over those of a structure, in one cell
``plot_window_sizes``         how far maps of one size of windows agree with the next
``plot_domains``              domains in tints, with their boundaries
``plot_boundaries``           boundaries between classes
``plot_boundary_profile``     a quantity across boundaries
``plot_boundary_directions``  the rose of boundary directions
``plot_fractions``            phase fractions with intervals
``plot_vector_field``         a vector of every site as an arrow
``plot_class_displacements``  how the neighbors of each class are displaced
``plot_class_cells``          the mean image around the sites of each class
``plot_grains``               sites by their grain, with its lattice vectors
``plot_rings``                rings of bonds by the number of their members
``plot_defects``              defects over their image: atoms by element, bonds, names
``plot_defect_class``         a class of a library of defects: mean image, atoms, bond lengths
``plot_transitions``          a transition matrix with intervals, and its states as a network
``plot_dislocations``         cores of dislocations, with their Burgers vectors
``plot_drift``                how far frames are shifted, and the path of the sample
``plot_tracks``               tracks of sites over an image, colored by the frame
``plot_msd``                  mean squared displacements with their band, and the fit
``plot_jump_lengths``         how long the hops of tracks are
``plot_waiting_times``        how long tracks rest between hops
``plot_edges``                edges of a sheet, with impurities and their directions
``plot_edge_states``          the mean configuration of every state on an edge
============================  ====================================================================

Figures stand on their own: scale bars have round lengths in the unit of the
data, colors are told apart by people with any color vision (Okabe and Ito for
classes), contrast runs between percentiles, and large images are shown as
block means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.plotting.cells import plot_unit_cells
    from adatom.plotting.choice import plot_class_choice
    from adatom.plotting.class_spectra import plot_class_spectra, plot_member_spectra
    from adatom.plotting.classes import plot_class_means, plot_classes, plot_members
    from adatom.plotting.column_comparison import plot_column_comparison
    from adatom.plotting.columns import plot_cell_columns
    from adatom.plotting.comparison import plot_comparison
    from adatom.plotting.components import plot_components, plot_curve_set, plot_variances
    from adatom.plotting.confusion import plot_confusion
    from adatom.plotting.contact_sheet import plot_contact_sheet
    from adatom.plotting.corrections import plot_correction
    from adatom.plotting.decays import plot_decays
    from adatom.plotting.defect_classes import plot_defect_class
    from adatom.plotting.defects_on_image import plot_defects
    from adatom.plotting.dispatch import plot
    from adatom.plotting.displacements import plot_jump_lengths, plot_msd, plot_waiting_times
    from adatom.plotting.domains import plot_boundaries, plot_domains
    from adatom.plotting.drift import plot_drift
    from adatom.plotting.edges import plot_edge_states, plot_edges
    from adatom.plotting.feature_maps import plot_feature_maps
    from adatom.plotting.fits import plot_fits
    from adatom.plotting.histograms import plot_feature_histogram
    from adatom.plotting.images import plot_image, plot_movie, plot_regions
    from adatom.plotting.impurities import plot_impurities
    from adatom.plotting.lattice import plot_dislocations, plot_grains, plot_rings
    from adatom.plotting.movie_sites import plot_movie_sites
    from adatom.plotting.phasors import plot_phasors
    from adatom.plotting.sites import plot_neighbor_vectors, plot_site_statistics, plot_sites
    from adatom.plotting.spectra import plot_diffraction_map, plot_force_curves, plot_spectra
    from adatom.plotting.strain import plot_site_profiles, plot_site_quantity
    from adatom.plotting.sweeps import plot_class_sweep
    from adatom.plotting.tables import plot_features, plot_spectral_map, plot_table
    from adatom.plotting.tracks import plot_tracks
    from adatom.plotting.training import plot_training
    from adatom.plotting.transitions import plot_transitions
    from adatom.plotting.trees import plot_tree
    from adatom.plotting.turned_classes import plot_turned_classes
    from adatom.plotting.vector_fields import plot_vector_field
    from adatom.plotting.vectors import plot_class_cells, plot_class_displacements
    from adatom.plotting.walls import (
        plot_boundary_directions,
        plot_boundary_profile,
        plot_fractions,
    )
    from adatom.plotting.window_sizes import plot_window_sizes

__all__ = [
    "plot",
    "plot_boundaries",
    "plot_boundary_directions",
    "plot_boundary_profile",
    "plot_cell_columns",
    "plot_class_cells",
    "plot_class_choice",
    "plot_class_displacements",
    "plot_class_means",
    "plot_class_spectra",
    "plot_class_sweep",
    "plot_classes",
    "plot_column_comparison",
    "plot_comparison",
    "plot_components",
    "plot_confusion",
    "plot_contact_sheet",
    "plot_correction",
    "plot_curve_set",
    "plot_decays",
    "plot_defect_class",
    "plot_defects",
    "plot_diffraction_map",
    "plot_dislocations",
    "plot_domains",
    "plot_drift",
    "plot_edge_states",
    "plot_edges",
    "plot_feature_histogram",
    "plot_feature_maps",
    "plot_features",
    "plot_fits",
    "plot_force_curves",
    "plot_fractions",
    "plot_grains",
    "plot_image",
    "plot_impurities",
    "plot_jump_lengths",
    "plot_member_spectra",
    "plot_members",
    "plot_movie",
    "plot_movie_sites",
    "plot_msd",
    "plot_neighbor_vectors",
    "plot_phasors",
    "plot_regions",
    "plot_rings",
    "plot_site_profiles",
    "plot_site_quantity",
    "plot_site_statistics",
    "plot_sites",
    "plot_spectra",
    "plot_spectral_map",
    "plot_table",
    "plot_tracks",
    "plot_training",
    "plot_transitions",
    "plot_tree",
    "plot_turned_classes",
    "plot_unit_cells",
    "plot_variances",
    "plot_vector_field",
    "plot_waiting_times",
    "plot_window_sizes",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "plot": "dispatch",
        "plot_boundaries": "domains",
        "plot_boundary_directions": "walls",
        "plot_boundary_profile": "walls",
        "plot_cell_columns": "columns",
        "plot_class_cells": "vectors",
        "plot_class_choice": "choice",
        "plot_class_displacements": "vectors",
        "plot_class_means": "classes",
        "plot_class_spectra": "class_spectra",
        "plot_class_sweep": "sweeps",
        "plot_classes": "classes",
        "plot_column_comparison": "column_comparison",
        "plot_comparison": "comparison",
        "plot_components": "components",
        "plot_confusion": "confusion",
        "plot_contact_sheet": "contact_sheet",
        "plot_correction": "corrections",
        "plot_curve_set": "components",
        "plot_decays": "decays",
        "plot_defect_class": "defect_classes",
        "plot_defects": "defects_on_image",
        "plot_diffraction_map": "spectra",
        "plot_dislocations": "lattice",
        "plot_domains": "domains",
        "plot_drift": "drift",
        "plot_edge_states": "edges",
        "plot_edges": "edges",
        "plot_feature_histogram": "histograms",
        "plot_feature_maps": "feature_maps",
        "plot_features": "tables",
        "plot_fits": "fits",
        "plot_force_curves": "spectra",
        "plot_fractions": "walls",
        "plot_grains": "lattice",
        "plot_image": "images",
        "plot_impurities": "impurities",
        "plot_jump_lengths": "displacements",
        "plot_member_spectra": "class_spectra",
        "plot_members": "classes",
        "plot_movie": "images",
        "plot_movie_sites": "movie_sites",
        "plot_msd": "displacements",
        "plot_neighbor_vectors": "sites",
        "plot_phasors": "phasors",
        "plot_regions": "images",
        "plot_rings": "lattice",
        "plot_site_profiles": "strain",
        "plot_site_quantity": "strain",
        "plot_site_statistics": "sites",
        "plot_sites": "sites",
        "plot_spectra": "spectra",
        "plot_spectral_map": "tables",
        "plot_table": "tables",
        "plot_tracks": "tracks",
        "plot_training": "training",
        "plot_transitions": "transitions",
        "plot_tree": "trees",
        "plot_turned_classes": "turned_classes",
        "plot_unit_cells": "cells",
        "plot_variances": "components",
        "plot_vector_field": "vector_fields",
        "plot_waiting_times": "displacements",
        "plot_window_sizes": "window_sizes",
    },
)
