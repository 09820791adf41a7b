"""Tables in text files: CSV, TSV and columns parted by blanks."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.boxes import is_via_table, table_from_via_rows, with_centers
from adatom.io.guard import collected_chatter, read_error
from adatom.io.signals import RawFile, RawTable
from adatom.io.tables import name_and_unit

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

_MAX_BYTES: Final = 500 * 2**20
_MAX_TEXT_BYTES: Final = 256 * 2**20
_MAX_FIELDS: Final = 10_000
_SAMPLE_LINES: Final = 50
_MAX_LINE: Final = 2**20

_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_DECIMAL_POINT: Final = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?")

# TrackMate writes three more lines of headers: long names, short names, units.
_TRACKMATE_HEADER_LINES: Final = 4
# Names in exports of tracking programs -> names of the house.
_ALIASES: Final = {
    "POSITION_X": "x",
    "POSITION_Y": "y",
    "POSITION_Z": "z",
    "POSITION_T": "time",
    "FRAME": "frame",
    "TRACK_ID": "track",
    "RADIUS": "radius",
    "X": "x",
    "Y": "y",
    "particle": "track",
    "track_id": "track",
}


@dataclass(frozen=True)
class _Text:
    """How a table of text is written.

    Attributes
    ----------
    encoding : str
        Of the file.
    separator : str
        Between fields; a blank stands for any run of blanks.
    decimal : str
        Point or comma.
    skipped : tuple of int
        Numbers of the lines that are comments or empty.
    comments : tuple of str
        The first comments.
    fields : tuple of int
        Fewest and most fields of a line.
    rows : int
        Lines with fields.
    first : tuple of tuple of str
        Fields of the first lines.
    """

    encoding: str
    separator: str
    decimal: str
    skipped: tuple[int, ...]
    comments: tuple[str, ...]
    fields: tuple[int, int]
    rows: int
    first: tuple[tuple[str, ...], ...]


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read a table of text, whoever wrote it."""
    if path.stat().st_size > _MAX_BYTES:
        reason = f"it is a text of {path.stat().st_size} bytes"
        raise read_error(path, reason, f"Split it into files of {_MAX_BYTES} bytes or less")
    text = _surveyed(path)
    _require_table(path, text)
    names, header_lines, units, notes = _header(text)
    frame = _parsed(path, text, len(names), header_lines)
    if not any(names):
        names = [f"column_{number}" for number in range(len(names))]
    columns = {name: _values(path, frame[number]) for number, name in enumerate(_distinct(names))}
    if text.fields[0] != text.fields[1]:
        low, high = text.fields
        notes.append(f"lines have {low} to {high} fields: what a line lacks is empty or NaN")
    metadata: dict[str, Any] = {"comments": list(text.comments)} if text.comments else {}
    table = RawTable(columns, units, path.stem, metadata, tuple(notes))
    table = table_from_via_rows(path, table) if is_via_table(table) else with_centers(table)
    return RawFile(path, key, [table])


def _require_table(path: Path, text: _Text) -> None:
    """Refuse reports and headers of instruments, whose lines only look like columns."""
    if path.suffix.lower() not in {".txt", ".dat"}:
        return
    low, high = text.fields
    if low != high:
        reason = f"it is a text whose lines have {low} to {high} fields, which is no table"
        raise read_error(path, reason, "Cut it down to the table, or save it as csv")
    if not any(_is_number(field, text.decimal) for row in text.first for field in row):
        reason = f"it is a text without a number in its first {len(text.first)} lines"
        raise read_error(path, reason, "Give the file of the measurement, or save it as csv")


def _surveyed(path: Path) -> _Text:
    """Go through the lines once, keeping none of them."""
    encoding = _encoding(path)
    sample = list(islice((line for _, line in _lines(path, encoding, [], [])), _SAMPLE_LINES))
    if not sample:
        raise read_error(path, "it holds no lines but comments", "Check how it was saved")
    separator = _separator(sample)
    skipped: list[int] = []
    comments: list[str] = []
    counts = [_MAX_FIELDS, 0]
    first: list[tuple[str, ...]] = []
    rows = 0
    for fields in _split(
        (line for _, line in _lines(path, encoding, skipped, comments)), separator
    ):
        rows += 1
        counts = [min(counts[0], len(fields)), max(counts[1], len(fields))]
        if counts[1] > _MAX_FIELDS:
            raise read_error(path, f"a line has {len(fields)} fields", "Check that it is a table")
        if len(first) < _SAMPLE_LINES:
            first.append(tuple(fields))
    decimal = _decimal(separator, first)
    return _Text(
        encoding, separator, decimal, tuple(skipped), tuple(comments), (counts[0], counts[1]),
        rows, tuple(first),
    )  # fmt: skip


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        if b"\0" in head:
            raise read_error(path, "it is not text", "Give it the ending of its format")
        file.seek(0)
        for line in file:
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                # In latin-1 every byte is a letter: instruments of before Unicode.
                return "latin-1"
    return "utf-8-sig"


