"""Classes whose members may be mirror images of one another, and which of them are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.clustering.mirror_mixtures import MirrorFit, fit_mirror_mixture
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.noise_rank import n_components_above_noise
from adatom.schema import (
    CLASSES,
    FEATURES,
    Classes,
    Features,
    Table,
    add_note,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Of more features, such as pixels, components are kept that rise above white noise; of fewer,
# those that hold all but so much of the variance.
_FEW_FEATURES: Final = 40
_KEPT: Final = 0.97
_MOST_COMPONENTS: Final = 8
# Rows that each class must have on average, to be told from noise.
_ROWS: Final = 5


class MirroredClustering(NamedTuple):
    """Classes under a hidden mirror.

    Attributes
    ----------
    classes : Classes
        With ``mirrored``: 1 for members that are mirror images, -1 where that means nothing.
    means : Features
        (class, feature), of members that are not mirrored, or mirrored back.
    members : Table
        A row a class.
    choice : Table
        The criterion of every number of classes that was tried.
    """

    classes: Classes
    means: Features
    members: Table
    choice: Table


class _Mirror(NamedTuple):
    """What a mirror does: feature k becomes ``sign[k]`` times feature ``feature[k]``."""

    feature: NDArray[np.int64]
    sign: Floats

    def of(self, rows: Floats) -> Floats:
        return np.asarray(rows[..., self.feature] * self.sign)


class _Components(NamedTuple):
    """Principal components, in which a mirror changes signs only."""

    center: Floats
    basis: Floats
    signs: Floats


def cluster_mirrored(
    features: Features,
    /,
    *,
    n_classes: int | None = None,
    max_classes: int = 6,
    odd: list[int] | None = None,
    exchanged: list[list[int]] | None = None,
    n_starts: int = 8,
    seed: int = 0,
) -> MirroredClustering:
    """Sort the rows of features into classes, each together with its mirror image.

    Every class is a Gaussian and the mirror image of it [1]_; which of the two a row comes from
    is found along with its class. So a state and its mirror image are one class, and
    how often it is mirrored is a result. A class is its own mirror image if the Bayesian
    information criterion says so, or if the two are less than four standard deviations
    apart; the number of classes is that of the smallest criterion.

    Parameters
    ----------
    features : Features
        Such as `descriptors.edge_environments` gives, which tell what a mirror does to them:
        feature k of a mirrored row is ``mirror_sign[k]`` times its feature
        ``mirror_feature[k]``. Rows with NaN take no part.
    n_classes : int, optional
        By default the number of the smallest criterion.
    max_classes : int
        The largest number that is tried.
    odd, exchanged : list, optional
        For features that do not tell: numbers of those that change their sign under the mirror, and
        pairs of numbers of those that change places. All others stay.
    n_starts : int
        Starts of which the most likely one is taken.
    seed : int
        Of the starts.

    Returns
    -------
    MirroredClustering
        ``classes``: ``label`` (0 is the largest; -1 for rows with NaN and outliers),
        ``probability`` (..., class), ``mirrored`` (0 or 1; the rarer of the two orientations is 1;
        -1 where the class is its own mirror image or there is none) and
        ``mirrored_probability`` (NaN there). ``means`` of the classes, not mirrored.
        ``members``, a row a class: ``class``, ``count``, ``share``, ``own_image``,
        ``mirrored_share`` (NaN for those that are their own image), and ``oddness``, the length of
        that part of the mean that changes sign, in the unit of the features.
        ``choice``: ``n_classes`` and ``bic``, ``attrs["n_classes"]`` the number taken.

    Raises
    ------
    SettingError
        If a number is out of range, or nothing tells what a mirror does.
    TooFewSitesError
        If there are fewer than five measured rows a class.

    References
    ----------
    .. [1] B. J. Frey and N. Jojic, IEEE Trans. Pattern Anal. Mach. Intell. 25, 1 (2003):
       mixtures with a hidden discrete transformation.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(0, 0.1, (60, 2)) + np.repeat([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]], 20, 0)
    >>> found = cluster_mirrored(xr.DataArray(rows, dims=("site", "feature")), odd=[0])
    >>> found.members["count"].values, found.members["own_image"].values
    (array([40, 20]), array([False,  True]))
    """
    FEATURES.check(features)
    mirror = _mirror(features, odd, exchanged)
    for name, number in (
        ("n_classes", n_classes),
        ("max_classes", max_classes),
        ("n_starts", n_starts),
    ):
        if number is not None and number < 1:
            msg = f"{name}={number} must be 1 or more"
            raise SettingError(msg)
    rows = np.asarray(features.values, dtype=float).reshape(-1, features.shape[-1])
    known = np.isfinite(rows).all(axis=1)
    n_rows = int(known.sum())
    if n_rows < _ROWS * (n_classes or 1):
        msg = (
            f"{n_rows} of {len(rows)} rows are measured, {n_classes=} needs "
            f"{_ROWS * (n_classes or 1)} or more"
        )
        raise TooFewSitesError(msg)
    numbers = [n_classes] if n_classes else list(range(1, min(max_classes, n_rows // _ROWS) + 1))
    with single_threaded_blas():
        components = _components(rows[known], mirror)
        scores = (rows[known] - components.center) @ components.basis.T
        fits = [
            fit_mirror_mixture(
                scores,
                components.signs,
                n_classes=number,
                n_starts=n_starts,
                rng=np.random.default_rng([seed, number]),
            )
            for number in numbers
        ]
        best = min(fits, key=lambda fit: fit.bic)
        return _described(features, rows, known, scores, components, mirror, best, fits, numbers)


def _mirror(
    features: Features, odd: list[int] | None, exchanged: list[list[int]] | None
) -> _Mirror:
    n = features.shape[-1]
    told = {"mirror_feature", "mirror_sign"} <= set(features.coords)
    if odd is None and exchanged is None:
        if not told:
            msg = (
                "the features do not tell what a mirror does to them: give odd=, the numbers of "
                "those that change sign, and exchanged=, pairs that change places"
            )
            raise SettingError(msg)
        feature = features.coords["mirror_feature"].values.astype(np.int64)
        sign = features.coords["mirror_sign"].values.astype(float)
    else:
        feature, sign = np.arange(n), np.ones(n)
        named = [*(odd or []), *(k for pair in exchanged or [] for k in pair)]
        if any(not 0 <= k < n for k in named) or any(len(pair) != 2 for pair in exchanged or []):
            msg = f"{odd=} and pairs of {exchanged=} must be numbers of the {n} features"
            raise SettingError(msg)
        sign[list(odd or [])] = -1.0
        for one, other in exchanged or []:
            feature[[one, other]] = other, one
    mirror = _Mirror(feature, sign)
    twice = mirror.of(mirror.of(np.arange(1.0, n + 1)))
    if not np.array_equal(twice, np.arange(1.0, n + 1)):
        msg = "mirrored twice, features are not what they were: partners must name one another"
        raise SettingError(msg)
    return mirror


def _components(rows: Floats, mirror: _Mirror) -> _Components:
    """Find principal components of rows and their mirror images: each is even or odd."""
    center = (rows.mean(axis=0) + mirror.of(rows.mean(axis=0))) / 2
    apart = rows - center
    both = np.concatenate([apart, mirror.of(apart)])
    covariance = both.T @ both / len(both)
    identity = np.eye(rows.shape[1])
    reflection = mirror.of(identity).T
    parts = []
    for sign in (1.0, -1.0):
        value, basis = np.linalg.eigh((identity + sign * reflection) / 2)
        basis = basis[:, value > 0.5]
        if basis.shape[1]:
            variance, axes = np.linalg.eigh(basis.T @ covariance @ basis)
            parts.append((variance, (basis @ axes).T, np.full(len(variance), sign)))
    variance, axes, signs = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(-variance, kind="stable")
    share = np.cumsum(variance[order]) / max(float(variance.sum()), 1e-300)
    count = int(np.searchsorted(share, _KEPT)) + 1
    if len(variance) > _FEW_FEATURES:
        count = max(2, n_components_above_noise(variance[order], len(rows)))
    count = min(count, _MOST_COMPONENTS, len(order))
    kept = order[:count]
    # Signs of components are those that make their largest part positive, on any machine.
    largest = np.abs(axes[kept]).argmax(axis=1)
    turn = np.sign(axes[kept][np.arange(count), largest])
    return _Components(center, axes[kept] * turn[:, None], signs[kept])


def _described(
    features: Features,
    rows: Floats,
    known: NDArray[np.bool_],
    scores: Floats,
    components: _Components,
    mirror: _Mirror,
    best: MirrorFit,
    fits: list[MirrorFit],
    numbers: list[int],
) -> MirroredClustering:
    posterior, _ = best.mixture.posteriors(scores)
    n, n_rows = len(best.mixture.weights), len(rows)
    own = best.mixture.own_image
    # The larger classes first; within a class the more frequent orientation is not mirrored.
    share = posterior.sum(axis=1)
    outlier = 1 - share.sum(axis=0)
    label_here = np.where(share.max(axis=0) >= outlier, share.argmax(axis=0), -1)
    order = np.argsort(-np.bincount(label_here[label_here >= 0], minlength=n), kind="stable")
    turned = (posterior[:, 1].sum(axis=1) > posterior[:, 0].sum(axis=1)) & ~own
    posterior = np.where(turned[:, None, None], posterior[:, ::-1], posterior)[order]
    own, share = own[order], share[order]
    rank = np.append(np.argsort(order), -1)
    label = np.full(n_rows, -1, dtype=np.int32)
    label[known] = rank[label_here]
    probability = np.full((n_rows, n), np.nan)
    probability[known] = share.T
    chance = np.full(n_rows, np.nan)
    inside = np.flatnonzero(known)[label_here >= 0]
    mine = label[inside]
    both = posterior[mine, :, np.flatnonzero(label_here >= 0)]
    chance[inside] = np.where(own[mine], np.nan, both[:, 1] / both.sum(axis=1))
    mirrored = np.where(np.isnan(chance), -1, chance > 0.5).astype(np.int8)
    folded = np.where((mirrored == 1)[:, None], mirror.of(rows), rows)
    means = np.array(
        [
            folded[label == k].mean(axis=0)
            if (label == k).any()
            else np.full(rows.shape[1], np.nan)
            for k in range(n)
        ]
    )
    means = np.where(own[:, None], (means + mirror.of(means)) / 2, means)
    classes = _classes(features, label, probability, mirrored, chance)
    members = _members(label, own, mirrored, means, mirror)
    choice = table_from_columns(
        {"n_classes": numbers, "bic": [fit.bic for fit in fits]}, units={"n_classes": "1"}
    )
    choice.attrs["n_classes"] = n
    choice.attrs["reason"] = "told" if len(numbers) == 1 else "smallest BIC under the mirror"
    _tell(classes, members, best, len(components.signs), int((~known).sum()))
    return MirroredClustering(classes, _means(features, means), members, choice)


def _classes(
    features: Features,
    label: NDArray[np.int32],
    probability: Floats,
    mirrored: NDArray[np.int8],
    chance: Floats,
) -> Classes:
    places = features.dims[:-1]
    shape = features.shape[:-1]
    coords = {
        name: coord.variable
        for name, coord in features.coords.items()
        if set(coord.dims) <= set(places)
    }
    n = probability.shape[1]
    classes = xr.Dataset(
        {
            "label": (places, label.reshape(shape)),
            "probability": ((*places, "class"), probability.reshape(*shape, n)),
            "mirrored": (places, mirrored.reshape(shape)),
            "mirrored_probability": (places, chance.reshape(shape)),
            "count": ("class", np.bincount(label[label >= 0], minlength=n)),
        },
        coords=coords,
        attrs={"n_classes": n},
    )
    CLASSES.check(classes)
    return classes


def _members(
    label: NDArray[np.int32],
    own: NDArray[np.bool_],
    mirrored: NDArray[np.int8],
    means: Floats,
    mirror: _Mirror,
) -> Table:
    n = len(own)
    count = np.bincount(label[label >= 0], minlength=n)
    images = np.bincount(label[(label >= 0) & (mirrored == 1)], minlength=n)
    odd = (means - mirror.of(means)) / 2
    columns: dict[str, Any] = {
        "class": np.arange(n),
        "count": count,
        "share": count / max(int(count.sum()), 1),
        "own_image": own,
        "mirrored_share": np.where(own, np.nan, images / np.maximum(count, 1)),
        "oddness": np.linalg.norm(odd, axis=1),
    }
    return table_from_columns(columns, units={"share": "1", "mirrored_share": "1"})


def _means(features: Features, means: Floats) -> Features:
    dim = features.dims[-1]
    coords = {
        name: coord.variable for name, coord in features.coords.items() if coord.dims == (dim,)
    }
    dtype = np.result_type(features.dtype, np.float32)
    return xr.DataArray(
        means.astype(dtype),
        dims=("class", dim),
        coords=coords,
        name=features.name,
        attrs=dict(features.attrs),
    )


def _tell(
    classes: Classes, members: Table, best: MirrorFit, n_components: int, n_unknown: int
) -> None:
    own = [str(k) for k in members["class"].values[members["own_image"].values]]
    n_outliers = int((classes["label"].values < 0).sum()) - n_unknown
    text = f"{classes.attrs['n_classes']} classes under a mirror, in {n_components} components; "
    text += f"their own mirror image: {', '.join(own) or 'none'}"
    add_note(classes, f"{text}; {n_outliers} outliers, {n_unknown} rows not measured.")
    if not best.converged:
        add_note(classes, "The likelihood still rose when the passes ran out.")
