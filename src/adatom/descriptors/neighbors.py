"""Vectors to the neighbors of sites, in the slots of a reference star."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import (
    AdatomWarning,
    KindError,
    NoLatticeError,
    SettingError,
    TooFewSitesError,
    UnitError,
)
from adatom.numerics.neighbors import PointTree, spatial_order
from adatom.numerics.slots import Slots, fill_slots, room_in_box, room_in_mask, slot_states
from adatom.numerics.stars import N_CANDIDATES, StarSearch, find_stars
from adatom.schema import (
    MASK,
    SITES,
    Mask,
    Sites,
    add_note,
    extent,
    pixel_size,
    positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Single crystals have 2.0 and more, five grains at all angles 1.2, random points 0.9 to 1.1.
_LEAST_CONTRAST: Final = 1.15
# Of the grains nearly all sites fit closely, of random points a tenth to a half.
_LEAST_SHARPNESS: Final = 0.6
# Where fewer sites fit the stars than this, most of what is called a neighbor is none.
_FEW: Final = 0.5
# Bonds of one shell, strained by a few per cent, are longer than one another by less than this.
_LIKE: Final = 1.1
# Stars are means over thousands of sites; more would cost time and change their last digits only.
_SAMPLE: Final = 10_000


def neighbor_vectors(
    sites: Sites,
    others: Sites | None = None,
    regions: Mask | None = None,
    /,
    *,
    n_neighbors: int | None = None,
    max_distance: Length | None = None,
) -> Sites:
    """Add the vectors from each site to its neighbors, in a common order.

    The k-th vector of every site points to the same slot of a reference star,
    so that sites of one phase carry like vectors [1]_. The stars are found in
    the data: sublattices that see their neighbors in other directions, as the
    two of a honeycomb, and grains that are turned by more than about 14 deg
    have a star each. Sorting neighbors by angle instead would cut through a
    lattice direction and split one phase in two.

    Parameters
    ----------
    sites : Sites
        Neighbors are sought within one frame only; stars are common to all
        frames.
    others : Sites, optional
        Where to look for neighbors, as of one sublattice among another;
        among `sites` themselves if left out. A site at the very same place is
        no neighbor.
    regions : Mask, optional
        Where sites were sought. Slots at its edges and outside of it count as
        unknown. A dask mask is loaded.
    n_neighbors : int, optional
        Slots of a star. By default the number of bonds that most sites have:
        two sites are bonded unless a third is nearer to both than they are to
        one another, by a factor of 1.19 (half way between square and hexagonal
        lattices). That gives 3 for honeycomb, 4 for square and rectangular,
        6 for hexagonal, and is told in a note.
    max_distance : length, optional
        Neighbors farther than this are not taken. By default there is no
        limit but the radius of capture around each slot: 0.6 of the slot's
        length, at most half the distance between two slots.

    Returns
    -------
    Sites
        With ``neighbor_vector`` (site, neighbor, axis) in the unit of the
        sites, axis y, x, NaN where there is none; ``neighbor_index`` (site,
        neighbor): the number of that neighbor along ``site`` of `others`, or
        of `sites` themselves, -1: none; ``slot_state`` (site, neighbor): 0
        filled, 1 vacant, 2 unknown, where the slot's disc of
        capture is not wholly inside ``attrs["extent"]`` (without it: the
        extent of `regions`, or the box around the sites of each frame) and
        `regions`; ``neighbor_fit_ok`` (site, neighbor), whether that neighbor has
        ``fit_ok``, if they carry it; ``star_index`` (site); and
        ``attrs["stars"]``, the slots (star, neighbor, axis). Slots are ordered by
        angle, stars by their number of sites. ``attrs["spacing"]`` is added where it is missing.

    Raises
    ------
    TooFewSitesError
        If a frame holds too few sites.
    NoLatticeError
        If the sites have no directions to neighbors in common.
    SettingError
        If `n_neighbors` is more than the sites have in common.
    UnitError
        If the data are in different units.

    References
    ----------
    .. [1] A. Belianinov et al., Nat. Commun. 6, 7801 (2015), eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:5, :5]
    >>> square = sites_from_positions(y.ravel(), x.ravel(), unit="px")
    >>> found = neighbor_vectors(square)
    >>> found["neighbor_vector"].sel(site=12).values.round(6)
    array([[ 0.,  1.],
           [ 1.,  0.],
           [ 0., -1.],
           [-1.,  0.]])
    >>> found["slot_state"].sel(site=0).values
    array([0, 0, 2, 2], dtype=int8)
    >>> found["neighbor_index"].sel(site=0).values
    array([ 1,  5, -1, -1])
    """
    SITES.check(sites, name="sites")
    unit = _common_unit(sites, others, regions)
    if n_neighbors is not None and n_neighbors < 1:
        msg = f"{n_neighbors=} must be 1 or more, or be left out to be found"
        raise SettingError(msg)
    limit = _limit(sites, max_distance, unit)
    points, frame = _places(sites, "sites"), _frame(sites)
    order = spatial_order(points, frame) if len(points) else np.zeros(0, dtype=np.int64)
    points, frame = points[order], frame[order] if frame is not None else None
    tree = _tree(points, frame, others, n_neighbors)
    found = _stars(points, frame, tree, n_neighbors, limit)
    slots = fill_slots(points, frame, tree, found.stars, found.further, max_distance=limit)
    box = _box(sites, regions, points, frame)
    state = slot_states(
        slots,
        found.stars,
        points,
        room=lambda places, empty: _room(places, empty, box, regions, frame),
    )
    out = _described(sites, order, slots, state, found, itself=others is None, asked=n_neighbors)
    _tell_unfitted(out, sites if others is None else others)
    return out


def _common_unit(sites: Sites, others: Sites | None, regions: Mask | None) -> str:
    unit = space_unit(sites)
    if others is not None:
        SITES.check(others, name="others")
    if regions is not None:
        MASK.check(regions, name="regions")
    for name, given in (("others", others), ("regions", regions)):
        if given is not None and space_unit(given) != unit:
            msg = f"sites are in {unit}, {name} in {space_unit(given)}: bring them to one unit"
            raise UnitError(msg)
    return unit


def _limit(sites: Sites, max_distance: Length | None, unit: str) -> float:
    if max_distance is None:
        return np.inf
    limit = length_from_setting(
        max_distance, unit=unit, spacing=sites.attrs.get("spacing"), name="max_distance"
    )
    if not limit > 0:
        msg = f"{max_distance=} must be greater than zero"
        raise SettingError(msg)
    return limit


def _frame(sites: Sites) -> NDArray[np.int64] | None:
    return sites.coords["frame"].values.astype(np.int64) if "frame" in sites.coords else None


def _places(sites: Sites, name: str) -> NDArray[np.float64]:
    places = positions(sites)
    if n_bad := int((~np.isfinite(places).all(axis=1)).sum()):
        msg = f"{n_bad} of {len(places)} {name} have no finite position: leave them out"
        raise KindError(msg)
    return places


def _tree(
    points: NDArray[np.float64],
    frame: NDArray[np.int64] | None,
    others: Sites | None,
    n_neighbors: int | None,
) -> PointTree:
    """Index the points that may be neighbors, once they are enough."""
    # Without a number given, a star of 3 is the least that spans a plane's neighbors.
    slots = n_neighbors or 3
    if not len(points):
        msg = f"sites are empty, n_neighbors={slots} needs {slots + 1} or more"
        raise TooFewSitesError(msg)
    candidates, their_frame, name, needed = points, frame, "sites", slots + 1
    if others is not None:
        name, needed = "others", slots
        candidates, their_frame = _places(others, name), _frame(others)
    if (frame is None) != (their_frame is None):
        msg = "only one of sites and others has a coordinate 'frame': give it to both"
        raise KindError(msg)
    numbers = np.zeros(1, dtype=np.int64) if frame is None else np.unique(frame)
    given = np.zeros(len(candidates), dtype=np.int64) if their_frame is None else their_frame
    ordered = np.sort(given)
    counts = np.searchsorted(ordered, numbers, "right") - np.searchsorted(ordered, numbers)
    if (counts < needed).any():
        few = int((counts < needed).argmax())
        msg = (
            f"frame {numbers[few]} holds {counts[few]} {name}, n_neighbors={slots} needs {needed} "
            "or more: leave such frames out, or ask for fewer neighbors"
        )
        raise TooFewSitesError(msg)
    return PointTree(candidates, their_frame)


def _stars(
    points: NDArray[np.float64],
    frame: NDArray[np.int64] | None,
    tree: PointTree,
    n_neighbors: int | None,
    limit: float,
) -> StarSearch:
    every = slice(None, None, -(-len(points) // _SAMPLE))
    sample, sample_frame = points[every], frame[every] if frame is not None else None
    vectors = _candidates(
        sample, sample_frame, tree, max(N_CANDIDATES, 2 * (n_neighbors or 0)), limit
    )
    search = find_stars(vectors, n_neighbors=n_neighbors)
    if len(search.stars):
        return search
    if search.n_bonds:
        msg = (
            f"{n_neighbors=}: fewer places than that are common to the neighbors of sites. "
            f"Most sites have {search.n_bonds} bonds: ask for that number, leave n_neighbors out, "
            "or raise max_distance"
        )
        raise SettingError(msg)
    msg = (
        f"the {len(points)} sites have no directions to neighbors in common: is this a crystal? "
        "Restrict them to the crystalline part, or look with plotting whether they were found well"
    )
    raise NoLatticeError(msg)


def _candidates(
    points: NDArray[np.float64],
    frame: NDArray[np.int64] | None,
    tree: PointTree,
    k: int,
    limit: float,
) -> NDArray[np.float64]:
    """Give the vectors (site, candidate, 2) to the nearest points but the site itself."""
    index = tree.nearest(points, frame, k=k + 1, max_distance=limit)
    to = tree.points[np.maximum(index, 0)] - points[:, None]
    squared = (to**2).sum(axis=2)
    squared[(index < 0) | (squared == 0)] = np.inf
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    to[np.isinf(squared)] = np.nan
    nearest: NDArray[np.float64] = np.take_along_axis(to, order[..., None], axis=1)
    return nearest


def _box(
    sites: Sites,
    regions: Mask | None,
    points: NDArray[np.float64],
    frame: NDArray[np.int64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the lower and upper corners of what was seen: of all sites, or (site, 2)."""
    given = sites.attrs.get("extent")
    if given is None and regions is not None:
        given = extent(regions)
    if given is not None:
        y_min, y_max, x_min, x_max = given
        return np.array([y_min, x_min]), np.array([y_max, x_max])
    if frame is None:
        return points.min(axis=0), points.max(axis=0)
    first = np.flatnonzero(np.diff(frame, prepend=frame[0] - 1))
    rank = np.cumsum(np.diff(frame, prepend=frame[0]) != 0)
    return np.minimum.reduceat(points, first)[rank], np.maximum.reduceat(points, first)[rank]


