"""Which elements the edges of a map of energy losses may be of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.correction.edge_maps import net_of_edge
from adatom.correction.element_maps import axis_in_ev
from adatom.correction.identification import check_threshold, table_of_found, total_counts
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.transitions import Transition, transitions
from adatom.schema import FEATURES, Features, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS: Final = ("edge", "energy", "onset", "jump", "significance", "alternatives", "used")
# Shares of the energy: before and after a channel that may be an onset.
_BEFORE, _AFTER = 0.10, 0.03
_LEAST_EDGE_EV: Final = 12.0
# Less than one per cent any background may bend by.
_LEAST_JUMP: Final = 0.01
# An excess after as large a deficit is where the decay of a white line ends, and no onset.
_MOST_DEFICIT: Final = 0.75
# An edge is named by its main onset; calibration and chemistry shift it by this share.
_MINOR_EDGES: Final = ("L2", "M4", "M3")
_SHIFT: Final = 0.02


def find_edges(spectra: Features, /, *, threshold: float = 5.0) -> Table:
    """Find where the mean spectrum of a map has edges, and which elements they may be of.

    At every channel, as if it were an onset, a power law is fitted before it
    and what lies above it just after is compared with its error: that of
    counts, and how much the same share of the background scatters over all
    channels, since no background is a power law throughout. Where that is
    largest, above the threshold and one per cent, and more than what was
    missing just before, there is an edge. Of the tabled onsets
    [1]_ within 2 % of it, which calibration and chemistry may shift it by,
    K edges are named before L edges and those before M edges.

    Parameters
    ----------
    spectra : Features
        Counts with background, in eV. Take spikes off before.
    threshold : float
        Five: of the hundreds of channels of an axis, none is there by chance.

    Returns
    -------
    Table
        One row an edge found: ``edge`` (empty where no tabled onset is
        near), ``energy`` found, ``onset`` tabled, ``jump`` (share of the
        background), ``significance``, ``alternatives`` (other edges as
        near), and ``used``: whether maps are made of it. Look at it: a
        name is only what a table has near.

    Raises
    ------
    SettingError
        If the threshold is not above zero.
    UnitError
        If the axis is not in eV.

    Examples
    --------
    >>> import xarray as xr
    >>> energy = np.arange(400.0, 700.0, 2.0)
    >>> counts = 1e12 * energy**-3 * (1 + 0.4 * (energy >= 532))
    >>> rows = xr.DataArray(counts[None], dims=("site", "energy"),
    ...     coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> find_edges(rows).edge.values.tolist()
    ['O K']

    References
    ----------
    .. [1] C. C. Ahn and O. L. Krivanek, EELS Atlas (Gatan and Arizona State University, 1983).
    """
    FEATURES.check(spectra)
    check_threshold(threshold)
    axis = axis_in_ev(spectra)
    total = total_counts(spectra)
    energies, jump, significance = _jumps(axis, total)
    step = float(np.abs(np.diff(axis)).mean()) if axis.size > 1 else 0.0
    rows = []
    for k in _maxima(energies, significance, threshold):
        if not _is_onset(k, energies, jump):
            continue
        near = _near_edges(energies[k], max(_SHIFT * energies[k], 2 * step))
        best = near[0] if near else None
        rows.append(
            {
                "edge": best.name if best else "",
                "energy": energies[k],
                "onset": best.energy if best else np.nan,
                "jump": jump[k],
                "significance": significance[k],
                "alternatives": ", ".join(one.name for one in near[1:]),
                "used": best is not None,
            }
        )
    return table_of_found(rows, _COLUMNS, in_ev=("energy", "onset"))


def _jumps(
    axis: NDArray[np.float64], total: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give for every channel, as if an onset, the jump over the background and over its error."""
    logs = np.log(np.maximum(axis, 1e-9))
    found = []
    for onset in axis[axis > 0]:
        start = onset - max(_BEFORE * onset, 2 * _LEAST_EDGE_EV)
        before = (axis >= start) & (axis < onset)
        after = (axis >= onset) & (axis <= onset + _after(onset))
        # Near the ends of the axis there is too little to judge by; no power law begins at zero.
        short = not start > 0 or axis.min() > start or axis.max() < onset + _LEAST_EDGE_EV
        if short or before.sum() < 5 or after.sum() < 3:
            continue
        net, variance = net_of_edge(total[None], logs, before, after, 1.0)
        ground = total[after].sum() - net[0]
        if ground > 0:
            found.append((onset, net[0] / ground, np.sqrt(variance[0]) / ground))
    columns = np.array(found, dtype=float).reshape(-1, 3)
    jump = columns[:, 1]
    error = np.sqrt(columns[:, 2] ** 2 + _bend(jump) ** 2)
    return columns[:, 0], jump, np.divide(jump, error, out=np.zeros_like(jump), where=error > 0)


def _bend(jump: NDArray[np.float64]) -> float:
    """Tell from the channels far from any edge how far a background is from a power law."""
    far, spread = jump, np.inf
    while far.size:
        median = float(np.median(far))
        spread = SIGMA_OF_MAD * float(np.median(np.abs(far - median)))
        nearer = far[np.abs(far - median) <= 3 * spread]
        if nearer.size == far.size:
            break
        far = nearer
    return spread if np.isfinite(spread) else 0.0


def _maxima(
    energies: NDArray[np.float64], significance: NDArray[np.float64], threshold: float
) -> list[int]:
    """Give local maxima above the threshold, the highest of any that lie within one edge."""
    taken: list[int] = []
    for k in np.argsort(-significance, kind="stable"):
        if significance[k] < threshold:
            break
        reach = max(0.04 * energies[k], 2 * _LEAST_EDGE_EV)
        if all(abs(energies[k] - energies[other]) > reach for other in taken):
            taken.append(int(k))
    # A flank of a higher maximum is no maximum of its own.
    tops = [
        k
        for k in taken
        if significance[k] >= significance[max(0, k - 1) : k + 2].max()
        and 0 < k < energies.size - 1
    ]
    return sorted(tops)


def _is_onset(k: int, energies: NDArray[np.float64], jump: NDArray[np.float64]) -> bool:
    """Tell whether a jump is more than a bend, and more than a deficit just before makes up for."""
    before = np.interp(energies[k] - _after(energies[k]), energies, jump)
    return bool(jump[k] >= _LEAST_JUMP and before > -_MOST_DEFICIT * jump[k])


def _after(onset: float) -> float:
    """Give the width of the window after an onset."""
    return float(max(_AFTER * onset, _LEAST_EDGE_EV))


def _near_edges(energy: float, reach: float) -> list[Transition]:
    near = [
        one
        for one in transitions("edge")
        if one.shell not in _MINOR_EDGES and abs(one.energy - energy) <= reach
    ]
    # The distance says little within what calibration and chemistry shift.
    return sorted(near, key=lambda one: (one.shell[0], abs(one.energy - energy)))
