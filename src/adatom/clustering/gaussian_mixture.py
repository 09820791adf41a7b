"""Gaussian mixtures on features of any size, with a class for outliers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adatom.clustering.assigning import assign_classes
from adatom.clustering.lloyd import lloyd_passes, nearest_means, stacked_starts
from adatom.clustering.mixtures import (
    Designs,
    Fit,
    Mixture,
    fit_mixture,
    log_densities_of,
    mixture_from_labels,
)
from adatom.clustering.models import (
    Clustering,
    Covariance,
    MixtureModel,
    number_of_classes,
    size_order,
)
from adatom.clustering.subspace import (
    Subspace,
    moments_for_subspace,
    scores_in,
    subspace_of,
)
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Blocks, blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import fold
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, TABLE, Features, Table, add_note

_SAMPLE_ROWS: Final = 1 << 13
# Share of outliers to begin with; the fit changes it.
_OUTLIERS: Final = 0.02


def fit_gaussian_mixture(
    features: Features,
    /,
    *,
    n_classes: int,
    covariance: Covariance = "full",
    outliers: bool = True,
    n_components: int | None = None,
    n_starts: int = 5,
    seed: int = 0,
) -> MixtureModel:
    """Fit a mixture of Gaussians, and of outliers, to the rows of features.

    Outliers are rows that no Gaussian explains: they are taken to lie
    anywhere in the box of the data with the same density [1]_, so that a few
    impurities or patches of contamination do not distort the classes.

    Many features (patches, spectra) are first projected on the principal
    components that rise above the noise, found exactly in one pass; where
    both features and rows are more than 2048, from a stratified sample.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part.
    n_classes : int
        Number of Gaussians; outliers come on top.
    covariance : {"full", "tied", "diagonal", "spherical"}
        Form of each class: any ellipsoid, one ellipsoid common to all,
        ellipsoids along the principal axes of the data, balls. Full by
        default, as classes of atoms differ in how far they scatter; classes
        of few rows are drawn towards the common ellipsoid.
    outliers : bool
        Whether there is a class of outliers.
    n_components : int, optional
        Principal components to keep; by default all of up to twelve
        features, of more those above the noise floor, at most twenty.
    n_starts : int
        Starts on a sample of the rows, the best of which goes over all.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    MixtureModel
        Classes by falling number of rows, the outliers after the last.

    Raises
    ------
    TooFewSitesError
        If there are fewer than two measured rows a class.
    SettingError
        If a setting is out of range, or all rows are the same.

    References
    ----------
    .. [1] C. Fraley and A. E. Raftery, J. Am. Stat. Assoc. 97, 611 (2002), sec. 5.1;
       J. D. Banfield and A. E. Raftery, Biometrics 49, 803 (1993).

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> rows = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(9, 1, (30, 2))])
    >>> model = fit_gaussian_mixture(xr.DataArray(rows, dims=("site", "feature")), n_classes=2)
    >>> model.counts
    array([60, 30,  0])
    """
    FEATURES.check(features)
    if n_classes < 1 or n_starts < 1:
        msg = f"{n_classes=} and {n_starts=} must be 1 or more"
        raise SettingError(msg)
    if covariance not in ("full", "tied", "diagonal", "spherical"):
        msg = f"{covariance=} must be 'full', 'tied', 'diagonal' or 'spherical'"
        raise SettingError(msg)
    cut = blocks(features)
    if n_components is not None and not 1 <= n_components <= cut.n_columns:
        msg = f"{n_components=} must be 1 to {cut.n_columns}, the number of features"
        raise SettingError(msg)
    with single_threaded_blas():
        moments = moments_for_subspace(cut)
        n_rows = int(moments.counts.sum())
        if n_rows < 2 * n_classes:
            msg = f"{n_rows} measured rows, {n_classes=} needs {2 * n_classes} or more"
            raise TooFewSitesError(msg)
        subspace, counts = subspace_of(
            cut, n_classes=n_classes, n_components=n_components, moments=moments, seed=seed
        )
        if not subspace.variances.max() > 0:
            msg = f"all {n_rows} measured rows are the same: no Gaussian has a width"
            raise SettingError(msg)
        projected = scores_in(subspace, cut, counts)
        box = np.ptp(projected, axis=0).astype(np.float64)
        scores = blocks_from_array(projected)
        rows = sample_of(scores, moments_of(scores).counts, n_rows=_SAMPLE_ROWS, seed=seed).astype(
            np.float64
        )
        density = -float(np.log(np.maximum(box, 1e-300)).sum()) if outliers else float("nan")
        start = _best_start(rows, subspace, n_classes, covariance, density, n_starts, seed)
        fit = fit_mixture(Designs(scores), start, spread=subspace.variances, fading=True)
    return _model_from_fit(fit, scores, subspace, str(features.dims[-1]))


def _best_start(
    rows: NDArray[np.float64],
    subspace: Subspace,
    n_classes: int,
    covariance: Covariance,
    density: float,
    n_starts: int,
    seed: int,
) -> Mixture:
    """Fit a sample from k-means classes, in plain and in equalized axes by turns."""
    fits: list[Fit] = []
    designs = Designs(blocks_from_array(rows))
    for number in range(n_starts):
        scale = np.sqrt(subspace.variances) if number % 2 else np.ones(rows.shape[1])
        labels = kmeans_labels(rows / scale, n_classes, seed=seed + number)
        start = mixture_from_labels(
            rows, labels, n_classes=n_classes, spread=subspace.variances, covariance=covariance
        )
        if np.isfinite(density):
            start = Mixture(
                start.weights * (1 - _OUTLIERS),
                start.means,
                start.covariances,
                outlier_log_density=density,
                covariance=covariance,
            )
        fits.append(fit_mixture(designs, start, spread=subspace.variances))
    return max(fits, key=lambda fit: fit.log_likelihood).mixture


def kmeans_labels(
    rows: NDArray[np.float64], n_classes: int, /, *, seed: int, n_starts: int = 1
) -> NDArray[Any]:
    """Label rows in memory by k-means."""
    origin = np.zeros(rows.shape[1])
    spread = float(np.sqrt((rows**2).sum(axis=1).mean()))
    found = lloyd_passes(
        blocks_from_array(rows),
        stacked_starts(rows, n_classes, n_starts, seed),
        origin=origin,
        spread=spread,
    )
    means = found.means[[int(np.argmin(found.inertia))]]
    labels, _ = nearest_means(rows, means, (means**2).sum(axis=-1) / 2)
    first: NDArray[Any] = labels[0]
    return first


def _model_from_fit(fit: Fit, scores: Blocks, subspace: Subspace, dim: str) -> MixtureModel:
    mixture = fit.mixture
    counts = _counts(mixture, scores)
    n = len(mixture.weights)
    order = size_order(counts[:n], mixture.means)
    return MixtureModel(
        weights=mixture.weights[order],
        means=mixture.means[order],
        covariances=mixture.covariances[order],
        center=subspace.center,
        basis=subspace.basis,
        counts=np.concatenate([counts[:n][order], counts[n:]]),
        outlier_log_density=mixture.outlier_log_density,
        log_likelihood=fit.log_likelihood,
        bic=fit.bic,
        n_passes=fit.n_passes,
        converged=fit.converged,
        covariance=mixture.covariance,
        feature_dim=dim,
    )


def _counts(mixture: Mixture, scores: Blocks) -> NDArray[np.int64]:
    densities = log_densities_of(mixture)
    n = len(mixture.weights) + int(np.isfinite(mixture.outlier_log_density))
    return fold(
        scores,
        lambda block: np.bincount(
            densities(block.values.astype(np.float64))[0].argmax(axis=0), minlength=n
        ),
        lambda a, b: a + b,
    )


def cluster_gaussian_mixture(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_classes: int | None = None,
    covariance: Covariance = "full",
    outliers: bool = True,
    n_components: int | None = None,
    n_starts: int = 5,
    seed: int = 0,
) -> Clustering:
    """Sort the rows of features into soft classes by a mixture of Gaussians.

    Parameters
    ----------
    features : Features
        See `fit_gaussian_mixture`.
    choice : Table, optional
        Of `choose_n_classes`: the number to take where `n_classes` gives none.
    n_classes : int, optional
        Number of classes, without the outliers.
    covariance : {"full", "tied", "diagonal", "spherical"}
        Form of each class; see `fit_gaussian_mixture`.
    outliers : bool
        Whether rows that no class explains are a class of their own.
    n_components : int, optional
        Principal components to keep; see `fit_gaussian_mixture`.
    n_starts : int
        Starts on a sample of the rows.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    Clustering
        ``classes`` (see `assign_classes`), with the ``probability`` of every
        class, and ``model``. Class 0 is the largest; outliers are a class
        of their own with the last number, ``attrs["outlier_class"]``.

    Raises
    ------
    SettingError
        If neither `choice` nor `n_classes` is given.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> rows = np.concatenate([rng.normal(0, 1, (60, 2)), [[90.0, 90.0]]])
    >>> found = cluster_gaussian_mixture(xr.DataArray(rows, dims=("site", "feature")), n_classes=1)
    >>> found.classes["count"].values
    array([60,  1])
    """
    FEATURES.check(features)
    if choice is not None:
        TABLE.check(choice)
    model = fit_gaussian_mixture(
        features,
        n_classes=number_of_classes(choice, n_classes),
        covariance=covariance,
        outliers=outliers,
        n_components=n_components,
        n_starts=n_starts,
        seed=seed,
    )
    classes = assign_classes(features, model)
    n_kept = len(model.basis)
    if n_kept < model.n_features:
        add_note(
            classes,
            f"the mixture was fitted in the {n_kept} principal components of "
            f"{model.n_features} features that were kept",
        )
    if not model.converged:
        add_note(
            classes,
            f"the mixture stopped after {model.n_passes} passes while its likelihood still rose",
        )
    return Clustering(classes, model)
