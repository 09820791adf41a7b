"""Every file of the shared data opens as what the catalogue says, or is refused rightly."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from catalogue_truth import EXPECTED, Opens, Refused

from adatom.errors import ReadError
from adatom.io import read_contents, read_data
from adatom.schema import STRUCTURE, kind_of_data, notes

DATA = Path(os.environ.get("ADATOM_DATA", ""))

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

FILES = [
    file.relative_to(DATA).as_posix()
    for folder in ("imaging", "spectral")
    for file in sorted((DATA / folder).rglob("*"))
    if os.environ.get("ADATOM_DATA") and file.is_file()
]


def _expected(path: str) -> Opens | Refused:
    for one in EXPECTED:
        if fnmatch(path, one.pattern):
            return one
    pytest.fail(f"nothing is expected of {path}: add what the catalogue says of it")


def test_all_of_the_catalogue_is_there() -> None:
    assert len(FILES) == 510
    unused = [one.pattern for one in EXPECTED if not any(fnmatch(f, one.pattern) for f in FILES)]
    assert unused == []


@pytest.mark.parametrize("path", FILES)
def test_a_file_opens_as_the_catalogue_says_or_is_refused_rightly(path: str) -> None:
    expected = _expected(path)
    if isinstance(expected, Refused):
        for read in (read_data, read_contents):
            with pytest.raises(ReadError, match=expected.reason):
                read(DATA / path)
        return
    data = expected.reader(DATA / path, **expected.settings)
    assert kind_of_data(data) is expected.kind
    if expected.kind is STRUCTURE:
        assert len(data) == expected.sizes.get("atom", len(data))
        return
    assert {dim: data.sizes[dim] for dim in expected.sizes} == expected.sizes
    _check_axes(data, expected)
    json.dumps(data.attrs)
    if isinstance(data, xr.DataArray):
        assert expected.dtype in {"", data.dtype.name}
        assert np.isfinite(np.asarray(data[-1], float)).any()
    assert read_contents(DATA / path).sizes["row"] > 0


def _check_axes(data: Any, expected: Opens) -> None:
    for dim, (first, last, unit) in expected.ends.items():
        axis = data.coords[dim]
        assert axis.attrs["units"] == unit, dim
        # Figures of the catalogue have three digits.
        tolerance = 6e-3 * max(abs(first), abs(last), 1e-3)
        assert axis.values[[0, -1]] == pytest.approx([first, last], abs=tolerance), dim


def test_of_64_point_measurements_those_with_values_are_read_and_the_others_named() -> None:
    path = DATA / "spectral/omicron_stm/OmicronPerseiReader.zip"
    table = read_contents(path)
    rows = zip(table["name"].values, table["shape"].values, strict=True)
    current = [str(shape) for name, shape in rows if str(name).startswith("Current, ")]
    # Eleven of the 64 files end with the names of their columns.
    assert sum(int(shape.partition(" x ")[0]) for shape in current) == 64 - 11
    (left_out,) = (note for note in notes(read_data(path)) if "without a value" in note)
    assert left_out.startswith("11 measurements without a value were left out: ")
    assert "Z-Spectroscopy047" in left_out
