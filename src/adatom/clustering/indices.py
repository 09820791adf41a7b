"""Indices of how well k-means fits a number of classes, on rows in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.clustering.lloyd import lloyd_passes, nearest_means, seed_means, stacked_starts
from adatom.numerics.blocks import blocks_from_array
from adatom.numerics.scores import agreement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# References are as long as the rows, but no longer than this: their dispersion scales with length.
_REFERENCE_ROWS: Final = 1024
_REFERENCE_STARTS: Final = 3
# Means of references and resamples need only rest to a thousandth of the spread.
_AT_REST: Final = 1e-3


def simplified_silhouette(rows: NDArray[np.float64], means: NDArray[np.float64], /) -> float:
    """Average 1 - a/b, a and b the distances to the nearest and second nearest mean [1]_.

    References
    ----------
    .. [1] E. R. Hruschka, L. N. de Castro, R. J. G. B. Campello, 4th IEEE ICDM, 403 (2004);
       after P. J. Rousseeuw, J. Comput. Appl. Math. 20, 53 (1987).
    """
    if len(means) < 2:
        return float("nan")
    distances = np.sqrt(((rows[:, None] - means) ** 2).sum(axis=-1))
    nearest = np.partition(distances, 1, axis=1)[:, :2]
    far = np.where(nearest[:, 1] > 0, nearest[:, 1], 1.0)
    return float((1 - nearest[:, 0] / far).mean())


def calinski_harabasz(
    rows: NDArray[np.float64], means: NDArray[np.float64], inertia: float, /
) -> float:
    """Give the ratio of variance between classes to that within [1]_.

    References
    ----------
    .. [1] T. Calinski and J. Harabasz, Commun. Stat. 3, 1 (1974), eq. 3.
    """
    n, k = len(rows), len(means)
    if k < 2 or n <= k:
        return float("nan")
    total = float(((rows - rows.mean(axis=0)) ** 2).sum())
    within = inertia / (n - k)
    return (total - inertia) / (k - 1) / within if within > 0 else float("inf")


def gap(
    rows: NDArray[np.float64], inertias: Sequence[float], /, *, n_references: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare inertias with those of rows spread evenly over the box of the data [1]_.

    Parameters
    ----------
    rows : array, shape (row, component)
        In principal axes, to which the box is aligned.
    inertias : sequence of float
        Of k-means with 1, 2, ... classes.
    n_references : int
        Random references.
    seed : int
        Of the references.

    Returns
    -------
    gap, error : array
        For each number of classes.

    References
    ----------
    .. [1] R. Tibshirani, G. Walther and T. Hastie, J. R. Stat. Soc. B 63, 411 (2001),
       eq. 3 with the error of sec. 3, step 3; reference (b).
    """
    rng = np.random.default_rng(seed)
    low, high = rows.min(axis=0), rows.max(axis=0)
    n = min(len(rows), _REFERENCE_ROWS)
    logs = np.empty((n_references, len(inertias)))
    for number in range(n_references):
        even = rng.uniform(low, high, (n, rows.shape[1])).astype(np.float32)
        even -= even.mean(axis=0)
        spread = float(np.sqrt((even**2).sum(axis=1).mean()))
        for k in range(1, len(inertias) + 1):
            starts = stacked_starts(even, k, _REFERENCE_STARTS if k > 1 else 1, seed + number)
            found = lloyd_passes(
                blocks_from_array(even),
                starts,
                origin=np.zeros(even.shape[1]),
                spread=spread,
                at_rest=_AT_REST,
            )
            logs[number, k - 1] = _log(float(found.inertia.min()) / n)
    own = np.array([_log(inertia / len(rows)) for inertia in inertias])
    return logs.mean(axis=0) - own, logs.std(axis=0) * np.sqrt(1 + 1 / n_references)


def _log(value: float) -> float:
    return float(np.log(max(value, np.finfo(float).tiny)))


def stability(
    rows: NDArray[np.float64],
    partitions: Sequence[NDArray[np.float64]],
    /,
    *,
    n_resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Give the mean agreement of classes with those found again on resampled rows [1]_.

    Rows are resampled by Poisson weights of mean one; labels are matched
    before they are compared.

    References
    ----------
    .. [1] C. Hennig, Comput. Stat. Data Anal. 52, 258 (2007), with Poisson weights in place of
       drawing with replacement.
    """
    rng = np.random.default_rng(seed)
    if len(rows) > _REFERENCE_ROWS:
        rows = rows[np.sort(rng.permutation(len(rows))[:_REFERENCE_ROWS])]
    weights = rng.poisson(1.0, (n_resamples, len(rows))).astype(np.float64)
    spread = float(np.sqrt((rows**2).sum(axis=1).mean()))
    values = np.full(len(partitions), np.nan)
    for index, means in enumerate(partitions):
        if len(means) < 2:
            continue
        starts = np.stack(
            [seed_means(rows, n_classes=len(means), rng=rng, weights=w) for w in weights]
        )
        found = lloyd_passes(
            blocks_from_array(rows),
            starts,
            origin=np.zeros(rows.shape[1]),
            spread=spread,
            weights=weights,
            at_rest=_AT_REST,
        )
        own = _labels(rows, means[None])[0]
        again = _labels(rows, found.means)
        values[index] = float(np.mean([agreement(own, labels) for labels in again]))
    return values


def _labels(rows: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.int8]:
    return nearest_means(rows, means, (means**2).sum(axis=-1) / 2)[0]
