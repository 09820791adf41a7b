"""Maps of elements from edges of EELS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.correction.background import power_laws
from adatom.correction.element_maps import (
    ElementMaps,
    axis_in_ev,
    chosen_transitions,
    maps_of_rows,
    windows_that_fit,
)
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import value_on_axis
from adatom.numerics.moments import moments_of, sample_of
from adatom.numerics.transitions import Transition, transitions
from adatom.schema import FEATURES, TABLE, Features, Table, add_note, table_from_columns

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# Shares of the onset's energy. The wider a window, the less noise, and the worse the power law.
_FIT_SHARE: Final = 0.15
_SIGNAL_SHARE: Final = 0.08
# An edge rises within the energy resolution and chemical shift, before its tabled onset.
_MARGIN: Final = 0.006
_LEAST_MARGIN_EV: Final = 3.0
_LEAST_FIT: Final = 4
_SAMPLE_ROWS: Final = 1024


class EdgeWindows(NamedTuple):
    """Where the background of an edge is fitted and where its signal is summed."""

    edge: Transition
    fit: NDArray[np.bool_]
    signal: NDArray[np.bool_]
    overlaps: str


def maps_from_edges(
    spectra: Features,
    found: Table | None = None,
    /,
    *,
    edges: list[str] | None = None,
    width: str | None = None,
    fit_width: str | None = None,
    gain: float | None = None,
) -> ElementMaps:
    """Map elements by their edges of EELS: counts above the background before each edge.

    A power law is fitted to every spectrum before each edge by maximum
    likelihood of counts and extrapolated under it [1]_, less what the noise of
    the fit adds to an exponential on the average. Windows follow from
    the tabled onsets: the fit ends a little before the onset and begins no
    earlier than half way from the edge before; the sum ends before the next
    edge of another element. What is cut short or overlaps is noted.

    Parameters
    ----------
    spectra : Features
        Counts, as measured: no background taken off. Numpy gives numpy; dask
        gives dask.
    found : Table, optional
        Of `find_edges`, used where no edges are named.
    edges : list of text, optional
        Such as ["O K", "Ti L3"], where "Ti L" is short for "Ti L3".
    width : text, optional
        Of the sum from the onset on, such as "50 eV"; by default 8 % of the
        onset, within which most of a white line or of the first structure of
        a K edge lies.
    fit_width : text, optional
        Of the fit before the onset; by default 15 % of the onset, a
        compromise between noise and bend of the background [1]_.
    gain : float, optional
        Counts of the file for one electron, which standard errors need; by
        default found from how channels scatter about the fitted backgrounds,
        over what counts of electrons would.

    Returns
    -------
    ElementMaps
        Net counts may be negative where there is none of an element. Errors
        have a share of the signal and one of the extrapolation. Without an
        element where none was found.

    Raises
    ------
    SettingError
        If an edge that was named is not tabled, or its windows do not lie on
        the axis. Of edges that were only found, those are left out and noted.
    UnitError
        If the axis is not in eV.

    Examples
    --------
    >>> import xarray as xr
    >>> energy = np.arange(400.0, 700.0, 2.0)
    >>> counts = 1e12 * energy**-3 + 500.0 * (energy >= 532)
    >>> rows = xr.DataArray(counts[None], dims=("site", "energy"),
    ...     coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> maps_from_edges(rows, edges=["O K"], width="40 eV").maps.round(3).item()
    10500.0

    References
    ----------
    .. [1] R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed.
       (Springer 2011), sec. 4.4.
    """
    FEATURES.check(spectra)
    if found is not None:
        TABLE.check(found, name="found")
    if gain is not None and not gain > 0:
        msg = f"{gain=} must be above zero"
        raise SettingError(msg)
    axis = axis_in_ev(spectra)
    chosen = chosen_transitions(edges, found, "edge")
    asked = [
        value_on_axis(text, "eV", name=name) if text is not None else None
        for text, name in ((width, "width"), (fit_width, "fit_width"))
    ]
    windows, told = windows_that_fit(
        lambda edge: _windows_of(edge, chosen, axis, asked[0], asked[1]),
        chosen,
        named=edges is not None,
    )
    logs = np.log(np.maximum(axis, 1e-9))
    table = _table(windows, axis)
    for text in told:
        add_note(table, text)
    found_gain = gain if gain is not None else _gain_of(spectra, logs, windows)
    if windows and gain is None:
        add_note(
            table,
            f"Channels scatter about the backgrounds as {found_gain:.3g} counts for an electron "
            "would: standard errors are of these.",
        )

    def work(
        rows: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        nets = [net_of_edge(rows, logs, one.fit, one.signal, found_gain) for one in windows]
        net, variance = zip(*nets, strict=True)
        return np.stack(net, axis=1), np.stack(variance, axis=1)

    return maps_of_rows(spectra, work, [one.edge for one in windows], table)


def net_of_edge(
    rows: NDArray[np.float64],
    logs: NDArray[np.float64],
    fit: NDArray[np.bool_],
    signal: NDArray[np.bool_],
    gain: float,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give counts above the extrapolated power law, and their variance, for every row."""
    # About the middle of the fit height and power are nearly independent.
    logs = logs - logs[fit].mean()
    height, power = power_laws(rows[:, fit], logs[fit])
    errors = _errors_of_fit(height, power, logs[fit], gain)
    under = height[:, None] * np.exp(-power[:, None] * logs[signal])
    # The exponential of what scatters by v is too large by exp(v / 2) on the average.
    under *= np.exp(-0.5 * errors.of_log(logs[signal]))
    total, background = rows[:, signal].sum(axis=1), under.sum(axis=1)
    slope = background, -(under * logs[signal]).sum(axis=1)
    return total - background, gain * np.maximum(total, 0) + errors.of_sum(*slope)


class _FitErrors(NamedTuple):
    """Variances and covariance (row,) of the logarithm of the height and of the power."""

    height: NDArray[np.float64]
    power: NDArray[np.float64]
    both: NDArray[np.float64]

    def of_log(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the variance of the logarithm of the background (row, channel)."""
        height, power, both = (one[:, None] for one in self)
        return height - 2 * both * logs + power * logs**2

    def of_sum(
        self, by_height: NDArray[np.float64], by_power: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Give the variance (row,) of a sum that changes so with both."""
        mixed = 2 * by_height * by_power * self.both
        return by_height**2 * self.height + mixed + by_power**2 * self.power


def _errors_of_fit(
    height: NDArray[np.float64], power: NDArray[np.float64], logs: NDArray[np.float64], gain: float
) -> _FitErrors:
    """Invert the information that counts give on height and power."""
    fitted = height[:, None] * np.exp(-power[:, None] * logs)
    hh, hp, pp = ((fitted * (-logs) ** k).sum(axis=1) for k in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [gain * one / (hh * pp - hp**2) for one in (pp, hh, -hp)]
    # Without counts the background is zero, and nothing scatters.
    return _FitErrors(*(np.where(height > 0, one, height * 0.0) for one in found))


def _gain_of(spectra: xr.DataArray, logs: NDArray[np.float64], windows: list[EdgeWindows]) -> float:
    """Give the variance of channels about the fitted backgrounds over that of counts."""
    cut = blocks(spectra)
    rows = sample_of(cut, moments_of(cut).counts, n_rows=_SAMPLE_ROWS, seed=0).astype(np.float64)
    squares, free = 0.0, 0.0
    for one in windows:
        centered = logs[one.fit] - logs[one.fit].mean()
        height, power = power_laws(rows[:, one.fit], centered)
        fitted = height[:, None] * np.exp(-power[:, None] * centered)
        # Pearson's statistic: also of few counts its mean is the number of channels.
        counted = (fitted > 0).all(axis=1)
        apart = (rows[counted][:, one.fit] - fitted[counted]) ** 2 / fitted[counted]
        squares += float(apart.sum())
        free += apart.shape[0] * (apart.shape[1] - 2)
    return squares / free if squares > 0 else 1.0


def _windows_of(
    edge: Transition,
    chosen: list[Transition],
    axis: NDArray[np.float64],
    width: float | None,
    fit_width: float | None,
) -> EdgeWindows:
    onset, step = edge.energy, float(np.abs(np.diff(axis)).max(initial=0.0))
    margin = max(_LEAST_MARGIN_EV, _MARGIN * onset, step)
    # All edges of the elements that are mapped, L2 beside L3 included.
    elements = {one.element for one in chosen}
    others = [one for one in transitions("edge") if one.element in elements and one != edge]
    start, early = _fit_start(edge, others, onset - (fit_width or _FIT_SHARE * onset), margin)
    end, late = _signal_end(edge, others, onset + (width or _SIGNAL_SHARE * onset), margin, step)
    near = [
        f"{one.name} lies within {margin:.3g} eV"
        for one in others
        if one.element != edge.element and abs(one.energy - onset) <= margin
    ]
    fit = (axis >= start) & (axis <= onset - margin)
    signal = (axis >= onset) & (axis <= end)
    if fit.sum() < _LEAST_FIT or not signal.any():
        msg = (
            f"{edge.name} at {onset:g} eV: {int(fit.sum())} channels for its background between "
            f"{start:.5g} and {onset - margin:.5g} eV ({_LEAST_FIT} are needed), "
            f"{int(signal.sum())} for its sum up to {end:.5g} eV; the axis runs from "
            f"{axis.min():.5g} to {axis.max():.5g} eV: leave it out, or give fit_width= or width="
        )
        raise SettingError(msg)
    return EdgeWindows(edge, fit, signal, "; ".join([*early, *late, *near]))


def _fit_start(
    edge: Transition, others: list[Transition], start: float, margin: float
) -> tuple[float, list[str]]:
    """Give where the fit begins, and what keeps it from beginning earlier."""
    before = [one for one in others if one.energy < edge.energy - margin]
    last = max(before, key=lambda one: one.energy, default=None)
    if last is None or (half := (last.energy + edge.energy) / 2) <= start:
        return start, []
    return half, [f"fit begins half way from {last.name}"]


def _signal_end(
    edge: Transition, others: list[Transition], end: float, margin: float, step: float
) -> tuple[float, list[str]]:
    """Give where the sum ends, and what keeps it from ending later."""
    after = [one for one in others if one.energy > edge.energy and one.element != edge.element]
    first = min(after, key=lambda one: one.energy, default=None)
    if first is None or first.energy - margin >= end:
        return end, []
    return max(first.energy - margin, edge.energy + step), [f"sum ends before {first.name}"]


def _table(windows: list[EdgeWindows], axis: NDArray[np.float64]) -> Table:
    ends = {
        "fit_from": [axis[one.fit].min() for one in windows],
        "fit_to": [axis[one.fit].max() for one in windows],
        "sum_from": [axis[one.signal].min() for one in windows],
        "sum_to": [axis[one.signal].max() for one in windows],
    }
    table = table_from_columns(
        {
            "edge": [one.edge.name for one in windows],
            "onset": [one.edge.energy for one in windows],
            **ends,
            "overlaps": [one.overlaps for one in windows],
        },
        units=dict.fromkeys(["onset", *ends], "eV"),
    )
    for k, one in enumerate(windows):
        told = f" ({one.overlaps})" if one.overlaps else ""
        add_note(
            table,
            f"{one.edge.name}: background from {ends['fit_from'][k]:g} to {ends['fit_to'][k]:g} "
            f"eV, sum from {ends['sum_from'][k]:g} to {ends['sum_to'][k]:g} eV{told}.",
        )
    return table
