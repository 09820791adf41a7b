"""Features -> classes.

========================  =====================================================
`cluster_kmeans`          classes by k-means, exact at any size
`cluster_gaussian_mixture`  soft classes by a mixture of Gaussians with outliers
`choose_n_classes`        how many classes the features show, 1 included
`fit_kmeans`              the k-means model alone
`fit_gaussian_mixture`    the mixture model alone
`assign_classes`          classes of any features by a fitted model
`find_outliers`           the few that differ from the many
`estimate_shares`         the share of every class, with an interval
`class_means`             mean features of every class
`class_sums`              summed features of every class, as of counts
`find_markers`            the features that tell a class from all others
`compare_classes`         classes against a label image drawn by an expert
`KMeansModel`             what k-means learnt
`MixtureModel`            what a mixture learnt
`Clustering`              classes with their model
`ClassComparison`         scores, confusion and agreement map of a comparison
========================  =====================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.clustering.assigning import assign_classes, class_means, class_sums
    from adatom.clustering.choosing import choose_n_classes
    from adatom.clustering.comparing import ClassComparison, compare_classes
    from adatom.clustering.gaussian_mixture import cluster_gaussian_mixture, fit_gaussian_mixture
    from adatom.clustering.kmeans import cluster_kmeans, fit_kmeans
    from adatom.clustering.markers import find_markers
    from adatom.clustering.models import Clustering, KMeansModel, MixtureModel
    from adatom.clustering.outliers import find_outliers
    from adatom.clustering.shares import estimate_shares

__all__ = [
    "ClassComparison",
    "Clustering",
    "KMeansModel",
    "MixtureModel",
    "assign_classes",
    "choose_n_classes",
    "class_means",
    "class_sums",
    "cluster_gaussian_mixture",
    "cluster_kmeans",
    "compare_classes",
    "estimate_shares",
    "find_markers",
    "find_outliers",
    "fit_gaussian_mixture",
    "fit_kmeans",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassComparison": "comparing",
        "Clustering": "models",
        "KMeansModel": "models",
        "MixtureModel": "models",
        "assign_classes": "assigning",
        "choose_n_classes": "choosing",
        "class_means": "assigning",
        "class_sums": "assigning",
        "cluster_gaussian_mixture": "gaussian_mixture",
        "cluster_kmeans": "kmeans",
        "compare_classes": "comparing",
        "estimate_shares": "shares",
        "find_markers": "markers",
        "find_outliers": "outliers",
        "fit_gaussian_mixture": "gaussian_mixture",
        "fit_kmeans": "kmeans",
    },
)
