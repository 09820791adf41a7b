"""What the maps of elements have in common, whatever the spectroscopy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import xarray as xr

from adatom.errors import SettingError, UnitError
from adatom.numerics.channels import by_rows, channel_axis_of
from adatom.numerics.transitions import Technique, Transition, find_transition
from adatom.schema import Features, Table, add_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray


Windows = TypeVar("Windows")


class ElementMaps(NamedTuple):
    """Net counts of every element, their standard errors, and the windows they come from."""

    maps: Features
    """(..., element), in the unit of the spectra."""
    errors: Features
    """(..., element): standard errors, as counts of electrons or photons scatter."""
    windows: Table
    """One row an edge or line: its energy, windows in the unit of the axis, what overlaps."""


def axis_in_ev(spectra: xr.DataArray, /) -> NDArray[np.float64]:
    """Give the measured axis, which must be in eV."""
    axis, unit = channel_axis_of(spectra)
    if unit != "eV":
        msg = f"edges and lines are tabled in eV, the measured axis is in {unit}"
        raise UnitError(msg)
    return axis


def chosen_transitions(
    names: Sequence[str] | None, found: xr.Dataset | None, technique: Technique, /
) -> list[Transition]:
    """Look up what is named, or what was found where nothing is named, in order of energy.

    Raises
    ------
    SettingError
        If neither is given, or one is named twice.
    """
    what = f"{technique}s"
    if names is None:
        if found is None:
            msg = f'name the {what}, as {what}=["{_EXAMPLES[technique]}"], or find them before'
            raise SettingError(msg)
        names = [str(name) for name in found[technique].values[found["used"].values]]
    chosen = [find_transition(name, technique) for name in names]
    twice = sorted({one.name for one in chosen if chosen.count(one) > 1})
    if twice:
        msg = f"{what}={list(names)!r} names {twice[0]} twice"
        raise SettingError(msg)
    return sorted(chosen, key=lambda one: one.energy)


_EXAMPLES: dict[Technique, str] = {"edge": "Ti L3", "line": "Fe Ka"}


def windows_that_fit(
    windows_of: Callable[[Transition], Windows], chosen: Sequence[Transition], /, *, named: bool
) -> tuple[list[Windows], list[str]]:
    """Find the windows of each transition; of those that were only found, leave out what fails.

    Raises
    ------
    SettingError
        If the windows of one that the user named do not fit.
    """
    windows, told = [], []
    for one in chosen:
        try:
            windows.append(windows_of(one))
        except SettingError as error:
            if named:
                raise
            told.append(f"Left out: {error}.")
    return windows, told


def maps_of_rows(
    spectra: xr.DataArray,
    work: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]],
    chosen: Sequence[Transition],
    windows: xr.Dataset,
    /,
) -> ElementMaps:
    """Apply a function that gives net counts and their variances (row, element)."""
    n = len(chosen)

    def both(rows: NDArray[Any]) -> NDArray[Any]:
        if not n:
            return np.zeros((len(rows), 0))
        net, variance = work(rows.astype(np.float64))
        return np.concatenate([net, np.sqrt(variance)], axis=1)

    made = by_rows(spectra, both, n_columns=2 * n).rename(measure="element")
    names = {"element": ("element", [one.name for one in chosen])}
    kept = ("units", "source", "beam_energy")
    attrs = {key: spectra.attrs[key] for key in kept if key in spectra.attrs}
    maps, errors = (made[..., part].assign_coords(names) for part in (slice(n), slice(n, None)))
    maps.name, errors.name = "net", "standard_error"
    maps.attrs, errors.attrs = dict(attrs), dict(attrs)
    if not n:
        add_note(maps, "There are no maps: nothing was named, and nothing found.")
    for text in windows.attrs.get("notes", []):
        add_note(maps, text)
    return ElementMaps(maps, errors, windows)
