"""Where an image shows a lattice, and where it does not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.ndimage
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.localization.absurd import absurd_in_words, without_absurd_pixels
from adatom.localization.choosing import (
    DEFAULT_METHOD,
    Method,
    runner_of_method,
    usable_pixels,
)
from adatom.localization.contrast import Contrast, contrast_of_image
from adatom.localization.detection import (
    Detection,
    check_not_constant,
    find_peaks,
    pixels_of_image,
)
from adatom.localization.leaving_out import (
    ANALYZED,
    DISORDERED,
    EMPTY,
    NOT_MEASURED,
    REASONS,
    gaps_between_atoms,
    shares_in_words,
    shares_left_out,
    wide,
)
from adatom.localization.network import predict_sites_of_pixels
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.filters import gaussian_filter
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import IMAGE, MASK, Image, Mask, add_note, pixel_size

# Points without order recur by chance at 0.2, those of a lattice near 1, of
# a grain boundary between the two.
_DISORDER = 0.4
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
    image: Image,
    trained: ExportedNetwork | None = None,
    /,
    *,
    method: Method = DEFAULT_METHOD,
    contrast: Contrast = "auto",
    network: str | None = None,
) -> Mask:
    """Find where the image shows a lattice; contamination, vacuum and amorphous parts are left out.

    Classically, peaks are sought everywhere; around each, it is asked how
    surely its surroundings repeat from neighbor to neighbor. Where they do
    not, over more than four spacings, or where no peaks are, there is no
    lattice. Grain boundaries and point defects are narrower and stay in. A
    network was taught where a lattice is to be analyzed.

    Parameters
    ----------
    image : Image
        Loaded into memory if it is lazy.
    trained : ExportedNetwork, optional
        A network of one's own, as `networks.export_network` gives it.
    method : {"classical", "network"}
        As for `find_atoms`.
    contrast : {"auto", "bright", "dark"}
        Atoms are brighter or darker than their surroundings; by default
        found as `find_atoms` does.
    network : str, optional
        File of an exported network to use; by default the shipped one.

    Returns
    -------
    Mask
        True: analyze here. Its coordinate ``reason`` (y, x) says why not, by
        numbers that its attribute ``names`` lists: disordered
        (contamination, amorphous), empty (vacuum, holes), unknown lattice
        (one that the network has not learned), not measured.
        ``attrs["left_out"]`` says what share of the area each one takes,
        ``attrs["contrast"]`` what the atoms are taken for; `find_atoms` takes
        them for the same.

    Raises
    ------
    NoLatticeError
        If the image shows no lattice anywhere.
    ReadError
        If the file of the network cannot be used.
    SettingError
        If a network is given for the classical method.

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
    runner = runner_of_method(method, trained, network)
    check_not_constant(image)
    image, n_absurd = without_absurd_pixels(image)
    pixels, usable = pixels_of_image(image, None, contrast="bright"), usable_pixels(image, None)
    settled = contrast_of_image(image, pixels, contrast=contrast)
    if settled.contrast == "dark":
        pixels = -pixels
    if runner is None:
        lattice = find_lattice(pixels)
        disordered, empty = lattice.disordered, lattice.empty
        reason = np.where(disordered, DISORDERED, np.where(empty, EMPTY, ANALYZED)).astype(np.int8)
    else:
        step = pixel_size(image)
        reason = predict_sites_of_pixels(pixels, usable, runner, step=step).reason
    reason[~usable] = NOT_MEASURED
    place = {dim: image.coords[dim] for dim in ("y", "x")}
    mask = xr.DataArray(reason == ANALYZED, dims=("y", "x"), coords=place, name="lattice")
    mask.coords["reason"] = (("y", "x"), reason, {"names": list(REASONS)})
    mask.attrs["left_out"] = shares_left_out(reason)
    mask.attrs["contrast"] = settled.contrast
    add_note(mask, f"Left out of the image: {shares_in_words(reason) or 'nothing'}.")
    add_note(mask, settled.in_words())
    if n_absurd:
        add_note(mask, absurd_in_words(n_absurd))
    MASK.check(mask)
    return mask


class Lattice(NamedTuple):
    """Peaks of a lattice, and where there is none.

    Attributes
    ----------
    found : Detection
    disordered, empty : array of bool, shape (y, x)
        Where peaks have no order, and where there are none.
    """

    found: Detection
    disordered: NDArray[np.bool_]
    empty: NDArray[np.bool_]


def find_lattice(pixels: NDArray[np.float32], /, *, spacing: float | None = None) -> Lattice:
    """Find the peaks twice where parts show no lattice: with those, and without their say.

    Contamination carries more power than atoms, and may set the scale.
    """
    found = find_peaks(pixels, spacing=spacing)
    disordered, empty = lattice_gaps(found, pixels)
    if not MOST_WITHOUT_SAY[0] < disordered.mean() < MOST_WITHOUT_SAY[1]:
        return Lattice(found, disordered, empty)
    again = find_peaks(pixels, spacing=spacing, ignored=disordered)
    if again.quality > found.quality:
        return Lattice(again, *lattice_gaps(again, pixels))
    return Lattice(found, disordered, empty)


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
    level = gaussian_filter(pixels, 0.7 * found.spacing)[np.ix_(*coarse)]
    wild = wide(order < _DISORDER, SMALLEST_RADIUS * spacing)
    between = gaps_between_atoms(pixels, found.spacing)[np.ix_(*coarse)]
    wild = _grown(wild | _film(order, between, spacing), order, level, spacing)
    bare = wide(distance > 1.2 * _room_of_site(found), 0.5 * spacing) & ~wild
    whole = [
        np.minimum(np.rint(np.arange(n) / pitch).astype(int), c.size - 1)
        for n, c in zip(pixels.shape, coarse, strict=True)
    ]
    return wild[np.ix_(*whole)], bare[np.ix_(*whole)]


def _film(
    order: NDArray[np.float64], between: NDArray[np.float32], spacing: float
) -> NDArray[np.bool_]:
    """Find where order suffers and the gaps between atoms are filled."""
    middle, spread = _clean_level(order, between)
    odd = between - middle > FILM_SPREADS * spread
    return wide(odd & (order < CLEAN), FILM_RADIUS * spacing)


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
