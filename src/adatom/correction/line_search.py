"""Which elements the lines of an X-ray map may be of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.correction.element_maps import axis_in_ev
from adatom.correction.identification import check_threshold, table_of_found, total_counts
from adatom.correction.line_maps import line_width
from adatom.errors import SettingError
from adatom.numerics.channels import value_on_axis
from adatom.numerics.transitions import Transition, transitions
from adatom.schema import FEATURES, Features, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS: Final = ("line", "energy", "counts", "significance", "alternatives", "used")
# Shells are ionized well only by electrons of some more energy than the line.
_OVERVOLTAGE: Final = 1.2
# Of the width of a line: calibration of the axis, and the mean of doublets.
_NEAR: Final = 0.3
_EXPLAINED: Final = 0.8
# What Kb is of Ka and Lb of La at least; it is missing where it should stand far out and does not.
_COMPANIONS: Final = {"Ka": ("Kb", 0.10), "La": ("Lb", 0.35)}


class _Peak(NamedTuple):
    energy: float
    counts: float
    significance: float


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
    check_threshold(threshold)
    sharp = value_on_axis(resolution, "eV", name="resolution")
    if not sharp > 0:
        msg = f"{resolution=} must be above zero"
        raise SettingError(msg)
    axis = axis_in_ev(spectra)
    highest = float(axis.max())
    if "beam_energy" in spectra.attrs:
        highest = min(highest, float(spectra.attrs["beam_energy"]) / _OVERVOLTAGE)
    peaks = _peaks(axis, total_counts(spectra), sharp, threshold)
    rows = _named(peaks, sharp, highest, threshold)
    return table_of_found(rows, _COLUMNS, in_ev=("energy",))


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
