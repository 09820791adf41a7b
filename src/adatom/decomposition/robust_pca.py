"""Principal components of most rows, which the outliers among them do not turn."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import scipy.linalg
import xarray as xr
from numpy.typing import NDArray

from adatom.decomposition.models import PCAModel
from adatom.decomposition.pca import components_like, rows_like
from adatom.decomposition.single_values import Repair, without_single_values
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Block, Blocks, blocks, mapped_blocks
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import add_states, fold, map_to
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.moments import moments_of, sample_of
from adatom.numerics.noise_rank import n_components_above_noise
from adatom.schema import (
    FEATURES,
    Classes,
    Features,
    Table,
    add_note,
    table_from_columns,
)

NAMES: Final = ("regular", "far within", "off the components", "both", "single values")
# Medians of a sample are known to two per cent; memory holds it easily.
_SAMPLE_ROWS: Final = 4096
_SAMPLE_VALUES: Final = 1 << 22
# As of ROBPCA: more components of few outlying rows than this no scatter can be told from.
_MOST_COMPONENTS: Final = 10
# Once frees the components of what the spherical ones had of outliers, once more those rows that
# had been taken for outliers of these; to go on would trim rows of long tails without end.
_REWEIGHTINGS: Final = 2
_WEISZFELD_STEPS: Final = 50
_CONCENTRATIONS: Final = 50
_FEWEST: Final = 10


class RobustDecomposition(NamedTuple):
    """Features as sums of the components of most rows, and which rows they do not describe."""

    scores: Features
    """(..., component), of all rows, the outliers too."""
    components: Features
    """(component, feature), with the axis of the features."""
    outliers: Classes
    """``label`` 0 (regular), 1 (far within the components), 2 (off the components), 3 (both), 4
    (regular but for single values); ``score_distance``, ``orthogonal_distance``, ``n_wrong``."""
    summary: Table
    """One row a component, of the regular rows."""
    model: PCAModel
    """What was learnt; `apply_pca` uses it on other features."""


class _Fit(NamedTuple):
    center: NDArray[np.float64]
    axes: NDArray[np.float64]
    """All of them, (axis, feature), by falling variance."""
    variances: NDArray[np.float64]
    n_rows: int


def decompose_robust_pca(
    features: Features,
    /,
    *,
    n_components: int | None = None,
    confidence: float = 0.975,
    seed: int = 0,
) -> RobustDecomposition:
    """Decompose features into the principal components of most rows, and find the outliers.

    A single row a hundred times as large as the others turns ordinary
    principal components to itself. Here the first components are those of the
    directions of rows alone, in which every row counts the same however
    large (spherical components [1]_). Then, as in ROBPCA [2]_, every row gets
    two distances: within the components, and off them. Rows beyond either
    cutoff take no part in the exact components of the others; from these
    both distances are found anew, and once more. In simulated loops 40 % of
    outliers turned the components by less than half a degree; the limit is
    one half.

    Parameters
    ----------
    features : Features
        Numpy or dask inside, read block by block a dozen times; scores and
        distances are held in memory. Rows with NaN take no part.
    n_components : int, optional
        By default those of regular rows that rise above white noise, one at
        least and ten at most.
    confidence : float
        Share of regular rows below each cutoff; 0.975 is that of ROBPCA. So
        some six in a hundred regular rows are called outliers as well.
    seed : int
        Of the sample that gives the first center.

    Returns
    -------
    RobustDecomposition
        ``score_distance`` is in standard deviations (Mahalanobis), with the
        cutoff from chi squared; ``orthogonal_distance`` in the unit of the
        features, with a cutoff from Wilson and Hilferty's normal
        approximation to its power 2/3 [2]_. Both cutoffs are in the attrs.
        Rows of label 1 are extreme, yet of the same components; a material
        that few rows have looks so too, and so does much of a map whose
        intensity has long tails. A row off the components that is regular
        without a few of its values (``n_wrong``, a quarter at most, each four
        standard deviations off or more) has label 4; scores and distances
        are then those of its other values.

    Raises
    ------
    TooFewSitesError
        If fewer than ten rows are measured, or fewer than twice as many as
        components.
    SettingError
        If a setting is out of range, or half of the rows are all the same.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(100, 1)) @ [[1.0, 1.0, 0.0]] + 0.01 * rng.normal(size=(100, 3))
    >>> rows[:20] = rng.normal(50.0, 30.0, (20, 3))
    >>> found = decompose_robust_pca(xr.DataArray(rows, dims=("site", "feature")), n_components=1)
    >>> found.components.values.round(1) + 0.0
    array([[0.7, 0.7, 0. ]])
    >>> int((found.outliers["label"].values[:20] > 0).sum())
    20

    References
    ----------
    .. [1] N. Locantore et al., Test 8, 1 (1999); R. A. Maronna, Technometrics 47, 264 (2005).
    .. [2] M. Hubert, P. J. Rousseeuw and K. Vanden Branden, Technometrics 47, 64 (2005);
       the concentration of the scatter of scores as in P. J. Rousseeuw and
       K. Van Driessen, Technometrics 41, 212 (1999).
    """
    FEATURES.check(features)
    n_features = features.shape[-1]
    if n_components is not None and not 1 <= n_components <= n_features:
        msg = f"{n_components=} must lie between 1 and the {n_features} features"
        raise SettingError(msg)
    if not 0.5 < confidence < 1:
        msg = f"{confidence=} must lie between 0.5 and 1"
        raise SettingError(msg)
    cut = blocks(features)
    with single_threaded_blas():
        counts = moments_of(cut).counts
        n_rows, fewest = int(counts.sum()), max(_FEWEST, 2 * (n_components or 0))
        if n_rows < fewest:
            msg = f"{n_rows} measured rows, {fewest} or more are needed to say what most rows are"
            raise TooFewSitesError(msg)
        fit = _spherical(cut, counts, seed)
        for _ in range(_REWEIGHTINGS):
            *_, regular = _distances(cut, fit, n_components or _number(fit), confidence)
            fit = _of_rows(cut, regular)
        k = n_components or _number(fit)
        scores, distances, cutoffs, regular = _distances(cut, fit, k, confidence)
        n_wrong = _repaired(cut, fit, k, regular, scores, distances, cutoffs)
    return _result(features, fit, scores, _outliers(features, distances, cutoffs, n_wrong))


def _number(fit: _Fit) -> int:
    above = n_components_above_noise(fit.variances, fit.n_rows)
    return max(1, min(above, _MOST_COMPONENTS))


def _spherical(cut: Blocks, counts: NDArray[np.int64], seed: int) -> _Fit:
    """Fit components to the directions in which rows lie from their spatial median."""
    n_sample = max(64, min(_SAMPLE_ROWS, _SAMPLE_VALUES // cut.n_columns))
    rows = sample_of(cut, counts, n_rows=n_sample, seed=seed).astype(np.float64)
    center = _spatial_median(rows)
    moved = center.astype(cut.dtype)

    def directions(values: NDArray[Any]) -> NDArray[Any]:
        away = values - moved
        length = np.sqrt(np.einsum("ij,ij->i", away, away))
        return np.asarray(away / np.where(length > 0, length, 1)[:, None])

    moments = moments_of(mapped_blocks(cut, directions), scatter=True)
    assert moments.scatter is not None  # noqa: S101 -- asked for
    n = int(moments.counts.sum())
    _, vectors = scipy.linalg.eigh(moments.scatter + n * np.outer(moments.mean, moments.mean))
    axes = vectors[:, ::-1].T
    # How far most rows spread along each axis: no outlier moves a median of deviations.
    scores = (rows - center) @ axes.T
    middle = np.median(scores, axis=0)
    spread = SIGMA_OF_MAD * np.median(np.abs(scores - middle), axis=0)
    order = np.argsort(-spread, kind="stable")
    return _Fit(center, axes[order], spread[order] ** 2, len(rows))


def _spatial_median(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the point with the least sum of distances to all rows, by Weiszfeld's steps."""
    center: NDArray[np.float64] = np.median(rows, axis=0)
    if not np.median(np.abs(rows - center).max(axis=1)) > 0:
        msg = "half of the rows or more are all the same: there is nothing that most rows vary in"
        raise SettingError(msg)
    for _ in range(_WEISZFELD_STEPS):
        away = np.sqrt(((rows - center) ** 2).sum(axis=1))
        usual = float(np.median(away))
        weight = usual / np.maximum(away, 1e-9 * usual)
        moved = weight @ rows / weight.sum()
        if np.abs(moved - center).max() <= 1e-6 * usual:
            break
        center = moved
    return center


