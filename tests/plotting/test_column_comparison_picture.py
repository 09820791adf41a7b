"""The picture of columns found over those of a structure."""

from __future__ import annotations

import numpy as np
import pytest

from adatom import plotting
from adatom.errors import KindError
from adatom.schema import Table, image_from_array, table_from_columns


def comparison() -> Table:
    rows: dict[str, list[float] | list[int] | list[str]] = {
        "state": ["matched", "not found", "not in the structure"],
        "content": ["Sr", "TiO", ""],
        "orbit": [0, 1, -1],
        "along_a": [0.0, 0.5, np.nan],
        "along_b": [0.0, 0.5, np.nan],
        "found_a": [0.02, np.nan, 0.3],
        "found_b": [0.0, np.nan, 0.7],
        "distance": [0.004, np.nan, np.nan],
        "distance_error": [0.001, np.nan, np.nan],
        "class": [1, -1, 0],
    }
    return table_from_columns(rows).assign_attrs(a=[0.0, 20.0], b=[30.0, 0.0])


def test_every_column_is_told_in_words() -> None:
    figure = plotting.plot(comparison())
    assert [text.get_text() for text in figure.texts] == [
        "a: Sr, 4.0 ± 1.0 pm, class 1",
        "b: TiO, not found",
        "x: not in the structure, class 0",
    ]


def test_the_mean_cell_lies_under_the_columns_that_were_found() -> None:
    table = comparison().isel(row=[0])
    y, x = np.mgrid[-40:41, -40:41]
    # One column a cell, off the middle of the mean cell.
    bright = np.cos(2 * np.pi * (y - 9) / 30) + np.cos(2 * np.pi * (x - 4) / 20)
    mean = image_from_array(bright)
    mean = mean.assign_coords(
        y=("y", np.arange(-40.0, 41.0), {"units": "px"}),
        x=("x", np.arange(-40.0, 41.0), {"units": "px"}),
    )
    (axes,) = plotting.plot_column_comparison(table, mean).axes
    picture = np.asarray(axes.images[0].get_array())
    left, right, bottom, top = axes.images[0].get_extent()
    rows = np.linspace(top, bottom, picture.shape[0])
    columns = np.linspace(left, right, picture.shape[1])
    middle = picture[np.abs(rows) < 10][:, np.abs(columns - 0.0) < 8]
    row, column = np.unravel_index(middle.argmax(), middle.shape)
    # Found at 0.02 of a, that is 0.4 px along x; the shift is found in steps of a 60th.
    assert abs(rows[np.abs(rows) < 10][row]) < 0.6
    assert abs(columns[np.abs(columns) < 8][column] - 0.4) < 0.6


def test_another_table_is_refused() -> None:
    with pytest.raises(KindError, match="need state, content, orbit"):
        plotting.plot_column_comparison(table_from_columns({"a": [1.0]}))