def _lines(
    path: Path, encoding: str, skipped: list[int], comments: list[str]
) -> Iterator[tuple[int, str]]:
    """Give the lines that are no comments, with their numbers."""
    with path.open(encoding=encoding, newline="") as file:
        number = -1
        while line := file.readline(_MAX_LINE):
            number += 1
            if len(line) == _MAX_LINE:
                reason = f"a line has more than {_MAX_LINE} characters"
                raise read_error(path, reason, "Check that it is a table")
            if "\0" in line:
                raise read_error(path, "it is not text", "Give it the ending of its format")
            if not line.strip() or line.startswith("#"):
                skipped.append(number)
                if line.strip() and len(comments) < _SAMPLE_LINES:
                    comments.append(line.lstrip("#").strip()[:300])
                continue
            yield number, line


def _separator(sample: Sequence[str]) -> str:
    """Choose what parts the fields: the surest mark that most lines have."""
    for mark in ("\t", ";", ","):
        if sum(mark in line for line in sample) * 2 > len(sample):
            return mark
    return " "


def _split(lines: Iterator[str], separator: str) -> Iterator[list[str]]:
    if separator == " ":
        return (line.split() for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _decimal(separator: str, rows: Sequence[tuple[str, ...]]) -> str:
    fields = [field.strip() for row in rows for field in row]
    comma = any(_DECIMAL_COMMA.fullmatch(field) for field in fields)
    point = any(_DECIMAL_POINT.fullmatch(field) for field in fields)
    return "," if separator != "," and comma and not point else "."


def _header(text: _Text) -> tuple[list[str], int, dict[str, str], list[str]]:
    """Give names of the columns, the lines that they take, units and notes."""
    n_columns = text.fields[1]
    notes: list[str] = []
    if _is_trackmate(text):
        return *_trackmate_header(text), notes
    raw_names: Sequence[str] = ()
    lines = 0
    if not any(_is_number(field, text.decimal) for field in text.first[0]):
        raw_names, lines = text.first[0], 1
    elif text.comments:
        # NumPy writes the names of columns as a comment.
        last = next(_split(iter([text.comments[-1]]), text.separator), [])
        if len(last) == n_columns and not any(_is_number(one, text.decimal) for one in last):
            raw_names = last
            notes.append("names of columns were taken from the comment above them")
    if not raw_names:
        notes.append("it does not name its columns")
    parted = [name_and_unit(name) for name in raw_names]
    names = [_ALIASES.get(name, name) for name, _ in parted]
    # An alias must not take the place of a column that has the name already.
    if len(set(names)) != len(names):
        names = [name for name, _ in parted]
    names += [""] * (n_columns - len(names))
    units = {name: unit for name, (_, unit) in zip(names, parted) if unit}
    return names, lines, units, notes


def _is_trackmate(text: _Text) -> bool:
    return len(text.first) >= _TRACKMATE_HEADER_LINES and {"LABEL", "ID", "POSITION_X"} <= set(
        text.first[0]
    )


def _trackmate_header(text: _Text) -> tuple[list[str], int, dict[str, str]]:
    names = [_ALIASES.get(name, name.lower()) for name in text.first[0]]
    names += [""] * (text.fields[1] - len(names))
    first_number = text.first[1][1] if len(text.first[1]) > 1 else ""
    if _is_number(first_number, "."):
        # Older versions write one line of headers only.
        return names, 1, {}
    given = text.first[3]
    units = {name: one.strip().strip("()") for name, one in zip(names, given) if one.strip("() ")}
    return names, _TRACKMATE_HEADER_LINES, units


def _is_number(field: str, decimal: str) -> bool:
    text = field.strip()
    try:
        float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return False
    return True


def _parsed(path: Path, text: _Text, n_columns: int, header_lines: int) -> pd.DataFrame:
    import pandas as pd

    kept = _header_line_numbers(path, text, header_lines)
    # Newer versions of pandas are exact by themselves, and say so.
    with collected_chatter():
        return pd.read_csv(
            path,
            sep=r"\s+" if text.separator == " " else text.separator,
            decimal=text.decimal,
            encoding=text.encoding,
            skiprows=[*text.skipped, *kept],
            header=None,
            names=list(range(n_columns)),
            index_col=False,
            skipinitialspace=True,
            keep_default_na=False,
            na_values=["", "nan", "NaN", "NAN"],
            float_precision="round_trip",
            low_memory=False,
        )


def _header_line_numbers(path: Path, text: _Text, header_lines: int) -> list[int]:
    lines = _lines(path, text.encoding, [], [])
    return [number for number, _ in islice(lines, header_lines)]


def _distinct(names: Sequence[str]) -> list[str]:
    """Give every column a name of its own."""
    found: list[str] = []
    for number, name in enumerate(names):
        wanted = name or f"column_{number}"
        found.append(wanted if wanted not in found else f"{wanted}_{number}")
    return found


def _values(path: Path, column: pd.Series[Any]) -> NDArray[Any]:
    if column.dtype.kind in "biuf":
        return column.to_numpy()
    if not len(column):
        return np.empty(0)
    cells = ["" if cell != cell else str(cell) for cell in column.tolist()]
    # Text of numpy takes the room of its longest entry in every row.
    needed = 4 * len(cells) * max(map(len, cells), default=0)
    if needed > _MAX_TEXT_BYTES:
        reason = f"a column of text would take {needed} bytes"
        raise read_error(path, reason, "Leave columns of long text out of it")
    return np.array(cells, dtype=np.str_)
