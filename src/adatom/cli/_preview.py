"""Data as a small picture of characters, for a first look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.schema import (
    DIFFRACTION_MAP,
    FORCE_CURVES,
    IMAGE,
    MOVIE,
    SITES,
    SPECTRA,
    SPECTRAL_MAP,
    kind_of_data,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHADES: Final = " .:-=+*#%@"
_BARS: Final = "▁▂▃▄▅▆▇█"
# A character is about twice as high as it is wide.
_WIDTH, _HEIGHT = 64, 44
# Fewer spectra than this are shown by their first, more as an image.
_FEW: Final = 8
# Of what is larger only a part is read for a first look.
_LARGE: Final = 256 * 2**20


def preview(data: Any, /) -> list[str]:  # noqa: ANN401 -- any kind
    """Draw data in characters, brighter is denser; nothing for what has no picture."""
    kind = kind_of_data(data)
    if kind in {IMAGE, MOVIE, SPECTRAL_MAP, DIFFRACTION_MAP}:
        return _shaded(_as_picture(data))
    if kind is SPECTRA and data.shape[0] > _FEW:
        return _shaded(np.asarray(data.values, float))
    if kind is SPECTRA:
        return [_spark(np.asarray(data[0].values, float))]
    if kind is FORCE_CURVES:
        name = "force" if "force" in data else str(next(iter(data.data_vars)))
        return [_spark(np.asarray(data[name][0].values, float).ravel())]
    if kind is SITES and data.sizes["site"]:
        return _shaded(_density(data))
    return []


def _as_picture(data: xr.DataArray) -> NDArray[Any]:
    """Reduce data to two dimensions: the first frame, the sum of what was measured."""
    if data.dims[0] == "frame":
        return np.asarray(data[0].values, float)
    inner = data.dims[2:]
    if not inner:
        return np.asarray(data.values, float)
    if data.nbytes > _LARGE:
        middle = {dim: data.sizes[dim] // 2 for dim in inner}
        return np.asarray(data.isel(middle).values, float)
    return np.asarray(data.sum(inner).values, float)


def _density(sites: xr.Dataset) -> NDArray[Any]:
    y, x = sites.coords["y"].values, sites.coords["x"].values
    known = np.isfinite(y) & np.isfinite(x)
    counts, _, _ = np.histogram2d(y[known], x[known], bins=(_HEIGHT // 2, _WIDTH // 2))
    return np.asarray(counts)


def _shaded(picture: NDArray[Any]) -> list[str]:
    rows, columns = picture.shape
    shrink = max(columns / _WIDTH, rows / _HEIGHT)
    width = max(round(columns / shrink), 1)
    height = max(round(rows / shrink / 2), 1)
    small = _averaged(picture, height, width)
    known = small[np.isfinite(small)]
    if not known.size:
        return []
    # The darkest and brightest hundredth do not count: one hot pixel must not hide the rest.
    low, high = np.percentile(known, [1, 99])
    levels = np.clip((small - low) / (high - low if high > low else 1.0), 0, 1)
    numbers = np.nan_to_num(levels * (len(_SHADES) - 1)).round().astype(int)
    return ["".join(_SHADES[k] for k in row) for row in numbers]


def _averaged(picture: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Average over the pixels behind every character; small pictures are repeated."""
    rows = np.linspace(0, picture.shape[0], height + 1).astype(int)
    columns = np.linspace(0, picture.shape[1], width + 1).astype(int)
    out = np.empty((height, width))
    for i, j in np.ndindex(height, width):
        block = picture[rows[i] : max(rows[i + 1], rows[i] + 1)]
        block = block[:, columns[j] : max(columns[j + 1], columns[j] + 1)]
        known = block[np.isfinite(block)]
        out[i, j] = known.mean() if known.size else np.nan
    return out


def _spark(values: NDArray[Any]) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return ""
    parts = np.array_split(known, min(_WIDTH, known.size))
    heights = np.array([part.mean() for part in parts])
    span = heights.max() - heights.min()
    numbers = ((heights - heights.min()) / (span or 1.0) * (len(_BARS) - 1)).round().astype(int)
    return "".join(_BARS[k] for k in numbers)
