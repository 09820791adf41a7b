"""Classifiers of patches: what they learn from few labels, and what they say of what is new."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import xarray as xr
from small_classifiers import center_classifier

from adatom.clustering import predict_classes
from adatom.correction import mask_from_classes
from adatom.descriptors import site_patches, window_patches
from adatom.errors import KindError, ReadError, SettingError, TooFewSitesError
from adatom.io import read_classifier
from adatom.networks import PatchTraining, TrainedClassifier, train_patch_classifier
from adatom.numerics.patch_classifier import PatchCard, PatchClassifier
from adatom.schema import Features, Image, Sites, image_from_array, sites_from_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACING = 10.0
# A small network that learns for some seconds.
QUICK = PatchTraining(n_steps=150, width=6, held_back=0.25)


class Known(NamedTuple):
    """A square lattice of which some columns are dim and some are missing."""

    image: Image
    sites: Sites


@cache
def known(
    seed: int = 0,
    *,
    shares: tuple[float, float] = (0.2, 0.06),
    noise: float = 0.15,
    pixel: float = 1.0,
    slope: float = 0.0,
) -> Known:
    """Simulate columns of amplitude 1, 0.5 ("dim") and 0 ("empty"); `pixel` px a pixel."""
    rng = np.random.default_rng(seed)
    n = 20
    row, column = (k.ravel() * SPACING + SPACING for k in np.mgrid[:n, :n])
    kind = rng.choice(["usual", "dim", "empty"], n * n, p=[1 - sum(shares), *shares])
    height = np.select([kind == "usual", kind == "dim"], [1.0, 0.5], 0.0)
    axis = np.arange(0, (n + 1) * SPACING, pixel)
    along = [np.exp(-((axis - k[:, None]) ** 2) / (2 * 2.2**2)) for k in (row, column)]
    values = np.einsum("ny,nx,n->yx", along[0], along[1], height)
    values += noise * rng.normal(size=values.shape) + slope * axis / axis[-1]
    image = image_from_array(values.astype(np.float32), pixel_size=f"{pixel} px")
    sites = sites_from_positions(row, column, unit="px", spacing=SPACING)
    return Known(image, sites.assign({"class": ("site", kind)}))


def patches_of(one: Known, size: str = "2.5 d") -> Features:
    return site_patches(one.image, one.sites, size=size)


@cache
def trained() -> TrainedClassifier:
    one = known()
    return train_patch_classifier(patches_of(one), one.sites, training=QUICK)


def named(classes: xr.Dataset) -> NDArray[np.str_]:
    names = np.array([*classes.attrs["class_names"], ""], dtype=np.str_)
    return np.asarray(names[classes["label"].values])


def share_right(classifier: PatchClassifier, one: Known) -> float:
    classes = predict_classes(patches_of(one), classifier)
    return float((named(classes) == one.sites["class"].values).mean())


@pytest.mark.network
def test_dim_and_empty_columns_of_another_image_are_told() -> None:
    # Noise is 0.15 of a column's height, and some 20 pixels see it: errors are by mixing up alone.
    assert share_right(trained().classifier, known(1)) >= 0.98


@pytest.mark.network
def test_neither_pixel_size_nor_gain_nor_a_slope_matters() -> None:
    finer = known(2, pixel=0.5, slope=2.0)
    brighter = Known(300 * finer.image + 5000, finer.sites)
    assert share_right(trained().classifier, brighter) >= 0.97


@pytest.mark.network
def test_a_turned_image_is_read_as_well() -> None:
    one = known(3)
    turned = Known(
        image_from_array(np.ascontiguousarray(one.image.values.T[::-1])),
        one.sites.assign_coords(
            y=("site", one.image.sizes["x"] - 1 - one.sites.x.values, {"units": "px"}),
            x=("site", one.sites.y.values, {"units": "px"}),
        ),
    )
    assert share_right(trained().classifier, turned) >= 0.97


@pytest.mark.network
def test_what_runs_without_torch_says_the_same_as_torch() -> None:
    import torch

    from adatom.networks.patch_network import build_patch_network, onnx_from_patch_network

    torch.manual_seed(3)
    network = build_patch_network(4, width=5)
    patches = torch.randn(7, 1, 24, 24)
    network(patches)  # So that the normalizations have seen something.
    network.eval()
    graph = onnx_from_patch_network(network, temperature=2.0)
    classifier = PatchClassifier.from_graph(graph, PatchCard(("a", "b", "c", "d"), 2.0))
    with torch.inference_mode():
        expected = torch.softmax(network(patches)[:, :, 0, 0] / 2.0, dim=1).numpy()
    said = classifier.probabilities(patches[:, 0].numpy())
    np.testing.assert_allclose(said, expected, atol=1e-5)


@pytest.mark.network
def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    one, short = known(), PatchTraining(n_steps=3, width=2)
    graphs = [
        train_patch_classifier(
            patches_of(one), one.sites, training=short, seed=seed
        ).classifier.graph
        for seed in (0, 0, 1)
    ]
    assert graphs[0] == graphs[1] != graphs[2]


@pytest.mark.network
def test_probabilities_are_right_on_average() -> None:
    # So noisy that one column in ten is mistaken.
    one = known(4, noise=0.9, shares=(0.35, 0.3))
    training = replace(QUICK, n_steps=250)
    classifier = train_patch_classifier(patches_of(one), one.sites, training=training).classifier
    other = known(5, noise=0.9, shares=(0.35, 0.3))
    classes = predict_classes(patches_of(other), classifier)
    right = float((named(classes) == other.sites["class"].values).mean())
    assert 0.6 < right < 0.98, "the test needs mistakes"
    # 400 columns: a standard error of 0.02; the temperature comes from 100 more.
    assert abs(float(classes["score"].mean()) - right) < 0.08


@pytest.mark.network
def test_the_scores_are_of_patches_held_back_and_stand_on_the_card() -> None:
    result = trained()
    scores = result.scores.to_pandas().set_index("class")
    counts = dict(zip(*np.unique(known().sites["class"].values, return_counts=True), strict=True))
    for name, count in counts.items():
        assert scores.loc[name, "n_held_back"] == np.ceil(0.25 * count)
        assert scores.loc[name, "n_trained"] + scores.loc[name, "n_held_back"] == count
    card = result.classifier.card
    assert card.classes[0] == "usual", "class 0 is the largest"
    assert card.scores["recall:empty"] == scores.loc["empty", "recall"]
    assert json.loads(card.trained_on)["loss"] == "focal"


@pytest.mark.network
def test_sites_without_a_name_take_no_part() -> None:
    one, short = known(), PatchTraining(n_steps=2, width=2, held_back=0.0)
    some = one.sites["class"].values.copy()
    some[::3] = ""
    labels = one.sites.assign({"class": ("site", some)})
    result = train_patch_classifier(patches_of(one), labels, training=short)
    assert int(result.scores["n_trained"].sum()) == int((some != "").sum())


@pytest.mark.network
def test_numbers_of_classes_are_named_by_their_own_names() -> None:
    one, short = known(), PatchTraining(n_steps=2, width=2)
    labels = xr.Dataset(
        {"label": ("site", (one.sites["class"].values == "empty").astype(int))},
        attrs={"class_names": ["atom", "hole"]},
    )
    result = train_patch_classifier(patches_of(one), labels, training=short)
    assert result.classifier.card.classes == ("atom", "hole")


@pytest.mark.network
def test_a_class_of_three_examples_is_refused_with_its_count() -> None:
    one = known()
    names = np.where(np.arange(400) < 3, "few", "many")
    with pytest.raises(TooFewSitesError, match=r"397 many, 3 few; .* of 4 examples or more"):
        train_patch_classifier(patches_of(one), one.sites.assign({"class": ("site", names)}))


@pytest.mark.network
def test_labels_of_other_sites_are_refused() -> None:
    one = known()
    with pytest.raises(KindError, match=r"labels are of \(390,\) places, patches of \(400,\)"):
        train_patch_classifier(patches_of(one), one.sites.isel(site=slice(390)))


@pytest.mark.network
def test_windows_tell_lattice_from_noise_and_give_the_regions_of_both() -> None:
    rng = np.random.default_rng(6)
    images, inside = [], np.arange(160) < 80
    for seed in (7, 8):
        values = known(seed, shares=(0.0, 0.0)).image.values[:160, :160].copy()
        values[~inside] = 0.3 * rng.normal(size=(80, 160))
        images.append(image_from_array(values))
    windows = [window_patches(image, size="40 px", step="8 px") for image in images]
    truth = (windows[0].y.values > 80).astype(int)
    labels = xr.Dataset(
        {"label": (("y", "x"), np.repeat(truth[:, None], windows[0].sizes["x"], axis=1))},
        attrs={"class_names": ["lattice", "noise"]},
    )
    classifier = train_patch_classifier(windows[0], labels, training=QUICK).classifier
    assert classifier.card.unit == "px"
    classes = predict_classes(windows[1], classifier)
    mask = mask_from_classes(classes, images[1], keep=["lattice"])
    # A window is 40 pixels high: the border is known to some ten.
    assert mask.values[:68].mean() > 0.98
    assert mask.values[92:].mean() < 0.02


def test_a_patch_and_the_window_at_the_same_place_get_the_same_class() -> None:
    one = known(9)
    inside = (np.abs(one.sites.y - 105) < 90) & (np.abs(one.sites.x - 105) < 90)
    sites = one.sites.isel(site=np.flatnonzero(inside)[:60])
    around = predict_classes(site_patches(one.image, sites, size="21 px"), center_classifier())
    sliding = window_patches(one.image, sites, size="21 px", step="1 px")
    classes = predict_classes(sliding, center_classifier())
    here = classes.sel(y=sites.y, x=sites.x)
    np.testing.assert_allclose(here["probability"], around["probability"], atol=1e-4)
    assert len(np.unique(around["label"])) > 1


def test_a_patch_of_which_most_is_missing_has_no_class() -> None:
    one = known(9)
    values = one.image.values.copy()
    values[:14] = np.nan
    classes = predict_classes(
        patches_of(Known(image_from_array(values), one.sites), "2 d"), center_classifier()
    )
    # The first row stands at 10 px: 14 of the 21 rows of its patches are missing.
    np.testing.assert_array_equal(classes["label"].values == -1, one.sites.y.values == 10)
    assert np.isnan(classes["probability"].values[0]).all()


def test_patches_that_show_less_than_the_training_are_refused_with_the_size() -> None:
    with pytest.raises(KindError, match=r'cut them with size="4 d" or more'):
        predict_classes(patches_of(known(), "2 d"), center_classifier(diameter=4.0))


def test_features_that_are_no_patches_are_refused() -> None:
    with pytest.raises(KindError, match="no pieces of an image"):
        predict_classes(
            xr.DataArray(np.zeros((3, 2)), dims=("site", "feature")), center_classifier()
        )


def test_windows_without_a_known_spacing_are_refused_where_d_is_needed() -> None:
    windows = window_patches(known().image, size="20 px", step="10 px")
    with pytest.raises(KindError, match=r"measured in px, the classifier was trained on .* d"):
        predict_classes(windows, center_classifier())


def test_a_classifier_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "species.onnx"
    classifier = center_classifier()
    classifier.save(path)
    assert read_classifier(path) == classifier


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "species.onnx"
    center_classifier().save(path)
    content = bytearray(path.read_bytes())
    # Within the weights, which are the bulk of the file.
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReadError, match="damaged or was changed"):
        read_classifier(path)


def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "species.onnx"
    path.write_bytes(center_classifier().graph)
    with pytest.raises(ReadError, match="it has no card"):
        read_classifier(path)


def test_a_network_of_another_form_is_refused() -> None:
    card = replace(center_classifier().card, classes=("one", "two"))
    with pytest.raises(SettingError, match="a classifier of 2 classes takes"):
        PatchClassifier.from_graph(center_classifier().graph, card)


def test_torch_is_not_needed_to_predict() -> None:
    import subprocess
    import sys

    code = (
        "import sys, adatom.clustering, adatom.io, adatom.networks; "
        "adatom.clustering.predict_classes, adatom.io.read_classifier, "
        "adatom.networks.train_patch_classifier; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