def _room(
    places: NDArray[np.float64],
    empty: NDArray[np.bool_],
    box: tuple[NDArray[np.float64], NDArray[np.float64]],
    regions: Mask | None,
    frame: NDArray[np.int64] | None,
) -> NDArray[np.float64]:
    """Give the distance of places to what was not analyzed."""
    site = np.nonzero(empty)[0]
    low, high = (corner[site] if corner.ndim == 2 else corner for corner in box)
    room = room_in_box(places, low, high)
    if regions is None:
        return room
    origin = np.array([regions.coords["y"].values[0], regions.coords["x"].values[0]], dtype=float)
    step = np.array(pixel_size(regions))
    if "frame" not in regions.dims:
        return np.minimum(room, room_in_mask(places, regions.values, origin, step))
    if frame is None:
        msg = "regions has frames, sites have no coordinate 'frame': give one frame of regions"
        raise KindError(msg)
    numbers = regions.coords["frame"].values if "frame" in regions.coords else None
    for number in np.unique(frame[site]):
        rank = number if numbers is None else np.flatnonzero(numbers == number)
        if np.size(rank) != 1 or not 0 <= int(np.squeeze(rank)) < regions.sizes["frame"]:
            msg = f"sites hold frame {number}, regions does not: found {regions.sizes['frame']}"
            raise KindError(msg)
        here = frame[site] == number
        mask = regions.isel(frame=int(np.squeeze(rank))).values
        room[here] = np.minimum(room[here], room_in_mask(places[here], mask, origin, step))
    return room


