"""Tables and features that have no picture of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.numerics.blocks import blocks
from adatom.plotting._canvas import INK, new_figure, place_axes, plain_text, text_style
from adatom.plotting._curves import curve_axis, draw_band, draw_curve, finish_curves
from adatom.plotting._glyphs import draw_glyph, glyph_limits, glyph_of
from adatom.plotting._panels import image_panel, value_label
from adatom.plotting._samples import sample_rows
from adatom.plotting.sites import draw_histograms
from adatom.schema import FEATURES, SPECTRAL_MAP, TABLE, Features, SpectralMap, Table

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_BAND_ROWS: Final = 4096


def plot_table(table: Table, /) -> Figure:
    """Plot how the numbers of each column spread.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> len(plot_table(table_from_columns({"area": [1.0, 2.0], "name": ["a", "b"]})).axes)
    1
    """
    TABLE.check(table)
    return draw_histograms(
        [
            (str(name), str(column.attrs.get("units", "1")), column.values.astype(float))
            for name, column in table.variables.items()
            if column.dtype.kind in "fiu"
        ][:12]
    )


def plot_features(features: Features, /) -> Figure:
    """Plot the mean of all rows of features, as what the rows are: picture, vectors or curve.

    Examples
    --------
    >>> import xarray as xr
    >>> figure = plot_features(xr.DataArray([[0.0, 1.0], [1.0, 0.0]], dims=("site", "feature")))
    """
    FEATURES.check(features)
    glyph = glyph_of(features)
    if glyph.form == "curve":
        return _plot_mean_curve(features)
    mean = _mean_row(features)
    figure = new_figure(2.2, 2.4)
    axes = place_axes(figure, 0.1, 0.1, 2.0, 2.0)
    draw_glyph(axes, glyph, mean, limits=glyph_limits(glyph, mean), color=INK)
    n_rows = int(np.prod(features.shape[:-1]))
    axes.set_title(f"mean of {n_rows} rows", loc="left", pad=4, **text_style(size=8))
    return figure


def _plot_mean_curve(features: xr.DataArray) -> Figure:
    """Draw the mean of all rows, and a band that holds nine in ten of some of them."""
    axis, mean = curve_axis(features), _mean_row(features)
    rows = sample_rows(features, most=_BAND_ROWS).values.astype(float)
    rows = rows[np.isfinite(rows).all(axis=1)]
    figure = new_figure(7.2, 2.9)
    axes = place_axes(figure, 0.85, 0.5, 6.1, 2.1)
    n_rows = int(np.prod(features.shape[:-1]))
    title = f"mean of {n_rows} rows"
    if len(rows) > 1 and not axis.has_stems and not axis.is_loop:
        low, high = np.percentile(rows, (5, 95), axis=0)
        draw_band(axes, axis, low, high, color="#9db7cf", alpha=0.6)
        title = f"{title}; nine in ten lie in the shaded band"
    draw_curve(axes, axis, mean, color=INK, linewidth=1.1)
    finish_curves(axes, axis, y_label=value_label(features), title=title, shown=mean[None])
    return figure


def plot_spectral_map(spectra: SpectralMap, /) -> Figure:
    """Plot a spectral map as the image of its mean over all channels.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> axes = {"y": ("y", [0.0, 1.0], {"units": "nm"}), "x": ("x", [0.0, 1.0], {"units": "nm"}),
    ...         "energy": ("energy", [0.0, 1.0, 2.0], {"units": "eV"})}
    >>> spectra = xr.DataArray(np.ones((2, 2, 3)), dims=("y", "x", "energy"), coords=axes)
    >>> figure = plot_spectral_map(spectra)
    """
    SPECTRAL_MAP.check(spectra)
    channel = str(spectra.dims[-1])
    mean = spectra.mean(channel, keep_attrs=True)
    mean.name = plain_text(f"mean over {channel}")
    return image_panel(mean, colors="viridis").figure


def _mean_row(features: xr.DataArray) -> NDArray[np.float64]:
    total, count = np.zeros(features.shape[-1]), 0
    cut = blocks(features)
    for block in (cut[index] for index in range(len(cut))):
        total += block.values.sum(axis=0, dtype=np.float64)
        count += len(block.values)
    return total / count if count else np.full(total.shape, np.nan)
