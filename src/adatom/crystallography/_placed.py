"""Classes with the places that they are of, as a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from adatom.errors import KindError, TooFewSitesError
from adatom.numerics.meshes import Mesh, mesh_of_grid, mesh_of_points
from adatom.schema import CLASSES, IMAGE, SITES, pixel_size, positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PlacedClasses:
    """Classified places on a mesh; what has no class or place is left out.

    Attributes
    ----------
    mesh : Mesh
        Of the places that count, in the unit of space.
    labels : ndarray of int, shape (place,)
        From 0.
    share : ndarray, shape (place, class)
        Probability of each class, 1 or 0 where the classes are hard.
    index : ndarray of int, shape (place,)
        Numbers of the places in the flattened labels.
    unit : str
    is_map : bool
        Whether places are pixels.
    soft : bool
        Whether probabilities were given.
    """

    mesh: Mesh
    labels: NDArray[np.int64]
    share: NDArray[np.float64]
    index: NDArray[np.int64]
    unit: str
    is_map: bool
    soft: bool

    @property
    def n_classes(self) -> int:
        """How many classes there may be."""
        return int(self.share.shape[1])


def placed_classes(classes: xr.Dataset, sites: xr.Dataset | None, /) -> PlacedClasses:
    """Lay classes out on a mesh: the pixels of a map, or sites of one frame.

    Raises
    ------
    KindError
        If it is not known where the classes are, or if they are of several frames.
    TooFewSitesError
        If fewer than three places have a class, or all lie on a line.
    """
    CLASSES.check(classes)
    label = classes["label"]
    if label.dims == ("y", "x"):
        return _placed_map(classes)
    if label.dims != ("site",):
        msg = (
            f"labels have dims {label.dims}: regions and boundaries are found for classes of "
            "'site' or of ('y', 'x'), frame by frame"
        )
        raise KindError(msg)
    return _placed_sites(classes, sites_of_classes(classes, sites))


def sites_of_classes(classes: xr.Dataset, sites: xr.Dataset | None, /) -> xr.Dataset:
    """Give the sites that classes are of: those given, or the places that classes carry."""
    label = classes["label"]
    if sites is None:
        if not {"y", "x"} <= set(label.coords):
            msg = "classes do not say where their sites are: give the sites too"
            raise KindError(msg)
        sites = xr.Dataset(coords=label.coords, attrs=classes.attrs)
    SITES.check(sites)
    if sites.sizes["site"] != label.size:
        msg = f"{label.size} labels, but {sites.sizes['site']} sites: give the sites of the classes"
        raise KindError(msg)
    if "frame" in sites.coords and len(frames := np.unique(sites.coords["frame"].values)) > 1:
        msg = (
            f"sites are of {len(frames)} frames, regions and boundaries are of one: take it by "
            "sites.isel(site=sites.frame == number), and the classes alike"
        )
        raise KindError(msg)
    return sites


def _placed_sites(classes: xr.Dataset, sites: xr.Dataset) -> PlacedClasses:
    labels = np.asarray(classes["label"].values).astype(np.int64)
    places = positions(sites)
    keep = (labels >= 0) & np.isfinite(places).all(axis=1)
    share, soft = _shares(classes, labels)
    keep &= np.isfinite(share).all(axis=1)
    index = np.flatnonzero(keep)
    points = places[index]
    centered = points - points.mean(axis=0) if len(points) else points
    if len(points) < 3 or np.linalg.matrix_rank(centered, tol=1e-9 * np.abs(centered).max()) < 2:
        msg = (
            f"{len(points)} sites with a class and a place: regions need three or more that do not "
            "lie on a line"
        )
        raise TooFewSitesError(msg)
    mesh = mesh_of_points(points)
    return PlacedClasses(mesh, labels[index], share[index], index, space_unit(sites), False, soft)


def _placed_map(classes: xr.Dataset) -> PlacedClasses:
    label = classes["label"]
    IMAGE.check(label, name="label")
    if min(label.shape) < 2:
        msg = f"labels have shape {label.shape}: a map of classes needs 2 x 2 pixels or more"
        raise TooFewSitesError(msg)
    labels = np.asarray(label.values).astype(np.int64)
    share, soft = _shares(classes, labels.ravel())
    known = (labels >= 0) & np.isfinite(share).all(axis=1).reshape(labels.shape)
    if not known.any():
        msg = "no pixel has a class: all labels are -1"
        raise TooFewSitesError(msg)
    mesh = mesh_of_grid(known, pixel_size(label))
    origin = np.array([float(label.coords[dim].values[0]) for dim in ("y", "x")])
    index = np.flatnonzero(known.ravel())
    mesh = _only(mesh, index, origin)
    return PlacedClasses(
        mesh, labels.ravel()[index], share[index], index, space_unit(classes), True, soft
    )


def _only(mesh: Mesh, index: NDArray[np.int64], origin: NDArray[np.float64]) -> Mesh:
    """Keep the points of `index`, which hold all triangles; pixels have the area of a pixel."""
    number = np.full(len(mesh.points), -1, dtype=np.int64)
    number[index] = np.arange(len(index))
    return Mesh(
        mesh.points[index] + origin,
        number[mesh.triangles],
        number[mesh.edges],
        mesh.sides,
        mesh.faces,
        mesh.areas[index],
        mesh.rim[index],
        mesh.open[index],
        mesh.spacing,
    )


def _shares(classes: xr.Dataset, labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], bool]:
    if "probability" in classes:
        given = np.asarray(classes["probability"].values, dtype=float)
        n_needed = int(labels.max(initial=-1)) + 1
        given = given.reshape(-1, given.shape[-1])
        if given.shape[1] >= n_needed:
            return given, True
    n_classes = max(int(labels.max(initial=-1)) + 1, int(classes.attrs.get("n_classes", 0)))
    hard: NDArray[np.float64] = (labels[:, None] == np.arange(n_classes)).astype(float)
    return hard, False


def class_names(classes: xr.Dataset, n_classes: int, /) -> list[str]:
    """Give the names of classes, their numbers where they have none."""
    names: list[Any] = list(classes.attrs.get("class_names", []))
    return [str(names[k]) if k < len(names) else str(k) for k in range(n_classes)]
