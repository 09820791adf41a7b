"""Classes that many resamplings of the rows agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.clustering.assigning import assign_classes
from adatom.clustering.doubt import entropy_of, margin_of
from adatom.clustering.kmeans import fit_kmeans
from adatom.clustering.lloyd import lloyd_passes, nearest_means, seed_means
from adatom.clustering.models import Clustering, number_of_classes
from adatom.errors import SettingError
from adatom.numerics.blocks import Blocks, blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import map_to
from adatom.numerics.groups import counts_by_group
from adatom.numerics.moments import Moments, moments_of, sample_of
from adatom.numerics.scores import best_matching
from adatom.schema import FEATURES, TABLE, Classes, Features, Table, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As of k-means: rows enough for a class of one in a thousand, values that memory holds easily.
_SAMPLE_ROWS: Final = 1 << 14
_SAMPLE_VALUES: Final = 1 << 21
_STARTS: Final = 2


def cluster_consensus(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_classes: int | None = None,
    n_resamples: int = 50,
    seed: int = 0,
) -> Clustering:
    """Sort rows into the classes that k-means gives over most resamplings of the rows.

    K-means is repeated on resamplings in which every row counts as often as a
    Poisson number of mean one says, which is the bootstrap of many rows [1]_.
    The classes of each are matched one to one with those of all rows, and
    every row takes the class that most resamplings give it [2]_. Where they
    disagree, the class depends on which rows happened to be measured: on
    boundaries, and wherever a class is not real.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part. Of many rows a
        stratified sample is resampled; every row votes.
    choice : Table, optional
        Of `choose_n_classes`: the number to take where `n_classes` gives none.
    n_classes : int, optional
        Number of classes.
    n_resamples : int
        Fifty: the share of a place is then known to seven per cent or better.
    seed : int
        Of the sample, the resamplings and the starts.

    Returns
    -------
    Clustering
        ``classes`` as of `cluster_kmeans`, and in addition:

        - ``probability`` (..., class): share of the resamplings that give
          the place each class;
        - ``stability``: that of its class; ``margin`` and ``entropy`` are
          those of the shares;
        - ``class_stability`` (class): overlap of the class with its partner,
          members in both over members in either, averaged over resamplings
          [3]_. Above 0.85 a class is there whatever was sampled; below 0.6
          it should not be believed.

        ``model`` is that of all rows. Memory holds the shares, never pairs
        of rows.

    Raises
    ------
    SettingError
        If `n_resamples` is below 2, or the number of classes is not given
        once.
    TooFewSitesError
        If there are fewer measured rows than classes.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = np.array([0.0, 0.1, 0.2, 0.1, 2.45, 5.0, 4.9, 4.8, 4.9])
    >>> found = cluster_consensus(xr.DataArray(rows[:, None], dims=("site", "height")), n_classes=2)
    >>> found.classes["stability"].values[[0, 8]], found.classes["stability"].values[4] < 0.9
    (array([1., 1.], dtype=float32), np.True_)

    References
    ----------
    .. [1] N. C. Oza and S. Russell, Proc. 8th Int. Workshop Artif. Intell. Stat. (2001).
    .. [2] S. Dudoit and J. Fridlyand, Bioinformatics 19, 1090 (2003), BagClust1.
    .. [3] C. Hennig, Comput. Stat. Data Anal. 52, 258 (2007).
    """
    FEATURES.check(features)
    if choice is not None:
        TABLE.check(choice)
    number = number_of_classes(choice, n_classes)
    if n_resamples < 2:
        msg = f"{n_resamples=} must be 2 or more, or nothing can agree"
        raise SettingError(msg)
    model = fit_kmeans(features, n_classes=number, seed=seed)
    classes = assign_classes(features, model)
    cut = blocks(features)
    with single_threaded_blas():
        moments = moments_of(cut)
        n_sample = min(_SAMPLE_ROWS, max(_SAMPLE_VALUES // cut.n_columns, 64 * number))
        rows = sample_of(cut, moments.counts, n_rows=n_sample, seed=seed)
        origin = moments.mean
        fitted = _resampled(rows, moments, number, n_resamples, seed)
        matched, overlap = _matched(rows, model.means - origin, fitted, origin)
        votes = _votes(cut, matched, origin)
    _tell_votes(classes, votes.reshape(*features.shape[:-1], number))
    classes["class_stability"] = ("class", overlap)
    stable = ", ".join(f"{value:.2f}" for value in overlap)
    add_note(classes, f"over {n_resamples} resamplings the classes are stable to {stable}")
    if len(rows) < moments.counts.sum():
        add_note(classes, f"a stratified sample of {len(rows)} rows was resampled; all rows voted")
    return Clustering(classes, model)


def _tell_votes(classes: Classes, votes: NDArray[Any]) -> None:
    """Give classes, in place, the labels of most votes, and what the shares of these tell."""
    before, shares = classes["label"], votes.max(axis=-1)
    # What lacks features keeps the class of those it has; nothing was resampled for it.
    label = np.where(np.isnan(shares), before.values, votes.argmax(axis=-1)).astype(np.int32)
    places = before.dims
    classes["label"] = (places, label)
    classes["probability"] = ((*places, "class"), votes)
    classes["stability"] = (places, shares)
    classes["margin"] = (places, margin_of(votes))
    classes["entropy"] = (places, entropy_of(votes))
    classes["count"] = ("class", counts_by_group(label, n_groups=votes.shape[-1]))
    doubtful = np.count_nonzero(shares < 0.9) / np.count_nonzero(np.isfinite(shares))
    add_note(classes, f"{doubtful:.1%} of the rows get their class in less than nine of ten votes")


def _resampled(
    rows: NDArray[Any], moments: Moments, n_classes: int, n_resamples: int, seed: int
) -> NDArray[np.float64]:
    """Fit means, (resampling, class, feature) about the mean of all rows, to every resampling."""
    centered = rows - moments.mean.astype(rows.dtype)
    spread = float(np.sqrt(moments.sum_of_squares / moments.counts.sum()))
    best = []
    # One resampling after the other: the memberships of all at once would not be small.
    for number in range(n_resamples):
        rng = np.random.default_rng([seed, number])
        weights = rng.poisson(1.0, len(rows)).astype(np.float64)
        if np.count_nonzero(weights) < n_classes:
            weights += 1.0
        starts = [
            seed_means(centered, n_classes=n_classes, rng=rng, weights=weights)
            for _ in range(_STARTS)
        ]
        found = lloyd_passes(
            blocks_from_array(centered),
            np.stack(starts),
            origin=np.zeros(rows.shape[1]),
            spread=spread,
            weights=np.broadcast_to(weights, (_STARTS, len(rows))),
        )
        best.append(found.means[int(np.argmin(found.inertia))])
    return np.stack(best)


def _labels(rows: NDArray[Any], means: NDArray[Any]) -> NDArray[Any]:
    return nearest_means(rows, means, (means**2).sum(axis=-1) / 2)[0]


def _matched(
    rows: NDArray[Any],
    reference: NDArray[np.float64],
    fitted: NDArray[np.float64],
    origin: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put the means of every resampling in the order of the reference; mean overlap of each."""
    centered = rows - origin.astype(rows.dtype)
    n_classes = len(reference)
    ours = _labels(centered, reference[None].astype(rows.dtype))[0]
    matched = np.empty_like(fitted)
    overlap = np.zeros(n_classes)
    for number, means in enumerate(fitted):
        theirs = _labels(centered, means[None].astype(rows.dtype))[0]
        flat = ours.astype(np.int64) * n_classes + theirs
        counts = np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)
        partner = best_matching(counts)
        matched[number] = means[partner]
        both = counts[np.arange(n_classes), partner]
        either = counts.sum(axis=1) + counts.sum(axis=0)[partner] - both
        overlap += both / np.maximum(either, 1)
    return matched, overlap / len(fitted)


def _votes(cut: Blocks, matched: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[Any]:
    """Count which share of the resamplings gives every row each class; NaN where it has NaN."""
    n_resamples, n_classes, _ = matched.shape
    means = matched.astype(cut.dtype)
    shift = origin.astype(cut.dtype)

    def work(rows: NDArray[Any]) -> list[NDArray[Any]]:
        labels = _labels(rows - shift, means)
        counts = [(labels == number).sum(axis=0) for number in range(n_classes)]
        return [np.stack(counts, axis=1) / n_resamples]

    shares = np.full((cut.n_rows, n_classes), np.nan, dtype=np.float32)
    map_to(cut, work, [shares])
    return shares
