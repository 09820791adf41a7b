"""Maps of what was measured beside an image of the same pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft
import scipy.special
import scipy.stats

from adatom.errors import KindError, UnitError
from adatom.schema import (
    FEATURES,
    IMAGE,
    Features,
    Image,
    Table,
    add_note,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

_LEVEL: Final = 0.95


def compare_maps(maps: Features, image: Image, /) -> Table:
    """Correlate maps with an image of the same pixels, such as of elements with a dark field.

    Neighboring pixels are alike, so that they count less than independent
    ones: the interval is that of the number of independent pixels that has
    the same spread of r, from the autocorrelations of both [1]_.

    Parameters
    ----------
    maps : Features
        (y, x, ...): one map for each entry of the last dim; loaded.
    image : Image
        Of as many pixels, taken at the same time.

    Returns
    -------
    Table
        One row a map: ``map``, ``correlation`` (Pearson's r), ``low`` and
        ``high`` of its 95 % interval, ``rank_correlation`` (Spearman's),
        ``n_pixels`` and ``n_independent``. NaN where a map is constant.

    Raises
    ------
    KindError
        If the maps are not on (y, x), or of another number of pixels.
    UnitError
        If only one of the two has a scale, or in another unit.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import image_from_array
    >>> image = image_from_array(np.random.default_rng(0).normal(size=(20, 20)))
    >>> maps = xr.concat([image, -image], dim="element").transpose("y", "x", "element")
    >>> compare_maps(maps, image)["correlation"].values.round(6)
    array([ 1., -1.])

    References
    ----------
    .. [1] P. Clifford, S. Richardson and D. Hemon, Biometrics 45, 123 (1989).
    """
    FEATURES.check(maps)
    IMAGE.check(image)
    _check_pixels(maps, image)
    dim = str(maps.dims[-1])
    names = maps.coords[dim].values if dim in maps.coords else np.arange(maps.shape[-1])
    other = image.values.astype(float)
    found = [_compared(maps[..., k].values.astype(float), other) for k in range(maps.shape[-1])]
    columns = [*zip(*found, strict=True)]
    keys = ("correlation", "low", "high", "rank_correlation", "n_pixels", "n_independent")
    table = table_from_columns(
        {"map": names, **{key: np.array(column) for key, column in zip(keys, columns, strict=True)}}
    )
    for name, row in zip(names, found, strict=True):
        add_note(table, f"{name}: r = {row[0]:.3f} ({row[1]:.2f} to {row[2]:.2f}).")
    return table


def _check_pixels(maps: xr.DataArray, image: xr.DataArray) -> None:
    if maps.dims[:-1] != ("y", "x"):
        msg = f"maps have dims {tuple(maps.dims)}, need ('y', 'x', <map>)"
        raise KindError(msg)
    if maps.shape[:2] != image.shape:
        msg = (
            f"maps have {maps.shape[0]} x {maps.shape[1]} pixels, the image {image.shape[0]} x "
            f"{image.shape[1]}: join pixels of the finer one by correction.bins_from_pixels"
        )
        raise KindError(msg)
    units = maps.coords["y"].attrs.get("units"), space_unit(image)
    if "px" not in units and units[0] != units[1]:
        msg = f"maps are in {units[0]!r}, the image in {units[1]!r}"
        raise UnitError(msg)


def _compared(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[float, float, float, float, int, float]:
    both = np.isfinite(one) & np.isfinite(other)
    n = int(both.sum())
    a, b = one[both], other[both]
    if n < 4 or not (np.ptp(a) > 0 and np.ptp(b) > 0):
        return np.nan, np.nan, np.nan, np.nan, n, np.nan
    r = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    rank = float(scipy.stats.spearmanr(a, b).statistic)
    independent = _independent(one, other, both)
    # Fisher's transform, of as many pairs as are worth the same.
    half = scipy.special.ndtri((1 + _LEVEL) / 2) / np.sqrt(max(independent - 3, 1e-9))
    center = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return r, float(np.tanh(center - half)), float(np.tanh(center + half)), rank, n, independent


def _independent(
    one: NDArray[np.float64], other: NDArray[np.float64], both: NDArray[np.bool_]
) -> float:
    """Give the number of independent pairs of which r would spread as it does here."""
    shape = [scipy.fft.next_fast_len(2 * size - 1, real=True) for size in both.shape]
    first, second = (
        _products(values - values[both].mean(), both, shape) for values in (one, other)
    )
    pairs = np.round(_products(np.ones(both.shape), both, shape))
    # The sum over all lags of both covariances: for white noise only the lag zero is left.
    spread = np.divide(first * second, pairs, out=np.zeros_like(first), where=pairs > 0).sum()
    n = float(both.sum())
    variance = float(spread) / float(first[0, 0] * second[0, 0])
    return min(1 + 1 / variance, n) if variance > 0 else n


def _products(
    values: NDArray[np.float64], both: NDArray[np.bool_], shape: list[int]
) -> NDArray[np.float64]:
    """Sum the products of all pairs of pixels, for every lag between them."""
    power = np.abs(scipy.fft.rfft2(np.where(both, values, 0.0), shape)) ** 2
    made: NDArray[np.float64] = scipy.fft.irfft2(power, shape)
    return made
