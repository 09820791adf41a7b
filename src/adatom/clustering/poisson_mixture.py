"""Poisson mixtures on counts of any size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.clustering.assigning import assign_classes
from adatom.clustering.lloyd import lloyd_passes, nearest_means, stacked_starts
from adatom.clustering.models import (
    Clustering,
    PoissonMixtureModel,
    number_of_classes,
    size_order,
)
from adatom.clustering.shapes import (
    Shapes,
    ShapesFit,
    dispersion_of,
    fit_shapes,
    log_likelihoods_of,
    smoothed_shapes,
    survey_counts,
    totals_of,
)
from adatom.clustering.subspace import scores_in, subspace_of
from adatom.clustering.uniform import inside_of
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Blocks, blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import fold
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, MASK, TABLE, Features, Mask, Table, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block

# Starts compete on a sample: enough rows for a class of one in a thousand, little enough memory.
_SAMPLE_ROWS: Final = 1 << 13
_SAMPLE_VALUES: Final = 1 << 23
# So many of the best partitions by k-means go on as mixtures.
_FINALISTS: Final = 3
_TRIAL_PASSES: Final = 30


def fit_poisson_mixture(
    counts: Features,
    uniform: Mask | None = None,
    /,
    *,
    n_classes: int,
    n_starts: int = 10,
    seed: int = 0,
) -> PoissonMixtureModel:
    """Fit a mixture of spectral shapes to counts.

    Every row is taken for counts about its own intensity, which is free, times
    the shape of its class: thickness, dose and illumination make no classes
    [1]_. Weak channels count as their statistics allow, with nothing scaled
    or taken off beforehand.

    If the values are counts times some gain, or scatter more than counts do,
    the probabilities of classes are made less sure by the dispersion that the
    rows show about their classes [2]_.

    The fit starts from k-means on the principal components of the shapes of a
    stratified sample, in channels that are divided by the root of their mean so
    that the noise of counts is alike in all [3]_; the best of several starts
    goes over all rows, block by block.

    Parameters
    ----------
    counts : Features
        Counts as measured, without background correction; numpy or dask
        inside. Rows with NaN take no part, nor do those without a count.
    uniform : Mask, optional
        Of `find_uniform_pixels`: only rows where it is True are fitted.
        Mixed pixels at borders otherwise bend the shapes of the classes.
    n_classes : int
        Number of classes; `choose_n_classes` finds it.
    n_starts : int
        Starts of k-means on the sample, of which the three best become
        mixtures there.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    PoissonMixtureModel
        Classes by falling number of rows.

    Raises
    ------
    TooFewSitesError
        If there are fewer rows with counts than classes.
    SettingError
        If a value is negative, a setting is out of range, or fewer distinct
        shapes than classes are found.
    KindError
        If `uniform` lies on other places than the counts.

    References
    ----------
    .. [1] Given its total, a row of independent Poisson counts is multinomial:
       P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. (1989), sec. 6.4.
    .. [2] R. W. M. Wedderburn, Biometrika 61, 439 (1974).
    .. [3] M. R. Keenan and P. G. Kotula, Surf. Interface Anal. 36, 203 (2004).

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> rates = np.repeat([[40.0, 5.0, 5.0], [2.0, 4.0, 20.0]], [30, 20], axis=0)
    >>> rates *= rng.uniform(0.5, 2.0, (50, 1))
    >>> spectra = xr.DataArray(rng.poisson(rates), dims=("site", "energy"))
    >>> fit_poisson_mixture(spectra, n_classes=2).counts
    array([30, 20])
    """
    FEATURES.check(counts)
    if n_classes < 1 or n_starts < 1:
        msg = f"{n_classes=} and {n_starts=} must be 1 or more"
        raise SettingError(msg)
    cut = blocks(inside_of(counts, uniform))
    with single_threaded_blas():
        pooled = _pooled_shape(cut, n_classes)
        start = _best_start(cut, pooled, n_classes, n_starts, seed)
        fit = fit_shapes(cut, start)
        # The dispersion of the sample was a guess: a pass or two with that of all rows follow.
        again = replace(fit.mixture, dispersion=dispersion_of(cut, fit.mixture))
        fit = fit_shapes(cut, again)
        members = _members(cut, fit.mixture)
    if not members.all():
        msg = (
            f"only {np.count_nonzero(members)} classes are the likeliest of any row, "
            f"{n_classes=}: ask for fewer"
        )
        raise SettingError(msg)
    return _model_from_fit(fit, members, str(counts.dims[-1]))


def _pooled_shape(cut: Blocks, n_classes: int) -> NDArray[np.float64]:
    survey = survey_counts(cut)
    if survey.n_negative:
        msg = (
            f"{int(survey.n_negative)} rows have negative values, counts have none: give them as "
            "measured, before a background is taken off, or use cluster_gaussian_mixture"
        )
        raise SettingError(msg)
    n_rows = int(survey.n_rows)
    if n_rows < n_classes:
        msg = f"{n_rows} measured rows have counts, {n_classes=} needs {n_classes} or more"
        raise TooFewSitesError(msg)
    return np.asarray(survey.sums / survey.sums.sum())


def _best_start(
    cut: Blocks, pooled: NDArray[np.float64], n_classes: int, n_starts: int, seed: int
) -> Shapes:
    """Fit a sample from partitions by k-means, and give the likeliest mixture."""
    n_sample = min(_SAMPLE_ROWS, max(_SAMPLE_VALUES // cut.n_columns, 64 * n_classes))
    rows = sample_of(cut, moments_of(cut).counts, n_rows=n_sample, seed=seed)
    rows = rows[totals_of(rows) > 0]
    sample = blocks_from_array(rows)
    single = Shapes(np.ones(1), pooled[None], pooled, dispersion=1.0)
    # Of a single class it is more than that of several, and a good enough guess of the gain.
    gain = dispersion_of(sample, single)
    fits: list[ShapesFit] = []
    for labels in _partitions(rows, pooled, n_classes, n_starts, seed):
        members = (labels == np.arange(n_classes)[:, None]).astype(rows.dtype)
        start = Shapes(
            weights=np.maximum(members.sum(axis=1, dtype=np.float64), 0.5) / len(rows),
            shapes=smoothed_shapes((members @ rows).astype(np.float64), pooled, gain),
            pooled=pooled,
            dispersion=gain,
        )
        start = replace(start, dispersion=dispersion_of(sample, start))
        fits.append(fit_shapes(sample, start, n_passes=_TRIAL_PASSES))
    # Of one dispersion, or likelihoods could not be compared: a poor start has a large one.
    best = max(fits, key=lambda fit: fit.log_likelihood * fit.mixture.dispersion).mixture
    return replace(best, dispersion=dispersion_of(sample, best))


def _partitions(
    rows: NDArray[Any], pooled: NDArray[np.float64], n_classes: int, n_starts: int, seed: int
) -> list[NDArray[Any]]:
    """Label the rows by k-means on the components of their weighted shapes, the best few."""
    used = pooled > 0
    weights = np.sqrt(pooled[used]).astype(rows.dtype)
    weighted = rows[:, used] / totals_of(rows)[:, None].astype(rows.dtype) / weights
    cut = blocks_from_array(weighted)
    subspace, counts = subspace_of(cut, n_classes=n_classes, seed=seed)
    scores = scores_in(subspace, cut, counts)
    found = lloyd_passes(
        blocks_from_array(scores),
        stacked_starts(scores, n_classes, n_starts if n_classes > 1 else 1, seed),
        origin=np.zeros(scores.shape[1]),
        spread=float(np.sqrt((scores.astype(np.float64) ** 2).sum(axis=1).mean())),
    )
    best = np.argsort(found.inertia, kind="stable")[:_FINALISTS]
    means = found.means[best].astype(scores.dtype)
    labels, _ = nearest_means(scores, means, (means**2).sum(axis=-1) / 2)
    return list(labels)


def _members(cut: Blocks, mixture: Shapes) -> NDArray[np.int64]:
    """Count the rows of which each class is the likeliest."""
    evaluate = log_likelihoods_of(mixture, cut.dtype)
    n = len(mixture.weights)

    def step(block: Block) -> NDArray[np.int64]:
        rows = block.values[totals_of(block.values) > 0]
        return np.bincount(evaluate(rows).argmax(axis=0), minlength=n)

    return fold(cut, step, lambda a, b: a + b)


def _model_from_fit(fit: ShapesFit, members: NDArray[np.int64], dim: str) -> PoissonMixtureModel:
    mixture = fit.mixture
    order = size_order(members, mixture.shapes)
    n_classes, n_channels = mixture.shapes.shape
    n_parameters = n_classes * (n_channels - 1) + n_classes - 1
    return PoissonMixtureModel(
        weights=mixture.weights[order],
        shapes=mixture.shapes[order],
        pooled=mixture.pooled,
        counts=members[order],
        dispersion=mixture.dispersion,
        log_likelihood=fit.log_likelihood,
        bic=-2 * fit.log_likelihood + n_parameters * float(np.log(fit.n_rows)),
        n_passes=fit.n_passes,
        converged=fit.converged,
        feature_dim=dim,
    )


def cluster_poisson_mixture(
    counts: Features,
    choice: Table | None = None,
    uniform: Mask | None = None,
    /,
    *,
    n_classes: int | None = None,
    n_starts: int = 10,
    seed: int = 0,
) -> Clustering:
    """Sort rows of counts into soft classes by the shape of their spectra.

    Parameters
    ----------
    counts : Features
        Counts as measured; see `fit_poisson_mixture`.
    choice : Table, optional
        Of `choose_n_classes`: the number to take where `n_classes` gives none.
    uniform : Mask, optional
        Of `find_uniform_pixels`: the classes are learnt there, and assigned
        everywhere.
    n_classes : int, optional
        Number of classes.
    n_starts : int
        See `fit_poisson_mixture`.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    Clustering
        ``classes`` (see `assign_classes`), with the ``probability`` of every
        class, and ``model``. Class 0 is the largest.

    Raises
    ------
    SettingError
        If neither `choice` nor `n_classes` is given, or as of
        `fit_poisson_mixture`.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = np.repeat([[40, 5, 5], [2, 4, 20], [4, 8, 40]], [3, 1, 1], axis=0)
    >>> spectra = xr.DataArray(rows, dims=("site", "energy"))
    >>> cluster_poisson_mixture(spectra, n_classes=2).classes["label"].values
    array([0, 0, 0, 1, 1], dtype=int32)
    """
    FEATURES.check(counts)
    if choice is not None:
        TABLE.check(choice)
    if uniform is not None:
        MASK.check(uniform)
    model = fit_poisson_mixture(
        counts,
        uniform,
        n_classes=number_of_classes(choice, n_classes),
        n_starts=n_starts,
        seed=seed,
    )
    classes = assign_classes(counts, model)
    if uniform is not None:
        add_note(
            classes,
            f"classes were learnt on {int(model.counts.sum())} of {classes['label'].size} rows, "
            "inside of domains, and assigned to all",
        )
    if not model.converged:
        add_note(
            classes,
            f"the mixture stopped after {model.n_passes} passes while its likelihood still rose",
        )
    return Clustering(classes, model)
