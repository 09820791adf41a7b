"""What clustering learns: models that assign classes to any features of the same sort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Protocol

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError, StoreError
from adatom.schema import Classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Covariance = Literal["full", "tied", "diagonal", "spherical"]


@dataclass(frozen=True, eq=False)
class KMeansModel:
    """Means of classes, found by k-means.

    Attributes
    ----------
    means : array, shape (class, feature)
        Class 0 is the largest.
    counts : array of int, shape (class,)
        Rows of each class in the fit.
    inertia : float
        Sum of squared distances of all rows to the mean of their class.
    n_passes : int
        Passes over all rows until no mean moved.
    converged : bool
        False: the means still moved when the passes ran out.
    feature_dim : str
        Name of the dim that was measured.
    """

    means: NDArray[np.float64]
    counts: NDArray[np.int64]
    inertia: float
    n_passes: int
    converged: bool
    feature_dim: str

    ARRAYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "means": ("class", "feature"),
        "counts": ("class",),
    }

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Size of the dim that was measured."""
        return int(self.means.shape[1])

    def to_dataset(self) -> xr.Dataset:
        """Give the model as arrays and numbers, for a file."""
        return dataset_from_model(self)

    @classmethod
    def from_dataset(cls, stored: xr.Dataset, /) -> KMeansModel:
        """Make the model again from what `to_dataset` gave."""
        return cls(**parts_of_model(cls, stored))


@dataclass(frozen=True, eq=False)
class MixtureModel:
    """A mixture of Gaussians in a linear subspace of the features, perhaps with outliers.

    Attributes
    ----------
    weights : array, shape (class,)
        Share of each Gaussian; with outliers they add up to less than 1.
    means : array, shape (class, component)
        In the coordinates of the subspace; class 0 has most rows.
    covariances : array, shape (class, component, component)
        In the same coordinates.
    center : array, shape (feature,)
        Origin of the subspace.
    basis : array, shape (component, feature)
        Its orthonormal axes, by falling variance.
    counts : array of int, shape (class,) or (class + 1,)
        Rows of each class in the fit, those of the outliers last.
    outlier_log_density : float
        Log density of outliers, uniform over the box of the data; NaN: none.
    log_likelihood, bic : float
        Of the fit, per data set; the smaller the BIC the better.
    n_passes : int
        Passes of expectation-maximization over all rows.
    converged : bool
        False: the likelihood still rose when the passes ran out.
    covariance : {"full", "tied", "diagonal", "spherical"}
        Form of the covariances.
    feature_dim : str
        Name of the dim that was measured.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    center: NDArray[np.float64]
    basis: NDArray[np.float64]
    counts: NDArray[np.int64]
    outlier_log_density: float
    log_likelihood: float
    bic: float
    n_passes: int
    converged: bool
    covariance: Covariance
    feature_dim: str

    ARRAYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "weights": ("class",),
        "means": ("class", "component"),
        "covariances": ("class", "component", "component_other"),
        "center": ("feature",),
        "basis": ("component", "feature"),
        "counts": ("label",),
    }

    @property
    def n_classes(self) -> int:
        """Number of classes, without the outliers."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Size of the dim that was measured."""
        return len(self.center)

    @property
    def outlier_class(self) -> int | None:
        """Label of outliers: the number after the last Gaussian's; None without outliers."""
        return None if np.isnan(self.outlier_log_density) else self.n_classes

    def to_dataset(self) -> xr.Dataset:
        """Give the model as arrays and numbers, for a file."""
        return dataset_from_model(self)

    @classmethod
    def from_dataset(cls, stored: xr.Dataset, /) -> MixtureModel:
        """Make the model again from what `to_dataset` gave."""
        return cls(**parts_of_model(cls, stored))


@dataclass(frozen=True, eq=False)
class PoissonMixtureModel:
    """A mixture of spectral shapes under the statistics of counts.

    Attributes
    ----------
    weights : array, shape (class,)
        Share of each class; class 0 has most rows.
    shapes : array, shape (class, feature)
        Expected share of the counts of a row in every channel; each adds up
        to one.
    pooled : array, shape (feature,)
        Shape of all rows together.
    counts : array of int, shape (class,)
        Rows of each class in the fit.
    dispersion : float
        Variance of the values over their mean: 1 for counts, the gain for
        counts times a gain, more where classes do not explain all.
    log_likelihood, bic : float
        Of the fit, relative to a single class; the smaller the BIC the
        better.
    n_passes : int
        Passes of expectation-maximization over all rows.
    converged : bool
        False: the likelihood still rose when the passes ran out.
    feature_dim : str
        Name of the dim that was measured.
    """

    weights: NDArray[np.float64]
    shapes: NDArray[np.float64]
    pooled: NDArray[np.float64]
    counts: NDArray[np.int64]
    dispersion: float
    log_likelihood: float
    bic: float
    n_passes: int
    converged: bool
    feature_dim: str

    ARRAYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "weights": ("class",),
        "shapes": ("class", "feature"),
        "pooled": ("feature",),
        "counts": ("class",),
    }

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.shapes)

    @property
    def n_features(self) -> int:
        """Size of the dim that was measured."""
        return int(self.shapes.shape[1])

    def to_dataset(self) -> xr.Dataset:
        """Give the model as arrays and numbers, for a file."""
        return dataset_from_model(self)

    @classmethod
    def from_dataset(cls, stored: xr.Dataset, /) -> PoissonMixtureModel:
        """Make the model again from what `to_dataset` gave."""
        return cls(**parts_of_model(cls, stored))


