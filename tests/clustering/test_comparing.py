from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.clustering import compare_classes
from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import CLASSES, TABLE, image_from_array, notes, sites_from_positions

DRAWN = np.repeat([[1, 1, 1, 2, 2, 0]], 4, axis=0)


def on_grid(label: NDArray[Any], pixel_size: str = "0.5 nm") -> xr.Dataset:
    grid = image_from_array(np.zeros(label.shape), pixel_size=pixel_size)
    return xr.Dataset({"label": (("y", "x"), label)}, coords=grid.coords)


def test_the_same_regions_under_other_names_agree_fully() -> None:
    found = compare_classes(
        on_grid(np.array([5, 7, 3])[DRAWN]), image_from_array(DRAWN, pixel_size="0.5 nm")
    )
    assert found.scores["accuracy"].item() == 1
    assert found.scores["adjusted_rand_index"].item() == 1
    assert (found.agreement["label"] == 1).all()
    for table in (found.scores, found.per_class, found.confusion):
        TABLE.check(table)
    CLASSES.check(found.agreement)


def test_precision_recall_and_confusion_are_counted_by_hand() -> None:
    label = np.array([[0, 0, 1, 1, 1, 2]] * 4)
    found = compare_classes(on_grid(label), image_from_array(DRAWN, pixel_size="0.5 nm"))
    # Expert 1 is class 0 (8 of 12 found), expert 2 is class 1 (8 of its 12 are right).
    rows = {int(e): k for k, e in enumerate(found.per_class["expert"].values)}
    assert found.per_class["recall"].values[rows[1]] == pytest.approx(8 / 12)
    assert found.per_class["precision"].values[rows[1]] == 1
    assert found.per_class["recall"].values[rows[2]] == 1
    assert found.per_class["precision"].values[rows[2]] == pytest.approx(8 / 12)
    assert found.confusion["expert 1"].values.tolist() == [8, 4, 0]
    assert found.scores["accuracy"].item() == pytest.approx(20 / 24)
    assert (found.agreement["label"].values == 0).nonzero()[1].tolist() == [2] * 4


def test_undecided_and_unclassified_places_are_not_compared() -> None:
    label = np.array([0, 1, 2])[DRAWN]
    label[0, 0] = -1
    drawn = DRAWN.astype(float)
    drawn[1, 1] = np.nan
    found = compare_classes(
        on_grid(label), image_from_array(drawn, pixel_size="0.5 nm"), unlabelled=0
    )
    counts = {name: found.scores[name].item() for name in found.scores}
    assert (counts["n_compared"], counts["n_unlabelled"], counts["n_unclassified"]) == (18, 5, 1)
    assert (found.agreement["label"] == -1).sum() == 6
    assert notes(found.agreement) == ["6 of 24 places could not be compared: label -1"]


def test_sites_take_the_label_of_the_nearest_pixel() -> None:
    expert = image_from_array([[1, 1, 2, 2]], pixel_size="2 nm")
    # Pixel centers lie at 0, 2, 4, 6 nm; the image ends half a pixel after the last.
    sites = sites_from_positions([0.9, 0, 0, 0], [2.9, 3.1, 6.9, 7.1], unit="nm")
    classes = xr.Dataset({"label": ("site", [0, 1, 1, 1])}, coords=sites.coords)
    found = compare_classes(classes, expert.isel(y=[0]))
    assert found.agreement["expert"].values[:3].tolist() == [1, 2, 2]
    assert found.agreement["label"].values.tolist() == [1, 1, 1, -1]
    assert found.scores["n_outside"].item() == 1
    assert found.agreement["x"].attrs["units"] == "nm"


def test_a_coarse_grid_of_windows_is_compared_where_its_centers_are() -> None:
    fine = np.repeat(np.repeat(np.array([[1, 2], [2, 1]]), 8, axis=0), 8, axis=1)
    expert = image_from_array(fine, pixel_size="1 nm")
    coarse = xr.Dataset(
        {"label": (("y", "x"), np.array([[0, 1], [1, 0]]))},
        coords={dim: (dim, [3.5, 11.5], {"units": "nm"}) for dim in ("y", "x")},
    )
    assert compare_classes(coarse, expert).scores["accuracy"].item() == 1


def test_more_classes_than_labels_leave_one_unmatched() -> None:
    label = np.array([[0, 0, 1, 2, 2, 2]] * 4)
    expert = image_from_array(np.where(DRAWN == 0, 2, DRAWN), pixel_size="0.5 nm")
    found = compare_classes(on_grid(label), expert)
    assert found.scores["accuracy"].item() == pytest.approx(20 / 24)
    assert sorted(found.per_class["class"].values.tolist()) == [0, 2]


def test_what_cannot_be_compared_is_said() -> None:
    expert = image_from_array(DRAWN, pixel_size="0.5 nm")
    label = np.zeros(DRAWN.shape, dtype=int)
    with pytest.raises(UnitError, match="classes are in 'px', the expert's image in 'nm'"):
        compare_classes(on_grid(label, "1 px"), expert)
    with pytest.raises(KindError, match=r"holds 1\.5: labels must be whole numbers"):
        compare_classes(on_grid(label), expert + 0.5)
    with pytest.raises(SettingError, match="no place can be compared: 24 of 24 lie inside"):
        compare_classes(on_grid(label - 1), expert)
    with pytest.raises(KindError, match="lack positions"):
        compare_classes(xr.Dataset({"label": ("site", [0, 1])}), expert)
    movie = sites_from_positions([0, 0], [0, 0], unit="nm", frame=[0, 1])
    with pytest.raises(KindError, match="take one frame's sites"):
        compare_classes(xr.Dataset({"label": ("site", [0, 1])}, coords=movie.coords), expert)
