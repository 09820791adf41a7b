"""Figures show what the data hold, to scale."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import dask.array
import numpy as np
import PIL.Image
import pytest
import xarray as xr
from matplotlib.collections import EllipseCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from adatom import plotting
from adatom.errors import KindError, SettingError
from adatom.localization import compare_sites
from adatom.plotting._canvas import png_from_figure
from adatom.plotting._colors import OKABE_ITO, class_style
from adatom.plotting._display import contrast_limits, pixel_edges, shown_pixels
from adatom.plotting._panels import SCALE_BAR, length_text, scale_bar_length
from adatom.schema import (
    Classes,
    Features,
    Image,
    Sites,
    image_from_array,
    sites_from_positions,
    table_from_columns,
)


@pytest.fixture
def image() -> Image:
    rng = np.random.default_rng(0)
    return image_from_array(rng.normal(size=(60, 80)).astype(np.float32), pixel_size="0.05 nm")


@pytest.fixture
def sites() -> Sites:
    y, x = (axis.ravel() for axis in np.mgrid[0.2:2.8:14j, 0.2:3.8:19j])
    return sites_from_positions(y, x, unit="nm", spacing=0.2, extent=[0.0, 2.95, 0.0, 3.95])


@pytest.fixture
def classes(sites: Sites) -> Classes:
    label = np.zeros(sites.sizes["site"], dtype=np.int32)
    label[:100], label[100:102], label[102:105] = 1, 2, -1
    return xr.Dataset({"label": ("site", label)}, coords=sites.coords, attrs=sites.attrs)


@pytest.fixture
def patches(sites: Sites) -> Features:
    offset_y, offset_x = np.meshgrid(np.arange(5) - 2, np.arange(7) - 3, indexing="ij")
    rng = np.random.default_rng(0)
    return xr.DataArray(
        rng.normal(size=(sites.sizes["site"], 35)),
        dims=("site", "feature"),
        coords={
            "patch_y": ("feature", 0.05 * offset_y.ravel(), {"units": "nm"}),
            "patch_x": ("feature", 0.05 * offset_x.ravel(), {"units": "nm"}),
        },
        attrs={"patch_shape": [5, 7]},
    )


def _texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.texts]
    for legend in figure.legends:
        found += [text.get_text() for text in legend.get_texts()]
    for axes in figure.axes:
        found += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        found += [text.get_text() for text in axes.texts]
    return "\n".join(found)


def _bar_length(figure: Figure) -> float:
    lines = [line for axes in figure.axes for line in axes.lines if line.get_label() == SCALE_BAR]
    assert len(lines) == 1
    start, end = np.asarray(lines[0].get_xdata(), dtype=float)
    # In dots, against the dots that one unit of the map takes.
    bar_axes, map_axes = lines[0].axes, figure.axes[0]
    assert bar_axes is not None
    dots = np.diff(bar_axes.transData.transform([[start, 0], [end, 0]])[:, 0])[0]
    unit = np.diff(map_axes.transData.transform([[0, 0], [1, 0]])[:, 0])[0]
    return float(dots / unit)


@pytest.mark.parametrize(
    ("shape", "pixel_size", "length", "text"),
    [
        ((512, 512), "0.0078125 nm", 1.0, "1 nm"),
        ((100, 40), "1 px", 10.0, "10 px"),
        ((64, 64), "100 nm", 2000.0, "2 µm"),
        ((64, 64), "0.002 nm", 0.02, "20 pm"),
        ((30, 300), "0.5 mm", 50.0, "50 mm"),
    ],
)
def test_the_scale_bar_is_as_long_as_it_says(
    shape: tuple[int, int], pixel_size: str, length: float, text: str
) -> None:
    figure = plotting.plot_image(image_from_array(np.zeros(shape), pixel_size=pixel_size))
    assert text in _texts(figure)
    assert _bar_length(figure) == pytest.approx(length, rel=1e-9)


@pytest.mark.parametrize("width", [1e-3, 0.37, 4.0, 29.9, 30.0, 123.0, 8e4])
def test_the_scale_bar_is_round_and_takes_an_eighth_to_a_third_of_the_width(width: float) -> None:
    length, _ = scale_bar_length(width, "px")
    mantissa = length / 10 ** np.floor(np.log10(length) + 1e-9)
    assert min(abs(mantissa - digit) for digit in (1, 2, 5)) < 1e-9
    assert width / 8 < length <= width / 3 * (1 + 1e-9)


def test_lengths_are_written_without_needless_zeros() -> None:
    texts = [length_text(*one) for one in ((0.05, "nm"), (1500.0, "nm"), (1234.0, "px"))]
    assert texts == ["50 pm", "1.5 µm", "1234 px"]


def test_an_image_is_drawn_with_its_pixels_where_they_are(image: Image) -> None:
    picture = plotting.plot_image(image).axes[0].images[0]
    assert picture.get_extent() == pytest.approx((-0.025, 3.975, 2.975, -0.025))
    np.testing.assert_array_equal(np.asarray(picture.get_array()), image.values)


def test_the_color_bar_names_the_quantity_and_its_unit() -> None:
    image = image_from_array(np.eye(8), name="height", units="nm")
    assert "height [nm]" in _texts(plotting.plot_image(image))


def test_hot_pixels_do_not_decide_the_contrast() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    values[:20] = 1e6
    low, high = contrast_limits(values, (0.5, 99.5))
    assert -4 < low < -2
    assert 2 < high < 4


def test_a_flat_image_and_one_of_nothing_but_gaps_are_drawn() -> None:
    for values in (np.ones((9, 9)), np.full((9, 9), np.nan)):
        assert png_from_figure(plotting.plot_image(image_from_array(values)))


def test_a_signed_image_has_white_at_zero() -> None:
    image = image_from_array(np.array([[-1.0, 0.0], [3.0, 2.0]]))
    low, high = plotting.plot_image(image, colors="signed").axes[0].images[0].get_clim()
    assert (low, high) == (-high, high)


def test_an_unknown_color_scale_is_refused_with_those_there_are(image: Image) -> None:
    with pytest.raises(SettingError, match="colors='jet' is unknown: use one of gray, viridis"):
        plotting.plot_image(image, colors="jet")  # type: ignore[arg-type]


def test_large_images_are_block_means_and_say_so() -> None:
    values = np.random.default_rng(0).normal(size=(2500, 2100)).astype(np.float32)
    image = image_from_array(values)
    shown = shown_pixels(image)
    assert shown.factor == 3
    assert shown.values.shape == (834, 700)
    blocks = values[:2499].reshape(833, 3, 700, 3)
    np.testing.assert_allclose(shown.values[:833], blocks.mean((1, 3)), atol=1e-6)
    # The last row of blocks holds one row of pixels: it is averaged over that alone.
    last = values[2499].reshape(700, 3).mean(axis=1)
    np.testing.assert_allclose(shown.values[833], last, atol=1e-6)
    assert "mean of 3 x 3 pixels" in _texts(plotting.plot_image(image))


def test_a_lazy_image_is_shown_as_the_same_image_in_memory() -> None:
    values = np.random.default_rng(0).normal(size=(2100, 1300)).astype(np.float32)
    chunked = dask.array.from_array(values, chunks=(170, 333))  # type: ignore[no-untyped-call]
    np.testing.assert_array_equal(
        shown_pixels(image_from_array(chunked)).values,
        shown_pixels(image_from_array(values)).values,
    )


def test_gaps_do_not_darken_the_means_of_their_blocks() -> None:
    values = np.ones((2048, 2048))
    values[::2, ::2] = np.nan
    assert (shown_pixels(image_from_array(values)).values == 1).all()


def test_every_site_has_one_mark_and_failed_fits_are_crossed(image: Image, sites: Sites) -> None:
    good = np.ones(sites.sizes["site"], dtype=bool)
    good[:7] = False
    figure = plotting.plot_sites(sites.assign(fit_ok=("site", good)), image)
    rings = [c for c in figure.axes[0].collections if isinstance(c, EllipseCollection)]
    crosses = [c for c in figure.axes[0].collections if c.get_label() == "sites whose fit failed"]
    assert [len(c.get_offsets()) for c in rings] == [259]  # type: ignore[arg-type]
    assert [len(c.get_offsets()) for c in crosses] == [7]  # type: ignore[arg-type]
    assert "sites whose fit failed: 7" in _texts(figure)


def test_marks_stand_where_the_sites_are(image: Image, sites: Sites) -> None:
    rings = plotting.plot_sites(sites, image).axes[0].collections[0]
    offsets = np.asarray(rings.get_offsets())
    np.testing.assert_allclose(offsets, np.stack([sites.x.values, sites.y.values], axis=-1))


def test_ten_thousand_sites_are_one_collection_of_small_dots() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[:110, :110])
    figure = plotting.plot_sites(sites_from_positions(y, x, unit="px", spacing=1.0))
    (marks,) = figure.axes[0].collections
    assert isinstance(marks, PathCollection)
    assert len(np.asarray(marks.get_offsets())) == 12_100
    assert np.sqrt(marks.get_sizes()[0]) < 4


def test_only_one_frame_of_sites_is_shown_over_its_image() -> None:
    sites = sites_from_positions([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], unit="px", frame=[4, 4, 7])
    assert "sites: 2" in _texts(plotting.plot_sites(sites))
    assert "sites: 1" in _texts(plotting.plot_sites(sites, frame=7))


def test_no_sites_are_no_error(image: Image) -> None:
    nothing = sites_from_positions([], [], unit="nm")
    assert png_from_figure(plotting.plot_sites(nothing, image))
    assert png_from_figure(plotting.plot_sites(nothing))


def test_small_classes_are_drawn_last_and_ringed(image: Image, classes: Classes) -> None:
    figure = plotting.plot_classes(classes, image)
    labels = [str(c.get_label()) for c in figure.axes[0].collections]
    assert labels[1:4] == ["not classified", "class 0", "class 1"]
    assert labels[4:] == ["class 2", "class 2 ring", "class 2 ring"]
    assert "class 2: 2 (0.752 %)" in _texts(figure)


def test_classes_of_pixels_tint_the_image(image: Image) -> None:
    label = np.zeros((6, 8), dtype=np.int32)
    label[2:, 3:] = 1
    coarse = {
        "y": ("y", np.linspace(0.225, 2.725, 6), {"units": "nm"}),
        "x": ("x", np.linspace(0.225, 3.725, 8), {"units": "nm"}),
    }
    found = xr.Dataset({"label": (("y", "x"), label)}, coords=coarse)
    tint = plotting.plot_classes(found, image).axes[0].images[1]
    assert tint.get_extent() == pytest.approx(pixel_edges(found["label"]))
    assert np.asarray(tint.get_array()).shape == (6, 8, 4)


def test_classes_without_places_ask_for_their_sites(sites: Sites) -> None:
    bare = xr.Dataset({"label": ("site", np.zeros(3, dtype=int))})
    with pytest.raises(KindError, match="give as many sites, 266 were given"):
        plotting.plot_classes(bare, None, sites)
    with pytest.raises(KindError, match="none were given"):
        plotting.plot_classes(xr.Dataset({"label": (("frame", "site"), np.zeros((2, 3), int))}))


def test_class_means_are_the_means_with_their_counts(patches: Features, classes: Classes) -> None:
    figure = plotting.plot_class_means(patches, classes)
    shown = np.asarray(figure.axes[1].images[0].get_array())
    expected = patches.values[classes["label"].values == 1].mean(axis=0).reshape(5, 7)
    np.testing.assert_allclose(shown, expected, rtol=1e-6)
    assert "100 members" in _texts(figure)
    assert "each picture is 0.35 nm wide" in _texts(figure)


def test_means_that_are_given_are_drawn_as_they_are() -> None:
    means = xr.DataArray(
        [[0.0, 1.0, 4.0], [2.0, 2.0, 2.0]],
        dims=("class", "energy"),
        coords={"energy": ("energy", [1.0, 2.0, 3.0], {"units": "eV"}), "count": ("class", [9, 4])},
    )
    figure = plotting.plot_class_means(means)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [0.0, 1.0, 4.0])
    assert "energy [eV]" in _texts(figure)


def test_class_means_without_classes_are_refused(patches: Features) -> None:
    with pytest.raises(KindError, match="not class means: give their classes too"):
        plotting.plot_class_means(patches)


def test_labels_of_other_features_are_refused(patches: Features, classes: Classes) -> None:
    with pytest.raises(KindError, match=r"labels of shape \(266,\), features of \(200,\) rows"):
        plotting.plot_members(patches.isel(site=slice(200)), classes)


def test_members_are_typical_by_distance_and_doubtful_by_margin(
    patches: Features, classes: Classes
) -> None:
    n = patches.sizes["site"]
    rng = np.random.default_rng(1)
    told = classes.assign(
        distance=("site", rng.permutation(n).astype(float)),
        margin=("site", rng.permutation(n) / n),
    )
    figure = plotting.plot_members(patches, told, n=3)
    rows = np.flatnonzero(classes["label"].values == 0)
    typical = rows[np.argsort(told["distance"].values[rows])[:3]]
    left = [r for r in rows[np.argsort(told["margin"].values[rows])] if r not in typical]
    for place, row in enumerate([*typical, *left[:3]]):
        shown = np.asarray(figure.axes[place].images[0].get_array())
        np.testing.assert_array_equal(shown.ravel(), patches.values[row])


def test_a_class_of_two_shows_each_member_once(patches: Features, classes: Classes) -> None:
    figure = plotting.plot_members(patches, classes, n=4)
    assert len(figure.axes) == 8 + 8 + 2


def test_neighbor_arrows_are_the_means_of_the_slots() -> None:
    rng = np.random.default_rng(0)
    star = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
    vectors = star + rng.normal(scale=0.02, size=(50, 4, 2))
    vectors[0, 1] = np.nan
    y, x = rng.uniform(0, 9, size=(2, 50))
    sites = sites_from_positions(y, x, unit="nm")
    sites["neighbor_vector"] = (("site", "neighbor", "axis"), vectors)
    figure = plotting.plot_neighbor_vectors(sites)
    heads = np.array([text.xy for text in figure.axes[0].texts if isinstance(text, Annotation)])
    mean = np.nanmean(vectors, axis=0)
    np.testing.assert_allclose(heads, mean[:, ::-1])


def test_sites_without_neighbors_name_the_step_that_finds_them(sites: Sites) -> None:
    with pytest.raises(KindError, match=r"run descriptors\.neighbor_vectors first"):
        plotting.plot_neighbor_vectors(sites)


def test_the_choice_of_classes_shows_every_index_the_answer_and_why() -> None:
    table = table_from_columns(
        {"n_classes": [1, 2, 3], "bic": [9.0, 4.0, 5.0], "gap": [0.1, 0.6, 0.5],
         "gap_error": [0.1, 0.1, 0.1], "silhouette": [np.nan, 0.5, 0.4]}
    )  # fmt: skip
    table.attrs |= {"n_classes": 2, "reason": "the BIC is least for 2 classes"}
    figure = plotting.plot_class_choice(table)
    assert len(figure.axes) == 3
    assert "chosen: 2" in _texts(figure)
    assert "the BIC is least for 2 classes" in _texts(figure)


def test_a_table_without_a_sweep_is_no_choice_of_classes() -> None:
    with pytest.raises(KindError, match="the table has columns area; need n_classes"):
        plotting.plot_class_choice(table_from_columns({"area": [1.0]}))


def test_a_comparison_counts_what_was_found_missed_and_false(image: Image, sites: Sites) -> None:
    y, x = np.append(sites.y.values[6:], 1.0), np.append(sites.x.values[6:], 1.07)
    found = sites_from_positions(y, x, unit="nm", extent=sites.attrs["extent"])
    comparison = compare_sites(found, sites, edge="0 nm")
    text = _texts(plotting.plot_comparison(comparison, image))
    for line in ("found: 260", "missed: 6", "false: 1"):
        assert line in text


def test_regions_tell_the_share_that_was_left_out(image: Image) -> None:
    mask = xr.zeros_like(image, dtype=bool)
    mask[:, 20:] = True
    text = _texts(plotting.plot_regions(mask, image))
    assert "left out: 25.0 % of the area" in text


@pytest.mark.parametrize("name", ["image", "sites", "classes", "patches"])
def test_plot_draws_any_kind(name: str, request: pytest.FixtureRequest, image: Image) -> None:
    figure = plotting.plot(request.getfixturevalue(name), over=image)
    assert png_from_figure(figure)


@pytest.mark.parametrize(
    "make",
    [
        lambda: xr.DataArray(
            np.zeros((7, 4, 5)),
            dims=("frame", "y", "x"),
            coords={d: (d, np.arange(n) * 1.0, {"units": "px"}) for d, n in (("y", 4), ("x", 5))},
        ),
        lambda: xr.DataArray(
            np.zeros((4, 5, 6)),
            dims=("y", "x", "energy"),
            coords={
                d: (d, np.arange(n) * 1.0, {"units": u})
                for d, n, u in (("y", 4, "nm"), ("x", 5, "nm"), ("energy", 6, "eV"))
            },
        ),
        lambda: table_from_columns({"area": [1.0, 2.0, 4.0]}),
        lambda: image_from_array(np.eye(5)) > 0.5,
    ],
    ids=["movie", "spectral map", "table", "mask"],
)
def test_plot_draws_kinds_by_what_they_are(make: Callable[[], object]) -> None:
    assert png_from_figure(plotting.plot(make()))


def test_what_has_no_picture_is_refused_with_what_has() -> None:
    with pytest.raises(KindError, match="dict has no picture: give one of Image, Movie"):
        plotting.plot({})


def test_hostile_names_are_drawn_as_plain_text() -> None:
    image = image_from_array(np.eye(4), name=r"$\frac{$ 漢字 <b>", units="$")
    assert png_from_figure(plotting.plot_image(image))


def test_the_same_data_give_the_same_bytes(image: Image, sites: Sites) -> None:
    first, second = (png_from_figure(plotting.plot_sites(sites, image)) for _ in range(2))
    assert first == second
    assert PIL.Image.open(io.BytesIO(first)).size[0] > 1000


def test_drawing_leaves_pyplot_alone(image: Image) -> None:
    code = (
        "import sys; from adatom import plotting; from adatom.schema import image_from_array; "
        "plotting.plot_image(image_from_array([[0.0, 1.0]]))._repr_png_(); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_input_is_not_changed(image: Image, sites: Sites, classes: Classes) -> None:
    before = image.copy(deep=True), sites.copy(deep=True), classes.copy(deep=True)
    plotting.plot_classes(classes, image, sites)
    for one, other in zip((image, sites, classes), before):
        xr.testing.assert_identical(one, other)


def test_the_first_forty_classes_look_different_each_from_each() -> None:
    styles = [class_style(k) for k in range(40)]
    assert len({(style.color, style.marker) for style in styles}) == 40
    assert tuple(style.color for style in styles[: len(OKABE_ITO)]) == OKABE_ITO


def test_classes_of_rows_without_a_place_are_drawn_in_their_order() -> None:
    labels = np.array([0, 0, 1, -1, 1])
    axes = plotting.plot(xr.Dataset({"label": ("site", labels)})).axes[0]
    drawn = {line.get_color(): line.get_xdata() for line in axes.lines}
    assert sorted(np.concatenate(list(drawn.values())).tolist()) == [0, 1, 2, 3, 4]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["not classified", "class 0", "class 1"]
    assert axes.get_xlabel() == "row"
    time = ("time", np.array([0.0, 0.5, 1.0, 1.5, 2.0]), {"units": "ns"})
    timed = xr.Dataset({"label": ("time", labels)}, coords={"time": time})
    assert plotting.plot(timed).axes[0].get_xlabel() == "time [ns]"
