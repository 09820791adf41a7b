"""Labels of all sites under known classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.components import squared_distances
from adatom.crystallography.crystal_shifts import shift_between
from adatom.crystallography.orbits import affine_basis
from adatom.crystallography.wall_cells import find_wall_cells
from adatom.numerics.cell_windows import square_box
from adatom.numerics.point_groups import action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors
    from adatom.crystallography.cell_fields import CellField
    from adatom.crystallography.variant_models import VariantModel

_CHUNK: Final = 200_000
_WIDE: Final = 5
# As sure as the label of a site that has all its slots, in classes five deviations apart.
_CERTAIN: Final = 0.99
# From 0, half way between two classes, to 1, at one. A mean over two domains of which the smaller
# fills a quarter is at a half, as is a site that sees a wall on one of two sides; one that has
# nothing but the bond across the wall is at 0.
_CLEAR_MEAN: Final = 0.5
_CLEAR_CELL: Final = 0.25
# The smallest share of a window: one cell of 5 x 5.
_LEAST_FILLED: Final = 0.04


class Labels(NamedTuple):
    """Labels, probabilities of classes that hold sites, means less drift, and rotation.

    `means` (site, feature) are over the window of the model, in units of the
    spacing; `rotation` (site) in rad, of the cells around, relative to the grain.
    `of_cell` are the probabilities by the vectors of each cell alone, of a superlattice:
    a mean over cells does not tell on which side of an antiphase boundary they are.
    """

    label: NDArray[np.int64]
    probability: NDArray[np.float32]
    means: NDArray[np.float64]
    rotation: NDArray[np.float64]
    of_cell: NDArray[np.float32] | None


def label_sites(
    aligned: AlignedVectors, field: CellField, model: VariantModel, /, *, seed: int
) -> Labels:
    """Give every site the likeliest class of the mean over the cells around.

    A mean across a wall may look like a third class, as that of two opposite
    displacements like none. Sites near walls therefore take the class of the
    window, of those that hold them, whose cells are alike.
    """
    field = field.with_characters([(int(a), int(b)) for a, b in model.characters])
    flat, rotation = field.unturned(aligned.deviation)
    own, share = field.means(flat, model.averaging)
    means = _completed(field, flat, own, model.averaging)
    known = model.means.reshape(len(model.means), -1)[: model.n_classes]
    affine = affine_basis(model.slots, [action(each) for each in model.star.operations])
    shifts = _shifts(aligned, means, model, known, affine, seed)
    # Not in place: where one cell is averaged, its own mean is its vectors themselves.
    means, flat, own = means - shifts, flat - shifts, own - shifts
    labelled = (aligned.member >= 0) & np.isfinite(means).any(axis=1)
    _restore_sure(means, share, own, known, model)
    _restore_near_walls(means, share, own, known, model.whitening)
    probability = _probability(means, share, model, known, model.whitening, labelled)
    label = np.where(labelled, probability.argmax(axis=1), -1).astype(np.int64)
    of_cell = None
    if len(field.characters) > 1:
        of_cell = probability
        if model.averaging > 1:
            of_cell = _probability_of_cells(field, flat, model, known, labelled)
    elif model.averaging > 1 and len(known) > 1:
        chosen = _evenest(field, flat, known, model)
        held = np.flatnonzero(labelled & (label[chosen] >= 0))
        probability[held] = probability[chosen[held]]
        label[held] = label[chosen[held]]
    if len(known) > 2 and len(field.characters) == 1:
        _part_walls(label, probability, flat, known, model, field)
    return Labels(label, probability, means, rotation, of_cell)


def _probability(
    means: NDArray[np.float64],
    share: NDArray[np.float64],
    model: VariantModel,
    known: NDArray[np.float64],
    whitening: NDArray[np.float64],
    labelled: NDArray[np.bool_],
) -> NDArray[np.float32]:
    probability = np.zeros((len(means), len(known)), dtype=np.float32)
    precision = whitening.T @ whitening
    for rows in _in_chunks(np.flatnonzero(labelled)):
        probability[rows] = _shares(means[rows], share[rows], known, precision, model.weights)
    return probability


def _probability_of_cells(
    field: CellField,
    flat: NDArray[np.float64],
    model: VariantModel,
    known: NDArray[np.float64],
    labelled: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Give the probability of classes by the vectors of each cell alone."""
    means, share = _completed(field, flat, flat, 1), np.isfinite(flat).mean(axis=1)
    _restore_near_walls(means, share, flat, known, model.cell_whitening)
    seen = labelled & np.isfinite(means).any(axis=1)
    probability = _probability(means, share, model, known, model.cell_whitening, seen)
    # Cells that have no vector are as likely of any class.
    probability[labelled & ~seen] = 1 / len(known)
    return probability


def _part_walls(
    label: NDArray[np.int64],
    probability: NDArray[np.float32],
    flat: NDArray[np.float64],
    known: NDArray[np.float64],
    model: VariantModel,
    field: CellField,
) -> None:
    """Give cells in the middle of walls to the nearer side, in place."""
    found = find_wall_cells(label, flat, known, model.cell_whitening, field.grid)
    rows, sides = found.rows, found.sides
    white = known @ model.cell_whitening.T
    squared = ((white[sides[:, 1]] - white[sides[:, 0]]) ** 2).sum(axis=1)
    # Of two normal distributions whose means are that far apart; exp must not overflow.
    second = 1 / (1 + np.exp(np.clip((0.5 - found.part) * squared, -80.0, 80.0)))
    probability[rows] = 0.0
    probability[rows, sides[:, 0]] = 1 - second
    probability[rows, sides[:, 1]] = second
    label[rows] = np.where(second > 0.5, sides[:, 1], sides[:, 0])


