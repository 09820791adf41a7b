"""The part of an image that repeats from cell to cell, by masks about its Bragg reflections."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage

from adatom.numerics.indexing import fitted_matrix, indexed
from adatom.numerics.reflections import LEAST, find_spots, measure_spots
from adatom.numerics.spectrum import FEWEST_PERIODS, hann, mean_power, radial_spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Bools = NDArray[np.bool_]

# Reflections of less power than this share of the strongest do not choose the lattice.
STRONG: Final = 0.03
# A lattice must explain this share of what the best one explains; of those that do, that
# with the smallest cell is taken.
EXPLAINED: Final = 0.98
# Of the power of all strong spots; less is chance, as with streaks of scan lines.
LEAST_EXPLAINED: Final = 0.3
# Two reflections along one line (the sine of their angle) span no lattice.
SLIMMEST: Final = 0.3
# Reflections beyond the finest that was seen by this factor hold nothing but noise.
BEYOND: Final = 1.15
# In cycles per pixel: finer structure cannot be told from the pixels themselves.
HIGHEST: Final = 0.45
# Reaches of the mean that are tried, in periods: from next neighbors to what a frame holds.
REACHES: Final = (1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0)
# A window of more than this share of the shorter side sees the whole image anyway.
WIDEST: Final = 0.3
# Passes of a fit: the later ones take off what reflections tell of one another where the
# window is cut, at borders and beside what does not count.
PASSES: Final = 3
# Weight of a cell in its own mean after all passes, relative to one: the k-th power of a
# Gaussian mask has 1 / k of its area.
SHARE_OF_PASSES: Final = sum(1 / k for k in range(1, PASSES + 1))
# Beyond so many standard deviations a window weighs nothing.
ROOM: Final = 4.0
# Less weight than this share of a full window, and a mean is that of a few far cells.
LEAST_WEIGHT: Final = 0.02
# At a corner, where a quarter of the window is left, with the shortest reach.
MOST_OWN: Final = 0.7


class BraggLattice(NamedTuple):
    """The reciprocal lattice of an image.

    Attributes
    ----------
    matrix : ndarray, shape (2, 2)
        Columns are the two reciprocal vectors, in cycles per pixel, axis y, x.
    frequency : ndarray, shape (reflection, 2)
        Of the reflections that hold the image, one of each pair of opposite ones.
    """

    matrix: NDArray[np.float64]
    frequency: NDArray[np.float64]

    @property
    def cell_area(self) -> float:
        """Give the area of the unit cell in pixels."""
        return float(1 / abs(np.linalg.det(self.matrix)))

    @property
    def period(self) -> float:
        """Give the side of a square as large as the cell, in pixels."""
        return float(np.sqrt(self.cell_area))

    @property
    def finest_period(self) -> float:
        """Give the shortest period of a reflection, in pixels."""
        return float(1 / np.linalg.norm(self.frequency, axis=1).max())

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Give two vectors of the cell in pixels, row by row as y, x."""
        return np.asarray(np.linalg.inv(self.matrix))


class Repetition(NamedTuple):
    """What repeats from cell to cell, and by how much each cell made its own mean.

    Attributes
    ----------
    periodic : ndarray, shape (y, x)
    own_share : ndarray, shape (y, x)
        Weight of a cell in its own mean: what is left is too small by this share.
    reach : float
        Standard deviation of the window, in pixels.
    """

    periodic: NDArray[np.float32]
    own_share: NDArray[np.float32]
    reach: float


def find_bragg_lattice(image: Floats, /) -> BraggLattice | None:
    """Find the reciprocal lattice that explains the strong reflections of an image.

    Spots that lie on no lattice, such as those of standing waves, are no part
    of it. Streaks of scan lines are evened out if that shows a lattice more
    clearly. None where no two spots span a lattice.
    """
    best, explained = None, LEAST_EXPLAINED
    for picture in (image, _without_streaks(image)):
        lattice, share = _lattice_of_spots(picture)
        # Evened spectra are second choice: they lose what lies on the streak itself.
        if lattice is not None and share > explained:
            best, explained = lattice, 1.5 * share
    return best


def _lattice_of_spots(image: Floats) -> tuple[BraggLattice | None, float]:
    spots = find_spots(image)
    strong = spots.power > STRONG * spots.power.max(initial=0.0)
    frequency, power = spots.frequency[strong], spots.power[strong]
    cells = [
        indexed(np.column_stack([frequency[i], frequency[j]]), frequency, power, image.shape)
        for i, j in combinations(range(len(power)), 2)
        if _span(frequency[i], frequency[j])
    ]
    if not cells:
        return None, 0.0
    best = max(cell.explained for cell in cells)
    able = [cell for cell in cells if cell.explained > EXPLAINED * best]
    cell = max(able, key=lambda cell: abs(np.linalg.det(cell.matrix)))
    exact, strength = measure_spots(image, frequency[cell.belongs])
    matrix = fitted_matrix(exact, cell.indices[cell.belongs], strength)
    if not np.linalg.norm(matrix, axis=0).min() * min(image.shape) >= FEWEST_PERIODS:
        return None, 0.0
    return BraggLattice(matrix, _holding_power(image, matrix)), best


