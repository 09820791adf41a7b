"""What a network sees of a picture at one scale: sites, where there is a lattice, how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.numerics.heatmaps import positions_from_maps
from adatom.numerics.network_input import normalized_picture, resampled_picture
from adatom.numerics.order import recurrence
from adatom.numerics.repetition import repetition
from adatom.numerics.spacing import pooled_spacing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.localization.running import Maps, Runner

    Grid = NDArray[np.float32]

# Below it a network has seen chance.
LEAST_CONFIDENCE = 0.05
# Below it what a network has seen is to be looked at before it is used.
FAIR_CONFIDENCE = 0.15

# Surroundings of so many sites are judged for the confidence.
_MOST_JUDGED = 500
# What random points reach by chance, and what is left of order in film packed at random.
_CHANCE = 0.25
_LEAST = 0.05
# Sites that repeat so well near by need not be asked whether they do farther off,
# which never counts more: false sites between true ones leave it as it is.
_PLAIN = 0.5
# Of the place of a repeated site, in spacings: what noise and strain need.
_TOLERANCE = 0.2
# There the network takes a lattice for more likely than not.
_LIKELY = 0.5
# Beyond the distances that the network is made for by more than this its word counts nothing.
_MARGIN = 1.15
# Sigma of the preference for the middle of those distances, as a share of their
# range on a logarithmic scale: at its limits, half of it away, merit is 0.88.
_MIDDLE = 1.0


class View(NamedTuple):
    """What a network sees at one scale.

    Attributes
    ----------
    position : ndarray, shape (site, 2)
        Row and column in pixels of the image, of all sites that are more
        likely than not.
    score : ndarray, shape (site,)
        Probability that the site is true, by the network's card.
    maps : Maps
        As the network gave them, per cell of the picture.
    factor : tuple of float
        Pixels of the picture per pixel of the image.
    spacing : float
        Between neighbors, in pixels of the image; NaN for one site and none.
    """

    position: NDArray[np.float64]
    score: NDArray[np.float64]
    maps: Maps
    factor: tuple[float, float]
    spacing: float

    @property
    def scale(self) -> float:
        """Pixels of the picture per pixel of the image, as one number."""
        return float(np.sqrt(self.factor[0] * self.factor[1]))

    def in_cells(self, stride: int) -> NDArray[np.float64]:
        """Give the positions in cells of the maps."""
        picture = (self.position + 0.5) * np.array(self.factor) - 0.5
        return np.asarray((picture - (stride - 1) / 2) / stride)


def view_of_image(
    pixels: Grid, usable: NDArray[np.bool_] | None, runner: Runner, /, *, factor: float
) -> View:
    """Let a network look at an image at one scale.

    Parameters
    ----------
    pixels : ndarray of float32, shape (y, x)
        Finite; atoms are bright.
    usable : ndarray of bool, shape (y, x), optional
        False where nothing was measured.
    runner : Runner
    factor : float
        Pixels of the picture that the network is given per pixel of the image.
    """
    picture, exactly = resampled_picture(pixels, factor)
    known = None
    if usable is not None and not usable.all():
        known = resampled_picture(usable.astype(np.float32), factor).picture > 0.5
    maps = runner.maps(normalized_picture(picture, known))
    card = runner.card
    found = positions_from_maps(maps.center, maps.offset, least=card.threshold)
    position = (found.position + 0.5) / np.array(exactly) - 0.5
    score = found.score
    if card.calibration:
        score = np.interp(score, *np.array(card.calibration).T)
    inside = ((position > -0.5) & (position < np.array(pixels.shape) - 0.5)).all(axis=1)
    position = np.clip(position[inside], 0, np.array(pixels.shape) - 1)
    return View(position, score[inside], maps, exactly, pooled_spacing(position))


class Verdict(NamedTuple):
    """How well a network knows what it sees.

    Attributes
    ----------
    confidence : float
        From 0 to 1: how surely the sites of the lattice repeat one another,
        times their mean score. 0 where the sites are nearer to one another or
        farther apart than those that the network was trained on.
    merit : float
        Sites of the lattice that it is sure of per pixel of the image, times the
        share of the area that is lattice, weighed by the square root of how
        surely they repeat, and less toward the limits of what the network was
        trained on: what is to be compared between scales. Confidence alone
        would take the brighter half of a lattice, which looks perfect where
        the picture is too small to show the dimmer half.
    """

    confidence: float
    merit: float


def verdict_of_view(view: View, runner: Runner, /, shape: tuple[int, ...]) -> Verdict:
    """Judge what a network says of an image with so many rows and columns."""
    low, high = runner.card.distances
    distance = view.spacing * view.scale
    if not low / _MARGIN <= distance <= high * _MARGIN:
        return Verdict(0.0, 0.0)
    within = _lattice_within(view, runner.card.stride, shape)
    sites = within(view.position)
    if not sites.any():
        return Verdict(0.0, 0.0)
    order = _order(view.position[sites], view.spacing, within, shape)
    score = view.score[sites]
    density = float(score.sum()) / (shape[0] * shape[1])
    off_middle = np.log(distance / np.sqrt(low * high)) / np.log(high / low)
    area = float(view.maps.lattice.mean())
    merit = area * density * np.sqrt(order) * np.exp(-0.5 * (off_middle / _MIDDLE) ** 2)
    return Verdict(float(score.mean()) * order, float(merit))


def _lattice_within(
    view: View, stride: int, shape: tuple[int, ...]
) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
    """Give a function that tells whether places lie in what the network takes for a lattice."""
    lattice = view.maps.lattice > _LIKELY
    cells = np.array(view.factor) / stride

    def within(places: NDArray[np.float64]) -> NDArray[np.bool_]:
        row, column = ((places + 0.5) * cells).astype(np.intp).T
        known = ((places > -0.5) & (places < np.array(shape) - 0.5)).all(axis=-1)
        row, column = (
            np.clip(at, 0, n - 1) for at, n in zip((row, column), lattice.shape, strict=True)
        )
        return np.asarray(known & lattice[row, column])

    return within


def _order(
    position: NDArray[np.float64],
    spacing: float,
    within: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    shape: tuple[int, ...],
) -> float:
    """Give how surely sites repeat, near by or over a cell of many atoms: from chance to always."""
    extent = [0.0, shape[0] - 1.0, 0.0, shape[1] - 1.0]
    tolerance = _TOLERANCE * spacing
    around = recurrence(position, tolerance=tolerance, extent=extent, most=_MOST_JUDGED)
    judged = around[np.isfinite(around)]
    near = (float(judged.mean()) - _CHANCE) / (1 - _CHANCE) if judged.size else 0.0
    if near > _PLAIN:
        return near
    far = repetition(position, spacing=spacing, tolerance=tolerance, within=within)
    order = np.nanmax([near, _PLAIN * far])
    return float(np.clip((order - _LEAST) / (1 - _LEAST), 0, 1))
