"""Whether atoms are brighter or darker than what lies between them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.localization.detection import estimate_scale, without_outliers
from adatom.numerics.spectrum import mean_power
from adatom.numerics.windowed_fourier import repeating_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.detection import Scale
    from adatom.schema import Image

Contrast = Literal["auto", "bright", "dark"]

# How instruments and people name what gives dark atoms, and what gives bright ones.
_DARK: Final = frozenset({"ABF", "BF", "EABF", "BRIGHTFIELD"})
_BRIGHT: Final = frozenset({"ADF", "DF", "HAADF", "LAADF", "MAADF", "DARKFIELD"})
# Of the lattice alone: sparse dark atoms reach -0.8, sparse bright ones 1 and
# more, one sine along each axis 0.
_CLEARLY_DARK: Final = -0.3
# What is not hexagonal has most of the power of its ring in two or four
# directions: above 0.9, against less than 0.5 of distorted hexagonal lattices.
_OTHER_SYMMETRY: Final = 0.6
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


def contrast_of_image(
    image: Image, pixels: NDArray[np.float32], /, *, contrast: Contrast
) -> ContrastOfImage:
    """Settle the contrast: as told, else by the detector's name, else by the pixels.

    Parameters
    ----------
    image : Image
        Its attributes may name the detector.
    pixels : ndarray of float32
        Its values about zero, not turned upside down.
    contrast : {"auto", "bright", "dark"}
        What the user says.
    """
    if contrast not in {"auto", "bright", "dark"}:
        msg = f"{contrast=} is not known: use 'auto', 'bright' or 'dark'"
        raise SettingError(msg)
    if contrast != "auto":
        return ContrastOfImage(contrast, "as told")
    return _named_contrast(image) or _seen_contrast(pixels)


def _named_contrast(image: Image) -> ContrastOfImage | None:
    for what in ("detector", "quantity", "title", "source"):
        text = str(image.attrs.get(what, ""))
        words = {word.upper() for word in re.split(r"[^A-Za-z]+", text)}
        dark, bright = words & _DARK, words & _BRIGHT
        if bool(dark) != bool(bright):
            name = min(dark or bright)
            return ContrastOfImage("dark" if dark else "bright", f"as {name} in its {what} says")
    return None


def _seen_contrast(pixels: NDArray[np.float32]) -> ContrastOfImage:
    """Tell by the lattice's skewness: atoms are less wide than what lies between them.

    A honeycomb of bright atoms is a hexagonal lattice of dark holes, and the
    other way round, so that hexagonal lattices are taken for bright.
    """
    first = [max(0, (size - _SIDE) // 2) for size in pixels.shape]
    part = pixels[first[0] : first[0] + _SIDE, first[1] : first[1] + _SIDE]
    calm = without_outliers(part)
    scale = estimate_scale(calm)
    if scale is None:
        return ContrastOfImage("bright", "as is usual, since no lattice shows")
    lattice = repeating_part(
        calm, scale.spectrum, period=scale.period, finest_period=scale.finest_period
    )
    lattice -= lattice.mean()
    spread = float(lattice.std())
    skewness = float(np.mean((lattice / spread) ** 3)) if spread > 0 else 0.0
    if skewness > _CLEARLY_DARK:
        return ContrastOfImage(
            "bright", f"by the skewness of the lattice's pixels ({skewness:.2f})"
        )
    if _symmetry_other_than_hexagonal(calm, scale) < _OTHER_SYMMETRY:
        return ContrastOfImage(
            "bright",
            "as a honeycomb; it may also be a hexagonal lattice of dark ones, then give "
            'contrast="dark"',
        )
    return ContrastOfImage("dark", f"by the skewness of the lattice's pixels ({skewness:.2f})")


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
