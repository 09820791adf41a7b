"""Phasor plots and decays show what they were given, where it belongs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.lines import Line2D

from adatom.errors import KindError
from adatom.plotting import plot_decays, plot_phasors
from adatom.plotting._canvas import png_from_figure


def _phasors(points: object) -> xr.DataArray:
    return xr.DataArray(
        np.asarray(points, float), dims=("site", "phasor"), attrs={"angular_frequency": 0.5}
    )


def _points(line: Line2D) -> np.ndarray[Any, Any]:
    return np.asarray(line.get_xydata())


def _decays() -> xr.DataArray:
    time = ("time", np.arange(0.05, 10, 0.1), {"units": "ns"})
    rows = 1e4 * np.exp(-time[1] / np.array([[1.0], [3.0]]))
    coords = {"time": time, "count": ("class", [40, 60])}
    return xr.DataArray(rows, dims=("class", "time"), coords=coords)


def test_marked_lifetimes_lie_on_the_half_circle_and_mixtures_between() -> None:
    figure = plot_phasors(_phasors([[0.5, 0.5]]), lifetimes=(2.0, 6.0))
    axes = figure.axes[0]
    marks = [_points(line) for line in axes.lines if line.get_marker() == "o"][1:]
    assert marks[0][0] == pytest.approx([0.5, 0.5])
    assert marks[1][0] == pytest.approx([0.1, 0.3])
    dashed = [_points(line) for line in axes.lines if line.get_linestyle() == "--"]
    assert np.allclose(dashed, [[[0.5, 0.5], [0.1, 0.3]]])
    texts = {text.get_text() for text in axes.texts}
    assert {"2 ns", "6 ns"} <= texts


def test_outliers_are_told_and_colored_as_on_their_map() -> None:
    decays = _decays().assign_attrs(outlier_class=1)
    axes = plot_decays(decays).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "class 0: 40",
        "class 1 (outliers): 60",
    ]


def test_many_decays_are_counted_in_bins() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal([0.6, 0.4], 0.02, (5000, 2))
    points[:7] = np.nan
    figure = plot_phasors(_phasors(points))
    (mesh,) = figure.axes[0].collections
    # One in two hundred may lie beyond the picture.
    counts = mesh.get_array()
    assert counts is not None
    assert 0.98 * 4993 < counts.sum() <= 4993
    assert "7 without photons" in figure.axes[0].get_title(loc="left")
    assert png_from_figure(figure)[1:4] == b"PNG"


def test_the_center_of_each_class_is_marked() -> None:
    classes = xr.Dataset({"label": ("site", [0, 0, 1])})
    figure = plot_phasors(_phasors([[0.2, 0.3], [0.4, 0.5], [0.9, 0.2]]), classes)
    squares = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    assert [line.get_label() for line in squares] == ["class 0", "class 1"]
    assert _points(squares[0])[0] == pytest.approx([0.3, 0.4])


def test_classes_of_other_places_are_refused() -> None:
    with pytest.raises(KindError, match="3 phasors, 2 labels"):
        plot_phasors(_phasors(np.full((3, 2), 0.4)), xr.Dataset({"label": ("site", [0, 1])}))


def test_what_is_no_phasor_has_no_phasor_plot() -> None:
    with pytest.raises(KindError, match="phasors_from_decays"):
        plot_phasors(_decays())


def test_decays_are_logarithmic_with_the_residuals_of_their_fits() -> None:
    decays = _decays()
    fitted = decays.copy(deep=True)
    fitted[0, 10] = 0.81 * decays[0, 10]
    upper, lower = plot_decays(decays, fitted).axes
    assert upper.get_yscale() == "log"
    legend = upper.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["class 0: 40", "class 1: 60"]
    residual = _points(lower.lines[0])[10, 1]
    counts = float(decays[0, 10])
    assert residual == pytest.approx(0.19 * counts / (0.9 * np.sqrt(counts)))
    assert lower.get_xlabel() == "time [ns]"


def test_fits_of_other_decays_are_refused() -> None:
    with pytest.raises(KindError, match="need the same rows"):
        plot_decays(_decays(), _decays()[:1])


def test_a_map_is_too_many_decays_to_plot() -> None:
    with pytest.raises(KindError, match="sum pixels by class first"):
        plot_decays(_decays().expand_dims("y"))
