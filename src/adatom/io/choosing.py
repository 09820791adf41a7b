"""Which part of a file is read: the only one of its kind, a preferred one, or the one asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from adatom.errors import ReadError
from adatom.io.calibration import pair_of_steps
from adatom.io.guard import check_plain, read_error
from adatom.io.layout import Layout, layout_of_signal, spectra_layout
from adatom.io.signals import (
    RawAxis,
    RawCurves,
    RawPart,
    RawPeaks,
    RawSignal,
    RawStructure,
    RawTable,
)

if TYPE_CHECKING:
    from adatom.io.signals import RawFile

EITHER: Final = "movie or spectral map"
_LONGEST_LIST: Final = 240


def natural_layout(signal: RawSignal, /) -> Layout:
    """Find what a dataset is when nothing in particular is asked for."""
    if signal.original is not None:
        # What adatom wrote is what it was: a movie of one frame stays a movie.
        return layout_of_signal(signal, ndim=signal.original.ndim)
    layout = layout_of_signal(signal, ndim=2)
    return layout if layout.kind != "not understood" else layout_of_signal(signal, ndim=3)


def kind_of_part(part: RawPart, /) -> str:
    """Name what a part of a file is read as if nothing in particular is asked for."""
    if isinstance(part, RawSignal):
        kind = natural_layout(part).kind
        return f"color {kind}" if part.colors else kind
    if isinstance(part, RawTable):
        return "sites" if {"y", "x"} <= set(part.columns) else "table"
    if isinstance(part, RawPeaks):
        return "spectra" if part.grid is None else "spectral map"
    return "force curves" if isinstance(part, RawCurves) else "structure"


def kinds_of_part(part: RawPart, /) -> set[str]:
    """Name everything that a part can be read as; (1, y, x) is an image and a movie."""
    if isinstance(part, RawSignal):
        kinds = {str(layout_of_signal(part, ndim=ndim).kind) for ndim in (2, 3)}
        return kinds | {str(spectra_layout(part).kind)}
    return {kind_of_part(part)} | ({"table"} if isinstance(part, RawTable | RawPeaks) else set())


def chosen_part(raw: RawFile, dataset: str | None, kinds: tuple[str, ...], /) -> RawPart:
    """Choose the part that is asked for, or the only or preferred one of the kind.

    Raises
    ------
    ReadError
        If none is of the kind, or several are; the text lists them.
    """
    if dataset is not None:
        part = part_of_name(raw, dataset)
        if not kinds_of_part(part) & set(kinds):
            raise _wrong_kind(raw, [part], kinds)
        return part
    fitting = [part for part in raw.parts if kinds_of_part(part) & set(kinds)]
    natural = [part for part in fitting if kind_of_part(part).removeprefix("color ") in kinds]
    if not fitting:
        raise _wrong_kind(raw, list(raw.parts), kinds)
    return _only_one(raw, natural or fitting)


def chosen_signal(raw: RawFile, dataset: str | None, kinds: tuple[str, ...], /) -> RawSignal:
    """Choose a dataset of numbers on axes, as of `chosen_part`."""
    part = chosen_part(raw, dataset, kinds)
    if not isinstance(part, RawSignal):
        raise _wrong_kind(raw, [part], kinds)
    return part


def _only_one(raw: RawFile, fitting: Sequence[RawPart]) -> RawPart:
    if len(fitting) == 1:
        return fitting[0]
    preferred = [part for part in fitting if part.preferred]
    if len(preferred) == 1:
        note = f"{preferred[0].preferred}; dataset= reads the others: {_names(raw, preferred[0])}"
        return replace(preferred[0], notes=(*preferred[0].notes, note))
    pictures = [part for part in fitting if not isinstance(part, RawSignal) or _is_picture(part)]
    if len(pictures) == 1:
        others = ", ".join(repr(part.name) for part in fitting if part is not pictures[0])
        note = f"{pictures[0].name!r} was read; {others} of the same file are columns of numbers"
        return replace(pictures[0], notes=(*pictures[0].notes, note))
    same = " of this kind" if len({kind_of_part(part) for part in fitting}) == 1 else ""
    reason = f"it holds {len(fitting)} datasets{same}:\n{listed(raw, fitting)}\n"
    likely = (pictures or fitting)[0].name
    raise read_error(raw.path, reason, f"Choose one, such as dataset={likely!r}")


def _names(raw: RawFile, chosen: RawPart) -> str:
    others = [repr(part.name) for part in raw.parts if part is not chosen]
    # A note is read in a line or two: long names are few.
    lengths = accumulate(len(name) + 2 for name in others)
    shown = max(1, sum(length <= _LONGEST_LIST for length in lengths))
    more = f" and {len(others) - shown} more" if len(others) > shown else ""
    return ", ".join(others[:shown]) + more


def _is_picture(signal: RawSignal) -> bool:
    """Tell a picture from coordinates and the like, which come as two to four columns."""
    named = any(axis.name or axis.unit for axis in signal.axes)
    rows, *columns = signal.shape
    return named or signal.colors != () or len(columns) != 1 or columns[0] > 4 or rows == columns[0]


def part_of_name(raw: RawFile, dataset: str, /) -> RawPart:
    """Give the part of a name, or of a number as text."""
    for part in raw.parts:
        if part.name == dataset:
            return part
    if dataset.strip().isdecimal() and int(dataset) < len(raw.parts):
        return raw.parts[int(dataset)]
    reason = f"it holds no {dataset=}, but\n{listed(raw, list(raw.parts))}\n"
    raise read_error(raw.path, reason, "Choose one by name or number")


def listed(raw: RawFile, parts: Sequence[RawPart], /) -> str:
    """Write one line a part, for messages."""
    lines = []
    for part in parts[:20]:
        row = row_of_part(part)
        number = next(i for i, other in enumerate(raw.parts) if other is part)
        axes = f", axes {row['axes']}" if row["axes"] else ""
        units = f" [{row['units']}]" if row["units"].strip(", ") else ""
        what = f"{row['kind']}, {row['shape']} {row['dtype']}".rstrip()
        lines.append(f"  {number}: {part.name!r}, {what}{axes}{units}")
    if len(parts) > 20:
        lines.append(f"  and {len(parts) - 20} more")
    return "\n".join(lines)


_READERS: Final = {
    "image": "read_image",
    "movie": "read_movie, or one frame of it with read_image(..., frame=0)",
    "spectral map": "read_spectral_map",
    EITHER: "read_movie, read_image(..., frame=0) or read_spectral_map",
    "spectra": "read_spectra",
    "diffraction map": "read_diffraction_map",
    "force curves": "read_force_curves",
    "sites": "read_sites",
    "table": "read_table",
    "structure": "read_structure",
}


def _wrong_kind(raw: RawFile, parts: Sequence[RawPart], kinds: tuple[str, ...]) -> ReadError:
    signals = [part for part in parts if isinstance(part, RawSignal)]
    if signals and all(layout_of_signal(s).kind == "not numbers" for s in signals):
        check_plain(raw.path, signals[0].dtype)
    found = [kind_of_part(part).removeprefix("color ") for part in parts]
    reason = f"it holds no {kinds[0]}, but\n{listed(raw, parts)}\n"
    readers = dict.fromkeys(_READERS[kind] for kind in found if kind in _READERS)
    beside = f"name them in {raw.path.name}.json beside it"
    otherwise = _setting_for(kinds[0], signals) or f"if its axes are something else, {beside}"
    if not readers:
        remedy = f"What its axes stand for is not told: {beside}"
    else:
        remedy = f"Read it with {', or '.join(readers)}" + (f"; {otherwise}" if signals else "")
    return read_error(raw.path, reason, remedy)


def _setting_for(kind: str, signals: Sequence[RawSignal]) -> str:
    """Name the setting by which a plain matrix is read as what it does not say to be."""
    matrices = [one for one in signals if len(one.shape) == 2 and not one.colors]
    if kind == "sites" and any(not _is_picture(one) for one in matrices):
        return 'if its rows are sites, say what the columns are, such as columns="x, y"'
    rows = [one for one in matrices if one.places is None and one.axes[0].unit == ""]
    if kind == "spectral map" and any("spectra" in kinds_of_part(one) for one in rows):
        return 'to fold its spectra into a map, say grid="40 x 50 column-major" or row-major'
    return ""


def row_of_part(part: RawPart, /) -> dict[str, str]:
    """Tell of a part in words, for `read_contents` and messages."""
    row = {"name": part.name, "kind": kind_of_part(part), "shape": "", "dtype": "", "axes": ""}
    row |= {"units": "", "scale": "", "pixel_size": ""}
    if isinstance(part, RawSignal):
        return row | _row_of_signal(part)
    if isinstance(part, RawPeaks):
        grid = "" if part.grid is None else f"{part.grid[0]} x {part.grid[1]} x "
        return row | {
            "shape": f"{grid}{_range(part.lengths)} peaks",
            "axes": part.axis.name,
            "units": part.axis.unit,
        }
    if isinstance(part, RawCurves):
        n_curves, n_segments = part.lengths.shape
        return row | {
            "shape": f"{n_curves} x {n_segments} segments of {_range(part.lengths)}",
            "axes": ", ".join(part.channels),
            "units": ", ".join(part.channels.values()),
        }
    if isinstance(part, RawTable):
        n_rows = len(next(iter(part.columns.values()), ()))
        return row | {
            "shape": f"{n_rows} rows",
            "axes": ", ".join(part.columns),
            "units": ", ".join(part.units.get(name, "") for name in part.columns),
        }
    return row | {"shape": f"{len(part.atoms)} atoms", "axes": _formula(part)}


def _formula(part: RawStructure) -> str:
    return str(part.atoms.get_chemical_formula())  # type: ignore[no-untyped-call]


def _range(numbers: Any) -> str:  # noqa: ANN401 -- numpy
    low, high = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, 0)
    return str(low) if low == high else f"{low} to {high}"


def _row_of_signal(signal: RawSignal) -> dict[str, str]:
    return {
        "shape": " x ".join(map(str, signal.shape)),
        "dtype": str(signal.dtype),
        "axes": _joined([axis.name for axis in signal.axes]),
        "units": _joined([axis.unit for axis in signal.axes]),
        "scale": ", ".join(_scale(axis) for axis in signal.axes),
        "pixel_size": _pixel_size(signal, natural_layout(signal)),
    }


def _joined(texts: Sequence[str]) -> str:
    return ", ".join(texts) if any(texts) else ""


def _scale(axis: RawAxis) -> str:
    return f"{axis.scale:.6g}" if axis.values is None else "not uniform"


def _pixel_size(signal: RawSignal, layout: Layout) -> str:
    """Write the pixel size as it will be read."""
    first = {"image": 0, "movie": 1, "spectral map": 0, "diffraction map": 0}.get(layout.kind)
    if first is None:
        return ""
    pair = (signal.axes[i] for i in layout.order[first : first + 2])
    (y, y_unit), (x, x_unit) = pair_of_steps(*pair)
    if not y_unit or y_unit != x_unit:
        return "px"
    y, x = abs(y), abs(x)
    return f"{y:.6g} {y_unit}" if y == x else f"{y:.6g} x {x:.6g} {y_unit}"
