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
# Surroundings of fewer sites cannot be compared: they count as half ordered.
_UNJUDGED = 0.5
# Beyond the distances that the network is made for by more than this its word counts nothing.
_MARGIN = 1.15


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


def confidence_of_view(view: View, runner: Runner, /, shape: tuple[int, ...]) -> float:
    """Tell from 0 to 1 how well a network knows what it sees.

    Four shares are multiplied: of the area in which it says that there is a
    lattice; how sure it is of its sites, on average; how often their
    surroundings repeat; and how far the maps are black and white, since at a
    scale that it does not know a network hesitates everywhere. It is 0 where
    the sites are nearer to one another or farther apart than those it was
    trained on.

    Parameters
    ----------
    view : View
    runner : Runner
        That gave it.
    shape : tuple of int
        Rows and columns of the image.
    """
    low, high = runner.card.distances
    distance = view.spacing * view.scale
    if not low / _MARGIN <= distance <= high * _MARGIN:
        return 0.0
    decided = float(np.mean(np.abs(2 * view.maps.center - 1)))
    area = float(view.maps.lattice.mean())
    return area * float(view.score.mean()) * _order(view, shape) * decided


def _order(view: View, shape: tuple[int, ...]) -> float:
    extent = [0.0, shape[0] - 1.0, 0.0, shape[1] - 1.0]
    order = recurrence(
        view.position, tolerance=0.2 * view.spacing, extent=extent, most=_MOST_JUDGED
    )
    judged = order[np.isfinite(order)]
    if not judged.size:
        return _UNJUDGED
    return float(np.clip((judged.mean() - _CHANCE) / (1 - _CHANCE), 0, 1))