class _Sums(NamedTuple):
    n_rows: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


def _of_rows(cut: Blocks, kept: NDArray[np.bool_]) -> _Fit:
    """Fit principal components, exactly, to the rows that are kept."""

    def sums(shift: NDArray[Any], *, second: bool) -> _Sums:
        def step(block: Block, here: NDArray[np.bool_]) -> _Sums:
            rows = block.values[here] - shift
            products = rows.T @ rows if second else np.zeros((0, 0))
            return _Sums(
                np.asarray(len(rows)), rows.sum(axis=0, dtype=np.float64), products.astype("f8")
            )

        return fold(cut, step, add_states, beside=(kept,))

    first = sums(np.zeros(cut.n_columns, cut.dtype), second=False)
    n = int(first.n_rows)
    if n < _FEWEST:
        msg = f"only {n} rows are like one another: there is nothing that most rows have in common"
        raise TooFewSitesError(msg)
    shift = (first.first / n).astype(cut.dtype)
    about = sums(shift, second=True)
    offset = about.first / n
    values, vectors = scipy.linalg.eigh((about.second - n * np.outer(offset, offset)) / (n - 1))
    axes = vectors[:, ::-1].T
    return _Fit(shift.astype(np.float64) + offset, axes, np.maximum(values[::-1], 0.0), n)


