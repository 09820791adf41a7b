"""Why parts of an image are left out of an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.localization.detection import estimate_scale, without_outliers
from adatom.numerics.filters import gaussian_filter, minimum_filter
from adatom.numerics.medians import SIGMA_OF_MAD
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

# Regions are drawn on every second cell: finer than an atom, and cheap.
_COARSE = 2
# The lattice must be more likely than not, averaged over an atom and what is around it.
_LIKELY = 0.5
_BLUR = 0.4
# Neither a hole in the lattice nor an island of it counts that a disc of this
# radius, in spacings, does not fit into: vacancies and impurities stay in.
_SMALLEST_RADIUS = 1.0
# Mean recurrence of surroundings: beyond it sites are those of a lattice, whatever
# the network thinks of it. Below the other they do not repeat, chance reaches 0.2:
# that is no lattice where a disc of so many spacings fits in, since grain
# boundaries and defects are narrower, and where the network is not sure of its
# sites either (in noise their mean score stays below 0.7), or where the gaps
# between atoms are filled by so many spreads more than elsewhere, as by dirt.
_ORDERED = 0.75
_DISORDERED = 0.4
_DISORDERED_RADIUS = 2.0
_UNSURE = 0.7
_FILLED = 5.0
_FEWEST_TO_JUDGE = 20
# Farther from any site than this, in spacings, there is no lattice.
_REACH_OF_SITE = 1.5
# Vacuum: contrast below this share of the lattice's, and darker than most of it;
# or below a tenth, whatever the network sees there.
_FLAT = 0.5
_DARK = 0.1
_BARE = 0.1
# Share of the power that repeats, beyond which there is a lattice where no sites are.
_REPEATING = 0.5
# A smaller share of the image, such as its corners, is not asked whether it does.
_WORTH_ASKING = 0.02


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
    pixels_a_node = _COARSE * stride
    pitch = view.spacing * view.scale / pixels_a_node
    picture = resampled_picture(pixels, view.factor).picture
    sigma = _BLUR * pitch * _COARSE
    likely = scipy.ndimage.gaussian_filter(view.maps.lattice, sigma, mode="nearest")
    look = _look_of_picture(picture, view.spacing * view.scale, pixels_a_node)
    inside = likely[::_COARSE, ::_COARSE] > _LIKELY
    said = _said_by_sites(view, look, pixels_a_node)
    inside = (inside | said.ordered) & ~said.disordered
    usual = float(np.median(look.spread[inside])) if inside.any() else 0.0
    inside &= ~wide(look.spread < _BARE * usual, pitch)
    inside = ~wide(~inside, _SMALLEST_RADIUS * pitch)
    inside = wide(inside, _SMALLEST_RADIUS * pitch)
    reason = np.where(inside, ANALYZED, DISORDERED).astype(np.int8)
    if not inside.all():
        empty = wide(_is_empty(look, inside) & ~inside, 0.5 * pitch)
        if (~inside & ~empty).mean() > _WORTH_ASKING:
            repeating = _repeats(picture, inside, pixels_a_node) & ~inside & ~said.disordered
            reason[repeating] = UNKNOWN
            # What repeats, and of whose sites the network is sure, is known after all.
            inside |= wide(repeating & said.sure, _SMALLEST_RADIUS * pitch)
            reason[inside] = ANALYZED
        # What is measured over an atom and its surroundings blurs the rim.
        away = scipy.ndimage.distance_transform_edt(~empty)
        reason[~inside & (away < 1.5 * pitch) & empty.any()] = EMPTY
    whole = reason[np.ix_(*_nodes_of_pixels(view, pixels.shape, inside.shape, pixels_a_node))]
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


def _nodes_of_pixels(
    view: View, shape: tuple[int, ...], nodes: tuple[int, ...], pixels_a_node: int
) -> list[NDArray[np.intp]]:
    """Give the node of every row and of every column of the image."""
    return [
        np.clip((((np.arange(size) + 0.5) * factor) / pixels_a_node).astype(np.intp), 0, count - 1)
        for size, count, factor in zip(shape, nodes, view.factor, strict=True)
    ]


class _Look(NamedTuple):
    """What a picture looks like around each node, before it is normalized.

    ``level`` and ``spread`` are the mean and the standard deviation over an
    atom and its surroundings, ``between`` how dark it is in the gaps.
    """

    level: Grid
    spread: Grid
    between: Grid


def _look_of_picture(picture: Grid, spacing: float, pixels_a_node: int) -> _Look:
    level = scipy.ndimage.gaussian_filter(picture, spacing)
    spread = np.sqrt(scipy.ndimage.gaussian_filter((picture - level) ** 2, spacing))
    nodes = slice(None, None, pixels_a_node)
    between = gaps_between_atoms(picture, spacing)
    return _Look(level[nodes, nodes], spread[nodes, nodes], between[nodes, nodes])


def gaps_between_atoms(pixels: Grid, spacing: float, /) -> Grid:
    """Give the darkest place within reach of the next hole of any common lattice."""
    smooth = gaussian_filter(pixels, 0.3 * spacing)
    return np.asarray(minimum_filter(smooth, max(1, round(1.8 * spacing))))


class _SaidBySites(NamedTuple):
    """Where the sites themselves say that there is a lattice, and that there is none.

    ``sure`` is where the network is sure of the sites, in a lattice or not.
    """

    ordered: Bools
    disordered: Bools
    sure: Bools


def _said_by_sites(view: View, look: _Look, pixels_a_node: int) -> _SaidBySites:
    """Judge by the surroundings of the sites, whether they repeat; few sites say nothing."""
    shape = look.level.shape
    if len(view.position) < _FEWEST_TO_JUDGE:
        return _SaidBySites(*(np.zeros(shape, dtype=bool) for _ in range(3)))
    pitch = view.spacing * view.scale / pixels_a_node
    place = (view.position + 0.5) * np.array(view.factor) / pixels_a_node - 0.5
    tree = cKDTree(place)
    order, score = _averages(place, view.score, tree, shape, 0.2 * pitch)
    nodes = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    distance, nearest = tree.query(nodes.astype(float))
    around = distance < _REACH_OF_SITE * pitch
    chaos = around & (order[nearest] < _DISORDERED)
    clean = look.between[around & ~chaos] if (around & ~chaos).any() else look.between
    middle = float(np.median(clean))
    filled = look.between - middle > _FILLED * SIGMA_OF_MAD * float(
        np.median(np.abs(clean - middle))
    )
    return _SaidBySites(
        wide(around & (order[nearest] > _ORDERED), pitch),
        wide(chaos & ((score[nearest] < _UNSURE) | filled), _DISORDERED_RADIUS * pitch),
        around & (score[nearest] >= _UNSURE),
    )


def _averages(
    place: NDArray[np.float64],
    score: NDArray[np.float64],
    tree: cKDTree,
    shape: tuple[int, ...],
    tolerance: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average recurrence and score over each site and its six nearest.

    What cannot be judged, as at the corners of the frame, goes by its
    neighbors, and is neither ordered nor disordered if they cannot be either.
    """
    extent = [-0.5, shape[0] - 0.5, -0.5, shape[1] - 0.5]
    order = recurrence(place, tolerance=tolerance, extent=extent)
    _, near = tree.query(place, k=7)
    known = np.isfinite(order)[near]
    total = (np.nan_to_num(order)[near] * known).sum(axis=1)
    mean = total / np.maximum(1, known.sum(axis=1))
    mean[~known.any(axis=1)] = 0.5 * (_ORDERED + _DISORDERED)
    return mean, score[near].mean(axis=1)


