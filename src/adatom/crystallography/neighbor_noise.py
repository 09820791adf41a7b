"""Noise of positions, told from like sites nearby, in spite of walls between some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2

from adatom.crystallography.cell_fields import LAG, Noise
from adatom.numerics.cell_windows import square_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.cell_fields import CellField

# Even distances, so that cells of a superlattice are alike, in four directions.
_STEPS: Final = ((2, 0), (0, 2), (2, 2), (2, -2), (LAG, 0), (0, LAG))
# Directions in which nearly all pairs share an atom are left out.
_LEAST_PAIRS: Final = 0.2
# Cells along each side of the window in which that is told.
_AROUND: Final = 5
# Farther from zero than this many standard deviations, of noise and walls together, is dirt.
_DIRT: Final = 6.0
# Differences across walls are a class of their own if they raise twice the log likelihood by
# this. It has five parameters, and pairs share sites: noise alone came to 28 at most of 450.
_LEAST_GAIN: Final = 40.0
# Walls are fewer than what lies between, in the direction in which cells are most alike.
_MOST_ACROSS: Final = 0.5
_MOST_PASSES: Final = 200
# Sites of noise alone that tell the bias of the choice to less than a per cent.
_DRAWN: Final = 10_000
_MOST_DRAWS: Final = 10
# In units of the spacing, 0.4 pm in 0.4 nm: no column is placed better, and what is simulated
# without noise has rounding errors, or nothing at all, that nothing could be compared with.
_LEAST_NOISE: Final = 1e-3


def estimate_noise(
    field: CellField,
    deviation: NDArray[np.float64],
    /,
    *,
    itself: bool,
    seed: int,
) -> Noise:
    """Estimate position noise from sites two cells apart, or farther, which share no atom.

    Differences are of noise alone within a domain, and wider across walls:
    two normal distributions, of which the narrow one is told. What the choice
    of pairs does to noise alone is simulated, and taken off.
    """
    vector = deviation.reshape(len(deviation), -1, 2)
    found = _variances(field, vector, itself=itself)
    noise = _noise_of(found, vector.shape[1], itself=itself)
    if not np.isfinite(found).all():
        return noise
    noise = _at_least(noise)
    n_draws = int(np.clip(_DRAWN // len(vector), 1, _MOST_DRAWS))
    rng = np.random.default_rng([seed, 3])
    drawn = [
        _variances(field, field.simulated(noise, rng).reshape(vector.shape), itself=itself)
        for _ in range(n_draws)
    ]
    bias = np.mean(drawn, axis=0) / _expected(noise, vector.shape[1])
    return _at_least(_noise_of(found / bias, vector.shape[1], itself=itself))


def _at_least(noise: Noise) -> Noise:
    return Noise(*(np.maximum(sigma, _LEAST_NOISE) for sigma in noise))


def _expected(noise: Noise, n: int) -> NDArray[np.float64]:
    """Give the variances of what slots have in common (y, x), and of contrasts (y, x)."""
    return np.concatenate([n * noise.site**2 + noise.neighbor**2, noise.neighbor**2])


def _noise_of(variances: NDArray[np.float64], n: int, *, itself: bool) -> Noise:
    of_common, of_neighbor = variances[:2], variances[2:]
    if itself:
        # All squares together: slots of one atom each, and n + 1 of what they have in common.
        sigma = np.sqrt(((n - 1) * of_neighbor + of_common) / (2 * n))
        return Noise(sigma, sigma)
    of_site = np.sqrt(np.maximum(of_common - of_neighbor, 0.0) / n)
    return Noise(of_site, np.sqrt(of_neighbor))


def _variances(
    field: CellField, vector: NDArray[np.float64], *, itself: bool
) -> NDArray[np.float64]:
    """Give the variances within domains of what slots have in common, and of contrasts.

    (4,), each along y and x; NaN where too few sites tell.
    """
    n = vector.shape[1]
    pairs = _pairs(field, vector, itself=itself)
    if len(pairs) < 2 * n:
        return np.full(4, np.nan)
    difference = (vector[pairs[:, 0]] - vector[pairs[:, 1]]) / np.sqrt(2)
    # Back into the directions of the scan, along which noise differs.
    difference = np.einsum("sba,skb->ska", field.matrix[pairs[:, 0]], difference)
    common = difference.sum(axis=1) / np.sqrt(n)
    contrast = difference - difference.mean(axis=1, keepdims=True)
    squares = np.concatenate([common**2, (contrast**2).sum(axis=1)], axis=1)
    return _within_domains(squares, np.array([1.0, 1.0, n - 1, n - 1]))


def _pairs(
    field: CellField,
    vector: NDArray[np.float64],
    *,
    itself: bool,
) -> NDArray[np.int64]:
    """Give each site another a few cells away, where the cells around are most alike.

    Walls run along some direction, in which sites lie in the same domain. The
    pair itself has no say in its direction: that would choose little noise.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(vector).all(axis=(1, 2)))
    partner, unlike = [], []
    for step in _STEPS:
        others = _partners(field, known, step, itself=itself)
        own = others >= 0
        if own.sum() < _LEAST_PAIRS * known.sum():
            continue
        square = np.full(len(vector), np.nan)
        square[own] = ((vector[own] - vector[others[own]]) ** 2).sum(axis=(1, 2))
        partner.append(others)
        unlike.append(_mean_of_others(field, square))
    if not partner:
        return np.zeros((0, 2), dtype=np.int64)
    chosen = np.argmin(unlike, axis=0)
    second = np.choose(chosen, partner)
    first = np.flatnonzero((second >= 0) & np.isfinite(np.min(unlike, axis=0)))
    return np.stack([first, second[first]], axis=1)


