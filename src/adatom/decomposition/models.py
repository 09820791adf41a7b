"""What decompositions learn and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.schema import Features, Table

Weighting = Literal["none", "poisson"]


@dataclass(frozen=True, eq=False)
class PCAModel:
    """Principal components of features.

    Attributes
    ----------
    center : array, shape (feature,)
        Taken off before components are fitted; zero with Poisson weights.
    basis : array, shape (component, feature)
        Orthonormal in the weighted features, by falling variance.
    variances : array, shape (feature,)
        Of all components, those that are not kept included, in the weighted
        features.
    column_weights : array, shape (feature,)
        Features are divided by these before they are decomposed; ones
        without weights.
    n_rows : int
        Measured rows that the model was fitted to.
    n_above_noise : int
        Components that noise, in every column as strong as there, would not give.
    weighting : {"none", "poisson"}
        Whether rows are divided by the root of their mean as well.
    feature_dim : str
        Name of the dim that was measured.
    """

    center: NDArray[np.float64]
    basis: NDArray[np.float64]
    variances: NDArray[np.float64]
    column_weights: NDArray[np.float64]
    n_rows: int
    n_above_noise: int
    weighting: Weighting
    feature_dim: str

    @property
    def n_components(self) -> int:
        """Number of components that are kept."""
        return len(self.basis)


class Decomposition(NamedTuple):
    """Features as sums of components."""

    scores: Features
    """How much of each component is in each row: (..., component)."""
    components: Features
    """(component, feature), with the axis of the features."""
    summary: Table
    """One row a component."""
    model: PCAModel
    """What was learnt; `apply_pca` uses it on other features."""
