"""Found sites against the truth: hits, misses and false ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.numerics.matching import match_points
from adatom.plotting._colors import FALSE, HIT, MISS
from adatom.plotting._marks import draw_marks, draw_rings, mark_size, site_spacing, sites_panel
from adatom.plotting._panels import legend_mark
from adatom.schema import SITES, Image, Sites, pixel_size, positions, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_comparison(
    found: Sites,
    truth: Sites,
    image: Image | None = None,
    /,
    *,
    max_distance: Length = "0.5 d",
) -> Figure:
    """Plot which true sites were hit or missed, and which found ones are false.

    Parameters
    ----------
    found, truth : Sites
        In the same unit; each true site pairs with one found site at most.
    image : Image, optional
        Drawn below.
    max_distance : length
        Pairs farther apart do not count as hits: half the distance to the
        nearest neighbor, beyond which a site is nearer to another one.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> truth = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm", spacing=1.4)
    >>> figure = plot_comparison(truth.isel(site=[0]), truth)
    """
    SITES.check(found, name="found")
    SITES.check(truth, name="truth")
    reach = length_from_setting(
        max_distance,
        unit=space_unit(found),
        pixel_size=None if image is None else pixel_size(image)[1],
        spacing=site_spacing(found if "spacing" in found.attrs else truth),
        name="max_distance",
    )
    hits = match_points(positions(found), positions(truth), max_distance=reach)
    is_hit = np.isin(np.arange(found.sizes["site"]), hits.left)
    is_met = np.isin(np.arange(truth.sizes["site"]), hits.right)
    legend = [
        legend_mark(f"hits: {is_hit.sum()}", color=HIT, filled=False),
        legend_mark(f"missed: {(~is_met).sum()}", color=MISS, marker="s"),
        legend_mark(f"false: {(~is_hit).sum()}", color=FALSE, marker="x"),
    ]
    panel = sites_panel(found if image is None else truth, image, legend=legend)
    diameter = mark_size(panel, site_spacing(truth), share=0.6)
    draw_rings(panel, positions(found)[is_hit], diameter=diameter, color=HIT, label="hits")
    size = max(0.75 * diameter, 4.0)
    draw_marks(
        panel, positions(truth)[~is_met], diameter=size, color=MISS, marker="s", label="missed"
    )
    draw_marks(
        panel, positions(found)[~is_hit], diameter=size, color=FALSE, marker="x", label="false"
    )
    return panel.figure