def _is_empty(look: _Look, inside: Bools) -> Bools:
    """Tell where there is neither contrast nor brightness."""
    if not inside.any():
        return np.zeros_like(inside)
    flat = look.spread < _FLAT * float(np.median(look.spread[inside]))
    # The lattice's rim, over which contrast is averaged too, may be as dark as vacuum.
    lattice = look.level[inside & ~flat]
    return np.asarray(flat & (look.level < float(np.quantile(lattice, _DARK))))


def _repeats(picture: Grid, inside: Bools, pixels_a_node: int) -> Bools:
    """Tell where most of what is as fine as a lattice repeats itself."""
    calm = without_outliers(picture)
    scale = estimate_scale(calm)
    if scale is None:
        return np.zeros_like(inside)
    lattice = repeating_part(
        calm, scale.spectrum, period=scale.period, finest_period=scale.finest_period
    )
    band = calm - scipy.ndimage.gaussian_filter(calm, scale.period)
    power, all_power = (
        scipy.ndimage.gaussian_filter(part**2, 2 * scale.period)[::pixels_a_node, ::pixels_a_node]
        for part in (lattice, band)
    )
    least = _FLAT**2 * float(np.median(all_power[inside])) if inside.any() else 0.0
    return np.asarray((power > _REPEATING * all_power) & (all_power > least))
