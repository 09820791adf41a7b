"""Whether classes are more than noise makes: a test against simulated positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import chi2

from adatom.crystallography.cell_fields import filled, sampled_field
from adatom.crystallography.components import gain_of_classes, squared_distances, whitening_of
from adatom.crystallography.crystal_shifts import without_shifts
from adatom.crystallography.orbits import find_orbits
from adatom.crystallography.window_noise import averaged_over, core_sites, simulated_means
from adatom.numerics.cell_windows import square_box
from adatom.numerics.intervals import student_widening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors
    from adatom.crystallography.orbits import Orbits
    from adatom.crystallography.variant_fits import Fitted

# A p-value of 1 % and less can be told; more draws would cost seconds.
_N_DRAWS: Final = 99
# The standard deviation of so many is known to a tenth.
_N_ERROR_DRAWS: Final = 40
_SITES: Final = 3_000
# Cells that tell of several classes; of one mean a few do, since noise is simulated for the same.
_LEAST_ROWS: Final = 40
_LEAST_OF_ONE: Final = 8
_OUTLYING: Final = 0.9999
_BREAKS: Final = 0
# As many as a class needs: with fewer sites inside of domains, it is measured by all.
_LEAST_INSIDE: Final = 12
_ALL_LIKE: Final = 0.999
_MAPS: Final = np.eye(4).reshape(4, 2, 2)


class Breaking(NamedTuple):
    """By how much every class breaks the symmetry of the parent, and the error of that.

    Root mean square over slots, in units of the spacing.
    """

    size: NDArray[np.float64]
    error: NDArray[np.float64]


class Chance(NamedTuple):
    """P-values against noise of a single class: of all classes, and within each phase.

    NaN where too few cells could be tested, which `untested` says for each such phase.
    """

    classes: float
    phase: NDArray[np.float64]
    untested: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Tested:
    """Rows under test, and what is asked of each set of them.

    `rows` are the sets (a mask each); `n_classes` how many classes are tried
    in each: 1 where none stand apart, so that nothing is asked, and 0 where the
    question is whether the mean of one class breaks symmetry. `trend`
    (row, term) are polynomials of the place, which slow distortion follows.
    """

    crystal: NDArray[np.int64]
    usable: NDArray[np.bool_]
    rows: list[NDArray[np.bool_]]
    n_classes: list[int]
    trend: NDArray[np.float64]
    affine: NDArray[np.float64]
    breaking: NDArray[np.float64]


def probability_of_chance(
    aligned: AlignedVectors,
    lattice_index: NDArray[np.int64],
    fitted: Fitted,
    phase: NDArray[np.int64],
    /,
    *,
    seed: int,
) -> Chance:
    """Give how often noise of a single class looks as much like several.

    Positions are simulated with the noise of the data and gathered through
    the same neighbors, so that shared atoms, vacancies and edges are those of
    the data; the gain of the classes that stand apart over one is compared, and
    of a phase of one class by how much its mean breaks symmetry. Where no
    classes stand apart there is no gain, and all noise has as much. Affine maps that change
    with the place as a polynomial of second order are taken off both: slow
    distortion of the scan is no class, walls stay.
    """
    if len(fitted.orbits.means) == 1:
        return Chance(1.0, np.ones(1))
    field, sites = sampled_field(aligned, lattice_index, n_sites=_SITES, seed=seed)
    field = field.with_characters(fitted.field.characters)
    noise = fitted.noise
    size = fitted.window.size
    flat = field.unturned(aligned.deviation[sites])[0]
    means, share = field.means(flat, size)
    usable = filled(share, means)
    core = core_sites(field, flat, noise, seed) & usable
    usable = core if core.sum() >= _LEAST_ROWS else usable
    centered, tested = _tested(
        means, usable, aligned.crystal[sites], lattice_index[sites], fitted, phase, seed
    )
    found = _statistics(centered, tested, fitted.window.whitening)
    untested = _untested(centered, tested, found)
    rng = np.random.default_rng([seed, 7])
    # Scatter of the data that is larger than that of independent atoms, as where scan lines
    # jump, is in their whitening; noise has its own.
    first = [simulated_means(field, noise, size, rng)[tested.usable] for _ in range(5)]
    rows = np.concatenate(first)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        # No mean of cells is left that drift could be taken off: nothing can be tested.
        return Chance(float("nan"), np.full(len(found) - 1, np.nan), untested)
    whitening = whitening_of(averaged_over(rows.T @ rows / len(rows), fitted.actions))
    reached = np.zeros(len(found))
    for _ in range(_N_DRAWS):
        drawn = simulated_means(field, noise, size, rng)
        reached += _statistics(drawn, tested, whitening) >= found
    p_value = np.where(np.isnan(found), np.nan, (1 + reached) / (1 + _N_DRAWS))
    return Chance(float(p_value[0]), p_value[1:], untested)


def _untested(
    means: NDArray[np.float64], tested: _Tested, found: NDArray[np.float64]
) -> tuple[str, ...]:
    """Say of which phases chance is not known, and what to do."""
    known = np.isfinite(means).all(axis=1)
    told = []
    for phase in np.flatnonzero(np.isnan(found[1:])):
        n = int((tested.rows[1 + phase] & known).sum())
        told.append(
            f"p of phase {phase} is not known: {n} cells have all their neighbors, lie within one "
            f"domain and near the mean of a class, {_needed(tested.n_classes[1 + phase])} are "
            "needed: take a larger region, try averaging=1 where domains are narrow, and see "
            "whether the scan is distorted by more than the position noise"
        )
    return tuple(told)


def _needed(n_classes: int) -> int:
    return _LEAST_OF_ONE if n_classes == _BREAKS else _LEAST_ROWS


def _tested(
    means: NDArray[np.float64],
    usable: NDArray[np.bool_],
    crystal: NDArray[np.int64],
    index: NDArray[np.int64],
    fitted: Fitted,
    phase: NDArray[np.int64],
    seed: int,
) -> tuple[NDArray[np.float64], _Tested]:
    """Take drift off the data, and part them into the sets that are asked about."""
    orbits, whitening = fitted.orbits, fitted.window.whitening
    known = orbits.means[: orbits.n_populated]
    centered = np.full_like(means, np.nan)
    centered[usable] = without_shifts(
        means[usable], crystal[usable], whitening, fitted.affine,
        max_classes=len(known) + 1, seed=seed,
    )  # fmt: skip
    centered -= orbits.affine
    squared = squared_distances(np.nan_to_num(centered) @ whitening.T, known @ whitening.T)
    # What is far from all classes, as sites beside dirt, is no second class either.
    usable = usable & (squared.min(axis=1) < float(chi2.ppf(_OUTLYING, means.shape[1])))
    of_row = phase[squared.argmin(axis=1)]
    of_class = phase[: len(known)]
    sets, n_classes = [usable], [len(known)]
    for number in range(int(phase.max()) + 1):
        sets.append(usable & (of_row == number))
        n_found, n_all = int((of_class == number).sum()), int((phase == number).sum())
        n_classes.append(n_found if n_found > 1 or n_all == 1 else _BREAKS)
    breaking = np.eye(means.shape[1]) - np.mean(fitted.actions, axis=0)
    slots = fitted.field.slots
    affine = np.linalg.qr(np.stack([(slots @ m.T).ravel() for m in _MAPS]).T)[0].T
    return centered, _Tested(
        crystal, usable, sets, n_classes, _polynomials(index), affine, breaking
    )


def _polynomials(index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give all products of powers of the indices up to the second order, (row, term)."""
    span = np.maximum(np.ptp(index, axis=0), 1)
    i, j = (2 * (index - index.min(axis=0)) / span - 1).T
    return np.stack([i**a * j**b for a in range(3) for b in range(3 - a)], axis=1)


