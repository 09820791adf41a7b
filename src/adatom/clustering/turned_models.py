"""What a mixture with hidden turns and mirrors learnt of patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from adatom.clustering.models import dataset_from_model, parts_of_model
from adatom.clustering.turned_mixtures import TurnedMixture
from adatom.numerics.point_groups import group_matrices, group_of_matrices, product_table

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TurnedMixtureModel:
    """Classes of patches, each of which shows its class in one of the orientations of a group.

    Attributes
    ----------
    symmetry : str
        The group, in Schoenflies' name: "C3", "C3v" ...
    mirror_axis : float
        Direction of a mirror line in deg, from +x towards +y; 0 without mirrors.
    weights : array, shape (class,)
        Share of each class; with that of the background, they add up to 1.
    means : array, shape (class, component)
        Of the class in its first orientation, in the coordinates of the
        subspace; class 0 has most patches.
    covariances : array, shape (class, component, component)
        In the same coordinates and orientation.
    operations : array, shape (operation, component, component)
        How turns, and then mirrors, act on the coordinates; orthogonal.
    kept : array of bool, shape (class, operation)
        Which operations leave the class as it is: its own symmetry.
    spread : array, shape (component,)
        Variance of patches in all orientations.
    center : array, shape (pixel,)
        Mean of the patches that were fitted.
    basis : array, shape (component, pixel)
        Coordinates of a patch are ``basis @ (patch - center) + offset``.
    offset : array, shape (component,)
        See `basis`.
    needed : array of bool, shape (pixel,)
        Pixels of the disc: what lies outside has no say.
    directions : array, shape (class,)
        Where the strongest departure of the class in its first orientation
        from its mean over all orientations lies, in deg; NaN if there is none.
    counts : array of int, shape (class,)
        Patches of each class in the fit.
    patch_shape : array of int, shape (axis,)
        Rows and columns.
    patch_step : array, shape (axis,)
        From pixel to pixel, down and across, in `patch_unit`.
    patch_unit : str
        Unit of length.
    background : bool
        Whether there are patches that belong to no class.
    form : {"tied", "full"}
        Whether all classes scatter alike.
    log_likelihood, bic : float
        Of the fit; the smaller the BIC the better.
    n_passes : int
        Passes of expectation-maximization.
    converged : bool
        False: the likelihood still rose when the passes ran out.
    feature_dim : str
        Name of the dim that was measured.
    """

    symmetry: str
    mirror_axis: float
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    operations: NDArray[np.float64]
    kept: NDArray[np.bool_]
    spread: NDArray[np.float64]
    center: NDArray[np.float64]
    basis: NDArray[np.float64]
    offset: NDArray[np.float64]
    needed: NDArray[np.bool_]
    directions: NDArray[np.float64]
    counts: NDArray[np.int64]
    patch_shape: NDArray[np.int64]
    patch_step: NDArray[np.float64]
    patch_unit: str
    background: bool
    form: str
    log_likelihood: float
    bic: float
    n_passes: int
    converged: bool
    feature_dim: str

    ARRAYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "weights": ("class",),
        "means": ("class", "component"),
        "covariances": ("class", "component", "component_other"),
        "operations": ("operation", "component", "component_other"),
        "kept": ("class", "operation"),
        "spread": ("component",),
        "center": ("pixel",),
        "basis": ("component", "pixel"),
        "offset": ("component",),
        "needed": ("pixel",),
        "directions": ("class",),
        "counts": ("class",),
        "patch_shape": ("axis",),
        "patch_step": ("axis",),
    }

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Size of the dim that was measured."""
        return len(self.center)

    @property
    def matrices(self) -> list[NDArray[np.float64]]:
        """The operations as maps of (y, x)."""
        return group_matrices(self.symmetry, np.radians(self.mirror_axis))

    @property
    def class_symmetries(self) -> list[str]:
        """The group under which each class is as it is."""
        matrices = self.matrices
        return [group_of_matrices([matrices[g] for g in np.flatnonzero(own)]) for own in self.kept]

    @property
    def orientation_of(self) -> NDArray[np.int64]:
        """For every class and operation the first operation that gives the same picture."""
        table = product_table(self.matrices)
        return np.array([table[:, np.flatnonzero(own)].min(axis=1) for own in self.kept])

    @property
    def mixture(self) -> TurnedMixture:
        """The classes as a mixture."""
        return TurnedMixture(
            self.weights,
            self.means,
            self.covariances,
            self.operations,
            tuple(tuple(np.flatnonzero(own).tolist()) for own in self.kept),
            self.spread,
            self.background,
            "full" if self.form == "full" else "tied",
        )

    def to_dataset(self) -> xr.Dataset:
        """Give the model as arrays and numbers, for a file."""
        return dataset_from_model(self)

    @classmethod
    def from_dataset(cls, stored: xr.Dataset, /) -> TurnedMixtureModel:
        """Make the model again from what `to_dataset` gave."""
        return cls(**parts_of_model(cls, stored))
