"""Features -> classes.

========================  =====================================================
`cluster_kmeans`          classes by k-means, exact at any size
`cluster_gaussian_mixture`  soft classes by a mixture of Gaussians with outliers
`choose_n_classes`        how many classes the features show, 1 included
`fit_kmeans`              the k-means model alone
`fit_kmeans_sweep`        k-means models of every number of classes, in shared passes
`fit_gaussian_mixture`    the mixture model alone
`assign_classes`          classes of any features by a fitted model
`find_outliers`           the few that differ from the many
`estimate_shares`         the share of every class, with an interval
`class_means`             mean features of every class
`compare_classes`         classes against a label image drawn by an expert
`KMeansModel`             what k-means learnt
`MixtureModel`            what a mixture learnt
`Clustering`              classes with their model
`KMeansSweep`             models of every number of classes
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
    from adatom.clustering.kmeans_sweep import KMeansSweep, fit_kmeans_sweep
    from adatom.clustering.models import Clustering, KMeansModel, MixtureModel
    from adatom.clustering.outliers import find_outliers
    from adatom.clustering.shares import estimate_shares

__all__ = [
    "ClassComparison",
    "Clustering",
    "KMeansModel",
    "KMeansSweep",
    "MixtureModel",
    "assign_classes",
    "choose_n_classes",
    "class_means",
    "cluster_gaussian_mixture",
    "cluster_kmeans",
    "compare_classes",
    "estimate_shares",
    "find_outliers",
    "fit_gaussian_mixture",
    "fit_kmeans",
    "fit_kmeans_sweep",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassComparison": "comparing",
        "Clustering": "models",
        "KMeansModel": "models",
        "KMeansSweep": "kmeans_sweep",
        "MixtureModel": "models",
        "assign_classes": "assigning",
        "choose_n_classes": "choosing",
        "class_means": "assigning",
        "cluster_gaussian_mixture": "gaussian_mixture",
        "cluster_kmeans": "kmeans",
        "compare_classes": "comparing",
        "estimate_shares": "shares",
        "find_outliers": "outliers",
        "fit_gaussian_mixture": "gaussian_mixture",
        "fit_kmeans": "kmeans",
        "fit_kmeans_sweep": "kmeans_sweep",
    },
)
