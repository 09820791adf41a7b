"""Means of classes and which members are typical or doubtful, in one pass each over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import KindError
from adatom.numerics.blocks import blocks
from adatom.numerics.groups import counts_by_group, sums_by_group

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


class ClassSummary(NamedTuple):
    """What the rows of each class have in common.

    ``means`` and ``spreads`` (standard deviations) are (class, feature), of
    rows without gaps; ``counts`` has all members of each class.
    """

    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    spreads: NDArray[np.float64]

    def of(self, classes: NDArray[np.int64]) -> ClassSummary:
        """Give the summary of some of the classes."""
        return ClassSummary(
            self.labels[classes], self.counts[classes], self.means[classes], self.spreads[classes]
        )


def flat_labels(features: xr.DataArray, classes: xr.Dataset, /) -> NDArray[np.int64]:
    """Give the label of every row of the features, leading dims in C order."""
    label = classes["label"]
    if label.shape != features.shape[:-1]:
        msg = (
            f"labels of shape {label.shape}, features of {features.shape[:-1]} rows: "
            "give the classes that were made from these features"
        )
        raise KindError(msg)
    return np.asarray(label.values).ravel().astype(np.int64)


def summarize_classes(features: xr.DataArray, classes: xr.Dataset, /) -> ClassSummary:
    """Average the rows of every class, and give their spread, block by block."""
    labels = flat_labels(features, classes)
    n_classes = int(labels.max(initial=-1)) + 1
    sums, squares = np.zeros((2, n_classes, features.shape[-1]))
    measured = np.zeros(n_classes)
    origin: NDArray[np.float64] | None = None
    cut = blocks(features)
    for block in (cut[index] for index in range(len(cut))):
        here = labels[block.rows][block.measured]
        if origin is None and len(block.values):
            # Squares about an early row keep the digits of a small spread on a large offset.
            origin = block.values[0].astype(np.float64)
        values = block.values - (0.0 if origin is None else origin)
        sums += sums_by_group(values, here, n_groups=n_classes)
        squares += sums_by_group(values**2, here, n_groups=n_classes)
        measured += counts_by_group(here, n_groups=n_classes)
    n = np.where(measured > 0, measured, np.nan)[:, None]
    shifted = sums / n
    spreads = np.sqrt(np.maximum(squares / n - shifted**2, 0.0))
    spreads[measured < 2] = np.nan
    means = shifted + (0.0 if origin is None else origin)
    counts = counts_by_group(labels, n_groups=n_classes)
    return ClassSummary(np.arange(n_classes), counts, means, spreads)


def member_distances(
    features: xr.DataArray, classes: xr.Dataset, summary: ClassSummary, /
) -> NDArray[np.float64]:
    """Give how far every row is from the mean of its class, NaN where unknown.

    What the method measured counts; of classes in which it measured
    nothing, such as outliers, the root mean square of the differences.
    """
    labels = flat_labels(features, classes)
    if "distance" not in classes:
        return _distances_to_mean(features, classes, summary)
    distances = np.asarray(classes["distance"].values, dtype=float).ravel()
    known = np.unique(labels[np.isfinite(distances)])
    without = (labels >= 0) & ~np.isin(labels, known)
    if without.any():
        distances = np.where(without, _distances_to_mean(features, classes, summary), distances)
    return distances


def _distances_to_mean(
    features: xr.DataArray, classes: xr.Dataset, summary: ClassSummary
) -> NDArray[np.float64]:
    labels = flat_labels(features, classes)
    distances = np.full(len(labels), np.nan)
    cut = blocks(features)
    for block in (cut[index] for index in range(len(cut))):
        here = labels[block.rows][block.measured]
        rows = np.flatnonzero(block.measured) + block.rows.start
        known = here >= 0
        apart = block.values[known] - summary.means[here[known]]
        distances[rows[known]] = np.sqrt(np.mean(apart**2, axis=1))
    return distances


class Members(NamedTuple):
    """Numbers of rows of one class, the most telling first."""

    typical: NDArray[np.int64]
    doubtful: NDArray[np.int64]


def pick_members(
    classes: xr.Dataset,
    distances: NDArray[np.float64],
    label: int,
    /,
    *,
    n: int,
) -> Members:
    """Pick the members nearest to their mean, and those that are least surely members.

    Least sure are those of the least ``margin``, else of the lowest
    probability where the method gave one, else those farthest from the
    mean. A class of few members shows each of them once.
    """
    labels = np.asarray(classes["label"].values).ravel()
    rows = np.flatnonzero((labels == label) & np.isfinite(distances))
    by_distance = rows[np.argsort(distances[rows], kind="stable")]
    typical = by_distance[:n]
    doubt = _doubt(classes, distances)
    # Ties, as between members that are all certain, go by distance.
    order = np.lexsort((-distances[rows], -doubt[rows]))
    taken = set(typical.tolist())
    doubtful = [row for row in rows[order].tolist() if row not in taken][:n]
    return Members(typical, np.asarray(doubtful, dtype=np.int64))


def _doubt(classes: xr.Dataset, distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a number for every row that is large where its class is doubtful."""
    if "margin" in classes:
        sureness = np.asarray(classes["margin"].values, dtype=float).ravel()
    elif "probability" in classes:
        probability = np.asarray(classes["probability"].values, dtype=float)
        sureness = np.nan_to_num(probability).max(axis=-1, initial=0.0).ravel()
    else:
        return distances
    doubt: NDArray[np.float64] = -np.round(np.nan_to_num(sureness), 6)
    return doubt
