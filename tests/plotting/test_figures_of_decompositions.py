"""Pictures of components, of maps of features, of corrections and of class spectra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom import plotting
from adatom.errors import KindError
from adatom.plotting import _samples
from adatom.plotting._canvas import png_from_figure
from adatom.plotting._panels import length_text, scale_bar_length
from adatom.plotting._samples import sample_rows
from adatom.schema import table_from_columns

Array = np.ndarray[Any, Any]


def _map(values: Array, dim: str = "energy", unit: str = "eV") -> xr.DataArray:
    coords: dict[str, Any] = {
        name: (name, np.arange(size) * 0.5, {"units": "nm"})
        for name, size in zip(("y", "x"), values.shape, strict=False)
    }
    if unit:
        coords[dim] = (dim, np.arange(values.shape[-1]) * 2.0 + 100, {"units": unit})
    return xr.DataArray(values, dims=("y", "x", dim), coords=coords, name="counts")


def _classes(labels: Array) -> xr.Dataset:
    return xr.Dataset({"label": (("y", "x"), labels)})


def test_scores_of_both_signs_are_drawn_about_zero_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    scores = np.stack([rng.normal(size=(9, 9)), rng.uniform(3, 4, (9, 9))], axis=-1)
    figure = plotting.plot(_map(scores, "component", ""))
    signed, positive = (axes.images[0] for axes in figure.axes if axes.images)
    low, high = signed.get_clim()
    assert low == -high
    assert positive.get_clim()[0] >= 3


def test_of_many_features_twelve_are_shown_and_the_rest_is_counted() -> None:
    figure = plotting.plot_feature_maps(_map(np.arange(240.0).reshape(4, 4, 15), "component", ""))
    assert sum(bool(axes.images) for axes in figure.axes) == 12
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("12 of 15 vary and are shown" in text for text in texts)


def test_parameters_are_named_with_their_units() -> None:
    maps = _map(np.arange(27.0).reshape(3, 3, 3), "measure", "").assign_coords(
        measure=["adhesion", "stiffness", "constant"], unit=("measure", ["nN", "N/m", "1"])
    )
    # What is the same everywhere has no map.
    maps[..., 2] = 1.0
    figure = plotting.plot_feature_maps(maps)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.images]
    assert titles == ["adhesion [nN]", "stiffness [N/m]"]


def test_the_note_of_a_narrow_figure_does_not_cover_its_scale_bar() -> None:
    maps = _map(np.arange(48.0).reshape(4, 4, 3), "measure", "")
    maps[..., 1:] = 1.0
    figure = plotting.plot_feature_maps(maps)
    canvas = figure.canvas
    canvas.draw()
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    note = next(text for text in texts if "vary" in text.get_text())
    bar = next(text for text in texts if text is not note)
    assert note.get_text() == "1 of 3 vary and are shown"
    assert not note.get_window_extent().overlaps(bar.get_window_extent())
    assert note.get_window_extent().y0 >= 0


def test_a_field_of_meters_is_not_told_in_nanometers() -> None:
    assert scale_bar_length(3e10, "nm") == (1e10, "10 m")
    assert length_text(2.0e6, "nm") == "2 mm"


def test_features_without_places_have_no_map() -> None:
    with pytest.raises(KindError, match="no places y and x"):
        plotting.plot_feature_maps(xr.DataArray(np.ones((3, 2)), dims=("site", "component")))


def test_the_spread_of_a_class_is_one_standard_deviation() -> None:
    values = np.zeros((1, 4, 3)) + np.array([1.0, 3.0, 10.0, 10.0])[:, None] + 1e6
    figure = plotting.plot_class_spectra(_map(values), _classes(np.array([[0, 0, 1, 1]])))
    first = figure.axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(first.get_ydata(), float), 1e6 + 2.0)
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert isinstance(band, np.ndarray)
    assert band[:, 1].min() == pytest.approx(1e6 + 1.0)
    assert band[:, 1].max() == pytest.approx(1e6 + 3.0)


def test_a_loop_is_drawn_in_the_order_of_its_sweep() -> None:
    voltage = np.array([0.0, 5.0, 0.0, -5.0, 0.0])
    loops = _map(np.ones((2, 2, 5)), "bias", "").assign_coords(
        bias=("bias", voltage, {"units": "V"})
    )
    figure = plotting.plot_class_spectra(loops, _classes(np.zeros((2, 2), int)))
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(np.asarray(line.get_xdata(), float), voltage)
    assert not figure.axes[0].collections


def test_counts_of_a_decay_are_drawn_on_a_log_scale() -> None:
    time = np.arange(50) * 0.2
    decay = _map(np.tile(1000 * np.exp(-time), (2, 2, 1)), "time", "").assign_coords(
        time=("time", time, {"units": "ns"})
    )
    figure = plotting.plot_class_spectra(decay, _classes(np.zeros((2, 2), int)))
    assert figure.axes[0].get_yscale() == "log"


def test_a_correction_shows_the_row_that_it_changed_most() -> None:
    before = np.ones((3, 3, 6))
    after = before.copy()
    after[1, 2, 3] = 50.0
    figure = plotting.plot_correction(_map(before), _map(after))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "changed most: row 5" in titles


def test_a_correction_that_changed_nothing_says_so() -> None:
    spectra = _map(np.arange(24.0).reshape(2, 2, 6))
    titles = [
        axes.get_title(loc="left") for axes in plotting.plot_correction(spectra, spectra).axes
    ]
    assert "unchanged: row 0" in titles


@pytest.mark.parametrize(("masses", "n_lines"), [("picked", 0), ("profile", 2)])
def test_picked_ions_are_stems_and_profiles_are_lines(masses: str, n_lines: int) -> None:
    axis = {
        "picked": np.sort(np.random.default_rng(0).uniform(600, 900, 40)),
        "profile": np.linspace(20.0, 30.0, 40) ** 2,
    }[masses]
    coords = {"mass_to_charge": ("mass_to_charge", axis, {"units": "Da"})}
    ions = _map(np.random.default_rng(1).random((2, 2, 40)), "mass_to_charge", "")
    figure = plotting.plot_class_spectra(ions.assign_coords(coords), _classes(np.eye(2, dtype=int)))
    assert sum(np.size(line.get_xdata()) == 40 for line in figure.axes[0].lines) == n_lines


def test_components_that_noise_would_give_are_told_apart() -> None:
    table = table_from_columns(
        {"component": [0, 1, 2], "variance": [9.0, 1.1, 1.0], "above_noise": [True, False, False]}
    )
    figure = plotting.plot(table)
    sizes = [len(np.asarray(line.get_xdata())) for line in figure.axes[0].lines]
    assert sizes == [1, 2]


def test_rows_of_a_sample_are_where_their_numbers_say() -> None:
    values = np.arange(40.0).reshape(4, 5, 2)
    values[1, 1, 0] = np.nan
    found = sample_rows(_map(values), most=7)
    assert len(found.numbers) == 7
    np.testing.assert_array_equal(found.values, values.reshape(-1, 2)[found.numbers])


def test_every_picture_of_spectra_can_be_rendered() -> None:
    spectra = _map(np.random.default_rng(1).poisson(5.0, (4, 5, 8)).astype(float))
    classes = _classes(np.arange(20).reshape(4, 5) % 3)
    rows = spectra.stack(site=("y", "x")).transpose("site", "energy")
    members = rows[:3].reset_index("site").drop_vars(["y", "x"]).rename(site="endmember")
    for figure in (
        plotting.plot_member_spectra(spectra, classes),
        plotting.plot_members(spectra, classes),
        plotting.plot_features(spectra),
        plotting.plot_curve_set(members),
        plotting.plot_components(members.rename(endmember="component")),
    ):
        assert png_from_figure(figure)[1:4] == b"PNG"


def test_of_a_large_map_only_some_runs_of_rows_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_samples, "_WHOLE_VALUES", 1000)
    values = np.arange(60.0 * 50 * 2).reshape(60, 50, 2)
    touched = []

    def block(part: Array) -> Array:
        touched.append(len(part))
        return part

    chunked: Any = _map(values).chunk(y=1).data
    lazy = chunked.map_blocks(block, dtype=float, meta=np.ones((0, 0, 0)))
    found = sample_rows(_map(values).copy(data=lazy), most=64)
    np.testing.assert_array_equal(found.values, values.reshape(-1, 2)[found.numbers])
    assert len(touched) <= 17
    assert found.numbers.max() > 2800
    again = _samples.same_rows(_map(values * 2.0), found)
    np.testing.assert_array_equal(again, 2 * found.values)


def test_a_fit_is_shown_with_what_it_leaves() -> None:
    curves = xr.DataArray(np.array([[1.0, 4.0, 1.0], [2.0, 2.0, 2.0]]), dims=("class", "energy"))
    figure = plotting.plot_fits(curves, curves * 0.5)
    left = np.asarray(figure.axes[1].lines[-1].get_ydata(), float)
    np.testing.assert_allclose(left, [0.5, 2.0, 0.5])
    with pytest.raises(KindError, match="give those of one fit"):
        plotting.plot_fits(curves, curves[:1])
