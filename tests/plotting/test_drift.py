"""The drift of frames, drawn."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import KindError
from adatom.plotting import plot, plot_drift
from adatom.schema import Table, table_from_columns


def shifts() -> Table:
    gone = np.nan
    columns = {
        "frame": [0.0, 1.0, 2.0, 3.0], "margin": [9.0, 1.0, gone, gone],
        "shift_y": [0.0, 1.0, gone, 2.0], "shift_x": [0.0, 0.5, gone, 1.0],
        "error_y": [0.1] * 4, "error_x": [0.1] * 4,
    }  # fmt: skip
    return table_from_columns(columns, units={"shift_y": "nm", "shift_x": "nm"})


def test_shifts_are_drawn_over_frames_and_as_a_path() -> None:
    figure = plot(shifts())
    left, right = figure.axes
    assert left.get_ylabel() == "shift since the first frame [nm]"
    # y points down, as in the image.
    low, high = right.get_ylim()
    assert low > high
    legend = left.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert "another shift fits nearly alike" in labels


def test_other_tables_are_refused() -> None:
    with pytest.raises(KindError, match="holds no shifts of frames"):
        plot_drift(table_from_columns({"frame": [0]}))
