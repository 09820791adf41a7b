"""Windows that slide over an image: where they stand, and what is done with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from adatom.errors import SettingError
from adatom.schema import TABLE, Features, Image, Table, extent, pixel_size, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    # Windows (y, x, row, column) to features (y, x, feature).
    Work = Callable[[NDArray[np.floating]], NDArray[np.floating]]

# Values of the windows that are worked on at once: 32 MB in float32, a few times that in work.
_BLOCK_VALUES: Final = 8_000_000


class Grid(NamedTuple):
    """First pixels of all windows along one axis, and their common length."""

    starts: NDArray[np.int64]
    length: int


def window_grids(
    image: Image, size: Length | None, step: Length | None, /, *, spacing: float | None = None
) -> tuple[Grid, Grid]:
    """Lay windows over an image, the first and the last flush with its edges.

    Without a size, the whole image is one window.

    Raises
    ------
    SettingError
        If a window has less than four pixels or is larger than the image, or
        `step` leaves gaps between windows.
    """
    unit = space_unit(image)
    if size is None:
        if step is not None:
            msg = f"{step=} needs size= as well: without it the image is one window"
            raise SettingError(msg)
        whole = (Grid(np.zeros(1, dtype=np.int64), image.sizes[dim]) for dim in ("y", "x"))
        down, across = whole
        return down, across
    down, across = (
        _grid(image.sizes[dim], pixel, (size, step), unit, dim, spacing)
        for dim, pixel in zip(("y", "x"), pixel_size(image))
    )
    return down, across


def size_from_choice(choice: Table | None, size: Length | None, /) -> Length | None:
    """Take the size of windows from a setting, or else from the table of a choice.

    Raises
    ------
    SettingError
        If the table holds no choice.
    """
    if choice is None or size is not None:
        return size
    TABLE.check(choice, name="choice")
    if "window_size" not in choice.attrs:
        msg = (
            "the table has no attrs['window_size']: take the one of pipelines.choose_window_size, "
            "or give size="
        )
        raise SettingError(msg)
    return str(choice.attrs["window_size"])


def _grid(
    n_pixels: int,
    pixel: float,
    lengths: tuple[Length, Length | None],
    unit: str,
    dim: str,
    spacing: float | None,
) -> Grid:
    size, step = lengths
    length = _pixels(size, pixel, unit, "size", spacing)
    if not 4 <= length <= n_pixels:
        msg = (
            f"{size=} is {length} pixels along {dim}: windows need 4 to {n_pixels}, "
            f"that is {4 * pixel:.4g} to {n_pixels * pixel:.4g} {unit}"
        )
        raise SettingError(msg)
    stride = max(1, length // 4) if step is None else _pixels(step, pixel, unit, "step", spacing)
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
    return Grid(starts, length)


def _pixels(setting: Length, pixel: float, unit: str, name: str, spacing: float | None) -> int:
    length = length_from_setting(setting, unit=unit, pixel_size=pixel, spacing=spacing, name=name)
    return int(np.floor(length / pixel + 0.5))


def window_centers(image: Image, dim: str, grid: Grid, /) -> NDArray[np.float64]:
    """Give where the centers of windows are along an axis."""
    values = image.coords[dim].values.astype(float)
    centers: NDArray[np.float64] = (values[grid.starts] + values[grid.starts + grid.length - 1]) / 2
    return centers


def features_of_windows(
    image: Image, grids: tuple[Grid, Grid], work: Work, n_features: int, /
) -> NDArray[np.floating] | da.Array:
    """Do some work on every window, block by block; a dask image gives a dask array.

    Parameters
    ----------
    image : Image
    grids : tuple of Grid
        Of `window_grids`.
    work : callable
        Gives for windows (y, x, row, column), of float32 or float64, their
        features (y, x, feature) of the same type.
    n_features : int
        How many.
    """
    along_y, along_x = grids
    dtype = np.result_type(image.dtype, np.float32)
    n_rows, n_columns = _block_shape(along_y, along_x)
    lazy = isinstance(image.data, da.Array)
    shape = (len(along_y.starts), len(along_x.starts), n_features)
    out = None if lazy else np.empty(shape, dtype=dtype)
    rows: list[list[da.Array]] = []
    for i in range(0, shape[0], n_rows):
        rows.append([])
        for j in range(0, shape[1], n_columns):
            y, x = along_y.starts[i : i + n_rows], along_x.starts[j : j + n_columns]
            part = image.data[y[0] : y[-1] + along_y.length, x[0] : x[-1] + along_x.length]
            places = (Grid(y - y[0], along_y.length), Grid(x - x[0], along_x.length))
            if out is not None:
                out[i : i + n_rows, j : j + n_columns] = _block(part, places, work, dtype)
                continue
            block = part.rechunk(-1).map_blocks(
                _block,
                places,
                work,
                dtype,
                dtype=dtype,
                chunks=((len(y),), (len(x),), (n_features,)),
                new_axis=2,
                meta=np.empty((0, 0, 0), dtype=dtype),
            )
            rows[-1].append(block)
    if out is not None:
        return out
    joined = [da.concatenate(row, axis=1) for row in rows]  # type: ignore[no-untyped-call]
    stacked: da.Array = da.concatenate(joined, axis=0)  # type: ignore[no-untyped-call]
    return stacked


def standardize_windows(windows: NDArray[np.floating], /) -> None:
    """Bring every window, in place, to mean 0 and standard deviation 1; flat ones to NaN."""
    offset = windows.mean(axis=(2, 3), keepdims=True)
    windows -= offset
    spread = windows.std(axis=(2, 3), keepdims=True)
    # A flat window is left with the rounding errors of its mean.
    flat = spread <= 1e-6 * np.abs(offset)
    spread[flat | (spread == 0)] = np.nan
    windows /= spread


def array_of_windows(
    image: Image,
    grids: tuple[Grid, Grid],
    values: NDArray[np.floating] | da.Array,
    columns: Mapping[str, Any],
    /,
    *,
    name: str,
    units: str | None = None,
) -> Features:
    """Give what `features_of_windows` made its places, and its columns their meaning.

    Parameters
    ----------
    image : Image
        Of the windows; gives the unit where `units` is none.
    grids : tuple of Grid
        Of `window_grids`.
    values : array, shape (y, x, feature)
    columns : mapping
        Coordinates along feature.
    name : str
        What the values are.
    units : str, optional
        Of the values.
    """
    place = {"units": space_unit(image)}
    return xr.DataArray(
        values,
        dims=("y", "x", "feature"),
        coords={
            **{
                dim: (dim, window_centers(image, dim, grid), place)
                for dim, grid in zip(("y", "x"), grids, strict=True)
            },
            **columns,
        },
        name=name,
        attrs={
            "units": image.attrs.get("units", "1") if units is None else units,
            "window_shape": [grids[0].length, grids[1].length],
            "extent": extent(image),
            **{key: image.attrs[key] for key in ("spacing",) if key in image.attrs},
        },
    )


def _block_shape(along_y: Grid, along_x: Grid) -> tuple[int, int]:
    """Give rows and columns of windows in a block: whole rows while they fit."""
    n_windows = max(1, _BLOCK_VALUES // (along_y.length * along_x.length))
    n_columns = min(n_windows, len(along_x.starts))
    return max(1, n_windows // n_columns), n_columns


def _block(
    part: NDArray[np.floating | np.integer],
    places: tuple[Grid, Grid],
    work: Work,
    dtype: np.dtype[np.floating],
) -> NDArray[np.floating]:
    along_y, along_x = places
    if part.dtype.kind == "f" and np.isinf(part).any():
        # An infinite value was not measured either: its windows get NaN as those of NaN.
        part = np.where(np.isinf(part), np.nan, part)
    views = np.lib.stride_tricks.sliding_window_view(part, (along_y.length, along_x.length))
    return work(views[along_y.starts[:, None], along_x.starts[None, :]].astype(dtype))
