"""Where a superlattice lies over a lattice, and where the lattice departs from itself."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.stats
import xarray as xr

from adatom.errors import SettingError
from adatom.numerics.intervals import student_widening
from adatom.numerics.lock_in import PER_WIDTH, LockIn
from adatom.numerics.magnitudes import magnitudes
from adatom.numerics.peaks import thin_out
from adatom.numerics.periodic_part import BraggLattice, find_bragg_lattice, repeating_mean
from adatom.numerics.reflections import find_spots
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
# A window of standard deviation w has a bandwidth of 1 / (2 pi w): with one period of a wave
# the waves of the lattice, one wave away and more, are 2 pi bandwidths off.
_WINDOW_PERIODS: Final = 1.0
# The background is measured half way there, at three bandwidths, where exp(-9) = 1e-4 of the power
# of a wave is left; of eight frequencies on that ring each tells hardly anything of the next.
_OFF: Final = 3.0
_N_AROUND: Final = 8
# Kinds of waves on less than half as many places as the most common one accompany it.
_AS_COMMON: Final = 0.5
# Widths of the window to either side within which the usual departure is sought: a defect of
# some two widths fills a fiftieth of that.
_SURROUNDINGS: Final = 6
_PER_SIDE: Final = int(_SURROUNDINGS * PER_WIDTH)


class Superlattice(NamedTuple):
    """What `estimate_superlattice` gives."""

    amplitudes: Features
    """Amplitude around every place (y, x, measure) of each wave of the lattice and superlattice,
    in the unit of the image; ``h``, ``k`` (measure) count reciprocal vectors of the lattice.
    ``amplitude_error`` (y, x, measure) is one standard deviation, by the background; since no
    amplitude is negative, ``amplitude_lower`` to ``amplitude_upper`` is the interval of 95 %."""
    significance: Image
    """Power of the waves of the superlattice over that of the background; 1 for noise alone."""
    departure: Image
    """Power of what does not repeat with the lattice over its median."""
    classes: Classes
    """0 "lattice", 1 "superlattice" on the same places; -1 beyond what was measured."""
    defects: Sites
    """Where the departure peaks: ``departure`` and ``significance`` there, and by how many
    standard deviations it stands out of the surroundings (``score``)."""
    waves: Table
    """A row a wave: ``kind``, ``h``, ``k``, frequency, period, mean ``power`` over the background,
    and the ``share`` of places on which its kind is more than noise."""


class _Kind(NamedTuple):
    """Waves that differ by vectors of the reciprocal lattice: the shortest of them."""

    indices: Floats
    frequency: Floats

    @property
    def longest(self) -> float:
        """The longest period in pixels."""
        return float(1 / np.linalg.norm(self.frequency, axis=1).min())


def estimate_superlattice(
    image: Image, /, *, width: Length | None = None, false_regions: float = 0.5
) -> Superlattice:
    """Find the superlattice of an image, where it is, and where the lattice departs from itself.

    Around a defect, standing waves of electrons write a superlattice over the
    lattice of a surface [1]_; no atom has moved, and there are no sites to
    find it by. But its waves are known from those of the lattice, which its two
    strongest reflections span: their frequencies are halves and thirds of lattice
    vectors. At each the image is demodulated, as by a lock-in amplifier, with a
    Gaussian window that slides over it [2]_. The kind of wave that rises above the
    background on most of the image is the superlattice, together with those on
    at least half as much.

    The background is that of the spectrum nearby, at the same place: the image is
    demodulated at frequencies around each wave in the same way. So the core
    of a defect, which holds waves of all lengths, is no superlattice.

    Parameters
    ----------
    image : Image
        Lines leveled (`correction.correct_lines`). Loaded. NaN: not measured.
    width : length, optional
        Standard deviation of the window. By default the longest period of the
        superlattice: narrower ones let the lattice in.
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
    A place is of the superlattice where the powers of its waves together, over
    that of their background, are more than noise reaches anywhere: the quotient has
    an F distribution at every place, and so many peaks of such a field
    are expected by chance as its Euler characteristic tells [3]_. What departs
    from the lattice is what is left beside the mean of the cells around, between
    a fifth of the lattice's period and the period. Its logarithm, less the median of
    the surroundings, is taken as a Gaussian field as wide as the lower half of its
    values tells, since defects make no place calmer, with peaks by chance as above.

    References
    ----------
    .. [1] H. A. Mizes and J. S. Foster, Science 244, 559 (1989).
    .. [2] M. J. Hytch, E. Snoeck and R. Kilaas, Ultramicroscopy 74, 131 (1998).
    .. [3] K. J. Worsley, Adv. Appl. Probab. 26, 13 (1994).

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:240, :240] * (2 * np.pi / 12)
    >>> lattice = np.cos(y) + np.cos(x)
    >>> half = np.where(x > x.mean(), 0.5 * np.cos(y / 2) * np.cos(x / 2), 0)
    >>> noise = np.random.default_rng(0).normal(0, 0.3, x.shape)
    >>> found = estimate_superlattice(image_from_array(lattice + half + noise))
    >>> label = found.classes["label"].values
    >>> left, right = label[:, : label.shape[1] // 4], label[:, -label.shape[1] // 4 :]
    >>> bool((left == 1).mean() < 0.05), bool((right == 1).mean() > 0.95)
    (True, True)
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
    lattice = _of_strongest(values, lattice)
    kinds = [_star(lattice, np.zeros(2)), *_kinds(lattice)]
    longest = max(kind.longest for kind in kinds)
    lock_in = LockIn(values, counts, width=_width(width, longest, image))
    found, chosen = _chosen(lock_in, kinds, false_regions)
    if width is None:
        # The superlattice need not have the longest waves that were tried.
        longest = max(kinds[number].longest for number in chosen)
        lock_in = LockIn(values, counts, width=_width(None, longest, image))
        found = [_Strength.of(lock_in, kind, kinds, false_regions) for kind in kinds]
    grid = _Grid(image, lock_in)
    share = _share_of_noise(lock_in, len(kinds) - 1, false_regions)
    significance, least = _together([found[number] for number in chosen], share)
    significance = np.where(lock_in.seen, significance, np.nan)
    departure = _departure(values, counts, lattice, lock_in)
    return Superlattice(
        amplitudes=_amplitudes(lock_in, kinds, found, [0, *chosen.tolist()], grid),
        significance=grid.image(significance, "superlattice_significance"),
        departure=grid.image(departure, "lattice_departure"),
        classes=_classes(significance, least, grid),
        defects=_defects(departure, significance, lock_in.weight, false_regions, grid),
        waves=_waves(kinds, found, chosen, grid),
    )


class _Strength(NamedTuple):
    """How strong the waves of a kind are, and how much of the image they fill."""

    power: Floats
    """(wave, y, x)"""
    background: Floats
    """(wave, y, x)"""
    n_around: int
    mean: float
    """Of the power over the background."""
    share: float
    """Of the places, with more than noise would have."""

    @classmethod
    def of(
        cls,
        lock_in: LockIn,
        kind: _Kind,
        all_kinds: list[_Kind],
        false_regions: float,
    ) -> _Strength:
        # Those of the lattice and its own are there; the other kinds are nothing but tried.
        waves = np.concatenate([all_kinds[0].frequency, kind.frequency])
        waves = np.concatenate([waves, -waves])
        power = np.array([lock_in.amplitude(f) ** 2 for f in kind.frequency])
        around = [_frequencies_around(lock_in, f, waves) for f in kind.frequency]
        background = np.array([_background(lock_in, part) for part in around])
        n_around = min(len(part) for part in around)
        strength = cls(power, background, n_around, 0.0, 0.0)
        ratio, least = _together(
            [strength], _share_of_noise(lock_in, len(all_kinds) - 1, false_regions)
        )
        seen = ratio[lock_in.seen]
        return strength._replace(mean=float(seen.mean()), share=float((seen > least).mean()))


def _chosen(
    lock_in: LockIn, kinds: list[_Kind], false_regions: float
) -> tuple[list[_Strength], NDArray[np.intp]]:
    """Measure all kinds of waves, and tell which are those of the superlattice."""
    found = [_Strength.of(lock_in, kind, kinds, false_regions) for kind in kinds]
    share = np.array([one.share for one in found[1:]])
    if share.any():
        return found, 1 + np.flatnonzero(share >= _AS_COMMON * share.max())
    strongest = int(np.argmax([one.mean for one in found[1:]]))
    return found, np.array([1 + strongest])


def _share_of_noise(lock_in: LockIn, n_kinds: int, false_regions: float) -> float:
    """Give the share of places at which noise may exceed the threshold.

    Peaks of the power of a wave of noise that exceed u times its mean are expected to be
    exp(-u) (2 u - 1) a place, of windows that do not overlap [3]_; and the best of all kinds of
    waves is taken.
    """
    n_places = max(int(lock_in.seen.sum()) / PER_WIDTH**2 / (4 * np.pi), 1.0)
    height = np.arange(1.0, 60.0, 0.01)
    expected = n_kinds * n_places * np.exp(-height) * (2 * height - 1)
    return float(np.exp(-height[int(np.argmax(expected <= false_regions))]))


def _together(kinds: list[_Strength], share: float) -> tuple[Floats, float]:
    """Give the power of waves over that of their background, and what a share of noise reaches.

    Powers of noise have exponential distributions, the quotient of their means that of F.
    """
    power = np.concatenate([kind.power for kind in kinds])
    background = np.concatenate([kind.background for kind in kinds])
    n_waves, n_around = len(power), min(kind.n_around for kind in kinds)
    least = float(scipy.stats.f.isf(share, 2 * n_waves, 2 * n_waves * n_around))
    return power.sum(axis=0) / background.sum(axis=0), least


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


def _of_strongest(values: Floats, lattice: BraggLattice) -> BraggLattice:
    """Span the lattice by its two strongest reflections: what is between is the superlattice's.

    A superlattice that fills much of an image is found as the lattice itself.
    """
    spots = find_spots(values)
    indices = np.linalg.solve(lattice.matrix, spots.frequency.T).T
    whole = np.rint(indices)
    # Off by less than a tenth of a reciprocal vector, as spots of a distorted scan are.
    own = whole[(np.abs(indices - whole) < 0.1).all(axis=1)]
    for first, second in combinations(own, 2):
        # The strongest come first.
        basis = np.column_stack([first, second])
        area = abs(np.linalg.det(basis))
        if area > 0.5:
            if area < 1.5:
                return lattice
            matrix = _shortest(lattice.matrix @ basis)
            place = np.linalg.solve(matrix, lattice.frequency.T).T
            held = (np.abs(place - np.rint(place)) < 1e-6).all(axis=1)
            return BraggLattice(matrix, lattice.frequency[held])
    return lattice


def _shortest(matrix: Floats) -> Floats:
    """Reduce two vectors, as columns, to the two shortest of their lattice (Gauss)."""
    one, other = sorted(matrix.T, key=lambda vector: float(vector @ vector))
    while True:
        other = other - np.rint(other @ one / (one @ one)) * one
        if other @ other >= one @ one * (1 - 1e-12):
            return np.column_stack([one, other])
        one, other = other, one


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


def _frequencies_around(lock_in: LockIn, frequency: Floats, waves: Floats) -> Floats:
    """Lay frequencies around a wave that are away from every wave.

    Where there are too few, since waves are close together, those farthest from all are taken.
    """
    away = _OFF / (2 * np.pi * lock_in.width)
    angle = np.arange(_N_AROUND) * (2 * np.pi / _N_AROUND)
    around = frequency + away * np.column_stack([np.sin(angle), np.cos(angle)])
    distance = np.linalg.norm(around[:, None] - waves[None], axis=2).min(axis=1)
    free = around[distance >= 0.99 * away]
    if len(free) < _N_AROUND // 2:
        free = around[np.argsort(-distance, kind="stable")[: _N_AROUND // 2]]
    return np.asarray(free)


def _background(lock_in: LockIn, around: Floats) -> Floats:
    mean = np.mean([lock_in.amplitude(place) ** 2 for place in around], axis=0)
    # Images without noise have nothing but rounding errors there.
    return np.asarray(np.maximum(mean, 1e-12 * mean.max() + np.finfo(float).tiny))


def _departure(
    values: Floats, counts: NDArray[np.bool_], lattice: BraggLattice, lock_in: LockIn
) -> Floats:
    """Give the local power of what does not repeat, over its median."""
    # Single precision holds no squares of numbers such as 1e-25; only ratios are given.
    scale = float(values[counts].std()) if counts.any() else 0.0
    single = (values / (scale or 1.0)).astype(np.float32)
    repeated = repeating_mean(single, counts, lattice, reach=2 * lock_in.width).periodic
    rest = np.where(counts, single - repeated, 0)
    fine, coarse = (
        scipy.ndimage.gaussian_filter(rest, share * lattice.period) for share in (0.2, 1.0)
    )
    power = LockIn((fine - coarse) ** 2, counts, width=lock_in.width).amplitude((0.0, 0.0)) / 2
    power = np.where(lock_in.seen, power, np.nan)
    return np.asarray(power / (np.nanmedian(power) or 1.0), dtype=np.float64)


def _wave_name(h: float, k: float) -> str:
    """Write a wave as crystallographers do, with fractions."""
    whole = [str(Fraction(float(one)).limit_denominator(max(_ORDERS))) for one in (h, k)]
    return f"wave ({whole[0]}, {whole[1]})"


def _amplitudes(
    lock_in: LockIn, kinds: list[_Kind], found: list[_Strength], chosen: list[int], grid: _Grid
) -> Features:
    indices = np.concatenate([kinds[number].indices for number in chosen])
    power, error = (
        np.concatenate([part[number] for number in chosen])
        for part in ([one.power for one in found], [_amplitude_errors(one) for one in found])
    )
    maps = np.moveaxis(np.sqrt(power), 0, -1)
    error = np.moveaxis(error, 0, -1)
    lower, upper = _interval(maps, error)
    named = {"amplitude_error": error, "amplitude_lower": lower, "amplitude_upper": upper}
    dims = ("y", "x", "measure")
    seen = lock_in.seen[:, :, None]
    return xr.DataArray(
        np.where(seen, maps, np.nan).astype(grid.dtype),
        dims=dims,
        coords={
            **grid.axes,
            "measure": [_wave_name(h, k) for h, k in indices],
            "unit": ("measure", [grid.units] * len(indices)),
            "h": ("measure", indices[:, 0]),
            "k": ("measure", indices[:, 1]),
            **{
                name: (dims, np.where(seen, part, np.nan).astype(grid.dtype), {"units": grid.units})
                for name, part in named.items()
            },
        },
        name="wave_amplitude",
        attrs={"units": grid.units, "extent": grid.extent},
    )


def _amplitude_errors(strength: _Strength) -> Floats:
    """Give the standard errors (wave, y, x) of amplitudes, by the background.

    Noise adds a complex number to a wave, half of whose power is along the wave. Its
    mean over few frequencies is itself uncertain: errors are widened so that 1.96 of
    them are an interval of Student's distribution.
    """
    widened = student_widening(2 * strength.n_around)
    return np.asarray(widened * np.sqrt(strength.background / 2))


def _interval(amplitude: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Give the ends of the interval of amplitudes, which noise makes look larger."""
    vector = np.stack([amplitude.ravel(), np.zeros(amplitude.size)], axis=1)
    found = magnitudes(vector, error.ravel()[:, None, None] ** 2 * np.eye(2))
    return found.lower.reshape(amplitude.shape), found.upper.reshape(amplitude.shape)


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
    weight: Floats,
    false_defects: float,
    grid: _Grid,
) -> Sites:
    logs = np.log(np.maximum(departure, np.finfo(float).tiny))
    known = np.isfinite(logs)
    # Where the image is noisier everywhere, nothing stands out.
    side = 2 * _PER_SIDE + 1
    filled = np.where(known, logs, np.median(logs[known]))
    height = filled - scipy.ndimage.median_filter(filled, side, mode="nearest")
    height -= np.median(height[known])
    # A window that a border cuts in half is a mean over half as much noise.
    height *= np.sqrt(weight)
    spread = -float(np.quantile(height[known], 0.158655))
    least = spread * _least_peak(int(known.sum()), false_defects)
    height[~known] = -np.inf
    peaks = (height == scipy.ndimage.maximum_filter(height, 3, mode="nearest")) & (height > least)
    place = np.argwhere(peaks)
    # Two peaks within twice the width of the window are one.
    kept = thin_out(place, height[peaks], distance=2 * PER_WIDTH)
    at = tuple(place[kept].T)
    places = [np.asarray(grid.axes[dim][1]) for dim in ("y", "x")]
    sites = sites_from_positions(places[0][at[0]], places[1][at[1]], unit=grid.unit)
    sites["departure"] = ("site", departure[at])
    sites["significance"] = ("site", significance[at])
    sites["score"] = ("site", height[at] / (spread or 1.0))
    sites.attrs["extent"] = grid.extent
    add_note(
        sites,
        f"{len(kept)} places depart from the lattice, each by {np.exp(least):.3g} times the power "
        "usual around it or more, and by more where a border cuts the window.",
    )
    return sites


def _least_peak(n_places: int, false_peaks: float) -> float:
    """Give the height of a Gaussian field, in standard deviations, that so few peaks reach.

    The field is correlated as exp(-(r / 2 width)^2), as noise under a Gaussian window is: its
    Euler characteristic has the density z exp(-z^2 / 2) / (2 width^2 (2 pi)^1.5).
    """
    area = n_places / PER_WIDTH**2
    heights = np.arange(1.0, 12.0, 0.01)
    expected = area / 2 * (2 * np.pi) ** -1.5 * heights * np.exp(-(heights**2) / 2)
    return float(heights[int(np.argmax(expected <= false_peaks))])


def _waves(
    kinds: list[_Kind], strengths: list[_Strength], chosen: NDArray[np.intp], grid: _Grid
) -> Table:
    rows: list[dict[str, Any]] = []
    pixel = float(np.sqrt(np.prod(grid.pixels)))
    for number, (kind, strength) in enumerate(zip(kinds, strengths, strict=True)):
        name = "superlattice" if number in chosen else "none"
        ratio = (strength.power / strength.background).mean(axis=(1, 2))
        for (h, k), frequency, one in zip(kind.indices, kind.frequency, ratio, strict=True):
            rows.append(
                {
                    "kind": "lattice" if number == 0 else name,
                    "h": h,
                    "k": k,
                    "frequency_y": frequency[0] / grid.pixels[0],
                    "frequency_x": frequency[1] / grid.pixels[1],
                    "period": pixel / float(np.linalg.norm(frequency)),
                    "power": float(one),
                    "share": strength.share,
                }
            )
    units = dict.fromkeys(("frequency_y", "frequency_x"), f"1/{grid.unit}") | {"period": grid.unit}
    table = table_from_columns({name: [row[name] for row in rows] for name in rows[0]}, units=units)
    shown = ", ".join(f"({r['h']:.3g}, {r['k']:.3g})" for r in rows if r["kind"] == "superlattice")
    if any(strengths[number].share for number in chosen):
        told = f"The waves of the superlattice are {shown} in vectors of the lattice."
    else:
        told = f"No superlattice rises above the background; nearest to one are the waves {shown}."
    add_note(table, told)
    return table
