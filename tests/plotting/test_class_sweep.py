from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import ClassSweep, compare_n_classes
from adatom.errors import KindError
from adatom.plotting import plot_class_sweep
from adatom.plotting._colors import class_style

Array = np.ndarray[Any, Any]


def features(*, places: str = "map") -> xr.DataArray:
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 0, 0, 5], [0, 0, 9, 5], [9, 0, 0, 5]])
    values = centers[np.repeat([0, 1, 2], [40, 30, 30])] + rng.normal(0, 0.5, (100, 4)) + 3
    axis = {"energy": ("energy", np.arange(4.0), {"units": "eV"})}
    if places == "map":
        place = {name: (name, np.arange(10.0), {"units": "nm"}) for name in ("y", "x")}
        cube = values.reshape(10, 10, 4)
        return xr.DataArray(cube, dims=("y", "x", "energy"), coords={**place, **axis})
    spots = {name: ("site", rng.uniform(0, 9, 100), {"units": "mm"}) for name in ("y", "x")}
    coords = {**spots, **axis} if places == "sites" else axis
    return xr.DataArray(values, dims=("site", "energy"), coords=coords)


@pytest.fixture(scope="module")
def sweep() -> ClassSweep:
    return compare_n_classes(features(), max_classes=4, n_references=2)


def _words(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_every_number_has_its_map_its_spectra_and_what_parted(sweep: ClassSweep) -> None:
    figure = plot_class_sweep(*sweep)
    # Two, three and four classes, of each a map, the spectra and a difference.
    assert len(figure.axes) == 9
    assert [len(axes.lines) for axes in figure.axes[1::3]] == [2, 3, 4]
    words = _words(figure)
    assert "recommended: 3 classes" in words
    assert "3 classes (recommended)" in words


def test_the_pixels_have_the_colors_of_their_classes(sweep: ClassSweep) -> None:
    figure = plot_class_sweep(*sweep)
    painted = figure.axes[3].images[0].get_array()
    assert painted is not None
    labels = sweep.classes["label"].sel(n_classes=3).values
    for k in range(3):
        color = class_style(k).color.lstrip("#")
        expected = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        np.testing.assert_allclose(np.unique(painted[labels == k], axis=0), [expected])


def test_the_difference_is_that_of_the_two_classes_that_parted(sweep: ClassSweep) -> None:
    figure = plot_class_sweep(*sweep)
    new, split = (int(sweep.classes[n].values[2]) for n in ("new_class", "split_class"))
    drawn = np.asarray(figure.axes[5].lines[-1].get_ydata(), dtype=float)
    means = sweep.means.sel(n_classes=3).values
    np.testing.assert_allclose(drawn, means[new] - means[split])


@pytest.mark.parametrize("places", ["sites", "none"])
def test_sites_and_rows_without_places_are_shown_too(places: str) -> None:
    found = compare_n_classes(features(places=places), max_classes=3, n_references=2)
    assert len(plot_class_sweep(*found).axes) == 6


def test_a_single_class_is_shown_alone() -> None:
    found = compare_n_classes(features(), max_classes=1, n_references=2)
    figure = plot_class_sweep(*found)
    assert len(figure.axes) == 2
    assert "recommended: 1 class" in _words(figure)


def test_other_classes_are_refused(sweep: ClassSweep) -> None:
    one = sweep.classes.isel(n_classes=2)
    with pytest.raises(KindError, match="as of compare_n_classes"):
        plot_class_sweep(sweep.table, one, sweep.means)
