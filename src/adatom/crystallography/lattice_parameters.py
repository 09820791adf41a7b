"""Lengths and angle of the unit cell around every site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.crystallography.affine_maps import affine_maps, errors_of
from adatom.crystallography.neighborhoods import fit_affine, neighborhood, unfitted_text
from adatom.crystallography.position_noise import position_covariance
from adatom.errors import SettingError
from adatom.schema import SITES, Sites, add_note, positions, space_unit
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.affine_maps import AffineMaps

# An angle within so many deg of 90 may fall on either side of it by noise.
_RIGHT: Final = 3.0
# Two slots are opposite where they cancel to this share of their length: stars are means.
_OPPOSITE: Final = 0.15


def estimate_lattice_parameters(
    sites: Sites, /, *, n_shells: int = 0, position_error: Length | None = None
) -> Sites:
    """Estimate the lengths and the angle of the unit cell around every site.

    The cell is the primitive one of the lattice that neighbors make. Where a
    crystal has several sublattices, give the sites of one.

    Parameters
    ----------
    sites : Sites
        With the neighbors that `descriptors.neighbor_vectors` adds.
    n_shells : int
        Average over the sites up to so many steps from neighbor to neighbor;
        by default each site stands for itself.
    position_error : length, optional
        Standard deviation of positions along one axis, found as in
        `estimate_strain` if left out.

    Returns
    -------
    Sites
        With ``lattice_a``, along the vector nearest to the x axis, and
        ``lattice_b`` in the unit of the sites, ``axial_ratio`` b / a (c / a of a
        film that grows along y), ``lattice_angle`` (deg) between them, 90 or
        more for the mean lattice, and the standard deviation ``_error`` of each.
        NaN where fewer than three slots are filled, or all on one line.

    Raises
    ------
    KindError
        If the sites carry no neighbors.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    >>> film = neighbor_vectors(sites_from_positions(0.41 * y, 0.39 * x, unit="nm"))
    >>> cell = estimate_lattice_parameters(film).sel(site=27)
    >>> [round(cell[name].item(), 3) for name in ("lattice_a", "lattice_b", "axial_ratio")]
    [0.39, 0.41, 1.051]
    """
    SITES.check(sites, name="sites")
    if n_shells < 0:
        msg = f"{n_shells=} must be 0 or more: 0 for every site by itself"
        raise SettingError(msg)
    around = neighborhood(sites)
    fits = fit_affine(around, around.stars)
    noise, how = position_covariance(sites, around, fits, told=position_error)
    maps = affine_maps(positions(sites), around, fits, noise, n_shells=n_shells)
    cells = np.stack([cell_of_star(star) for star in around.stars])
    values, errors = _parameters(maps, cells[around.star])
    unit = space_unit(sites)
    units = {"lattice_a": unit, "lattice_b": unit, "axial_ratio": "1", "lattice_angle": "deg"}
    out = sites.copy()
    dtype = np.result_type(sites["neighbor_vector"].dtype, np.float32)
    for k, (name, its_unit) in enumerate(units.items()):
        out[name] = ("site", values[:, k].astype(dtype), {"units": its_unit})
        out[f"{name}_error"] = ("site", errors[:, k].astype(dtype), {"units": its_unit})
    told = "; ".join(
        f"a along {np.degrees(np.arctan2(*a)):.1f}, b along {np.degrees(np.arctan2(*b)):.1f} deg"
        for a, b in cells
    )
    over = "" if not n_shells else f", averaged over {n_shells} shells of neighbors"
    add_note(out, f"unit cells of each star: {told}{over}; {how}{unfitted_text(around)}")
    return out


def cell_of_star(star: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Choose the two vectors (2, 2) of the primitive cell of the lattice of a star's sites.

    Slots are lattice vectors where each has its opposite; between slots, as
    of a honeycomb, their differences are.
    """
    length = np.linalg.norm(star, axis=1)
    sums = np.linalg.norm(star[:, None] + star, axis=2).min(axis=1)
    vectors = star
    if not (sums < _OPPOSITE * length).all():
        first, second = np.triu_indices(len(star), k=1)
        vectors = star[first] - star[second]
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")]
    one = vectors[0]
    across = np.abs(one[0] * vectors[:, 1] - one[1] * vectors[:, 0])
    wide = across > 0.4 * np.linalg.norm(one) * np.linalg.norm(vectors, axis=1)
    if not wide.any():
        msg = "the slots of a star lie on one line: ask neighbor_vectors for more neighbors"
        raise SettingError(msg)
    return _directed(one, vectors[int(wide.argmax())])


def _directed(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let a be nearest to +x, and b make a right or an obtuse angle with it."""
    slope_one, slope_other = (abs(v[0]) / np.linalg.norm(v) for v in (one, other))
    a, b = (one, other) if slope_one <= slope_other else (other, one)
    a = a if a[1] > 0 else -a
    cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    right = abs(cosine) < np.sin(np.radians(_RIGHT))
    turned = b[0] < 0 if right else cosine > 0
    return np.stack([a, -b if turned else b])


def _parameters(
    maps: AffineMaps, cells: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a, b, b / a and the angle (deg) of cells (site, 2, 2), with their errors."""
    a, b = ((maps.matrix @ cells[:, k, :, None])[..., 0] for k in (0, 1))
    long_a, long_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cross = a[:, 1] * b[:, 0] - a[:, 0] * b[:, 1]
    angle = np.arctan2(np.abs(cross), (a * b).sum(axis=1))
    ratio = long_b / long_a
    by_a = _outer(a / long_a[:, None], cells[:, 0])
    by_b = _outer(b / long_b[:, None], cells[:, 1])
    # A vector turns, from +x towards +y, by what it moves along its normal (x, -y).
    turn_a = _outer(_normal(a) / (long_a**2)[:, None], cells[:, 0])
    turn_b = _outer(_normal(b) / (long_b**2)[:, None], cells[:, 1])
    slope = np.stack(
        [
            by_a,
            by_b,
            (by_b - ratio[:, None] * by_a) / long_a[:, None],
            np.degrees(np.sign(cross)[:, None] * (turn_b - turn_a)),
        ],
        axis=1,
    )
    values = np.stack([long_a, long_b, ratio, np.degrees(angle)], axis=1)
    return values, errors_of(maps, slope)


def _normal(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([vector[:, 1], -vector[:, 0]], axis=1)


def _outer(along: NDArray[np.float64], slot: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the slopes (site, 4) by the elements of the map of what `along` sees of its `slot`."""
    return (along[:, :, None] * slot[:, None, :]).reshape(-1, 4)
