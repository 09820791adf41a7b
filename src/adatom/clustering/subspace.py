"""The few directions of features that rise above the noise, exactly from one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.numerics.folds import map_to
from adatom.numerics.moments import moments_of, sample_of
from adatom.numerics.noise_rank import n_components_above_noise
from adatom.numerics.principal_axes import (
    MOST_COLUMNS,
    NULL,
    axes_of_rows,
    principal_axes,
    principal_variances,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.blocks import Blocks
    from adatom.numerics.moments import Moments

# So few features are all kept: a covariance of twelve has 78 numbers.
_FEW_FEATURES: Final = 12
_MOST_COMPONENTS: Final = 20
_SAMPLE_VALUES: Final = 1 << 25


class Subspace(NamedTuple):
    """Orthonormal axes through the mean of features."""

    center: NDArray[np.float64]
    basis: NDArray[np.float64]
    """(component, feature), by falling variance."""
    variances: NDArray[np.float64]
    """Along each component."""


def moments_for_subspace(blocks: Blocks, /) -> Moments:
    """Pass once over features for all that `subspace_of` needs."""
    return moments_of(blocks, scatter=blocks.n_columns <= MOST_COLUMNS)


def subspace_of(
    blocks: Blocks,
    /,
    *,
    n_classes: int,
    n_components: int | None = None,
    least: int = 1,
    moments: Moments | None = None,
    seed: int = 0,
) -> tuple[Subspace, NDArray[np.int64]]:
    """Find the principal components that tell classes apart.

    They are exact where there are no more than 2048 columns, or no more
    measured rows than that; otherwise they are those of a stratified sample.

    Parameters
    ----------
    blocks : Blocks
        With one measured row or more.
    n_classes : int
        Classes that share the rows: each must have more rows than
        components, or its covariance means nothing.
    n_components : int, optional
        Keep so many, whatever the noise.
    least : int
        Keep so many at least, those of noise included.
    moments : Moments, optional
        Of `moments_for_subspace`, where they are known already.
    seed : int
        Of the sample.

    Returns
    -------
    subspace : Subspace
        The components.
    counts : array of int, shape (block,)
        Measured rows in every block.
    """
    if moments is None:
        moments = moments_for_subspace(blocks)
    n_rows = int(moments.counts.sum())
    if moments.scatter is not None:
        covariance = moments.scatter / max(n_rows - 1, 1)
        values = principal_variances(covariance)
    else:
        n_sample = min(MOST_COLUMNS, max(64, _SAMPLE_VALUES // blocks.n_columns))
        rows = sample_of(blocks, moments.counts, n_rows=n_sample, seed=seed) - moments.mean
        n_rows = len(rows)
        values, axes = axes_of_rows(rows)
    if n_components is None:
        n_components = _n_components(values, n_rows, n_classes, least)
    n_real = max(1, int(np.count_nonzero(values > NULL * values[0])))
    n_components = min(n_components, n_real)
    if moments.scatter is not None:
        axes = principal_axes(covariance, n_components)
    basis = np.ascontiguousarray(axes[:n_components])
    return Subspace(moments.mean, basis, values[:n_components].copy()), moments.counts


def _n_components(values: NDArray[np.float64], n_rows: int, n_classes: int, least: int) -> int:
    """Keep all of few features, of many those above the noise that the rows can afford."""
    if len(values) <= _FEW_FEATURES:
        return len(values)
    affordable = max(2, int(np.sqrt(n_rows / n_classes)))
    above = min(n_components_above_noise(values, n_rows), _MOST_COMPONENTS, affordable)
    return min(max(above, least), len(values))


def scores_in(subspace: Subspace, blocks: Blocks, counts: NDArray[np.int64], /) -> NDArray[Any]:
    """Project measured rows on a subspace: an array (measured row, component) in memory."""
    center = subspace.center.astype(blocks.dtype)
    basis = subspace.basis.T.astype(blocks.dtype)
    scores = np.full((blocks.n_rows, basis.shape[1]), np.nan, dtype=blocks.dtype)
    map_to(blocks, lambda rows: [(rows - center) @ basis], [scores])
    if counts.sum() == len(scores):
        return scores
    return scores[np.isfinite(scores[:, 0])]


def sampled_scores_in(
    subspace: Subspace, blocks: Blocks, counts: NDArray[np.int64], /, *, n_rows: int, seed: int
) -> NDArray[Any]:
    """Project measured rows, a stratified sample of `n_rows` if there are more."""
    if counts.sum() <= n_rows:
        return scores_in(subspace, blocks, counts)
    center = subspace.center.astype(blocks.dtype)
    basis = subspace.basis.T.astype(blocks.dtype)
    return sample_of(
        blocks, counts, n_rows=n_rows, seed=seed, work=lambda rows: (rows - center) @ basis
    )
