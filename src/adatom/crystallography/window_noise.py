"""How means over a window of cells scatter, by position noise alone and as measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2

from adatom.crystallography.components import whitening_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.cell_fields import CellField, Noise

# Covariances of a dozen features are then exact to some per cent.
_DRAWN: Final = 20_000
# Halves that noise alone makes differ by less than in this share of cells are alike.
_UNEVEN: Final = 0.99


def simulated_means(
    field: CellField, noise: Noise, size: int, rng: np.random.Generator, /
) -> NDArray[np.float64]:
    """Give the means over cells that noise alone would make."""
    flat = field.simulated(noise, rng)
    return field.means(field.unturned(flat.reshape(len(flat), -1, 2))[0], size)[0]


def covariance_of_means(
    field: CellField,
    noise: Noise,
    size: int,
    actions: tuple[NDArray[np.float64], ...],
    seed: int,
    /,
) -> NDArray[np.float64]:
    """Simulate the covariance of means over cells, averaged over the group.

    Labels of replicas are then those of the images of classes, exactly.
    """
    rng = np.random.default_rng([seed, size])
    drawn: list[NDArray[np.float64]] = []
    while sum(map(len, drawn)) < _DRAWN and len(drawn) < 50:
        rows = simulated_means(field, noise, size, rng)
        drawn.append(rows[np.isfinite(rows).all(axis=1)])
    rows = np.concatenate(drawn)
    return averaged_over(rows.T @ rows / len(rows), actions)


def averaged_over(
    covariance: NDArray[np.float64], actions: tuple[NDArray[np.float64], ...], /
) -> NDArray[np.float64]:
    """Average a covariance over a group."""
    mean: NDArray[np.float64] = np.mean([a @ covariance @ a.T for a in actions], axis=0)
    return mean


def widened_as_measured(
    field: CellField,
    means: NDArray[np.float64],
    covariance: NDArray[np.float64],
    size: int,
    actions: tuple[NDArray[np.float64], ...],
    /,
) -> NDArray[np.float64]:
    """Widen a simulated covariance where means that share no atom differ by more.

    Scan lines that jump move whole rows of atoms. The half of the differences
    that is least leaves walls out.
    """
    lag = size + 3 + (size + 3) % 2
    differences = []
    for step in ((lag, 0), (0, lag)):
        to = field.grid.partners(step)
        rows = np.flatnonzero(to >= 0)
        differences.append(means[rows] - means[to[rows]])
    pooled = np.concatenate(differences) / np.sqrt(2)
    pooled = pooled[np.isfinite(pooled).all(axis=1)]
    n = pooled.shape[1]
    if len(pooled) < 20 * n:
        return covariance
    whitening = whitening_of(covariance)
    white = pooled @ whitening.T
    squared = (white**2).sum(axis=1)
    least = white[squared <= np.median(squared)]
    # Of the half of a normal distribution within a sphere.
    factor = 0.5 / float(chi2.cdf(chi2.ppf(0.5, n), n + 2))
    values, directions = np.linalg.eigh(factor * least.T @ least / len(least))
    wider = (directions * np.maximum(values, 1.0)) @ directions.T
    back = np.linalg.inv(whitening)
    return averaged_over(back @ wider @ back.T, actions)


def core_sites(
    field: CellField, flat: NDArray[np.float64], noise: Noise, seed: int, /
) -> NDArray[np.bool_]:
    """Tell which sites lie within one domain: the halves of the cells around are alike."""
    uneven = field.unevenness(flat)
    simulated = field.simulated(noise, np.random.default_rng([seed, 99]))
    drawn = field.unevenness(field.unturned(simulated.reshape(len(simulated), -1, 2))[0])
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if len(drawn) < 2 * drawn.shape[1]:
        return np.ones(len(flat), dtype=bool)
    white = uneven @ whitening_of(drawn.T @ drawn / len(drawn)).T
    squared = (white**2).sum(axis=1)
    # Real noise is larger than that of independent atoms where scan lines jump.
    scale = max(1.0, float(np.nanmedian(squared)) / float(chi2.ppf(0.5, white.shape[1])))
    core: NDArray[np.bool_] = squared < scale * float(chi2.ppf(_UNEVEN, white.shape[1]))
    return core
