"""What is learned of the variants of a crystal: enough to label another image of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from adatom.errors import StoreError
from adatom.numerics.point_groups import Operation, SymmetricStar, name_of_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class VariantModel:
    """Classes of neighbor vectors, closed under the point group of their parent.

    Lengths are in units of the spacing of the sites.

    Attributes
    ----------
    slots : array, shape (neighbor, axis)
        The symmetric star of the parent, axis y, x.
    matrices : array, shape (operation, axis, axis_other)
        Operations of its point group, the identity first.
    permutations : array of int, shape (operation, neighbor)
        Slot to which each slot goes.
    means : array, shape (class, neighbor, axis)
        Deviation of every class from the parent. Classes without sites, which
        are images of others, come last.
    affine : array, shape (neighbor, axis)
        Drift, taken off before; of the largest grain.
    image : array of int, shape (operation, class)
        Class to which an operation brings each class.
    orbit : array of int, shape (class,)
        Orbit of each class under the point group.
    phase : array of int, shape (class,)
        Phase of each class: orbits that a translation exchanges are one.
    weights : array, shape (class,)
        Share of the sites; 0 for classes without sites.
    whitening : array, shape (feature, feature)
        Makes the scatter of means over cells the identity.
    characters : array of int, shape (wave, direction)
        Wave vectors of a superlattice, in halves of the reciprocal cell, the
        first zero.
    point_group : str
        Of the parent, in Schoenflies' name.
    averaging : int
        Cells along each side of the window whose like cells are averaged.
    """

    slots: NDArray[np.float64]
    matrices: NDArray[np.float64]
    permutations: NDArray[np.int64]
    means: NDArray[np.float64]
    affine: NDArray[np.float64]
    image: NDArray[np.int64]
    orbit: NDArray[np.int64]
    phase: NDArray[np.int64]
    weights: NDArray[np.float64]
    whitening: NDArray[np.float64]
    characters: NDArray[np.int64]
    point_group: str
    averaging: int

    ARRAYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "slots": ("neighbor", "axis"),
        "matrices": ("operation", "axis", "axis_other"),
        "permutations": ("operation", "neighbor"),
        "means": ("class", "neighbor", "axis"),
        "affine": ("neighbor", "axis"),
        "image": ("operation", "class"),
        "orbit": ("class",),
        "phase": ("class",),
        "weights": ("class",),
        "whitening": ("feature", "feature_other"),
        "characters": ("wave", "direction"),
    }

    @property
    def n_classes(self) -> int:
        """Number of classes that hold sites."""
        return int((self.weights > 0).sum())

    @property
    def star(self) -> SymmetricStar:
        """The parent's star with its operations."""
        operations = tuple(
            Operation(matrix, slot, name_of_matrix(matrix))
            for matrix, slot in zip(self.matrices, self.permutations, strict=True)
        )
        return SymmetricStar(self.slots, self.point_group, operations)

    def to_dataset(self) -> xr.Dataset:
        """Give the model as arrays and numbers, for a file."""
        numbers = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in self.ARRAYS
        }
        return xr.Dataset(
            {name: (dims, getattr(self, name)) for name, dims in self.ARRAYS.items()},
            attrs={"model": type(self).__name__, **numbers},
        )

    @classmethod
    def from_dataset(cls, stored: xr.Dataset, /) -> VariantModel:
        """Make the model again from what `to_dataset` gave.

        Raises
        ------
        StoreError
            If the dataset does not hold such a model.
        """
        if stored.attrs.get("model") != cls.__name__:
            msg = f"attrs['model'] is {stored.attrs.get('model')!r}, need {cls.__name__!r}"
            raise StoreError(msg)
        parts: dict[str, Any] = {}
        for field in fields(cls):
            held = stored if field.name in cls.ARRAYS else stored.attrs
            if field.name not in held:
                msg = f"the stored {cls.__name__} lacks {field.name!r}: it is damaged, fit it again"
                raise StoreError(msg)
            value = held[field.name]
            parts[field.name] = np.asarray(value) if field.name in cls.ARRAYS else value
        return cls(**parts)
