"""Labels of all sites under known classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.orbits import affine_basis
from adatom.crystallography.variant_fits import shift_between
from adatom.numerics.point_groups import action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors
    from adatom.crystallography.cell_fields import CellField
    from adatom.crystallography.variant_models import VariantModel

_CHUNK: Final = 200_000
_WIDE: Final = 5


class Labels(NamedTuple):
    """Labels, probabilities of classes that hold sites, means less drift, and rotation.

    `means` (site, feature) are over the window of the model, in units of the
    spacing; `rotation` (site) in rad, of the cells around, relative to the grain.
    """

    label: NDArray[np.int64]
    probability: NDArray[np.float32]
    means: NDArray[np.float64]
    rotation: NDArray[np.float64]


def label_sites(
    aligned: AlignedVectors, field: CellField, model: VariantModel, /, *, seed: int
) -> Labels:
    """Give every site the likeliest class of the mean over the cells around."""
    field = field.with_characters([(int(a), int(b)) for a, b in model.characters])
    flat, rotation = field.unturned(aligned.deviation)
    means, share = field.means(flat, model.averaging)
    _complete(field, flat, means, model.averaging)
    del flat
    known = model.means.reshape(len(model.means), -1)[: model.n_classes]
    affine = affine_basis(model.slots, [action(each) for each in model.star.operations])
    means -= _shifts(aligned, means, model, known, affine, seed)
    label = np.full(len(means), -1, dtype=np.int64)
    probability = np.zeros((len(means), len(known)), dtype=np.float32)
    labelled = (aligned.member >= 0) & np.isfinite(means).any(axis=1)
    precision = model.whitening.T @ model.whitening
    for rows in _in_chunks(np.flatnonzero(labelled)):
        shares = _shares(means[rows], share[rows], known, precision, model.weights)
        probability[rows] = shares
        label[rows] = shares.argmax(axis=1)
    return Labels(label, probability, means, rotation)


def _complete(
    field: CellField, flat: NDArray[np.float64], means: NDArray[np.float64], size: int
) -> None:
    """Give sites that lack a slot the mean of more cells around, in place."""
    lacking = ~np.isfinite(means).all(axis=1)
    if size < _WIDE and lacking.any():
        wide = field.means(flat, _WIDE)[0]
        lacking &= np.isfinite(wide).all(axis=1)
        means[lacking] = wide[lacking]


def _in_chunks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]


def _shifts(
    aligned: AlignedVectors,
    means: NDArray[np.float64],
    model: VariantModel,
    known: NDArray[np.float64],
    affine: NDArray[np.float64],
    seed: int,
) -> NDArray[np.float64]:
    """Give the drift of the crystal of every site."""
    expected = model.affine.ravel()
    n_crystals = max(0, int(aligned.crystal.max(initial=-1)) + 1)
    shifts = np.tile(expected, (n_crystals + 1, 1))
    if len(affine):
        for number in range(n_crystals):
            mine = np.flatnonzero((aligned.crystal == number) & np.isfinite(means).all(axis=1))
            if len(mine) >= 2 * means.shape[1]:
                few = means[mine[:: -(-len(mine) // 20_000)]]
                shifts[number] = shift_between(
                    few, known, model.whitening, affine,
                    max_classes=len(known) + 1, seed=seed, expected=expected,
                )  # fmt: skip
    return shifts[aligned.crystal]


def _shares(
    means: NDArray[np.float64],
    filled: NDArray[np.float64],
    known: NDArray[np.float64],
    precision: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give the probability of classes, by the slots that a site has."""
    log = np.empty((len(means), len(known)))
    finite = np.isfinite(means)
    pattern = np.packbits(finite, axis=1)
    kinds, which = np.unique(pattern, axis=0, return_inverse=True)
    covariance = np.linalg.inv(precision)
    for number in range(len(kinds)):
        rows = np.flatnonzero(which.ravel() == number)
        held = finite[rows[0]]
        root = np.linalg.cholesky(np.linalg.inv(covariance[np.ix_(held, held)]))
        white = means[np.ix_(rows, held)] @ root
        goal = known[:, held] @ root
        squared = (white**2).sum(axis=1)[:, None] - 2 * white @ goal.T + (goal**2).sum(axis=1)
        # Noise of a mean over a part of the window is that much larger.
        log[rows] = -0.5 * squared * np.clip(filled[rows], 0.04, 1.0)[:, None]
    log += np.log(weights[: len(known)])
    shares = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
