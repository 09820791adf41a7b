"""At which scale a network sees whole particles, which may lie without any order."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.localization.choosing import measured_part
from adatom.localization.network_scale import NetworkScale, check_told_spacing
from adatom.localization.seeing import view_of_image
from adatom.numerics.matching import match_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.localization.running import Runner

    Grid = NDArray[np.float32]

# From particles of a few pixels to those of half the image, by half octaves.
_FINEST = 4.0
_FEWEST_ACROSS = 1.5
_STEP = 2**0.5
# Pixels of the picture, down and across, that are looked at for each scale.
_SIDE = 768
# Pixels of the coarser picture within which two scales put the same particle.
_SAME = 1.5

UNSURE: Final = 0.6
"""Confidence up to which the scale is doubtful: pieces of noise reach it too."""


def find_particle_scale(
    pixels: Grid, usable: NDArray[np.bool_], runner: Runner, /, *, spacing: float | None = None
) -> NetworkScale:
    """Find the scale at which the network sees what it also sees somewhat larger and smaller.

    Particles need not repeat. But whole ones are seen over the range of sizes
    that the network was trained on, at the same places, whereas the pieces that
    it sees of particles too large for it, and the heaps that it takes for one of
    those too small, move or vanish with the scale. What persists over scales is
    what is there [1]_.

    Parameters
    ----------
    pixels : ndarray of float32, shape (y, x)
        Finite; particles are bright.
    usable : ndarray of bool, shape (y, x)
    runner : Runner
    spacing : float, optional
        Between neighbors in pixels, where it is known: nothing is sought then.

    Returns
    -------
    NetworkScale
        Its confidence is the mean score of the particles times the share of
        them that the scales next to it see too.

    Raises
    ------
    SettingError
        If the spacing is too small for the pixels.

    References
    ----------
    .. [1] T. Lindeberg, International Journal of Computer Vision 11, 283 (1993).
    """
    middle = float(np.sqrt(np.prod(runner.card.distances)))
    if spacing is not None:
        check_told_spacing(spacing)
        return NetworkScale(middle / spacing, float("nan"), 0)
    part = measured_part(usable)
    looks = _looks(pixels[part], usable[part], runner, middle)
    merits = _merits(looks)
    best = int(np.argmax(merits))
    return NetworkScale(looks[best].factor, float(merits[best]), len(looks))


class _Look(NamedTuple):
    """What a network sees at one scale within a window of the image, in pixels of the image."""

    factor: float
    window: tuple[slice, slice]
    position: NDArray[np.float64]
    score: NDArray[np.float64]

    def within(self, window: tuple[slice, slice]) -> NDArray[np.bool_]:
        """Tell which sites lie in a window."""
        first, last = np.array([(side.start, side.stop) for side in window]).T
        return np.asarray(
            ((self.position > first - 0.5) & (self.position < last - 0.5)).all(axis=1)
        )


def _looks(pixels: Grid, usable: NDArray[np.bool_], runner: Runner, middle: float) -> list[_Look]:
    """Look at the whole image from afar, then nearer and nearer where most particles are."""
    window = (slice(0, pixels.shape[0]), slice(0, pixels.shape[1]))
    looks: list[_Look] = []
    for spacing in _spacings(pixels.shape):
        factor = middle / spacing
        if looks:
            window = _fullest(looks[-1], round(_SIDE / factor))
        view = view_of_image(pixels[window], usable[window], runner, factor=factor)
        first = [side.start for side in window]
        looks.append(_Look(factor, window, view.position + first, view.score))
    return looks


def _spacings(shape: tuple[int, ...]) -> list[float]:
    largest = max(min(shape) / _FEWEST_ACROSS, _FINEST)
    count = 1 + round(float(np.log(largest / _FINEST) / np.log(_STEP)))
    return [_FINEST * _STEP**k for k in reversed(range(count))]


def _fullest(look: _Look, side: int) -> tuple[slice, slice]:
    """Give the part of a window, so large, around the site with the most others about it."""
    middle = np.array([(s.start + s.stop) / 2 for s in look.window])
    if len(look.position):
        tree = cKDTree(look.position)
        counts = tree.query_ball_point(look.position, side / 2, p=np.inf, return_length=True)
        middle = look.position[int(np.argmax(counts))]
    cut = []
    for where, one in zip(middle, look.window, strict=True):
        size = min(side, one.stop - one.start)
        start = int(np.clip(round(where - size / 2), one.start, one.stop - size))
        cut.append(slice(start, start + size))
    return cut[0], cut[1]


def _merits(looks: Sequence[_Look]) -> NDArray[np.float64]:
    """Give the mean score of each look times how far those next to it agree with it."""
    agreement = np.zeros(len(looks) + 1)
    for k, (coarse, fine) in enumerate(itertools.pairwise(looks)):
        agreement[k + 1] = _agreement(coarse, fine)
    scores = [look.score.mean() if len(look.score) else 0.0 for look in looks]
    return np.array(scores) * np.sqrt(agreement[:-1] * agreement[1:])


def _agreement(coarse: _Look, fine: _Look) -> float:
    """Give the share of the particles of two scales that are the same, by their scores."""
    inner = coarse.within(fine.window)
    if not inner.any() or not len(fine.position):
        return 0.0
    pairs = match_points(coarse.position[inner], fine.position, max_distance=_SAME / coarse.factor)
    same = coarse.score[inner][pairs.left].sum() + fine.score[pairs.right].sum()
    return float(same / (coarse.score[inner].sum() + fine.score.sum()))