def _described(
    sites: Sites,
    order: NDArray[np.int64],
    slots: Slots,
    state: NDArray[np.int8],
    found: StarSearch,
    *,
    itself: bool,
    asked: int | None,
) -> Sites:
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    unit = space_unit(sites)
    dtype = np.result_type(sites.coords["y"].dtype, np.float32)
    out = sites.copy()
    old = ("neighbor_vector", "neighbor_index", "slot_state", "neighbor_fit_ok")
    out = out.drop_vars([name for name in old if name in out])
    out = out.drop_dims([dim for dim in ("neighbor",) if dim in out.dims])
    out.coords["axis"] = ("axis", np.array(["y", "x"]))
    out["neighbor_vector"] = (
        ("site", "neighbor", "axis"),
        slots.vector.astype(dtype, copy=False)[back],
        {"units": unit},
    )
    # Points of the sites themselves were put in the order of space.
    index = slots.point[back]
    if itself:
        index = np.where(index < 0, -1, order[index])
    out["neighbor_index"] = (("site", "neighbor"), index)
    out["slot_state"] = (
        ("site", "neighbor"),
        state[back],
        {"flag_values": [0, 1, 2], "flag_meanings": "filled vacant unknown"},
    )
    out["star_index"] = ("site", slots.star[back])
    out.attrs["stars"] = found.stars.tolist()
    if itself and "spacing" not in out.attrs:
        lengths = np.linalg.norm(found.stars[0], axis=1)
        out.attrs["spacing"] = float(lengths[lengths < _LIKE * lengths.min()].mean())
    _tell(out, found, asked, unit)
    return out


