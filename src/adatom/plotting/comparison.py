"""Found sites against the truth: hits, misses and false ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom.localization.comparing import SiteComparison
from adatom.plotting._colors import FALSE, HIT, MISS
from adatom.plotting._marks import (
    draw_marks,
    draw_rings,
    image_of_frame,
    mark_size,
    site_spacing,
    sites_panel,
)
from adatom.plotting._panels import legend_mark
from adatom.schema import SITES, Image, positions

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def plot_comparison(
    comparison: SiteComparison, image: Image | None = None, /, *, frame: int | None = None
) -> Figure:
    """Plot which true sites were found or missed, and which found ones are false.

    Parameters
    ----------
    comparison : SiteComparison
        From `localization.compare_sites`.
    image : Image, optional
        Drawn below.
    frame : int, optional
        Which frame to show, by default the first.

    Examples
    --------
    >>> from adatom.localization import compare_sites
    >>> from adatom.schema import sites_from_positions
    >>> truth = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm", spacing=1.4)
    >>> figure = plot_comparison(compare_sites(truth.isel(site=[0]), truth, edge="0 nm"))
    """
    for name, sites in zip(("matched", "missed", "false"), comparison[1:]):
        SITES.check(sites, name=name)
    every = [comparison.matched, comparison.missed, comparison.false]
    shown = _frame_to_show(every, frame)
    hits, missed, false = (_places(sites, shown) for sites in every)
    legend = [
        legend_mark(f"found: {len(hits)}", color=HIT, filled=False),
        legend_mark(f"missed: {len(missed)}", color=MISS, marker="s"),
        legend_mark(f"false: {len(false)}", color=FALSE, marker="x"),
    ]
    largest = max(every, key=lambda sites: sites.sizes["site"])
    panel = sites_panel(largest, image_of_frame(image, shown), legend=legend)
    diameter = mark_size(panel, site_spacing(largest), share=0.6)
    draw_rings(panel, hits, diameter=diameter, color=HIT, label="found")
    size = max(0.75 * diameter, 4.0)
    draw_marks(panel, missed, diameter=size, color=MISS, marker="s", label="missed")
    draw_marks(panel, false, diameter=size, color=FALSE, marker="x", label="false")
    return panel.figure


def _frame_to_show(every: list[xr.Dataset], frame: int | None) -> int | None:
    numbers = [
        int(sites.coords["frame"].values.min())
        for sites in every
        if "frame" in sites.coords and sites.sizes["site"]
    ]
    return frame if frame is not None else min(numbers, default=None)


def _places(sites: xr.Dataset, frame: int | None) -> NDArray[np.float64]:
    places = positions(sites)
    if frame is None or "frame" not in sites.coords:
        return places
    here: NDArray[np.float64] = places[sites.coords["frame"].values == frame]
    return here
