"""Tables that adatom wrote as CSV or parquet, read back exactly; and parquet of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.errors import MissingExtraError
from adatom.io.guard import check_size, collected_chatter, read_error
from adatom.io.signals import RawFile, RawTable
from adatom.io.tables import name_and_unit
from adatom.schema import sites_from_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MARK: Final = "# adatom "
"""How the first line of a CSV that adatom wrote begins."""

_MAX_HEADER: Final = 2**26
_MAX_BYTES: Final = 2**31


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read a table with its types, units and attributes."""
    if key == "parquet":
        return RawFile(path, key, [_parquet(path)])
    described = _csv_description(path)
    return RawFile(path, key, [_written(path, described, _csv_columns(path, described))])


def _csv_description(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        line = file.readline(_MAX_HEADER)
    described: dict[str, Any] = json.loads(line.removeprefix(MARK))
    return described


def _csv_columns(path: Path, described: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    import pandas as pd

    if path.stat().st_size > _MAX_BYTES:
        reason = f"it is a text of {path.stat().st_size} bytes"
        raise read_error(path, reason, "Write large tables as nc or zarr")
    dtypes = {name: np.dtype(one["dtype"]) for name, one in described["columns"].items()}
    for dtype in dtypes.values():
        if dtype.kind not in "biufU" or dtype.itemsize > _MAX_HEADER:
            raise read_error(path, f"its header names the type {dtype}", "Write it again")
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    # Text is parsed as text: pandas would take "NA" for nothing, and "1" for a number.
    with collected_chatter():
        frame = pd.read_csv(
            path,
            sep=separator,
            skiprows=1,
            header=0,
            names=list(dtypes),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            encoding="utf-8",
        )
    columns = {}
    for name, dtype in dtypes.items():
        check_size(path, (len(frame),), dtype.itemsize, stored=path.stat().st_size)
        columns[name] = _typed(np.array(frame[name].tolist(), dtype=np.str_), dtype)
    return columns


def _typed(texts: NDArray[np.str_], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "b":
        return np.asarray(texts == "True")
    if dtype.kind == "U":
        # A name that somebody made longer by hand is kept whole.
        dtype = np.promote_types(texts.dtype, dtype)
    typed: NDArray[Any] = texts.astype(dtype)
    return typed


def _written(
    path: Path, described: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]
) -> RawTable:
    """Make the part that carries the table or sites as they were."""
    table = xr.Dataset(
        {
            name: ("row", values, described["columns"][name]["attrs"])
            for name, values in columns.items()
        },
        attrs=described["attrs"],
    )
    original = sites_from_table(table) if described["kind"] == "Sites" else table
    units = {str(name): str(one.attrs.get("units", "")) for name, one in table.items()}
    return RawTable(columns, units, path.stem, original=original)


def _parquet(path: Path) -> RawTable:
    """Read a parquet file: exactly if adatom wrote it, else its plain columns."""
    pyarrow = require_pyarrow("reading")
    file = pyarrow.ParquetFile(path)
    with file:
        names = list(file.schema_arrow.names)
        n_rows = int(file.metadata.num_rows)
        check_size(path, (n_rows, len(names)), 1, stored=path.stat().st_size)
        mark = (file.schema_arrow.metadata or {}).get(b"adatom")
        table = file.read()
    columns = {
        name: _plain_column(path, name, table.column(number).to_numpy())
        for number, name in enumerate(names)
    }
    if mark is None:
        parted = [name_and_unit(name) for name in names]
        units = {name: unit for name, unit in parted if unit}
        renamed = {name: columns[old] for (name, _), old in zip(parted, names, strict=True)}
        return RawTable(renamed, units, path.stem)
    described = json.loads(mark)
    typed = {
        name: columns[name].astype(np.dtype(one["dtype"]))
        for name, one in described["columns"].items()
    }
    return _written(path, described, typed)


def _plain_column(path: Path, name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind in "biuf":
        return values
    cells = values.tolist()
    if values.dtype.kind != "O" or not all(isinstance(one, str) or one is None for one in cells):
        reason = f"its column {name!r} holds neither numbers nor text"
        raise read_error(path, reason, "Leave it out, or make it numbers")
    return np.array(["" if one is None else one for one in cells], dtype=np.str_)


def require_pyarrow(what: str, /) -> Any:  # noqa: ANN401 -- a module loaded late
    """Give ``pyarrow.parquet``, or say how to install it."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        msg = f"{what} parquet needs pyarrow: install it with pip install 'adatom[parquet]'"
        raise MissingExtraError(msg) from error
    return parquet
