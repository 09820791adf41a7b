"""Neighboring channels or pixels joined."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.channels import channel_axis_of, value_on_axis
from adatom.schema import FEATURES, IMAGE, SPECTRAL_MAP, Features, Image, SpectralMap, add_note

Join = Literal["sum", "mean"]


def bins_from_channels(
    features: Features,
    /,
    *,
    n_channels: int | None = None,
    width: str | None = None,
    join: Join | None = None,
) -> Features:
    """Join neighboring channels into bins.

    Parameters
    ----------
    features : Features
        Numpy gives numpy; dask gives dask.
    n_channels : int, optional
        Channels of a bin; by default two.
    width : text, optional
        Or the width of a bin, such as "80 eV", of which the nearest whole
        number of channels is taken, one at least.
    join : {"sum", "mean"}, optional
        By default whole numbers are summed, since they are counts, and
        others averaged.

    Returns
    -------
    Features
        On the centers of the bins. Channels at the end that do not fill a
        bin are left out, and noted. A bin with a NaN is NaN.

    Raises
    ------
    SettingError
        If a bin has fewer than one channel or more than there are, or both
        its channels and its width are given.

    Examples
    --------
    >>> energy = ("energy", np.arange(5.0), {"units": "eV"})
    >>> rows = xr.DataArray([[1, 2, 3, 4, 5]], dims=("site", "energy"), coords={"energy": energy})
    >>> bins_from_channels(rows).values
    array([[3, 7]])
    """
    FEATURES.check(features)
    axis, unit = channel_axis_of(features)
    if width is not None:
        n_channels = _channels_of(width, n_channels, axis, unit)
    n_channels = 2 if n_channels is None else n_channels
    n_bins = _bins_of(axis.size, n_channels, "n_channels", "channels")
    dim = str(features.dims[-1])
    kept = features[..., : n_bins * n_channels]
    joined = _joined(kept, {dim: n_channels}, join)
    n_left = axis.size - n_bins * n_channels
    left = (
        f"the last {n_left}, from {axis[-n_left]:.6g} {unit} on, are left out"
        if n_left
        else "none is left over"
    )
    add_note(
        joined,
        f"{n_channels} channels each were joined (their {_way(features, join)}) to {n_bins} "
        f"bins; {left}.",
    )
    return joined


def bins_from_pixels(
    spectra: SpectralMap | Image, /, *, n_pixels: int = 2, join: Join | None = None
) -> SpectralMap | Image:
    """Join squares of neighboring pixels: fewer pixels with more counts each.

    Parameters
    ----------
    spectra : SpectralMap or Image
        Numpy gives numpy; dask gives dask.
    n_pixels : int
        Edge of the square.
    join : {"sum", "mean"}, optional
        By default whole numbers are summed, since they are counts, and
        others averaged.

    Returns
    -------
    SpectralMap or Image
        On the centers of the squares. Rows and columns at the end that do
        not fill a square are left out, and noted.

    Raises
    ------
    SettingError
        If the square has fewer than one pixel or more than the map.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> bins_from_pixels(image_from_array([[1.0, 2.0, 9.0], [3.0, 6.0, 9.0]])).values
    array([[3.]])
    """
    if not IMAGE.fits(spectra):
        SPECTRAL_MAP.check(spectra)
    n_y, n_x = spectra.shape[:2]
    bins_y, bins_x = (_bins_of(size, n_pixels, "n_pixels", "pixels") for size in (n_y, n_x))
    kept = spectra[: bins_y * n_pixels, : bins_x * n_pixels]
    joined = _joined(kept, {"y": n_pixels, "x": n_pixels}, join)
    n_rows, n_columns = n_y - bins_y * n_pixels, n_x - bins_x * n_pixels
    left = (
        f"the last {n_rows} rows and {n_columns} columns are left out"
        if n_rows or n_columns
        else "none is left over"
    )
    add_note(
        joined,
        f"{n_pixels} x {n_pixels} pixels each were joined (their {_way(spectra, join)}) to "
        f"{bins_y} x {bins_x}; {left}.",
    )
    return joined


def _channels_of(width: str, n_channels: int | None, axis: NDArray[np.float64], unit: str) -> int:
    if n_channels is not None:
        msg = f"give {n_channels=} or {width=}, not both"
        raise SettingError(msg)
    step = float(np.abs(np.diff(axis)).mean()) if axis.size > 1 else np.inf
    return max(1, round(value_on_axis(width, unit, name="width") / step))


def _bins_of(size: int, length: int, name: str, what: str) -> int:
    if not 1 <= length <= size:
        msg = f"{name}={length} must lie between 1 and the {size} {what} that there are"
        raise SettingError(msg)
    return size // length


def _way(features: xr.DataArray, join: Join | None) -> Join:
    return join or ("mean" if features.dtype.kind == "f" else "sum")


def _joined(features: xr.DataArray, lengths: dict[str, int], join: Join | None) -> xr.DataArray:
    """Join along dims whose sizes are multiples of the lengths."""
    shape: list[int] = []
    inner: list[int] = []
    for dim, size in features.sizes.items():
        length = lengths.get(str(dim))
        if length is None:
            shape.append(size)
        else:
            shape += [size // length, length]
            inner.append(len(shape) - 1)
    values: Any = features.data
    if hasattr(values, "dask"):
        # Bins that lie across chunks would be summed in another order than those within.
        values = values.rechunk(
            {k: _multiple(values.chunks[k], lengths[str(dim)])
             for k, dim in enumerate(features.dims) if dim in lengths}
        )  # fmt: skip
    cut = values.reshape(shape)
    axes = tuple(inner)
    if _way(features, join) == "mean":
        made = cut.mean(axis=axes, dtype=np.float64).astype(np.result_type(features.dtype, "f4"))
    elif features.dtype.kind == "f":
        made = cut.sum(axis=axes, dtype=np.float64).astype(features.dtype)
    else:
        made = cut.sum(axis=axes, dtype=np.uint64 if features.dtype.kind == "u" else np.int64)
    coords = {
        name: _centers(coord, lengths) for name, coord in features.coords.items()
        if all(d not in lengths or coord.dtype.kind in "fiu" for d in coord.dims)
    }  # fmt: skip
    joined = xr.DataArray(made, dims=features.dims, coords=coords, attrs=dict(features.attrs))
    # xarray takes the name of a dask array where none is given.
    joined.name = features.name
    return joined


def _multiple(chunks: tuple[int, ...], length: int) -> int:
    """Give a length of chunks that holds whole bins."""
    return max(length, max(chunks) // length * length)


def _centers(coord: xr.DataArray, lengths: dict[str, int]) -> xr.Variable:
    """Average a coordinate over the bins of its dims; other coordinates stay as they are."""
    values = coord.values
    for axis, dim in enumerate(coord.dims):
        length = lengths.get(str(dim))
        if length is not None:
            cut = (*values.shape[:axis], -1, length, *values.shape[axis + 1 :])
            values = values.reshape(cut).mean(axis=axis + 1)
    return xr.Variable(coord.dims, values, dict(coord.attrs))
