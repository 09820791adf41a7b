"""What stands around a site, told in a way that no turn and no mirror changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.neighbors import PointTree
from adatom.numerics.slots import room_in_box
from adatom.schema import (
    CLASSES,
    SITES,
    Classes,
    Features,
    Sites,
    add_note,
    positions,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Rows of sites that are worked on at once: their neighbors fit into the cache.
_BLOCK: Final = 1 << 16


def neighbor_distances(sites: Sites, /, *, n_neighbors: int = 6) -> Sites:
    """Add the distances from each site to its nearest neighbors, the nearest first.

    In a net without a common star, as that of a complex oxide or a glass, neighbors
    have no common order but that of their distances. These do not change when the
    crystal is turned or mirrored, so that equivalent columns are alike whichever way
    they point. `features_from_sites` takes them, alone or with an intensity, and a
    clustering of these finds the sorts of columns.

    Parameters
    ----------
    sites : Sites
        Neighbors are sought within one frame only.
    n_neighbors : int
        How many. By default six, the mean number of neighbors of points that fill a
        plane in triangles; more tell more alike surroundings apart, and need sharper
        positions, since distant neighbors are many and at like distances.

    Returns
    -------
    Sites
        With ``neighbor_distance`` (site, rank) in the unit of the sites, NaN where a
        nearer neighbor may lie beyond ``attrs["extent"]`` (without it: beyond the box
        around all sites); and ``neighbor_distance_error``, one standard deviation, where
        the sites carry ``covariance``, or ``y_error`` and ``x_error``. The error is that of
        the distance of the two sites: where two neighbors are equally far, their order
        is chance, and the nearer one looks nearer by about this error.

    Raises
    ------
    TooFewSitesError
        If a frame holds too few sites.
    SettingError
        If `n_neighbors` is less than one.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:5, :5]
    >>> square = sites_from_positions(y.ravel(), x.ravel(), unit="px")
    >>> found = neighbor_distances(square, n_neighbors=4)
    >>> found["neighbor_distance"].sel(site=12).values
    array([1., 1., 1., 1.])
    """
    SITES.check(sites)
    if n_neighbors < 1:
        msg = f"{n_neighbors=} must be 1 or more"
        raise SettingError(msg)
    place, frame = _finite(sites), _frame(sites)
    index = _nearest(place, frame, n_neighbors)
    vector = place[index] - place[:, None]
    distance = np.linalg.norm(vector, axis=2)
    low, high = _box(sites, place)
    distance[distance > room_in_box(place, low, high)[:, None] * (1 + 1e-9)] = np.nan
    dtype = np.result_type(sites.coords["y"].dtype, np.float32)
    unit = {"units": space_unit(sites)}
    out = sites.drop_dims([dim for dim in ("rank",) if dim in sites.dims])
    out["neighbor_distance"] = (("site", "rank"), distance.astype(dtype), unit)
    variance = _variances(sites)
    if variance is not None:
        error = _errors(vector, variance, index)
        error[np.isnan(distance)] = np.nan
        out["neighbor_distance_error"] = (("site", "rank"), error.astype(dtype), unit)
    n_unknown = int(np.isnan(distance).any(axis=1).sum())
    add_note(out, f"distances to {n_neighbors} neighbors; {n_unknown} sites too near to the edge")
    return out


def neighborhood_composition(
    sites: Sites, classes: Classes, /, *, n_neighbors: int = 30
) -> Features:
    """Count which classes stand around each site, as shares of its nearest sites.

    The phase of a site in a crystal with many sorts of columns, or with chemical
    disorder, is told by the mixture of sorts around it and not by its own: one sort
    may occur in several phases. A clustering of these shares finds the phases.

    Parameters
    ----------
    sites : Sites
        Neighbors are sought within one frame only.
    classes : Classes
        Of these very sites; those of no class (-1) are not counted.
    n_neighbors : int
        How many of the nearest classified sites are counted, the site itself being the
        first. By default 30: shares are then known to 0.09 or better, and the
        neighborhood reaches some three distances between neighbors, which is how finely
        phases are told apart in space. Take about as many as a cell has columns.

    Returns
    -------
    Features
        ``share`` (site, feature), a feature for each class, with the number of the
        ``class`` (feature), and ``share_error`` (site, feature), one standard deviation of
        the mixture that would give such a share (binomial, from the middle of the Wilson
        interval [1]_, so that it is not zero where a class is not met).

    Raises
    ------
    KindError
        If the classes are not of these sites.
    TooFewSitesError
        If a frame holds fewer classified sites than `n_neighbors`.
    SettingError
        If `n_neighbors` is less than two.

    References
    ----------
    .. [1] E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0] * 4, [0.0, 1.0, 2.2, 3.0], unit="nm")
    >>> classes = xr.Dataset({"label": ("site", [0, 0, 1, 1])})
    >>> neighborhood_composition(sites, classes, n_neighbors=2).values
    array([[1., 0.],
           [1., 0.],
           [0., 1.],
           [0., 1.]])
    """
    SITES.check(sites, name="sites")
    CLASSES.check(classes, name="classes")
    label = classes["label"].values
    if label.shape != (sites.sizes["site"],):
        msg = f"{label.shape=} != ({sites.sizes['site']},): are these classes of these sites?"
        raise KindError(msg)
    if n_neighbors < 2:
        msg = f"{n_neighbors=} must be 2 or more, the site itself being the first"
        raise SettingError(msg)
    place, frame = _finite(sites), _frame(sites)
    known = np.flatnonzero(label >= 0)
    counts = _counted(place, frame, label, known, n_neighbors)
    share = counts / n_neighbors
    # Two more successes and two more failures: the middle of the Wilson interval of 95 %.
    middle = (counts + 2) / (n_neighbors + 4)
    error = np.sqrt(middle * (1 - middle) / (n_neighbors + 4))
    features = xr.DataArray(
        share,
        dims=("site", "feature"),
        coords={
            **{name: sites.coords[name].variable for name in ("y", "x", "frame")
               if name in sites.coords},
            "class": ("feature", np.arange(counts.shape[1])),
            "share_error": (("site", "feature"), error, {"units": "1"}),
        },
        name="share",
        attrs={
            "units": "1",
            **{key: sites.attrs[key] for key in ("spacing", "extent") if key in sites.attrs},
        },
    )  # fmt: skip
    add_note(
        features,
        f"shares of {counts.shape[1]} classes among the nearest {n_neighbors} sites; "
        f"{len(label) - len(known)} sites of no class are not counted",
    )
    return features


def _finite(sites: Sites) -> Floats:
    place = positions(sites)
    if n_bad := int((~np.isfinite(place).all(axis=1)).sum()):
        msg = f"{n_bad} of {len(place)} sites have no finite position: leave them out"
        raise KindError(msg)
    return place


def _frame(sites: Sites) -> Ints | None:
    return sites.coords["frame"].values.astype(np.int64) if "frame" in sites.coords else None


def _nearest(place: Floats, frame: Ints | None, n_neighbors: int) -> Ints:
    """Give the numbers (site, rank) of the nearest other sites."""
    _check_enough(place, frame, n_neighbors + 1, f"{n_neighbors=} needs")
    tree = PointTree(place, frame)
    index = tree.nearest(place, frame, k=n_neighbors + 1)
    # The site itself is mostly the first, but not where another lies at the same place.
    others = index != np.arange(len(place))[:, None]
    others[others.all(axis=1), -1] = False
    nearest: Ints = index[others].reshape(len(place), n_neighbors)
    return nearest


def _check_enough(place: Floats, frame: Ints | None, needed: int, why: str) -> None:
    numbers, counts = (
        (np.zeros(1, dtype=np.int64), np.array([len(place)]))
        if frame is None
        else np.unique(frame, return_counts=True)
    )
    few = np.flatnonzero(counts < needed)
    if len(few):
        msg = f"frame {numbers[few[0]]} holds {counts[few[0]]} sites, {why} {needed} or more"
        raise TooFewSitesError(msg)


def _counted(
    place: Floats, frame: Ints | None, label: Ints, known: Ints, n_neighbors: int
) -> Floats:
    """Count the classes (site, class) of the nearest classified sites."""
    their_frame = None if frame is None else frame[known]
    _check_enough(place[known], their_frame, n_neighbors, f"{n_neighbors=} needs classified ones:")
    if frame is not None and not np.isin(frame, frame[known]).all():
        msg = "some frames hold no classified sites: leave them out"
        raise TooFewSitesError(msg)
    tree = PointTree(place[known], their_frame)
    n_classes = int(label.max()) + 1
    counts = np.empty((len(place), n_classes))
    for first in range(0, len(place), _BLOCK):
        here = slice(first, first + _BLOCK)
        index = tree.nearest(place[here], None if frame is None else frame[here], k=n_neighbors)
        around = label[known][index]
        row = np.arange(len(around))[:, None] * n_classes
        flat = np.bincount((around + row).ravel(), minlength=len(around) * n_classes)
        counts[here] = flat.reshape(len(around), n_classes)
    return counts


def _box(sites: Sites, place: Floats) -> tuple[Floats, Floats]:
    given = sites.attrs.get("extent")
    if given is None:
        return place.min(axis=0), place.max(axis=0)
    y_min, y_max, x_min, x_max = given
    return np.array([y_min, x_min]), np.array([y_max, x_max])


def _variances(sites: Sites) -> Floats | None:
    """Give the covariance (site, axis, axis) of positions, where it is known."""
    if "covariance" in sites:
        return np.asarray(sites["covariance"].values, dtype=float)
    if {"y_error", "x_error"} <= set(sites.variables):
        errors = np.stack([sites["y_error"].values, sites["x_error"].values], axis=1)
        return np.asarray(errors[:, :, None] ** 2 * np.eye(2))
    return None


def _errors(vector: Floats, variance: Floats, index: Ints) -> Floats:
    """Give the standard deviation of distances, by the errors of both ends along the bond."""
    length = np.linalg.norm(vector, axis=2, keepdims=True)
    along = vector / np.where(length > 0, length, 1.0)
    both = variance[index] + variance[:, None]
    error: Floats = np.sqrt(np.einsum("sna,snab,snb->sn", along, both, along))
    return error