def _evenest(
    field: CellField,
    flat: NDArray[np.float64],
    known: NDArray[np.float64],
    model: VariantModel,
) -> NDArray[np.int64]:
    """Give for every site at which site the window stands that is most alike [1]_.

    Of nine windows that hold the site, it is the one whose single cells lie
    least far from one and the same class.

    References
    ----------
    .. [1] M. Kuwahara et al., in Digital Processing of Biomedical Images (Plenum, 1976), p. 187.
    """
    goal = known @ model.cell_whitening.T
    far = np.full((len(flat), len(known)), np.nan)
    for rows in _in_chunks(np.flatnonzero(np.isfinite(flat).all(axis=1))):
        far[rows] = squared_distances(flat[rows] @ model.cell_whitening.T, goal)
    spread = field.grid.means(far, square_box(model.averaging))[0]
    least = np.where(np.isfinite(spread), spread, np.inf).min(axis=1)
    chosen, best = np.arange(len(flat)), least.copy()
    half = model.averaging // 2
    for i in (-half, 0, half):
        for j in (-half, 0, half):
            to = field.grid.partners((i, j))
            # A site that lacks its own mean takes any; others leave theirs for a better one.
            better = (to >= 0) & (least[to] < best)
            chosen[better], best[better] = to[better], least[to[better]]
    return chosen


def _completed(
    field: CellField, flat: NDArray[np.float64], own: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Give sites that lack a slot the mean of more cells around."""
    means = own.copy()
    lacking = ~np.isfinite(means).all(axis=1)
    if size < _WIDE and lacking.any():
        wide = field.means(flat, _WIDE)[0]
        lacking &= np.isfinite(wide).all(axis=1)
        means[lacking] = wide[lacking]
    return means


def _restore_near_walls(
    means: NDArray[np.float64],
    share: NDArray[np.float64],
    own: NDArray[np.float64],
    known: NDArray[np.float64],
    whitening: NDArray[np.float64],
) -> None:
    """Give sites back the slots that they have where the mean of more cells is over a wall.

    Such a mean lies between two classes, and tells nothing of its middle cell. Neither does
    what a site has left if it lies between them as well: that is the bond across the wall.
    """
    precision = whitening.T @ whitening
    changed = np.isnan(own).any(axis=1) & np.isfinite(own).any(axis=1)
    changed &= np.isfinite(means).all(axis=1)
    rows = np.flatnonzero(changed)
    over = rows[_clearness(means[rows], known, precision) < _CLEAR_MEAN]
    means[over] = own[over]
    share[over[_clearness(own[over], known, precision) < _CLEAR_CELL]] = 0.0


def _clearness(
    means: NDArray[np.float64], known: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Tell how far means are on the way from half way between the nearest classes to one."""
    clear = np.ones(len(means))
    if len(known) < 2:
        return clear
    for rows, root, held in _whitened(means, precision):
        goal = known[:, held] @ root
        squared = squared_distances(means[np.ix_(rows, held)] @ root, goal)
        first, second = np.argsort(squared, axis=1)[:, :2].T
        nearest = np.sort(squared, axis=1)
        apart = ((goal[first] - goal[second]) ** 2).sum(axis=1)
        # Classes that differ in nothing that a site has are not told apart by it.
        clear[rows] = (nearest[:, 1] - nearest[:, 0]) / np.maximum(apart, 1e-9)
    return clear


def _restore_sure(
    means: NDArray[np.float64],
    share: NDArray[np.float64],
    own: NDArray[np.float64],
    known: NDArray[np.float64],
    model: VariantModel,
) -> None:
    """Give sites that lack a slot their own ones back where these are enough, in place.

    The mean of more cells around may be that of another domain.
    """
    precision = model.whitening.T @ model.whitening
    lacking = ~np.isfinite(own).all(axis=1) & np.isfinite(own).any(axis=1)
    for rows in _in_chunks(np.flatnonzero(lacking)):
        likeliest = _shares(own[rows], share[rows], known, precision, model.weights).max(axis=1)
        sure = rows[likeliest >= _CERTAIN]
        means[sure] = own[sure]


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
    for rows, root, held in _whitened(means, precision):
        white = means[np.ix_(rows, held)] @ root
        # Noise of a mean over a part of the window is that much larger.
        scale = np.clip(filled[rows], _LEAST_FILLED, 1.0)[:, None]
        log[rows] = -0.5 * scale * squared_distances(white, known[:, held] @ root)
    log += np.log(weights[: len(known)])
    shares = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _whitened(
    means: NDArray[np.float64], precision: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]]:
    """Group rows by the features that they have, with what makes their scatter the identity."""
    covariance = np.linalg.inv(precision)
    for rows, held in _patterns(np.isfinite(means)):
        yield rows, np.linalg.cholesky(np.linalg.inv(covariance[np.ix_(held, held)])), held


def _patterns(
    finite: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Group rows by which features they have; nearly all have all."""
    whole = finite.all(axis=1)
    if whole.any():
        yield np.flatnonzero(whole), np.arange(finite.shape[1])
    lacking = np.flatnonzero(~whole)
    kinds, which = np.unique(finite[lacking], axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        yield lacking[which.ravel() == number], np.flatnonzero(kind)
