"""The few directions of features that rise above the noise, exactly from one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.linalg

from adatom.numerics.folds import fold
from adatom.numerics.moments import moments_of, sample_of
from adatom.numerics.noise_rank import n_components_above_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks

# So few features are all kept: a covariance of twelve has 78 numbers.
_FEW_FEATURES: Final = 12
_MOST_COMPONENTS: Final = 20
# The eigenvectors of 2048 columns take seconds, those of 8192 some ten minutes.
_MOST_COLUMNS: Final = 2048
_SAMPLE_VALUES: Final = 1 << 25
# Axes of less variance than this share of the largest are rounding errors of float32 data.
_NULL: Final = 1e-12


class Subspace(NamedTuple):
    """Orthonormal axes through the mean of features."""

    center: NDArray[np.float64]
    basis: NDArray[np.float64]
    """(component, feature), by falling variance."""
    variances: NDArray[np.float64]
    """Along each component."""


def subspace_of(
    blocks: Blocks, /, *, n_classes: int, n_components: int | None = None, seed: int = 0
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
    seed : int
        Of the sample.

    Returns
    -------
    subspace : Subspace
        The components.
    counts : array of int, shape (block,)
        Measured rows in every block.
    """
    n_features = blocks.n_columns
    moments = moments_of(blocks, scatter=n_features <= _MOST_COLUMNS)
    n_rows = int(moments.counts.sum())
    if moments.scatter is not None:
        values, vectors = scipy.linalg.eigh(moments.scatter / max(n_rows - 1, 1))
        values, axes = np.maximum(values[::-1], 0), vectors[:, ::-1].T
    else:
        n_sample = min(_MOST_COLUMNS, max(64, _SAMPLE_VALUES // n_features))
        rows = sample_of(blocks, moments.counts, n_rows=n_sample, seed=seed)
        values, axes = _axes_of_rows(rows - moments.mean)
        n_rows = len(rows)
    n_real = max(1, int(np.count_nonzero(values > _NULL * values[0])))
    if n_components is None:
        n_components = n_features
        if n_features > _FEW_FEATURES:
            n_components = max(1, n_components_above_noise(values, n_rows))
            affordable = max(2, int(np.sqrt(n_rows / n_classes)))
            n_components = min(n_components, _MOST_COMPONENTS, affordable)
    basis = axes[: min(n_components, n_real)]
    # The sign of an eigenvector is arbitrary: make its largest entry positive.
    largest = np.abs(basis).argmax(axis=1)
    basis = basis * np.sign(basis[np.arange(len(basis)), largest])[:, None]
    variances = values[: len(basis)].copy()
    return Subspace(moments.mean, np.ascontiguousarray(basis), variances), moments.counts


def _axes_of_rows(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find principal axes from the products of rows, which are fewer than the columns."""
    values, vectors = scipy.linalg.eigh(rows @ rows.T / max(len(rows) - 1, 1))
    values = np.maximum(values[::-1], 0)
    n_real = max(1, int(np.count_nonzero(values > _NULL * values[0])))
    axes = vectors[:, ::-1].T[:n_real] @ rows
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    padded = np.zeros(rows.shape[1])
    padded[: min(len(values), len(padded))] = values[: len(padded)]
    return padded, axes / np.where(lengths > 0, lengths, 1)


def scores_in(subspace: Subspace, blocks: Blocks, counts: NDArray[np.int64], /) -> NDArray[Any]:
    """Project measured rows on a subspace: an array (measured row, component) in memory."""
    scores = np.empty((int(counts.sum()), len(subspace.basis)), dtype=blocks.dtype)
    ends = np.cumsum(counts)
    center = subspace.center.astype(blocks.dtype)
    basis = subspace.basis.T.astype(blocks.dtype)

    def step(block: Block) -> None:
        end = ends[block.number]
        scores[end - len(block.values) : end] = (block.values - center) @ basis

    fold(blocks, step, lambda _first, _second: None)
    return scores
