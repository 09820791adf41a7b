"""At which scale a network knows best what it sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.localization.choosing import measured_part
from adatom.localization.detection import FAINT_RING, without_outliers
from adatom.localization.seeing import verdict_of_view, view_of_image
from adatom.numerics.spectrum import bragg_rings, radial_spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.running import Runner

    Grid = NDArray[np.float32]

# The distance between neighbors lies between 0.67 (honeycomb) and 1.15
# (hexagonal) periods of the strongest ring, and beyond where it is that of a
# superlattice or a sublattice.
_PER_PERIOD = (1.0, 0.7, 1.4)
# So many rings are looked at where several are strong, at least so far apart.
_MOST_RINGS = 3
_APART = 1.2
# Where no ring shows: from atoms that fill a few pixels, by steps of half an octave.
_FINEST_SPACING = 4.0
_STEP = 1.4
# Atoms nearer to one another than two pixels are not told apart, at any magnification.
_LEAST_TOLD = 2.0
# Fewer atoms across an image are no lattice.
_FEWEST_ACROSS = 5
# Pixels of the picture that are looked at for each scale, in so many parts.
_SIDE = 224
_PARTS = 2
# A scale that puts the atoms so far from the middle of what the network knows is tried anew.
_OFF_MIDDLE = 1.15


class NetworkScale(NamedTuple):
    """The scale at which a network looks at an image.

    Attributes
    ----------
    factor : float
        Pixels of the picture per pixel of the image.
    confidence : float
        From 0 to 1; NaN where the scale was told.
    n_tried : int
        Scales that were looked at.
    """

    factor: float
    confidence: float
    n_tried: int


def find_network_scale(
    pixels: Grid, usable: NDArray[np.bool_], runner: Runner, /, *, spacing: float | None = None
) -> NetworkScale:
    """Find the scale at which the network is most confident, on parts of the image.

    Parameters
    ----------
    pixels : ndarray of float32, shape (y, x)
        Finite; atoms are bright.
    usable : ndarray of bool, shape (y, x)
    runner : Runner
    spacing : float, optional
        Between neighbors in pixels, where it is known: nothing is sought then.

    Raises
    ------
    SettingError
        If the spacing is too small for the pixels.
    """
    middle = float(np.sqrt(np.prod(runner.card.distances)))
    if spacing is not None:
        _check_told(spacing)
        return NetworkScale(middle / spacing, float("nan"), 0)
    # Regions may be a corner of the image, and borders hold no values.
    measured = measured_part(usable)
    pixels, usable = pixels[measured], usable[measured]
    tried = [_look(pixels, usable, runner, middle / wanted) for wanted in _spacings(pixels)]
    best = max(tried, key=_merit)
    if best.merit > 0 and not 1 / _OFF_MIDDLE < best.spacing * best.factor / middle < _OFF_MIDDLE:
        tried.append(_look(pixels, usable, runner, middle / best.spacing))
        best = max(tried, key=_merit)
    return NetworkScale(best.factor, best.confidence, len(tried))


class _Look(NamedTuple):
    """What came of looking at parts of an image at one scale."""

    factor: float
    merit: float
    confidence: float
    spacing: float


def _merit(look: _Look) -> float:
    return look.merit


def _check_told(spacing: float) -> None:
    if spacing < _LEAST_TOLD:
        msg = (
            f"spacing is {spacing:.3g} pixels of the image, in which no two atoms are told apart: "
            f"need {_LEAST_TOLD:g} or more; is its unit right, and the pixel size of the image?"
        )
        raise SettingError(msg)


def _spacings(pixels: Grid) -> list[float]:
    """List the distances between neighbors that the image may have, likely ones first."""
    spectrum = radial_spectrum(without_outliers(pixels))
    rings = bragg_rings(spectrum)
    if not rings.size:
        rings = bragg_rings(spectrum, least=FAINT_RING)
    periods = _apart(float(1 / spectrum.frequency[ring]) for ring in rings)[:_MOST_RINGS]
    largest = min(pixels.shape) / _FEWEST_ACROSS
    if not periods:
        steps = int(np.ceil(np.log(max(largest / _FINEST_SPACING, 1)) / np.log(_STEP)))
        return [_FINEST_SPACING * _STEP**k for k in range(steps + 1)]
    spacings = _apart(period * share for period in periods for share in _PER_PERIOD)
    return [wanted for wanted in spacings if wanted < largest] or spacings[:1]


def _apart(lengths: Iterator[float]) -> list[float]:
    """Leave out what is near to one before."""
    kept: list[float] = []
    for length in lengths:
        if all(max(length / other, other / length) > _APART for other in kept):
            kept.append(length)
    return kept


def _look(pixels: Grid, usable: NDArray[np.bool_], runner: Runner, factor: float) -> _Look:
    """Look at parts of the image: their mean merit, the confidence and spacing of the best."""
    seen = []
    for part in _parts(pixels.shape, round(_SIDE / factor)):
        view = view_of_image(pixels[part], usable[part], runner, factor=factor)
        verdict = verdict_of_view(view, runner, pixels[part].shape)
        seen.append(_Look(factor, verdict.merit, verdict.confidence, view.spacing))
    merit = float(np.mean([look.merit for look in seen]))
    return max(seen, key=_merit)._replace(merit=merit)


def _parts(shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    """Cut parts out of an image, along its longer axis where it has room for them."""
    room = [max(0, size - side) for size in shape]
    longer = int(room[1] >= room[0])
    count = _PARTS if room[longer] > 0 else 1
    for k in range(count):
        share = [0.5, 0.5]
        share[longer] = (k + 0.5) / count
        first = [round(part * free) for part, free in zip(share, room, strict=True)]
        yield slice(first[0], first[0] + side), slice(first[1], first[1] + side)
