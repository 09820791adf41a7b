"""Any kind of data -> a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from adatom.errors import KindError
from adatom.plotting.cells import has_cells, plot_unit_cells
from adatom.plotting.choice import plot_class_choice
from adatom.plotting.classes import plot_class_means, plot_classes
from adatom.plotting.column_comparison import has_column_comparison, plot_column_comparison
from adatom.plotting.columns import has_columns, plot_cell_columns
from adatom.plotting.components import plot_components, plot_curve_set, plot_variances
from adatom.plotting.confusion import has_confusion, plot_confusion
from adatom.plotting.displacements import (
    is_jump_lengths,
    is_msd,
    is_waits,
    plot_jump_lengths,
    plot_msd,
    plot_waiting_times,
)
from adatom.plotting.domains import is_boundary, is_region_map, plot_boundaries, plot_domains
from adatom.plotting.drift import is_drift, plot_drift
from adatom.plotting.feature_maps import SETS, has_places, plot_feature_maps
from adatom.plotting.histograms import plot_feature_histogram
from adatom.plotting.images import plot_image, plot_movie, plot_regions
from adatom.plotting.lattice import (
    has_dislocations,
    has_grains,
    has_rings,
    plot_dislocations,
    plot_grains,
    plot_rings,
)
from adatom.plotting.movie_sites import has_frames, plot_movie_sites
from adatom.plotting.sites import plot_sites
from adatom.plotting.spectra import plot_diffraction_map, plot_force_curves, plot_spectra
from adatom.plotting.tables import plot_features, plot_spectral_map, plot_table
from adatom.plotting.tracks import has_tracks, plot_tracks
from adatom.plotting.training import has_training, plot_training
from adatom.plotting.transitions import has_transitions, plot_transitions
from adatom.plotting.trees import is_tree, plot_tree
from adatom.plotting.turned_classes import is_turned_means, plot_turned_classes
from adatom.plotting.walls import (
    is_directions,
    is_fractions,
    is_profile,
    plot_boundary_directions,
    plot_boundary_profile,
    plot_fractions,
)
from adatom.schema import (
    CLASSES,
    DIFFRACTION_MAP,
    FEATURES,
    FORCE_CURVES,
    IMAGE,
    KINDS,
    MASK,
    MOVIE,
    SITES,
    SPECTRA,
    SPECTRAL_MAP,
    TABLE,
    Image,
    kind_of_data,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(data: object, /, *, over: Image | None = None) -> Figure:
    """Plot data of any kind that has a picture.

    Parameters
    ----------
    data : any kind but Structure
        The kind decides the picture.
    over : Image, optional
        Drawn below sites, classes and masks.

    Returns
    -------
    Figure

    Raises
    ------
    KindError
        If `data` is of no kind that has a picture.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> figure = plot(image_from_array([[0.0, 1.0], [2.0, 3.0]]))
    """
    kind = kind_of_data(data)
    if isinstance(data, xr.Dataset):
        if kind is SITES:
            if has_rings(data):
                return plot_rings(data, over)
            if has_dislocations(data):
                return plot_dislocations(data, over)
            if has_grains(data):
                return plot_grains(data, over)
            if is_boundary(data):
                return plot_boundaries(data, over)
            if has_tracks(data):
                return plot_tracks(data, over)
            return plot_movie_sites(data) if has_frames(data) else plot_sites(data, over)
        if kind is CLASSES:
            if is_region_map(data):
                return plot_domains(data, over)
            return plot_classes(data, over)
        if kind is FORCE_CURVES:
            return plot_force_curves(data)
        if has_transitions(data):
            return plot_transitions(data)
        if kind is TABLE:
            if has_column_comparison(data):
                return plot_column_comparison(data, over)
            if has_confusion(data):
                return plot_confusion(data)
            if has_columns(data):
                return plot_cell_columns(data)
            if has_cells(data) and data.sizes["row"] > 1:
                return plot_unit_cells(data)
            if is_tree(data):
                return plot_tree(data)
            if is_profile(data):
                return plot_boundary_profile(data)
            if is_directions(data):
                return plot_boundary_directions(data)
            if is_fractions(data):
                return plot_fractions(data)
            if is_drift(data):
                return plot_drift(data)
            if is_msd(data):
                return plot_msd(data)
            if is_jump_lengths(data):
                return plot_jump_lengths(data)
            if is_waits(data):
                return plot_waiting_times(data)
            if has_training(data):
                return plot_training(data)
            if {"component", "variance"} <= set(data):
                return plot_variances(data)
            return plot_class_choice(data) if "n_classes" in data else plot_table(data)
    if isinstance(data, xr.DataArray):
        if kind is MASK:
            return plot_regions(data, over)
        if kind is IMAGE:
            return plot_image(data)
        if kind is MOVIE:
            return plot_movie(data)
        if kind is SPECTRAL_MAP:
            return plot_spectral_map(data)
        if kind is SPECTRA:
            return plot_spectra(data)
        if kind is DIFFRACTION_MAP:
            return plot_diffraction_map(data)
        if kind is FEATURES:
            if data.dims[0] == "class":
                if is_turned_means(data):
                    return plot_turned_classes(data)
                return plot_class_means(data)
            if data.dims[0] == "component":
                return plot_components(data)
            if data.dims[0] == "endmember":
                return plot_curve_set(data)
            if data.dims[-1] in SETS and has_places(data):
                return plot_feature_maps(data)
            return plot_feature_histogram(data) if data.shape[-1] == 1 else plot_features(data)
    names = ", ".join(known.name for known in KINDS if known.name != "Structure")
    msg = f"{type(data).__name__} has no picture: give one of {names}"
    raise KindError(msg)
