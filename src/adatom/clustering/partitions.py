"""The best partition by k-means for each of several numbers of classes, in shared passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.clustering.lloyd import Passes, rest_by_gain, shared_passes, stacked_starts
from adatom.clustering.models import KMeansModel, size_order
from adatom.clustering.subspace import moments_for_subspace, sampled_scores_in, subspace_of
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.moments import moments_of, sample_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from adatom.clustering.lloyd import Floats
    from adatom.numerics.blocks import Blocks

# Starts compete on a sample: enough rows for a class of one in a thousand.
_SAMPLE_ROWS: Final = 1 << 14
# The best of them go on over a larger one; more than three change the winner rarely.
_FINALISTS: Final = 3
_FINAL_ROWS: Final = 1 << 17
# Scores of three million rows on twenty components, 256 MB; of more rows a sample competes.
_SCORE_VALUES: Final = 1 << 26


def best_partitions(
    features: xr.DataArray, numbers: Sequence[int], /, *, n_starts: int, seed: int
) -> list[KMeansModel]:
    """Find the best partition of each number of classes.

    Raises
    ------
    TooFewSitesError
        If there are fewer measured rows than classes.
    SettingError
        If there are fewer distinct rows than classes.
    """
    cut = blocks(features)
    with single_threaded_blas():
        moments = moments_for_subspace(cut)
        n_rows = int(moments.counts.sum())
        if n_rows < max(numbers):
            n_classes = max(numbers)
            msg = f"{n_rows} measured rows cannot form {n_classes=}: give more rows or fewer"
            raise TooFewSitesError(msg)
        # Classes beyond those that the signal shows are cut out of the noise: in one direction of
        # it they would become stripes.
        subspace, counts = subspace_of(
            cut, n_classes=1, least=max(numbers), moments=moments, seed=seed
        )
        n_scores = _SCORE_VALUES // len(subspace.basis)
        scores = sampled_scores_in(subspace, cut, counts, n_rows=n_scores, seed=seed)
        found = _winners(blocks_from_array(scores), numbers, n_starts, seed)
        if len(subspace.basis) < cut.n_columns:
            found = [_best(passes, 1) for passes in _passes(blocks_from_array(scores), found)]
        means = [each @ subspace.basis for each in found]
        # Full rest costs little where rows are few.
        rest = _full_rest if n_rows <= _SAMPLE_ROWS else rest_by_gain
        partitions = shared_passes(cut, means, origin=subspace.center, rest=rest)
    dim = str(features.dims[-1])
    return [_model(partition, subspace.center, dim) for partition in partitions]


def _full_rest(steps: Floats, _before: Floats, _after: Floats) -> NDArray[np.bool_]:
    return np.asarray(steps == 0)


def _winners(
    scores: Blocks, numbers: Sequence[int], n_starts: int, seed: int
) -> list[NDArray[np.float64]]:
    """Let starts compete in samples: the best means (1, class, component) of each number."""
    rows = _sample(scores, _SAMPLE_ROWS, seed)
    stacks = [stacked_starts(rows, number, n_starts, seed) for number in numbers]
    tried = _passes(blocks_from_array(rows), stacks)
    if len(rows) < scores.n_rows:
        finalists = [_best(passes, _FINALISTS) for passes in tried]
        tried = _passes(blocks_from_array(_sample(scores, _FINAL_ROWS, seed)), finalists)
    return [_best(passes, 1) for passes in tried]


def _sample(scores: Blocks, n_rows: int, seed: int) -> NDArray[Any]:
    return sample_of(scores, moments_of(scores).counts, n_rows=n_rows, seed=seed)


def _passes(scores: Blocks, stacks: Sequence[NDArray[Any]]) -> list[Passes]:
    return shared_passes(scores, stacks, origin=np.zeros(scores.n_columns), rest=rest_by_gain)


def _best(passes: Passes, number: int) -> NDArray[np.float64]:
    """Give the means of the starts of least inertia, those with empty classes last."""
    empty = (passes.counts == 0).any(axis=1)
    return passes.means[np.lexsort((passes.inertia, empty))[:number]]


def _model(partition: Passes, center: NDArray[np.float64], dim: str) -> KMeansModel:
    means, counts = partition.means[0] + center, partition.counts[0].astype(np.int64)
    if not counts.all():
        n_classes = len(means)
        msg = f"only {np.count_nonzero(counts)} classes got rows, {n_classes=}: ask for fewer"
        raise SettingError(msg)
    order = size_order(counts, means)
    return KMeansModel(
        means=means[order],
        counts=counts[order],
        inertia=float(partition.inertia[0]),
        n_passes=partition.n_passes,
        converged=partition.converged,
        feature_dim=dim,
    )
