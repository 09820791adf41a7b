"""Pictures of domains, boundaries and vectors show what is there."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.quiver import Quiver
from planted_outlines import classes_of, lattice, sites_of

from adatom.crystallography import (
    Boundaries,
    estimate_fractions,
    estimate_profile,
    find_boundaries,
    find_regions,
)
from adatom.errors import KindError
from adatom.plotting import (
    plot,
    plot_boundary_directions,
    plot_class_displacements,
    plot_domains,
    plot_fractions,
    plot_vector_field,
)
from adatom.plotting._domain_colors import domain_colors, region_colors
from adatom.schema import Sites


def _found() -> tuple[xr.Dataset, Sites, Boundaries]:
    points = lattice("square", size=30, angle=20.0)
    sites = sites_of(points)
    classes = classes_of(points[:, 1] > 0.2 * points[:, 0])
    return classes, sites, find_boundaries(classes, sites)


def test_domains_are_tinted_and_boundaries_drawn_over_them() -> None:
    classes, sites, found = _found()
    axes = plot_domains(classes, None, sites, found.vertices).axes[0]
    tints = axes.images[0].get_array()
    assert tints is not None
    # Two classes, and nothing where no site is near.
    assert len(np.unique(np.asarray(tints).reshape(-1, 4), axis=0)) in {2, 3}
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    assert len(lines) == 2
    drawn = lines[0].get_segments()[0]
    np.testing.assert_allclose(drawn, np.column_stack([found.vertices.x, found.vertices.y]))


def test_neighboring_regions_have_different_hues() -> None:
    field = np.repeat(np.repeat(np.arange(16).reshape(4, 4), 5, axis=0), 5, axis=1)
    colors = region_colors(field)
    for a, b in ((field[1:], field[:-1]), (field[:, 1:], field[:, :-1])):
        for first, second in np.unique(np.column_stack([a.ravel(), b.ravel()]), axis=0):
            assert first == second or colors[int(first)] != colors[int(second)]


def test_variants_of_a_phase_are_shades_that_differ_in_lightness() -> None:
    from matplotlib.colors import rgb_to_hsv, to_rgb

    classes = xr.Dataset({"label": ("site", [0, 1, 2, 3, 4])}, attrs={"phase": [0, 0, 0, 0, 1]})
    colors = domain_colors(classes, [0, 1, 2, 3, 4])
    gray = [float(np.dot((0.2126, 0.7152, 0.0722), to_rgb(colors[k]))) for k in range(4)]
    assert (np.diff(gray) < -0.05).all()
    hues = [float(rgb_to_hsv(to_rgb(colors[k]))[0]) for k in (0, 3, 4)]
    assert abs(hues[0] - hues[1]) < 0.25 < abs(hues[1] - hues[2])


def test_arrows_are_exaggerated_by_what_the_legend_says() -> None:
    _, sites, _ = _found()
    sites["displacement"] = (("site", "axis"), np.full((sites.sizes["site"], 2), 0.01))
    figure = plot_vector_field(sites, quantity="displacement", exaggeration=20)
    arrows = next(one for one in figure.axes[0].collections if isinstance(one, Quiver))
    np.testing.assert_allclose(np.asarray(arrows.U), 0.2)
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert any("arrows 20 x" in text for text in texts)


def test_crowded_arrows_are_means_of_blocks() -> None:
    points = lattice("square", size=90)
    sites = sites_of(points)
    sites["displacement"] = (("site", "axis"), np.tile([0.0, 0.1], (len(points), 1)))
    figure = plot_vector_field(sites, quantity="displacement")
    arrows = next(one for one in figure.axes[0].collections if isinstance(one, Quiver))
    assert len(np.asarray(arrows.U)) < len(points) / 4
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert any("means of" in text for text in texts)


def test_any_result_of_boundaries_has_its_picture() -> None:
    classes, sites, found = _found()
    sites["shift"] = ("site", np.random.default_rng(0).normal(size=sites.sizes["site"]))
    profile = estimate_profile(sites, found.vertices, quantity="shift").profile
    regions = find_regions(classes.assign_coords(sites.coords), sites).regions
    fractions = estimate_fractions(classes, sites)
    for one in (found.vertices, found.directions, profile, fractions, regions):
        assert plot(one).axes


def test_tables_of_something_else_are_refused() -> None:
    _, _, found = _found()
    with pytest.raises(KindError, match="holds no fractions"):
        plot_fractions(found.table)
    with pytest.raises(KindError, match="holds no directions"):
        plot_boundary_directions(found.table)
    with pytest.raises(KindError, match="no vector"):
        plot_vector_field(found.vertices, quantity="shift")


def test_displacements_of_classes_need_neighbors() -> None:
    classes, sites, _ = _found()
    with pytest.raises(KindError, match="neighbor_vector"):
        plot_class_displacements(sites, classes)
