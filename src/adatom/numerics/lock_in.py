"""How strong a wave is around every place of an image: demodulation with a Gaussian window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

# A Gaussian window is cut off at so many standard deviations.
_ROOM: Final = 4.0
# Places are given twice a standard deviation of the window, along each axis: what is finer has
# been averaged away.
PER_WIDTH: Final = 2.0


class LockIn:
    """Local amplitudes of waves in one image, on a coarse grid.

    Around every place the image is multiplied by a wave and by a Gaussian window, and
    summed. In the Fourier plane that is a Gaussian mask about the frequency: only
    the part beneath it is transformed back, so that a wave costs next to nothing.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        About zero; what does not count is not looked at.
    counts : ndarray of bool, shape (y, x)
        What was measured.
    width : float
        Standard deviation of the window in pixels.
    """

    def __init__(self, image: Floats, counts: NDArray[np.bool_], /, *, width: float) -> None:
        self.width = width
        room = int(np.ceil(_ROOM * width))
        self._size = [scipy.fft.next_fast_len(n + room) for n in image.shape]
        self._n_places = [min(n, int(np.ceil(PER_WIDTH * n / width / 2) * 2)) for n in self._size]
        steps = [n / m for n, m in zip(self._size, self._n_places, strict=True)]
        self.places = [
            np.arange(int(np.floor((n - 1) / step)) + 1) * step
            for n, step in zip(image.shape, steps, strict=True)
        ]
        """Positions in pixels along y and along x."""
        self._plane = self._transformed(np.where(counts, image, 0))
        covered = self._transformed(counts.astype(np.float64))
        # A window that is cut by a border has less weight.
        weight = self._filtered(covered, (0.0, 0.0), width).real
        self.weight = np.clip(weight, 1e-3, 1.0)
        """Share of each window on what was measured: less at borders and gaps."""
        self.seen = weight > 0.1
        """Where a window holds something to judge by."""

    def amplitude(self, frequency: NDArray[np.floating] | tuple[float, float], /) -> Floats:
        """Give the amplitude of a wave around every place.

        Parameters
        ----------
        frequency : (2,)
            In cycles per pixel, axis y, x.
        """
        found = self._filtered(self._plane, frequency, self.width)
        # A real wave has half of its amplitude at either of its two frequencies.
        return np.asarray(2 * np.abs(found) / self.weight)

    def _transformed(self, image: Floats) -> NDArray[np.complexfloating]:
        plane = scipy.fft.fft2(image, self._size)
        return np.asarray(plane)

    def _filtered(
        self,
        plane: NDArray[np.complexfloating],
        frequency: NDArray[np.floating] | tuple[float, float],
        width: float,
    ) -> NDArray[np.complexfloating]:
        rows, masks = [], []
        for size, places, center in zip(self._size, self._n_places, frequency, strict=True):
            offsets = np.fft.ifftshift(np.arange(-(places // 2), places - places // 2))
            bins = round(center * size) + offsets
            rows.append(bins % size)
            masks.append(np.exp(-2 * (np.pi * width * (bins / size - center)) ** 2))
        part = plane[np.ix_(*rows)] * np.outer(*masks)
        scale = np.prod([m / n for n, m in zip(self._size, self._n_places, strict=True)])
        back = scipy.fft.ifft2(part) * scale
        return np.asarray(back[: len(self.places[0]), : len(self.places[1])])
