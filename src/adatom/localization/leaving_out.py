"""Why parts of an image are left out of an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.localization.detection import estimate_scale, without_outliers
from adatom.numerics.network_input import resampled_picture
from adatom.numerics.order import recurrence
from adatom.numerics.windowed_fourier import repeating_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.seeing import View

    Grid = NDArray[np.float32]
    Bools = NDArray[np.bool_]

REASONS: Final = ("analyzed", "disordered", "empty", "unknown lattice", "not measured")
"""Names of the numbers in a map of reasons."""

ANALYZED, DISORDERED, EMPTY, UNKNOWN, NOT_MEASURED = range(len(REASONS))

# The lattice must be more likely than not, averaged over an atom and what is around it.
_LIKELY = 0.5
_BLUR = 0.4
# Neither a hole in the lattice nor an island of it counts that a disc of this
# radius, in spacings, does not fit into: vacancies and impurities stay in.
_SMALLEST_RADIUS = 1.0
# Vacuum: contrast below this share of the lattice's, and darker than most of it.
_FLAT = 0.5
_DARK = 0.1
# Mean recurrence, beyond which sites are those of a lattice.
_ORDERED = 0.75
# Share of the power that repeats, beyond which there is a lattice where no sites are.
_REPEATING = 0.5
_FEWEST_TO_JUDGE = 20


def reasons_of_view(
    view: View, pixels: Grid, usable: NDArray[np.bool_], /, *, stride: int
) -> NDArray[np.int8]:
    """Say for every pixel of an image whether it is analyzed, and why not.

    Parameters
    ----------
    view : View
        What the network sees of the whole image.
    pixels : ndarray of float32, shape (y, x)
        Atoms are bright.
    usable : ndarray of bool, shape (y, x)
        False where nothing was measured.
    stride : int
        Pixels of the picture per cell of the network's maps.

    Returns
    -------
    ndarray of int8, shape (y, x)
        Numbers of `REASONS`.
    """
    pitch = view.spacing * view.scale / stride
    likely = scipy.ndimage.gaussian_filter(view.maps.lattice, _BLUR * pitch, mode="nearest")
    # Sites that repeat are a lattice, whatever the network thinks of it.
    inside = (likely > _LIKELY) | _is_ordered(view, likely > _LIKELY, stride=stride)
    inside = ~wide(~inside, _SMALLEST_RADIUS * pitch)
    inside = wide(inside, _SMALLEST_RADIUS * pitch)
    reason = np.where(inside, ANALYZED, DISORDERED).astype(np.int8)
    if not inside.all():
        picture = resampled_picture(pixels, view.factor).picture
        empty = wide(_is_empty(view, picture, inside, stride=stride) & ~inside, 0.5 * pitch)
        reason[_repeats(picture, inside.shape, stride=stride) & ~inside] = UNKNOWN
        # What is measured over an atom and its surroundings blurs the rim.
        away = scipy.ndimage.distance_transform_edt(~empty)
        reason[~inside & (away < 1.5 * pitch) & empty.any()] = EMPTY
    whole = reason[np.ix_(*_cells_of_pixels(view, pixels.shape, inside.shape, stride))]
    whole[~usable] = NOT_MEASURED
    return whole


def wide(where: Bools, reach: float, /) -> Bools:
    """Keep only what a disc of a radius, in pixels, fits into."""
    radius = max(1, round(reach))
    # Beyond the frame it may go on: a blob cut by the edge counts as whole.
    padded = np.pad(where, radius + 1, mode="edge")
    deep = scipy.ndimage.distance_transform_edt(padded) > radius
    if not deep.any():
        return np.zeros_like(where)
    opened = scipy.ndimage.distance_transform_edt(~deep) <= radius
    inner = slice(radius + 1, -radius - 1)
    return np.asarray(opened[inner, inner] & where)


def shares_left_out(reason: NDArray[np.int8], /) -> dict[str, float]:
    """Give the share of the area that is left out for each reason."""
    return {
        name: float((reason == number).mean())
        for number, name in enumerate(REASONS)
        if number != ANALYZED
    }


def shares_in_words(reason: NDArray[np.int8], /) -> str:
    """Name the reasons that there are, with their shares."""
    shares = shares_left_out(reason).items()
    return ", ".join(f"{share:.1%} {name}" for name, share in shares if share > 0)


def _cells_of_pixels(
    view: View, shape: tuple[int, ...], cells: tuple[int, ...], stride: int
) -> list[NDArray[np.intp]]:
    """Give the cell of every row and of every column of the image."""
    return [
        np.clip((((np.arange(size) + 0.5) * factor) / stride).astype(np.intp), 0, count - 1)
        for size, count, factor in zip(shape, cells, view.factor, strict=True)
    ]


def _is_empty(view: View, picture: Grid, inside: Bools, *, stride: int) -> Bools:
    """Tell where there is neither contrast nor brightness, per cell."""
    if not inside.any():
        return np.zeros_like(inside)
    sigma = view.spacing * view.scale
    level = scipy.ndimage.gaussian_filter(picture, sigma)
    spread = scipy.ndimage.gaussian_filter((picture - level) ** 2, sigma)
    level, spread = (values[::stride, ::stride] for values in (level, spread))
    flat = spread < _FLAT**2 * float(np.median(spread[inside]))
    return np.asarray(flat & (level < float(np.quantile(level[inside], _DARK))))


def _repeats(picture: Grid, shape: tuple[int, ...], *, stride: int) -> Bools:
    """Tell where most of what is as fine as a lattice repeats itself, per cell."""
    calm = without_outliers(picture)
    scale = estimate_scale(calm)
    if scale is None:
        return np.zeros(shape, dtype=bool)
    lattice = repeating_part(
        calm, scale.spectrum, period=scale.period, finest_period=scale.finest_period
    )
    band = calm - scipy.ndimage.gaussian_filter(calm, scale.period)
    power, all_power = (
        scipy.ndimage.gaussian_filter(part**2, 2 * scale.period)[::stride, ::stride]
        for part in (lattice, band)
    )
    return np.asarray(power > _REPEATING * all_power)


def _is_ordered(view: View, inside: Bools, *, stride: int) -> Bools:
    """Tell where the surroundings of sites repeat, per cell."""
    nowhere = np.zeros_like(inside)
    if len(view.position) < _FEWEST_TO_JUDGE:
        return nowhere
    place = view.in_cells(stride)
    cell = np.clip(np.rint(place).astype(int), 0, np.array(inside.shape) - 1)
    outside = ~inside[tuple(cell.T)]
    if outside.sum() < _FEWEST_TO_JUDGE:
        return nowhere
    pitch = view.spacing * view.scale / stride
    extent = [0.0, inside.shape[0] - 1.0, 0.0, inside.shape[1] - 1.0]
    order = np.nan_to_num(recurrence(place, tolerance=0.2 * pitch, extent=extent))
    _, near = cKDTree(place).query(place, k=7)
    ordered = place[outside & (order[near].mean(axis=1) > _ORDERED)]
    if len(ordered) < _FEWEST_TO_JUDGE:
        return nowhere
    nodes = np.argwhere(~inside)
    distance, _ = cKDTree(ordered).query(nodes.astype(float))
    near_ordered = nowhere.copy()
    near_ordered[tuple(nodes[distance < 1.5 * pitch].T)] = True
    return wide(near_ordered, pitch)
