"""Where an image shows a lattice, and where it does not."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.ndimage
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.localization.detection import Detection, find_peaks, pixels_of_image
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import IMAGE, MASK, Image, Mask, add_note

# Points without order recur by chance at 0.2, those of a lattice near 1, of
# a grain boundary between the two.
DISORDERED = 0.4
DOUBTFUL = 0.6
CLEAN = 0.85
# The rim ends where brightness has fallen to this share of the core's.
RIM = 0.15
# A patch without order is no lattice when a disc of this radius, in spacings,
# fits into it: grain boundaries and single defects are narrower.
SMALLEST_RADIUS = 2.0
# Film through which the lattice shines is told by what lies between the atoms: so many
# spreads of the clean lattice brighter, over a disc wider than a cluster of bright atoms.
FILM_SPREADS = 10.0
FILM_RADIUS = 1.5
# Shares of the image without order between which a second look pays.
MOST_WITHOUT_SAY = (0.01, 0.8)


def find_lattice_regions(
    image: Image, /, *, contrast: Literal["bright", "dark"] = "bright"
) -> Mask:
    """Find where the image shows a lattice; contamination, vacuum and amorphous parts are left out.

    Peaks are sought everywhere; around each, it is asked how surely its
    surroundings repeat from neighbor to neighbor. Where they do not, over
    more than four spacings, or where no peaks are, there is no lattice. Grain
    boundaries and point defects are narrower and stay in.

    Parameters
    ----------
    image : Image
        Loaded into memory if it is lazy.
    contrast : {"bright", "dark"}
        Atoms are brighter or darker than their surroundings.

    Returns
    -------
    Mask
        True: analyse here. ``attrs["left_out"]`` says what share of the area
        is left out as ``disordered`` (contamination, amorphous) and as
        ``empty`` (vacuum, holes).

    Raises
    ------
    NoLatticeError
        If the image shows no lattice anywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> mask = find_lattice_regions(image_from_array(np.cos(y) + np.cos(x)))
    >>> float(mask.mean())
    1.0
    """
    IMAGE.check(image)
    pixels = pixels_of_image(image, None, contrast=contrast)
    found = find_lattice(pixels)
    disordered, empty = lattice_gaps(found, pixels)
    mask = xr.DataArray(
        ~(disordered | empty),
        dims=("y", "x"),
        coords={dim: image.coords[dim] for dim in ("y", "x")},
        name="lattice",
    )
    shares = {"disordered": float(disordered.mean()), "empty": float((empty & ~disordered).mean())}
    mask.attrs["left_out"] = shares
    add_note(
        mask,
        f"{sum(shares.values()):.1%} of the image is left out: {shares['disordered']:.1%} shows "
        f"no repeating order (contamination or amorphous), {shares['empty']:.1%} no atoms.",
    )
    MASK.check(mask)
    return mask


def find_lattice(pixels: NDArray[np.float32], /, *, spacing: float | None = None) -> Detection:
    """Find the peaks twice where parts show no lattice: with those, and without their say.

    Contamination carries more power than atoms, and may set the scale.
    """
    found = find_peaks(pixels, spacing=spacing)
    disordered, _ = lattice_gaps(found, pixels)
    if not MOST_WITHOUT_SAY[0] < disordered.mean() < MOST_WITHOUT_SAY[1]:
        return found
    again = find_peaks(pixels, spacing=spacing, ignored=disordered)
    return max(found, again, key=lambda detection: detection.quality)


def lattice_gaps(
    found: Detection, pixels: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Give where peaks have no order, and where there are none, on the pixel grid."""
    # A coarse grid is fine enough for outlines and keeps large images cheap.
    pitch = max(1, int(found.spacing / 6))
    coarse = [np.arange(0, size, pitch) for size in pixels.shape]
    nodes = np.stack(np.meshgrid(*coarse, indexing="ij"), axis=-1)
    distance, nearest = cKDTree(found.position).query(nodes.astype(float))
    spacing = found.spacing / pitch
    order = local_order(found)[nearest]
    level = scipy.ndimage.gaussian_filter(pixels, 0.7 * found.spacing)[np.ix_(*coarse)]
    wild = _wide(order < DISORDERED, SMALLEST_RADIUS * spacing)
    between = _between_atoms(pixels, found.spacing)[np.ix_(*coarse)]
    wild = _grown(wild | _film(order, between, spacing), order, level, spacing)
    bare = _wide(distance > 1.2 * _room_of_site(found), 0.5 * spacing) & ~wild
    whole = [
        np.minimum(np.rint(np.arange(n) / pitch).astype(int), c.size - 1)
        for n, c in zip(pixels.shape, coarse, strict=True)
    ]
    return wild[np.ix_(*whole)], bare[np.ix_(*whole)]


