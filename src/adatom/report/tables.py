"""Results as tables: some rows to read, all of them as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.plotting._colors import class_style
from adatom.plotting.feature_maps import SETS, feature_name
from adatom.report.domain_pictures import is_region
from adatom.report.words import class_counts, number_text
from adatom.schema import (
    CLASSES,
    FEATURES,
    SITES,
    TABLE,
    frame_from_table,
    table_from_columns,
    table_from_sites,
)

if TYPE_CHECKING:
    import pandas as pd

    from adatom.report.lineage import Result

MAX_ROWS: Final = 30
# A single row of more columns than this is read more easily down than across.
_MAX_ACROSS: Final = 6
# Sites are looked at in pictures; some rows show what is known of each.
_SITE_ROWS: Final = 8


@dataclass(frozen=True)
class ShownTable:
    """A table of a report.

    Attributes
    ----------
    columns : tuple of str
        With units.
    rows : tuple of tuple of str
        Those shown.
    n_rows : int
        In all.
    colors : tuple of str
        Of the rows of a table of classes, else empty.
    frame : DataFrame
        For the CSV, every row and digit.
    folded : bool
        Shown on a click only.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_rows: int
    frame: pd.DataFrame
    colors: tuple[str, ...] = ()
    folded: bool = False


def tables_of(result: Result, /) -> list[ShownTable]:
    """Make the tables of a result: of a table itself, of sites, of classes."""
    if result.kind is TABLE:
        frame = frame_from_table(result.value)
        return [_shown(result.name, frame, MAX_ROWS)]
    if result.kind is SITES:
        frame = frame_from_table(table_from_sites(result.value))
        return [
            _shown(f"{result.name}: every {_one_of(result.value)}", frame, _SITE_ROWS, folded=True)
        ]
    if is_region(result):
        # The table that comes with them says more.
        return []
    if result.kind is CLASSES and "n_classes" not in result.value["label"].dims:
        return [_class_table(result), *_member_table(result)]
    if result.kind is FEATURES and result.value.ndim == 2 and result.value.dims[-1] in SETS:
        return [_feature_table(result)]
    return []


def _one_of(sites: xr.Dataset) -> str:
    """Call sites what they are."""
    names = {"corner": "ring", "burgers_vector": "dislocation", "class_first": "vertex"}
    return next((name for variable, name in names.items() if variable in sites), "site")


def _feature_table(result: Result) -> ShownTable:
    """Give features that have names a column each, such as parameters of a fit."""
    features: xr.DataArray = result.value
    row = str(features.dims[0])
    columns: dict[str, Any] = {row: np.arange(len(features))}
    if row in features.coords:
        columns[row] = features.coords[row].values
    for number in range(features.shape[-1]):
        columns[feature_name(features, number)] = features[:, number].values
    frame = frame_from_table(table_from_columns(columns))
    return _shown(result.name, frame, MAX_ROWS, folded=len(frame) > MAX_ROWS)


def _shown(caption: str, frame: pd.DataFrame, limit: int, *, folded: bool = False) -> ShownTable:
    if len(frame) == 1 and len(frame.columns) > _MAX_ACROSS:
        only = [(str(name), number_text(frame[name].iloc[0])) for name in frame.columns]
        return ShownTable(caption, ("quantity", "value"), tuple(only), len(only), frame)
    head = frame.head(limit)
    rows = tuple(
        tuple(number_text(value) for value in row)
        for row in zip(*(head[name].to_numpy() for name in head.columns), strict=True)
    )
    return ShownTable(
        caption, tuple(map(str, frame.columns)), rows, len(frame), frame, folded=folded
    )


def _class_table(result: Result) -> ShownTable:
    members, unclassified = class_counts(result.value)
    total = sum(members.values()) + unclassified
    labels = [*members, *([-1] if unclassified else [])]
    styles = [class_style(label, result.value) for label in labels]
    counts = [*members.values(), *([unclassified] if unclassified else [])]
    columns: dict[str, Any] = {
        "class": [style.name for style in styles],
        "members": counts,
        "share [%]": [100 * count / total for count in counts],
    }
    if "probability" in result.value:
        columns["mean probability"] = [
            *_mean_probabilities(result.value, list(members)),
            *([np.nan] if unclassified else []),
        ]
    frame = frame_from_table(table_from_columns(columns))
    shown = _shown(f"{result.name}: members", frame, MAX_ROWS)
    colors = tuple(style.color for style in styles)
    return ShownTable(
        shown.caption, shown.columns, shown.rows, shown.n_rows, frame, colors[:MAX_ROWS]
    )


def _mean_probabilities(classes: xr.Dataset, labels: list[int]) -> list[float]:
    label = classes["label"].values
    best = classes["probability"].max("class").values
    return [float(np.mean(best[label == k])) for k in labels]


def _member_table(result: Result) -> list[ShownTable]:
    """List every member with its place, for classes of sites."""
    classes: xr.Dataset = result.value
    if classes["label"].dims != ("site",):
        return []
    flat = classes.drop_vars("class", errors="ignore").reset_coords()
    if "probability" in flat:
        flat["probability"] = ("site", classes["probability"].max("class").values)
    keep = [str(name) for name in flat.variables if flat[name].dims == ("site",)]
    order = [name for name in ("file", "frame", "y", "x", "label") if name in keep]
    columns = {name: flat[name] for name in [*order, *(n for n in keep if n not in order)]}
    table = table_from_columns(
        {name: column.values for name, column in columns.items()},
        units={
            name: str(column.attrs["units"])
            for name, column in columns.items()
            if "units" in column.attrs
        },
    )
    frame = frame_from_table(table)
    return [_shown(f"{result.name}: every member", frame, _SITE_ROWS, folded=True)]
