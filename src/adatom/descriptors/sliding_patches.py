"""The image in windows that slide over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from adatom.descriptors.window_grid import features_of_windows, window_centers, window_grids
from adatom.errors import UnitError
from adatom.schema import IMAGE, SITES, Features, Image, Sites, extent, pixel_size, space_unit
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray


def window_patches(
    image: Image, sites: Sites | None = None, /, *, size: Length, step: Length | None = None
) -> Features:
    """Cut an image into windows that slide over it, atoms or no atoms.

    The same pieces as `site_patches` gives, but everywhere: a classifier that was
    trained on patches reads them as well, and says where there is lattice,
    dirt or vacuum.

    Parameters
    ----------
    image : Image
        Numpy gives numpy, which takes (`size` / `step`) squared times the memory
        of the image; dask gives dask, of which every block reads the part of
        the image under its windows only. NaN: not measured.
    sites : Sites, optional
        Whose distance of neighbors is the unit "d". Needed where `size` or
        `step` are in d.
    size : length
        Height and width of the windows: what a person would have to see
        to name the middle. Four to six distances between neighbors show
        whether there is a lattice.
    step : length, optional
        Distance of windows. By default a quarter of `size`.

    Returns
    -------
    Features
        Dims (y, x, feature); ``y`` and ``x`` are the centers of the windows. The
        first and the last window are flush with the edges of the image;
        between them starts are rounded to pixels. ``patch_y``, ``patch_x``
        (feature), ``attrs["patch_shape"]`` and, with sites, ``attrs["spacing"]`` are as
        of `site_patches`. float32 stays float32.

    Raises
    ------
    UnitError
        If image and sites are in different units, or d is not known.
    SettingError
        If a window has less than four pixels or is larger than the image, or
        `step` leaves gaps between windows.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> image = image_from_array(np.arange(144.0).reshape(12, 12), pixel_size="0.1 nm")
    >>> windows = window_patches(image, size="0.4 nm", step="0.2 nm")
    >>> windows.shape, windows[0, 1].values[:4]
    ((5, 5, 16), array([2., 3., 4., 5.]))
    """
    IMAGE.check(image, name="image")
    unit = space_unit(image)
    spacing = image.attrs.get("spacing")
    if sites is not None:
        SITES.check(sites, name="sites")
        if space_unit(sites) != unit:
            msg = f"image is in {unit}, sites in {space_unit(sites)}: bring them to one unit"
            raise UnitError(msg)
        spacing = sites.attrs.get("spacing")
    grids = window_grids(image, size, step, spacing=spacing)
    shape = (grids[0].length, grids[1].length)
    offsets = [
        (np.arange(length) - (length - 1) / 2) * pixel
        for length, pixel in zip(shape, pixel_size(image))
    ]
    patch_y, patch_x = np.meshgrid(*offsets, indexing="ij")
    place = {"units": unit}
    return xr.DataArray(
        features_of_windows(image, grids, _flat, shape[0] * shape[1]),
        dims=("y", "x", "feature"),
        coords={
            **{
                dim: (dim, window_centers(image, dim, grid), place)
                for dim, grid in zip(("y", "x"), grids)
            },
            "patch_y": ("feature", patch_y.ravel(), place),
            "patch_x": ("feature", patch_x.ravel(), place),
        },
        name="patch",
        attrs={
            "units": image.attrs.get("units", "1"),
            "patch_shape": list(shape),
            "extent": extent(image),
            **({} if spacing is None else {"spacing": float(spacing)}),
        },
    )


def _flat(windows: NDArray[np.floating]) -> NDArray[np.floating]:
    return windows.reshape(*windows.shape[:2], -1)
