"""How large windows over an image must be, by how far maps of several sizes agree."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.clustering.soft_maps import classes_from_scores, classes_from_windows
from adatom.decomposition.nmf import decompose_nmf
from adatom.descriptors.windows import window_spectra
from adatom.errors import AdatomWarning, SettingError
from adatom.numerics.scores import adjusted_rand_index
from adatom.numerics.spectrum import FINEST_PERIOD, bragg_rings, radial_spectrum
from adatom.schema import (
    IMAGE,
    Image,
    Table,
    add_note,
    pixel_size,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    import xarray as xr

# Peaks of a window of n periods are 2 / n of their frequency wide: with three, those of a
# square and a hexagonal lattice of one atom distance (0.87) fall on one another.
_FEWEST_PERIODS: Final = 4.0
# Each size has twice the area of the one before: closer ones have too much in common to tell.
_GROWTH: Final = 2**0.5
# A window of more than this share of the image leaves less than a dozen that are apart.
_WIDEST: Final = 0.3
# Sizes whose maps agree within this of the best are as good, and the smallest shows most.
_AS_GOOD: Final = 0.02
# The pixels at which maps are compared, along a side: maps are smooth over a step of windows.
_COMPARED: Final = 256
# In 147 images of one pattern, noise and lattices in noise, the best agreement of an image was 0.3
# in the median and above this in three; maps of two simulated phases agreed by 0.86 or more.
_BY_CHANCE: Final = 0.6
# A window of fewer pixels holds too few waves for a pattern.
_LEAST: Final = 16


class _Waves(NamedTuple):
    """The coarsest and the finest wave of an image, in pixels, and whether there are any."""

    coarsest: float
    finest: float
    seen: bool


def choose_window_size(
    image: Image,
    /,
    *,
    n_classes: int = 2,
    smallest: Length | None = None,
    largest: Length | None = None,
    seed: int = 0,
) -> Table:
    """Choose the size of windows by how far maps of several sizes agree.

    Small windows hold few periods, and their classes are noise; large ones
    blur every border. In between the map does not depend on the size. Windows of
    every size are sorted by their spectra (`descriptors.window_spectra`,
    `decomposition.decompose_nmf`), brought to the pixels, and the maps of one size and
    the next larger are compared. Of the sizes whose maps agree as well as the best do, the
    smallest is chosen.

    Parameters
    ----------
    image : Image
        Loaded. NaN: not measured.
    n_classes : int
        Patterns that the image shows.
    smallest : length, optional
        Where to begin. By default four periods of the coarsest wave that rises
        above the noise, and 16 pixels at least.
    largest : length, optional
        Where to end. By default 0.3 of the shorter side of the image, or eight
        periods of the coarsest wave if these are more.
    seed : int
        Of the factorization.

    Returns
    -------
    Table
        A row a size, each of twice the area of the one before: ``window_size`` in the
        unit of space, ``n_windows``, and ``agreement`` with the map of the next
        larger size, as adjusted Rand index (1: the same, 0: chance), NaN for
        the largest. ``attrs["window_size"]``, such as "64 px", is the choice;
        ``attrs["shortest_period"]``, in the unit of space, that of the finest wave.

    Raises
    ------
    SettingError
        If `n_classes` is less than 2, `largest` is larger than the image, or there
        is no room for two sizes.

    Warns
    -----
    AdatomWarning
        If the maps agree so little at every size that the image may show no such patterns.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:192, :192]
    >>> stripes = np.where(x < 96, np.cos(np.pi * x / 4), np.cos(np.pi * y / 4))
    >>> table = choose_window_size(image_from_array(stripes))
    >>> table.attrs["window_size"], bool(table["agreement"][0] > 0.9)
    ('32 px', True)
    """
    IMAGE.check(image)
    if n_classes < 2:
        msg = f"{n_classes=} must be 2 or more: maps of one class agree whatever the size"
        raise SettingError(msg)
    pixel = float(np.sqrt(np.prod(pixel_size(image))))
    unit = space_unit(image)
    waves = _waves_of(image)
    sizes = _sizes(image, waves, (smallest, largest), pixel, unit)
    maps, counts = [], []
    for size in sizes:
        found, n_windows = _map_of_size(image, size * pixel, unit, waves, pixel, n_classes, seed)
        maps.append(found)
        counts.append(n_windows)
    agreement = [_agreement(one, other) for one, other in pairwise(maps)]
    best = int(np.argmax(np.array(agreement) >= max(agreement) - _AS_GOOD))
    table = table_from_columns(
        {
            "window_size": np.array(sizes) * pixel,
            "n_windows": np.array(counts),
            "agreement": np.array([*agreement, np.nan]),
        },
        units={"window_size": unit},
    )
    table.attrs["window_size"] = f"{sizes[best] * pixel:.6g} {unit}"
    table.attrs["shortest_period"] = f"{_finest(waves) * pixel:.6g} {unit}"
    add_note(
        table,
        f"Windows of {table.attrs['window_size']}: their map agrees with that of windows of "
        f"twice the area by {agreement[best]:.2f} (adjusted Rand index); the best is "
        f"{max(agreement):.2f}.",
    )
    if max(agreement) < _BY_CHANCE:
        warnings.warn(_doubt(max(agreement), n_classes), AdatomWarning, stacklevel=2)
    if not waves.seen:
        add_note(table, "No wave rises above the noise: what the maps show need not be a lattice.")
    return table


def _doubt(agreement: float, n_classes: int) -> str:
    return (
        f"maps of windows of different sizes agree by {agreement:.2f} at most (adjusted Rand "
        f"index), as they do by chance in images of one pattern (up to {_BY_CHANCE}): what they "
        f"show need not be {n_classes} patterns. Look at maps of two sizes side by side; tell "
        "n_classes= if the image shows more patterns, larger windows (smallest=, largest=) if "
        "its cells are large; or find phases by atoms (localization.find_atoms)"
    )


def _waves_of(image: Image) -> _Waves:
    values = np.asarray(image.values, dtype=np.float64)
    known = np.isfinite(values)
    values = np.where(known, values, values[known].mean() if known.any() else 0.0)
    spectrum = radial_spectrum(values - values.mean())
    rings = bragg_rings(spectrum)
    if not rings.size:
        return _Waves(_LEAST / _FEWEST_PERIODS, FINEST_PERIOD, seen=False)
    frequency = spectrum.frequency[rings]
    # The strongest rings make the pattern; a weak one far within is a wave of the background.
    strong = frequency[spectrum.peak[rings] >= 0.1 * spectrum.peak[rings].max()]
    return _Waves(1 / float(strong.min()), 1 / float(frequency.max()), seen=True)


def _finest(waves: _Waves) -> float:
    """Leave room for the width of the finest reflection in a window of a few periods."""
    return max(2.0, waves.finest / (1 + 1 / _FEWEST_PERIODS))


def _sizes(
    image: Image,
    waves: _Waves,
    ends: tuple[Length | None, Length | None],
    pixel: float,
    unit: str,
) -> list[int]:
    shorter = min(image.sizes["y"], image.sizes["x"])
    least = max(_LEAST, int(np.ceil(_FEWEST_PERIODS * waves.coarsest)))
    most = min(max(int(_WIDEST * shorter), 2 * least), shorter)
    least, most = (
        own
        if end is None
        else round(length_from_setting(end, unit=unit, pixel_size=pixel, name=name) / pixel)
        for own, end, name in zip((least, most), ends, ("smallest", "largest"), strict=True)
    )
    if most > shorter:
        msg = (
            f"largest={ends[1]!r} is {most} pixels, and the shorter side of the image has "
            f"{shorter}: no window can be larger; give '{shorter * pixel:.6g} {unit}' or less"
        )
        raise SettingError(msg)
    number = int(np.floor(np.log(max(most, 1) / max(least, 1)) / np.log(_GROWTH) + 1e-6)) + 1
    if least < 4 or number < 2:
        msg = (
            f"windows of {least} to {most} pixels leave no two sizes to compare (each of twice the "
            f"area of the one before): the image has {shorter} pixels along its shorter side; "
            "give smallest= and largest=, or a size to the descriptor itself"
        )
        raise SettingError(msg)
    return [round(least * _GROWTH**k) for k in range(number)]


def _map_of_size(
    image: Image,
    size: float,
    unit: str,
    waves: _Waves,
    pixel: float,
    n_classes: int,
    seed: int,
) -> tuple[xr.DataArray, int]:
    """Sort the windows of a size, and give the class of some pixels."""
    finest = f"{_finest(waves) * pixel:.9g} {unit}"
    windows = window_spectra(image, size=f"{size:.9g} {unit}", shortest_period=finest)
    parts = decompose_nmf(windows, n_components=n_classes, seed=seed)
    every = [max(1, image.sizes[dim] // _COMPARED) for dim in ("y", "x")]
    pixels = classes_from_windows(classes_from_scores(parts.scores), image)
    label = pixels["label"][:: every[0], :: every[1]]
    return label, windows.sizes["y"] * windows.sizes["x"]


def _agreement(one: xr.DataArray, other: xr.DataArray) -> float:
    both = (one.values >= 0) & (other.values >= 0)
    return adjusted_rand_index(one.values[both], other.values[both])
