"""Features -> components: how much of few spectra is in each of many.

====================== ==================================================
`decompose_pca`        principal components with scores, exactly, streamed
`fit_pca`              the components alone
`choose_n_components`  how many components rise above the noise
`apply_pca`            scores of other features on fitted components
`decompose_robust_pca` principal components of most rows, and the outliers
`decompose_ica`        components whose scores are independent
`decompose_nmf`        non-negative components and scores
`find_endmembers`      the purest spectra of a map (VCA, N-FINDR)
`estimate_abundances`  how much of known spectra every row holds
`estimate_abundance_intervals`  from least to most, within the bounds
====================== ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.decomposition.choosing import choose_n_components
    from adatom.decomposition.endmembers import Endmembers, find_endmembers
    from adatom.decomposition.ica import IndependentComponents, decompose_ica
    from adatom.decomposition.intervals import AbundanceIntervals, estimate_abundance_intervals
    from adatom.decomposition.models import Decomposition, PCAModel
    from adatom.decomposition.nmf import Factorization, decompose_nmf
    from adatom.decomposition.pca import apply_pca, decompose_pca, fit_pca
    from adatom.decomposition.robust_pca import RobustDecomposition, decompose_robust_pca
    from adatom.decomposition.unmixing import Abundances, estimate_abundances

__all__ = [
    "AbundanceIntervals",
    "Abundances",
    "Decomposition",
    "Endmembers",
    "Factorization",
    "IndependentComponents",
    "PCAModel",
    "RobustDecomposition",
    "apply_pca",
    "choose_n_components",
    "decompose_ica",
    "decompose_nmf",
    "decompose_pca",
    "decompose_robust_pca",
    "estimate_abundance_intervals",
    "estimate_abundances",
    "find_endmembers",
    "fit_pca",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AbundanceIntervals": "intervals",
        "Abundances": "unmixing",
        "Decomposition": "models",
        "Endmembers": "endmembers",
        "Factorization": "nmf",
        "IndependentComponents": "ica",
        "PCAModel": "models",
        "RobustDecomposition": "robust_pca",
        "apply_pca": "pca",
        "choose_n_components": "choosing",
        "decompose_ica": "ica",
        "decompose_nmf": "nmf",
        "decompose_pca": "pca",
        "decompose_robust_pca": "robust_pca",
        "estimate_abundance_intervals": "intervals",
        "estimate_abundances": "unmixing",
        "find_endmembers": "endmembers",
        "fit_pca": "pca",
    },
)