Model = KMeansModel | MixtureModel | PoissonMixtureModel
_SORTS: Final[Mapping[str, type[Model]]] = {
    sort.__name__: sort for sort in (KMeansModel, MixtureModel, PoissonMixtureModel)
}


class Clustering(NamedTuple):
    """Classes of features and the model that assigned them."""

    classes: Classes
    model: KMeansModel | MixtureModel | PoissonMixtureModel


def model_from_dataset(stored: xr.Dataset, /) -> Model:
    """Make a model of any sort again from what its ``to_dataset`` gave.

    Raises
    ------
    StoreError
        If the dataset does not hold a clustering model.
    """
    sort = stored.attrs.get("model")
    if not isinstance(sort, str) or sort not in _SORTS:
        *names, last = _SORTS
        msg = f"attrs['model'] is {sort!r}, need {', '.join(names)} or {last}"
        raise StoreError(msg)
    return _SORTS[sort].from_dataset(stored)


class Stored(Protocol):
    """A frozen dataclass of arrays, named in ``ARRAYS`` with their dims, and of plain numbers."""

    ARRAYS: ClassVar[Mapping[str, tuple[str, ...]]]


def dataset_from_model(model: Stored, /) -> xr.Dataset:
    """Write a model as arrays and numbers, for a file."""
    numbers = {
        field.name: getattr(model, field.name)
        for field in fields(model)  # type: ignore[arg-type]
        if field.name not in model.ARRAYS
    }
    # JSON has no NaN: a mixture without outliers keeps no density of them.
    numbers = {key: value for key, value in numbers.items() if value == value}
    return xr.Dataset(
        {name: (dims, getattr(model, name)) for name, dims in model.ARRAYS.items()},
        attrs={"model": type(model).__name__, **numbers},
    )


def parts_of_model(sort: type[Stored], stored: xr.Dataset, /) -> dict[str, Any]:
    """Read what `dataset_from_model` wrote, by the names of the fields.

    Raises
    ------
    StoreError
        If the dataset holds another model, or lacks a part.
    """
    if stored.attrs.get("model") != sort.__name__:
        msg = f"attrs['model'] is {stored.attrs.get('model')!r}, need {sort.__name__!r}"
        raise StoreError(msg)
    parts: dict[str, Any] = {name: stored[name].values for name in sort.ARRAYS}
    for field in fields(sort):  # type: ignore[arg-type]
        if field.name in parts:
            continue
        if field.name in stored.attrs:
            parts[field.name] = stored.attrs[field.name]
        elif field.name == "outlier_log_density":
            parts[field.name] = float("nan")
        else:
            msg = f"the stored {sort.__name__} lacks {field.name!r}: it is damaged, fit it again"
            raise StoreError(msg)
    return parts


def check_features_fit(features: xr.DataArray, model: Model, /) -> None:
    """Raise `KindError` unless `features` measure what `model` was fitted to."""
    dim, size = str(features.dims[-1]), features.sizes[features.dims[-1]]
    if (dim, size) != (model.feature_dim, model.n_features):
        msg = (
            f"the model was fitted to {model.n_features} features along {model.feature_dim!r}, "
            f"these have {size} along {dim!r}: compute them in the same way as for the fit"
        )
        raise KindError(msg)


def number_of_classes(choice: xr.Dataset | None, n_classes: int | None, /) -> int:
    """Take the number of classes from a setting, or else from the table of `choose_n_classes`.

    Raises
    ------
    SettingError
        If neither is given, or the number is less than 1.
    """
    if choice is None and n_classes is None:
        msg = "give n_classes= or, as second data, the table of choose_n_classes: found neither"
        raise SettingError(msg)
    if choice is not None and n_classes is None:
        if "n_classes" not in choice.attrs:
            msg = "the table has no attrs['n_classes']: take the one of choose_n_classes"
            raise SettingError(msg)
        n_classes = int(choice.attrs["n_classes"])
    if n_classes is None or n_classes < 1:
        msg = f"{n_classes=} must be 1 or more"
        raise SettingError(msg)
    return n_classes


def size_order(counts: NDArray[Any], means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order classes by falling size, equal ones by their means."""
    return np.lexsort((*means.T[::-1], -np.asarray(counts)))