def _distances(
    cut: Blocks, fit: _Fit, k: int, confidence: float
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Give scores, both distances (row, kind), both cutoffs, and which rows are regular.

    Distances are NaN where rows are not measured.
    """
    from scipy.special import chdtri, ndtri

    center, basis = fit.center.astype(cut.dtype), np.ascontiguousarray(fit.axes[:k].T, cut.dtype)
    outputs = [np.full((cut.n_rows, k), np.nan, cut.dtype), np.full(cut.n_rows, np.nan)]

    def work(rows: NDArray[Any]) -> list[NDArray[Any]]:
        away = rows - center
        scores = away @ basis
        left = away - scores @ basis.T
        return [scores, np.sqrt(np.einsum("ij,ij->i", left, left, dtype=np.float64))]

    map_to(cut, work, outputs)
    scores, off = outputs
    measured = np.isfinite(off)
    within = np.full(cut.n_rows, np.nan)
    known = scores[measured].astype(np.float64)
    within[measured] = _score_distances(known, known)
    power = off[measured] ** (2 / 3)
    middle = float(np.median(power))
    spread = SIGMA_OF_MAD * float(np.median(np.abs(power - middle)))
    cutoffs = np.array(
        [
            float(np.sqrt(chdtri(k, 1 - confidence))),
            (middle + spread * float(ndtri(confidence))) ** 1.5,
        ]
    )
    if k == cut.n_columns:
        # Nothing lies off all components but rounding errors.
        cutoffs[1] = np.inf
    distances = np.stack([within, off], axis=1)
    return scores, distances, cutoffs, measured & (distances <= cutoffs).all(axis=1)


def _repaired(
    cut: Blocks,
    fit: _Fit,
    k: int,
    regular: NDArray[np.bool_],
    scores: NDArray[Any],
    distances: NDArray[np.float64],
    cutoffs: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Fit rows off the components anew without their wrong values, in place; count these."""
    basis = fit.axes[:k]
    noise = np.sqrt(_left_of(cut, fit.center, basis, regular))
    is_off = distances[:, 1] > cutoffs[1]
    off = np.flatnonzero(is_off)

    def step(block: Block, here: NDArray[np.bool_]) -> list[Repair]:
        return [without_single_values(block.values[here] - fit.center, basis, noise)]

    parts = fold(cut, step, lambda first, second: first + second, beside=(is_off,))
    repair = Repair(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    known = scores[np.isfinite(distances[:, 0])].astype(np.float64)
    within = _score_distances(known, repair.scores)
    # Without its wrong values a row must be regular: else it is an outlier as a whole.
    whole = (repair.n_wrong > 0) & (repair.off <= cutoffs[1]) & (within <= cutoffs[0])
    scores[off[whole]] = repair.scores[whole]
    distances[off[whole]] = np.stack([within, repair.off], axis=1)[whole]
    n_wrong = np.zeros(len(distances), dtype=np.int64)
    n_wrong[off[whole]] = repair.n_wrong[whole]
    return n_wrong


def _left_of(
    cut: Blocks, center: NDArray[np.float64], basis: NDArray[np.float64], rows: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Give the mean square, channel by channel, of what the components leave of some rows."""

    def step(block: Block, here: NDArray[np.bool_]) -> NDArray[np.float64]:
        away = block.values[here] - center
        return np.asarray(((away - (away @ basis.T) @ basis) ** 2).sum(axis=0))

    total = fold(cut, step, lambda first, second: first + second, beside=(rows,))
    return np.asarray(total / max(int(rows.sum()), 1))


def _score_distances(
    scores: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give Mahalanobis distances of others by the scatter of those scores that lie closest."""
    from scipy.special import chdtri

    k = scores.shape[1]
    middle = np.median(scores, axis=0)
    spread = SIGMA_OF_MAD * np.median(np.abs(scores - middle), axis=0)
    squares = (((scores - middle) / np.where(spread > 0, spread, 1)) ** 2).sum(axis=1)
    half = (len(scores) + k + 1) // 2
    chosen = np.zeros(len(scores), dtype=bool)
    for _ in range(_CONCENTRATIONS):
        nearest = np.zeros(len(scores), dtype=bool)
        nearest[np.argsort(squares, kind="stable")[:half]] = True
        if np.array_equal(nearest, chosen):
            break
        chosen = nearest
        squares = _squares(scores, scores[chosen])
    # Half of the rows spread less than all: the median of the distances is known of normal rows.
    squares = squares / max(float(np.median(squares)), 1e-300) * float(chdtri(k, 0.5))
    # All rows within the cutoff tell the scatter better than half of them do. Once: to narrow it
    # again and again would trim long tails without end.
    near = scores[squares <= float(chdtri(k, 0.025))]
    typical = max(float(np.median(_squares(near, near))), 1e-300) / _median_below(k)
    return np.asarray(np.sqrt(_squares(others, near) / typical))


def _median_below(k: int) -> float:
    """Give the median of chi squared among values below its 97.5 %."""
    from scipy.special import chdtri

    return float(chdtri(k, 1 - 0.975 / 2))


def _squares(scores: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    away = scores - rows.mean(axis=0)
    centered = rows - rows.mean(axis=0)
    scatter = centered.T @ centered / max(len(rows) - 1, 1)
    squares: NDArray[np.float64] = np.einsum(
        "ij,ij->i", away @ np.linalg.pinv(scatter, hermitian=True), away
    )
    return np.maximum(squares, 0.0)


def _result(
    features: xr.DataArray,
    fit: _Fit,
    scores: NDArray[Any],
    outliers: Classes,
) -> RobustDecomposition:
    k = scores.shape[1]
    largest = np.abs(fit.axes[:k]).argmax(axis=1)
    sign = np.sign(fit.axes[np.arange(k), largest])
    basis = np.ascontiguousarray(fit.axes[:k] * sign[:, None])
    model = PCAModel(
        center=fit.center,
        basis=basis,
        variances=fit.variances,
        column_weights=np.ones(len(fit.center)),
        n_rows=fit.n_rows,
        n_above_noise=n_components_above_noise(fit.variances, fit.n_rows),
        weighting="none",
        feature_dim=str(features.dims[-1]),
    )
    total = fit.variances.sum()
    summary = table_from_columns(
        {
            "component": np.arange(k),
            "variance": fit.variances[:k],
            "share": fit.variances[:k] / (total if total > 0 else 1.0),
        }
    )
    return RobustDecomposition(
        rows_like(features, scores * sign.astype(scores.dtype)),
        components_like(features, basis),
        outliers,
        summary,
        model,
    )


def _outliers(
    features: xr.DataArray,
    distances: NDArray[np.float64],
    cutoffs: NDArray[np.float64],
    n_wrong: NDArray[np.int64],
) -> Classes:
    places, shape = features.dims[:-1], features.shape[:-1]
    beyond = distances > cutoffs
    label = np.where(n_wrong > 0, 4, beyond[:, 0] + 2 * beyond[:, 1])
    label[np.isnan(distances[:, 0])] = -1
    unit = str(features.attrs.get("units", "1"))
    outliers = xr.Dataset(
        {
            "label": (places, label.reshape(shape).astype(np.int32)),
            "score_distance": (places, distances[:, 0].reshape(shape), {"units": "1"}),
            "orthogonal_distance": (places, distances[:, 1].reshape(shape), {"units": unit}),
            "n_wrong": (places, n_wrong.reshape(shape)),
        },
        coords={
            name: coord for name, coord in features.coords.items() if set(coord.dims) <= set(places)
        },
    ).assign_coords({"class": np.arange(len(NAMES))})
    counts = np.bincount(label[label >= 0], minlength=len(NAMES))
    outliers["count"] = ("class", counts)
    outliers.attrs |= {
        "n_classes": len(NAMES),
        "class_names": list(NAMES),
        "score_cutoff": float(cutoffs[0]),
        # Nothing lies off all components: then there is no such cutoff.
        **({"orthogonal_cutoff": float(cutoffs[1])} if np.isfinite(cutoffs[1]) else {}),
    }
    add_note(
        outliers,
        f"{counts[0]} of {counts.sum()} rows are regular; {counts[1]} are far within the "
        f"components, {counts[2]} off them, {counts[3]} both; {counts[4]} are regular but for "
        f"{n_wrong.sum()} single values",
    )
    return outliers
