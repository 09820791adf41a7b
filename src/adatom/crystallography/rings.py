"""Rings of bonds: hexagons of a honeycomb, and the fives and sevens of its defects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import QhullError

from adatom.crystallography.checked import finite_positions, numbers_of_frames, position_errors
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.bonds import bonds_of_points
from adatom.numerics.faces import members_of_faces, trace_faces
from adatom.schema import SITES, Sites, add_note, sites_from_positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Between bonds that are strained by a tenth and the second shell of a honeycomb (1.73) or square
# lattice (1.41). Half of all bonds of a rectangular lattice are long, and a boundary or a few holes
# stretch less than a tenth.
_LONGEST: Final = 1.35
_USUAL: Final = 0.9
# Three, for a triangle: what is smaller is no ring.
_SMALLEST: Final = 3


class _Rings(NamedTuple):
    """Rings of one frame: members (ring, member), -1 beyond the last, and areas."""

    members: NDArray[np.int64]
    area: NDArray[np.float64]
    n_larger: int


def find_rings(sites: Sites, /, *, max_members: int = 16) -> Sites:
    """Find the rings that bonds between sites close.

    Sites are bonded unless a third is nearer to both than they are to one
    another, by the rule of `descriptors.neighbor_vectors` (a beta skeleton
    [1]_), and unless they are 1.35 times farther apart than nine tenths of
    such pairs. Rings are the faces of the graph of bonds: whole graphene has
    rings of six, its defects and tilt boundaries have fives and sevens, a
    square lattice has fours and a close-packed one threes.

    Parameters
    ----------
    sites : Sites
        Atoms. Frames of a movie are taken one by one.
    max_members : int
        Larger rings are holes, and are told in a note only. The largest ring
        about two missing atoms of graphene has 14.

    Returns
    -------
    Sites
        The centers of the rings, with ``n_members``, ``area`` in the squared
        unit of the sites, with ``area_error`` where the sites have position
        errors, and ``member_index`` (site, member): the numbers along ``site``
        of the atoms, in their order around the ring, -1 beyond the last. Rings
        that the edge of the frame cuts are not closed, and are none.

    Raises
    ------
    TooFewSitesError
        If a frame has fewer than three sites, or all on a line.
    SettingError
        If `max_members` is less than three.

    References
    ----------
    .. [1] D. G. Kirkpatrick and J. D. Radke, in Computational Geometry (North-Holland,
       1985), p. 217.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:3, :3]
    >>> rings = find_rings(sites_from_positions(y.ravel(), x.ravel(), unit="nm"))
    >>> rings["n_members"].values, rings["area"].values
    (array([4, 4, 4, 4]), array([1., 1., 1., 1.]))
    >>> rings["member_index"].values[0]
    array([0, 1, 4, 3])
    """
    SITES.check(sites, name="sites")
    if max_members < _SMALLEST:
        msg = f"{max_members=} must be {_SMALLEST} or more"
        raise SettingError(msg)
    place = finite_positions(sites)
    frame, numbers = numbers_of_frames(sites)
    parts = []
    for number in numbers:
        here = np.flatnonzero(frame == number)
        found = _rings_of_frame(place[here], max_members, f"frame {number}")
        parts.append(found._replace(members=np.where(found.members >= 0, here[found.members], -1)))
    return _described(sites, place, parts, numbers)


def _rings_of_frame(place: NDArray[np.float64], max_members: int, where: str) -> _Rings:
    try:
        bonds = bonds_of_points(place) if len(place) >= _SMALLEST else None
    except QhullError:
        bonds = None
    if bonds is None:
        msg = f"{where} holds {len(place)} sites, rings need 3 or more that are not on a line"
        raise TooFewSitesError(msg)
    length = np.linalg.norm(place[bonds[:, 1]] - place[bonds[:, 0]], axis=1)
    bonds = bonds[length <= _LONGEST * np.quantile(length, _USUAL)]
    bonds = _without_dead_ends(bonds, len(place))
    faces = trace_faces(place, bonds)
    inner = faces.area > 0
    chosen = np.flatnonzero(inner & (faces.size <= max_members))
    members = members_of_faces(faces, bonds, chosen)
    return _Rings(members, faces.area[chosen], int((inner & (faces.size > max_members)).sum()))


def _without_dead_ends(bonds: NDArray[np.int64], n_sites: int) -> NDArray[np.int64]:
    """Leave out chains of bonds that end within a ring or beside the edge."""
    while True:
        degree = np.bincount(bonds.ravel(), minlength=n_sites)
        kept = (degree[bonds] > 1).all(axis=1)
        if kept.all():
            return bonds
        bonds = bonds[kept]


def _described(
    sites: Sites, place: NDArray[np.float64], parts: list[_Rings], numbers: NDArray[np.int64]
) -> Sites:
    widest = max((part.members.shape[1] for part in parts), default=0)
    members = np.concatenate(
        [
            np.pad(p.members, ((0, 0), (0, widest - p.members.shape[1])), constant_values=-1)
            for p in parts
        ]
    )
    there = members >= 0
    size = there.sum(axis=1)
    around = np.where(there[..., None], place[members], 0.0)
    center = around.sum(axis=1) / np.maximum(size, 1)[:, None]
    unit = space_unit(sites)
    counts = [len(part.members) for part in parts]
    frame = np.repeat(numbers, counts) if "frame" in sites.coords else None
    extent = sites.attrs.get("extent")
    rings = sites_from_positions(center[:, 0], center[:, 1], unit=unit, frame=frame, extent=extent)
    area = np.concatenate([part.area for part in parts])
    rings["n_members"] = ("site", size)
    rings["area"] = ("site", area, {"units": f"{unit}^2"})
    errors = position_errors(sites)
    if errors is not None:
        rings["area_error"] = (
            "site",
            _area_errors(around, size, errors[members], there),
            {"units": f"{unit}^2"},
        )
    rings["member_index"] = (("site", "member"), members)
    _tell(rings, size, sum(part.n_larger for part in parts))
    return rings


def _area_errors(
    around: NDArray[np.float64],
    size: NDArray[np.int64],
    errors: NDArray[np.float64],
    there: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Propagate position errors (ring, member, 2) to the area, half a sum of cross products."""
    number = np.arange(around.shape[1])
    last = np.maximum(size, 1)[:, None]
    after, before = (number + 1) % last, (number - 1) % last
    diagonal = np.take_along_axis(around, after[..., None], axis=1) - np.take_along_axis(
        around, before[..., None], axis=1
    )
    # The area changes by half the diagonal across a member times its step at right angles to it.
    share = 0.25 * (
        diagonal[..., 1] ** 2 * errors[..., 0] ** 2 + diagonal[..., 0] ** 2 * errors[..., 1] ** 2
    )
    return np.asarray(np.sqrt(np.where(there, share, 0.0).sum(axis=1)))


def _tell(rings: Sites, size: NDArray[np.int64], n_larger: int) -> None:
    kinds, counts = np.unique(size, return_counts=True)
    listed = ", ".join(f"{count} of {kind}" for kind, count in zip(kinds, counts, strict=True))
    holes = f"; {n_larger} larger holes are left out" if n_larger else ""
    add_note(rings, f"{len(size)} rings: {listed or 'none is closed'}{holes}.")
