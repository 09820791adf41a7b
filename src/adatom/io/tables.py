"""From tables of a file to sites and tables, in the units of the house."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.errors import SettingError, UnitError
from adatom.io.guard import check_size, read_error
from adatom.io.layout import axis_unit
from adatom.io.signals import RawAxis, RawPeaks, RawSignal, RawTable
from adatom.schema import SITES, TABLE, Sites, Table, table_from_sites
from adatom.units import LENGTH, SPACE_UNITS, Length, house_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.io.signals import RawFile, RawPart

# Lengths that follow the unit of the positions if they have none of their own.
_LENGTHS: Final = {"y", "x", "z", "height", "width", "radius"}
# These say which one a site belongs to, and so are whole numbers along with the places.
_COORDINATES: Final = {"y", "x", "frame", "track"}
_WHOLE: Final = {"frame", "track", "class", "label", "sublattice"}

_BRACKETS: Final = re.compile(r"^(?P<name>.+?)\s*\[(?P<unit>[^\[\]]*)\]$")
_ROUND: Final = re.compile(r"^(?P<name>.+?)\s*\((?P<unit>[^()]*)\)$")
_INDEX: Final = re.compile(r"\s*\d+(\s*,\s*\d+)*\s*")


def name_and_unit(header: str, /) -> tuple[str, str]:
    """Part the header of a column into a name and a unit.

    Examples
    --------
    >>> name_and_unit("y [nm]"), name_and_unit("Height (um)"), name_and_unit("Bias (first)")
    (('y', 'nm'), ('Height', 'um'), ('Bias (first)', ''))
    """
    text = header.strip()
    square = _BRACKETS.match(text)
    # Of "vector[0, 1]" the brackets hold an index.
    if square and not _INDEX.fullmatch(square["unit"]):
        return square["name"], square["unit"].strip()
    rounded = _ROUND.match(text)
    if rounded and (rounded["unit"].strip() == "%" or _is_unit(rounded["unit"])):
        return rounded["name"], rounded["unit"].strip()
    return text, ""


def _is_unit(text: str) -> bool:
    try:
        house_unit(text)
    except UnitError:
        return False
    return bool(text.strip())


@dataclass
class _Column:
    """A column on its way into a table."""

    values: NDArray[Any]
    unit: str = ""


def table_from_part(raw: RawFile, part: RawPart, /) -> Table:
    """Make a table of a part of a file: its columns, or every peak of its spectra."""
    if isinstance(part, RawPeaks):
        from adatom.io.peaks import table_from_peaks

        return table_from_peaks(raw, part)
    if not isinstance(part, RawTable):
        reason = f"its part {part.name!r} is no table"
        raise read_error(raw.path, reason, "Read it with read_data")
    if part.original is not None:
        written: Table = part.original
        return table_from_sites(written) if SITES.fits(written) else written
    notes = list(part.notes)
    columns = {
        _not_a_dim(name, notes): _in_house_unit(
            name, _Column(values, part.units.get(name, "")), notes
        )
        for name, values in _columns(raw, part).items()
    }
    table = xr.Dataset(
        {
            name: ("row", column.values, {"units": column.unit} if column.unit else {})
            for name, column in columns.items()
        },
        attrs=_attributes(raw, part, notes),
    )
    TABLE.check(table, name=f"{raw.path.name!r}")
    return table


def _not_a_dim(name: str, notes: list[str]) -> str:
    """Rename a column called as the rows of a table are, which would become their index."""
    if name != "row":
        return name
    notes.append("the column 'row' is called 'row_number', since rows of a table are along 'row'")
    return "row_number"


def sites_from_part(
    raw: RawFile, part: RawPart, /, *, columns: str | None, pixel_size: Length | None
) -> Sites:
    """Make sites of a table, or of an array whose columns are named by hand."""
    table = _table_of_array(raw, part, columns) if isinstance(part, RawSignal) else part
    if not isinstance(table, RawTable):
        reason = f"its part {part.name!r} is no table"
        raise read_error(raw.path, reason, "Read it with read_data")
    if columns is not None and table is part:
        table = _renamed(raw, table, columns)
    if table.original is not None and SITES.fits(table.original):
        written: Sites = table.original
        if columns is None and pixel_size is None:
            return written
    notes = list(table.notes)
    given = {
        name: _Column(values, table.units.get(name, ""))
        for name, values in _columns(raw, table).items()
    }
    _require_positions(raw, given)
    unit = _space_unit(raw, given, notes, pixel_size)
    found = {
        name: column if name in _LENGTHS else _in_house_unit(name, column, notes)
        for name, column in given.items()
    }
    if pixel_size is not None:
        unit = _scale_pixels(found, pixel_size, notes)
    return _sites(raw, table, found, unit, notes)


def _columns(raw: RawFile, part: RawTable) -> dict[str, NDArray[Any]]:
    columns = {name: np.asarray(values) for name, values in part.columns.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        reason = f"its columns have {', '.join(map(str, sorted(lengths)))} rows"
        raise read_error(raw.path, reason, "The file may be damaged: copy it again")
    return columns


def _table_of_array(raw: RawFile, signal: RawSignal, columns: str | None) -> RawTable:
    """Take the columns of an array (site, column) apart."""
    names = _names(columns or "")
    shape = tuple(signal.values.shape)
    if columns is None or len(shape) != 2 or shape[1] != len(names):
        reason = f"its array {signal.name!r} has shape {shape}, {columns=} names {len(names)}"
        raise read_error(raw.path, reason, 'Name every column of an array (site, column): "y, x"')
    if raw.path.is_file():
        stored = raw.path.stat().st_size
        check_size(raw.path, shape, signal.dtype.itemsize, stored=stored)
    values = signal.values
    array = np.array(values.compute() if hasattr(values, "compute") else values[...])
    parted = {
        name: _number_or_text(array[:, number]) for number, (name, _) in enumerate(names) if name
    }
    units = {name: unit for name, unit in names if name and unit}
    return RawTable(parted, units, signal.name, signal.metadata, signal.notes, signal.preferred)


def _names(columns: str) -> list[tuple[str, str]]:
    """Part "y [nm], x [nm], _" into names and units; a column left out has no name."""
    parts = [name_and_unit(part) for part in columns.split(",")]
    names = [name for name, _ in parts if name != "_"]
    if "" in names or len(set(names)) != len(names):
        msg = f'{columns=} must name every column once, such as "y, x" or "x, y, species, _"'
        raise SettingError(msg)
    return [("" if name == "_" else name, unit) for name, unit in parts]


def _number_or_text(values: NDArray[Any]) -> NDArray[Any]:
    """Give numbers of text that spells them, text of bytes."""
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "U":
        try:
            return values.astype(float)
        except ValueError:
            return values
    return values


def _renamed(raw: RawFile, part: RawTable, columns: str) -> RawTable:
    names = _names(columns)
    if len(names) != len(part.columns):
        reason = f"{columns=} names {len(names)} columns, it has {len(part.columns)}"
        remedy = f'Name them all, "_" for those to leave out: it has {", ".join(part.columns)}'
        raise read_error(raw.path, reason, remedy)
    renamed = {
        name: values for (name, _), values in zip(names, part.columns.values(), strict=True) if name
    }
    units = {
        name: unit or part.units.get(old, "")
        for (name, unit), old in zip(names, part.columns, strict=True)
        if name
    }
    return replace(part, columns=renamed, units=units)


def _require_positions(raw: RawFile, columns: Mapping[str, _Column]) -> None:
    missing = [name for name in ("y", "x") if name not in columns]
    remedy = 'Say what its columns are, such as columns="y, x, score"'
    if missing:
        reason = f"it names no column {' or '.join(missing)}, but {', '.join(columns) or 'none'}"
        raise read_error(raw.path, reason, remedy)
    for name in ("y", "x"):
        if columns[name].values.dtype.kind not in "iuf":
            reason = f"its column {name!r} holds {columns[name].values.dtype}, not numbers"
            raise read_error(raw.path, reason, remedy)


def _in_house_unit(name: str, column: _Column, notes: list[str]) -> _Column:
    """Convert numbers of a known unit; text and unknown units stay as they are."""
    values, text = column.values, column.unit.strip()
    if not text or values.dtype.kind not in "iuf":
        return _Column(values, text)
    try:
        unit, factor = house_unit(text)
    except UnitError:
        notes.append(f"the unit {text!r} of column {name!r} is not known")
        unit, factor = text, 1.0
    # What has a unit was measured: no whole numbers, whatever the rows at hand are.
    return _Column(values * factor if factor != 1.0 else values.astype(float, copy=False), unit)


def _space_unit(
    raw: RawFile, columns: dict[str, _Column], notes: list[str], pixel_size: Length | None
) -> str:
    """Bring all lengths into one unit of space and name it."""
    units = {name: axis_unit(RawAxis(name, columns[name].unit)) for name in ("y", "x")}
    for name, (unit, _) in units.items():
        text = columns[name].unit.strip()
        if text and unit not in SPACE_UNITS:
            notes.append(f"{name} is in {text!r}, which is no length: positions are in px")
    lengths = {unit if unit in SPACE_UNITS else "px" for unit, _ in units.values()}
    if len(lengths) > 1 and "px" in lengths:
        reason = f"y is in {columns['y'].unit or 'px'}, x in {columns['x'].unit or 'px'}"
        raise read_error(raw.path, reason, "Give both the same unit in the header of the columns")
    house = lengths.pop() if len(lengths) == 1 else "nm"
    if house == "px" and not any(columns[name].unit for name in ("y", "x")) and pixel_size is None:
        notes.append('positions have no unit: they were taken as px, pixel_size="... nm" sets one')
    default = columns["x"].unit if house != "px" else "px"
    for name in _LENGTHS & set(columns):
        columns[name] = _as_length(columns[name], house, default)
    return house


def _as_length(column: _Column, house: str, default: str) -> _Column:
    unit, factor = axis_unit(RawAxis("x", column.unit or default))
    if column.values.dtype.kind not in "iuf":
        return column
    if unit != house and {unit, house} == {"nm", "mm"}:
        factor *= 1e6 if house == "nm" else 1e-6
    return _Column(column.values.astype(float) * factor, house)


def _scale_pixels(columns: dict[str, _Column], pixel_size: Length, notes: list[str]) -> str:
    """Turn everything that is in px into lengths."""
    step, unit = LENGTH.check(pixel_size, name="pixel_size")
    was = columns["y"].unit
    if unit not in SPACE_UNITS or not step > 0:
        msg = f'{pixel_size=} must be a positive length in {", ".join(SPACE_UNITS)}: "0.02 nm"'
        raise UnitError(msg)
    if was != "px":
        msg = f"{pixel_size=} was given, but positions are in {was} already: leave pixel_size out"
        raise SettingError(msg)
    for name, column in columns.items():
        if column.unit == "px" and column.values.dtype.kind in "iuf":
            columns[name] = _Column(column.values * step, unit)
    notes.append(f"pixel_size={pixel_size!r} was set by hand; the file has positions in px")
    return unit


def _sites(
    raw: RawFile, part: RawTable, columns: dict[str, _Column], unit: str, notes: list[str]
) -> Sites:
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    for name, column in columns.items():
        values = _whole(column.values) if name in _WHOLE else column.values
        attrs = {"units": unit if name in _LENGTHS else column.unit}
        place = coords if name in _COORDINATES else variables
        place[name] = ("site", values, attrs if attrs["units"] else {})
    # A dimension and a variable of one name cannot live together.
    if "site" in variables:
        variables["site_number"] = variables.pop("site")
        notes.append("the column 'site' is called site_number here")
    sites = xr.Dataset(variables, coords=coords, attrs=_attributes(raw, part, notes))
    SITES.check(sites, name=f"{raw.path.name!r}")
    return sites


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Give whole numbers, -1 where there is none, if they are whole."""
    if values.dtype.kind != "f":
        return values.astype(np.int64) if values.dtype.kind in "iu" else values
    known = np.isfinite(values)
    if (
        not (values[known] == np.round(values[known])).all()
        or (np.abs(values[known]) > 2**53).any()
    ):
        return values
    return np.where(known, values, -1.0).astype(np.int64)


def _attributes(raw: RawFile, part: RawTable, notes: list[str]) -> dict[str, Any]:
    attrs: dict[str, Any] = {"source": raw.path.name}
    if len(raw.parts) > 1:
        attrs["dataset"] = part.name
    attrs.update(part.metadata)
    if notes:
        attrs["notes"] = list(dict.fromkeys(notes))
    return attrs
