"""Pictures of edges and of the states on them."""

from __future__ import annotations

import numpy as np
import pytest
from edge_scenes import edge_movie, graphene, impurities_of, where

from adatom.clustering import cluster_mirrored
from adatom.crystallography import find_edges
from adatom.descriptors import edge_environments, edge_patches
from adatom.errors import KindError
from adatom.plotting import plot_edge_states, plot_edges


def test_every_frame_shown_has_its_line_and_an_arrow_for_each_impurity() -> None:
    made = edge_movie()
    impurities, atoms = impurities_of(made)
    figure = plot_edges(find_edges(atoms).lines, impurities, made.movie)
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "frame 0", "frame 13", "frame 26", "frame 39",
    ]  # fmt: skip
    # A dark rim and the line itself; the scale bar is in the first panel alone.
    assert [len(axes.lines) for axes in panels] == [4, 2, 2, 2]
    dots = [one for one in panels[1].collections if hasattr(one, "get_sizes")]
    assert max(np.shape(one.get_offsets())[0] for one in dots) == 4


def test_sites_that_are_no_edge_and_classes_of_other_sites_are_refused() -> None:
    sheet = graphene()
    lines = find_edges(where(sheet, sheet["y"] < 3.0)).lines
    with pytest.raises(KindError, match="these are no edges"):
        plot_edges(sheet)
    impurities, atoms = impurities_of(edge_movie())
    classes = cluster_mirrored(edge_environments(impurities, atoms), n_classes=3).classes
    with pytest.raises(KindError, match="are not those of"):
        plot_edges(lines, impurities.isel(site=[0]), None, classes)


def test_states_are_shown_with_their_members_by_image_and_by_neighbors() -> None:
    made = edge_movie()
    impurities, atoms = impurities_of(made)
    for features in (edge_patches(made.movie, impurities), edge_environments(impurities, atoms)):
        found = cluster_mirrored(features, n_classes=3)
        figure = plot_edge_states(found.means, found.members)
        assert len(figure.axes) == 3
        told = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert sum("mirrored" in text for text in told) == 1
        assert told.count("its own mirror image") == 2
    with pytest.raises(KindError, match="no means of states on an edge"):
        plot_edge_states(features)


def test_without_image_or_frames_an_edge_is_drawn_alone() -> None:
    sheet = graphene()
    figure = plot_edges(find_edges(where(sheet, sheet["y"] < 3.0)).lines)
    line = figure.axes[0].lines[0].get_xydata()
    assert np.ptp(np.asarray(line)[:, 0]) > 4.0
