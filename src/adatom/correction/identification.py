"""Which elements the edges or lines of a map may be of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.correction.edge_maps import axis_in_ev, net_of_edge
from adatom.correction.line_maps import line_width
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import value_on_axis
from adatom.numerics.moments import moments_of
from adatom.numerics.transitions import Transition, transitions
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of a normal distribution: standard deviation over the median of absolute deviations.
_NORMAL: Final = 1.4826
# Shares of the energy: before and after a channel that may be an onset.
_BEFORE, _AFTER = 0.10, 0.03
_LEAST_EDGE_EV: Final = 12.0
# Less than one per cent any background may bend by.
_LEAST_JUMP: Final = 0.01
# An excess after as large a deficit is where the decay of a white line ends, and no onset.
_MOST_DEFICIT: Final = 0.75
# Sources of X-rays are ionized well only by electrons of some more energy than the edge.
_OVERVOLTAGE: Final = 1.2
# Of the width of a line: calibration of the axis, and the mean of doublets.
_NEAR: Final = 0.3
_EXPLAINED: Final = 0.8
# A companion is missing where it should have been twice over the threshold.
_COMPANIONS: Final = {"Ka": ("Kb", 0.10), "La": ("Lb", 0.35)}
_MINOR_EDGES: Final = ("L2", "M4", "M3")
_SHIFT: Final = 0.02


class _Peak(NamedTuple):
    energy: float
    counts: float
    significance: float


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
    _check_threshold(threshold)
    axis = axis_in_ev(spectra)
    total = _total(spectra)
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
    table = _table(rows, "edge", ("energy", "onset"))
    add_note(table, _told([str(row["edge"]) for row in rows if row["used"]], "edges"))
    return table


def find_lines(
    spectra: Features, /, *, resolution: str = "130 eV", threshold: float = 6.0
) -> Table:
    """Find the peaks of the sum spectrum of an X-ray map, and which elements they may be of.

    A peak is where the counts within the width of a line exceed those on
    both sides of it, by the threshold times their error. From the highest
    on, each is named by the element whose main line is near and whose
    other lines are there too; that element's other peaks then need no name.

    Parameters
    ----------
    spectra : Features
        Counts, in eV; ``attrs["beam_energy"]`` (eV), where it is there,
        tells which lines can be excited.
    resolution : text
        Full width of a line at Mn Ka, as of `maps_from_lines`.
    threshold : float
        Six: of the thousands of channels of an axis, none is there by chance.

    Returns
    -------
    Table
        One row a peak: ``line`` (empty where none is near), ``energy``
        found, ``counts`` above its sides in the whole map, ``significance``,
        ``alternatives``, and ``used``: whether it is the main line of an
        element, of which maps are made. Escape and sum peaks are not known
        to it. Look at it: a name is only the nearest that fits.

    Raises
    ------
    SettingError
        If a number is not above zero.
    UnitError
        If the axis is not in eV.

    Examples
    --------
    >>> import xarray as xr
    >>> energy = np.arange(500.0, 8000.0, 10.0)
    >>> counts = 30 + 5000 * np.exp(-(((energy - 6403) / 80) ** 2))
    >>> counts += 600 * np.exp(-(((energy - 7058) / 84) ** 2))
    >>> rows = xr.DataArray(counts[None], dims=("site", "energy"),
    ...     coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> table = find_lines(rows)
    >>> table.line.values.tolist(), table.used.values.tolist()
    (['Fe Ka', 'Fe Kb'], [True, False])
    """
    FEATURES.check(spectra)
    _check_threshold(threshold)
    sharp = value_on_axis(resolution, "eV", name="resolution")
    if not sharp > 0:
        msg = f"{resolution=} must be above zero"
        raise SettingError(msg)
    axis = axis_in_ev(spectra)
    highest = float(axis.max())
    if "beam_energy" in spectra.attrs:
        highest = min(highest, float(spectra.attrs["beam_energy"]) / _OVERVOLTAGE)
    peaks = _peaks(axis, _total(spectra), sharp, threshold)
    rows = _named(peaks, sharp, highest, threshold)
    table = _table(rows, "line", ("energy",))
    add_note(table, _told([str(row["line"]) for row in rows if row["used"]], "lines"))
    return table


def _check_threshold(threshold: float) -> None:
    if not threshold > 0:
        msg = f"{threshold=} must be above zero"
        raise SettingError(msg)


def _total(spectra: Features) -> NDArray[np.float64]:
    moments = moments_of(blocks(spectra))
    return np.maximum(moments.mean * int(moments.counts.sum()), 0.0)


def _table(rows: list[dict[str, object]], name: str, in_ev: tuple[str, ...]) -> Table:
    kinds = {name: str, "alternatives": str, "used": bool}
    columns = (
        (name, "energy", "onset", "jump", "significance", "alternatives", "used")
        if name == "edge"
        else (name, "energy", "counts", "significance", "alternatives", "used")
    )
    return table_from_columns(
        {key: np.array([row[key] for row in rows], dtype=kinds.get(key, float)) for key in columns},
        units=dict.fromkeys(in_ev, "eV"),
    )


def _told(names: list[str], what: str) -> str:
    if not names:
        return f"No {what} were found above the threshold: name them where maps are made."
    return f"Named by the table, to be looked at: {', '.join(names)}."


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
        # Near the ends of the axis there is too little to judge by.
        short = axis.min() > start or axis.max() < onset + _LEAST_EDGE_EV
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
        spread = _NORMAL * float(np.median(np.abs(far - median)))
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


def _peaks(
    axis: NDArray[np.float64], total: NDArray[np.float64], resolution: float, threshold: float
) -> list[_Peak]:
    """Find where counts within a width exceed those on both sides, by a running top-hat."""
    step = float(np.abs(np.diff(axis)).mean()) if axis.size > 1 else 1.0
    sums = np.concatenate([[0.0], np.cumsum(total)])
    net, error = np.zeros(axis.size), np.ones(axis.size)
    halves = np.array([max(1, round(line_width(e, resolution) / 2 / step)) for e in axis])
    for k, half in enumerate(halves):
        low, high = k - 2 * half, k + 2 * half + 1
        if low < 0 or high > axis.size:
            continue
        center = sums[k + half + 1] - sums[k - half]
        beside = (sums[k - half] - sums[low]) + (sums[high] - sums[k + half + 1])
        share = (2 * half + 1) / (2 * half)
        net[k] = center - share * beside
        # One count more: without any the error is not zero.
        error[k] = np.sqrt(center + share**2 * beside + 1)
    significance = net / error
    peaks = []
    for k in np.flatnonzero(significance > threshold).tolist():
        near = slice(max(0, k - halves[k]), k + halves[k] + 1)
        if net[k] == net[near].max():
            weights = np.maximum(net[near], 0) ** 2
            energy = float((axis[near] * weights).sum() / weights.sum())
            peaks.append(_Peak(energy, float(net[k]), float(significance[k])))
    return peaks


def _main_line(element: str, highest: float) -> Transition | None:
    """Give the line by which an element is sought: of its innermost shell that can be excited."""
    lines = {one.shell: one for one in transitions("line") if one.element == element}
    usable = [lines[s] for s in ("Ka", "La", "Ma") if s in lines and lines[s].energy < highest]
    return usable[0] if usable else None


def _named(
    peaks: list[_Peak], resolution: float, highest: float, threshold: float
) -> list[dict[str, object]]:
    """Name peaks from the highest on; an element that is named explains all of its peaks."""
    elements = dict.fromkeys(one.element for one in transitions("line"))
    mains = [line for one in elements if (line := _main_line(one, highest)) is not None]
    missing = partial(_missing, peaks=peaks, resolution=resolution, threshold=threshold)
    names: dict[int, tuple[str, str, bool]] = {}
    for number in sorted(range(len(peaks)), key=lambda k: -peaks[k].counts):
        if number in names:
            continue
        peak = peaks[number]
        width = line_width(peak.energy, resolution)
        near = sorted(
            (abs(one.energy - peak.energy) / width + missing(one, peak), one)
            for one in mains
            if abs(one.energy - peak.energy) <= _NEAR * width
        )
        if not near:
            names[number] = ("", "", False)
            continue
        best = near[0][1]
        names[number] = (best.name, ", ".join(one.name for _, one in near[1:]), True)
        # Also those that had no name: lines of outer shells may be higher than the main line.
        for other in (k for k in range(len(peaks)) if names.get(k, ("", "", False))[0] == ""):
            line = _line_at(best.element, peaks[other].energy, resolution)
            if line is not None:
                names[other] = (line.name, "", False)
    return [
        {
            "line": names[k][0],
            "energy": peak.energy,
            "counts": peak.counts,
            "significance": peak.significance,
            "alternatives": names[k][1],
            "used": names[k][2],
        }
        for k, peak in enumerate(peaks)
    ]


def _line_at(element: str, energy: float, resolution: float) -> Transition | None:
    near = [
        one
        for one in transitions("line")
        if one.element == element
        and abs(one.energy - energy) <= _NEAR * line_width(energy, resolution)
    ]
    return min(near, key=lambda one: abs(one.energy - energy)) if near else None


def _missing(
    line: Transition, peak: _Peak, *, peaks: list[_Peak], resolution: float, threshold: float
) -> float:
    """Tell whether a companion of a line should be seen and is not: 1, else 0."""
    if line.shell not in _COMPANIONS:
        return 0.0
    shell, share = _COMPANIONS[line.shell]
    companion = next(
        (o for o in transitions("line") if o.element == line.element and o.shell == shell), None
    )
    if companion is None:
        return 0.0
    width = line_width(companion.energy, resolution)
    # Within a width and a half the two are one peak.
    if companion.energy - line.energy < 1.5 * width:
        return 0.0
    if share * peak.significance < 2 * threshold:
        return 0.0
    seen = any(abs(one.energy - companion.energy) <= _EXPLAINED * width / 2 for one in peaks)
    return 0.0 if seen else 1.0
