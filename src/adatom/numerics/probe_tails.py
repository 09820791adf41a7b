"""The second, wider Gaussian of a probe, from an image of columns whose cores are fitted."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.spatial import cKDTree

# In widths of the core. What is wider is smooth on the scale of a column, as a background is.
_WIDTHS: Final = np.geomspace(1.5, 4.0, 11)
# A window of 3.5 widths on each side holds the core to 0.2 % of its height.
_HALF_WINDOW: Final = 3.5
# At 4 widths a Gaussian has 0.03 % of its height.
_REACH: Final = 4.0
# A window of 7 core widths touches the cores of a dozen columns, and tails of some hundred.
_CORES: Final = 12
_TAILS: Final = 96
# The tail of 300 columns is known to a tenth in an image of 100 electrons on the brightest pixel.
_SAMPLE: Final = 500
_LEAST_SAMPLE: Final = 20
_RIDGE: Final = 1e-9


class Tails(NamedTuple):
    """Tails that every column has, in proportion to its core.

    `width` in the unit of the places, `height` in heights of the core, with
    its standard error for noise that is alike in all pixels.
    """

    width: float
    height: float
    error: float

    @property
    def significance(self) -> float:
        """Height in standard errors."""
        return self.height / self.error if self.error > 0 else 0.0


class Columns(NamedTuple):
    """Fitted cores: places (column, 2) from the first pixel, heights and widths (column,)."""

    place: NDArray[np.float64]
    height: NDArray[np.float64]
    width: NDArray[np.float64]


def find_tails(
    values: NDArray[np.float64],
    usable: NDArray[np.bool_],
    columns: Columns,
    /,
    *,
    step: tuple[float, float],
    seed: int,
) -> Tails:
    """Find the tails that explain most of what the fit of single Gaussians leaves.

    In windows around a sample of columns all is projected out that the fit
    of cores can take up: place, height and width of each core that touches
    the window, and a constant. The tails of all columns around, less the same, are
    fitted to the rest; of some widths that with the largest gain is taken.

    Zero height where fewer than 20 windows lie within the image.
    """
    core = float(np.median(columns.width))
    half = np.maximum(np.rint(_HALF_WINDOW * core / np.array(step)), 2).astype(np.int64)
    sample = _whole_windows(usable, columns.place, half, step, seed)
    if len(sample) < _LEAST_SAMPLE:
        return Tails(0.0, 0.0, 0.0)
    pixels = _Windows.around(columns.place[sample], half, step)
    data = values[pixels.rows[:, :, None], pixels.columns[:, None, :]]
    free = _rest(pixels, columns, core, data.reshape(len(sample), -1, 1))
    tails = np.stack([_summed(pixels, columns, w * core) for w in _WIDTHS], axis=-1)
    left = _rest(pixels, columns, core, tails)
    along = (left * free).sum(axis=(0, 1))
    # A tail that takes light away is none.
    gain = np.where(along > 0, along**2 / (left**2).sum(axis=(0, 1)), 0.0)
    width = _peak(_WIDTHS * core, gain)
    best = _rest(pixels, columns, core, _summed(pixels, columns, width)[..., None])
    power = float((best**2).sum())
    height = float((best * free).sum()) / power
    noise = float(((free - height * best) ** 2).mean())
    return Tails(width, max(height, 0.0), float(np.sqrt(noise / power)))


def image_of_tails(
    shape: tuple[int, int], columns: Columns, tails: Tails, /, *, step: tuple[float, float]
) -> NDArray[np.float64]:
    """Add up the tails of all columns."""
    sigma = tails.width / np.array(step)
    pad = np.ceil(_REACH * sigma).astype(np.int64) + 1
    full = tuple(next_fast_len(int(n + 2 * p), real=True) for n, p in zip(shape, pad, strict=True))
    at = columns.place / np.array(step) + pad
    first = np.floor(at).astype(np.int64)
    inside = ((first >= 0) & (first < np.array(full) - 1)).all(axis=1)
    at, first = at[inside] - first[inside], first[inside]
    points = np.zeros(full)
    # Parted among the four pixels around, by which a Gaussian of some pixels gains 1 / 6 px^2
    # at most in the square of its width.
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.where(corner, at, 1 - at).prod(axis=1) * columns.height[inside]
        np.add.at(points, tuple((first + corner).T), share)
    damping = [
        np.exp(-2 * (np.pi * frequency * s) ** 2)
        for frequency, s in zip(
            (np.fft.fftfreq(full[0]), np.fft.rfftfreq(full[1])), sigma, strict=True
        )
    ]
    spectrum = rfft2(points) * damping[0][:, None] * damping[1]
    peak = tails.height * 2 * np.pi * sigma.prod()
    summed = irfft2(spectrum, full)[pad[0] : pad[0] + shape[0], pad[1] : pad[1] + shape[1]]
    return np.asarray(peak * summed)


class _Windows(NamedTuple):
    """Pixels of windows: their rows and columns (window, pixel), and the places of these."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]

    @classmethod
    def around(
        cls, place: NDArray[np.float64], half: NDArray[np.int64], step: tuple[float, float]
    ) -> _Windows:
        middle = np.rint(place / np.array(step)).astype(np.int64)
        rows, columns = (
            middle[:, axis, None] + np.arange(-half[axis], half[axis] + 1) for axis in (0, 1)
        )
        return cls(rows, columns, rows * step[0], columns * step[1])

    @property
    def center(self) -> NDArray[np.float64]:
        """Middle of each window, (window, 2)."""
        return np.stack([self.y.mean(axis=1), self.x.mean(axis=1)], axis=1)


