"""Patches of any size on one grid of pixels, even in brightness and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

N_GRID: Final = 24
"""Rows and columns of the grid."""

# Lengths are rounded to pixels where patches are cut.
_NARROWER: Final = 0.9


class PatchScale(NamedTuple):
    """Steps and diameter of patches in one unit of length.

    Attributes
    ----------
    step : tuple of float
        From pixel to pixel, down and across.
    diameter : float
        Of the largest circle that a patch holds.
    unit : str
        "d", the distance between neighbors, where the patches know it; else
        the unit of space.
    """

    step: tuple[float, float]
    diameter: float
    unit: str


def scale_of_patches(patches: xr.DataArray, /) -> PatchScale:
    """Measure patches in distances between neighbors, or in the unit of space.

    Raises
    ------
    KindError
        If the features are no patches of an image.
    """
    shape = patches.attrs.get("patch_shape")
    if shape is None or not {"patch_y", "patch_x"} <= set(patches.coords):
        msg = (
            "these features are no pieces of an image: cut them by descriptors.site_patches "
            "around sites, or by descriptors.window_patches everywhere"
        )
        raise KindError(msg)
    rows, columns = (int(n) for n in shape)
    offset = [patches.coords[name].values.reshape(rows, columns) for name in ("patch_y", "patch_x")]
    spacing = patches.attrs.get("spacing")
    unit = str(patches.coords["patch_y"].attrs["units"]) if spacing is None else "d"
    length = 1.0 if spacing is None else float(spacing)
    down = float(offset[0][-1, 0] - offset[0][0, 0]) / (rows - 1) / length
    across = float(offset[1][0, -1] - offset[1][0, 0]) / (columns - 1) / length
    return PatchScale((down, across), min(rows * down, columns * across), unit)


def require_scale(found: PatchScale, diameter: float, unit: str, /) -> None:
    """Refuse patches that show less than a network needs, or in another unit."""
    if found.unit != unit:
        msg = (
            f"these patches are measured in {found.unit}, the classifier was trained on patches "
            f"in {unit} (d: distances between neighbors, which patches around sites know): cut "
            "them in the same way"
        )
        raise KindError(msg)
    if found.diameter < _NARROWER * diameter:
        msg = (
            f"these patches are {found.diameter:.3g} {unit} wide, the classifier was trained on "
            f'{diameter:.3g} {unit}: cut them with size="{diameter:.3g} {unit}" or more'
        )
        raise KindError(msg)


def gridded_patches(
    rows: NDArray[np.floating],
    shape: tuple[int, int],
    step: tuple[float, float],
    diameter: float,
    /,
) -> NDArray[np.float32]:
    """Bring flat patches to the grid; each loses its mean and is divided by its spread.

    What counts is the disc around the center, which a turn leaves as it is:
    the corners are 0. So are missing pixels, which is the mean.

    Parameters
    ----------
    rows : ndarray, shape (patch, pixel)
        NaN: missing.
    shape : tuple of int
        Rows and columns of a patch.
    step : tuple of float
        From pixel to pixel.
    diameter : float
        Of the disc, in the unit of `step`. Where it is a little larger than
        the patch, the outermost pixels go on.

    Returns
    -------
    ndarray, shape (patch, N_GRID, N_GRID)

    Examples
    --------
    >>> slope = np.arange(9.0).reshape(1, 9)
    >>> grid = gridded_patches(slope, (3, 3), (1.0, 1.0), 3.0)
    >>> grid.shape, bool(np.allclose(grid, gridded_patches(5 * slope + 2, (3, 3), (1, 1), 3.0)))
    ((1, 24, 24), True)
    """
    values = np.asarray(rows, dtype=np.float32).reshape(-1, *shape)
    known = np.isfinite(values)
    down, across = (
        _weights(size, pixel, diameter) for size, pixel in zip(shape, step, strict=True)
    )
    filled = np.where(known, values, np.float32(0))
    # Far from zero, as of counts on a background, sums of squares would lose their digits.
    middle = filled.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    filled = np.where(known, values - middle[:, None, None], np.float32(0))
    grid = down @ filled @ across.T
    share = down @ known.astype(np.float32) @ across.T
    weight = disc() * (share > 0.5)
    grid /= np.maximum(share, np.float32(1e-6))
    total = np.maximum(weight.sum(axis=(1, 2), keepdims=True), np.float32(1e-6))
    grid -= (grid * weight).sum(axis=(1, 2), keepdims=True) / total
    spread = np.sqrt((grid**2 * weight).sum(axis=(1, 2), keepdims=True) / total)
    grid *= weight / np.maximum(spread, np.finfo(np.float32).tiny)
    return np.asarray(grid, dtype=np.float32)


def _weights(size: int, step: float, diameter: float) -> NDArray[np.float32]:
    """Weigh the pixels for each row of the grid: linearly between, averaged over finer ones."""
    pixel = (np.arange(size) - (size - 1) / 2) * step
    cell = diameter / N_GRID
    place = (np.arange(N_GRID) - (N_GRID - 1) / 2) * cell
    reach = max(step, cell)
    inside = np.clip(place, pixel[0], pixel[-1])
    weights = np.maximum(1 - np.abs(inside[:, None] - pixel) / reach, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def disc() -> NDArray[np.float32]:
    """Give 1 inside the largest circle of the grid and 0 outside, with a rim of one pixel."""
    place = np.arange(N_GRID) - (N_GRID - 1) / 2
    away = np.hypot(place[:, None], place)
    return np.asarray(np.clip(N_GRID / 2 - away, 0, 1), dtype=np.float32)
