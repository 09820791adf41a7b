"""Labeled images as a network sees them: one scale, even contrast, a square crop, its maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.networks.architecture import MULTIPLE
from adatom.numerics.heatmaps import STRIDE, Batch, maps_from_positions, turns_from_angles
from adatom.numerics.network_input import SPACINGS, normalized_picture, resampled_picture
from adatom.schema import pixel_size, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.schema import Image, Mask, Sites

    Grid = NDArray[np.float32]

G = TypeVar("G", bound=np.generic)

# A site that nobody could tell is neither right nor wrong: cells this near are not judged.
_UNSURE_REACH: Final = 3.0


@dataclass(frozen=True)
class Pictures:
    """How pictures for training are taken of labeled images.

    Attributes
    ----------
    crop : int
        Rows and columns of a picture, a multiple of 16. 128 pixels hold some
        150 atoms and take a sixth of the time of 320.
    n_views : int
        Pictures of each image, one batch has them all: simulating an image
        may take longer than learning from it. The more, the fewer different
        images are seen.
    n_judged : int
        Images, not learned from, by which the network is scored.
    """

    crop: int = 128
    n_views: int = 1
    n_judged: int = 48

    def __post_init__(self) -> None:
        if self.crop < 2 * MULTIPLE or self.crop % MULTIPLE:
            msg = f"crop={self.crop} must be a multiple of {MULTIPLE}, {2 * MULTIPLE} or more"
            raise SettingError(msg)
        if self.n_views < 1 or self.n_judged < 1:
            msg = f"n_views={self.n_views} and n_judged={self.n_judged} must be 1 or more"
            raise SettingError(msg)


class LabeledPicture(NamedTuple):
    """A picture at the scale of a network, and the truth about it.

    Attributes
    ----------
    picture : ndarray, shape (y, x)
        Normalized.
    position : ndarray, shape (site, 2)
        Row and column of every site in pixels.
    number : ndarray of int, shape (site,)
        Class of each site; -1 for none of those asked for.
    is_sure : ndarray of bool, shape (site,)
        False: nobody could tell the site, so that it is neither missed nor false.
    lattice : ndarray of bool, shape (y, x)
        Where a lattice can be analyzed.
    usable : ndarray of bool, shape (y, x)
        False where nothing was measured.
    spacing : float
        Distance of neighboring sites in pixels; NaN where there is no lattice.
    snr : float
        Amplitude of an atom over the noise of a pixel; NaN if not known.
    angle : ndarray, shape (site,), optional
        Orientation in deg from +x towards +y; NaN where it is not known.
    """

    picture: Grid
    position: NDArray[np.float64]
    number: NDArray[np.int64]
    is_sure: NDArray[np.bool_]
    lattice: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    spacing: float
    snr: float
    angle: NDArray[np.float64] | None = None


def picture_from_image(
    image: Image,
    sites: Sites,
    lattice: Mask | None = None,
    /,
    *,
    factor: float | None = None,
    classes: Sequence[str] = (),
) -> LabeledPicture:
    """Bring a labeled image to the scale of a network.

    Sites under opaque junk (``covered``) are left out: there is nothing to
    be found. Those that are not ``visible`` otherwise are kept as not sure.

    Parameters
    ----------
    image : Image
        NaN where nothing was measured.
    sites : Sites
        In the unit of the image.
    lattice : Mask, optional
        Where a lattice can be analyzed; everywhere by default.
    factor : float, optional
        Pixels of the picture per pixel of the image; by default neighboring
        sites come to lie in the middle of the range that networks are made for.
    classes : sequence of str
        Names of classes, sought in ``class`` and ``species`` of the sites.

    Raises
    ------
    KindError
        If no factor is given and the sites tell no spacing.
    """
    values = np.asarray(image.values, dtype=np.float32)
    usable = np.isfinite(values)
    step = np.array(pixel_size(image))
    origin = np.array([image.coords["y"].values[0], image.coords["x"].values[0]], dtype=float)
    place = (positions(sites) - origin) / step
    spacing = float(sites.attrs.get("spacing", np.nan)) / float(np.sqrt(step.prod()))
    if factor is None:
        if not np.isfinite(spacing):
            msg = "sites have no attrs['spacing'] from which a scale could be taken: give factor="
            raise KindError(msg)
        factor = float(np.sqrt(SPACINGS[0] * SPACINGS[1])) / spacing
    filled = np.where(usable, values, np.median(values[usable]) if usable.any() else 0)
    made = resampled_picture(filled.astype(np.float32), factor)
    kept = np.ones(values.shape, bool) if lattice is None else lattice.values
    seen = _resampled_mask(usable, made.factor)
    told = ~_variable(sites, "covered", default=False)
    return LabeledPicture(
        picture=normalized_picture(made.picture, None if seen.all() else seen),
        position=made.positions_in_picture(place[told]),
        number=numbers_of_classes(sites, classes)[told],
        is_sure=_variable(sites, "visible", default=True)[told],
        lattice=_resampled_mask(kept, made.factor),
        usable=seen,
        spacing=spacing * float(np.sqrt(np.prod(made.factor))),
        snr=float(np.median(sites["snr"].values)) if "snr" in sites and len(place) else np.nan,
        angle=angles_of_sites(sites)[told],
    )


def _variable(sites: Sites, name: str, *, default: bool) -> NDArray[np.bool_]:
    if name not in sites:
        return np.full(sites.sizes["site"], default)
    return np.asarray(sites[name].values, dtype=bool)


def angles_of_sites(sites: Sites, /) -> NDArray[np.float64]:
    """Give the orientation of each site in deg, NaN where it is not known."""
    if "orientation" not in sites:
        return np.full(sites.sizes["site"], np.nan)
    return np.asarray(sites["orientation"].values, dtype=float)


def _resampled_mask(mask: NDArray[np.bool_], factor: tuple[float, float]) -> NDArray[np.bool_]:
    if mask.all():
        shape = (round(n * f) for n, f in zip(mask.shape, factor, strict=True))
        return np.ones(tuple(shape), dtype=bool)
    return resampled_picture(mask.astype(np.float32), factor).picture > 0.5


def numbers_of_classes(sites: Sites, classes: Sequence[str], /) -> NDArray[np.int64]:
    """Give the number of the class of each site, its place among `classes`."""
    numbers = np.full(sites.sizes["site"], -1, np.int64)
    for variable in ("species", "class"):
        if variable in sites:
            names = sites[variable].values
            for number, name in enumerate(classes):
                numbers[names == name] = number
    return numbers


def cropped(labeled: LabeledPicture, size: int, rng: np.random.Generator, /) -> LabeledPicture:
    """Cut a square at a place of chance, turned and mirrored by chance.

    A smaller picture is laid on an empty ground, which counts as not measured.
    """
    whole = padded(labeled, (size, size))
    top, left = (int(rng.integers(n - size + 1)) for n in whole.picture.shape)
    n_turns, is_mirrored = int(rng.integers(4)), bool(rng.integers(2))

    def cut(grid: NDArray[G]) -> NDArray[G]:
        square = grid[top : top + size, left : left + size]
        return np.ascontiguousarray(np.rot90(square[:, ::-1] if is_mirrored else square, n_turns))

    (y, x), angle = (whole.position - (top, left)).T, _known_angles(whole)
    if is_mirrored:
        x, angle = size - 1 - x, 180 - angle
    for _ in range(n_turns):
        # As `numpy.rot90` turns: the last column becomes the first row.
        y, x, angle = size - 1 - x, y, angle - 90
    return _with_grids(whole, cut)._replace(position=np.stack([y, x], axis=-1), angle=angle)


def _known_angles(labeled: LabeledPicture) -> NDArray[np.float64]:
    return np.full(len(labeled.position), np.nan) if labeled.angle is None else labeled.angle


def padded(labeled: LabeledPicture, least: tuple[int, int], /) -> LabeledPicture:
    """Add empty rows below and columns to the right, up to multiples that a network takes."""
    sizes = zip(labeled.picture.shape, least, strict=True)
    more = [(0, -(-max(n, m) // MULTIPLE) * MULTIPLE - n) for n, m in sizes]

    def pad(grid: NDArray[G]) -> NDArray[G]:
        return np.pad(grid, more)

    return _with_grids(labeled, pad)


class _OfGrids(Protocol):
    def __call__(self, grid: NDArray[G], /) -> NDArray[G]: ...


def _with_grids(labeled: LabeledPicture, change: _OfGrids) -> LabeledPicture:
    return labeled._replace(
        picture=change(labeled.picture),
        lattice=change(labeled.lattice),
        usable=change(labeled.usable),
    )


def batch_from_pictures(pictures: Sequence[LabeledPicture], /, *, symmetry: int = 0) -> Batch:
    """Stack pictures of one size and make the maps of their sites.

    Parameters
    ----------
    pictures : sequence of LabeledPicture
    symmetry : int
        Of the sites' orientation; 0 leaves it out.
    """
    parts = [_one_of_batch(labeled, symmetry) for labeled in pictures]
    return Batch(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))


def _one_of_batch(labeled: LabeledPicture, symmetry: int) -> tuple[NDArray[np.generic], ...]:
    shape = (labeled.picture.shape[0], labeled.picture.shape[1])
    sure = labeled.is_sure
    turn = turns_from_angles(_known_angles(labeled)[sure], symmetry) if symmetry else None
    maps = maps_from_positions(
        labeled.position[sure], shape, number=labeled.number[sure], turn=turn
    )
    weight = _cell_share(labeled.usable) > 0.99
    if not sure.all():
        unsure = maps_from_positions(labeled.position[~sure], shape, radius=_UNSURE_REACH / STRIDE)
        weight &= (unsure.center == 0) | (maps.center > 0)
    lattice = (_cell_share(labeled.lattice) > 0.5).astype(np.float32)
    return (
        labeled.picture[None].astype(np.float32, copy=False),
        maps.center,
        maps.offset,
        lattice,
        weight.astype(np.float32),
        maps.number,
        maps.turn,
    )


def _cell_share(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the share of each cell's pixels that are True."""
    rows, columns = (n // STRIDE for n in mask.shape)
    return np.asarray(mask.reshape(rows, STRIDE, columns, STRIDE).mean(axis=(1, 3)))
