"""Fourier magnitudes of windows that slide over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from scipy.fft import fftfreq, rfft2, rfftfreq
from scipy.signal.windows import hann

from adatom.errors import SettingError
from adatom.schema import IMAGE, Features, Image, extent, pixel_size, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Values of the windows that are transformed at once: 32 MB in float32, a few times that in work.
_BLOCK_VALUES: Final = 8_000_000


class _Grid(NamedTuple):
    """First pixels of all windows along one axis, and their common length."""

    starts: NDArray[np.int64]
    length: int


class _HalfPlane(NamedTuple):
    """Independent frequencies of a window, as places in its half transform."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    frequency_y: NDArray[np.float64]
    frequency_x: NDArray[np.float64]


def window_spectra(
    image: Image,
    /,
    *,
    size: Length,
    step: Length | None = None,
    shortest_period: Length | None = None,
    log1p: bool = False,
) -> Features:
    """Transform windows that slide over an image, and keep their magnitudes.

    Magnitudes do not depend on where the lattice lies in the window: the
    continuous translational symmetry of a crystal, with no atoms needed. Every
    window loses its mean and is apodized by a Hann window, so that its edges
    leave no streaks.

    Parameters
    ----------
    image : Image
        Numpy gives numpy; dask gives dask, of which every block reads the part
        of the image under its windows only. NaN: not measured.
    size : length
        Height and width of the windows. Take four lattice constants or more:
        peaks of a window of n periods are about 2/n of their frequency wide.
    step : length, optional
        Distance of windows. By default a quarter of `size`: apodized windows
        then overlap enough that every pixel counts nearly alike.
    shortest_period : length, optional
        Waves shorter than this are left out: beyond the finest reflection of
        the lattice there is only noise, in most of the features. By default
        all are kept, down to two pixels.
    log1p : bool
        Give log(1 + magnitude), which lifts weak reflections against strong
        ones. It depends on the scale of the image: bring the image to a noise
        of about one before.

    Returns
    -------
    Features
        Dims (y, x, feature); float32 for float32 images. ``y`` and ``x`` are the centers
        of the windows. The first and the last window are flush with the edges of
        the image; between them starts are rounded to pixels, so that steps
        differ by one pixel at most and none is longer than `step`.
        ``frequency_y``, ``frequency_x`` (feature) are in cycles per unit of
        space: the half plane that is independent, without zero. The magnitude
        of a wave of amplitude one is one, where it lies on a frequency. Windows
        with a NaN are NaN.

    Raises
    ------
    SettingError
        If a window has less than four pixels or is larger than the image, if
        `step` leaves gaps between windows, or `shortest_period` no wave.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> wave = np.cos(2 * np.pi * np.arange(64) / 8) * np.ones((64, 1))
    >>> spectra = window_spectra(image_from_array(wave, pixel_size="0.1 nm"), size="3.2 nm")
    >>> spectra.sizes["y"], spectra.sizes["feature"]
    (5, 513)
    >>> top = spectra.isel(feature=int(spectra[0, 0].argmax("feature")))
    >>> float(top.frequency_x), round(float(top[0, 0]), 3)
    (1.25, 1.0)
    """
    IMAGE.check(image, name="image")
    unit, pixels = space_unit(image), pixel_size(image)
    grids = [
        _grid(image.sizes[dim], pixel, size, step, unit, dim)
        for dim, pixel in zip(("y", "x"), pixels)
    ]
    half_plane = _half_plane((grids[0].length, grids[1].length), pixels)
    if shortest_period is not None:
        half_plane = _longer_waves(half_plane, shortest_period, pixels, unit)
    values = _spectra(image, grids[0], grids[1], half_plane, log1p=log1p)
    frequency = {"units": f"1/{unit}"}
    return xr.DataArray(
        values,
        dims=("y", "x", "feature"),
        coords={
            **{
                dim: (dim, _centers(image, dim, grid), {"units": unit})
                for dim, grid in zip(("y", "x"), grids)
            },
            "frequency_y": ("feature", half_plane.frequency_y, frequency),
            "frequency_x": ("feature", half_plane.frequency_x, frequency),
        },
        name="window_spectrum",
        attrs={
            "units": "1" if log1p else image.attrs.get("units", "1"),
            "window_shape": [grids[0].length, grids[1].length],
            "extent": extent(image),
            **{key: image.attrs[key] for key in ("spacing",) if key in image.attrs},
        },
    )


