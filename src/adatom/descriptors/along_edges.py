"""What stands around impurities on an edge, in directions along it and outward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import SITES, Features, Sites, add_note, positions, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# In distances of neighbors: the grid on which slots are sought, and the blur of its counts, which
# is that of found positions.
_GRID: Final = 0.05
_BLUR: Final = 0.15
# Slots nearer to one another are one; nearer than half of that to the normal they lie on it.
_APART: Final = 0.7
# Of the impurities, that must have a neighbor in a slot.
_LEAST_SHARE: Final = 0.03
_MOST_SLOTS: Final = 10
_ITSELF: Final = 0.3


class _Slots(NamedTuple):
    """Places (slot, 2), along and outward, and the slot that mirrors each."""

    place: Floats
    mirror: NDArray[np.int64]


def edge_environments(
    impurities: Sites,
    sites: Sites,
    /,
    *,
    max_distance: Length = "1.55 d",
    tolerance: Length = "0.35 d",
) -> Features:
    """Describe the neighbors of impurities on an edge, along it and outward.

    Vectors to neighbors are taken along the edge and outward, so that those of one
    state are alike wherever the edge runs. Where neighbors are frequent, on
    either side of the normal alike, are slots. Each neighbor fills the slots near it by
    ``w = exp(-r^2 / 2 t^2)``, r its distance from the slot and t the `tolerance`; a slot has
    three features: its filling, the sum of w (1: filled, 0: vacant), and
    the sum of w times the vector from the slot to the neighbor, along and outward.

    Parameters
    ----------
    impurities : Sites
        As `crystallography.find_edge_impurities` gives them.
    sites : Sites
        All atoms, of the same frames.
    max_distance : length
        Neighbors farther than this do not count. The default holds bonds of Si and C in
        graphene and ends before the second neighbors; d is the spacing of `sites`.
    tolerance : length
        How far from its slot a neighbor may be.

    Returns
    -------
    Features
        (site, feature) in distances of neighbors, with ``variable`` ("filling", "along",
        "outward", "edge_distance"), ``slot`` (-1: of none), ``slot_along`` and ``slot_outward``
        along ``feature``, and what a mirror does that turns the direction along the edge
        round: feature k becomes ``mirror_sign`` times feature ``mirror_feature`` of it. NaN where
        an impurity is so near to the border of the frame that neighbors may not have been seen.

    Raises
    ------
    KindError
        If the impurities have no directions along an edge.
    SettingError
        If a length is not positive.
    TooFewSitesError
        If no impurity has a neighbor.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> atoms = sites_from_positions(
    ...     [0.0, 0.7, 0.7], [0.0, -0.7, 0.7], unit="nm", spacing=1.0, extent=[-9, 9, -9, 9]
    ... )
    >>> silicon = atoms.isel(site=[0])
    >>> silicon["edge_tangent"] = (("site", "axis"), [[0.0, -1.0]])
    >>> silicon["edge_normal"] = (("site", "axis"), [[-1.0, 0.0]])
    >>> silicon["edge_distance"] = ("site", [0.1])
    >>> features = edge_environments(silicon, atoms)
    >>> features["variable"].values.tolist()[:3], features["mirror_feature"].values.tolist()
    (['filling', 'along', 'outward'], [3, 4, 5, 0, 1, 2, 6])
    """
    SITES.check(impurities, name="impurities")
    SITES.check(sites, name="sites")
    needed = {"edge_tangent", "edge_normal", "edge_distance"}
    if not needed <= set(impurities.variables):
        msg = (
            "the impurities have no edge_tangent, edge_normal and edge_distance: take those of "
            "crystallography.find_edge_impurities"
        )
        raise KindError(msg)
    unit, spacing = space_unit(sites), sites.attrs.get("spacing")
    if not spacing or space_unit(impurities) != unit:
        msg = f"sites need attrs['spacing'] and the unit of the impurities, found {unit}"
        raise KindError(msg)
    limit, width = (
        length_from_setting(told, unit=unit, spacing=spacing, name=name) / spacing
        for name, told in (("max_distance", max_distance), ("tolerance", tolerance))
    )
    if not (limit > 0 and width > 0):
        msg = f"{max_distance=} and {tolerance=} must be positive"
        raise SettingError(msg)
    owner, vector = _neighbors(impurities, sites, limit * spacing)
    vector = vector / spacing
    if not len(vector):
        msg = (
            f"none of {impurities.sizes['site']} impurities has a neighbor within "
            f"{max_distance=}: raise it, or see whether atoms were found beside them"
        )
        raise TooFewSitesError(msg)
    n = impurities.sizes["site"]
    slots = _slots(vector, n, limit)
    values = _values(owner, vector, slots, width, n)
    distance = impurities["edge_distance"].values / spacing
    values = np.concatenate([values, distance[:, None]], axis=1)
    unseen = _near_border(impurities, sites, limit * spacing)
    values[unseen] = np.nan
    features = _features(impurities, values, slots, spacing)
    add_note(features, f"{len(slots.place)} slots of neighbors on either side of the normal")
    if unseen.any():
        text = f"{int(unseen.sum())} of {n} impurities are too near to the border of the frame"
        add_note(features, f"{text} and are left out")
    return features


def _neighbors(impurities: Sites, sites: Sites, limit: float) -> tuple[NDArray[np.int64], Floats]:
    """Give the vectors (neighbor, along and outward) and whose neighbor each is."""
    places, centers = positions(sites), positions(impurities)
    frames = [np.zeros(len(one), dtype=int) for one in (places, centers)]
    if ("frame" in sites.coords) != ("frame" in impurities.coords):
        msg = "only one of impurities and sites has a coordinate 'frame': give it to both"
        raise KindError(msg)
    if "frame" in sites.coords:
        frames = [sites["frame"].values, impurities["frame"].values]
    owner, vector = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 2))]
    closest = _ITSELF * sites.attrs["spacing"]
    for number in np.unique(frames[1]).tolist():
        mine = np.flatnonzero(frames[1] == number)
        here = places[(frames[0] == number) & np.isfinite(places).all(axis=1)]
        if not len(here):
            continue
        near = cKDTree(here).query_ball_point(centers[mine], limit, return_sorted=True)
        whose = np.repeat(mine, [len(one) for one in near])
        found = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.asarray, near)])
        to = here[found.astype(np.int64)] - centers[whose]
        other = np.linalg.norm(to, axis=1) > closest
        owner.append(whose[other])
        vector.append(to[other])
    whose, to = np.concatenate(owner), np.concatenate(vector)
    along, outward = (
        (to * impurities[name].values[whose]).sum(axis=1)
        for name in ("edge_tangent", "edge_normal")
    )
    return whose, np.column_stack([along, outward])


def _slots(vector: Floats, n: int, limit: float) -> _Slots:
    """Find where neighbors are frequent, on either side of the normal alike."""
    half = int(np.ceil(limit / _GRID)) + 1
    edges = (np.arange(2 * half + 2) - half - 0.5) * _GRID
    counts = np.histogram2d(vector[:, 0], vector[:, 1], bins=[edges, edges])[0]
    density = gaussian_filter(counts + counts[::-1], _BLUR / _GRID, mode="constant")
    top = (density == maximum_filter(density, size=3)) & (density > 0)
    at = np.argwhere(top)
    at = at[np.argsort(-density[tuple(at.T)], kind="stable")]
    tree = cKDTree(vector)
    chosen: list[Floats] = []
    for along, outward in (at - half) * _GRID:
        if along < -1e-9:
            continue
        place = np.array([0.0 if along < _APART / 2 else along, outward])
        mirrored = place * [-1.0, 1.0]
        new = [place] if place[0] == 0 else [place, mirrored]
        crowded = chosen and np.linalg.norm(np.array(chosen) - place, axis=1).min() < _APART
        members = set().union(*(tree.query_ball_point(one, _APART / 2) for one in new))
        if crowded or len(members) < max(1.0, _LEAST_SHARE * n):
            continue
        if len(chosen) + len(new) > _MOST_SLOTS:
            break
        chosen += new
    found = np.array(chosen).reshape(-1, 2)
    mirror = cKDTree(found).query(found * [-1.0, 1.0])[1] if len(found) else np.zeros(0)
    return _Slots(found, np.asarray(mirror, dtype=np.int64))


def _values(
    owner: NDArray[np.int64], vector: Floats, slots: _Slots, width: float, n: int
) -> Floats:
    """Sum filling and displacement (site, 3 slot) of every slot."""
    away = vector[:, None] - slots.place
    weight = np.exp(-0.5 * (away**2).sum(axis=2) / width**2)
    each = np.concatenate([weight[..., None], weight[..., None] * away], axis=2)
    values = np.zeros((n, len(slots.place), 3))
    np.add.at(values, owner, each)
    return values.reshape(n, -1)


def _near_border(impurities: Sites, sites: Sites, limit: float) -> NDArray[np.bool_]:
    box = sites.attrs.get("extent")
    if box is None:
        return np.zeros(impurities.sizes["site"], dtype=bool)
    places = positions(impurities)
    low, high = np.array(box[::2], dtype=float), np.array(box[1::2], dtype=float)
    return np.asarray(((places < low + limit) | (places > high - limit)).any(axis=1))


def _features(impurities: Sites, values: Floats, slots: _Slots, spacing: float) -> Features:
    n_slots = len(slots.place)
    number = np.repeat(np.arange(n_slots), 3)
    of_slot = np.tile(np.arange(3), n_slots)
    mirror = np.append(3 * np.repeat(slots.mirror, 3) + of_slot, 3 * n_slots)
    names = [*(["filling", "along", "outward"] * n_slots), "edge_distance"]
    coords: dict[str, object] = {
        name: impurities.coords[name].variable
        for name in ("y", "x", "frame", "time")
        if name in impurities.coords
    }
    coords |= {
        "variable": ("feature", np.array(names)),
        "slot": ("feature", np.append(number, -1)),
        "slot_along": ("feature", np.append(slots.place[number, 0], np.nan)),
        "slot_outward": ("feature", np.append(slots.place[number, 1], np.nan)),
        "mirror_feature": ("feature", mirror.astype(np.int64)),
        "mirror_sign": ("feature", np.append(np.where(of_slot == 1, -1, 1), 1)),
    }
    return xr.DataArray(
        values,
        dims=("site", "feature"),
        coords=coords,
        name="edge_environment",
        attrs={"units": "1", "spacing": float(spacing)},
    )
