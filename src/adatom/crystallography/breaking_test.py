"""Whether classes are more than noise makes: a test against simulated positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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


def probability_of_chance(
    aligned: AlignedVectors,
    lattice_index: NDArray[np.int64],
    fitted: Fitted,
    phase: NDArray[np.int64],
    /,
    *,
    seed: int,
) -> NDArray[np.float64]:
    """Give, for each phase, how often noise of a single class looks as much like several.

    Positions are simulated with the noise of the data and gathered through
    the same neighbors, so that shared atoms, vacancies and edges are those of
    the data; the gain of several classes over one is compared.
    """
    field, sites = sampled_field(aligned, lattice_index, n_sites=_SITES, seed=seed)
    field = field.with_characters(fitted.field.characters)
    size, whitening = fitted.window.size, fitted.window.whitening
    flat = field.unturned(aligned.deviation[sites])[0]
    means, share = field.means(flat, size)
    usable = filled(share, means)
    noise = estimate_noise(field, aligned.deviation[sites], itself=aligned.itself)
    core = core_sites(field, flat, noise, seed) & usable
    usable = core if core.sum() >= _LEAST_ROWS else usable
    orbits = fitted.orbits
    known = orbits.means[: orbits.n_populated]
    here = aligned.crystal[sites]
    usable &= np.isfinite(means).all(axis=1)
    centered = np.full_like(means, np.nan)
    centered[usable] = without_shifts(
        means[usable], here[usable], whitening, fitted.affine,
        max_classes=len(known) + 1, seed=seed,
    )  # fmt: skip
    centered -= orbits.affine
    squared = squared_distances(np.nan_to_num(centered) @ whitening.T, known @ whitening.T)
    rough = squared.argmin(axis=1)
    # What is far from all classes, as sites beside dirt, is no second class either.
    usable &= squared.min(axis=1) < float(chi2.ppf(_OUTLYING, means.shape[1]))
    rng = np.random.default_rng([seed, 7])
    of_phase = phase[:, None] == np.arange(phase.max() + 1)
    groups = [usable & of_phase[rough, k] for k in range(of_phase.shape[1])]
    n_classes = [max(2, int(of_phase[: orbits.n_populated, k].sum())) for k in range(len(groups))]
    found = _gains(centered, whitening, groups, n_classes)
    reached = np.zeros(len(groups))
    for _ in range(_N_DRAWS):
        drawn = simulated_means(field, noise, size, rng)
        drawn = _centered(drawn, here, usable, fitted.affine)
        reached += _gains(drawn, whitening, groups, n_classes) >= found
    return np.where(np.isnan(found), np.nan, (1 + reached) / (1 + _N_DRAWS))


def _centered(
    means: NDArray[np.float64],
    crystal: NDArray[np.int64],
    usable: NDArray[np.bool_],
    affine: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Take the mean affine part off every crystal, of data and of noise alike."""
    out = means.copy()
    for number in np.unique(crystal):
        mine = crystal == number
        if (mine & usable).any():
            out[mine] -= affine.T @ (affine @ means[mine & usable].mean(axis=0))
    return out


def _gains(
    means: NDArray[np.float64],
    whitening: NDArray[np.float64],
    groups: list[NDArray[np.bool_]],
    n_classes: list[int],
) -> NDArray[np.float64]:
    gains = np.full(len(groups), np.nan)
    for k, (group, n) in enumerate(zip(groups, n_classes, strict=True)):
        rows = means[group & np.isfinite(means).all(axis=1)] @ whitening.T
        if len(rows) >= _LEAST_ROWS:
            gains[k] = gain_of_classes(rows, n_classes=n)
    return gains
