"""Pictures of spectra, force curves and diffraction maps."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from adatom.plotting import plot
from adatom.plotting._canvas import png_from_figure
from adatom.plotting.spectra import plot_force_curves, plot_spectra

Array = np.ndarray[Any, Any]


def _spectra(values: Array, place: str = "site") -> xr.DataArray:
    coords: dict[str, Any] = {"energy": ("energy", np.arange(values.shape[1]), {"units": "eV"})}
    if place != "site":
        coords[place] = (place, np.arange(values.shape[0]) * 0.5, {"units": "ns"})
    return xr.DataArray(values, dims=(place, "energy"), coords=coords, name="intensity")


def _curves(channels: dict[str, str], n_curves: int = 2) -> xr.Dataset:
    dims = ("site", "segment", "sample")
    values = np.linspace(0, 1, n_curves * 2 * 5).reshape(n_curves, 2, 5)
    values[-1, 1, 3:] = np.nan
    variables = {name: (dims, values, {"units": unit}) for name, unit in channels.items()}
    return xr.Dataset(variables, coords={"segment": ["approach", "retract"]})


def test_few_spectra_are_lines_and_many_a_mean_with_its_spread() -> None:
    few = plot_spectra(_spectra(np.eye(4)))
    assert len(few.axes[0].lines) == 4
    many = plot_spectra(_spectra(np.tile(np.arange(20.0)[:, None], (1, 3))))
    (mean,) = many.axes[0].lines
    np.testing.assert_allclose(np.asarray(mean.get_ydata(), float), 9.5)
    assert many.axes[0].get_title(loc="left").startswith("mean of 20 spectra")
    assert many.axes[0].get_xlabel() == "energy [eV]"


def test_of_very_many_spectra_some_are_loaded_and_the_title_says_so() -> None:
    loaded = []

    def block(numbers: Array) -> Array:
        loaded.extend(numbers[:, 0].tolist())
        return np.ones((len(numbers), 2))

    rows = da.arange(5000, chunks=1)[:, None]
    values = rows.map_blocks(
        block, chunks=(rows.chunks[0], (2,)), dtype=float, meta=np.ones((0, 0))
    )
    figure = plot_spectra(_spectra(values))
    assert "mean of 1000 of 5000 spectra" in figure.axes[0].get_title(loc="left")
    assert len(loaded) == 1000


def test_a_streak_has_time_running_down() -> None:
    figure = plot(_spectra(np.eye(3), "time"))
    low, high = figure.axes[0].get_ylim()
    assert low > high
    assert figure.axes[0].get_ylabel() == "time [ns]"


def test_force_is_drawn_against_height_segment_by_segment() -> None:
    figure = plot(_curves({"force": "nN", "deflection": "nm", "height": "nm", "time": "s"}))
    assert len(figure.axes) == 2
    assert [line.get_label() for line in figure.axes[0].lines] == ["approach", "retract"]
    assert figure.axes[0].get_xlabel() == "height [nm]"
    assert figure.axes[0].get_ylabel() == "force [nN]"
    assert figure.axes[1].get_title(loc="left") == "curve 1 of 2"


@pytest.mark.parametrize(
    ("channels", "x_label", "y_label"),
    [
        ({"deflection": "V", "time": "s"}, "time [s]", "deflection [V]"),
        ({"deflection": "V"}, "sample", "deflection [V]"),
        ({"current": "nA", "height_piezo": "nm"}, "height_piezo [nm]", "current [nA]"),
    ],
)
def test_what_is_missing_is_replaced(channels: dict[str, str], x_label: str, y_label: str) -> None:
    axes = plot_force_curves(_curves(channels)).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (x_label, y_label)


def test_of_many_curves_six_are_shown() -> None:
    assert len(plot_force_curves(_curves({"force": "nN", "height": "nm"}, 50)).axes) == 6


def test_a_diffraction_map_shows_its_mean_pattern_and_its_scan() -> None:
    values = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    coords: dict[str, Any] = {
        dim: (dim, np.arange(size) * 1.0, {"units": unit})
        for dim, size, unit in (("y", 2, "nm"), ("x", 3, "nm"), ("k_y", 4, "px"), ("k_x", 5, "px"))
    }
    dims = ("y", "x", "k_y", "k_x")
    figure = plot(xr.DataArray(values, dims=dims, coords=coords, name="intensity"))
    pattern, scan = figure.axes
    for axes, truth in ((pattern, values.mean(axis=(0, 1))), (scan, values.mean(axis=(2, 3)))):
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), truth)
    assert list(scan.images[0].get_extent()) == [-0.5, 2.5, 1.5, -0.5]


@pytest.mark.parametrize("data", [_spectra(np.full((9, 3), np.nan)), _curves({"force": "nN"})])
def test_what_holds_nothing_still_has_a_picture(data: Any) -> None:
    assert png_from_figure(plot(data), dpi=20)[1:4] == b"PNG"
