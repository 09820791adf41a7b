"""Finders trained on simulated and on labeled images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_trainings import same_tensors, trainer

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.networks import Architecture, Pictures, TrainedNetwork, Trainer, Training
from adatom.numerics.long_work import lend_long_work
from adatom.pipelines import Labels, train_ensemble, train_finder, train_on_labels
from adatom.schema import Sites, positions
from adatom.simulation import LabeledImage, TrainingImages, simulate_training_image

pytest.importorskip("torch", reason="networks need torch: pip install 'adatom[train]'")

from adatom.networks.heads import network_with_classes
from adatom.pipelines.fine_tuning import _near_sites
from adatom.pipelines.training import SimulatedBatches

pytestmark = pytest.mark.network

_IMAGES = TrainingImages(size=64)
_PICTURES = Pictures(crop=32, n_judged=2)
_TRAINING = Training(n_steps=3, batch_size=2, precision="float32", n_threads=1)
_SMALL = Architecture(width=4)


@pytest.fixture(scope="module")
def labeled() -> LabeledImage:
    """Give an image with its sites."""
    images = TrainingImages(
        size=96, empty=0.0, dirty=0.0, snr=(10.0, 10.0), families=("hexagonal",)
    )
    return simulate_training_image(images=images, seed=4)


@pytest.fixture(scope="module")
def start() -> TrainedNetwork:
    """Give a network to start from."""
    return trainer().untrained()


def _train(**changes: object) -> TrainedNetwork:
    settings = {
        "images": _IMAGES, "architecture": _SMALL, "training": _TRAINING, "pictures": _PICTURES,
        **changes,
    }  # fmt: skip
    return train_finder(**settings)  # type: ignore[arg-type]


def _stream(**changes: object) -> SimulatedBatches:
    settings = {
        "images": _IMAGES, "pictures": _PICTURES, "classes": (), "batch_size": 2, "seed": 5,
        "symmetry": 0, **changes,
    }  # fmt: skip
    return SimulatedBatches(**settings)  # type: ignore[arg-type]


def test_the_card_says_what_a_network_was_trained_on_and_how_good_it_is() -> None:
    card = _train(seed=3).card
    told = json.loads(card.trained_on)
    assert told["images"]["size"] == 64
    assert told["pictures"]["crop"] == 32
    assert {"f1", "precision", "recall", "rmse", "calibration_error"} <= set(card.scores)
    assert card.seed == 3
    assert card.end == "all steps"


def test_batches_depend_on_settings_seed_and_number_alone() -> None:
    stream = _stream()
    first, again = stream(7), _stream()(7)
    assert all(
        np.array_equal(np.asarray(one), np.asarray(other))
        for one, other in zip(first, again, strict=True)
    )
    assert not np.array_equal(first.picture, stream(8).picture)


def test_views_of_one_image_stand_in_one_batch() -> None:
    stream = _stream(pictures=replace(_PICTURES, n_views=2), batch_size=4)
    spacings = [member.spacing for member in stream.members(0, 4)]
    assert spacings[0] == spacings[1] != spacings[2] == spacings[3]


def test_judged_images_are_not_learned_from() -> None:
    stream = _stream()
    judged = stream.judge().pictures[0].picture
    assert not np.array_equal(judged, stream.picture(0).picture)


def test_members_of_an_ensemble_are_independent() -> None:
    members = train_ensemble(
        images=_IMAGES, architecture=_SMALL, training=_TRAINING, pictures=_PICTURES, n_members=2
    )
    assert not same_tensors(*members)
    assert same_tensors(members[0], _train())


def test_an_ensemble_of_one_is_none() -> None:
    with pytest.raises(SettingError, match="2 members or more"):
        train_ensemble(n_members=1)
    with pytest.raises(SettingError, match="2 members or more"):
        train_ensemble(n_members=0)


def test_snapshots_are_as_many_as_cycles() -> None:
    training = replace(_TRAINING, schedule="snapshots", n_cycles=3, n_warm_up=0)
    with pytest.raises(SettingError, match="snapshots as many as cycles"):
        train_ensemble(training=training, n_members=2)


def test_a_network_goes_on_from_another_with_labels_of_ones_own(
    labeled: LabeledImage, start: TrainedNetwork
) -> None:
    network = train_on_labels(
        labeled.image, labeled.sites, start,
        simulated=_IMAGES, training=_TRAINING, pictures=_PICTURES,
    )  # fmt: skip
    told = json.loads(network.card.trained_on)
    assert told["labeled_sites"] == [labeled.sites.sizes["site"]]
    assert network.card.started_from == start.card.sha256
    assert "f1" in network.card.scores


def test_a_training_with_corrected_labels_does_not_go_on_from_the_old_ones(
    labeled: LabeledImage, start: TrainedNetwork, tmp_path: Path
) -> None:
    def train(sites: Sites) -> TrainedNetwork:
        with lend_long_work(tmp_path):
            return train_on_labels(
                labeled.image, sites, start,
                simulated=_IMAGES, training=_TRAINING, pictures=_PICTURES,
            )  # fmt: skip

    first = train(labeled.sites)
    assert same_tensors(train(labeled.sites), first)
    moved = labeled.sites.assign_coords(y=labeled.sites.y + 2.0)
    with pytest.raises(SettingError, match="other trained_on"):
        train(moved)


@pytest.mark.slow
def test_few_labels_teach_what_simulations_do_not_show(labeled: LabeledImage) -> None:
    # Dark atoms: no simulated image has them.
    negative = labeled.image.copy(data=-labeled.image.values)
    begun = Trainer(_SMALL, replace(_TRAINING, n_steps=1)).untrained()
    network = train_on_labels(
        negative, labeled.sites, begun,
        labels=Labels(share=1.0), simulated=_IMAGES, pictures=_PICTURES,
        training=replace(_TRAINING, n_steps=150, batch_size=4, peak_rate=1e-2, average=0.9),
    )  # fmt: skip
    # Judged on the quarter of the rows that was not learned from.
    assert network.card.scores["f1"] > 0.9


def test_new_classes_leave_what_is_known(start: TrainedNetwork) -> None:
    more = network_with_classes(start, ("W", "Se"))
    assert more.architecture.channels[4:] == ("class:W", "class:Se")
    np.testing.assert_array_equal(more.tensors["heads.weight"][:4], start.tensors["heads.weight"])
    turned = network_with_classes(more, ("Se", "W", "vacancy"))
    np.testing.assert_array_equal(
        turned.tensors["heads.weight"][[5, 4]], more.tensors["heads.weight"][4:]
    )
    assert network_with_classes(more, ("W", "Se")) is more


def test_parts_without_sites_count_as_no_lattice() -> None:
    place = np.argwhere(np.ones((4, 4))).astype(np.float64) * 6.0 + 4.0
    lattice = _near_sites((64, 64), place, 1.6 * 6.0)
    assert lattice[:28, :28].all()
    assert not lattice[40:, 40:].any()


def test_images_and_sites_must_belong_together(
    labeled: LabeledImage, start: TrainedNetwork
) -> None:
    image, sites = labeled.image, labeled.sites
    with pytest.raises(KindError, match="2 images and 1 sets of sites"):
        train_on_labels([image, image], [sites], start)
    with pytest.raises(TooFewSitesError, match="image 0 has 3 labeled sites, need 8 or more"):
        train_on_labels(image, sites.isel(site=slice(3)), start)
    in_nm = sites.assign_coords({n: sites[n].assign_attrs(units="nm") for n in ("y", "x")})
    assert positions(in_nm).shape == positions(sites).shape
    with pytest.raises(KindError, match="image 0 is in px, its sites in nm"):
        train_on_labels(image, in_nm, start)