def _holding_power(image: Floats, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the reflections out to the farthest one that stands above the noise."""
    all_places = _within(matrix, HIGHEST)
    side = max(image.shape)
    power = scipy.ndimage.maximum_filter(mean_power(image, side), 3, mode="wrap")
    spectrum = radial_spectrum(image, window=side)
    length = np.linalg.norm(all_places, axis=1)
    # The half plane holds the one of both opposite reflections that points to the right.
    place = np.where(all_places[:, 1:] < 0, -all_places, all_places)
    rows = np.rint(place[:, 0] * image.shape[0]).astype(int) % image.shape[0]
    columns = np.rint(place[:, 1] * image.shape[1]).astype(int)
    columns = np.minimum(columns, power.shape[1] - 1)
    noise = np.interp(length, spectrum.frequency, spectrum.noise)
    # Of nine coefficients about it the strongest, as in the search for spots.
    seen = power[rows, columns] > LEAST * (np.log(9) + 1) * noise
    finest = float(length[seen].max(initial=length.min()))
    return np.asarray(all_places[length <= BEYOND * finest])


def _without_streaks(image: Floats) -> NDArray[np.float32]:
    """Divide each column of the spectrum by its usual strength."""
    taper = np.outer(hann(image.shape[0]), hann(image.shape[1]))
    plane = scipy.fft.rfft2((image - image.mean()) * taper)
    usual = np.median(np.abs(plane), axis=0)
    plane /= np.maximum(usual, 1e-3 * usual.max() + np.finfo(float).tiny)
    whitened = scipy.fft.irfft2(plane, image.shape)
    return np.asarray(whitened / (whitened.std() or 1.0), dtype=np.float32)


def _span(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    area = abs(float(one[0] * other[1] - one[1] * other[0]))
    return area > SLIMMEST * float(np.linalg.norm(one) * np.linalg.norm(other))


def _within(matrix: NDArray[np.float64], highest: float) -> NDArray[np.float64]:
    """List one of each pair of opposite reflections up to a frequency."""
    most = np.ceil(highest * np.linalg.norm(np.linalg.inv(matrix), axis=1)).astype(int)
    h, k = np.meshgrid(*(np.arange(-one, one + 1) for one in most), indexing="ij")
    half = (h > 0) | ((h == 0) & (k > 0))
    frequency = np.stack([h[half], k[half]], axis=-1) @ matrix.T
    return np.asarray(frequency[np.linalg.norm(frequency, axis=1) <= highest])


def repeating_mean(
    image: Floats, counts: Bools, lattice: BraggLattice, /, *, reach: float
) -> Repetition:
    """Keep what repeats: Gaussian masks about zero and the reflections, in the Fourier plane.

    A mask of standard deviation 1 / (2 pi reach) gives every pixel the mean
    of what stands at like places of the cells around it, with Gaussian
    weights of standard deviation `reach`. Pixels that do not count have no
    weight, nor has what lies beyond the border.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        About zero, finite.
    counts : ndarray of bool, shape (y, x)
    lattice : BraggLattice
    reach : float
        In pixels.
    """
    window = _Window(image.shape, reach)
    mask = window.mask(lattice.frequency)
    weight = counts.astype(np.float32)
    share = window.filtered(weight, window.mask(lattice.frequency[:0]))
    share = np.maximum(share, LEAST_WEIGHT)
    total = np.zeros(image.shape, dtype=np.float32)
    for _ in range(PASSES):
        rest = np.where(counts, image - total, 0).astype(np.float32)
        total += window.filtered(rest, mask) / share
    # The area under a Gaussian window of height one, in cells, of which one is the cell itself.
    own = SHARE_OF_PASSES * lattice.cell_area / (2 * np.pi * reach**2) * weight / share
    return Repetition(total, np.minimum(own, MOST_OWN).astype(np.float32), reach)


class _Window:
    """Fourier plane of an image with room for the window beyond its borders."""

    def __init__(self, shape: tuple[int, ...], reach: float) -> None:
        self.shape, self.reach = shape, reach
        room = int(np.ceil(ROOM * reach))
        self.size = [scipy.fft.next_fast_len(n + room, real=True) for n in shape]
        self.y = np.fft.fftfreq(self.size[0])
        self.x = np.fft.rfftfreq(self.size[1])

    def mask(self, frequency: NDArray[np.float64]) -> NDArray[np.float32]:
        """Add up Gaussians about zero and both of each pair of reflections, at most one."""
        both = np.concatenate([np.zeros((1, 2)), frequency, -frequency])
        width = 2 * np.pi * self.reach
        # The plane is periodic: its rows go round.
        down = (self.y[:, None] - both[:, 0] + 0.5) % 1 - 0.5
        down = np.exp(-0.5 * (width * down) ** 2)
        across = np.exp(-0.5 * (width * (self.x - both[:, 1:])) ** 2)
        return np.asarray(np.minimum(down @ across, 1), dtype=np.float32)

    def filtered(self, image: Floats, mask: NDArray[np.float32]) -> NDArray[np.float32]:
        """Multiply the Fourier transform of an image by a mask."""
        plane = scipy.fft.rfft2(image, self.size)
        plane *= mask
        whole = scipy.fft.irfft2(plane, self.size)
        return np.asarray(whole[: self.shape[0], : self.shape[1]])
