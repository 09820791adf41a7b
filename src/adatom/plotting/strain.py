"""Quantities of sites over their image: strain, rotation, cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import Normalize

from adatom.errors import KindError, SettingError
from adatom.plotting._canvas import (
    INK,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.plotting._display import contrast_limits, pixel_edges, shown_edges, shown_pixels
from adatom.plotting._marks import (
    frame_of,
    image_of_frame,
    mark_size,
    site_edges,
    site_spacing,
)
from adatom.plotting._panels import PERCENTILES, MapPanel, draw_colorbar, map_panel
from adatom.schema import SITES, Image, Sites, positions, space_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

QUANTITIES: Final = (
    "rotation", "strain_yy", "strain_xx", "strain_xy", "lattice_a", "lattice_b", "axial_ratio",
    "lattice_angle", "displacement_magnitude", "bond_order", "coordination", "column_intensity",
)  # fmt: skip
"""What steps of local crystallography tell of sites, in the order in which it is shown."""

# About zero, of either sign.
_SIGNED: Final = frozenset({"rotation", "strain_yy", "strain_xx", "strain_xy", "dilatation"})
# Marks nearly touch, so that they read as a map with the image in between.
_SHARE: Final = 0.8
# More marks, or error bars, than this only cost time: they overlap.
_MOST_MARKS: Final = 100_000
_MOST_BARS: Final = 600


def quantities_of(sites: xr.Dataset, /) -> list[str]:
    """List the quantities of local crystallography that sites carry."""
    return [name for name in QUANTITIES if name in sites and sites[name].dims == ("site",)]


def plot_site_quantity(
    sites: Sites, image: Image | None = None, /, *, quantity: str, frame: int | None = None
) -> Figure:
    """Color sites by a quantity, over their image.

    Parameters
    ----------
    sites : Sites
        Sites where the quantity is not known are left open.
    image : Image, optional
        Drawn faintly below.
    quantity : str
        A variable along ``site``. Strain and rotation are drawn in red and
        blue about zero. The median of its ``_error`` is told below the map.
    frame : int, optional
        Of several frames; the first by default.

    Raises
    ------
    KindError
        If the sites have no such quantity.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    >>> sites["rotation"] = ("site", [-1.0, 1.0], {"units": "deg"})
    >>> len(plot_site_quantity(sites, quantity="rotation").axes)
    3
    """
    SITES.check(sites)
    if quantity not in sites or sites[quantity].dims != ("site",):
        msg = f"{quantity=}: these sites carry no such number, only {', '.join(map(str, sites))}"
        raise KindError(msg)
    here, number = frame_of(sites, frame)
    values = here[quantity].values.astype(np.float64)
    panel = _panel(here, image_of_frame(image, number), remark=_remark(here, quantity))
    places, diameter = positions(here), mark_size(panel, site_spacing(here), share=_SHARE)
    known = np.isfinite(values)
    open_places = places[~known][:_MOST_MARKS]
    panel.axes.scatter(
        open_places[:, 1],
        open_places[:, 0],
        s=(0.7 * diameter) ** 2,
        facecolors="white",
        edgecolors="#202124",
        linewidths=0.6,
    )
    every = slice(None, None, -(-int(known.sum()) // _MOST_MARKS) or 1)
    norm, colors = _norm(values[known], signed=quantity in _SIGNED)
    drawn = panel.axes.scatter(
        places[known][every, 1],
        places[known][every, 0],
        c=values[known][every],
        s=diameter**2,
        cmap=colors,
        norm=norm,
        linewidths=0,
    )
    draw_colorbar(panel, drawn, label=_label(here, quantity), values=values[known])
    return panel.figure


def plot_site_profiles(sites: Sites, /, *, quantities: Sequence[str], along: str = "x") -> Figure:
    """Plot quantities of sites with their error bars, along an axis of the image.

    Parameters
    ----------
    sites : Sites
        At most 600 of them, evenly chosen, get a point with its bar.
    quantities : sequence of str
        Variables along ``site``, one below the other.
    along : {"x", "y"}
        The axis.

    Raises
    ------
    KindError
        If the sites carry no such quantity.
    SettingError
        If the axis is neither x nor y.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    >>> sites["rotation"] = ("site", [-1.0, 1.0], {"units": "deg"})
    >>> len(plot_site_profiles(sites, quantities=["rotation"]).axes)
    1
    """
    SITES.check(sites)
    if along not in {"y", "x"}:
        msg = f"{along=} must be 'x' or 'y'"
        raise SettingError(msg)
    along_sites = [str(name) for name in sites if sites[name].dims == ("site",)]
    if lacking := [name for name in quantities if name not in along_sites]:
        msg = f"sites carry no {', '.join(lacking)} along 'site', only {', '.join(along_sites)}"
        raise KindError(msg)
    height, rows = 1.25, len(quantities)
    figure = new_figure(6.6, rows * (height + 0.12) + 0.5)
    for row, name in enumerate(quantities):
        bottom = 0.45 + (rows - 1 - row) * (height + 0.12)
        axes = place_axes(figure, 0.75, bottom, 5.7, height)
        known = np.flatnonzero(np.isfinite(sites[name].values))
        shown = known[:: -(-len(known) // _MOST_BARS) or 1]
        error = sites.get(f"{name}_error")
        axes.errorbar(
            sites.coords[along].values[shown],
            sites[name].values[shown],
            yerr=None if error is None else error.values[shown],
            fmt="o",
            markersize=2.0,
            color="#1f5a8a",
            ecolor="#a9c5dd",
            elinewidth=0.7,
            alpha=0.8,
        )
        if name in _SIGNED:
            axes.axhline(0, color=INK, linewidth=0.5)
        style_axes(axes)
        write_numbers_out(axes.yaxis)
        axes.set_ylabel(plain_text(_label(sites, name)), **text_style(size=8))
        if row < rows - 1:
            axes.set_xticklabels([])
    axes.set_xlabel(
        f"{along} [{space_unit(sites)}]; bars: one standard deviation", **text_style(size=8)
    )
    return figure


def _panel(sites: xr.Dataset, image: xr.DataArray | None, *, remark: str) -> MapPanel:
    edges = site_edges(sites) if image is None else pixel_edges(image)
    panel = map_panel(edges, unit=space_unit(sites), colorbar=True, remark=remark)
    if image is not None:
        shown = shown_pixels(image)
        low, high = contrast_limits(shown.values, PERCENTILES)
        panel.axes.imshow(
            shown.values,
            extent=shown_edges(image, shown),
            origin="upper",
            cmap="gray",
            vmin=low,
            vmax=high,
            alpha=0.6,
            aspect="auto",
        )
    left, right, bottom, top = edges
    panel.axes.set_xlim(left, right)
    panel.axes.set_ylim(bottom, top)
    return panel


def _norm(values: NDArray[np.float64], *, signed: bool) -> tuple[Normalize, str]:
    low, high = contrast_limits(values, (1, 99))
    if signed:
        reach = max(abs(low), abs(high))
        return Normalize(-reach, reach), "RdBu_r"
    return Normalize(low, high), "viridis"


def _label(sites: xr.Dataset, quantity: str) -> str:
    unit = str(sites[quantity].attrs.get("units", "1"))
    name = quantity.replace("_", " ")
    return name if unit in {"1", ""} else f"{name} [{unit}]"


def _remark(sites: xr.Dataset, quantity: str) -> str:
    error = sites.get(f"{quantity}_error")
    if error is None or not np.isfinite(error.values).any():
        return ""
    unit = str(sites[quantity].attrs.get("units", "1"))
    typical = f"{float(np.nanmedian(error.values)):.2g}{'' if unit in {'1', ''} else f' {unit}'}"
    return f"typical error (1 standard deviation): {typical}"
