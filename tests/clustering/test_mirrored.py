"""A class and its mirror image are one class."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from adatom.clustering import cluster_mirrored
from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import notes


def _rows(
    n: int = 40, noise: float = 0.15, seed: int = 0
) -> tuple[xr.DataArray, np.ndarray, np.ndarray]:
    """Give rows of three classes, the first of which has a left and a right form.

    Feature 0 changes its sign under the mirror, 1 and 2 change places, 3 stays.
    """
    rng = np.random.default_rng(seed)
    centers = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.5, 0.5, 2.0], [0.0, 0.0, 0.0, -2.0]])
    label = np.repeat(np.arange(3), n)
    rows = centers[label]
    image = (label == 0) & (rng.uniform(size=len(label)) < 0.3)
    rows[image] = rows[image][:, [0, 2, 1, 3]] * [-1, 1, 1, 1]
    rows = rows + rng.normal(0, noise, rows.shape)
    return xr.DataArray(rows, dims=("site", "feature")), label, image


MIRROR = {"odd": [0], "exchanged": [[1, 2]]}


def test_classes_are_found_with_their_number_and_which_members_are_mirrored() -> None:
    rows, label, image = _rows()
    found = cluster_mirrored(rows, **MIRROR)  # type: ignore[arg-type]
    assert found.choice.attrs["n_classes"] == 3
    given = found.classes["label"].values
    assert adjusted_rand_score(label, given) > 0.98
    chiral = int(given[0])
    inside = (label == 0) & (given == chiral)
    np.testing.assert_array_equal(found.classes["mirrored"].values[inside], image[inside])
    assert found.members["mirrored_share"].values[chiral] == pytest.approx(
        image[:40].mean(), abs=0.03
    )


def test_a_class_that_is_its_own_mirror_image_is_said_to_be() -> None:
    rows, _, _ = _rows()
    found = cluster_mirrored(rows, **MIRROR)  # type: ignore[arg-type]
    chiral = int(found.classes["label"].values[0])
    own = found.members["own_image"].values
    assert own.sum() == 2
    assert not own[chiral]
    assert np.isnan(found.members["mirrored_share"].values[own]).all()
    mean = found.means.values[own]
    np.testing.assert_allclose(mean[:, 0], 0.0, atol=1e-12)
    np.testing.assert_allclose(mean[:, 1], mean[:, 2], atol=1e-12)
    assert (found.classes["mirrored"].values[own[found.classes["label"].values]] == -1).all()


def test_mirroring_any_rows_changes_no_class() -> None:
    rows, _, _ = _rows()
    turned = rows.copy()
    some = np.random.default_rng(3).uniform(size=len(rows)) < 0.5
    turned[some] = rows.values[some][:, [0, 2, 1, 3]] * [-1, 1, 1, 1]
    one, other = (cluster_mirrored(part, **MIRROR) for part in (rows, turned))  # type: ignore[arg-type]
    assert adjusted_rand_score(one.classes["label"].values, other.classes["label"].values) == 1.0


def test_features_that_tell_of_their_mirror_need_no_settings() -> None:
    rows, _, _ = _rows()
    told = rows.assign_coords(
        mirror_feature=("feature", [0, 2, 1, 3]), mirror_sign=("feature", [-1, 1, 1, 1])
    )
    one = cluster_mirrored(told, n_classes=3)
    other = cluster_mirrored(rows, n_classes=3, **MIRROR)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.classes["label"], other.classes["label"])


def test_rows_far_from_all_classes_and_rows_not_measured_are_in_none() -> None:
    rows, _, _ = _rows()
    rows[5, 2] = np.nan
    rows[50] = [9.0, -9.0, 9.0, 9.0]
    found = cluster_mirrored(rows, n_classes=3, **MIRROR)  # type: ignore[arg-type]
    assert found.classes["label"].values[[5, 50]].tolist() == [-1, -1]
    assert np.isnan(found.classes["probability"].values[5]).all()
    assert notes(found.classes)[0].endswith("1 outliers, 1 rows not measured.")


def test_what_a_mirror_does_must_be_told_and_make_sense() -> None:
    rows, _, _ = _rows()
    with pytest.raises(SettingError, match="do not tell what a mirror does"):
        cluster_mirrored(rows)
    with pytest.raises(SettingError, match="numbers of the 4 features"):
        cluster_mirrored(rows, odd=[4])
    with pytest.raises(SettingError, match="mirrored twice"):
        cluster_mirrored(rows, odd=[1], exchanged=[[1, 2]])
    with pytest.raises(TooFewSitesError, match="needs 15 or more"):
        cluster_mirrored(rows[:9], n_classes=3, **MIRROR)  # type: ignore[arg-type]
