"""Classes of neighbor vectors and the window over which they stand apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import chi2

from adatom.crystallography.cell_fields import (
    CellField,
    Noise,
    filled,
    find_characters,
    sampled_field,
)
from adatom.crystallography.components import (
    LEAST_SEPARATION,
    find_components,
    separation,
    squared_distances,
    whitening_of,
)
from adatom.crystallography.crystal_shifts import LEAST_ROWS, without_shifts
from adatom.crystallography.neighbor_noise import estimate_noise
from adatom.crystallography.orbits import Orbits, affine_basis, find_orbits
from adatom.crystallography.window_noise import (
    core_sites,
    covariance_of_means,
    widened_as_measured,
)
from adatom.errors import TooFewSitesError
from adatom.numerics.cell_windows import square_box
from adatom.numerics.point_groups import action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors

WINDOWS: Final = (1, 3, 5)
# Of two classes seven standard deviations apart, one site in 4,000 is mistaken for the other.
_WELL_APART: Final = 7.0
FIT_SITES: Final = 20_000
_LEAST_CORE: Final = 0.2
# Of the rows of a class, so many lie nearer to its mean than those that are left out.
_OUTER: Final = 0.99
# Of an orbit of eight, two found may have six images, all found in a round or two.
_MOST_ROUNDS: Final = 3
# Sites that stand where symmetry puts a class: half as many as a class needs by itself.
_LEAST_IN_IMAGE: Final = 6
_LEAST_SHARE_OF_IMAGE: Final = 0.005
_LEAST_INNER: Final = 0.25
# A band half as wide as the window fills half of it; where nine in ten of the sites of a class
# have fewer than three in four of their like around, none is inside of a domain.
_FILLS: Final = 0.75
_MOST_OF_ALL: Final = 0.9


@dataclass(frozen=True, eq=False)
class Window:
    """Classes found in means over a window of cells.

    Attributes
    ----------
    size : int
        Cells along each side.
    rows : ndarray, shape (row, feature)
        Means fitted, after the affine part of their crystal.
    whitening : ndarray, shape (feature, feature)
        Makes their scatter the identity.
    means : ndarray, shape (class, feature)
        Of the classes, the largest first.
    sites : ndarray of int, shape (row,)
        Numbers of the rows in the sample.
    """

    size: int
    rows: NDArray[np.float64]
    whitening: NDArray[np.float64]
    means: NDArray[np.float64]
    sites: NDArray[np.int64]

    @property
    def separation(self) -> float:
        """Least distance of two classes, in standard deviations."""
        return separation(self.means @ self.whitening.T)

    @property
    def label(self) -> NDArray[np.int64]:
        """Nearest class of each row."""
        white = self.rows @ self.whitening.T
        squared = squared_distances(white, self.means @ self.whitening.T)
        return np.asarray(squared.argmin(axis=1), dtype=np.int64)


class Fitted(NamedTuple):
    """Classes closed under the group, with the window and the field that showed them."""

    window: Window
    orbits: Orbits
    field: CellField
    noise: Noise
    actions: tuple[NDArray[np.float64], ...]
    affine: NDArray[np.float64]
    label: NDArray[np.int64]
    cell_whitening: NDArray[np.float64]


class Sample(NamedTuple):
    """Sites of the fit: their field, deviations and crystals."""

    field: CellField
    flat: NDArray[np.float64]
    crystal: NDArray[np.int64]
    noise: Noise
    core: NDArray[np.bool_]
    cell_whitening: NDArray[np.float64]


def fit_classes(
    aligned: AlignedVectors,
    lattice_index: NDArray[np.int64],
    /,
    *,
    max_classes: int,
    averaging: int | None,
    seed: int,
) -> Fitted:
    """Find classes in a sample of blocks of cells, and the smallest window that parts them."""
    actions = tuple(action(each) for each in aligned.star.operations)
    affine = affine_basis(aligned.star.slots, actions)
    sample = _sample(aligned, lattice_index, actions, seed)
    sizes = (averaging,) if averaging else WINDOWS
    windows = [_window(sample, n, actions, affine, max_classes, seed) for n in sizes]
    window = _clearest(windows)
    counts = np.bincount(window.label, minlength=len(window.means)).astype(float)
    orbits = find_orbits(window.means, actions, window.whitening, affine, weights=counts)
    for _ in range(_MOST_ROUNDS):
        fuller = _with_rare_images(sample, window, orbits, affine, max_classes, seed)
        if fuller is window:
            break
        window = fuller
        counts = np.bincount(window.label, minlength=len(window.means)).astype(float)
        orbits = find_orbits(window.means, actions, window.whitening, affine, weights=counts)
    label = _labels_of_sample(sample, window, orbits, affine, max_classes, seed)
    return Fitted(
        window, orbits, sample.field, sample.noise, actions, affine, label, sample.cell_whitening
    )


def _with_rare_images(
    sample: Sample,
    window: Window,
    orbits: Orbits,
    affine: NDArray[np.float64],
    max_classes: int,
    seed: int,
) -> Window:
    """Add the images of classes that hold sites, but too few to be found by themselves.

    Where a variant stands follows from the others by symmetry: that some sites stand just there
    is no chance, also if they are a handful at the corner of the image.
    """
    means, share = sample.field.means(sample.flat, window.size)
    held = filled(share, means)
    if not held.any() or len(orbits.means) == orbits.n_populated:
        return window
    rows = without_shifts(
        means[held], sample.crystal[held], window.whitening, affine,
        max_classes=max_classes, seed=seed,
    )  # fmt: skip
    white = rows @ window.whitening.T
    squared = squared_distances(white, (orbits.means + orbits.affine) @ window.whitening.T)
    closest, least = squared.argmin(axis=1), squared.min(axis=1)
    inner, outer = (float(chi2.ppf(share, rows.shape[1])) for share in (0.5, _OUTER))
    goal = window.means @ window.whitening.T
    rare = []
    for k in range(orbits.n_populated, len(orbits.means)):
        here = (closest == k) & (least < outer)
        # Half of a class lies in the inner part, of a tail or of walls hardly any: it is a
        # fiftieth of the volume in eight dimensions.
        compact = (least[here] < inner).sum() >= _LEAST_INNER * here.sum()
        if here.sum() < max(_LEAST_IN_IMAGE, _LEAST_SHARE_OF_IMAGE * len(rows)) or not compact:
            continue
        # The tail of a class that reaches an image has its mean near to that class.
        apart = squared_distances(white[here].mean(axis=0)[None], goal).min()
        if apart >= LEAST_SEPARATION**2:
            rare.append(rows[here].mean(axis=0))
    rare = rare[: max_classes - len(window.means)]
    return replace(window, means=np.vstack([window.means, *rare])) if rare else window


def _labels_of_sample(
    sample: Sample,
    window: Window,
    orbits: Orbits,
    affine: NDArray[np.float64],
    max_classes: int,
    seed: int,
) -> NDArray[np.int64]:
    """Label the sites of the sample, -1 where no mean is known."""
    means = sample.field.means(sample.flat, window.size)[0]
    label = np.full(len(means), -1, dtype=np.int64)
    held = np.isfinite(means).all(axis=1)
    rows = without_shifts(
        means[held], sample.crystal[held], window.whitening, affine,
        max_classes=max_classes, seed=seed,
    )  # fmt: skip
    white = (rows - orbits.affine) @ window.whitening.T
    goal = orbits.means[: orbits.n_populated] @ window.whitening.T
    label[held] = squared_distances(white, goal).argmin(axis=1)
    return label


def _sample(
    aligned: AlignedVectors,
    lattice_index: NDArray[np.int64],
    actions: tuple[NDArray[np.float64], ...],
    seed: int,
) -> Sample:
    field, sites = sampled_field(aligned, lattice_index, n_sites=FIT_SITES, seed=seed)
    noise = estimate_noise(field, aligned.deviation[sites], itself=aligned.itself, seed=seed)
    whole = np.isfinite(aligned.deviation[sites]).all(axis=(1, 2))
    if not np.isfinite(noise.site).all() or whole.sum() < LEAST_ROWS:
        msg = (
            f"{int(whole.sum())} indexed sites have all their neighbors, and few of them another "
            f"four cells away: variants need {LEAST_ROWS} or more"
        )
        raise TooFewSitesError(msg)
    flat = field.unturned(aligned.deviation[sites])[0]
    whitening = whitening_of(covariance_of_means(field, noise, 1, actions, seed))
    field = field.with_characters(find_characters(field, flat, whitening))
    core = core_sites(field, flat, noise, seed)
    return Sample(field, flat, aligned.crystal[sites], noise, core, whitening)


def _window(
    sample: Sample,
    size: int,
    actions: tuple[NDArray[np.float64], ...],
    affine: NDArray[np.float64],
    max_classes: int,
    seed: int,
) -> Window:
    means, share = sample.field.means(sample.flat, size)
    usable = filled(share, means)
    covariance = covariance_of_means(sample.field, sample.noise, size, actions, seed)
    covariance = widened_as_measured(sample.field, means, covariance, size, actions)
    whitening = whitening_of(covariance)
    held: NDArray[np.bool_] = usable & sample.core
    if held.sum() < max(LEAST_ROWS, _LEAST_CORE * usable.sum()):
        held = usable
    if held.sum() < LEAST_ROWS:
        held = np.asarray(np.isfinite(means).all(axis=1))
    rows = without_shifts(
        means[held], sample.crystal[held], whitening, affine, max_classes=max_classes, seed=seed
    )
    found = find_components(rows @ whitening.T, max_classes=max_classes, seed=seed)
    back = np.linalg.inv(whitening).T
    window = Window(size, rows, whitening, found @ back, np.flatnonzero(held))
    return window if size == 1 else _without_walls(window, sample.field, means)


def _without_walls(window: Window, field: CellField, means: NDArray[np.float64]) -> Window:
    """Leave out classes that means over a wall make of those on its two sides.

    Such a class stands between two others, and nowhere fills a window: what
    does, as a parent phase between opposite variants, is a class of its own.
    """
    white = window.means @ window.whitening.T
    label = np.full(len(means), -1)
    known = np.isfinite(means).all(axis=1)
    squared = squared_distances(means[known] @ window.whitening.T, white)
    label[known] = squared.argmin(axis=1)
    kept = list(range(len(white)))
    # The smallest first, since a wall is smaller than the domains that it parts.
    for k in reversed(range(len(white))):
        others = [a for a in kept if a < k]
        if len(others) < 2 or not _is_between(white[k], white[others]):
            continue
        own = np.where(label >= 0, (label == k).astype(float), np.nan)[:, None]
        like = field.grid.means(own, square_box(window.size), characters=field.characters)[0]
        share = like[label == k, 0]
        if not len(share) or np.quantile(share, _MOST_OF_ALL) < _FILLS:
            kept.remove(k)
    return replace(window, means=window.means[kept])


def _is_between(place: NDArray[np.float64], ends: NDArray[np.float64]) -> bool:
    """Tell whether a place lies near the line that joins some two of the ends.

    Near is half of what parts classes, or less than a third of the line's length: what walls
    do to lengths and rotation is off the line as well, variants are off by half.
    """
    first, second = np.triu_indices(len(ends), k=1)
    along = ends[second] - ends[first]
    to = place - ends[first]
    length = np.sqrt((along**2).sum(axis=1))
    part = (to * along).sum(axis=1) / np.maximum(length**2, 1e-300)
    off = np.sqrt(((to - np.clip(part, 0, 1)[:, None] * along) ** 2).sum(axis=1))
    return bool((off < np.maximum(_WELL_APART / 2, 0.3 * length)).any())


def _clearest(windows: list[Window]) -> Window:
    """Choose the smallest window with most classes, well apart; or the one where they are most.

    Classes of a small window that are less than well apart must show in larger ones, in which
    noise is less: where a larger one has classes well apart, these are believed.
    """
    several = [window for window in windows if len(window.means) > 1]
    apart = [window for window in several if window.separation >= _WELL_APART]
    if not several:
        return windows[-1]
    largest = max((window.size for window in apart), default=0)
    believed = [w for w in several if w.separation >= _WELL_APART or w.size > largest]
    most = max(len(window.means) for window in believed)
    fullest = [window for window in believed if len(window.means) == most]
    clear = [window for window in fullest if window.separation >= _WELL_APART]
    return clear[0] if clear else max(fullest, key=lambda window: window.separation)


def without_class_structure(fitted: Fitted, /) -> Fitted:
    """Give the fit of a single class to the same rows."""
    window = fitted.window
    single = replace(window, means=window.rows.mean(axis=0)[None])
    orbits = find_orbits(
        single.means,
        fitted.actions,
        window.whitening,
        fitted.affine,
        weights=np.array([float(len(window.rows))]),
    )
    label = np.where(fitted.label >= 0, 0, -1)
    return fitted._replace(window=single, orbits=orbits, label=label)
