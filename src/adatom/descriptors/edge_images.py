"""The image around impurities on an edge, turned so that all edges run alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates

from adatom.errors import KindError, SettingError
from adatom.numerics.readers import reader_of
from adatom.schema import (
    IMAGE,
    MOVIE,
    SITES,
    Features,
    Image,
    Movie,
    Sites,
    add_note,
    pixel_size,
    positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Rows of a patch: finer grids of the same image hold nothing new.
_MOST: Final = 25


def edge_patches(movie: Movie | Image, impurities: Sites, /, *, size: Length = "4 d") -> Features:
    """Cut the image around impurities on an edge, along it and outward.

    What stands beside a bright impurity is seen in the image even where no atom was
    found. The image is interpolated by a cubic spline, on a grid along the edge and
    outward, at the pixel size of the image or coarser, so that a state looks the same
    wherever the edge runs, and its mirror image is the patch read backwards.

    Parameters
    ----------
    movie : Movie or Image
        Frames are read one by one.
    impurities : Sites
        As `crystallography.find_edge_impurities` gives them, found in this movie.
    size : length
        Of the patch, along the edge and outward. The default holds the first and second
        neighbors.

    Returns
    -------
    Features
        (site, feature), in the unit of the image, with ``patch_along``, ``patch_outward``
        and what a mirror does to them: feature k becomes ``mirror_sign`` times feature
        ``mirror_feature`` of it. NaN for pixels beyond the frame.
        ``attrs["patch_shape"]``: rows outward, columns along.

    Raises
    ------
    KindError
        If the impurities have no directions along an edge, or are not of these frames.
    SettingError
        If the size is less than three pixels.

    Examples
    --------
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> image = image_from_array(np.arange(400.0).reshape(20, 20))
    >>> silicon = sites_from_positions([10.0], [10.0], unit="px", spacing=2.0)
    >>> silicon["edge_tangent"] = (("site", "axis"), [[0.0, -1.0]])
    >>> silicon["edge_normal"] = (("site", "axis"), [[-1.0, 0.0]])
    >>> patches = edge_patches(image, silicon)
    >>> patches.attrs["patch_shape"], round(float(patches[0, 40]), 6)
    ([9, 9], 210.0)
    """
    (MOVIE if "frame" in getattr(movie, "dims", ()) else IMAGE).check(movie)
    SITES.check(impurities, name="impurities")
    if not {"edge_tangent", "edge_normal"} <= set(impurities.variables):
        msg = (
            "the impurities have no edge_tangent and edge_normal: take those of "
            "crystallography.find_edge_impurities"
        )
        raise KindError(msg)
    unit, steps = space_unit(movie), np.array(pixel_size(movie))
    if space_unit(impurities) != unit:
        msg = f"the image is in {unit}, the impurities in {space_unit(impurities)}"
        raise KindError(msg)
    pixel = float(np.sqrt(steps.prod()))
    spacing = impurities.attrs.get("spacing")
    width = length_from_setting(size, unit=unit, pixel_size=pixel, spacing=spacing, name="size")
    half = min(round(width / pixel), _MOST) // 2
    if half < 1:
        msg = f"{size=} is {width / pixel:.2g} pixels, need 3 or more"
        raise SettingError(msg)
    grid = np.arange(-half, half + 1) * (width / (2 * half))
    outward, along = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    places = (
        positions(impurities)[:, None]
        + along[:, None] * impurities["edge_tangent"].values[:, None]
        + outward[:, None] * impurities["edge_normal"].values[:, None]
    )
    values = _values(movie, impurities, places, steps)
    features = _features(movie, impurities, values, along, outward, len(grid))
    cut = int(np.isnan(values).any(axis=1).sum())
    if cut:
        add_note(features, f"{cut} of {len(values)} patches reach beyond the frame: left out")
    return features


def _values(movie: Movie | Image, impurities: Sites, places: Floats, steps: Floats) -> Floats:
    """Interpolate each frame at the places (site, feature, axis) of its impurities."""
    origin = np.array([movie.coords[axis].values[0] for axis in ("y", "x")])
    values = np.full(places.shape[:2], np.nan)
    if "frame" not in movie.dims:
        groups = iter([(np.arange(len(places)), np.asarray(movie.values, dtype=float))])
    else:
        groups = _frames(movie, impurities)
    for mine, image in groups:
        at = np.moveaxis((places[mine] - origin) / steps, 2, 0)
        values[mine] = map_coordinates(image, at, order=3, mode="constant", cval=np.nan)
    return values


def _frames(movie: Movie, impurities: Sites) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Read the frames that hold impurities one by one."""
    if "frame" not in impurities.coords:
        msg = "the movie has frames, the impurities have no coordinate 'frame'"
        raise KindError(msg)
    numbers = (
        movie.coords["frame"].values if "frame" in movie.coords else np.arange(movie.sizes["frame"])
    )
    read, frame = reader_of(movie.data), impurities["frame"].values
    whole = [slice(0, size) for size in movie.shape[1:]]
    for number in np.unique(frame).tolist():
        at = np.flatnonzero(numbers == number)
        if len(at) != 1:
            msg = f"the impurities hold frame {number}, the movie does not"
            raise KindError(msg)
        k = int(at[0])
        image = np.asarray(read((slice(k, k + 1), *whole)), dtype=float)[0]
        yield np.flatnonzero(frame == number), image


def _features(
    movie: Movie | Image,
    impurities: Sites,
    values: Floats,
    along: Floats,
    outward: Floats,
    side: int,
) -> Features:
    dtype = np.result_type(movie.dtype, np.float32)
    coords: dict[str, object] = {
        name: impurities.coords[name].variable
        for name in ("y", "x", "frame", "time")
        if name in impurities.coords
    }
    unit = {"units": space_unit(impurities)}
    number = np.arange(side * side).reshape(side, side)
    coords |= {
        "patch_along": ("feature", along, unit),
        "patch_outward": ("feature", outward, unit),
        "mirror_feature": ("feature", number[:, ::-1].ravel()),
        "mirror_sign": ("feature", np.ones(side * side, dtype=np.int64)),
    }
    return xr.DataArray(
        values.astype(dtype),
        dims=("site", "feature"),
        coords=coords,
        name="edge_patch",
        attrs={"units": movie.attrs.get("units", "1"), "patch_shape": [side, side]},
    )
