"""k-means on features of any size."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adatom.clustering.assigning import assign_classes
from adatom.clustering.lloyd import AT_REST, Passes, lloyd_passes, seed_means
from adatom.clustering.models import Clustering, KMeansModel, number_of_classes
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Blocks, blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.moments import Moments, moments_of, sample_of
from adatom.schema import FEATURES, TABLE, Features, Table, add_note

# Starts compete on a sample: enough rows for a class of one in a thousand, little enough memory.
_SAMPLE_ROWS: Final = 1 << 14
_SAMPLE_VALUES: Final = 1 << 22
# The best starts on the sample go on over all rows; more than three change the winner rarely.
_FINALISTS: Final = 3


def fit_kmeans(
    features: Features, /, *, n_classes: int, n_starts: int = 10, seed: int = 0
) -> KMeansModel:
    """Find the means of classes by k-means, exactly at any size.

    Starts are drawn by k-means++ [2]_ and moved by Lloyd's passes [1]_ on a
    stratified sample (on all rows if they are few), all of them in the same
    passes; the three best then go over all rows, block by block, until no
    mean moves. Memory holds the sample and a few blocks, whatever the size.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part. Columns are taken
        as they are, on one common scale.
    n_classes : int
        Number of classes; `choose_n_classes` finds it.
    n_starts : int
        Ten, since a single start often ends in a poor optimum: with six
        classes about one in two.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    KMeansModel
        Classes by falling size.

    Raises
    ------
    TooFewSitesError
        If there are fewer measured rows than classes.
    SettingError
        If `n_classes` or `n_starts` is below 1, or there are fewer distinct
        rows than classes.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[0.0], [0.1], [5.0], [0.2]], dims=("site", "feature"))
    >>> fit_kmeans(rows, n_classes=2).means
    array([[0.1],
           [5. ]])

    References
    ----------
    .. [1] S. P. Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982).
    .. [2] D. Arthur and S. Vassilvitskii, Proc. 18th ACM-SIAM SODA, 1027 (2007).
    """
    FEATURES.check(features)
    if n_classes < 1 or n_starts < 1:
        msg = f"{n_classes=} and {n_starts=} must be 1 or more"
        raise SettingError(msg)
    cut = blocks(features)
    with single_threaded_blas():
        moments = moments_of(cut)
        n_rows = int(moments.counts.sum())
        if n_rows < n_classes:
            msg = f"{n_rows} measured rows cannot form {n_classes=}: give more rows or fewer"
            raise TooFewSitesError(msg)
        spread = float(np.sqrt(moments.sum_of_squares / n_rows))
        found = _passes(cut, moments, spread, n_classes, n_starts, seed)
    best = int(np.argmin(found.inertia))
    means, counts = found.means[best] + moments.mean, found.counts[best].astype(np.int64)
    if not counts.all():
        msg = f"only {np.count_nonzero(counts)} classes got rows, {n_classes=}: ask for fewer"
        raise SettingError(msg)
    order = size_order(counts, means)
    return KMeansModel(
        means=means[order],
        counts=counts[order],
        inertia=float(found.inertia[best]),
        n_passes=found.n_passes,
        converged=found.converged,
        feature_dim=str(features.dims[-1]),
    )


def _passes(
    cut: Blocks, moments: Moments, spread: float, n_classes: int, n_starts: int, seed: int
) -> Passes:
    n_sample = min(_SAMPLE_ROWS, max(_SAMPLE_VALUES // cut.n_columns, 64 * n_classes))
    rows = sample_of(cut, moments.counts, n_rows=n_sample, seed=seed)
    starts = stacked_starts(rows - moments.mean.astype(rows.dtype), n_classes, n_starts, seed)
    origin = moments.mean
    # Full rest costs nothing where all rows are in the sample anyway.
    at_rest = 0.0
    if len(rows) < moments.counts.sum():
        at_rest = AT_REST
        tried = lloyd_passes(blocks_from_array(rows), starts, origin=origin, spread=spread)
        starts = tried.means[np.argsort(tried.inertia, kind="stable")[:_FINALISTS]]
    return lloyd_passes(cut, starts, origin=origin, spread=spread, at_rest=at_rest)


def stacked_starts(
    rows: NDArray[Any], n_classes: int, n_starts: int, seed: int
) -> NDArray[np.float64]:
    """Draw the first means of all starts, (start, class, feature)."""
    rng = np.random.default_rng(seed)
    return np.stack([seed_means(rows, n_classes=n_classes, rng=rng) for _ in range(n_starts)])


def size_order(counts: NDArray[Any], means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order classes by falling size, equal ones by their means."""
    return np.lexsort((*means.T[::-1], -np.asarray(counts)))


def cluster_kmeans(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_classes: int | None = None,
    n_starts: int = 10,
    seed: int = 0,
) -> Clustering:
    """Sort the rows of features into classes by k-means.

    Parameters
    ----------
    features : Features
        Spectra, patches, neighbor vectors ...; see `fit_kmeans`.
    choice : Table, optional
        Of `choose_n_classes`, in place of `n_classes`.
    n_classes : int, optional
        Number of classes.
    n_starts : int
        See `fit_kmeans`.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    Clustering
        ``classes`` (see `assign_classes`) and ``model``. Class 0 is the
        largest, so that colors stay.

    Raises
    ------
    SettingError
        If both or neither of `choice` and `n_classes` are given.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[0.0], [0.1], [5.0], [0.2]], dims=("site", "feature"))
    >>> cluster_kmeans(rows, n_classes=2).classes["label"].values
    array([0, 0, 1, 0], dtype=int32)
    """
    FEATURES.check(features)
    if choice is not None:
        TABLE.check(choice)
    number = number_of_classes(choice, n_classes)
    model = fit_kmeans(features, n_classes=number, n_starts=n_starts, seed=seed)
    classes = assign_classes(features, model)
    if not model.converged:
        add_note(
            classes,
            f"k-means stopped after {model.n_passes} passes while its means still moved: "
            "boundaries between classes are not exact",
        )
    return Clustering(classes, model)
