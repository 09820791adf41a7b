"""Classes of patches in any orientation of a group, with the orientation apart."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score
from turned_patches import (
    Planted,
    patches_from,
    planted_patches,
    share_of_right_orientations,
)

from adatom.clustering import (
    TurnedClustering,
    TurnedMixtureModel,
    assign_turned_patches,
    cluster_turned_patches,
)
from adatom.descriptors import site_patches
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import notes
from adatom.simulation import DefectiveSheet, Kinetics, simulate_kinetic_movie


def _rand_index(found: TurnedClustering, truth: Planted) -> float:
    return float(adjusted_rand_score(truth.label, found.classes["label"].values))


def _right(found: TurnedClustering, truth: Planted) -> float:
    return share_of_right_orientations(
        found.classes["label"].values,
        found.orientations["label"].values,
        truth,
        found.model.symmetry,
        found.model.orientation_of,
    )


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_patches("C3", n=800, seed=1)


@pytest.fixture(scope="module")
def found(planted: Planted) -> TurnedClustering:
    return cluster_turned_patches(planted.patches, symmetry="C3")


def test_five_classes_in_three_orientations_are_found(
    found: TurnedClustering, planted: Planted
) -> None:
    assert found.model.n_classes == found.table.attrs["n_classes"] == 5
    assert _rand_index(found, planted) > 0.98
    assert _right(found, planted) > 0.98


def test_without_turns_the_same_patches_are_many_more_classes(planted: Planted) -> None:
    plain = cluster_turned_patches(planted.patches, symmetry="C1", n_classes=5)
    assert _rand_index(plain, planted) < 0.7


@pytest.mark.parametrize("group", ["C2", "C4", "C6", "C3v", "C6v"])
def test_every_group_is_told_apart_from_its_classes(group: str) -> None:
    planted = planted_patches(group, n=900, classes=(0, 2, 3), seed=2)
    found = cluster_turned_patches(planted.patches, symmetry=group, n_classes=3)  # type: ignore[arg-type]
    assert _rand_index(found, planted) > 0.98
    assert _right(found, planted) > 0.97


def test_a_class_that_is_the_same_in_all_orientations_has_none(
    found: TurnedClustering, planted: Planted
) -> None:
    symmetric = found.classes.attrs["class_symmetries"].index("C3")
    assert found.classes.attrs["class_symmetries"].count("C3") == 1
    members = found.classes["label"].values == symmetric
    assert (planted.label[members] == 4).mean() > 0.95
    assert (found.orientations["label"].values[members] == -1).all()
    assert np.isnan(found.orientations["angle"].values[members]).all()
    assert np.isnan(found.means["direction"].values[symmetric])
    assert any("looks the same in all orientations" in text for text in notes(found.orientations))


def test_a_class_of_three_fold_symmetry_has_two_orientations_of_six() -> None:
    planted = planted_patches("C6", n=300, classes=(4,), seed=3)
    found = cluster_turned_patches(planted.patches, symmetry="C6", n_classes=1)
    assert found.classes.attrs["class_symmetries"] == ["C3"]
    assert set(found.orientations["angle"].values) == {0.0, 60.0}
    assert _right(found, planted) > 0.98
    assert "its orientation is one of 2" in notes(found.orientations)[0]


def test_mirror_images_are_apart_without_mirrors_and_one_class_with_them() -> None:
    planted = planted_patches("C3v", n=900, classes=(2,), seed=4)
    apart = cluster_turned_patches(planted.patches, symmetry="C3")
    assert apart.model.n_classes == 2
    assert adjusted_rand_score(planted.operation >= 3, apart.classes["label"].values) > 0.98
    assert "class 1 looks like class 0 mirrored" in " ".join(notes(apart.classes))
    joined = cluster_turned_patches(planted.patches, symmetry="C3v")
    assert joined.model.n_classes == 1
    mirrored = joined.orientations["mirrored"].values
    assert max(np.mean(mirrored == (planted.operation >= 3)), np.mean(mirrored < 3)) > 0.98
    assert _right(joined, planted) > 0.98


def test_a_group_that_is_too_small_is_told() -> None:
    planted = planted_patches("C2", n=400, classes=(0,), seed=5)
    found = cluster_turned_patches(planted.patches, symmetry="C1")
    assert found.model.n_classes == 2
    assert "class 1 looks like class 0 turned by 180 deg" in " ".join(notes(found.classes))


def test_the_mirror_line_is_found_where_the_patches_have_one() -> None:
    planted = planted_patches("C3v", n=600, classes=(0, 2), axis=np.radians(20), seed=6)
    found = cluster_turned_patches(planted.patches, symmetry="C3v", n_classes=2)
    assert found.model.mirror_axis == pytest.approx(20, abs=2)
    told = cluster_turned_patches(
        planted.patches, symmetry="C3v", n_classes=2, mirror_axis="20 deg"
    )
    assert told.model.mirror_axis == pytest.approx(20)
    assert _rand_index(told, planted) > 0.98


def test_angles_turn_from_x_towards_y() -> None:
    y, x = np.mgrid[-6:7, -6:7].astype(float)
    rng = np.random.default_rng(7)
    angles = 90.0 * np.arange(80) % 360
    values = [
        np.exp(-((y - 3 * np.sin(a)) ** 2 + (x - 3 * np.cos(a)) ** 2) / 4)
        for a in np.radians(angles + 20)
    ]
    patches = patches_from(np.array(values) + 0.05 * rng.normal(size=(80, 13, 13)))
    found = cluster_turned_patches(patches, symmetry="C4", n_classes=1)
    np.testing.assert_allclose(found.means["direction"].values, [20], atol=3)
    np.testing.assert_array_equal(found.orientations["angle"].values, angles)
    np.testing.assert_allclose(found.orientations["direction"].values, angles + 20, atol=3)


def test_a_dark_departure_has_a_direction_as_well() -> None:
    planted = planted_patches("C3", n=200, classes=(0,), seed=8)
    dark = planted.patches.copy(data=20 - planted.patches.values)
    found = cluster_turned_patches(dark, symmetry="C3", n_classes=1)
    assert abs(found.means["direction"].values[0] - np.degrees(0.3)) < 5


def test_means_are_sharp_and_in_the_unit_of_the_patches(
    found: TurnedClustering, planted: Planted
) -> None:
    picture = found.means.values[0].reshape(25, 25)
    assert np.isnan(picture[0, 0])
    # Blobs are one high on a base of ten; three orientations averaged would leave a third of one.
    assert np.nanmax(picture) > 10.85
    assert found.means.attrs["units"] == planted.patches.attrs["units"]
    assert found.means["count"].values.sum() == 800


def test_probabilities_add_up_and_labels_are_the_largest(found: TurnedClustering) -> None:
    classes, orientations = found.classes, found.orientations
    total = classes["probability"].sum("class") + classes["background"]
    np.testing.assert_allclose(total, 1, atol=1e-5)
    kept = classes["label"].values >= 0
    np.testing.assert_array_equal(
        classes["probability"].values[kept].argmax(axis=1), classes["label"].values[kept]
    )
    known = orientations["label"].values >= 0
    np.testing.assert_allclose(orientations["probability"].sum("class")[known], 1, atol=1e-5)


def test_the_same_call_gives_the_same_bits(planted: Planted, found: TurnedClustering) -> None:
    again = cluster_turned_patches(planted.patches, symmetry="C3")
    xr.testing.assert_identical(again.classes, found.classes)
    xr.testing.assert_identical(again.orientations, found.orientations)
    xr.testing.assert_identical(again.means, found.means)


def test_the_order_of_the_sites_does_not_matter(planted: Planted, found: TurnedClustering) -> None:
    order = np.random.default_rng(9).permutation(800)
    other = cluster_turned_patches(planted.patches.isel(site=order), symmetry="C3")
    label, turn = found.classes["label"].values[order], found.orientations["label"].values[order]
    assert np.mean(other.classes["label"].values == label) > 0.99
    assert np.mean(other.orientations["label"].values == turn) > 0.99


def test_brightness_and_contrast_of_all_patches_do_not_matter(
    planted: Planted, found: TurnedClustering
) -> None:
    scaled = planted.patches.copy(data=1000 * planted.patches.values + 5e4)
    other = cluster_turned_patches(scaled, symmetry="C3")
    assert adjusted_rand_score(other.classes["label"].values, found.classes["label"].values) > 0.99


def test_pixels_of_two_sizes_are_turned_in_lengths() -> None:
    planted = planted_patches(
        "C4", n=500, classes=(0, 2, 3), shape=(49, 25), step=(0.5, 1.0), seed=10
    )
    found = cluster_turned_patches(planted.patches, symmetry="C4")
    assert found.model.n_classes == 3
    assert _rand_index(found, planted) > 0.98
    assert _right(found, planted) > 0.98
    # A turned mean on pixels half as high has its blobs where the others have them.
    picture = found.means.values[0].reshape(49, 25)
    assert np.nanmax(picture) > 10.8


def test_outliers_are_in_no_class(planted: Planted) -> None:
    rng = np.random.default_rng(11)
    values = planted.patches.values.copy()
    odd = rng.choice(800, 32, replace=False)
    # Dirt: bright blotches of any size, anywhere.
    y, x = np.mgrid[-12:13, -12:13]
    for k in odd:
        (cy, cx), width = rng.uniform(-9, 9, 2), rng.uniform(3, 8)
        blotch = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        values[k] += rng.uniform(2, 6) * blotch.ravel()
    found = cluster_turned_patches(planted.patches.copy(data=values), symmetry="C3")
    assert found.model.n_classes == 5
    label = found.classes["label"].values
    assert np.mean(label[odd] == -1) > 0.9
    kept = np.setdiff1d(np.arange(800), odd)
    assert np.mean(label[kept] == -1) < 0.01
    assert adjusted_rand_score(planted.label[kept], label[kept]) > 0.98
    assert any("too unlike every class" in text for text in notes(found.classes))


def test_missing_pixels_count_within_the_disc_alone(planted: Planted) -> None:
    values = planted.patches.values.reshape(800, 25, 25).copy()
    values[:5, 0, 0] = np.nan
    values[5:10, 12, 3] = np.nan
    found = cluster_turned_patches(
        planted.patches.copy(data=values.reshape(800, -1)), symmetry="C3", n_classes=5
    )
    label = found.classes["label"].values
    assert (label[:5] >= 0).all()
    assert (label[5:10] == -1).all()
    assert np.isnan(found.classes["probability"].values[5:10]).all()
    assert any("5 of 800 patches lack pixels" in text for text in notes(found.classes))
    assert any("took no part" in text for text in notes(found.means))


def test_a_model_assigns_other_patches_and_survives_a_file(found: TurnedClustering) -> None:
    other = planted_patches("C3", n=300, seed=12)
    again = TurnedMixtureModel.from_dataset(found.model.to_dataset())
    assigned = assign_turned_patches(other.patches, again)
    assert adjusted_rand_score(other.label, assigned.classes["label"].values) > 0.98
    xr.testing.assert_identical(
        assigned.orientations, assign_turned_patches(other.patches, found.model).orientations
    )


def test_patches_of_another_size_are_refused(found: TurnedClustering) -> None:
    with pytest.raises(KindError, match=r"5 x 5 pixels of 1 x 1 px, .* 25 x 25 pixels"):
        assign_turned_patches(patches_from(np.zeros((3, 5, 5))), found.model)


def test_what_cannot_be_clustered_is_refused(planted: Planted) -> None:
    with pytest.raises(SettingError, match="symmetry='D3' must be one of C1, C2"):
        cluster_turned_patches(planted.patches, symmetry="D3")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="has no mirrors: take 'C3v'"):
        cluster_turned_patches(planted.patches, symmetry="C3", mirror_axis="10 deg")
    with pytest.raises(TooFewSitesError, match="1 patches without missing pixels"):
        cluster_turned_patches(planted.patches[:1], symmetry="C3")
    with pytest.raises(TooFewSitesError, match="n_classes=3 needs 6 or more"):
        cluster_turned_patches(planted.patches[:4], symmetry="C3", n_classes=3)
    with pytest.raises(TooFewSitesError, match="0 patches"):
        cluster_turned_patches(planted.patches * np.nan, symmetry="C3")
    with pytest.raises(SettingError, match="all patches are the same"):
        cluster_turned_patches(patches_from(np.full((30, 9, 9), 7.3)), symmetry="C3")
    with pytest.raises(KindError, match="these features are no patches"):
        cluster_turned_patches(
            xr.DataArray(np.zeros((9, 9)), dims=("site", "feature")), symmetry="C3"
        )


def test_few_patches_are_one_class(planted: Planted) -> None:
    found = cluster_turned_patches(planted.patches[:6], symmetry="C3")
    assert found.model.n_classes == 1
    assert "too few to show more than one class" in found.table.attrs["reason"]


def test_noise_alone_is_one_class_without_orientation() -> None:
    values = np.random.default_rng(13).normal(size=(400, 15, 15))
    found = cluster_turned_patches(patches_from(values), symmetry="C4")
    assert found.model.n_classes == 1
    assert found.classes.attrs["class_symmetries"] == ["C4"]


def test_defects_of_a_simulated_movie_are_told_apart_with_their_directions() -> None:
    sheet = DefectiveSheet(kinetics=Kinetics(n_defects=30))
    made = simulate_kinetic_movie(sheet=sheet, n_frames=12, size=320, field="9 nm", seed=4)
    frames = made.truth["frame"].values
    cut = [
        site_patches(
            made.movie.isel(frame=k).compute(),
            made.truth.isel(site=np.flatnonzero(frames == k)),
            size="0.8 nm",
        )
        for k in range(12)
    ]
    patches = xr.concat(cut, "site", combine_attrs="override")
    truth = made.truth.isel(site=np.argsort(frames, kind="stable"))
    found = cluster_turned_patches(patches, symmetry="C3", n_classes=5)
    # Defects that changed or hopped during the exposure are blends of what they were.
    kept = (truth["share"].values > 0.99) & (found.classes["label"].values >= 0)
    assert kept.mean() > 0.95
    label = found.classes["label"].values[kept]
    assert adjusted_rand_score(truth["class"].values[kept], label) > 0.98
    # The departure is at the column that a defect points to, in the image as it is.
    off = found.orientations["direction"].values[kept] - truth["angle"].values[kept]
    assert np.mean(np.abs((off + 180) % 360 - 180) < 15) > 0.95