def _partners(
    field: CellField, known: NDArray[np.bool_], step: tuple[int, int], *, itself: bool
) -> NDArray[np.int64]:
    """Give every known site another, a step away; -1: none, or an atom is shared."""
    to = field.grid.partners(step)
    first = np.flatnonzero((to >= 0) & known)
    first = first[known[to[first]]]
    first = first[~_share_atoms(field, first, to[first], itself=itself)]
    others = np.full(len(known), -1, dtype=np.int64)
    others[first] = to[first]
    return others


def _mean_of_others(field: CellField, square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the cells around each but itself; infinite where there are none."""
    means, counts = field.grid.means(square[:, None], square_box(_AROUND))
    own = np.isfinite(square)
    total = np.nan_to_num(means[:, 0]) * counts[:, 0] - np.where(own, square, 0.0)
    n = counts[:, 0] - own
    # Without a partner of its own, a site has no pair in this direction.
    return np.where(own & (n > 0), total / np.maximum(n, 1), np.inf)


def _share_atoms(
    field: CellField, first: NDArray[np.int64], second: NDArray[np.int64], *, itself: bool
) -> NDArray[np.bool_]:
    atoms = field.neighbor
    if itself:
        atoms = np.concatenate([atoms, field.center[:, None]], axis=1)
    shared = np.zeros(len(first), dtype=bool)
    for slot in atoms.T:
        shared |= (atoms[second] == slot[first, None]).any(axis=1)
    return shared


def _within_domains(
    squares: NDArray[np.float64], sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give variances within domains, of sums of squares (pair, part) of `sizes` numbers each."""
    # Of walls and noise together, which is the larger.
    least = np.array([chi2.ppf(0.5, size) for size in sizes])
    rough = np.maximum(np.median(squares, axis=0) / least, _LEAST_NOISE**2)
    clean = (squares <= _DIRT**2 * sizes * rough).all(axis=1)
    squares = squares[clean]
    single = np.maximum(squares.mean(axis=0) / sizes, _LEAST_NOISE**2)
    narrow, gain = _narrower_of_two(squares, sizes, single)
    return narrow if gain >= _LEAST_GAIN else single


def _narrower_of_two(
    squares: NDArray[np.float64], sizes: NDArray[np.float64], single: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit two normal distributions around zero; give the variances of the narrower, and the gain.

    The gain is twice that of the log likelihood over a single one.
    """
    narrow, wide, share = single / 2, single * 2, 0.3
    gain = -np.inf
    base = _log_density(squares, sizes, single)
    for _ in range(_MOST_PASSES):
        of_narrow = _log_density(squares, sizes, narrow) - base + np.log(1 - share)
        of_wide = _log_density(squares, sizes, wide) - base + np.log(share)
        both = np.logaddexp(of_narrow, of_wide)
        before, gain = gain, 2 * float(both.sum())
        if gain - before < 1e-2:
            break
        across = np.exp(of_wide - both)
        share = float(np.clip(across.mean(), 1e-6, _MOST_ACROSS))
        wide = (across @ squares) / np.maximum(across.sum() * sizes, 1e-300)
        narrow = ((1 - across) @ squares) / np.maximum((1 - across).sum() * sizes, 1e-300)
        narrow = np.maximum(narrow, 1e-12 * single)
        # What is alike within domains is never wider there than across walls.
        wide = np.maximum(wide, narrow)
    return narrow, gain


def _log_density(
    squares: NDArray[np.float64], sizes: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(-0.5 * (squares @ (1 / variance) + sizes @ np.log(variance)))