def _whole_windows(
    usable: NDArray[np.bool_],
    place: NDArray[np.float64],
    half: NDArray[np.int64],
    step: tuple[float, float],
    seed: int,
) -> NDArray[np.int64]:
    """Choose columns whose windows lie wholly in what is usable."""
    order = np.random.default_rng(seed).permutation(len(place))
    middle = np.rint(place[order] / np.array(step)).astype(np.int64)
    fits = ((middle >= half) & (middle < np.array(usable.shape) - half)).all(axis=1)
    # Of a sum over all pixels before, the number in each window.
    total = np.pad(usable, ((1, 0), (1, 0))).astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    low, high = middle[fits] - half, middle[fits] + half + 1
    inside = total[high[:, 0], high[:, 1]] - total[low[:, 0], high[:, 1]]
    inside += total[low[:, 0], low[:, 1]] - total[high[:, 0], low[:, 1]]
    whole = inside == (2 * half + 1).prod()
    return np.asarray(order[fits][whole][:_SAMPLE])


def _nearest(
    pixels: _Windows, columns: Columns, n: int, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the columns (window, n) within reach of the middle of each window, and which are."""
    n = min(n, len(columns.place))
    distance, index = cKDTree(columns.place).query(pixels.center, k=np.arange(1, n + 1))
    return index, distance < reach


def _rest(
    pixels: _Windows, columns: Columns, core: float, given: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Leave of images (window, pixel, image) what neither cores nor a constant take up."""
    half = np.hypot(np.ptp(pixels.y, axis=1).max(), np.ptp(pixels.x, axis=1).max()) / 2
    index, near = _nearest(pixels, columns, _CORES, half + 3 * core)
    n_windows, n_pixels = given.shape[:2]
    dy = pixels.y[:, None, :, None] - columns.place[index, 0][..., None, None]
    dx = pixels.x[:, None, None, :] - columns.place[index, 1][..., None, None]
    width = columns.width[index][..., None, None]
    squared = (dy**2 + dx**2) / width**2
    shape = np.exp(-squared / 2) * near[..., None, None]
    parts = [shape, shape * dy / width, shape * dx / width, shape * squared]
    tangents = np.concatenate([part.reshape(n_windows, -1, n_pixels) for part in parts], axis=1)
    level = np.ones((n_windows, 1, n_pixels))
    tangents = np.concatenate([tangents, level], axis=1)
    norm = np.linalg.norm(tangents, axis=2, keepdims=True)
    tangents /= np.where(norm > 0, norm, 1.0)
    # Cores far away are nearly alike within a window: a ridge leaves their difference alone.
    gram = tangents @ tangents.transpose(0, 2, 1) + _RIDGE * np.eye(tangents.shape[1])
    taken = np.linalg.solve(gram, tangents @ given)
    rest: NDArray[np.float64] = given - tangents.transpose(0, 2, 1) @ taken
    return rest


def _summed(pixels: _Windows, columns: Columns, width: float) -> NDArray[np.float64]:
    """Add up tails of height 1 (window, pixel) of the columns around."""
    half = np.hypot(np.ptp(pixels.y, axis=1).max(), np.ptp(pixels.x, axis=1).max()) / 2
    index, near = _nearest(pixels, columns, _TAILS, half + _REACH * width)
    along_y, along_x = (
        np.exp(-0.5 * ((place[:, None] - columns.place[index, axis][..., None]) / width) ** 2)
        for axis, place in enumerate((pixels.y, pixels.x))
    )
    along_y *= (columns.height[index] * near)[..., None]
    return np.asarray((along_y.transpose(0, 2, 1) @ along_x).reshape(len(index), -1))


def _peak(widths: NDArray[np.float64], gain: NDArray[np.float64]) -> float:
    """Give the width of the largest gain, by the parabola through it and its neighbors."""
    best = int(gain.argmax())
    if not 0 < best < len(gain) - 1:
        return float(widths[best])
    before, here, after = gain[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(widths[best] * (widths[1] / widths[0]) ** shift)
