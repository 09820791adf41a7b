"""Networks are judged by the sites that they find."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_trainings import lattice_picture

from adatom.networks.calibration import (
    calibrated,
    calibration_error,
    calibration_of_scores,
)
from adatom.networks.detection import (
    DetectionScore,
    best_threshold,
    scores_of_found,
    strata_of_found,
)
from adatom.networks.pictures import LabeledPicture
from adatom.numerics.heatmaps import maps_from_positions

SIZE = 96


def _logits(
    position: NDArray[np.float64], *, sure: float = 6.0, lattice: float = 6.0
) -> NDArray[np.float32]:
    """Give the maps of a network that sees sites at these places."""
    maps = maps_from_positions(position, (SIZE, SIZE))
    center = np.where(maps.center > 0, sure, -8.0)
    ground = np.full_like(center, lattice)
    return np.stack([center, *maps.offset, ground]).astype(np.float32)


def _says(*maps: NDArray[np.float32]) -> object:
    """Make a network that gives these maps for one picture after the other."""
    queue = list(maps)

    def predict(_: NDArray[np.float32], /) -> NDArray[np.float32]:
        return queue.pop(0)[None]

    return predict


def _score(pictures: list[LabeledPicture], *maps: NDArray[np.float32]) -> dict[str, float]:
    return DetectionScore(tuple(pictures))(_says(*maps))  # type: ignore[arg-type]


def test_a_perfect_network_gets_a_perfect_score() -> None:
    picture = lattice_picture(1, size=SIZE)
    scores = _score([picture], _logits(picture.position))
    assert scores["f1"] == 1.0
    # Offsets of cells are exact, but for what the blur of crowded places leaves.
    assert scores["rmse"] < 0.01
    assert scores["score"] == scores["f1"] - scores["rmse"]


def test_every_true_site_counts_once() -> None:
    picture = lattice_picture(1, size=SIZE)
    twice = np.concatenate([picture.position, picture.position + np.array([0.0, 3.9])])
    scores = _score([picture], _logits(twice))
    assert scores["recall"] == 1.0
    # Sites at the margin are ignored with their partners, so that it is a half but for these.
    assert scores["precision"] == pytest.approx(0.5, abs=0.03)


def test_missed_and_shifted_sites_are_told() -> None:
    picture = lattice_picture(1, size=SIZE)
    shifted = picture.position[::2] + np.array([1.0, 0.0])
    scores = _score([picture], _logits(shifted))
    assert scores["recall"] == pytest.approx(0.5, abs=0.05)
    # One pixel of eight.
    assert scores["rmse"] == pytest.approx(1 / 8, abs=0.01)


def test_sites_where_there_is_no_lattice_are_false() -> None:
    picture = lattice_picture(1, size=SIZE)
    nothing = np.zeros((SIZE, SIZE), dtype=bool)
    empty = picture._replace(position=np.empty((0, 2)), is_sure=np.empty(0, bool), lattice=nothing)
    three = np.array([[30.0, 30.0], [40.0, 60.0], [60.0, 20.0]])
    scores = _score([picture, empty], _logits(picture.position), _logits(three))
    assert scores["false_per_empty"] == 3
    assert scores["precision"] < 1
    assert scores["recall"] == 1


def test_sites_in_what_the_network_takes_for_junk_are_not_counted() -> None:
    picture = lattice_picture(1, size=SIZE)
    scores = _score([picture], _logits(picture.position, lattice=-3.0))
    assert scores["recall"] == 0


def test_sites_that_nobody_could_tell_are_neither_missed_nor_false() -> None:
    picture = lattice_picture(1, size=SIZE)
    unsure = picture._replace(is_sure=np.arange(len(picture.position)) % 2 == 0)
    assert _score([unsure], _logits(picture.position[::2]))["f1"] == 1
    assert _score([unsure], _logits(picture.position))["f1"] == 1


def test_the_threshold_parts_true_sites_from_false_ones() -> None:
    picture = lattice_picture(1, size=SIZE)
    false = picture.position[:30] + 4.0
    sure, doubtful = _logits(picture.position), _logits(false, sure=-0.5)
    both = sure.copy()
    where = doubtful[0] > sure[0]
    both[:, where] = doubtful[:, where]
    judge = DetectionScore((picture,))
    found = judge.look(_says(both))  # type: ignore[arg-type]
    # The logistic function of -0.5 is 0.38.
    assert 0.38 < best_threshold(found) < 0.95
    assert scores_of_found(found, best_threshold(found))["f1"] == 1
    assert scores_of_found(found, 0.1)["precision"] < 0.95


def test_scores_are_told_apart_by_noise() -> None:
    good, bad = (lattice_picture(1, size=SIZE)._replace(snr=snr) for snr in (10.0, 1.5))
    judge = DetectionScore((good, bad))
    found = judge.look(_says(_logits(good.position), _logits(bad.position[::2])))  # type: ignore[arg-type]
    strata = {row["snr"]: row for row in strata_of_found(found, 0.5)}
    assert strata["8 and more"]["f1"] == 1
    assert strata["1 to 2"]["recall"] == pytest.approx(0.5, abs=0.05)
    assert set(strata) == {"8 and more", "1 to 2"}


def test_a_calibrated_score_is_the_share_of_sites_that_are_right() -> None:
    rng = np.random.default_rng(3)
    score = rng.random(20_000)
    is_right = rng.random(20_000) < score**3
    knots = calibration_of_scores(score[::2], is_right[::2])
    x, y = np.array(knots).T
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) >= 0).all()
    assert calibration_error(score[1::2], is_right[1::2]) > 0.2
    # On sites that it was not fitted to; counting 1000 sites a bin leaves 0.01.
    assert calibration_error(calibrated(score[1::2], knots), is_right[1::2]) < 0.02


def test_equal_scores_make_no_step() -> None:
    score = np.repeat([0.2, 0.9], 500)
    knots = calibration_of_scores(score, np.arange(1000) >= 480)
    assert [x for x, _ in knots] == [0.2, 0.9]


def test_few_sites_leave_scores_as_they_are() -> None:
    assert calibration_of_scores(np.full(20, 0.5), np.ones(20, dtype=bool)) == ()
    assert calibrated(np.array([0.3]), ()).tolist() == [0.3]
