"""Spectra that make no map, force curves, and maps of diffraction patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.ticker import MaxNLocator

from adatom.plotting._canvas import (
    FAINT,
    INK,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.plotting._colors import OKABE_ITO, on_paper
from adatom.plotting._curves import curve_axis, draw_band, draw_curve
from adatom.plotting._display import contrast_limits
from adatom.plotting._panels import PERCENTILES, value_label
from adatom.schema import (
    DIFFRACTION_MAP,
    FORCE_CURVES,
    SPECTRA,
    DiffractionMap,
    ForceCurves,
    Spectra,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# More lines than this hide one another.
_MOST_LINES: Final = 7
# Of many spectra or patterns so many are loaded, evenly spread.
_MOST_ROWS: Final = 1000
_MOST_PATTERNS: Final = 256
_WHOLE_BYTES: Final = 2**29
_MOST_CURVES: Final = 6
_SEGMENT_COLORS: Final = {"approach": "#0072B2", "retract": "#D55E00"}
_OTHER_COLORS: Final = ("#009E73", "#CC79A7", "#E69F00")


def plot_spectra(spectra: Spectra, /) -> Figure:
    """Plot spectra: each as a line, of many the mean and their spread, a streak as an image.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> energy = ("energy", [0.0, 1.0, 2.0], {"units": "eV"})
    >>> spectra = xr.DataArray(np.eye(3), dims=("site", "energy"), coords={"energy": energy})
    >>> len(plot_spectra(spectra).axes[0].lines)
    3
    """
    SPECTRA.check(spectra)
    if spectra.dims[0] != "site":
        return _streak(spectra)
    total = spectra.shape[0]
    axis = curve_axis(spectra)
    figure = new_figure(7.2, 3.6)
    axes = place_axes(figure, 0.85, 0.55, 6.15, 2.75)
    numbers = _spread_numbers(total, _MOST_ROWS)
    values = spectra.isel(site=numbers).values.astype(float)
    if total <= _MOST_LINES:
        for number, (row, color) in enumerate(zip(values, OKABE_ITO, strict=False)):
            ink = INK if total == 1 else on_paper(color)
            draw_curve(axes, axis, row, color=ink, linewidth=1.0, label=f"{number}")
        title = "one spectrum" if total == 1 else f"{total} spectra"
        if total > 1:
            _legend(axes)
    else:
        low, mean, high = _mean_and_band(values)
        draw_band(axes, axis, low, high, color="#9db7cf", alpha=0.6)
        draw_curve(axes, axis, mean, color=INK, linewidth=1.1)
        which = (
            f"{total} spectra" if total == len(numbers) else f"{len(numbers)} of {total} spectra"
        )
        banded = not (axis.is_loop or axis.has_stems)
        title = f"mean of {which}" + ("; nine in ten lie in the shaded band" if banded else "")
    _finish(axes, _axis_label(spectra, 1), value_label(spectra), title)
    return figure


def _mean_and_band(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the 5th percentile, the mean and the 95th; NaN in channels without a number."""
    found = np.full((3, values.shape[1]), np.nan)
    measured = np.isfinite(values).any(axis=0)
    if measured.any():
        found[::2, measured] = np.nanpercentile(values[:, measured], (5, 95), axis=0)
        found[1, measured] = np.nanmean(values[:, measured], axis=0)
    return found


