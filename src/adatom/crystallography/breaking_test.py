"""Whether classes are more than noise makes: a test against simulated positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import chi2

from adatom.crystallography.cell_fields import estimate_noise, filled, sampled_field
from adatom.crystallography.components import gain_of_classes, squared_distances
from adatom.crystallography.variant_fits import core_sites, simulated_means, without_shifts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors
    from adatom.crystallography.variant_fits import Fitted

# A p-value of 1 % and less can be told; more draws would cost seconds.
_N_DRAWS: Final = 99
_SITES: Final = 3_000
_LEAST_ROWS: Final = 40
_OUTLYING: Final = 0.9999


class Chance(NamedTuple):
    """P-values against noise of a single class: of all classes, and within each phase."""

    classes: float
    phase: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Tested:
    """Rows under test, and what is asked of each set of them.

    `rows` are the sets (a mask each); `n_classes` how many classes are tried
    in each, 0 where the question is whether its mean breaks symmetry.
    """

    crystal: NDArray[np.int64]
    usable: NDArray[np.bool_]
    rows: list[NDArray[np.bool_]]
    n_classes: list[int]
    whitening: NDArray[np.float64]
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
    the data; the gain of several classes over one is compared, and of a phase
    of one class by how much its mean breaks symmetry.
    """
    field, sites = sampled_field(aligned, lattice_index, n_sites=_SITES, seed=seed)
    field = field.with_characters(fitted.field.characters)
    noise = estimate_noise(field, aligned.deviation[sites], itself=aligned.itself)
    size = fitted.window.size
    flat = field.unturned(aligned.deviation[sites])[0]
    means, share = field.means(flat, size)
    usable = filled(share, means)
    core = core_sites(field, flat, noise, seed) & usable
    usable = core if core.sum() >= _LEAST_ROWS else usable
    centered, tested = _tested(means, usable, aligned.crystal[sites], fitted, phase, seed)
    found = _statistics(centered, tested)
    rng = np.random.default_rng([seed, 7])
    reached = np.zeros(len(found))
    for _ in range(_N_DRAWS):
        drawn = _centered(simulated_means(field, noise, size, rng), tested)
        reached += _statistics(drawn, tested) >= found
    p_value = np.where(np.isnan(found), np.nan, (1 + reached) / (1 + _N_DRAWS))
    return Chance(float(p_value[0]), p_value[1:])


def _tested(
    means: NDArray[np.float64],
    usable: NDArray[np.bool_],
    crystal: NDArray[np.int64],
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
    sets, n_classes = [usable], [max(2, len(known))]
    for number in range(int(phase.max()) + 1):
        sets.append(usable & (of_row == number))
        n_found, n_all = int((of_class == number).sum()), int((phase == number).sum())
        n_classes.append(0 if n_found == 1 < n_all else max(2, n_found))
    breaking = np.eye(means.shape[1]) - np.mean(fitted.actions, axis=0)
    return centered, _Tested(crystal, usable, sets, n_classes, whitening, fitted.affine, breaking)


def _centered(means: NDArray[np.float64], tested: _Tested) -> NDArray[np.float64]:
    """Take the mean affine part off every crystal of simulated means, as drift is off the data."""
    out = means.copy()
    for number in np.unique(tested.crystal):
        mine = (tested.crystal == number) & tested.usable
        if mine.any():
            drift = tested.affine.T @ (tested.affine @ np.nanmean(means[mine], axis=0))
            out[tested.crystal == number] -= drift
    return out


def _statistics(means: NDArray[np.float64], tested: _Tested) -> NDArray[np.float64]:
    found = np.full(len(tested.rows), np.nan)
    for k, (held, n) in enumerate(zip(tested.rows, tested.n_classes, strict=True)):
        rows = means[held & np.isfinite(means).all(axis=1)]
        if len(rows) < _LEAST_ROWS:
            continue
        if n:
            found[k] = gain_of_classes(rows @ tested.whitening.T, n_classes=n)
        else:
            broken = tested.whitening @ tested.breaking @ rows.mean(axis=0)
            found[k] = float(broken @ broken)
    return found
