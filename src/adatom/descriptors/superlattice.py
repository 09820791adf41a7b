"""Where a superlattice lies over a lattice, and where the lattice departs from itself."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.stats
import xarray as xr

from adatom.errors import SettingError
from adatom.numerics.lock_in import LockIn
from adatom.numerics.peaks import thin_out
from adatom.numerics.periodic_part import BraggLattice, find_bragg_lattice, repeating_mean
from adatom.schema import (
    IMAGE,
    Classes,
    Features,
    Image,
    Sites,
    Table,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Cells two and three times as long hold all superstructures that are common on surfaces:
# 2 x 1, 2 x 2, c(2 x 2), 3 x 1, 3 x 3 and sqrt(3) x sqrt(3).
_ORDERS: Final = (2, 3)
# Waves of one kind that are longer than the shortest by no more than this belong to its star: the
# corners of a hexagonal zone stay together in a scan distorted by a tenth.
_STAR: Final = 1.2
# With a window of this many periods, a wave leaks exp(-2 (pi 0.75)^2) = 1e-5 of its amplitude
# to a frequency one superlattice wave away, which is where the lattice's own waves are.
_WINDOW_PERIODS: Final = 0.75
# Frequencies at which the background is measured lie four bandwidths off, where 3e-4 of the
# amplitude of a wave is left.
_OFF: Final = 4.0
_N_AROUND: Final = 8
# Waves with less of the power of the strongest kind are taken for noise around it.
_AS_STRONG: Final = 0.5
_LOG2: Final = float(np.log(2.0))


class Superlattice(NamedTuple):
    """What `estimate_superlattice` gives."""

    amplitudes: Features
    """Amplitude around every place (y, x, feature) of each wave of the lattice and superlattice,
    in the unit of the image; ``h``, ``k`` (feature) count reciprocal vectors of the lattice."""
    significance: Image
    """Power of the waves of the superlattice over that of the background; 1 for noise alone."""
    departure: Image
    """Power of what does not repeat with the lattice over its median."""
    classes: Classes
    """0 "lattice", 1 "superlattice" on the same places; -1 beyond what was measured."""
    defects: Sites
    """Where the departure peaks: ``departure`` and the ``significance`` there."""
    waves: Table
    """A row a wave: ``h``, ``k``, frequency, period, ``kind``, ``power`` over the background."""


class _Kind(NamedTuple):
    """Waves that differ by vectors of the reciprocal lattice: the shortest of them."""

    indices: Floats
    frequency: Floats


def estimate_superlattice(
    image: Image, /, *, width: Length | None = None, false_regions: float = 0.5
) -> Superlattice:
    """Find the superlattice of an image, where it is, and where the lattice departs from itself.

    Around a defect, standing waves of electrons write a superlattice over the
    lattice of a surface [1]_; no atom has moved, and there are no sites to
    find it by. But its waves are known from those of the lattice: their
    frequencies are halves and thirds of lattice vectors. At each the image is
    demodulated, as by a lock-in amplifier, with a Gaussian window that slides over
    it [2]_. The kind of wave that stands highest above the background is the
    superlattice; beside it stand those with at least half of that.

    The background is that of the spectrum nearby: the image is demodulated at
    frequencies around each wave in the same way, and the median taken, which
    the few places with waves of their own do not move.

    Parameters
    ----------
    image : Image
        Lines leveled (`correction.correct_lines`). Loaded. NaN: not measured.
    width : length, optional
        Standard deviation of the window. By default three quarters of the
        longest period of the superlattice: narrower ones let the lattice in.
    false_regions : float
        Expected number of places that noise alone would mark as superlattice,
        in the whole image; the same number of defects.

    Returns
    -------
    Superlattice
        Maps lie on places half a width apart, in the unit of the image.

    Raises
    ------
    SettingError
        If the image shows no lattice, `width` is no room for a window, or
        `false_regions` is not above zero.

    Notes
    -----
    A place is of the superlattice where the powers of its m waves, each over
    its background, add up to more than noise does at one of all independent
    places: the sum then has a gamma distribution of shape m. What departs
    from the lattice is what is left beside the mean of the cells around, between
    a fifth of its period and the period; its logarithm has a normal
    distribution about the median, whose width is that of its lower half, as
    defects make no place calmer.

    References
    ----------
    .. [1] H. A. Mizes and J. S. Foster, Science 244, 559 (1989).
    .. [2] M. J. Hytch, E. Snoeck and R. Kilaas, Ultramicroscopy 74, 131 (1998), eq. 7.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:240, :240] * (2 * np.pi / 12)
    >>> lattice = np.cos(y) + np.cos(x)
    >>> half = np.where(x > x.mean(), 0.5 * np.cos(y / 2) * np.cos(x / 2), 0)
    >>> noise = np.random.default_rng(0).normal(0, 0.3, x.shape)
    >>> found = estimate_superlattice(image_from_array(lattice + half + noise))
    >>> label = found.classes["label"].values
    >>> float((label[:, : label.shape[1] // 3] == 1).mean())
    0.0
    >>> float((label[:, -label.shape[1] // 3 :] == 1).mean())
    1.0
    """
    IMAGE.check(image)
    if not false_regions > 0:
        msg = f"{false_regions=} must be above zero: the expected number of false places"
        raise SettingError(msg)
    values, counts = _about_zero(image)
    lattice = find_bragg_lattice(values)
    if lattice is None:
        msg = (
            "the image shows no lattice whose waves would tell those of a superlattice: level its "
            "lines first (correction.correct_lines), or cut out a part with fewer distortions"
        )
        raise SettingError(msg)
    kinds = _kinds(lattice)
    longest = max(float(1 / np.linalg.norm(kind.frequency, axis=1).min()) for kind in kinds)
    lock_in = LockIn(values, counts, width=_width(width, longest, image))
    powers = [_powers(lock_in, kind, [*kinds, _own_waves(lattice)]) for kind in kinds]
    # Waves sit on few places: their mean over the image counts, not their median.
    strength = np.array([float(np.mean([part[lock_in.seen].mean() for part in p])) for p in powers])
    chosen = np.flatnonzero(strength - 1 >= _AS_STRONG * (strength.max() - 1))
    together = np.concatenate([powers[number] for number in chosen])
    grid = _Grid(image, lock_in)
    significance = np.where(lock_in.seen, together.mean(axis=0), np.nan)
    n_places = float(counts.sum()) / (4 * np.pi * lock_in.width**2)
    least = _least(len(together), n_places, false_regions)
    departure = _departure(values, counts, lattice, lock_in)
    shown = [kinds[number] for number in chosen]
    waves = _waves(_own_waves(lattice), kinds, powers, chosen, lock_in, grid)
    return Superlattice(
        amplitudes=_amplitudes(lock_in, [_own_waves(lattice), *shown], grid),
        significance=grid.image(significance, "superlattice_significance"),
        departure=grid.image(departure, "lattice_departure"),
        classes=_classes(significance, least, grid),
        defects=_defects(departure, significance, n_places, false_regions, lattice, grid),
        waves=waves,
    )


class _Grid:
    """Places of the lock-in, in the unit of the image."""

    def __init__(self, image: Image, lock_in: LockIn) -> None:
        self.unit, self.pixels = space_unit(image), pixel_size(image)
        self.extent = extent(image)
        self.units = image.attrs.get("units", "1")
        self.dtype = np.result_type(image.dtype, np.float32)
        self.axes = {
            dim: (
                dim,
                float(image.coords[dim].values[0]) + places * pixel,
                {"units": self.unit},
            )
            for dim, places, pixel in zip(("y", "x"), lock_in.places, self.pixels, strict=True)
        }

    def image(self, values: Floats, name: str) -> Image:
        return xr.DataArray(
            values.astype(self.dtype),
            dims=("y", "x"),
            coords=self.axes,
            name=name,
            attrs={"units": "1"},
        )


def _about_zero(image: Image) -> tuple[Floats, NDArray[np.bool_]]:
    values = np.asarray(image.values, dtype=np.float64)
    counts = np.isfinite(values)
    mean = float(values[counts].mean()) if counts.any() else 0.0
    return np.where(counts, values - mean, 0.0), counts


def _own_waves(lattice: BraggLattice) -> _Kind:
    """Give the first star of the lattice itself."""
    return _star(lattice, np.zeros(2))


def _kinds(lattice: BraggLattice) -> list[_Kind]:
    """List the kinds of waves at halves and thirds, one of each pair of opposite ones."""
    found, seen = [], set()
    for order in _ORDERS:
        for numerators in product(range(order), repeat=2):
            opposite = tuple(-n % order for n in numerators)
            key = (order, min(numerators, opposite))
            if any(numerators) and key not in seen:
                seen.add(key)
                found.append(_star(lattice, np.array(numerators) / order))
    return found


def _star(lattice: BraggLattice, fraction: Floats) -> _Kind:
    """Find the shortest vectors that differ from a fraction by whole ones."""
    whole = np.array(list(product(range(-3, 4), repeat=2)), dtype=float)
    indices = whole + fraction
    length = np.linalg.norm(indices @ lattice.matrix.T, axis=1)
    shortest = length[length > 1e-9].min()
    indices = indices[(length > 1e-9) & (length <= _STAR * shortest)]
    # A wave and its opposite are one; halves and whole ones have both in their own star.
    kept: list[Floats] = []
    for one in indices[np.lexsort((indices[:, 1], -indices[:, 0]))]:
        if not any(np.allclose(one, -other) for other in kept):
            kept.append(one)
    chosen = np.array(kept)
    return _Kind(chosen, chosen @ lattice.matrix.T)


def _width(width: Length | None, longest: float, image: Image) -> float:
    if width is None:
        return _WINDOW_PERIODS * longest
    pixel = float(np.sqrt(np.prod(pixel_size(image))))
    found = length_from_setting(width, unit=space_unit(image), pixel_size=pixel, name="width")
    shorter = min(image.sizes["y"], image.sizes["x"])
    if not 2 <= found / pixel <= shorter / 4:
        msg = (
            f"{width=} is {found / pixel:.3g} pixels, it must be 2 to {shorter / 4:.3g}, "
            "a quarter of the image"
        )
        raise SettingError(msg)
    return found / pixel


def _powers(lock_in: LockIn, kind: _Kind, all_kinds: list[_Kind]) -> Floats:
    """Give the power of each wave of a kind over its background, (wave, y, x)."""
    waves = np.concatenate([k.frequency for k in all_kinds])
    waves = np.concatenate([waves, -waves])
    found = []
    for frequency in kind.frequency:
        noise = _background(lock_in, frequency, waves)
        found.append(lock_in.amplitude(frequency) ** 2 / (noise * lock_in.noise_factor))
    return np.array(found)


def _background(lock_in: LockIn, frequency: Floats, waves: Floats) -> float:
    """Measure the mean power of noise around a frequency, from the median over all places."""
    away = _OFF / (2 * np.pi * lock_in.width)
    angle = np.arange(_N_AROUND) * (2 * np.pi / _N_AROUND)
    around = frequency + away * np.column_stack([np.sin(angle), np.cos(angle)])
    distance = np.linalg.norm(around[:, None] - waves[None], axis=2).min(axis=1)
    free = around[distance >= 0.99 * away]
    if not len(free):
        free = around[[int(distance.argmax())]]
    powers = [
        (lock_in.amplitude(place) ** 2 / lock_in.noise_factor)[lock_in.seen]
        for place in free
    ]
    # The power of a wave of noise has an exponential distribution: its median is log 2.
    return float(np.median(np.concatenate(powers)) / _LOG2) or float(np.finfo(float).tiny)


def _least(n_waves: int, n_places: float, false_regions: float) -> float:
    """Give the mean power over the background that noise reaches at so many places."""
    share = min(false_regions / max(n_places, 1.0), 0.5)
    return float(scipy.stats.gamma.isf(share, n_waves) / n_waves)


def _departure(
    values: Floats, counts: NDArray[np.bool_], lattice: BraggLattice, lock_in: LockIn
) -> Floats:
    """Give the local power of what does not repeat, over its median."""
    single = values.astype(np.float32)
    repeated = repeating_mean(single, counts, lattice, reach=2 * lock_in.width).periodic
    rest = np.where(counts, single - repeated, 0)
    fine, coarse = (
        scipy.ndimage.gaussian_filter(rest, share * lattice.period) for share in (0.2, 1.0)
    )
    power = LockIn((fine - coarse) ** 2, counts, width=lock_in.width).amplitude((0.0, 0.0)) / 2
    power = np.where(lock_in.seen, power, np.nan)
    return np.asarray(power / (np.nanmedian(power) or 1.0), dtype=np.float64)


def _amplitudes(lock_in: LockIn, kinds: list[_Kind], grid: _Grid) -> Features:
    frequency = np.concatenate([kind.frequency for kind in kinds])
    indices = np.concatenate([kind.indices for kind in kinds])
    maps = np.stack([lock_in.amplitude(one) for one in frequency], axis=-1)
    maps[~lock_in.seen] = np.nan
    return xr.DataArray(
        maps.astype(grid.dtype),
        dims=("y", "x", "feature"),
        coords={**grid.axes, "h": ("feature", indices[:, 0]), "k": ("feature", indices[:, 1])},
        name="wave_amplitude",
        attrs={"units": grid.units, "extent": grid.extent},
    )


def _classes(significance: Floats, least: float, grid: _Grid) -> Classes:
    known = np.isfinite(significance)
    label = np.where(known, np.nan_to_num(significance) > least, -1).astype(np.int32)
    classes = xr.Dataset(
        {"label": (("y", "x"), label)},
        coords=grid.axes,
        attrs={
            "n_classes": 2,
            "class_names": ["lattice", "superlattice"],
            "extent": grid.extent,
        },
    )
    share = 100 * float((label == 1).sum()) / max(int(known.sum()), 1)
    add_note(
        classes,
        f"{share:.3g} % of the image shows the superlattice: its waves have {least:.3g} times the "
        "power of the background or more.",
    )
    return classes


def _defects(
    departure: Floats,
    significance: Floats,
    n_places: float,
    false_regions: float,
    lattice: BraggLattice,
    grid: _Grid,
) -> Sites:
    logs = np.log(np.maximum(departure, np.finfo(float).tiny))
    known = np.isfinite(logs)
    middle, low = np.quantile(logs[known], [0.5, 0.158655])
    share = min(false_regions / max(n_places, 1.0), 0.5)
    least = float(middle + (middle - low) * scipy.stats.norm.isf(share))
    height = np.where(known, logs, -np.inf)
    peaks = (height == scipy.ndimage.maximum_filter(height, 3, mode="nearest")) & (height > least)
    place = np.argwhere(peaks)
    places = [np.asarray(grid.axes[dim][1]) for dim in ("y", "x")]
    steps = np.array([axis[1] - axis[0] if len(axis) > 1 else 1.0 for axis in places])
    pixel = float(np.sqrt(np.prod(grid.pixels)))
    # Two peaks within two cells are one defect.
    kept = thin_out(place * steps, height[peaks], distance=2 * lattice.period * pixel)
    at = tuple(place[kept].T)
    sites = sites_from_positions(places[0][at[0]], places[1][at[1]], unit=grid.unit)
    sites["departure"] = ("site", departure[at])
    sites["significance"] = ("site", significance[at])
    sites.attrs["extent"] = grid.extent
    add_note(
        sites,
        f"{len(kept)} places depart from the lattice with {np.exp(least):.3g} times the median power "
        "or more.",
    )
    return sites


def _waves(
    own: _Kind,
    kinds: list[_Kind],
    powers: list[Floats],
    chosen: NDArray[np.intp],
    lock_in: LockIn,
    grid: _Grid,
) -> Table:
    own_power = _powers(lock_in, own, [own, *kinds])
    rows: list[dict[str, Any]] = []
    pixel = float(np.sqrt(np.prod(grid.pixels)))
    for number, (kind, power) in enumerate(zip([own, *kinds], [own_power, *powers], strict=True)):
        name = "superlattice" if number - 1 in chosen else "none"
        for indices, frequency, one in zip(*kind, power, strict=True):
            rows.append(
                {
                    "kind": "lattice" if number == 0 else name,
                    "h": indices[0],
                    "k": indices[1],
                    "frequency_y": frequency[0] / grid.pixels[0],
                    "frequency_x": frequency[1] / grid.pixels[1],
                    "period": pixel / float(np.linalg.norm(frequency)),
                    "power": float(one[lock_in.seen].mean()),
                }
            )
    units = dict.fromkeys(("frequency_y", "frequency_x"), f"1/{grid.unit}") | {"period": grid.unit}
    table = table_from_columns({name: [row[name] for row in rows] for name in rows[0]}, units=units)
    shown = ", ".join(
        f"({row['h']:.3g}, {row['k']:.3g})" for row in rows if row["kind"] == "superlattice"
    )
    add_note(table, f"The waves of the superlattice are {shown} in vectors of the lattice.")
    return table
