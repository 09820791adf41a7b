"""Integrated intensity of columns, by their Voronoi cells or by their fitted Gaussians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import (
    IMAGE,
    SITES,
    Image,
    Sites,
    add_note,
    pixel_size,
    positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows of pixels that are asked for their columns at once.
_BLOCK: Final = 1_000_000
# By brightness: noise that grows with the signal is told from that of the dark.
_N_SHADES: Final = 12
# Pixels: the spread of each shade is then known to half a percent.
_SAMPLE: Final = 400_000
# Second differences along both axes see no column of some pixels' width, but all noise (white
# noise times 6, the root of the sum of their squares).
_DIFFERENCE: Final = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]) / 6.0


def estimate_column_intensity(
    image: Image,
    sites: Sites,
    /,
    *,
    method: Literal["voronoi", "fit"] = "voronoi",
    max_radius: Length = "1 d",
) -> Sites:
    """Estimate the integrated intensity of every column.

    Of high-angle dark-field images it is the scattering cross-section of the
    column, which is robust against the shape of the probe [1]_.

    Parameters
    ----------
    image : Image
        A dask image is loaded. If its noise is not white from pixel to pixel,
        as after resampling, errors are too small.
    sites : Sites
        Of this image.
    method : {"voronoi", "fit"}
        Sum over the pixels nearer to a column than to any other, with what lies
        between columns; or the volume of the Gaussian that `refine_sites`
        fitted, above its background. The first asks for no model, the second
        can part what overlaps.
    max_radius : length
        Cells end at this distance, where there is a hole or an edge. The
        default reaches the corners of all common lattices: that of the cell
        of a honeycomb is one spacing away.

    Returns
    -------
    Sites
        With ``column_intensity`` in the unit of the image times that of an area, the
        standard deviation ``column_intensity_error`` that the noise of pixels
        gives it, and, by cells, ``cell_area``. NaN where the frame cuts a
        cell, where a pixel of it is NaN, or where the fit failed. Fitted
        columns nearer to one another than 6 widths resemble the background
        between them: of 10,000 the 95 % interval holds 93 to 94 %.

    Raises
    ------
    KindError
        If the sites are of several frames, or were not fitted.
    SettingError
        If `max_radius` is not positive, or `method` is not known.
    UnitError
        If image and sites are in different units.

    References
    ----------
    .. [1] H. E et al., Ultramicroscopy 133, 109 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> y, x = (10.0 * axis.ravel() + 5 for axis in np.mgrid[:4.0, :4.0])
    >>> sites = sites_from_positions(y, x, unit="px", spacing=10.0)
    >>> found = estimate_column_intensity(image_from_array(np.ones((40, 40))), sites)
    >>> found["column_intensity"].sel(site=5).item()
    100.0
    """
    IMAGE.check(image, name="image")
    SITES.check(sites, name="sites")
    if method not in {"voronoi", "fit"}:
        msg = f"{method=} is not known: use 'voronoi' or 'fit'"
        raise SettingError(msg)
    unit = space_unit(image)
    if space_unit(sites) != unit:
        msg = f"the image is in {unit}, sites in {space_unit(sites)}: bring them to one unit"
        raise UnitError(msg)
    if "frame" in sites.coords and len(np.unique(sites.coords["frame"].values)) > 1:
        msg = "the sites are of several frames, the image is one: select the sites of its frame"
        raise KindError(msg)
    out = sites.copy()
    dtype = np.result_type(image.dtype, np.float32)
    scale = f"{image.attrs.get('units', '1')} {unit}^2".removeprefix("1 ")
    if method == "fit":
        total, error = _of_gaussians(sites)
        how = "volumes of the fitted Gaussians, above their background"
    else:
        radius = length_from_setting(
            max_radius,
            unit=unit,
            pixel_size=float(np.mean(pixel_size(image))),
            spacing=sites.attrs.get("spacing"),
            name="max_radius",
        )
        if not radius > 0:
            msg = f"{max_radius=} must be greater than zero"
            raise SettingError(msg)
        total, error, area = _of_cells(image, positions(sites), radius)
        out["cell_area"] = ("site", area.astype(dtype), {"units": f"{unit}^2"})
        how = f"sums over Voronoi cells of at most {radius:.3g} {unit} radius, background included"
    out["column_intensity"] = ("site", total.astype(dtype), {"units": scale})
    out["column_intensity_error"] = ("site", error.astype(dtype), {"units": scale})
    n_known = int(np.isfinite(total).sum())
    add_note(out, f"intensities of {n_known} of {len(total)} columns: {how}")
    return out


def _of_gaussians(sites: Sites) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the volumes 2 pi A s^2 of fitted Gaussians, and their errors."""
    lacking = [name for name in ("amplitude", "width", "volume_error") if name not in sites]
    if lacking:
        msg = f"these sites carry no {', '.join(lacking)}: run localization.refine_sites first"
        raise KindError(msg)
    amplitude, width, relative = (
        sites[name].values.astype(np.float64) for name in ("amplitude", "width", "volume_error")
    )
    good = sites["fit_ok"].values.astype(bool) if "fit_ok" in sites else np.isfinite(amplitude)
    volume = np.where(good, 2 * np.pi * amplitude * width**2, np.nan)
    return volume, np.abs(volume) * relative


