"""Features -> classes.

========================  =====================================================
`cluster_kmeans`          classes by k-means, exact at any size
`cluster_gaussian_mixture`  soft classes by a mixture of Gaussians with outliers
`cluster_poisson_mixture`  soft classes of counts by the shape of their spectra
`find_uniform_pixels`     pixels inside of domains, without those of borders
`choose_n_classes`        how many classes the features show, 1 included
`fit_kmeans`              the k-means model alone
`fit_gaussian_mixture`    the mixture model alone
`fit_poisson_mixture`     the model of counts alone
`assign_classes`          classes of any features by a fitted model
`find_outliers`           the few that differ from the many
`estimate_shares`         the share of every class, with an interval
`class_means`             mean features of every class
`compare_classes`         classes against a label image drawn by an expert
`KMeansModel`             what k-means learnt
`MixtureModel`            what a mixture learnt
`PoissonMixtureModel`     what a mixture of counts learnt
`Clustering`              classes with their model
`ClassComparison`         scores, confusion and agreement map of a comparison
========================  =====================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.clustering.assigning import assign_classes, class_means
    from adatom.clustering.choosing import choose_n_classes
    from adatom.clustering.comparing import ClassComparison, compare_classes
    from adatom.clustering.gaussian_mixture import cluster_gaussian_mixture, fit_gaussian_mixture
    from adatom.clustering.kmeans import cluster_kmeans, fit_kmeans
    from adatom.clustering.models import (
        Clustering,
        KMeansModel,
        MixtureModel,
        PoissonMixtureModel,
    )
    from adatom.clustering.outliers import find_outliers
    from adatom.clustering.poisson_mixture import cluster_poisson_mixture, fit_poisson_mixture
    from adatom.clustering.shares import estimate_shares
    from adatom.clustering.uniform import find_uniform_pixels

__all__ = [
    "ClassComparison",
    "Clustering",
    "KMeansModel",
    "MixtureModel",
    "PoissonMixtureModel",
    "assign_classes",
    "choose_n_classes",
    "class_means",
    "cluster_gaussian_mixture",
    "cluster_kmeans",
    "cluster_poisson_mixture",
    "compare_classes",
    "estimate_shares",
    "find_outliers",
    "find_uniform_pixels",
    "fit_gaussian_mixture",
    "fit_kmeans",
    "fit_poisson_mixture",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassComparison": "comparing",
        "Clustering": "models",
        "KMeansModel": "models",
        "MixtureModel": "models",
        "PoissonMixtureModel": "models",
        "assign_classes": "assigning",
        "choose_n_classes": "choosing",
        "class_means": "assigning",
        "cluster_gaussian_mixture": "gaussian_mixture",
        "cluster_kmeans": "kmeans",
        "cluster_poisson_mixture": "poisson_mixture",
        "compare_classes": "comparing",
        "estimate_shares": "shares",
        "find_outliers": "outliers",
        "find_uniform_pixels": "uniform",
        "fit_gaussian_mixture": "gaussian_mixture",
        "fit_kmeans": "kmeans",
        "fit_poisson_mixture": "poisson_mixture",
    },
)