def _between_atoms(pixels: NDArray[np.float32], spacing: float) -> NDArray[np.float32]:
    """Give the darkest place within reach of the next hole of any common lattice."""
    smooth = scipy.ndimage.gaussian_filter(pixels, 0.3 * spacing)
    return np.asarray(scipy.ndimage.minimum_filter(smooth, max(1, round(1.8 * spacing))))


def _film(
    order: NDArray[np.float64], between: NDArray[np.float32], spacing: float
) -> NDArray[np.bool_]:
    """Find where order suffers and the gaps between atoms are filled."""
    middle, spread = _clean_level(order, between)
    odd = between - middle > FILM_SPREADS * spread
    return _wide(odd & (order < CLEAN), FILM_RADIUS * spacing)


def _clean_level(order: NDArray[np.float64], level: NDArray[np.float32]) -> tuple[float, float]:
    """Give brightness and its spread where the lattice is clean; no limit where it is nowhere."""
    clean = level[order > CLEAN]
    if not clean.size:
        return 0.0, np.inf
    middle = float(np.median(clean))
    return middle, SIGMA_OF_MAD * float(np.median(np.abs(clean - middle)))


def _grown(
    core: NDArray[np.bool_],
    order: NDArray[np.float64],
    level: NDArray[np.float32],
    spacing: float,
) -> NDArray[np.bool_]:
    """Extend a part without order to its rim, where traces of the lattice shine through.

    To the rim belongs what is connected to the core and out of the clean
    lattice's range of brightness on the core's side, or what is near the core
    and of doubtful order.
    """
    middle, spread = _clean_level(order, level)
    if not core.any() or np.isinf(spread):
        return core
    rise = float(np.median(level[core])) - middle
    other = np.sign(rise) * (level - middle) > max(5 * spread, RIM * abs(rise))
    near = scipy.ndimage.distance_transform_edt(~core) < 2 * spacing
    return np.asarray(
        scipy.ndimage.binary_propagation(core, mask=core | other | (near & (order < DOUBTFUL)))
    )


def local_order(found: Detection) -> NDArray[np.float64]:
    """Average the recurrence over each site and its six nearest; 1 where it cannot be judged."""
    order = np.where(np.isnan(found.order), 1.0, found.order)
    if len(order) <= 7:
        return order
    _, near = cKDTree(found.position).query(found.position, k=7)
    return np.asarray(order[near].mean(axis=1))


def _room_of_site(found: Detection) -> float:
    """Give how far a point can be from its nearest site on this lattice, typically."""
    distance, _ = cKDTree(found.position).query(found.position, k=min(4, len(found.position)))
    return float(np.median(distance[:, -1]))


def _wide(where: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Keep only what a disc fits into."""
    radius = max(1, round(reach))
    # Beyond the frame it may go on: a blob cut by the edge counts as whole.
    padded = np.pad(where, radius + 1, mode="edge")
    deep = scipy.ndimage.distance_transform_edt(padded) > radius
    if not deep.any():
        return np.zeros_like(where)
    opened = scipy.ndimage.distance_transform_edt(~deep) <= radius
    inner = slice(radius + 1, -radius - 1)
    return np.asarray(opened[inner, inner] & where)
