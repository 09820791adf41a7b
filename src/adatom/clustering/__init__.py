"""Features -> classes.

============================  ====================================================================
``cluster_kmeans``            classes by k-means, exact at any size
``cluster_gaussian_mixture``  soft classes by a mixture of Gaussians with outliers
``cluster_poisson_mixture``   soft classes of counts by the shape of their spectra
``find_uniform_pixels``       pixels inside of domains, without those of borders
``cluster_hierarchical``      classes cut from Ward's tree, of rows or of connected regions
``cluster_density``           classes as dense regions, and noise, by HDBSCAN
``cluster_turned_patches``    classes of patches in any orientation of a group; orientation apart
``cluster_consensus``         classes that resamplings agree on, with their stability
``cluster_mirrored``          classes whose members may be mirror images of one another
``MirroredClustering``        what ``cluster_mirrored`` gives
``refine_classes``            classes weighed with those of their neighbors (Potts)
``link_classes``              classes numbered as those of another run on the same places
``link_classes_by_means``     classes numbered as those whose means they resemble
``image_from_classes``        an image of how doubtful every class is
``compare_n_classes``         the classes of every number of them, side by side
``choose_n_classes``          how many classes the features show, 1 included
``fit_kmeans``                the k-means model alone
``fit_kmeans_sweep``          k-means models of every number of classes in shared passes
``fit_gaussian_mixture``      the mixture model alone
``fit_poisson_mixture``       the model of counts alone
``assign_classes``            classes of any features by a fitted model
``assign_turned_patches``     class and orientation of any patches by a fitted model
``find_outliers``             the few that differ from the many
``estimate_shares``           the share of every class, with an interval
``class_means``               mean features of every class
``class_sums``                summed features of every class, as of counts
``find_markers``              the features that tell a class from all others
``compare_classes``           classes against a label image drawn by an expert
``KMeansModel``               what k-means learnt
``KMeansSweep``               models of every number of classes
``MixtureModel``              what a mixture learnt
``PoissonMixtureModel``       what a mixture of counts learnt
``TurnedMixtureModel``        what a mixture with hidden turns and mirrors learnt
``Clustering``                classes with their model
``TurnedClustering``          classes, orientations, turned-back means, and their model
``TurnedClasses``             classes and orientations of patches
``HierarchicalClustering``    classes with their means and the tree
``DensityClustering``         classes with their means
``LinkedClasses``             classes with what they were matched with
``ClassSweep``                what a comparison of numbers of classes gives
``ClassComparison``           scores, confusion and agreement map of a comparison
``predict_classes``           classes of patches by a network that was trained on others
``classes_from_scores``       shares of components, as of NMF, as soft classes
``classes_from_windows``      classes of windows on the pixels beneath them
``labels_from_classes``       classes of pixels as an image of their numbers
``choose_n_phases``           how many classes of surroundings go on beyond these
============================  ====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.clustering.assigning import assign_classes, class_means, class_sums
    from adatom.clustering.choosing import choose_n_classes
    from adatom.clustering.comparing import ClassComparison, compare_classes
    from adatom.clustering.consensus import cluster_consensus
    from adatom.clustering.density import DensityClustering, cluster_density
    from adatom.clustering.doubt import image_from_classes
    from adatom.clustering.gaussian_mixture import cluster_gaussian_mixture, fit_gaussian_mixture
    from adatom.clustering.hierarchical import HierarchicalClustering, cluster_hierarchical
    from adatom.clustering.kmeans import cluster_kmeans, fit_kmeans
    from adatom.clustering.kmeans_sweep import KMeansSweep, fit_kmeans_sweep
    from adatom.clustering.label_images import labels_from_classes
    from adatom.clustering.linking import LinkedClasses, link_classes, link_classes_by_means
    from adatom.clustering.markers import find_markers
    from adatom.clustering.mirrored import MirroredClustering, cluster_mirrored
    from adatom.clustering.models import Clustering, KMeansModel, MixtureModel, PoissonMixtureModel
    from adatom.clustering.outliers import find_outliers
    from adatom.clustering.persistence import choose_n_phases
    from adatom.clustering.poisson_mixture import cluster_poisson_mixture, fit_poisson_mixture
    from adatom.clustering.predicting import predict_classes
    from adatom.clustering.refining import refine_classes
    from adatom.clustering.shares import estimate_shares
    from adatom.clustering.soft_maps import classes_from_scores, classes_from_windows
    from adatom.clustering.sweeping import ClassSweep, compare_n_classes
    from adatom.clustering.turned import TurnedClustering, cluster_turned_patches
    from adatom.clustering.turned_assigning import TurnedClasses, assign_turned_patches
    from adatom.clustering.turned_models import TurnedMixtureModel
    from adatom.clustering.uniform import find_uniform_pixels

__all__ = [
    "ClassComparison",
    "ClassSweep",
    "Clustering",
    "DensityClustering",
    "HierarchicalClustering",
    "KMeansModel",
    "KMeansSweep",
    "LinkedClasses",
    "MirroredClustering",
    "MixtureModel",
    "PoissonMixtureModel",
    "TurnedClasses",
    "TurnedClustering",
    "TurnedMixtureModel",
    "assign_classes",
    "assign_turned_patches",
    "choose_n_classes",
    "choose_n_phases",
    "class_means",
    "class_sums",
    "classes_from_scores",
    "classes_from_windows",
    "cluster_consensus",
    "cluster_density",
    "cluster_gaussian_mixture",
    "cluster_hierarchical",
    "cluster_kmeans",
    "cluster_mirrored",
    "cluster_poisson_mixture",
    "cluster_turned_patches",
    "compare_classes",
    "compare_n_classes",
    "estimate_shares",
    "find_markers",
    "find_outliers",
    "find_uniform_pixels",
    "fit_gaussian_mixture",
    "fit_kmeans",
    "fit_kmeans_sweep",
    "fit_poisson_mixture",
    "image_from_classes",
    "labels_from_classes",
    "link_classes",
    "link_classes_by_means",
    "predict_classes",
    "refine_classes",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassComparison": "comparing",
        "ClassSweep": "sweeping",
        "Clustering": "models",
        "DensityClustering": "density",
        "HierarchicalClustering": "hierarchical",
        "KMeansModel": "models",
        "KMeansSweep": "kmeans_sweep",
        "LinkedClasses": "linking",
        "MirroredClustering": "mirrored",
        "MixtureModel": "models",
        "PoissonMixtureModel": "models",
        "TurnedClasses": "turned_assigning",
        "TurnedClustering": "turned",
        "TurnedMixtureModel": "turned_models",
        "assign_classes": "assigning",
        "assign_turned_patches": "turned_assigning",
        "choose_n_classes": "choosing",
        "choose_n_phases": "persistence",
        "class_means": "assigning",
        "class_sums": "assigning",
        "classes_from_scores": "soft_maps",
        "classes_from_windows": "soft_maps",
        "cluster_consensus": "consensus",
        "cluster_density": "density",
        "cluster_gaussian_mixture": "gaussian_mixture",
        "cluster_hierarchical": "hierarchical",
        "cluster_kmeans": "kmeans",
        "cluster_mirrored": "mirrored",
        "cluster_poisson_mixture": "poisson_mixture",
        "cluster_turned_patches": "turned",
        "compare_classes": "comparing",
        "compare_n_classes": "sweeping",
        "estimate_shares": "shares",
        "find_markers": "markers",
        "find_outliers": "outliers",
        "find_uniform_pixels": "uniform",
        "fit_gaussian_mixture": "gaussian_mixture",
        "fit_kmeans": "kmeans",
        "fit_kmeans_sweep": "kmeans_sweep",
        "fit_poisson_mixture": "poisson_mixture",
        "image_from_classes": "doubt",
        "labels_from_classes": "label_images",
        "link_classes": "linking",
        "link_classes_by_means": "linking",
        "predict_classes": "predicting",
        "refine_classes": "refining",
    },
)
