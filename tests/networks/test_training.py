"""Trainings: they learn, end, resume and say what is wrong."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_trainings
from small_trainings import batch, lattice_picture, same_tensors, share_of_right_cells, trainer

from adatom.errors import AdatomError, SettingError, StoreError, TrainingError
from adatom.networks import Architecture, Objective, TrainedNetwork, Trainer, Training
from adatom.networks.settings import ends_cycle, rate_of_step
from adatom.numerics.heatmaps import Batch
from adatom.numerics.long_work import lend_long_work

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'adatom[train]'")

from adatom.networks.detection import DetectionScore  # noqa: E402

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def undisturbed() -> TrainedNetwork:
    """Give what 30 steps make."""
    return trainer().train(batch, share_of_right_cells)


def test_a_network_learns_to_find_the_sites_of_a_lattice() -> None:
    score = DetectionScore(tuple(lattice_picture(1000 + k, size=64) for k in range(4)))
    settings = Training(
        n_steps=150, batch_size=4, n_steps_per_score=50, average=0.9, peak_rate=1e-2, n_threads=1
    )
    network = Trainer(Architecture(width=8), settings).train(batch, score)
    # Bright spots 2 px wide at an SNR of 3: a blob detector finds all of them.
    assert network.card.scores["f1"] > 0.95
    assert network.card.scores["rmse"] < 0.1
    losses = [row["loss"] for row in network.card.history]
    assert losses == sorted(losses, reverse=True)


def test_a_training_that_is_killed_reaches_the_same_weights(
    undisturbed: TrainedNetwork, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, small_trainings.__file__, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    # Behind the checkpoint of step 10, in the middle of the second ten.
    for line in child.stdout:
        if int(line) == 14:
            child.kill()
            break
    child.wait()
    child.stdout.close()
    steps: list[int] = []
    with lend_long_work(tmp_path, listener=lambda done, *_: steps.append(done)):
        resumed = trainer().train(batch, share_of_right_cells)
    assert steps[0] in (11, 21)
    assert same_tensors(resumed, undisturbed)
    assert resumed.card == undisturbed.card


def test_a_training_that_has_ended_is_not_made_again(tmp_path: Path) -> None:
    with lend_long_work(tmp_path):
        first = trainer(n_steps=10).train(batch, share_of_right_cells)
        again = trainer(n_steps=10).train(_no_batch, share_of_right_cells)
    assert same_tensors(first, again)


def _no_batch(number: int) -> Batch:
    msg = f"batch {number} cannot be read"
    raise OSError(msg)


def test_another_training_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with lend_long_work(tmp_path):
        trainer(n_steps=2).train(batch)
        with pytest.raises(SettingError, match=r"training with other training: choose another"):
            trainer(n_steps=3).train(batch)


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    with lend_long_work(tmp_path):
        trainer(n_steps=2).train(batch)
        place = tmp_path / "checkpoint.safetensors"
        place.write_bytes(place.read_bytes()[:-100])
        with pytest.raises(StoreError, match=r"is damaged .* remove it, and the training begins"):
            trainer(n_steps=2).train(batch)


@pytest.mark.slow
def test_processes_that_make_batches_change_nothing(undisturbed: TrainedNetwork) -> None:
    network = trainer(n_workers=2).train(batch, share_of_right_cells)
    assert same_tensors(network, undisturbed)


@pytest.mark.slow
def test_a_batch_that_a_process_cannot_make_is_told() -> None:
    with pytest.raises(AdatomError, match="batch 0 cannot be read"):
        trainer(n_workers=1).train(_no_batch)


def test_another_seed_gives_another_network(undisturbed: TrainedNetwork) -> None:
    other = trainer(seed=2, n_steps=1).train(batch)
    assert not same_tensors(other, undisturbed)


def test_torch_is_left_as_it_was() -> None:
    torch.manual_seed(7)
    torch.set_num_threads(1)
    before = torch.random.get_rng_state()
    trainer(n_steps=1).train(batch)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_training_ends_when_it_gets_no_better() -> None:
    worse = iter([0.5, 0.4, 0.3, 0.9])

    def score(_: object) -> Mapping[str, float]:
        return {"score": next(worse)}

    network = trainer(n_steps=100, patience=2).train(batch, score)
    assert network.card.end == "no better score"
    assert network.card.n_steps == 30
    assert network.card.scores == {"score": 0.5}


def test_the_best_network_is_kept_and_not_the_last() -> None:
    best_first = iter([0.9, 0.1, 0.2])

    def score(_: object) -> Mapping[str, float]:
        return {"score": next(best_first)}

    kept = trainer().train(batch, score)
    assert kept.card.scores == {"score": 0.9}
    last = trainer().train(batch)
    assert not same_tensors(kept, last)


def test_a_training_ends_when_its_time_is_up() -> None:
    network = trainer(n_steps=10_000, n_steps_per_score=1, max_minutes=1e-4).train(batch)
    assert network.card.end == "time"
    assert network.card.n_steps < 10_000


def test_steps_are_told_by_time_alone() -> None:
    network = trainer(n_steps=None, max_minutes=0.02).train(batch)
    assert network.card.training["n_steps"] >= 1
    assert network.card.end in {"all steps", "time"}


def test_a_training_without_an_end_is_refused() -> None:
    with pytest.raises(SettingError, match="give n_steps= or max_minutes="):
        Training(n_steps=None)


def test_a_loss_that_is_no_number_is_told_with_its_step() -> None:
    with pytest.raises(TrainingError, match=r"the loss of step \d+ is no number .* smaller"):
        trainer(peak_rate=1e30, max_gradient=1e30).train(batch)


def test_pictures_that_are_no_numbers_are_told() -> None:
    def broken(number: int) -> Batch:
        made = batch(number)
        if number == 3:
            made.picture[0, 0, 0, 0] = np.nan
        return made

    with pytest.raises(TrainingError, match="the picture of the batch of step 3 holds values"):
        trainer().train(broken)


def test_a_training_may_begin_with_a_trained_network(undisturbed: TrainedNetwork) -> None:
    start = replace(trainer(n_steps=1, peak_rate=1e-9), start=undisturbed)
    network = start.train(batch)
    name = "heads.weight"
    np.testing.assert_allclose(network.tensors[name], undisturbed.tensors[name], atol=1e-6)
    assert network.card.started_from == undisturbed.card.sha256


def test_a_network_of_another_architecture_cannot_be_gone_on_with(
    undisturbed: TrainedNetwork,
) -> None:
    with pytest.raises(SettingError, match="they must be the same"):
        Trainer(Architecture(width=8), start=undisturbed)


def test_class_weights_are_one_for_each_class() -> None:
    objective = Objective(class_weights=(1.0, 2.0, 3.0))
    with pytest.raises(SettingError, match="3 class_weights for 2 classes"):
        Trainer(Architecture(classes=("a", "b")), Training(objective=objective))


def test_snapshots_are_the_averages_at_the_ends_of_the_cycles() -> None:
    made = trainer(schedule="snapshots", n_cycles=3, n_warm_up=0, average=0.5)
    members = made.train_snapshots(batch)
    assert len(members) == 3
    assert not same_tensors(members[0], members[1])
    # No score: the last snapshot is the network of the whole training.
    assert same_tensors(members[2], made.train(batch))


def test_snapshots_survive_a_resumption(tmp_path: Path) -> None:
    made = trainer(schedule="snapshots", n_cycles=2, n_warm_up=0)
    with lend_long_work(tmp_path):
        members = made.train_snapshots(batch)
        again = made.train_snapshots(_no_batch)
    assert all(map(same_tensors, members, again))


@pytest.mark.parametrize(("n_steps", "n_cycles"), [(10, 3), (12, 4), (7, 7), (103, 5)])
def test_every_cycle_falls_all_the_way(n_steps: int, n_cycles: int) -> None:
    training = Training(n_steps=n_steps, schedule="snapshots", n_cycles=n_cycles, n_warm_up=0)
    ends = [step for step in range(n_steps) if ends_cycle(training, step, n_steps)]
    assert len(ends) == n_cycles
    assert ends[-1] == n_steps - 1
    for step in ends:
        assert rate_of_step(training, step, n_steps) == pytest.approx(1e-3 * training.peak_rate)


def test_the_rate_of_one_cycle_rises_for_30_percent_and_falls_to_nothing() -> None:
    training = Training(n_steps=1000)
    rates = [rate_of_step(training, step, 1000) for step in range(1000)]
    assert int(np.argmax(rates)) in (299, 300)
    assert max(rates) == pytest.approx(training.peak_rate)
    assert rates[-1] == pytest.approx(1e-3 * training.peak_rate)
    assert math.isclose(rates[0], training.peak_rate / 25, rel_tol=0.1)


def test_mixed_precision_learns_nearly_the_same() -> None:
    single = trainer(n_steps=10).train(batch)
    mixed = trainer(n_steps=10, precision="bfloat16").train(batch)
    assert not same_tensors(single, mixed)
    assert all(values.dtype in (np.float32, np.int64) for values in mixed.tensors.values())
    name = "heads.weight"
    np.testing.assert_allclose(mixed.tensors[name], single.tensors[name], atol=0.03)


def test_mixed_precision_too_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    made = trainer(n_steps=12, n_steps_per_score=4, precision="bfloat16")

    def stop(done: int, *_: object) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with lend_long_work(tmp_path, listener=stop), pytest.raises(KeyboardInterrupt):
        made.train(batch)
    with lend_long_work(tmp_path):
        resumed = made.train(batch)
    assert same_tensors(resumed, made.train(batch))


def test_float16_is_of_gpus() -> None:
    with pytest.raises(SettingError, match="is of GPUs"):
        trainer(precision="float16", device="cpu").train(batch)
