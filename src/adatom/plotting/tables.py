"""Tables and features that have no picture of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.numerics.blocks import blocks
from adatom.plotting._canvas import INK, new_figure, place_axes, plain_text, style_axes, text_style
from adatom.plotting._glyphs import draw_glyph, glyph_limits, glyph_of
from adatom.plotting._panels import image_panel
from adatom.plotting.sites import draw_histograms
from adatom.schema import FEATURES, SPECTRAL_MAP, TABLE, Features, SpectralMap, Table

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


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
    mean = _mean_row(features)
    figure = new_figure(*((2.2, 2.4) if glyph.form != "curve" else (5.4, 2.6)))
    if glyph.form == "curve":
        axes = place_axes(figure, 0.75, 0.5, 4.5, 1.85)
        axes.plot(glyph.abscissa, mean, color=INK, linewidth=1.1)
        style_axes(axes)
        axes.set_xlabel(glyph.label, **text_style(size=8))
    else:
        axes = place_axes(figure, 0.1, 0.1, 2.0, 2.0)
        draw_glyph(axes, glyph, mean, limits=glyph_limits(glyph, mean), color=INK)
    n_rows = int(np.prod(features.shape[:-1]))
    axes.set_title(f"mean of {n_rows} rows", loc="left", pad=4, **text_style(size=8))
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
