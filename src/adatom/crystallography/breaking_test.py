"""Whether classes are more than noise makes: a test against simulated positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.cell_fields import estimate_noise, filled, sampled_field
from adatom.crystallography.components import gain_of_two, squared_distances
from adatom.crystallography.variant_fits import simulated_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors
    from adatom.crystallography.variant_fits import Fitted

# A p-value of 1 % and less can be told; more draws would cost seconds.
_N_DRAWS: Final = 99
_SITES: Final = 4_000
_LEAST_ROWS: Final = 40


class PhaseTest(NamedTuple):
    """P-value of each phase, and the standard deviation of its means over sites."""

    p_value: NDArray[np.float64]


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
    means, share = field.means(field.unturned(aligned.deviation[sites])[0], size)
    usable = filled(share, means)
    noise = estimate_noise(field, aligned.deviation[sites], itself=aligned.itself)
    centered = _centered(means, aligned.crystal[sites], usable, fitted.affine)
    orbits = fitted.orbits
    known = orbits.means[: orbits.n_populated]
    rough = squared_distances(
        np.nan_to_num((means - fitted.orbits.affine) @ whitening.T), known @ whitening.T
    ).argmin(axis=1)
    rng = np.random.default_rng([seed, 7])
    of_phase = phase[:, None] == np.arange(phase.max() + 1)
    groups = [usable & of_phase[rough, k] for k in range(of_phase.shape[1])]
    n_classes = [max(2, int(of_phase[: orbits.n_populated, k].sum())) for k in range(len(groups))]
    found = _gains(centered, whitening, groups, n_classes)
    reached = np.zeros(len(groups))
    for _ in range(_N_DRAWS):
        drawn = simulated_means(field, noise, size, rng)
        drawn = _centered(drawn, aligned.crystal[sites], usable, fitted.affine)
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
            gains[k] = gain_of_two(rows, n_classes=n)
    return gains
