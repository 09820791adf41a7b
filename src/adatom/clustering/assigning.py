"""Classes of any features by a model, and the mean features of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.clustering.doubt import entropy_of
from adatom.clustering.lloyd import nearest_means
from adatom.clustering.mixtures import Mixture, log_densities_of, log_sum
from adatom.clustering.models import (
    KMeansModel,
    MixtureModel,
    Model,
    PoissonMixtureModel,
    check_features_fit,
)
from adatom.clustering.shapes import Shapes, deviances, log_likelihoods_of, totals_of
from adatom.errors import KindError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import fold, map_to
from adatom.numerics.groups import counts_by_group, sums_by_group
from adatom.schema import CLASSES, FEATURES, Classes, Features, add_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block

    Columns = slice | NDArray[np.bool_]
    # Label, distance, margin and, of a mixture, probability, by these columns of rows alone.
    Judge = Callable[[NDArray[Any], Columns], Sequence[NDArray[Any]]]

_ALL: Final = slice(None)
# What pictures name and color classes by: it goes on to their means and sums.
_NAMING: Final = ("outlier_class", "class_names")


def assign_classes(
    features: Features, model: KMeansModel | MixtureModel | PoissonMixtureModel, /
) -> Classes:
    """Assign a class to every row of features by a model that was fitted before.

    A row that lacks up to half of its features, as a site at the border or
    next to a vacancy, gets its class by those it has: the nearest mean in
    these features, or the marginal of the mixture [1]_. A mixture that was
    fitted in fewer components than there are features (as of patches) knows
    too little of the rest for that. Features are streamed, what is assigned
    stands in memory.

    Parameters
    ----------
    features : Features
        Measured in the same way as what `model` was fitted to.
    model : KMeansModel, MixtureModel or PoissonMixtureModel
        From `fit_kmeans`, `fit_gaussian_mixture`, `fit_poisson_mixture` or
        the ``model`` of a clustering.

    Returns
    -------
    Classes
        On the leading dims of the features, with their coordinates:

        - ``label``: the class; -1 for rows of which more than half of the
          features are NaN, for all that have NaN where a mixture was
          fitted in fewer components, and for counts that are all zero.
        - ``distance``: to the mean of the class; of a mixture in standard
          deviations of the class (Mahalanobis), of counts the root of their
          deviance. Typical members are near.
          NaN for outliers and for rows that lack features.
        - ``margin``: 0 on the boundary to another class, 1 far from it:
          1 - d1/d2 with the distances to the nearest and second nearest mean
          (the simplified silhouette); of a mixture the largest probability
          less the second. Doubtful members have little.
        - ``probability`` (..., class), of a mixture: of each class, that of
          the outliers last; and ``entropy`` of these: 0 where one class is
          certain, 1 where all are equally likely.
        - ``count`` (class): rows of each class, those that lack features
          included.

        ``attrs["n_classes"]`` counts all classes, that of the outliers
        included; ``attrs["outlier_class"]`` is its label.

    Raises
    ------
    KindError
        If the features are not of the sort that the model was fitted to.

    References
    ----------
    .. [1] D. B. Rubin, Biometrika 63, 581 (1976): where what is missing does not depend on
       the missing values, the likelihood of what was measured is all that counts.

    Examples
    --------
    >>> from adatom.clustering.kmeans import fit_kmeans
    >>> rows = xr.DataArray([[0.0], [0.2], [5.0], [np.nan]], dims=("site", "feature"))
    >>> model = fit_kmeans(rows, n_classes=2)
    >>> assign_classes(rows, model)["label"].values
    array([ 0,  0,  1, -1], dtype=int32)
    """
    FEATURES.check(features)
    check_features_fit(features, model)
    n_classes = len(model.counts)
    cut = blocks(features)
    judge = _judge_of(model)
    outputs = _unclassified(cut.n_rows, model)
    complete = np.zeros(cut.n_rows, dtype=bool)
    map_to(
        cut,
        lambda rows: (*judge(rows, _ALL), np.ones(len(rows), dtype=bool)),
        [*outputs, complete],
        incomplete=lambda rows: (*_by_parts(rows, judge, model), np.zeros(len(rows), dtype=bool)),
    )
    places = features.dims[:-1]
    classes = xr.Dataset(
        {
            name: (places, values.reshape(cut.shape))
            for name, values in zip(("label", "distance", "margin"), outputs[:3], strict=True)
        },
        coords={
            name: coord for name, coord in features.coords.items() if set(coord.dims) <= set(places)
        },
        attrs={k: features.attrs[k] for k in ("spacing", "extent") if k in features.attrs},
    )
    if len(outputs) > 3:
        probability = outputs[3].reshape(*cut.shape, n_classes)
        classes["probability"] = ((*places, "class"), probability)
        classes["entropy"] = (places, entropy_of(probability))
    classes = classes.assign_coords({"class": np.arange(n_classes)})
    classes["count"] = ("class", counts_by_group(outputs[0], n_groups=n_classes))
    classes.attrs["n_classes"] = n_classes
    if isinstance(model, MixtureModel) and model.outlier_class is not None:
        classes.attrs["outlier_class"] = model.outlier_class
    _tell_of_parts(classes, complete.reshape(cut.shape))
    return classes


def _judge_of(model: Model) -> Judge:
    if isinstance(model, KMeansModel):
        return _by_means(model)
    return _by_mixture(model) if isinstance(model, MixtureModel) else _by_shapes(model)


def _by_means(model: KMeansModel) -> Judge:
    origin = model.means.mean(axis=0)
    centered = model.means - origin

    def judge(rows: NDArray[Any], columns: Columns) -> Sequence[NDArray[Any]]:
        rows = rows[:, columns] - origin[columns].astype(rows.dtype)
        means = centered[:, columns].astype(rows.dtype)
        labels, _ = nearest_means(rows, means[None], (means[None] ** 2).sum(axis=-1) / 2)
        label = labels[0].astype(np.int32)
        # Straight from the differences: by products, short distances would lose their digits.
        distances = np.stack([np.sqrt(((rows - mean) ** 2).sum(axis=-1)) for mean in means])
        near = distances[label, np.arange(len(rows))]
        return label, near, _margin(near, _second(distances, label))

    return judge


def _second(distances: NDArray[Any], label: NDArray[np.int32]) -> NDArray[Any]:
    others = distances.copy()
    others[label, np.arange(distances.shape[1])] = np.inf
    second: NDArray[Any] = others.min(axis=0)
    return second


def _margin(near: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    margin = np.zeros_like(near)
    # A single class has its second nearest mean at infinity: no row is doubtful.
    np.divide(near, second, out=margin, where=second > 0)
    return np.where(second > 0, np.clip(1 - margin, 0, 1), 0)


def _by_mixture(model: MixtureModel) -> Judge:
    whole = Mixture(model.weights, model.means, model.covariances, model.outlier_log_density)

    def judge(rows: NDArray[Any], columns: Columns) -> Sequence[NDArray[Any]]:
        axes, mixture = model.basis.T, whole
        if not isinstance(columns, slice):
            if len(model.basis) < model.n_features:
                # What lies outside of the components is not known well enough to fill gaps.
                return _unclassified(len(rows), model)
            axes, mixture = np.eye(int(columns.sum())), _marginal(whole, model, columns)
        centered = rows[:, columns] - model.center[columns].astype(rows.dtype)
        scores = (centered @ axes.astype(centered.dtype)).astype(np.float64)
        log_densities, squares = log_densities_of(mixture)(scores)
        probability = np.exp(log_densities - log_sum(log_densities)).T
        label = probability.argmax(axis=1).astype(np.int32)
        if model.outlier_class is not None:
            squares = np.concatenate([squares, np.full((1, len(scores)), np.nan)])
        distance = np.sqrt(squares[label, np.arange(len(scores))])
        return label, distance, _lead(probability), probability

    return judge


def _by_shapes(model: PoissonMixtureModel) -> Judge:
    def judge(rows: NDArray[Any], columns: Columns) -> Sequence[NDArray[Any]]:
        outputs = _unclassified(len(rows), model)
        rows = rows[:, columns]
        # Given the total in the channels that were measured, their counts are multinomial as well.
        parts = [shape[..., columns] for shape in (model.shapes, model.pooled)]
        shapes, pooled = (part / part.sum(axis=-1, keepdims=True) for part in parts)
        mixture = Shapes(model.weights, shapes, pooled, model.dispersion)
        counted = np.flatnonzero(totals_of(rows) > 0)
        rows = rows[counted]
        logs = log_likelihoods_of(mixture, rows.dtype)(rows)
        probability = np.exp(logs - log_sum(logs)).T
        label = probability.argmax(axis=1).astype(np.int32)
        distance = np.sqrt(deviances(rows, shapes, label) / model.dispersion)
        results = (label, distance, _lead(probability), probability)
        for output, result in zip(outputs, results, strict=True):
            output[counted] = result
        return outputs

    return judge


def _lead(probability: NDArray[Any]) -> NDArray[Any]:
    """Give the largest probability of each row less the second."""
    ranked = np.sort(probability, axis=1)
    second = ranked[:, -2] if ranked.shape[1] > 1 else 0.0
    return np.asarray(ranked[:, -1] - second)


def _marginal(whole: Mixture, model: MixtureModel, columns: NDArray[np.bool_]) -> Mixture:
    """Give the mixture of some features alone, about their center; all components are kept.

    Outliers are as dense per feature as before, as if their box were a cube.
    """
    covariances = model.basis.T @ model.covariances @ model.basis
    return replace(
        whole,
        means=(model.means @ model.basis)[:, columns],
        covariances=covariances[:, columns][:, :, columns],
        outlier_log_density=model.outlier_log_density * float(columns.mean()),
    )


def _by_parts(rows: NDArray[Any], judge: Judge, model: Model) -> list[NDArray[Any]]:
    """Judge rows that lack the same features together by the features they have."""
    known = np.isfinite(rows)
    outputs = _unclassified(len(rows), model)
    _, patterns = np.unique(np.packbits(known, axis=1), axis=0, return_inverse=True)
    order = np.argsort(patterns.ravel(), kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(patterns.ravel()))[:-1]):
        columns = known[members[0]]
        if 2 * np.count_nonzero(columns) >= len(columns):
            for output, result in zip(outputs, judge(rows[members], columns), strict=True):
                output[members] = result
    # How far the rest of such a row is from the mean is not known.
    outputs[1][:] = np.nan
    return outputs


def _unclassified(n_rows: int, model: Model) -> list[NDArray[Any]]:
    """Give label -1, and NaN for distance, margin and, of a mixture, every probability."""
    outputs: list[NDArray[Any]] = [np.full(n_rows, -1, dtype=np.int32)]
    outputs += [np.full(n_rows, np.nan, dtype=np.float32) for _ in range(2)]
    if not isinstance(model, KMeansModel):
        outputs.append(np.full((n_rows, len(model.counts)), np.nan, dtype=np.float32))
    return outputs


def _tell_of_parts(classes: Classes, complete: NDArray[np.bool_]) -> None:
    unclassified = classes["label"].values < 0
    n_rows = unclassified.size
    n_missing = int(np.count_nonzero(unclassified & ~complete))
    n_empty = int(np.count_nonzero(unclassified & complete))
    n_judged = int(np.count_nonzero(~complete)) - n_missing
    if n_judged:
        add_note(
            classes,
            f"{n_judged} of {n_rows} rows lack up to half of the features: "
            "they have the class of those they have, and distance NaN",
        )
    if n_missing:
        add_note(
            classes,
            f"{n_missing} of {n_rows} rows lack features that would be needed: label -1, no class",
        )
    if n_empty:
        add_note(classes, f"{n_empty} of {n_rows} rows have no counts: label -1, no class")


def class_means(features: Features, classes: Classes, /) -> Features:
    """Average the features of every class.

    Parameters
    ----------
    features : Features
        Numpy or dask inside; need not be those that were clustered, only on
        the same places: the raw patches, say, of classes found on their
        normalized form.
    classes : Classes
        On the leading dims of `features`.

    Returns
    -------
    Features
        Dims (class, feature), with the coordinates of the features, their
        ``attrs`` (such as ``patch_shape``), and the coordinate ``count``
        (class): rows that were averaged. A class without rows is NaN.

    Raises
    ------
    KindError
        If the classes do not lie on the leading dims of the features.

    Examples
    --------
    >>> rows = xr.DataArray([[0.0], [2.0], [5.0]], dims=("site", "feature"))
    >>> found = xr.Dataset({"label": ("site", [0, 0, 1])})
    >>> class_means(rows, found).values
    array([[1.],
           [5.]])
    """
    totals = _class_totals(features, classes)
    counts = totals.coords["count"].values
    means = totals.values / np.where(counts > 0, counts, np.nan)[:, None]
    return totals.copy(data=means.astype(blocks(features).dtype))


def class_sums(features: Features, classes: Classes, /) -> Features:
    """Add up the features of every class.

    Of counts, sums and not means keep the statistics: a fit by likelihood
    to the sum of many decays of few photons needs their number.

    Parameters
    ----------
    features : Features
        Numpy or dask inside; need not be those that were clustered, only on
        the same places.
    classes : Classes
        On the leading dims of `features`.

    Returns
    -------
    Features
        Dims (class, feature), float, with the coordinates of the features
        and the coordinate ``count`` (class): rows that were added up. Rows
        with NaN and rows without class take no part.

    Raises
    ------
    KindError
        If the classes do not lie on the leading dims of the features.

    Examples
    --------
    >>> rows = xr.DataArray([[1.0], [2.0], [5.0]], dims=("site", "feature"))
    >>> found = xr.Dataset({"label": ("site", [0, 0, 1])})
    >>> class_sums(rows, found).values
    array([[3.],
           [5.]])
    """
    totals = _class_totals(features, classes)
    # In float32, sums above 16 million are off by less than 1e-7: far below their Poisson noise.
    return totals.astype(blocks(features).dtype)


def _class_totals(features: Features, classes: Classes) -> Features:
    """Add up, in float64, the measured rows of every class."""
    FEATURES.check(features)
    CLASSES.check(classes)
    label = classes["label"]
    places = features.dims[:-1]
    if label.dims != places or label.shape != features.shape[:-1]:
        msg = (
            f"classes are on {dict(label.sizes)}, features on "
            f"{ {dim: features.sizes[dim] for dim in places} }: they must be of the same places"
        )
        raise KindError(msg)
    flat = label.values.ravel()
    n_classes = int(classes.sizes.get("class", max(0, int(flat.max(initial=-1)) + 1)))
    cut = blocks(features)

    def step(block: Block, groups: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return (
            sums_by_group(block.values, groups, n_groups=n_classes),
            counts_by_group(groups, n_groups=n_classes),
        )

    sums, counts = fold(cut, step, lambda a, b: (a[0] + b[0], a[1] + b[1]), beside=(flat,))
    last = features.dims[-1]
    totals = xr.DataArray(
        sums,
        dims=("class", last),
        coords={
            **{name: c for name, c in features.coords.items() if c.dims == (last,)},
            "class": np.arange(n_classes),
            "count": ("class", counts),
        },
        name=features.name,
        attrs=dict(features.attrs)
        | {key: classes.attrs[key] for key in _NAMING if key in classes.attrs},
    )
    _tell_of_incomplete(totals, classes)
    return totals


def _tell_of_incomplete(totals: Features, classes: Classes) -> None:
    """Note how many rows of a class took no part, since one of their features is NaN."""
    n_members = int((classes["label"].values >= 0).sum())
    n_taken = int(totals.coords["count"].values.sum())
    if n_taken < n_members:
        add_note(
            totals,
            f"{n_members - n_taken} of {n_members} rows with a class have NaN in a feature and "
            "took no part",
        )
