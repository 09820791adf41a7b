"""What a network sees of a picture at one scale: sites, where there is a lattice, how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.numerics.heatmaps import positions_from_maps
from adatom.numerics.network_input import normalized_picture, resampled_picture
from adatom.numerics.order import recurrence
from adatom.numerics.spacing import pooled_spacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.running import Maps, Runner

    Grid = NDArray[np.float32]

# Surroundings of so many sites are judged for the confidence.
_MOST_JUDGED = 500
# What random points reach by chance.
_CHANCE = 0.25
# Surroundings of too few sites cannot be compared: they count as this much
# ordered if they fill the area as the most open lattice would, which has one
# site in so many squares of the distance between neighbors.
_UNJUDGED = 0.1
_MOST_OPEN = 1.3
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
        From 0 to 1: the share of the area in which there is a lattice, times
        the mean score of the sites, times how often their surroundings
        repeat. 0 where the sites are nearer to one another or farther apart
        than those that the network was trained on.
    merit : float
        Sites that it is sure of per pixel of the image, weighed by the square
        root of how often their surroundings repeat, and less toward the
        limits of what it was trained on: what is to be compared between
        scales. Confidence alone would take the brighter half of a lattice,
        which looks perfect where the picture is too small to show the dimmer
        half.
    """

    confidence: float
    merit: float


def verdict_of_view(view: View, runner: Runner, /, shape: tuple[int, ...]) -> Verdict:
    """Judge what a network says of an image with so many rows and columns."""
    low, high = runner.card.distances
    distance = view.spacing * view.scale
    if not low / _MARGIN <= distance <= high * _MARGIN:
        return Verdict(0.0, 0.0)
    area = float(view.maps.lattice.mean())
    density = float(view.score.sum()) / (shape[0] * shape[1])
    order = _order(view, shape)
    if np.isnan(order):
        openest = area * (view.scale / high) ** 2 / _MOST_OPEN
        order = _UNJUDGED * min(1.0, density / max(openest, 1e-12))
    off_middle = np.log(distance / np.sqrt(low * high)) / np.log(high / low)
    merit = area * density * np.sqrt(order) * np.exp(-0.5 * (off_middle / _MIDDLE) ** 2)
    return Verdict(area * float(view.score.mean()) * order, float(merit))


def _order(view: View, shape: tuple[int, ...]) -> float:
    """Give how often surroundings repeat, from chance to always; NaN of too few sites."""
    extent = [0.0, shape[0] - 1.0, 0.0, shape[1] - 1.0]
    order = recurrence(
        view.position, tolerance=0.2 * view.spacing, extent=extent, most=_MOST_JUDGED
    )
    judged = order[np.isfinite(order)]
    if not judged.size:
        return float("nan")
    return float(np.clip((judged.mean() - _CHANCE) / (1 - _CHANCE), 0, 1))