def plot_force_curves(curves: ForceCurves, /) -> Figure:
    """Plot the force of some curves, spread over the file, against separation or height.

    Where there is no force the deflection is shown, where there is neither
    separation nor height the time.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> dims = ("site", "segment", "sample")
    >>> force = (dims, np.zeros((1, 2, 5)), {"units": "nN"})
    >>> curves = xr.Dataset({"force": force}, coords={"segment": ["approach", "retract"]})
    >>> figure = plot_force_curves(curves)
    """
    FORCE_CURVES.check(curves)
    total = curves.sizes["site"]
    shown = _spread_numbers(total, _MOST_CURVES)
    chosen = curves.isel(site=shown)
    ordinate = _first_of(curves, ("force", "deflection"), besides=("separation", "height", "time"))
    wanted = ("separation", "height", "height_piezo", "time")
    abscissa = _first_of(curves, wanted, besides=(ordinate,))
    columns = 2 if len(shown) == 4 else min(len(shown), 3)
    rows = -(-len(shown) // columns)
    width, height = (6.15, 3.0) if columns == 1 else (2.25, 1.9)
    figure = new_figure(columns * (width + 0.85) + 0.2, rows * (height + 0.85) + 0.3)
    for place, number in enumerate(shown):
        row, column = divmod(place, columns)
        left = 0.8 + column * (width + 0.85)
        bottom = 0.55 + (rows - 1 - row) * (height + 0.85)
        axes = place_axes(figure, left, bottom, width, height)
        _draw_curve(axes, chosen.isel(site=place), abscissa, ordinate)
        _finish(
            axes,
            _variable_label(curves, abscissa),
            _variable_label(curves, ordinate),
            f"curve {number} of {total}" if total > 1 else "",
        )
    _legend(figure.axes[0])
    return figure


def plot_diffraction_map(patterns: DiffractionMap, /) -> Figure:
    """Plot the mean diffraction pattern, and the mean intensity at every pixel of the scan.

    Weak reflections are seen beside the direct beam: the contrast of the
    pattern is that of an inverse hyperbolic sine. Of a large map some
    patterns are averaged, and the scan is not shown.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> axes = {n: (n, [0.0, 1.0], {"units": "nm"}) for n in ("y", "x")}
    >>> axes |= {n: (n, [0.0, 1.0], {"units": "px"}) for n in ("k_y", "k_x")}
    >>> patterns = xr.DataArray(np.ones((2, 2, 2, 2)), dims=("y", "x", "k_y", "k_x"), coords=axes)
    >>> len(plot_diffraction_map(patterns).axes)
    2
    """
    DIFFRACTION_MAP.check(patterns)
    n_y, n_x = patterns.shape[:2]
    total = n_y * n_x
    whole = patterns.size * patterns.dtype.itemsize <= _WHOLE_BYTES
    numbers = np.arange(total) if whole else _spread_numbers(total, _MOST_PATTERNS)
    mean = np.zeros(patterns.shape[2:])
    scan = np.zeros(total)
    for number in numbers:
        pattern = patterns[int(number) // n_x, int(number) % n_x].values.astype(float)
        mean += pattern / len(numbers)
        scan[number] = pattern.mean()
    figure = new_figure(7.6 if whole else 4.1, 3.6)
    left = place_axes(figure, 0.65, 0.55, 2.75, 2.75)
    low, high = contrast_limits(mean, (0, 100))
    measured = mean[np.isfinite(mean)]
    spread = max(float(measured.std()) / 10 if measured.size else 1.0, 1e-12)
    norm = AsinhNorm(spread, low, high)
    _draw_picture(left, mean, patterns, ("k_y", "k_x"), norm, "gray")
    which = f"{total} patterns" if whole else f"{len(numbers)} of {total} patterns"
    left.set_title(f"mean of {which}", loc="left", pad=4, **text_style(size=8))
    if whole:
        right = place_axes(figure, 4.35, 0.55, 2.75, 2.75)
        values = scan.reshape(n_y, n_x)
        limits = contrast_limits(values, PERCENTILES)
        _draw_picture(right, values, patterns, ("y", "x"), Normalize(*limits), "viridis")
        right.set_title("mean intensity over the scan", loc="left", pad=4, **text_style(size=8))
    return figure


def _streak(spectra: xr.DataArray) -> Figure:
    """Draw spectra that follow one another in time, or in what else was varied."""
    values = spectra.values.astype(float)
    low, high = contrast_limits(values, PERCENTILES)
    figure = new_figure(7.2, 4.4)
    axes = place_axes(figure, 0.85, 0.55, 5.2, 3.5)
    first, last = (spectra.coords[dim].values.astype(float) for dim in spectra.dims)
    picture = axes.pcolormesh(
        last, first, values, cmap="viridis", vmin=low, vmax=high, shading="nearest", rasterized=True
    )
    axes.invert_yaxis()
    bar_axes = place_axes(figure, 6.2, 0.55, 0.14, 3.5)
    figure.colorbar(picture, cax=bar_axes)
    style_axes(bar_axes)
    bar_axes.set_ylabel(value_label(spectra), **text_style(size=8, color=FAINT))
    _finish(axes, _axis_label(spectra, 1), _axis_label(spectra, 0), "")
    return figure


def _draw_curve(axes: Axes, curve: xr.Dataset, abscissa: str, ordinate: str) -> None:
    y = curve[ordinate].values
    x = curve[abscissa].values if abscissa else np.arange(y.size).reshape(y.shape)
    names = [str(name) for name in curve.coords["segment"].values]
    others = iter(_OTHER_COLORS * len(names))
    for name, along, values in zip(names, x, y, strict=True):
        color = _SEGMENT_COLORS.get(name) or next(others)
        axes.plot(along, values, color=color, linewidth=0.9, label=plain_text(name))


def _draw_picture(
    axes: Axes,
    values: NDArray[np.floating],
    patterns: xr.DataArray,
    dims: tuple[str, str],
    norm: Any,  # noqa: ANN401 -- any norm of matplotlib
    colors: str,
) -> None:
    y, x = (patterns.coords[dim].values.astype(float) for dim in dims)
    (bottom, top), (left, right) = _edges(y), _edges(x)
    axes.imshow(
        values,
        cmap=colors,
        norm=norm,
        extent=(left, right, top, bottom),
        interpolation="nearest",
        aspect="equal",
    )
    unit_y, unit_x = (patterns.coords[dim].attrs["units"] for dim in dims)
    _finish(axes, f"{dims[1]} [{unit_x}]", f"{dims[0]} [{unit_y}]", "")


def _edges(centers: NDArray[np.floating]) -> tuple[float, float]:
    half = (centers[-1] - centers[0]) / (2 * (centers.size - 1)) if centers.size > 1 else 0.5
    return float(centers[0] - half), float(centers[-1] + half)


def _spread_numbers(total: int, most: int) -> NDArray[np.int64]:
    """Give numbers of some, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, total - 1, min(total, most)).round().astype(np.int64))


def _first_of(curves: xr.Dataset, wanted: tuple[str, ...], *, besides: tuple[str, ...]) -> str:
    channels = [
        str(name)
        for name, variable in curves.data_vars.items()
        if variable.dims == ("site", "segment", "sample")
    ]
    found = next((name for name in wanted if name in channels and name not in besides), "")
    return found or next((name for name in channels if name not in besides), "")


def _variable_label(curves: xr.Dataset, name: str) -> str:
    if not name:
        return "sample"
    unit = str(curves[name].attrs["units"])
    return plain_text(name if unit in {"", "1"} else f"{name} [{unit}]")


def _axis_label(spectra: xr.DataArray, number: int) -> str:
    dim = str(spectra.dims[number])
    unit = str(spectra.coords[dim].attrs.get("units", "1"))
    return plain_text(dim if unit == "1" else f"{dim} [{unit}]")


def _finish(axes: Axes, x_label: str, y_label: str, title: str) -> None:
    style_axes(axes)
    write_numbers_out(axes.xaxis)
    write_numbers_out(axes.yaxis)
    width = axes.get_window_extent().width / axes.figure.dpi
    axes.xaxis.set_major_locator(MaxNLocator(8 if width > 4 else 4))
    axes.set_xlabel(x_label, **text_style(size=8))
    axes.set_ylabel(y_label, **text_style(size=8))
    if title:
        axes.set_title(title, loc="left", pad=4, **text_style(size=8))


def _legend(axes: Axes) -> None:
    axes.legend(
        frameon=False,
        prop={"family": "DejaVu Sans", "size": 7.5},
        labelcolor=INK,
        handlelength=1.2,
        borderaxespad=0.2,
    )
