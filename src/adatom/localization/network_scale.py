"""At which scale a network knows best what it sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.localization.choosing import measured_part
from adatom.localization.detection import FAINT_RING, without_outliers
from adatom.localization.seeing import LEAST_CONFIDENCE, verdict_of_view, view_of_image
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
# All scales are tried where none of the likely ones gives so much confidence.
_UNSURE = 0.3
# And on a grid of so many parts across where none gives more than chance.
_MOST_ACROSS = 4
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
        check_told_spacing(spacing)
        return NetworkScale(middle / spacing, float("nan"), 0)
    # Regions may be a corner of the image, and borders hold no values.
    measured = measured_part(usable)
    seen = _Seen(pixels[measured], usable[measured], runner, middle)
    tried = [seen.look(wanted) for wanted in _spacings(seen.pixels)]
    if _best(tried).confidence < _UNSURE:
        # Rings of contamination or of scan lines may hide those of the lattice.
        others = [middle / look.factor for look in tried]
        tried += [seen.look(wanted) for wanted in _ladder(seen.pixels) if _new(wanted, others)]
    if _best(tried).confidence < LEAST_CONFIDENCE:
        # The lattice may be in a corner, which rings do not tell.
        seen = seen._replace(across=_MOST_ACROSS)
        tried = [seen.look(wanted) for wanted in _ladder(seen.pixels)]
    best = _best(tried)
    if best.merit > 0 and not 1 / _OFF_MIDDLE < best.spacing * best.factor / middle < _OFF_MIDDLE:
        tried.append(seen.look(best.spacing))
        best = _best(tried)
    return NetworkScale(best.factor, best.confidence, len({look.factor for look in tried}))


class _Look(NamedTuple):
    """What came of looking at parts of an image at one scale."""

    factor: float
    merit: float
    confidence: float
    spacing: float


def _best(looks: list[_Look]) -> _Look:
    return max(looks, key=lambda look: look.merit)


class _Seen(NamedTuple):
    """An image of which parts are looked at: two in the middle, or a grid over all of it."""

    pixels: Grid
    usable: NDArray[np.bool_]
    runner: Runner
    middle: float
    across: int | None = None

    def look(self, spacing: float) -> _Look:
        """Look at the parts: their mean merit, the confidence and spacing of the best."""
        factor = self.middle / spacing
        looks = []
        for part in _parts(self.pixels.shape, round(_SIDE / factor), self.across):
            pixels = self.pixels[part]
            view = view_of_image(pixels, self.usable[part], self.runner, factor=factor)
            verdict = verdict_of_view(view, self.runner, pixels.shape)
            looks.append(_Look(factor, verdict.merit, verdict.confidence, view.spacing))
        return _best(looks)._replace(merit=float(np.mean([look.merit for look in looks])))


def check_told_spacing(spacing: float, /) -> None:
    """Raise `SettingError` if a distance between neighbors, in pixels, is too small."""
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
    if not periods:
        return _ladder(pixels)
    spacings = _apart(period * share for period in periods for share in _PER_PERIOD)
    return [wanted for wanted in spacings if wanted < _largest(pixels)] or spacings[:1]


def _largest(pixels: Grid) -> float:
    return float(min(pixels.shape)) / _FEWEST_ACROSS


def _ladder(pixels: Grid) -> list[float]:
    """List distances from one to the next, of which the network knows one in any image."""
    steps = int(np.ceil(np.log(max(_largest(pixels) / _FINEST_SPACING, 1)) / np.log(_STEP)))
    return [_FINEST_SPACING * _STEP**k for k in range(steps + 1)]


def _apart(lengths: Iterator[float]) -> list[float]:
    """Leave out what is near to one before."""
    kept: list[float] = []
    for length in lengths:
        if _new(length, kept):
            kept.append(length)
    return kept


def _new(wanted: float, others: list[float]) -> bool:
    return all(max(wanted / other, other / wanted) > _APART for other in others)


def _parts(shape: tuple[int, ...], side: int, across: int | None) -> Iterator[tuple[slice, slice]]:
    """Cut parts out of an image: a grid with at most so many across, or along its longer axis."""
    room = [max(0, size - side) for size in shape]
    if across is not None:
        counts = [min(across, -(-size // side)) for size in shape]
    else:
        longer = int(room[1] >= room[0])
        counts = [1, 1]
        counts[longer] = _PARTS if room[longer] > 0 else 1
    for place in np.ndindex(*counts):
        if across is None:
            share = [(k + 0.5) / count for k, count in zip(place, counts, strict=True)]
        else:
            share = [k / max(1, count - 1) for k, count in zip(place, counts, strict=True)]
        first = [round(part * free) for part, free in zip(share, room, strict=True)]
        yield slice(first[0], first[0] + side), slice(first[1], first[1] + side)