def _grid(
    n_pixels: int, pixel: float, size: Length, step: Length | None, unit: str, dim: str
) -> _Grid:
    length = _pixels(size, pixel, unit, "size")
    if not 4 <= length <= n_pixels:
        msg = (
            f"{size=} is {length} pixels along {dim}: windows need 4 to {n_pixels}, "
            f"that is {4 * pixel:.4g} to {n_pixels * pixel:.4g} {unit}"
        )
        raise SettingError(msg)
    stride = max(1, length // 4) if step is None else _pixels(step, pixel, unit, "step")
    if not 1 <= stride <= length:
        msg = (
            f"{step=} is {stride} pixels along {dim}: it must be 1 to {length}, "
            "the size of a window, or pixels between windows are lost"
        )
        raise SettingError(msg)
    last = n_pixels - length
    n_windows = -(-last // stride) + 1
    # Integer rounding of equal steps: no gap is longer than the stride.
    starts = (np.arange(n_windows) * last) // max(1, n_windows - 1)
    return _Grid(starts, length)


def _pixels(setting: Length, pixel: float, unit: str, name: str) -> int:
    length = length_from_setting(setting, unit=unit, pixel_size=pixel, name=name)
    return int(np.floor(length / pixel + 0.5))


def _centers(image: Image, dim: str, grid: _Grid) -> NDArray[np.float64]:
    values = image.coords[dim].values.astype(float)
    centers: NDArray[np.float64] = (values[grid.starts] + values[grid.starts + grid.length - 1]) / 2
    return centers


def _half_plane(shape: tuple[int, int], pixels: tuple[float, float]) -> _HalfPlane:
    frequency_y, frequency_x = np.meshgrid(
        fftfreq(shape[0], pixels[0]), rfftfreq(shape[1], pixels[1]), indexing="ij"
    )
    rows, columns = np.indices(frequency_y.shape)
    # In the columns that are their own mirror image, rows k and -k hold the same.
    own_mirror = (columns == 0) | (2 * columns == shape[1])
    independent = ~own_mirror | (rows <= shape[0] // 2)
    independent[0, 0] = False
    return _HalfPlane(
        rows[independent], columns[independent], frequency_y[independent], frequency_x[independent]
    )


def _longer_waves(
    half_plane: _HalfPlane, shortest: Length, pixels: tuple[float, float], unit: str
) -> _HalfPlane:
    period = length_from_setting(
        shortest, unit=unit, pixel_size=float(np.sqrt(np.prod(pixels))), name="shortest_period"
    )
    frequency = np.hypot(half_plane.frequency_y, half_plane.frequency_x)
    kept = frequency * period <= 1 + 1e-9
    if not kept.any():
        msg = (
            f"shortest_period={shortest!r} leaves no wave: the longest in a window is "
            f"{1 / frequency.min():.4g} {unit}"
        )
        raise SettingError(msg)
    row, column, frequency_y, frequency_x = half_plane
    return _HalfPlane(row[kept], column[kept], frequency_y[kept], frequency_x[kept])


def _spectra(
    image: Image, along_y: _Grid, along_x: _Grid, half_plane: _HalfPlane, *, log1p: bool
) -> NDArray[np.floating] | da.Array:
    dtype = np.result_type(image.dtype, np.float32)
    n_rows, n_columns = _block_shape(along_y, along_x)
    lazy = isinstance(image.data, da.Array)
    shape = (len(along_y.starts), len(along_x.starts), len(half_plane.row))
    out = None if lazy else np.empty(shape, dtype=dtype)
    rows: list[list[da.Array]] = []
    for i in range(0, shape[0], n_rows):
        rows.append([])
        for j in range(0, shape[1], n_columns):
            y, x = along_y.starts[i : i + n_rows], along_x.starts[j : j + n_columns]
            part = image.data[y[0] : y[-1] + along_y.length, x[0] : x[-1] + along_x.length]
            places = (_Grid(y - y[0], along_y.length), _Grid(x - x[0], along_x.length))
            if out is not None:
                out[i : i + n_rows, j : j + n_columns] = _block_spectra(
                    part, places, half_plane, dtype, log1p=log1p
                )
                continue
            block = part.rechunk(-1).map_blocks(
                _block_spectra,
                places,
                half_plane,
                dtype,
                log1p=log1p,
                dtype=dtype,
                chunks=((len(y),), (len(x),), (shape[2],)),
                new_axis=2,
                meta=np.empty((0, 0, 0), dtype=dtype),
            )
            rows[-1].append(block)
    if out is not None:
        return out
    joined = [da.concatenate(row, axis=1) for row in rows]  # type: ignore[no-untyped-call]
    stacked: da.Array = da.concatenate(joined, axis=0)  # type: ignore[no-untyped-call]
    return stacked


def _block_shape(along_y: _Grid, along_x: _Grid) -> tuple[int, int]:
    """Give rows and columns of windows in a block: whole rows while they fit."""
    n_windows = max(1, _BLOCK_VALUES // (along_y.length * along_x.length))
    n_columns = min(n_windows, len(along_x.starts))
    return max(1, n_windows // n_columns), n_columns


def _block_spectra(
    part: NDArray[np.floating | np.integer],
    places: tuple[_Grid, _Grid],
    half_plane: _HalfPlane,
    dtype: np.dtype[np.floating],
    *,
    log1p: bool,
) -> NDArray[np.floating]:
    along_y, along_x = places
    taper = np.outer(hann(along_y.length, sym=False), hann(along_x.length, sym=False))
    taper /= taper.sum()
    views = np.lib.stride_tricks.sliding_window_view(part, (along_y.length, along_x.length))
    windows = views[along_y.starts[:, None], along_x.starts[None, :]].astype(dtype)
    # Without its tapered mean, a window leaks nothing into the lowest frequencies.
    windows -= (windows * taper.astype(dtype)).sum(axis=(2, 3), keepdims=True)
    windows *= (2 * taper).astype(dtype)
    half = rfft2(windows, axes=(2, 3))
    magnitude: NDArray[np.floating] = np.abs(half[..., half_plane.row, half_plane.column])
    if log1p:
        np.log1p(magnitude, out=magnitude)
    return magnitude
