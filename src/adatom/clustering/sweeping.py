"""Classes for every number of them, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.clustering.choosing import choose_n_classes
from adatom.clustering.kmeans_sweep import fit_kmeans_sweep
from adatom.clustering.lloyd import nearest_means
from adatom.clustering.uniform import inside_of
from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import fold, fold_map
from adatom.numerics.scores import best_matching
from adatom.schema import (
    FEATURES,
    Classes,
    Features,
    Mask,
    Table,
    add_note,
    notes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.clustering.models import KMeansModel
    from adatom.numerics.blocks import Block

_NO_CLASS: Final = -1
# Labels of every number and row are kept, as bytes.
_MOST_CLASSES: Final = 127


class ClassSweep(NamedTuple):
    """What every number of classes shows."""

    table: Table
    """The indices of every number, and the recommended one with its reason."""
    classes: Classes
    """``label`` (n_classes, ...): the classes of every number, aligned."""
    means: Features
    """(n_classes, class, feature): what each class of each number looks like."""


def compare_n_classes(
    features: Features,
    spectra: Features | None = None,
    uniform: Mask | None = None,
    /,
    *,
    max_classes: int = 10,
    n_references: int = 10,
    n_starts: int = 10,
    seed: int = 0,
) -> ClassSweep:
    """Sort rows into one to `max_classes` classes, and lay them side by side with all indices.

    No index is right for every material: a picture of what one class more
    separates, where it lies and how its spectrum differs, lets the one who
    knows the specimen agree or disagree with the recommended number.

    Classes are those of k-means. Labels stay from number to number: classes
    of the recommended number are numbered by falling size, as by
    `cluster_kmeans`; with one class more or less each takes the label of the
    class with which it shares most rows [1]_, and what is split off gets the
    next free one.

    Parameters
    ----------
    features : Features
        What is clustered: spectra, or better the scores of their principal
        components. Numpy or dask inside; read block by block. Rows with NaN
        have no class.
    spectra : Features, optional
        On the same places, whose class means are shown: the spectra as they
        were measured, where scores are clustered. By default `features`.
    uniform : Mask, optional
        Of `find_uniform_pixels`: classes are learnt there, and assigned
        everywhere.
    max_classes : int
        Numbers compared are 1 to this one, 127 at most; of fewer distinct rows,
        so many.
    n_references : int
        Random references of the gap, and resamplings of the stability; see
        `choose_n_classes`.
    n_starts : int
        Starts of k-means; see `fit_kmeans`.
    seed : int
        Of everything random.

    Returns
    -------
    ClassSweep
        ``table``: as of `choose_n_classes`, one row a number, with
        ``attrs["n_classes"]`` and ``attrs["reason"]``.

        ``classes``: ``label`` (n_classes, ...); ``count`` (n_classes, class);
        and, of every number above one, ``new_class`` (n_classes), the label
        that the number below lacks, and ``split_class`` (n_classes), the
        class of the number below that most of its rows come from.

        ``means``: (n_classes, class, ...), NaN where a number has no class of
        this label.

    Raises
    ------
    SettingError
        If a setting is out of range.
    TooFewSitesError
        If there are fewer than two measured rows.
    KindError
        If the spectra or the mask lie on other places than the features.

    References
    ----------
    .. [1] H. W. Kuhn, Nav. Res. Logist. Q. 2, 83 (1955).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(9, 1, (30, 2))])
    >>> sweep = compare_n_classes(xr.DataArray(rows, dims=("site", "feature")), max_classes=3)
    >>> sweep.classes["count"].sel(n_classes=[1, 2]).values.tolist()
    [[90, 0, 0], [60, 30, 0]]
    """
    FEATURES.check(features)
    if max_classes > _MOST_CLASSES:
        msg = f"{max_classes=} must be no more than {_MOST_CLASSES}: nobody sees so many apart"
        raise SettingError(msg)
    shown = features if spectra is None else spectra
    _check_places(features, shown)
    learnt = inside_of(features, uniform)
    table = choose_n_classes(
        features, uniform, max_classes=max_classes, n_references=n_references, seed=seed
    )
    numbers = table["n_classes"].values.astype(int)
    models = fit_kmeans_sweep(
        learnt, min_classes=1, max_classes=int(numbers[-1]), n_starts=n_starts, seed=seed
    ).models
    labels, shared = _assigned(features, models)
    orders = _aligned_labels(shared, anchor=min(int(table.attrs["n_classes"]), len(models)) - 1)
    labels = _relabelled(labels, orders)
    sums, counts = _sums_of_classes(shown, labels)
    classes = _classes(features, labels, numbers)
    classes["new_class"], classes["split_class"] = _splits(shared, orders)
    classes.attrs["n_classes"] = len(models)
    for text in notes(table):
        add_note(classes, text)
    return ClassSweep(table, classes, _means(shown, sums, counts, numbers))


def _check_places(features: xr.DataArray, shown: xr.DataArray) -> None:
    FEATURES.check(shown)
    ones, others = (dict(zip(a.dims[:-1], a.shape[:-1], strict=True)) for a in (features, shown))
    if ones != others:
        msg = f"features are on {ones}, the spectra on {others}: they must be of the same places"
        raise KindError(msg)


def _assigned(
    features: xr.DataArray, models: Sequence[KMeansModel]
) -> tuple[NDArray[np.int8], list[NDArray[np.int64]]]:
    """Label all rows by every model in one pass: labels (row, model).

    And how many rows share a class of one model and a class of the next, (class, next class).
    """
    cut = blocks(features)
    labels = np.full((cut.n_rows, len(models)), _NO_CLASS, dtype=np.int8)
    origin = models[0].means[0]
    means = [(model.means - origin).astype(cut.dtype)[None] for model in models]
    shift = origin.astype(cut.dtype)

    def step(block: Block) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int8]]]:
        rows = block.values - shift
        found = [nearest_means(rows, m, (m**2).sum(axis=-1) / 2)[0][0] for m in means]
        shared = [
            np.bincount(
                a.astype(np.int64) * m.shape[1] + b, minlength=(m.shape[1] - 1) * m.shape[1]
            ).reshape(-1, m.shape[1])
            for a, b, m in zip(found[:-1], found[1:], means[1:], strict=True)
        ]
        return shared, [np.stack(found, axis=1).astype(np.int8)]

    shared = fold_map(
        cut, step, lambda ones, others: [a + b for a, b in zip(ones, others, strict=True)], [labels]
    )
    return labels, shared


def _aligned_labels(shared: list[NDArray[np.int64]], *, anchor: int) -> list[NDArray[np.int64]]:
    """Give the label of every class of every model, those of the anchor as they are."""
    n_models = len(shared) + 1
    orders = [np.arange(number) for number in range(1, n_models + 1)]
    for index in range(anchor + 1, n_models):
        orders[index] = _followed(shared[index - 1].T, orders[index - 1])
    for index in range(anchor - 1, -1, -1):
        orders[index] = _followed(shared[index], orders[index + 1])
    return orders


def _followed(shared: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Label classes as those that they share most rows with; what has no partner as free."""
    partner = best_matching(shared)
    free = iter(sorted(set(range(max(shared.shape))) - set(known.tolist())))
    return np.array([known[p] if p >= 0 else next(free) for p in partner])


