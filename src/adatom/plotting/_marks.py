"""Marks on maps: sized by the spacing of the sites, many of them in one collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.collections import EllipseCollection

from adatom.plotting._panels import MapPanel, image_panel, map_panel
from adatom.schema import positions, space_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

# Points. Below the smallest a mark cannot be seen, above the largest it hides what it marks.
_SMALLEST: Final = 2.0
_LARGEST: Final = 22.0


def site_spacing(sites: xr.Dataset, /) -> float:
    """Give the distance between sites: as found, or as if they filled the frame evenly."""
    stored = sites.attrs.get("spacing")
    if isinstance(stored, int | float) and stored > 0:
        return float(stored)
    places = positions(sites)
    places = places[np.isfinite(places).all(axis=1)]
    if len(places) < 2:
        return 1.0
    height, width = np.ptp(places, axis=0)
    area = float(height * width)
    return float(np.sqrt(area / len(places))) if area > 0 else float(max(height, width)) or 1.0


def sites_panel(
    sites: xr.Dataset, image: xr.DataArray | None, /, *, legend: Sequence[Line2D]
) -> MapPanel:
    """Lay out a map for sites, over their image where there is one."""
    if image is not None:
        return image_panel(image, legend=legend)
    return map_panel(site_edges(sites), unit=space_unit(sites), legend=legend)


def site_edges(sites: xr.Dataset, /) -> tuple[float, float, float, float]:
    """Give left, right, bottom, top of a frame that holds all sites."""
    margin = 0.5 * site_spacing(sites)
    stored = sites.attrs.get("extent")
    if stored is not None:
        low_y, high_y, low_x, high_x = (float(value) for value in stored)
        return low_x, high_x, high_y, low_y
    places = positions(sites)
    if not np.isfinite(places).any():
        return 0.0, 1.0, 1.0, 0.0
    (low_y, low_x), (high_y, high_x) = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
    return low_x - margin, high_x + margin, high_y + margin, low_y - margin


def mark_size(panel: MapPanel, spacing: float, /, *, share: float) -> float:
    """Give the diameter of a mark in points: a share of the spacing, within reason."""
    return float(np.clip(share * spacing * panel.points_per_unit, _SMALLEST, _LARGEST))


def draw_rings(
    panel: MapPanel,
    places: NDArray[np.floating],
    /,
    *,
    diameter: float,
    color: str,
    label: str,
    width: float | None = None,
) -> None:
    """Draw open circles; `diameter` and `width` in points."""
    rings = EllipseCollection(
        np.full(len(places), diameter),
        np.full(len(places), diameter),
        np.zeros(len(places)),
        units="points",
        offsets=places[:, ::-1],
        offset_transform=panel.axes.transData,
        facecolors="none",
        edgecolors=color,
        linewidths=width if width is not None else float(np.clip(diameter / 7, 0.5, 1.3)),
        label=label,
    )
    panel.axes.add_collection(rings, autolim=False)


def draw_marks(
    panel: MapPanel,
    places: NDArray[np.floating],
    /,
    *,
    diameter: float,
    color: str,
    marker: str,
    label: str,
) -> None:
    """Draw filled marks with a dark rim that sets them off from any ground."""
    if marker in {"x", "+"}:
        # Thin strokes need a dark edge of their own to be seen on gray noise.
        width = float(np.clip(diameter / 5, 0.9, 2.0))
        strokes: list[tuple[str, float, str]] = [
            ("#202124", 2.2 * width, f"{label} edge"),
            (color, width, label),
        ]
        for stroke, thickness, name in strokes:
            panel.axes.scatter(
                places[:, 1],
                places[:, 0],
                s=diameter**2,
                marker=marker,
                c=stroke,
                linewidths=thickness,
                label=name,
            )
        return
    panel.axes.scatter(
        places[:, 1],
        places[:, 0],
        s=diameter**2,
        marker=marker,
        c=color,
        # Rims of the smallest marks would leave nothing of their color.
        linewidths=0.08 * diameter if diameter >= 4 else 0.0,
        edgecolors="#202124",
        label=label,
    )


def frame_of(sites: xr.Dataset, frame: int | None, /) -> tuple[xr.Dataset, int | None]:
    """Select the sites of one frame, the first that holds any unless told."""
    if "frame" not in sites.coords or sites.sizes["site"] == 0:
        return sites, None
    numbers = sites.coords["frame"].values
    chosen = int(numbers.min()) if frame is None else frame
    return sites.isel(site=np.flatnonzero(numbers == chosen)), chosen


def image_of_frame(image: xr.DataArray | None, frame: int | None, /) -> xr.DataArray | None:
    """Take the frame of a movie that belongs to the sites drawn; an image stays as it is."""
    if image is None or "frame" not in image.dims:
        return image
    if "frame" not in image.coords:
        return image.isel(frame=frame or 0)
    # Of a movie with frames left out, numbers are those of the whole movie.
    numbers = image.coords["frame"].values.tolist()
    return image.isel(frame=numbers.index(frame)) if frame in numbers else None
