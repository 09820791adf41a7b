"""Which axis of a dataset is y, x, frame or channel, told from names, units and flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from adatom.errors import UnitError
from adatom.io.signals import RawAxis, RawSignal
from adatom.units import house_unit

DatasetKind = Literal[
    "image",
    "movie",
    "spectral map",
    "movie or spectral map",
    "diffraction map",
    "spectra",
    "not numbers",
    "not understood",
]

_Y: Final = {"y", "height", "row", "rows", "r_y", "y-axis", "y position", "position y", "dim_y"}
_X: Final = {"x", "width", "column", "columns", "r_x", "x-axis", "x position", "position x"}
_STACK: Final = {
    "z", "r_z", "t", "frame", "frames", "stack", "stack index", "slice", "depth", "image series",
    "sequence", "scan", "page", "images",
}  # fmt: skip
# Found anywhere in the name of an axis -> the dim that it becomes.
_MEASURED_BY_NAME: Final = {
    "energy": "energy",
    "wavelength": "wavelength",
    "wavenumber": "wavenumber",
    "raman": "wavenumber",
    "bias": "bias",
    "voltage": "bias",
    "m/z": "mass_to_charge",
    "mass": "mass_to_charge",
    "frequency": "frequency",
    "angle": "angle",
    "distance": "distance",
    "channel": "channel",
}
_MEASURED_BY_UNIT: Final = {
    "eV": "energy",
    "V": "bias",
    "1/cm": "wavenumber",
    "Da": "mass_to_charge",
    "Hz": "frequency",
    "deg": "angle",
}
_MEASURED: Final = {*_MEASURED_BY_NAME.values(), "time"}


@dataclass(frozen=True)
class Layout:
    """How a dataset is laid out.

    Attributes
    ----------
    kind : str
        What it can become.
    order : tuple of int
        Axes of the dataset in the order of the kind: y, x; frame, y, x;
        y, x, channel; y, x, k_y, k_x; channel alone, or place, channel.
        Axes left out have one entry.
    channel : str
        Dim of the last axis of a spectral map or of spectra.
    place : str
        Dim of the first of two axes of spectra: "site", or what else was
        varied, as "time" in a streak image.
    """

    kind: DatasetKind
    order: tuple[int, ...]
    channel: str = ""
    place: str = "site"


def axis_unit(axis: RawAxis, /) -> tuple[str, float]:
    """Give the house unit of an axis and the factor to it; "" where it has none.

    On an axis "A" means angstrom, not ampere. Millimeters stay, since
    wafers are measured in them.
    """
    text = axis.unit.strip()
    if text == "mm":
        return "mm", 1.0
    try:
        return house_unit("angstrom" if text == "A" else text) if text else ("", 1.0)
    except UnitError:
        return "", 1.0


def role_of_axis(axis: RawAxis, /) -> str:
    """Name what an axis stands for; "space" or "" where it does not say which."""
    name = axis.name.strip().lower()
    unit, _ = axis_unit(axis)
    if name in _Y:
        return "y"
    if name in _X:
        return "x"
    if name == "c":
        return "channel"
    for part, dim in _MEASURED_BY_NAME.items():
        # The distance along a line scan says where; that of a tip from the sample is measured.
        if part in name and not (dim == "distance" and axis.stored == "stack"):
            return dim
    if name == "time" or unit in {"s", "ns"}:
        return "time" if axis.stored == "signal" else "stack"
    if name in _STACK or name.endswith("_depth"):
        return "stack"
    if unit in _MEASURED_BY_UNIT:
        return _MEASURED_BY_UNIT[unit]
    return "space" if unit in {"nm", "mm", "1/nm"} else ""


def layout_of_signal(signal: RawSignal, /, *, ndim: int = 2) -> Layout:
    """Find the layout of a dataset.

    Parameters
    ----------
    signal : RawSignal
        One dataset of a file.
    ndim : {2, 3}
        Axes of one entry are left out until so many are left.
    """
    roles = [role_of_axis(axis) for axis in signal.axes]
    kept = list(range(len(roles)))
    if signal.dtype.kind not in "biufc":
        return Layout("not numbers", tuple(kept))
    if signal.places is not None:
        return _layout_of_places(kept, roles)
    single = [i for i in kept if signal.shape[i] == 1 and roles[i] in {"", "stack"}]
    while len(kept) > ndim and single:
        kept.remove(single.pop())
    if len(kept) == 2:
        return _layout_of_two(signal, kept, roles)
    if len(kept) == 3:
        return _layout_of_three(signal, kept, roles)
    if len(kept) == 1:
        return Layout("spectra", tuple(kept), _channel_name(roles[kept[0]]))
    if len(kept) == 4:
        return _layout_of_four(signal, kept, roles)
    return Layout("not understood", tuple(kept))


def spectra_layout(signal: RawSignal, /) -> Layout:
    """Lay out as spectra what may be one: also two axes that nobody names, row by row."""
    layout = layout_of_signal(signal)
    if layout.kind == "image" and not any(role_of_axis(axis) for axis in signal.axes):
        return Layout("spectra", layout.order, "channel")
    return layout


def _channel_name(role: str) -> str:
    return role if role in _MEASURED else "channel"


def _layout_of_places(kept: list[int], roles: list[str]) -> Layout:
    """Lay out spectra at scattered places, which are along the first axis."""
    if len(kept) == 1:
        return Layout("not understood", tuple(kept))
    first, *others = kept
    if len(others) > 1:
        return Layout("not understood", tuple(kept))
    return Layout("spectra", (first, others[0]), _channel_name(roles[others[0]]))


def _layout_of_two(signal: RawSignal, kept: list[int], roles: list[str]) -> Layout:
    stored = {signal.axes[i].stored for i in kept}
    measured = [i for i in kept if roles[i] in _MEASURED]
    if len(measured) == 2:
        # A streak image: what is resolved in time stands first.
        first, last = sorted(kept, key=lambda i: roles[i] != "time")
        return Layout("spectra", (first, last), roles[last], roles[first])
    if measured or stored == {"stack", "signal"}:
        last = (
            measured[0] if measured else next(i for i in kept if signal.axes[i].stored != "stack")
        )
        (first,) = set(kept) - {last}
        place = "time" if axis_unit(signal.axes[first])[0] in {"s", "ns"} else "site"
        return Layout("spectra", (first, last), _channel_name(roles[last]), place)
    return Layout("image", _y_before_x(kept, roles))


def _layout_of_four(signal: RawSignal, kept: list[int], roles: list[str]) -> Layout:
    """Lay out a diffraction pattern at every pixel, if the file says which axes scan."""
    stored = [signal.axes[i].stored for i in kept]
    if stored.count("stack") != 2 or stored.count("signal") != 2:
        return Layout("not understood", tuple(kept))
    scan = [i for i in kept if signal.axes[i].stored == "stack"]
    pattern = [i for i in kept if signal.axes[i].stored == "signal"]
    units = [axis_unit(signal.axes[i])[0] for i in (*scan, *pattern)]
    # A scan has one unit; images at every angle or depth are no patterns.
    if units[0] != units[1] or (units[2] in {"nm", "mm"} and units[0] not in {"nm", "mm"}):
        return Layout("not understood", tuple(kept))
    if {roles[i] for i in pattern} & (_MEASURED - {"angle", "channel"}):
        # A streak image at every pixel, or angles against wavelengths.
        return Layout("not understood", tuple(kept))
    letters = [axis.name.strip().lower()[-1:] for axis in signal.axes]
    order = (*_y_before_x(scan, roles), *_y_before_x(pattern, letters))
    return Layout("diffraction map", order)


def _layout_of_three(signal: RawSignal, kept: list[int], roles: list[str]) -> Layout:
    measured = [i for i in kept if roles[i] in _MEASURED]
    stacks = [i for i in kept if roles[i] == "stack"]
    counting = [i for i in kept if signal.axes[i].stored == "stack"]
    told = all(signal.axes[i].stored for i in kept)
    placed = {roles[i] for i in kept} >= {"y", "x"}
    others = [i for i in kept if roles[i] not in {"y", "x"}]
    if len(measured) == 1 and not stacks:
        return _map_layout(kept, measured[0], roles, roles[measured[0]])
    if len(measured) == 1 or len(measured) > 1 or len(stacks) > 1:
        return Layout("not understood", tuple(kept))
    if len(stacks) == 1:
        return _movie_layout(kept, stacks[0], roles)
    if told and len(counting) == 1:
        return _movie_layout(kept, counting[0], roles)
    if told and len(counting) == 2:
        (last,) = set(kept) - set(counting)
        return _map_layout(kept, last, roles, "channel")
    if placed and kept.index(others[0]) == 0:
        return _movie_layout(kept, others[0], roles)
    if placed and kept.index(others[0]) == 2:
        return _map_layout(kept, others[0], roles, "channel")
    return Layout("not understood" if placed else "movie or spectral map", tuple(kept), "channel")


def _map_layout(kept: list[int], channel: int, roles: list[str], dim: str) -> Layout:
    space = _y_before_x([i for i in kept if i != channel], roles)
    return Layout("spectral map", (*space, channel), dim)


def _movie_layout(kept: list[int], stack: int, roles: list[str]) -> Layout:
    return Layout("movie", (stack, *_y_before_x([i for i in kept if i != stack], roles)))


def _y_before_x(pair: list[int], roles: list[str]) -> tuple[int, ...]:
    first, second = pair
    return (second, first) if roles[first] == "x" and roles[second] == "y" else (first, second)