def _relabelled(labels: NDArray[np.int8], orders: list[NDArray[np.int64]]) -> NDArray[np.int8]:
    renamed = np.full_like(labels, _NO_CLASS)
    for index, order in enumerate(orders):
        known = labels[:, index] >= 0
        renamed[known, index] = order.astype(np.int8)[labels[known, index]]
    return renamed


def _splits(
    shared: list[NDArray[np.int64]], orders: list[NDArray[np.int64]]
) -> tuple[xr.DataArray, xr.DataArray]:
    """Say of every number which label the number below lacks, and where its rows were."""
    new, split = [_NO_CLASS], [_NO_CLASS]
    for counts, before, after in zip(shared, orders[:-1], orders[1:], strict=True):
        place = next(k for k, label in enumerate(after.tolist()) if label not in before)
        new.append(int(after[place]))
        split.append(int(before[int(counts[:, place].argmax())]))
    made = (xr.DataArray(np.array(values, np.int64), dims="n_classes") for values in (new, split))
    first, second = made
    return first, second


def _sums_of_classes(
    shown: xr.DataArray, labels: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum the rows of every class of every number in one pass: (number, class, channel)."""
    cut = blocks(shown)
    n_models = labels.shape[1]
    named = np.arange(n_models, dtype=np.int8)

    def step(block: Block, part: NDArray[np.int8]) -> tuple[NDArray[Any], NDArray[Any]]:
        members = (part[:, :, None] == named).reshape(len(part), -1)
        sums = members.T.astype(block.values.dtype) @ block.values
        return sums.astype(np.float64), members.sum(axis=0)

    sums, counts = fold(cut, step, lambda a, b: (a[0] + b[0], a[1] + b[1]), beside=(labels,))
    return sums.reshape(n_models, n_models, -1), counts.reshape(n_models, n_models)


def _classes(
    features: xr.DataArray, labels: NDArray[np.int8], numbers: NDArray[np.int64]
) -> xr.Dataset:
    places = features.dims[:-1]
    shape = features.shape[:-1]
    named = np.arange(len(numbers))
    counts = np.stack([(labels == name).sum(axis=0) for name in named], axis=1)
    classes = xr.Dataset(
        {
            "label": (("n_classes", *places), labels.T.reshape(len(numbers), *shape)),
            "count": (("n_classes", "class"), counts),
        },
        coords={
            **{name: c for name, c in features.coords.items() if set(c.dims) <= set(places)},
            "n_classes": numbers,
            "class": named,
        },
        attrs={k: features.attrs[k] for k in ("spacing", "extent") if k in features.attrs},
    )
    n_missing = int((labels[:, 0] < 0).sum())
    if n_missing:
        add_note(classes, f"{n_missing} of {len(labels)} rows lack features: label -1, no class")
    return classes


def _means(
    shown: xr.DataArray,
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    numbers: NDArray[np.int64],
) -> xr.DataArray:
    last = shown.dims[-1]
    means = sums / np.where(counts > 0, counts, np.nan)[..., None]
    return xr.DataArray(
        means.astype(blocks(shown).dtype),
        dims=("n_classes", "class", last),
        coords={
            **{name: c for name, c in shown.coords.items() if c.dims == (last,)},
            "n_classes": numbers,
            "class": np.arange(len(numbers)),
            "count": (("n_classes", "class"), counts),
        },
        name=shown.name,
        attrs=dict(shown.attrs),
    )