def _tell_unfitted(sites: Sites, neighbors: Sites) -> None:
    """Note which neighbors stand where no fit has put them, so that others can leave them out."""
    if "fit_ok" in neighbors:
        index = sites["neighbor_index"].values
        good = neighbors["fit_ok"].values.astype(bool)[np.maximum(index, 0)]
        sites["neighbor_fit_ok"] = (("site", "neighbor"), good & (index >= 0))


def _tell(sites: Sites, found: StarSearch, asked: int | None, unit: str) -> None:
    n_stars, n = found.stars.shape[:2]
    lengths = np.linalg.norm(found.stars[0], axis=1)
    between = f"{lengths.min():.4g} to {lengths.max():.4g} {unit}"
    why = "as asked" if asked else "the number of bonds of most sites"
    text = f"n_neighbors={n}, {why}; {n_stars} {'star' if n_stars == 1 else 'stars'}"
    add_note(sites, f"{text}, fit by {found.share:.1%} of inner sites; slots at {between}")
    if found.contrast < _LEAST_CONTRAST and found.sharpness < _LEAST_SHARPNESS:
        msg = (
            "hardly more sites fit the stars found than fit them turned by any angle: this is no "
            "crystal, or one of grains in all directions, and slots mean little. Choose one grain"
        )
        warnings.warn(msg, AdatomWarning, stacklevel=4)
    if found.share < _FEW:
        msg = (
            f"{found.share:.0%} of the sites fit one of the {n_stars} stars found: neighbors of "
            "the others are a guess. Restrict sites to the crystal, or check how they were found"
        )
        warnings.warn(msg, AdatomWarning, stacklevel=4)
    beyond = np.linalg.norm(found.further[0], axis=1).min(initial=np.inf)
    if n != found.n_bonds and beyond < _LIKE * lengths.max():
        msg = (
            f"n_neighbors={n} cuts through neighbors at like distances ({lengths.max():.4g} and "
            f"{beyond:.4g} {unit}): which of them are taken is chance. "
            f"Most sites have {found.n_bonds} bonds: leave n_neighbors out to take these"
        )
        warnings.warn(msg, AdatomWarning, stacklevel=4)
