"""How well sites keep to a lattice, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

from adatom.errors import KindError, SettingError
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import SITES, Sites, Table, positions, space_unit, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Between the first and the second shell of neighbors, of a square lattice too.
SHELL: Final = 1.25


def estimate_bond_order(sites: Sites, /, *, n_fold: int = 6) -> Table:
    """Measure the bond-orientational order of sites, frame by frame.

    The order of a site is the mean of exp(i n angle) over the bonds to its
    neighbors [1]_. Its magnitude is one where these stand as on a lattice of
    that symmetry, and falls with disorder; its phase is the orientation.

    Parameters
    ----------
    sites : Sites
        With ``attrs["spacing"]``: neighbors are nearer than 1.25 times that.
    n_fold : int
        Symmetry of the lattice: 6 for hexagonal, 4 for square.

    Returns
    -------
    Table
        A row for each frame that has bonds: ``frame`` where sites have one,
        ``n_sites``, ``spacing`` (median length of the bonds) and
        ``spacing_spread`` (robust standard deviation), ``local_order`` (mean
        magnitude over sites), ``order`` (magnitude of the mean over all bonds:
        one crystal) and ``orientation`` of the bonds, from +x towards +y,
        between 0 and 360 / n deg.

    Raises
    ------
    SettingError
        If `n_fold` is less than two.

    References
    ----------
    .. [1] D. R. Nelson and B. I. Halperin, Phys. Rev. B 19, 2457 (1979), sec. II.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> square = sites_from_positions([0, 0, 1, 1], [0, 1, 0, 1], unit="nm", spacing=1.0)
    >>> round(estimate_bond_order(square, n_fold=4)["order"].item(), 6)
    1.0
    """
    SITES.check(sites)
    if n_fold < 2:
        msg = f"{n_fold=} must be 2 or more: 6 for a hexagonal lattice, 4 for a square one"
        raise SettingError(msg)
    spacing = sites.attrs.get("spacing")
    if not spacing:
        msg = "the sites have no attrs['spacing'], by which neighbors are known"
        raise KindError(msg)
    place, has_frames = positions(sites), "frame" in sites.coords
    numbers = sites.coords["frame"].values if has_frames else np.zeros(len(place), dtype=int)
    rows = []
    for number in np.unique(numbers):
        row = _order_of_frame(place[numbers == number], SHELL * float(spacing), n_fold)
        if row is not None:
            rows.append(({"frame": int(number)} if has_frames else {}) | row)
    unit = space_unit(sites)
    units = {"spacing": unit, "spacing_spread": unit, "orientation": "deg"}
    names = list(rows[0]) if rows else ["n_sites", *units, "local_order", "order"]
    return table_from_columns({name: [row[name] for row in rows] for name in names}, units=units)


def _order_of_frame(
    place: NDArray[np.float64], reach: float, n_fold: int
) -> dict[str, float] | None:
    known = place[np.isfinite(place).all(axis=1)]
    pairs = cKDTree(known).query_pairs(reach, output_type="ndarray")
    if not len(pairs):
        return None
    bond = known[pairs[:, 1]] - known[pairs[:, 0]]
    wave = np.exp(1j * n_fold * np.arctan2(bond[:, 0], bond[:, 1]))
    # Seen from the other end a bond of an odd symmetry points the other way.
    back = wave * (-1) ** n_fold
    ends = np.concatenate([pairs[:, 0], pairs[:, 1]])
    both = np.concatenate([wave, back])
    count = np.bincount(ends, minlength=len(known))
    total = np.bincount(ends, both.real, len(known)) + 1j * np.bincount(ends, both.imag, len(known))
    local = np.abs(total[count > 0] / count[count > 0])
    mean = both.mean()
    length = np.hypot(*bond.T)
    usual = float(np.median(length))
    return {
        "n_sites": len(known),
        "spacing": usual,
        "spacing_spread": SIGMA_OF_MAD * float(np.median(np.abs(length - usual))),
        "local_order": float(local.mean()),
        "order": float(np.abs(mean)),
        "orientation": float(np.degrees(np.angle(mean)) / n_fold % (360 / n_fold)),
    }