def _statistics(
    means: NDArray[np.float64], tested: _Tested, whitening: NDArray[np.float64]
) -> NDArray[np.float64]:
    found = np.full(len(tested.rows), np.nan)
    for k, (held, n) in enumerate(zip(tested.rows, tested.n_classes, strict=True)):
        if n == 1:
            found[k] = 0.0
            continue
        rows = _without_trend(means, held & np.isfinite(means).all(axis=1), tested)
        if len(rows) < _needed(n):
            continue
        if n == _BREAKS:
            broken = whitening @ tested.breaking @ rows.mean(axis=0)
            found[k] = float(broken @ broken)
        else:
            found[k] = gain_of_classes(rows @ whitening.T, n_classes=n)
    return found


def _without_trend(
    means: NDArray[np.float64], held: NDArray[np.bool_], tested: _Tested
) -> NDArray[np.float64]:
    """Give the rows held, less the affine maps of every crystal that change slowly."""
    parts = []
    for number in np.unique(tested.crystal[held]):
        mine = np.flatnonzero(held & (tested.crystal == number))
        maps = means[mine] @ tested.affine.T
        # A few sites of another grain tell their mean only.
        trend = tested.trend[mine]
        trend = trend if len(mine) >= 4 * trend.shape[1] else trend[:, :1]
        fitted = np.linalg.lstsq(trend, maps, rcond=None)[0]
        parts.append(means[mine] - trend @ fitted @ tested.affine)
    return np.concatenate(parts) if parts else means[:0]


