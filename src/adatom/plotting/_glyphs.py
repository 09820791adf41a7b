"""How one row of features looks: a small picture, arrows from a center, or a curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from adatom.plotting._canvas import INK, hide_axes, plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_GRIDS: Final = (("patch_y", "patch_x"), ("frequency_y", "frequency_x"))


@dataclass(frozen=True)
class Glyph:
    """What the numbers of a row are, and so how they are drawn.

    Attributes
    ----------
    form : {"picture", "arrows", "curve"}
        Pixels of a patch or spectrum, vectors to neighbors, or any numbers.
    colors : str
        Color map of a picture.
    rows, columns : array of int
        Pixel of each feature of a picture; or neighbor and axis of arrows.
    base : array (neighbor, axis)
        What arrows deviate from; zero where they are whole vectors.
    abscissa : array
        Of a curve.
    label : str
        Of the abscissa of a curve, or the width of a picture.
    """

    form: Literal["picture", "arrows", "curve"]
    colors: str
    rows: NDArray[np.integer]
    columns: NDArray[np.integer]
    abscissa: NDArray[np.floating]
    label: str
    width: float = 0.0
    unit: str = ""
    mirrored: tuple[int, int] | None = None
    """Rows and columns of the picture of a spectrum, where each frequency stands for its opposite
    too."""


def glyph_of(features: xr.DataArray, /) -> Glyph:
    """Find how a row of these features is drawn, from what they carry."""
    dim = features.dims[-1]
    size = features.sizes[dim]
    numbers = np.arange(size)
    axis = features.coords.get(dim)
    abscissa, label = numbers.astype(float), plain_text(dim)
    if axis is not None and axis.dtype.kind in "fiu":
        abscissa = axis.values.astype(float)
        unit = axis.attrs.get("units", "1")
        label = plain_text(dim if unit == "1" else f"{dim} [{unit}]")
    for names in _GRIDS:
        if all(name in features.coords for name in names):
            return _picture_by_coordinates(features, names)
    shape = features.attrs.get("patch_shape")
    if shape is not None and int(np.prod(shape)) == size:
        rows, columns = np.unravel_index(numbers, tuple(int(n) for n in shape))
        return Glyph("picture", "gray", rows, columns, abscissa, "")
    if {"neighbor", "axis"} <= set(features.coords):
        neighbor = np.unique(features.coords["neighbor"].values, return_inverse=True)[1]
        which = (features.coords["axis"].values.astype(str) == "x").astype(int)
        return Glyph("arrows", "", neighbor, which, abscissa, "")
    return Glyph("curve", "", numbers, numbers, abscissa, label)


def _picture_by_coordinates(features: xr.DataArray, names: tuple[str, str]) -> Glyph:
    places = [features.coords[name] for name in names]
    y, rows = np.unique(_rounded(places[0].values), return_inverse=True)
    x, columns = np.unique(_rounded(places[1].values), return_inverse=True)
    step = float(x[-1] - x[0]) / max(1, len(x) - 1)
    unit = str(places[1].attrs.get("units", ""))
    if names[0] == "frequency_y" and step > 0 and x[0] == 0 and len(y) > 1:
        # Zero in the middle, as people know diffraction patterns.
        row = np.rint(places[0].values / float(np.diff(y).min())).astype(int)
        half = int(np.abs(row).max())
        shape = (2 * half + 1, 2 * len(x) - 1)
        rows, columns, width = row + half, columns + len(x) - 1, step * shape[1]
        return Glyph(
            "picture", "viridis", rows, columns, y.astype(float), "", width, unit, mirrored=shape
        )
    colors = "gray" if names[0] == "patch_y" else "viridis"
    return Glyph(
        "picture", colors, rows, columns, y.astype(float), "", width=step * len(x), unit=unit
    )


def _rounded(values: NDArray[np.floating]) -> NDArray[np.floating]:
    # Offsets that were computed in two ways differ in their last digit.
    span = float(np.ptp(values)) or 1.0
    return np.round(values / span, 6) * span


def draw_glyph(
    axes: Axes,
    glyph: Glyph,
    row: NDArray[np.floating],
    /,
    *,
    limits: tuple[float, float],
    color: str,
    reference: NDArray[np.floating] | None = None,
) -> None:
    """Draw a row of features; `limits` are shared by all glyphs that are compared."""
    hide_axes(axes, frame=True)
    if glyph.form == "picture":
        values = _pixels(glyph, row)
        axes.imshow(
            values,
            cmap=glyph.colors,
            vmin=limits[0],
            vmax=limits[1],
            origin="upper",
            aspect="equal",
            interpolation="nearest",
        )
    elif glyph.form == "arrows":
        _draw_arrows(axes, glyph, row, limits=limits, color=color)
    else:
        if reference is not None:
            axes.plot(glyph.abscissa, reference, color="#b8bcc2", linewidth=0.8)
        axes.plot(glyph.abscissa, row, color=color, linewidth=1.2)
        axes.set_ylim(*_widened(limits))


def _pixels(glyph: Glyph, row: NDArray[np.floating]) -> NDArray[np.floating]:
    shape = glyph.mirrored or (int(glyph.rows.max()) + 1, int(glyph.columns.max()) + 1)
    values = np.full(shape, np.nan)
    if glyph.mirrored:
        values[values.shape[0] - 1 - glyph.rows, values.shape[1] - 1 - glyph.columns] = row
    values[glyph.rows, glyph.columns] = row
    return values


def _draw_arrows(
    axes: Axes,
    glyph: Glyph,
    row: NDArray[np.floating],
    *,
    limits: tuple[float, float],
    color: str,
) -> None:
    vectors = np.full((int(glyph.rows.max()) + 1, 2), np.nan)
    vectors[glyph.rows, glyph.columns] = row
    reach = 1.15 * max(abs(limits[0]), abs(limits[1])) or 1.0
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)
    axes.set_aspect("equal")
    for y, x in vectors[np.isfinite(vectors).all(axis=1)]:
        style: dict[str, Any] = {"color": color, "linewidth": 1.4, "solid_capstyle": "round"}
        axes.plot([0, x], [0, y], **style)
        axes.plot([x], [y], marker="o", markersize=4, color=color)
    axes.plot([0], [0], marker="o", markersize=3.5, color=INK)


def glyph_limits(glyph: Glyph, rows: NDArray[np.floating], /) -> tuple[float, float]:
    """Find the common range of glyphs that are compared."""
    finite = rows[np.isfinite(rows)]
    if finite.size == 0:
        return 0.0, 1.0
    if glyph.form == "arrows":
        # Per slot both numbers count: the largest length, not the largest coordinate.
        reach = float(np.abs(finite).max())
        return -reach, reach
    low, high = float(finite.min()), float(finite.max())
    if glyph.form == "picture" and finite.size > 1000:
        # As of images: single hot pixels do not decide the contrast.
        low, high = (float(value) for value in np.percentile(finite, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    margin = 0.06 * (limits[1] - limits[0])
    return limits[0] - margin, limits[1] + margin
