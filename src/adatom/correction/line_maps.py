"""Maps of elements from characteristic X-ray lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.correction.element_maps import (
    ElementMaps,
    axis_in_ev,
    chosen_transitions,
    maps_of_rows,
    windows_that_fit,
)
from adatom.errors import SettingError
from adatom.numerics.channels import value_on_axis
from adatom.numerics.transitions import Transition, transitions
from adatom.schema import FEATURES, TABLE, Features, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The Fano factor and the energy of an electron-hole pair in silicon: 5.545 x 0.12 x 3.8 eV.
_FANO_EV: Final = 2.5
_MANGANESE_EV: Final = 5898.75
# Backgrounds begin where a Gaussian line, this one or another, has fallen to 1e-3 of its height.
_GAP: Final = 1.6


class LineWindows(NamedTuple):
    """Where a line is summed, and with which weights channels beside it make its background."""

    line: Transition
    signal: NDArray[np.bool_]
    background: NDArray[np.float64]
    """(channel,): the background is the sum of counts times these."""
    overlaps: str


def line_width(energy: float, resolution: float, /) -> float:
    """Give the full width at half maximum of a line [1]_.

    Parameters
    ----------
    energy : float
        Of the line, in eV.
    resolution : float
        Width at Mn Ka, in eV, as makers of detectors state it.

    Examples
    --------
    >>> round(line_width(277.0, 130.0))
    53

    References
    ----------
    .. [1] C. E. Fiori and D. E. Newbury, Scanning Electron Microscopy 1978/I, 401 (1978).
    """
    return float(np.sqrt(max(_FANO_EV * (energy - _MANGANESE_EV) + resolution**2, 30.0**2)))


def maps_from_lines(
    spectra: Features,
    found: Table | None = None,
    /,
    *,
    lines: list[str] | None = None,
    resolution: str = "130 eV",
    width: float = 1.0,
    gain: float = 1.0,
) -> ElementMaps:
    """Map elements by their X-ray lines: counts above the background beside each line.

    The background is the straight line through the counts of a window on
    either side, which is unbiased for any number of counts. A side on which
    another line of the mapped elements lies is moved away from it, or left
    out where there is no room; lines closer than their width are noted,
    since their counts cannot be told apart by windows.

    Parameters
    ----------
    spectra : Features
        Counts, as measured. Numpy gives numpy; dask gives dask.
    found : Table, optional
        Of `find_lines`, used where no lines are named.
    lines : list of text, optional
        Such as ["O Ka", "Fe Ka"], where "Fe K" is short for "Fe Ka".
    resolution : text
        Full width of a line at Mn Ka, in eV. 130 eV is usual of silicon
        drift detectors; widths elsewhere follow from it [1]_.
    width : float
        Of the window, in full widths at half maximum of the line. One is
        near the best ratio of signal to noise and holds 76 % of the counts;
        two hold 98 %, with more of the background and of neighbors.
    gain : float
        Counts of the file for one photon; standard errors need it.

    Returns
    -------
    ElementMaps
        Net counts may be negative where there is none of an element. Without
        an element where none was found.

    Raises
    ------
    SettingError
        If a line is not tabled or does not lie on the axis, or a number is
        not above zero.
    UnitError
        If the axis is not in eV.

    Examples
    --------
    >>> import xarray as xr
    >>> energy = np.arange(5000.0, 8000.0, 10.0)
    >>> counts = 3.0 + 50 * np.exp(-(((energy - 6403.84) / 80) ** 2))
    >>> rows = xr.DataArray(counts[None], dims=("site", "energy"),
    ...     coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> maps_from_lines(rows, lines=["Fe Ka"], width=2.0).maps.round().item()
    697.0

    References
    ----------
    .. [1] C. E. Fiori and D. E. Newbury, Scanning Electron Microscopy 1978/I, 401 (1978).
    """
    FEATURES.check(spectra)
    if found is not None:
        TABLE.check(found, name="found")
    sharp = value_on_axis(resolution, "eV", name="resolution")
    if not (gain > 0 and width > 0 and sharp > 0):
        msg = f"{gain=}, {width=} and {resolution=} must be above zero"
        raise SettingError(msg)
    axis = axis_in_ev(spectra)
    chosen = chosen_transitions(lines, found, "line")
    windows, told = windows_that_fit(
        lambda line: line_windows(line, chosen, axis, sharp, width), chosen, named=lines is not None
    )
    table = _table(windows, axis)
    for text in told:
        add_note(table, text)

    def work(
        rows: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        nets, variances = [], []
        for one in windows:
            used = one.signal | (one.background != 0)
            weights = one.signal[used] - one.background[used]
            nets.append((rows[:, used] * weights).sum(axis=1))
            variances.append(gain * (np.maximum(rows[:, used], 0) * weights**2).sum(axis=1))
        return np.stack(nets, axis=1), np.stack(variances, axis=1)

    return maps_of_rows(spectra, work, [one.line for one in windows], table)


def line_windows(
    line: Transition,
    chosen: list[Transition],
    axis: NDArray[np.float64],
    resolution: float,
    width: float,
    /,
) -> LineWindows:
    """Find the windows of a line beside all lines of the elements that are mapped."""
    full = line_width(line.energy, resolution)
    signal = np.abs(axis - line.energy) <= width * full / 2
    step = float(np.abs(np.diff(axis)).max(initial=0.0))
    if not signal.any() or not axis.min() - step <= line.energy <= axis.max() + step:
        msg = (
            f"{line.name} at {line.energy:g} eV does not lie on the axis, which runs from "
            f"{axis.min():.5g} to {axis.max():.5g} eV in steps of {step:.3g} eV: leave it out"
        )
        raise SettingError(msg)
    elements = {one.element for one in chosen}
    others = [one for one in transitions("line") if one.element in elements and one != line]
    close = [
        one.name
        for one in others
        if one.element != line.element and abs(one.energy - line.energy) < (width + 1) / 2 * full
    ]
    free = np.ones(axis.size, dtype=bool)
    for one in (line, *others):
        free &= np.abs(axis - one.energy) > _GAP * line_width(one.energy, resolution)
    gap = max(_GAP, width / 2 + 0.1) * full
    sides = [_side(axis, line.energy, sign, gap, full, free) for sign in (-1, 1)]
    words = [f"{name} lies within" for name in close]
    words += [f"no background {w}" for w, side in zip(("below", "above"), sides) if not side.any()]
    background = _background(axis, signal, [side for side in sides if side.any()])
    return LineWindows(line, signal, background, "; ".join(words))


def _side(
    axis: NDArray[np.float64],
    energy: float,
    sign: int,
    gap: float,
    full: float,
    free: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Take the nearest channels on a side that are free of lines, one full width of them."""
    apart = sign * (axis - energy)
    # Families of L lines are some six widths long; from farther away the background under the line
    # cannot be told.
    usable = np.flatnonzero((apart > gap) & (apart <= gap + 8 * full) & free)
    step = float(np.abs(np.diff(axis)).mean())
    wanted = max(1, round(full / step))
    nearest = usable[np.argsort(apart[usable], kind="stable")][:wanted]
    side = np.zeros(axis.size, dtype=bool)
    if nearest.size >= max(1, wanted // 2):
        side[nearest] = True
    return side


def _background(
    axis: NDArray[np.float64],
    signal: NDArray[np.bool_],
    sides: list[NDArray[np.bool_]],
) -> NDArray[np.float64]:
    """Weigh the channels beside a line: the height of a straight line through both sides."""
    weights = np.zeros(axis.size)
    center = float(axis[signal].mean())
    if len(sides) == 2:
        low, high = (float(axis[side].mean()) for side in sides)
        shares = [(high - center) / (high - low), (center - low) / (high - low)]
    else:
        shares = [1.0] * len(sides)
    for side, share in zip(sides, shares, strict=True):
        weights[side] = share * signal.sum() / side.sum()
    return weights


def _table(windows: list[LineWindows], axis: NDArray[np.float64]) -> Table:
    ends = {
        "sum_from": [axis[one.signal].min() for one in windows],
        "sum_to": [axis[one.signal].max() for one in windows],
    }
    beside = {
        "n_background": [int((one.background != 0).sum()) for one in windows],
    }
    table = table_from_columns(
        {
            "line": [one.line.name for one in windows],
            "energy": [one.line.energy for one in windows],
            **ends,
            **beside,
            "overlaps": [one.overlaps for one in windows],
        },
        units=dict.fromkeys(["energy", *ends], "eV"),
    )
    for k, one in enumerate(windows):
        used = axis[one.background != 0]
        ground = (
            f"background from {beside['n_background'][k]} channels between {used.min():.5g} and "
            f"{used.max():.5g} eV"
            if used.size
            else "no background"
        )
        told = f" ({one.overlaps})" if one.overlaps else ""
        add_note(
            table,
            f"{one.line.name}: sum from {ends['sum_from'][k]:.5g} to {ends['sum_to'][k]:.5g} eV, "
            f"{ground}{told}.",
        )
    return table
