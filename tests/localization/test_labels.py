"""What people marked becomes sites with names, and names of the sites that were found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.io import read_label_image, read_sites
from adatom.localization import assign_labels, sites_from_labels
from adatom.schema import Sites, image_from_array, notes, sites_from_positions


def drawn(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    values = np.zeros((40, 60), np.uint8)
    for value, top, left, height, width in boxes:
        values[top : top + height, left : left + width] = value
    return values


def test_blobs_become_sites_at_their_centroids_in_the_unit_of_the_image() -> None:
    image = image_from_array(drawn((1, 10, 20, 3, 5), (2, 30, 40, 4, 4)), pixel_size="0.1 nm")
    sites = sites_from_labels(image, classes=["Se", "Te"])
    np.testing.assert_allclose(sites.y, [1.1, 3.15])
    np.testing.assert_allclose(sites.x, [2.2, 4.15])
    assert sites["class"].values.tolist() == ["Se", "Te"]
    assert sites["n_pixels"].values.tolist() == [15, 16]


def test_blobs_that_touch_at_a_corner_are_one() -> None:
    image = image_from_array(drawn((1, 10, 10, 2, 2), (1, 12, 12, 2, 2)))
    assert sites_from_labels(image).sizes["site"] == 1


def test_a_blob_at_the_edge_is_marked_as_perhaps_cut() -> None:
    image = image_from_array(drawn((1, 0, 10, 2, 4), (1, 20, 20, 4, 4)))
    sites = sites_from_labels(image)
    assert sites["at_edge"].values.tolist() == [True, False]
    assert any("1 blobs touch the edge" in note for note in notes(sites))


def test_blobs_that_have_run_together_are_told() -> None:
    single = [(1, 5, 5 * k, 3, 3) for k in range(5)]
    sites = sites_from_labels(image_from_array(drawn(*single, (1, 20, 20, 3, 6))))
    assert any("1 blobs are over 1.6 times" in note for note in notes(sites))


def test_pictures_of_one_class_each_are_named_by_their_files(tmp_path: Path) -> None:
    from PIL import Image

    pictures = []
    for number, name in enumerate(("selenium", "vacancy")):
        path = tmp_path / f"{name}.png"
        Image.fromarray(drawn((255, 5, 5 + 20 * number, 4, 4))).save(path)
        pictures.append(read_label_image(path))
    sites = sites_from_labels(pictures)
    assert sites["class"].values.tolist() == ["selenium", "vacancy"]


def test_a_mask_of_one_class_is_taken_as_it_is() -> None:
    mask = image_from_array(drawn((1, 5, 5, 3, 3))).astype(bool)
    assert sites_from_labels(mask, classes=["vacancy"]).sizes["site"] == 1


def test_a_photograph_is_no_drawing() -> None:
    photograph = np.arange(2400.0).reshape(40, 60)
    with pytest.raises(KindError, match="2400 distinct values, which are no classes"):
        sites_from_labels(image_from_array(photograph))


def test_an_empty_drawing_has_no_sites() -> None:
    with pytest.raises(KindError, match="there are no blobs"):
        sites_from_labels(image_from_array(drawn()))


def test_names_must_be_as_many_as_values() -> None:
    image = image_from_array(drawn((1, 5, 5, 3, 3), (7, 20, 20, 3, 3)))
    with pytest.raises(SettingError, match=r"1 names for 2 values \(1, 7\)"):
        sites_from_labels(image, classes=["Se"])


def lattice() -> Sites:
    row, column = (10.0 * k.ravel() for k in np.mgrid[:5, :5])
    return sites_from_positions(row, column, unit="px", spacing=10.0)


def labels_at(*places: tuple[float, float, str]) -> Sites:
    y, x, name = zip(*places, strict=True)
    labels = sites_from_positions(y, x, unit="px")
    return labels.assign({"class": ("site", np.array(name))})


def test_labels_name_the_nearest_site_each() -> None:
    named = assign_labels(lattice(), labels_at((11, 9, "vacancy"), (38, 2, "Te")))
    assert named["class"].values[6] == "vacancy"
    assert named["class"].values[20] == "Te"
    assert (named["class"].values == "").sum() == 23


def test_a_label_far_from_all_sites_stays_alone_and_is_told() -> None:
    named = assign_labels(lattice(), labels_at((10, 10, "Te"), (14.9, 60, "adatom")), others="Se")
    assert set(named["class"].values.tolist()) == {"Te", "Se"}
    assert any("1 of 2 labels have no site near them: 1 adatom" in n for n in notes(named))


def test_labels_without_a_name_take_no_part() -> None:
    named = assign_labels(lattice(), labels_at((10, 10, "Te"), (20, 20, "")), others="Se")
    assert (named["class"].values == "Se").sum() == 24


def test_whole_numbers_are_names_and_minus_one_is_none() -> None:
    labels = sites_from_positions([10.0, 20.0], [10.0, 20.0], unit="px")
    labels["class"] = ("site", [3, -1])
    assert set(assign_labels(lattice(), labels)["class"].values.tolist()) == {"", "3"}


def test_sites_that_were_corrected_by_hand_are_labels_as_well() -> None:
    first = assign_labels(lattice(), labels_at((10, 10, "Te")), others="Se")
    corrected = first.copy(deep=True)
    corrected["class"][7] = "Te"
    assert (assign_labels(lattice(), corrected)["class"].values == "Te").sum() == 2


def test_classes_of_the_sites_become_their_names_to_be_corrected() -> None:
    number = np.arange(25) % 3 - 1
    classes = xr.Dataset(
        {"label": ("site", number), "score": ("site", np.linspace(0.5, 1, 25))},
        coords={"class": [0, 1]},
        attrs={"class_names": ["Se", "Te"]},
    )
    named = assign_labels(lattice(), classes)
    assert named["class"].values[:3].tolist() == ["", "Se", "Te"]
    assert float(named["class_score"][24]) == 1
    with pytest.raises(KindError, match="labels is not a Sites"):
        assign_labels(lattice(), classes.isel(site=slice(24)))


def test_classes_of_some_of_the_sites_name_these() -> None:
    some = lattice().isel(site=[3, 7])
    classes = xr.Dataset({"label": ("site", [1, 0])}, coords=some.coords)
    classes.attrs["class_names"] = ["Se", "Te"]
    named = assign_labels(lattice(), classes)["class"].values
    assert (named[3], named[7], (named == "").sum()) == ("Te", "Se", 23)


def test_a_table_of_several_images_labels_each_by_its_own(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("image,y,x,class\na.tif,10,10,Te\nfolder/b.tif,20,20,Te\n")
    labels = read_sites(table)
    image = image_from_array(np.zeros((50, 50)), attrs={"source": "b.tif"})
    named = assign_labels(lattice(), labels, image, others="Se")
    assert np.flatnonzero(named["class"].values == "Te").tolist() == [12]
    with pytest.raises(KindError, match="labels are of 2 images"):
        assign_labels(lattice(), labels)
    other = image_from_array(np.zeros((50, 50)), attrs={"source": "c.tif"})
    with pytest.raises(KindError, match=r"no label is of the image 'c.tif'"):
        assign_labels(lattice(), labels, other)


def test_labels_in_another_order_of_axes_are_refused() -> None:
    with pytest.raises(TooFewSitesError, match="same order of y and x"):
        assign_labels(lattice(), labels_at((3, 300, "Te")))


def test_labels_without_classes_are_refused() -> None:
    with pytest.raises(KindError, match="no 'class' or 'species'"):
        assign_labels(lattice(), sites_from_positions([10.0], [10.0], unit="px"))
