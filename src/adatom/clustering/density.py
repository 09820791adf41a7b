"""Classes as regions where rows lie densely, by HDBSCAN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.clustering.labelled import classes_from_labels
from adatom.clustering.subspace import scores_in, subspace_of
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import map_to
from adatom.numerics.moments import measured_rows, moments_of, sample_of
from adatom.schema import FEATURES, Classes, Features, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.blocks import Blocks

# The tree of HDBSCAN takes seconds for so many rows, and grows with their square.
_SAMPLE_ROWS: Final = 8192
_LEAST_SHARE: Final = 0.01
_LEAST_ROWS: Final = 10
# Density is counted over so many neighbors: fewer let noise link classes, more blur small ones.
_NEIGHBORS: Final = 5


class DensityClustering(NamedTuple):
    """Classes of dense rows, and their means."""

    classes: Classes
    """``label`` -1 where rows are too sparse for any class; ``strength`` of membership."""
    means: Features
    """(class, feature)."""


def cluster_density(
    features: Features, /, *, min_size: int | None = None, seed: int = 0
) -> DensityClustering:
    """Sort rows into the regions where they lie densely, and leave the rest without a class.

    HDBSCAN [1]_ finds how many classes there are by itself, and classes of
    any shape: bent, long, of unlike density. What lies between them,
    mixtures and outliers, is noise with the label -1. It needs gaps of low
    density: classes that overlap become one; take `cluster_gaussian_mixture`
    for these.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part. Of more than twelve
        features the principal components above the noise are taken, since
        density means little in many dimensions. Of more than 8192 rows a
        stratified sample is clustered; the others take the class of the
        nearest row of the sample, where they lie as densely as the class.
    min_size : int, optional
        Least rows of a class; by default one in a hundred, ten at least.
    seed : int
        Of the sample.

    Returns
    -------
    DensityClustering
        ``classes`` have ``strength``: 1 in the densest part of a class, 0
        for noise; further ``distance`` and ``margin`` to the means.
        There may be no class at all.

    Raises
    ------
    SettingError
        If `min_size` is below 2.
    TooFewSitesError
        If there are fewer measured rows than `min_size`, or than six.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> blobs = [rng.normal(0, 1, (60, 2)), rng.normal(20, 1, (30, 2))]
    >>> rows = np.concatenate([*blobs, [[90.0, 90.0]]])
    >>> found = cluster_density(xr.DataArray(rows, dims=("site", "feature")))
    >>> found.classes["count"].values, found.classes["label"].values[-1]
    (array([60, 30]), np.int32(-1))

    References
    ----------
    .. [1] R. J. G. B. Campello, D. Moulavi and J. Sander, Lect. Notes Comput. Sci. 7819, 160
       (2013); the implementation is that of scikit-learn.
    """
    FEATURES.check(features)
    if min_size is not None and min_size < 2:
        msg = f"{min_size=} must be 2 or more: one row is not dense"
        raise SettingError(msg)
    cut = blocks(features)
    with single_threaded_blas():
        counts = moments_of(cut).counts
        n_rows = int(counts.sum())
        size = min_size or max(_LEAST_ROWS, int(_LEAST_SHARE * n_rows))
        if n_rows < max(size, _NEIGHBORS + 1):
            msg = f"{n_rows} measured rows, {max(size, _NEIGHBORS + 1)} or more are needed"
            raise TooFewSitesError(msg)
        subspace, counts = subspace_of(cut, n_classes=2, seed=seed)
        scored = blocks_from_array(scores_in(subspace, cut, counts))
        label, strength, n_sample = _labels(scored, size, seed)
    measured = measured_rows(cut, counts=counts)
    found, known = np.full(cut.n_rows, -1), np.full(cut.n_rows, np.nan, dtype=np.float32)
    known[measured] = strength
    values, found[measured] = np.unique(label[label >= 0]), label
    found[found >= 0] = np.searchsorted(values, found[found >= 0])
    classes, means = classes_from_labels(features, found, n_classes=len(values))
    classes["strength"] = (classes["label"].dims, known.reshape(features.shape[:-1]))
    _tell(classes, n_rows, n_sample, size, len(subspace.basis), cut.n_columns)
    return DensityClustering(classes, means)


def _labels(
    scored: Blocks, size: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Cluster a sample of rows and let the others join: label, strength, rows of the sample."""
    from sklearn.cluster import HDBSCAN

    counts = moments_of(scored).counts
    n_rows = int(counts.sum())
    rows = sample_of(scored, counts, n_rows=_SAMPLE_ROWS, seed=seed).astype(np.float64)
    least = max(2, round(size * len(rows) / n_rows))
    found = HDBSCAN(
        min_cluster_size=least, min_samples=min(_NEIGHBORS, len(rows) - 1), copy=True
    ).fit(rows)
    label = np.asarray(found.labels_, dtype=np.int64)
    strength = np.asarray(found.probabilities_, dtype=np.float32)
    if len(rows) == n_rows:
        return label, strength, n_rows
    return *_joined(scored, rows, label, strength), len(rows)


def _joined(
    scored: Blocks, rows: NDArray[np.float64], label: NDArray[np.int64], strength: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give all rows the class of the nearest one of the sample, if they lie as densely as it does.

    As densely means: the distance to as many neighbors as density was counted over is no larger
    than that of the sparsest member of the class.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(rows)
    core = tree.query(rows, k=_NEIGHBORS)[0][:, -1]
    sparsest = np.full(int(label.max(initial=-1)) + 2, -np.inf)
    np.maximum.at(sparsest, label, core)
    sparsest[-1] = -np.inf

    def work(values: NDArray[Any]) -> list[NDArray[Any]]:
        distance, index = tree.query(values.astype(np.float64), k=_NEIGHBORS)
        nearest = index[:, 0]
        joins = distance[:, -1] <= sparsest[label[nearest]]
        return [np.where(joins, label[nearest], -1), np.where(joins, strength[nearest], 0)]

    labels = np.full(scored.n_rows, -1, dtype=np.int64)
    strengths = np.zeros(scored.n_rows, dtype=np.float32)
    map_to(scored, work, [labels, strengths])
    return labels, strengths


def _tell(
    classes: Classes, n_rows: int, n_sample: int, size: int, n_components: int, n_features: int
) -> None:
    label = classes["label"].values
    n_classes = classes.sizes["class"]
    n_noise = n_rows - int(np.count_nonzero(label >= 0))
    add_note(
        classes,
        f"{n_classes} dense classes of {size} rows or more; {n_noise} of {n_rows} rows are too "
        "sparse for any: label -1",
    )
    if n_sample < n_rows:
        add_note(
            classes,
            f"found on a stratified sample of {n_sample} rows, which the others joined by their "
            "nearest neighbor",
        )
    if n_components < n_features:
        add_note(
            classes,
            f"found in the {n_components} principal components kept of {n_features} features",
        )
