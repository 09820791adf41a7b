"""The image around each site."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.splines import spline_windows
from adatom.schema import (
    IMAGE,
    SITES,
    Features,
    Image,
    Sites,
    add_note,
    extent,
    pixel_size,
    positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

_NOWHERE: Final = -1e9


def site_patches(image: Image, sites: Sites, /, *, size: Length = "2 d") -> Features:
    """Cut the image around each site, centered between pixels.

    The image is interpolated by a cubic spline, so that the center of every
    patch is the site itself and not the pixel next to it: patches of one
    building block are then alike, whatever its place on the pixel grid.
    Intensities are left as they are.

    Parameters
    ----------
    image : Image
        A dask image is loaded as a whole. NaN: not measured.
    sites : Sites
        In the unit of the image.
    size : length
        Height and width of a patch, rounded to the nearest odd number of
        pixels. By default two nearest-neighbor distances: the site, and its
        nearest neighbors as far as their centers, which is as far as one
        defect should reach. Take more where a building block is larger, such
        as an impurity with its second shell (5 d).

    Returns
    -------
    Features
        Dims (site, feature), with the offsets ``patch_y`` and ``patch_x``
        (feature) in the unit of space, the site's ``y``, ``x``, ``frame``, the
        share ``missing`` (site) of pixels beyond the edge of the image or not
        measured, and ``attrs["patch_shape"]``, rows and columns. Missing
        pixels are NaN; clustering leaves such sites unclassified. float32 stays
        float32; integers become floats that hold them exactly.

    Raises
    ------
    UnitError
        If image and sites are in different units.
    SettingError
        If `size` is less than three pixels.
    KindError
        If the sites are of several frames.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> image = image_from_array(np.arange(81.0).reshape(9, 9), pixel_size="0.1 nm")
    >>> sites = sites_from_positions([0.45, 0.4], [0.4, 0.0], unit="nm")
    >>> patches = site_patches(image, sites, size="0.3 nm")
    >>> patches.shape, patches.attrs["patch_shape"]
    ((2, 9), [3, 3])
    >>> patches["missing"].values.round(2)
    array([0.  , 0.33])
    """
    IMAGE.check(image, name="image")
    SITES.check(sites, name="sites")
    unit = space_unit(image)
    if space_unit(sites) != unit:
        msg = f"image is in {unit}, sites in {space_unit(sites)}: bring them to one unit"
        raise UnitError(msg)
    if "frame" in sites.coords and (n_frames := len(np.unique(sites.coords["frame"]))) > 1:
        msg = f"sites are of {n_frames} frames, image is one: select the sites of its frame"
        raise KindError(msg)
    step = pixel_size(image)
    half = _half_sizes(size, step, unit, sites)
    origin = np.array([image.coords["y"].values[0], image.coords["x"].values[0]], dtype=float)
    centers = (positions(sites) - origin) / step
    # A site without a position has no pixel: it stands far beyond the edge.
    centers[~np.isfinite(centers).all(axis=1)] = _NOWHERE
    windows = spline_windows(image.values, centers, half)
    return _patch_features(windows, image, sites, step)


def _half_sizes(
    size: Length, step: tuple[float, float], unit: str, sites: Sites
) -> tuple[int, int]:
    spacing = sites.attrs.get("spacing")
    halves = []
    for dim, pixel in zip(("y", "x"), step):
        length = length_from_setting(
            size, unit=unit, pixel_size=pixel, spacing=spacing, name="size"
        )
        # Nearest odd number of pixels; halves away from zero, not to the even number.
        half = int(np.floor((length / pixel - 1) / 2 + 0.5))
        if half < 1:
            msg = (
                f"{size=} is {max(length / pixel, 0):.2g} pixels along {dim}: "
                f"a patch needs 3 or more, that is {3 * pixel:.4g} {unit}"
            )
            raise SettingError(msg)
        halves.append(half)
    return halves[0], halves[1]


def _patch_features(
    windows: np.ndarray, image: Image, sites: Sites, step: tuple[float, float]
) -> Features:
    n_sites, rows, columns = windows.shape
    patch_y, patch_x = np.meshgrid(
        (np.arange(rows) - rows // 2) * step[0],
        (np.arange(columns) - columns // 2) * step[1],
        indexing="ij",
    )
    flat = windows.reshape(n_sites, rows * columns)
    missing = np.isnan(flat).mean(axis=1)
    units = {"units": space_unit(image)}
    places = {
        name: sites.coords[name].variable for name in ("y", "x", "frame") if name in sites.coords
    }
    patches = xr.DataArray(
        flat,
        dims=("site", "feature"),
        coords={
            **places,
            "patch_y": ("feature", patch_y.ravel(), units),
            "patch_x": ("feature", patch_x.ravel(), units),
            "missing": ("site", missing, {"units": "1"}),
        },
        name="patch",
        attrs={
            "units": image.attrs.get("units", "1"),
            "patch_shape": [rows, columns],
            "extent": sites.attrs.get("extent", extent(image)),
        },
    )
    if "spacing" in sites.attrs:
        patches.attrs["spacing"] = sites.attrs["spacing"]
    if n_missing := int((missing > 0).sum()):
        add_note(patches, f"{n_missing} of {n_sites} patches lack pixels, which are NaN")
    return patches
