"""Places of a crystal around which the image departs from what is usual there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtri

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import FEATURES, SITES, Features, Sites, add_note, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# All lengths in distances of nearest columns. Pixels count by a Gaussian about the place; a
# departure reaches past the columns next to it, and what lies within belongs to it alone.
_WEIGHING: Final = 0.5
_REACH: Final = 1.35
# Places of one sublattice whose mean shows how bright it is here.
_N_AROUND: Final = 18
# A place is judged if so much of its weight lies in the image, and is not taken by departures
# nearby any more.
_LEAST_SEEN: Final = 0.99
_LEAST_LEFT: Final = 0.5
_FEWEST: Final = 30
# What is left within so many reaches of a departure is its foot below this share of its height.
_FOOT: Final = 0.2
_FAR: Final = 2.5
# Of the eight cells around one, those on one side.
_OPPOSITE: Final = ((1, 0), (0, 1), (1, 1), (1, -1))
# The quantiles of the standard normal distribution at 16 % and 50 %: what is below is not of
# defects, of which there are fewer than one in four.
_LOWER: Final = 0.1587
# Of the usual noise; a pixel of less would be sure of the faintest shade.
_LEAST_NOISE: Final = 0.3


class _Judged(NamedTuple):
    """Squares of the residual (site, feature), in those of its noise, and what is usual."""

    squares: Floats
    """Over those of the noise, which tell how sure a departure is."""
    plain: Floats
    """In the unit of the image squared, which tell where it lies: noise is less in the dark."""
    weight: Floats
    usual: Floats
    """Cube roots of energies (site,), of its sublattice: a cube root of a chi squared is normal."""
    spread: Floats

    def heights(self, number: NDArray[np.int64], counts: Bools) -> Floats:
        """Give energies of some places, of the pixels that count; -inf where these are few."""
        energy = _energy(self.squares[number], self.weight, counts)
        height = (np.cbrt(energy) - self.usual[number]) / self.spread[number]
        return np.where(np.isfinite(height), height, -np.inf)

    def strengths(self, number: NDArray[np.int64], counts: Bools) -> Floats:
        """Give the energies in the unit of the image squared; 0 where few pixels count."""
        return np.nan_to_num(_energy(self.plain[number], self.weight, counts))


def find_departures(sites: Sites, patches: Features, /, *, false_departures: float = 0.5) -> Sites:
    """Find the places of a crystal around which the image departs from what is usual there.

    Of the places of each sublattice the median patch is the usual one. What a
    patch differs by from it, and from the mean brightness of like places around, is
    judged by the spread of like pixels of all patches, which holds noise, dose and
    the displacement of scan lines alike. The energy of the difference, weighted by
    a Gaussian about the place, has a spread of its own that the
    lower half of the places tells, in which no defects are; above it stand defects,
    whatever they are: vacancies, other elements, adatoms, displaced columns. A
    defect lies at the place with most energy; what its neighbors see of it does not
    count for them.

    Parameters
    ----------
    sites : Sites
        All places of the crystal in one image, with or without an atom, as
        `localization.find_lattice_sites` gives them; with ``sublattice`` places
        are compared with those of their own.
    patches : Features
        Of `descriptors.site_patches`, of these sites: three distances of
        nearest columns across or more.
    false_departures : float
        How many of them noise may cause in the image.

    Returns
    -------
    Sites
        Those that depart, the strongest first, with all that they had. Where they have
        ``cell_i`` and ``cell_j``, each lies where the same places of the cells around it
        put it, not where its own atoms have moved. Added are
        ``departure`` (in standard deviations of the energy's spread, on a scale on which noise is
        normal) and ``row``, their number among the sites given. ``attrs``: ``threshold``, the
        least departure that is listed, and ``n_judged``, how many places were looked at.

    Raises
    ------
    KindError
        If the patches are not of these sites.
    SettingError
        If `false_departures` is not positive.
    TooFewSitesError
        If fewer than thirty places of a sublattice are seen whole.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import site_patches
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> y, x = np.mgrid[:128, :128] * (2 * np.pi / 12)
    >>> frame = np.cos(y) + np.cos(x) + 0.2 * np.random.default_rng(0).normal(size=y.shape)
    >>> frame[58:63, 70:75] -= 1.5
    >>> places = np.mgrid[12:120:12, 12:120:12].reshape(2, -1)
    >>> sites = sites_from_positions(*places, unit="px", spacing=12.0)
    >>> found = find_departures(sites, site_patches(image_from_array(frame), sites, size="3 d"))
    >>> found["y"].values, found["x"].values
    (array([60.]), array([72.]))
    """
    SITES.check(sites, name="sites")
    FEATURES.check(patches, name="patches")
    _check_pair(sites, patches)
    if not false_departures > 0:
        msg = f"{false_departures=} must be positive: 0.5 allows one false one in two images"
        raise SettingError(msg)
    place, spacing = positions(sites), float(sites.attrs["spacing"])
    away = np.column_stack([patches["patch_y"].values, patches["patch_x"].values])
    judged = _judged(sites, np.asarray(patches.values, dtype=np.float64), place, away, spacing)
    every = np.arange(len(place))
    n_judged = int(np.isfinite(judged.heights(every, np.isfinite(judged.squares))).sum())
    if not n_judged:
        msg = f"none of {len(place)} places is seen whole: give a larger image or smaller patches"
        raise TooFewSitesError(msg)
    least = float(-ndtri(min(false_departures / n_judged, 0.5)))
    chosen, heights = _departures(judged, place, away, spacing, least)
    found = _on_lattice(sites, chosen)
    found["departure"] = ("site", heights, {"units": "1"})
    found["row"] = ("site", chosen)
    found.attrs |= {"threshold": least, "n_judged": n_judged}
    add_note(
        found,
        f"{len(chosen)} of {n_judged} places depart from what is usual there by {least:.1f} "
        f"standard deviations or more; noise alone would make {false_departures:g} of them. "
        f"{len(place) - n_judged} places are too near to the edge to be judged",
    )
    return found


def _on_lattice(sites: Sites, chosen: NDArray[np.int64]) -> Sites:
    """Take some sites and put each in the middle of like places on opposite sides."""
    found = sites.isel(site=chosen)
    if not {"cell_i", "cell_j"} <= set(sites.variables):
        return found
    place = positions(sites)
    of = sites["sublattice"].values if "sublattice" in sites else np.zeros(len(place), dtype=int)
    keys = np.stack([of, sites["cell_i"].values, sites["cell_j"].values], axis=1)
    usual = set(range(len(place))) - set(chosen.tolist())
    number = {tuple(key): k for k, key in enumerate(keys.tolist()) if k in usual}
    there = place[chosen]
    for row, site in enumerate(chosen.tolist()):
        s, i, j = keys[site].tolist()
        ends = [
            (number.get((s, i + di, j + dj)), number.get((s, i - di, j - dj)))
            for di, dj in _OPPOSITE
        ]
        middles = [(place[a] + place[b]) / 2 for a, b in ends if a is not None and b is not None]
        if middles:
            there[row] = np.mean(middles, axis=0)
    coords = {dim: ("site", there[:, k], dict(sites[dim].attrs)) for k, dim in enumerate("yx")}
    return found.assign_coords(coords)


def _check_pair(sites: Sites, patches: Features) -> None:
    lacking = [name for name in ("patch_y", "patch_x") if name not in patches.coords]
    if patches.dims[0] != "site" or lacking:
        msg = f"patches of dims {patches.dims} are no patches: take those of site_patches"
        raise KindError(msg)
    if patches.sizes["site"] != sites.sizes["site"] or not np.array_equal(
        positions(sites), np.column_stack([patches["y"].values, patches["x"].values])
    ):
        msg = (
            f"{patches.sizes['site']} patches are not those of the {sites.sizes['site']} sites: "
            "cut them around these sites"
        )
        raise KindError(msg)
    if "spacing" not in sites.attrs:
        msg = "the sites do not tell their `spacing`: take those of localization.find_lattice_sites"
        raise KindError(msg)


def _judged(sites: Sites, values: Floats, place: Floats, away: Floats, spacing: float) -> _Judged:
    """Compare every patch with the usual one of its sublattice, in squares of the noise."""
    weight = np.exp(-0.5 * (away**2).sum(axis=1) / (_WEIGHING * spacing) ** 2)
    squares, plain = np.full((2, *values.shape), np.nan)
    usual, spread = np.zeros(len(place)), np.ones(len(place))
    of = sites["sublattice"].values if "sublattice" in sites else np.zeros(len(place), dtype=int)
    for sublattice in np.unique(of):
        number = np.flatnonzero(of == sublattice)
        whole = np.asarray(np.isfinite(values[number]).all(axis=1))
        if whole.sum() < _FEWEST:
            msg = (
                f"{int(whole.sum())} places of sublattice {sublattice} are seen whole, {_FEWEST} "
                "are needed to tell what is usual: give a larger image, or smaller patches"
            )
            raise TooFewSitesError(msg)
        rest, noise = _rest_and_noise(values[number], whole, place[number])
        seen = np.where(np.isfinite(rest), weight, 0.0).sum(axis=1) >= _LEAST_SEEN * weight.sum()
        rest[~seen] = np.nan
        plain[number], squares[number] = rest**2, (rest / noise) ** 2
        energy = np.cbrt(_energy(squares[number], weight, np.isfinite(squares[number])))
        # Departures are in the upper half only, few enough not to matter at the median.
        low, middle = np.nanquantile(energy, [_LOWER, 0.5])
        usual[number], spread[number] = middle, max(middle - low, 1e-9)
    return _Judged(squares, plain, weight, usual, spread)


def _rest_and_noise(values: Floats, whole: Bools, place: Floats) -> tuple[Floats, Floats]:
    """Give what is left of patches without the usual one, and the usual noise of each pixel."""
    rest = values - np.median(values[whole], axis=0)
    level = np.full(len(rest), np.nan)
    some = np.isfinite(rest).any(axis=1)
    level[some] = np.nanmean(rest[some], axis=1)
    rest -= _level_around(level, place)[:, None]
    rest -= np.median(rest[whole], axis=0)
    noise = SIGMA_OF_MAD * np.median(np.abs(rest[whole]), axis=0)
    noise = np.maximum(noise, _LEAST_NOISE * np.median(noise))
    return rest, np.where(noise > 0, noise, 1.0)


def _level_around(level: Floats, place: Floats) -> Floats:
    """Give the median level of the places around each, which no single defect moves."""
    known = np.flatnonzero(np.isfinite(level))
    nearest = cKDTree(place[known]).query(place, k=min(_N_AROUND, len(known)))[1]
    return np.asarray(np.median(level[known][nearest].reshape(len(place), -1), axis=1))


def _energy(squares: Floats, weight: Floats, counts: Bools) -> Floats:
    """Give the weighted mean of squares over the pixels that count; NaN where these are few."""
    weights = np.where(counts, weight, 0.0)
    total = weights.sum(axis=1)
    energy = np.where(counts, squares * weight, 0.0).sum(axis=1)
    enough = total > _LEAST_LEFT * weight.sum()
    return np.asarray(np.where(enough, energy / np.where(enough, total, 1.0), np.nan))


def _departures(
    judged: _Judged, place: Floats, away: Floats, spacing: float, least: float
) -> tuple[NDArray[np.int64], Floats]:
    """Take the strongest departure, take off what it reaches, and so on down to the least."""
    counts = np.isfinite(judged.squares)
    every = np.arange(len(place))
    height, strength = judged.heights(every, counts), judged.strengths(every, counts)
    strength[height <= least] = 0.0
    tree, reach = cKDTree(place), _REACH * spacing
    widest = max(_FAR * reach, reach + float(np.linalg.norm(away, axis=1).max()))
    chosen: list[int] = []
    heights: list[float] = []
    while strength[number := int(strength.argmax())] > 0:
        chosen.append(number)
        heights.append(float(height[number]))
        near = np.array(tree.query_ball_point(place[number], widest), dtype=np.int64)
        apart = place[near][:, None] + away - place[number]
        counts[near] &= (apart**2).sum(axis=2) >= reach**2
        # Less is left of those around, never more.
        height[near] = np.minimum(height[near], judged.heights(near, counts[near]))
        left = judged.strengths(near, counts[near])
        is_far = np.linalg.norm(place[near] - place[number], axis=1) > _FAR * reach
        left[~is_far & (height[near] < _FOOT * heights[-1])] = 0.0
        strength[near] = np.where(height[near] > least, np.minimum(strength[near], left), 0.0)
        strength[number] = 0.0
    return np.array(chosen, dtype=np.int64), np.array(heights)