def symmetry_breaking(fitted: Fitted, /, *, seed: int) -> Breaking:
    """Measure what of every class breaks the parent's symmetry, and its standard deviation.

    Classes are measured by the sites inside of their domains: means over cells at a
    wall are of both sides. The means of simulated noise over the same sites are added to
    those of the classes, which are then closed under the group again: the error
    contains that of the parent, and that neighboring sites share atoms. It is
    scaled up where sites of a class scatter by more than that noise along what
    is broken.
    """
    window, parent = fitted.window, np.mean(fitted.actions, axis=0)
    means, orbits, members = _measured_inside(fitted)
    broken = _broken_directions(orbits, parent)
    rng = np.random.default_rng([seed, 11])
    sizes = [_sizes(means, orbits, parent)]
    simulated = np.zeros(len(members))
    for _ in range(_N_ERROR_DRAWS):
        drawn = simulated_means(fitted.field, fitted.noise, window.size, rng)[window.sites]
        moved = means.copy()
        for k, mine in enumerate(members):
            if mine.any():
                moved[k] += np.nan_to_num(np.nanmean(drawn[mine], axis=0))
                simulated[k] += _scatter(drawn[mine], broken[k]) / _N_ERROR_DRAWS
        if (again := _closed(fitted, moved)) is not None:
            sizes.append(_sizes(moved, again, parent))
    spread = np.array(sizes[1:]).reshape(-1, len(orbits.means)) - sizes[0]
    alone = np.bincount(orbits.orbit)[orbits.orbit] == 1
    error = np.sqrt((spread**2).mean(axis=0)) if len(spread) else np.full(len(alone), np.nan)
    # What a class that keeps the symmetry seems to break is a length of noise alone.
    error[alone] = np.sqrt((np.array(sizes)[:, alone] ** 2).mean(axis=0))
    seen = np.array([_scatter(window.rows[mine], broken[k]) for k, mine in enumerate(members)])
    weights = np.array([mine.sum() for mine in members])
    more = _more_scatter(orbits, seen * weights, simulated * weights)
    # Errors that so many draws tell are themselves uncertain.
    more = more * student_widening(_N_ERROR_DRAWS)
    n = parent.shape[0] // 2
    return Breaking(sizes[0] / np.sqrt(n), more * error / np.sqrt(n))


def _closed(fitted: Fitted, means: NDArray[np.float64]) -> Orbits | None:
    """Close means under the group; none if other orbits come out than those of the fit."""
    window = fitted.window
    counts = np.maximum(np.bincount(window.label, minlength=len(window.means)), 1).astype(float)
    again = find_orbits(means, fitted.actions, window.whitening, fitted.affine, weights=counts)
    same = np.array_equal(again.orbit, fitted.orbits.orbit)
    return again if same and np.array_equal(again.member, fitted.orbits.member) else None


def _measured_inside(
    fitted: Fitted,
) -> tuple[NDArray[np.float64], Orbits, list[NDArray[np.bool_]]]:
    """Give the means of the classes inside of domains, closed, and the rows that they are of."""
    window, inside = fitted.window, _inside(fitted)
    members = [window.label == k for k in range(len(window.means))]
    inner = [m & inside if (m & inside).sum() >= _LEAST_INSIDE else m for m in members]
    means = window.means.copy()
    for k, mine in enumerate(inner):
        if mine.any():
            means[k] = window.rows[mine].mean(axis=0)
    orbits = _closed(fitted, means)
    return (window.means, fitted.orbits, members) if orbits is None else (means, orbits, inner)


def _broken_directions(orbits: Orbits, parent: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Give for every class found what breaks its symmetry, (mode, feature); all that might."""
    every = np.eye(len(parent)) - parent
    alone = np.bincount(orbits.orbit)[orbits.orbit] == 1
    along = orbits.means - orbits.means @ parent.T
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / np.where(length > 0, length, 1.0)
    return [every if alone[k] else along[k][None] for k in orbits.member]


def _scatter(rows: NDArray[np.float64], modes: NDArray[np.float64]) -> float:
    """Give the variance of rows along modes; zero where there are too few."""
    part = rows[np.isfinite(rows).all(axis=1)] @ modes.T
    return float(part.var(axis=0, ddof=1).sum()) if len(part) >= _LEAST_INSIDE else 0.0


def _more_scatter(
    orbits: Orbits, seen: NDArray[np.float64], simulated: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give by how much more classes of an orbit scatter than simulated ones, 1 or more."""
    n = int(orbits.orbit.max()) + 1
    of_member = orbits.orbit[orbits.member]
    both = [np.bincount(of_member, part * (simulated > 0), n) for part in (seen, simulated)]
    ratio = both[0] / np.where(both[1] > 0, both[1], 1.0)
    return np.asarray(np.sqrt(np.maximum(ratio, 1.0))[orbits.orbit])


def _inside(fitted: Fitted) -> NDArray[np.bool_]:
    """Tell which rows of the window are of sites with none but like sites around.

    A cell farther than the window on all sides, since labels tell a wall to a cell.
    """
    field, window, label = fitted.field, fitted.window, fitted.label
    box = square_box(window.size + 2)
    inside = np.zeros(len(window.sites), dtype=bool)
    for k in np.unique(label[label >= 0]):
        own = np.where(label >= 0, (label == k).astype(float), np.nan)[:, None]
        like = field.grid.means(own, box, characters=field.characters)[0][window.sites, 0]
        inside |= (label[window.sites] == k) & (like > _ALL_LIKE)
    return inside


def _sizes(
    found: NDArray[np.float64], orbits: Orbits, parent: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the length of what breaks symmetry of every class; of those alone in an orbit as found.

    They were made symmetric, and would all have zero.
    """
    means = orbits.means.copy()
    alone = np.bincount(orbits.orbit)[orbits.orbit] == 1
    for k, place in enumerate(orbits.member):
        if alone[place]:
            means[place] = found[k] - orbits.affine
    return np.asarray(np.linalg.norm(means - means @ parent.T, axis=1))