def _of_cells(
    image: Image, places: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sum over the cells of all sites: intensity, its error, and area; NaN where cut."""
    values = np.asarray(image.values, dtype=np.float64)
    variance = _pixel_variance(values)
    step = np.array(pixel_size(image))
    n = len(places)
    sums = np.zeros((3, n))
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    cut = np.ones(n, dtype=bool)
    cut[known] = False
    if not len(known):
        return np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    tree = cKDTree(places[known])
    y, x = (image.coords[name].values.astype(np.float64) for name in ("y", "x"))
    rows = max(1, _BLOCK // len(x))
    for start in range(0, len(y), rows):
        part = slice(start, start + rows)
        pixels = np.stack(np.meshgrid(y[part], x, indexing="ij"), axis=-1).reshape(-1, 2)
        owner, share = _shares_of_pixels(tree, pixels, radius, float(step.mean()))
        owner = np.where(owner < 0, -1, known[np.maximum(owner, 0)])
        edge = np.zeros((len(y[part]), len(x)), dtype=bool)
        edge[:, [0, -1]] = True
        edge[0] |= start == 0
        edge[-1] |= start + rows >= len(y)
        cut[np.unique(owner[edge.ravel()][share[edge.ravel()] > 0])] = True
        flat, noise = values[part].ravel(), variance[part].ravel()
        for owned, weight in zip(owner.T, share.T):
            here = np.flatnonzero(weight > 0)
            mine, by = owned[here], weight[here]
            for k, amounts in enumerate((by * flat[here], by**2 * noise[here], by)):
                sums[k] += np.bincount(mine, amounts, minlength=n)
    pixel = float(step.prod())
    total, spread, area = sums[0] * pixel, np.sqrt(sums[1]) * pixel, sums[2] * pixel
    cut |= (area == 0) | ~np.isfinite(total)
    for numbers in (total, spread, area):
        numbers[cut] = np.nan
    return total, spread, area


def _shares_of_pixels(
    tree: cKDTree, pixels: NDArray[np.float64], radius: float, step: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the two nearest sites (pixel, 2) of pixels, -1: none, and the share of each.

    A pixel that the border of two cells crosses belongs to both, by its
    distance from the border over its width: exactly so along its sides, and
    with the same mean and spread at other angles.
    """
    distance, owner = tree.query(
        pixels, k=[1, 2], distance_upper_bound=radius + 2 * step, workers=-1
    )
    found = np.isfinite(distance)
    owner = np.where(found, owner, -1)
    both = found.all(axis=1)
    first = np.where(found[:, 0], np.clip(0.5 + (radius - distance[:, 0]) / step, 0.0, 1.0), 0.0)
    share = np.stack([first, np.zeros_like(first)], axis=1)
    at = tree.data[owner[both]]
    apart = np.linalg.norm(at[:, 0] - at[:, 1], axis=1)
    inward = (distance[both, 1] ** 2 - distance[both, 0] ** 2) / (2 * np.maximum(apart, 1e-12))
    mine = np.clip(0.5 + inward / step, 0.5, 1.0)
    share[both] = first[both, None] * np.stack([mine, 1 - mine], axis=1)
    return owner.astype(np.int64), share


def _pixel_variance(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the variance of the noise of every pixel, by its brightness."""
    known = np.isfinite(values)
    filled = np.where(known, values, np.median(values[known]) if known.any() else 0.0)
    rough = np.abs(scipy.ndimage.convolve(filled, _DIFFERENCE, mode="mirror"))
    level = scipy.ndimage.uniform_filter(filled, 3, mode="mirror")
    every = slice(None, None, -(-level.size // _SAMPLE))
    some, off = level.ravel()[every], rough.ravel()[every]
    order = np.argsort(some, kind="stable")
    groups = [part for part in np.array_split(order, _N_SHADES) if len(part)]
    shade = np.array([some[part].mean() for part in groups])
    spread = np.array([SIGMA_OF_MAD * np.median(off[part]) for part in groups])
    variance: NDArray[np.float64] = np.interp(level, shade, spread**2)
    return variance
