"""Angular harmonics of patches on rings about their center: turns and mirrors are exact there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d, spline_filter1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Rings of more numbers than this: their covariance would take more memory than the patches.
_MOST_RINGS: Final = 24
# Of the finest wave that pixels hold: beyond, a spline between pixels damps what there is.
_FINEST: Final = 0.75
# Between coarser rings the image is averaged, as wide as their distance asks.
_SMOOTHING: Final = 0.4
_FEWEST_RINGS: Final = 1


class DiscHarmonics(NamedTuple):
    """Waves around rings within the largest disc of a patch.

    On the ring of radius r the patch is ``sum_m c_m exp(i m (t - axis))``, t
    from +x towards +y. Its coordinates are the real and imaginary parts of
    the c_m with m >= 0, weighted by the area of the ring in pixels, so that
    white noise in the pixels is white in them.

    Attributes
    ----------
    operator : ndarray, shape (coordinate, pixel)
        Takes flat patches to coordinates.
    order : ndarray of int, shape (coordinate,)
        m.
    imaginary : ndarray of bool, shape (coordinate,)
        Whether a coordinate is an imaginary part; it stands after its real part.
    ring : ndarray of int, shape (coordinate,)
        Number of the ring.
    radius : ndarray, shape (ring,)
        In the unit of `step`.
    weight : ndarray, shape (coordinate,)
        By which parts of c_m were multiplied.
    reach : float
        Radius of the disc.
    spacing : float
        From ring to ring; larger than a pixel where patches have very many pixels.
    """

    operator: Floats
    order: NDArray[np.int64]
    imaginary: NDArray[np.bool_]
    ring: NDArray[np.int64]
    radius: Floats
    weight: Floats
    reach: float
    spacing: float


def disc_harmonics(shape: tuple[int, int], step: tuple[float, float], /) -> DiscHarmonics:
    """Prepare the harmonics of patches of a shape, with pixels of any two sizes.

    Patches are interpolated on rings by a cubic spline. All angles are
    treated alike: the spacing of rings and the finest wave around them are
    those that the coarser side of the pixels allows.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, odd or even; the center is between the outermost.
    step : tuple of float
        From pixel to pixel, down and across.

    Examples
    --------
    >>> waves = disc_harmonics((9, 9), (1.0, 1.0))
    >>> flat = waves.operator @ np.ones(81)
    >>> bool(np.abs(flat[waves.order > 0]).max() < 1e-9)
    True
    """
    reach = min((size - 1) / 2 * pixel for size, pixel in zip(shape, step, strict=True))
    n_rings = max(_FEWEST_RINGS, min(_MOST_RINGS, round(reach / max(step))))
    spacing = reach / n_rings
    radius: Floats = (np.arange(n_rings, dtype=np.float64) + 0.5) * spacing
    parts, order, imaginary, ring, weight = [], [], [], [], []
    for number, r in enumerate(radius):
        finest = max(1, int(_FINEST * np.pi * r / spacing))
        n_angles = 4 * (finest + 1)
        angle = 2 * np.pi * np.arange(n_angles) / n_angles
        samples = _interpolation(shape, step, r * np.sin(angle), r * np.cos(angle), spacing)
        area = 2 * np.pi * r * spacing / (step[0] * step[1])
        for m in range(finest + 1):
            factor = np.sqrt(area * (1 if m == 0 else 2))
            wave = factor * np.exp(-1j * m * angle) / n_angles
            parts.append(wave.real @ samples)
            imaginary.append(False)
            if m:
                parts.append(wave.imag @ samples)
                imaginary.append(True)
            n_parts = 1 + (m > 0)
            order += [m] * n_parts
            ring += [number] * n_parts
            weight += [factor] * n_parts
    return DiscHarmonics(
        np.array(parts),
        np.array(order),
        np.array(imaginary),
        np.array(ring),
        radius,
        np.array(weight),
        reach,
        spacing,
    )


def _interpolation(
    shape: tuple[int, int], step: tuple[float, float], y: Floats, x: Floats, spacing: float
) -> Floats:
    """Give the weights (point, pixel) of a cubic spline at offsets from the center."""
    along = [
        _spline_matrix(size, place / pixel + (size - 1) / 2, max(0.0, spacing / pixel))
        for size, pixel, place in zip(shape, step, (y, x), strict=True)
    ]
    return (along[0][:, :, None] * along[1][:, None, :]).reshape(len(y), -1)


def _spline_matrix(size: int, place: Floats, spacing: float) -> Floats:
    """Give the weights (point, pixel) of a cubic spline along one axis, smoothed if coarse."""
    pixels = np.eye(size)
    # Up to a factor of 1.5 the rounding of the number of rings decides, not the patch.
    if spacing > 1.5:
        width = _SMOOTHING * np.sqrt(spacing**2 - 1)
        pixels = gaussian_filter1d(pixels, width, axis=0, mode="mirror")
    if size > 1:
        pixels = spline_filter1d(pixels, order=3, axis=0, mode="mirror")
    first = np.floor(place).astype(np.int64)
    t = place - first
    u = 1 - t
    weights = (u**3 / 6, 2 / 3 - t**2 * (2 - t) / 2, 2 / 3 - u**2 * (2 - u) / 2, t**3 / 6)
    matrix = np.zeros((len(place), size))
    for offset, share in zip(range(-1, 3), weights, strict=True):
        index = np.abs(first + offset)
        if size > 1:
            index %= 2 * size - 2
            index = np.minimum(index, 2 * size - 2 - index)
        else:
            index = np.zeros_like(index)
        matrix += share[:, None] * pixels[index]
    return matrix


def turned_axis(waves: DiscHarmonics, axis: float, /) -> DiscHarmonics:
    """Count angles from another direction, in rad: at it mirrors conjugate all waves."""
    operator = waves.operator.copy()
    real = np.flatnonzero(~waves.imaginary & (waves.order > 0))
    phase = np.exp(1j * waves.order[real] * axis)[:, None]
    turned = (operator[real] + 1j * operator[real + 1]) * phase
    operator[real], operator[real + 1] = turned.real, turned.imag
    return waves._replace(operator=operator)


def mirror_axis_of(waves: DiscHarmonics, mean: Floats, n_fold: int, /) -> float:
    """Find the mirror line, in rad, that maps a mean of patches and their turns best onto itself.

    Parameters
    ----------
    waves : DiscHarmonics
        Along +x.
    mean : ndarray, shape (coordinate,)
        Of patches.
    n_fold : int
        The turns are by 360/n_fold degrees: other waves than those cancel.

    Returns
    -------
    float
        From -90/n_fold degrees up to, but not, 90/n_fold degrees. 0 where the
        mean is round.
    """
    kept = np.flatnonzero(~waves.imaginary & (waves.order > 0) & (waves.order % n_fold == 0))
    waves_of_mean = mean[kept] + 1j * mean[kept + 1]
    # The mirrored mean is conj(c) exp(-2 i m axis): its product with the mean itself is
    # sum (c^2 exp(2 i m axis)), whose real part is largest where the two agree.
    square = np.zeros(int(waves.order.max(initial=0)) + 1, dtype=complex)
    np.add.at(square, waves.order[kept], waves_of_mean**2)
    if not np.abs(square).max(initial=0) > 1e-9 * float(mean @ mean):
        return 0.0
    half = np.pi / (2 * n_fold)
    tried = np.linspace(-half, half, 721, endpoint=False)
    agreement = (square[:, None] * np.exp(2j * np.arange(len(square))[:, None] * tried)).real
    best = tried[int(agreement.sum(axis=0).argmax())]
    m = np.arange(len(square))
    for _ in range(4):
        terms = square * np.exp(2j * m * best)
        slope, bend = -(2 * m * terms.imag).sum(), -(4 * m**2 * terms.real).sum()
        if bend >= 0:
            break
        best -= float(np.clip(slope / bend, -half / 360, half / 360))
    return float(best)
