"""Whether atoms are brighter or darker than what lies between them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.localization.choosing import measured_part, usable_pixels
from adatom.localization.detection import estimate_scale, without_outliers
from adatom.numerics.filters import gaussian_filter
from adatom.numerics.spectrum import mean_power

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.detection import Scale
    from adatom.schema import Image, Mask

Contrast = Literal["auto", "bright", "dark"]

# How instruments and people name what gives dark atoms, and what gives bright ones.
_DARK: Final = frozenset({"ABF", "BF", "EABF", "BRIGHTFIELD"})
_BRIGHT: Final = frozenset({"ADF", "DF", "HAADF", "LAADF", "MAADF", "DARKFIELD"})
# Without noise, dark atoms on a square lattice reach -0.8 where their sigma is
# a quarter of the distance between neighbors, bright ones 0.8, and one sine
# along each axis 0. A honeycomb of bright atoms, sheared until it is no longer
# taken for one, reaches -0.26.
_CLEARLY_DARK: Final = -0.4
# What is not hexagonal has most of the power of its ring in two or four
# directions: above 0.9, against less than 0.5 of distorted hexagonal lattices.
_OTHER_SYMMETRY: Final = 0.6
# Sigmas, in periods, between which a lattice lies; spreads beyond which there is no atom.
_FINE: Final = 0.08
_COARSE: Final = 0.6
_FARTHEST: Final = 4.0
# Some fifty periods are enough to judge by.
_SIDE: Final = 512


class ContrastOfImage(NamedTuple):
    """What the contrast is taken for, and why.

    Attributes
    ----------
    contrast : {"bright", "dark"}
    reason : str
        As the end of a sentence: "as the detector is called ABF".
    """

    contrast: Literal["bright", "dark"]
    reason: str

    def in_words(self) -> str:
        """Say it in a sentence."""
        return f"Atoms are taken for {self.contrast}, {self.reason}."


NOTHING_SEEN: Final = ContrastOfImage("bright", "as is usual, since no lattice shows")


def contrast_of_image(
    image: Image, pixels: NDArray[np.float32], regions: Mask | None = None, /, *, contrast: Contrast
) -> ContrastOfImage:
    """Settle the contrast: as told, as for the regions, by the detector's name, or by the pixels.

    Parameters
    ----------
    image : Image
        Its attributes may name the detector.
    pixels : ndarray of float32
        Its values about zero, not turned upside down.
    regions : Mask, optional
        May say what it was found with.
    contrast : {"auto", "bright", "dark"}
        What the user says.
    """
    if contrast not in {"auto", "bright", "dark"}:
        msg = f"{contrast=} is not known: use 'auto', 'bright' or 'dark'"
        raise SettingError(msg)
    if contrast != "auto":
        return ContrastOfImage(contrast, "as told")
    if regions is not None and regions.attrs.get("contrast") in {"bright", "dark"}:
        return ContrastOfImage(regions.attrs["contrast"], "as for the regions")
    return _named_contrast(image) or _seen_contrast(pixels, usable_pixels(image, regions))


def _named_contrast(image: Image) -> ContrastOfImage | None:
    for what in ("detector", "quantity", "title", "source"):
        text = str(image.attrs.get(what, ""))
        words = {word.upper() for word in re.split(r"[^A-Za-z]+", text)}
        dark, bright = words & _DARK, words & _BRIGHT
        if bool(dark) != bool(bright):
            name = min(dark or bright)
            return ContrastOfImage("dark" if dark else "bright", f"as {name} in its {what} says")
    return None


def _seen_contrast(pixels: NDArray[np.float32], usable: NDArray[np.bool_]) -> ContrastOfImage:
    """Tell by the lattice's skewness: atoms are less wide than what lies between them.

    A honeycomb of bright atoms is a hexagonal lattice of dark holes, and the
    other way round, so that hexagonal lattices are taken for bright.
    """
    measured = measured_part(usable)
    pixels, usable = pixels[measured], usable[measured]
    first = [max(0, (size - _SIDE) // 2) for size in pixels.shape]
    part = slice(first[0], first[0] + _SIDE), slice(first[1], first[1] + _SIDE)
    calm = without_outliers(pixels[part])
    scale = estimate_scale(calm)
    if scale is None:
        return NOTHING_SEEN
    skewness = _skewness(calm, scale.period, usable[part])
    if skewness > _CLEARLY_DARK:
        return ContrastOfImage("bright", f"by the skewness of the pixels ({skewness:.2f})")
    if _symmetry_other_than_hexagonal(calm, scale) < _OTHER_SYMMETRY:
        return ContrastOfImage(
            "bright",
            "as a honeycomb; it may also be a hexagonal lattice of dark ones, then give "
            'contrast="dark"',
        )
    return ContrastOfImage("dark", f"by the skewness of the pixels ({skewness:.2f})")


def _skewness(calm: NDArray[np.float32], period: float, usable: NDArray[np.bool_]) -> float:
    """Give the skewness of what is as fine as a lattice; noise has none, and only dilutes it."""
    band = gaussian_filter(calm, _FINE * period)
    band -= gaussian_filter(calm, _COARSE * period)
    if not usable.any():
        return 0.0
    band = band[usable]
    band -= band.mean()
    spread = float(band.std())
    if spread == 0:
        return 0.0
    # Impurities and dirt are few, but far from the mean.
    band = np.clip(band / spread, -_FARTHEST, _FARTHEST)
    band -= band.mean()
    return float(np.mean(band**3, dtype=float) / np.mean(band**2, dtype=float) ** 1.5)


def _symmetry_other_than_hexagonal(calm: NDArray[np.float32], scale: Scale) -> float:
    """Give how much of the strongest ring's power lies in two or in four directions."""
    power = mean_power(calm, max(calm.shape))
    frequency_y = np.fft.fftfreq(calm.shape[0])[:, None]
    frequency_x = np.fft.rfftfreq(calm.shape[1])[None, :]
    frequency = np.hypot(frequency_y, frequency_x)
    on_ring = np.abs(frequency * scale.period - 1) < 0.15
    noise = np.interp(frequency[on_ring], scale.spectrum.frequency, scale.spectrum.noise)
    weight = np.maximum(power[on_ring] - 4 * noise, 0)
    angle = np.arctan2(*np.broadcast_arrays(frequency_y, frequency_x))[on_ring]
    total = float(weight.sum())
    if total == 0:
        return 0.0
    return max(abs(complex((weight * np.exp(1j * fold * angle)).sum())) / total for fold in (2, 4))
