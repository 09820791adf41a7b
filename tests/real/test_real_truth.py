"""What benchmarks and tests take for true of the shared images."""

from __future__ import annotations

import os

import numpy as np
import pytest
from real_truth import (
    IMAGING,
    MOLECULES,
    dot_scores,
    drawn_regions,
    inside,
    marked_centers,
    published_defects,
    published_gold,
    selenide_sites,
)
from resolved_images import ResolvedImage, resolved_images

needs_data = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@needs_data
def test_every_image_that_resolves_atoms_is_read_with_what_is_told() -> None:
    shown = [one for one in resolved_images() if "graphene_defect_library" not in one.name]
    assert len(shown) == 49
    assert len({one.name for one in resolved_images()}) == 97
    for one in shown:
        assert one.read().dims == ("y", "x"), one.name


@needs_data
def test_scans_of_wse2_get_their_pixel_size_from_the_name() -> None:
    (scan,) = (one for one in resolved_images() if one.name.endswith("5x5_Z_024"))
    x = scan.read()["x"]
    assert float(x[1] - x[0]) == pytest.approx(5 / 512)
    assert x.attrs["units"] == "nm"


@needs_data
def test_marks_are_as_many_as_the_catalogue_counts() -> None:
    assert [len(selenide_sites(name)) for name in ("Se", "TeSe", "2Te", "vacancy")] == [
        152,
        287,
        343,
        19,
    ]
    labels = ("CoMTPP/0/label_CoMTPP", "CuPcCl/original/0/label_CuPcCl")
    assert [len(marked_centers(MOLECULES / f"{label}.tif")) for label in labels] == [447, 264]


@needs_data
def test_published_atoms_lie_on_what_is_bright() -> None:
    # Read as (x, y) where (row, column) is meant, they would lie on the mean of the image.
    library = IMAGING / "graphene_defect_library/library_refined/Si1C3/12.hdf5"
    gold = next(one for one in resolved_images() if "Au_NP" in one.name)
    for shown, truth in (
        (ResolvedImage(library, {}), published_defects(library)),
        (gold, published_gold()),
    ):
        pixels = shown.read().values
        row, column = np.rint(truth).astype(int).T
        assert pixels[row, column].mean() > pixels.mean() + 0.5 * pixels.std()


@needs_data
def test_drawn_regions_belong_to_images_and_lie_within_them() -> None:
    drawn = [one for one in resolved_images() if drawn_regions(one.name)]
    assert len(drawn) == 11
    for one in drawn:
        size = one.read().shape
        for polygons in drawn_regions(one.name).values():
            for polygon in polygons:
                assert (polygon >= 0).all(), one.name
                assert (polygon < np.array(size)).all(), one.name


def test_a_point_is_inside_a_polygon_with_a_notch_where_it_should_be() -> None:
    notched = np.array([[0, 0], [0, 10], [10, 10], [5, 5], [10, 0]], dtype=float)
    points = np.array([[2.0, 5.0], [9.0, 5.0], [9.0, 0.5], [-1.0, 5.0], [5.0, 11.0]])
    assert inside(points, [notched]).tolist() == [True, False, True, False, False]
    assert not inside(points, []).any()


def test_sites_on_dots_are_found_and_sites_between_them_unmatched() -> None:
    dots = np.asarray(np.indices((6, 6)).reshape(2, -1).T * 20, dtype=np.float64)
    near = dots + np.array([4.0, 0.0])
    between = np.array([[50.0, 50.0], [50.0, 70.0]])
    outside = np.array([[130.0, 50.0]])
    place = np.concatenate([near, between, outside])
    score = np.array([1.0] * 36 + [0.95, 0.5, 0.99])
    assert dot_scores(place, score, dots) == (1.0, 2, 1)
    assert dot_scores(near + np.array([2.0, 0.0]), np.ones(len(near)), dots).found == 0.0
    assert dot_scores(place[:0], score[:0], dots) == (0.0, 0, 0)
