"""The drift of frames, drawn."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import KindError
from adatom.plotting import plot, plot_drift
from adatom.schema import Table, table_from_columns


def shifts() -> Table:
    columns = {
        "frame": np.arange(4), "shift_y": [0.0, 1.0, np.nan, 2.0], "shift_x": [0.0, 0.5, np.nan, 1.0],
        "error_y": [0.1] * 4, "error_x": [0.1] * 4, "margin": [9.0, 1.0, np.nan, np.nan],
    }  # fmt: skip
    return table_from_columns(columns, units={"shift_y": "nm", "shift_x": "nm"})


def test_shifts_are_drawn_over_frames_and_as_a_path() -> None:
    figure = plot(shifts())
    left, right = figure.axes
    assert left.get_ylabel() == "shift since the first frame [nm]"
    # y points down, as in the image.
    low, high = right.get_ylim()
    assert low > high
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert "another shift fits nearly alike" in labels


def test_other_tables_are_refused() -> None:
    with pytest.raises(KindError, match="holds no shifts of frames"):
        plot_drift(table_from_columns({"frame": [0]}))
