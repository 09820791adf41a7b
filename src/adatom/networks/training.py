"""The trainer: batches and a score -> a trained network, resumed where it was killed."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

import adatom
from adatom.errors import SettingError, TrainingError
from adatom.networks.architecture import Architecture
from adatom.networks.cards import TrainingCard
from adatom.networks.checkpoints import Checkpoint, find_checkpoint, write_checkpoint
from adatom.networks.prefetching import batches_ahead
from adatom.networks.settings import Training, ends_cycle, rate_of_step
from adatom.networks.torch_state import Machinery, choose_machinery, own_torch, require_torch
from adatom.networks.weights import TrainedNetwork, hash_of_tensors
from adatom.numerics.long_work import current_long_work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from adatom.networks.learner import Learner
    from adatom.numerics.heatmaps import Batch

# What a crash may cost at most, beside the time to the last score.
_SECONDS_PER_CHECKPOINT: Final = 60.0
# Steps by whose speed the number that fits into a time is told; the first are slow.
_N_SLOW, _N_TIMED = 3, 8
# Of a time, the share left for scores, checkpoints and other work of the machine.
_RESERVE: Final = 0.1


class Predict(Protocol):
    """Gives the maps of pictures."""

    def __call__(self, pictures: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Give the maps (batch, channel, y / 2, x / 2) of pictures (batch, 1, y, x)."""
        ...


class Score(Protocol):
    """Judges a network by what it says of pictures that it does not learn from."""

    def __call__(self, predict: Predict, /) -> Mapping[str, float]:
        """Give numbers by name; the larger ``score`` the better the network."""
        ...


@dataclass(frozen=True)
class Trainer:
    """Trains networks of one architecture.

    Attributes
    ----------
    architecture : Architecture
        What the network is made of.
    training : Training
        Steps, rates, losses, precision.
    seed : int
        Of the first weights and of every chance that is taken.
    start : TrainedNetwork, optional
        Whose weights the training begins with, as for fine-tuning.
    trained_on : str
        What the batches are, for the card: the settings of a simulation as
        JSON, say.

    Notes
    -----
    The folder for checkpoints and the listener come from
    `adatom.numerics.long_work.lend_long_work`: the weights do not depend on
    them.
    """

    architecture: Architecture = field(default_factory=Architecture)
    training: Training = field(default_factory=Training)
    seed: int = 0
    start: TrainedNetwork | None = None
    trained_on: str = ""

    def __post_init__(self) -> None:
        weights, classes = self.training.objective.class_weights, self.architecture.classes
        if weights and len(weights) != len(classes):
            msg = f"{len(weights)} class_weights for {len(classes)} classes: give one for each"
            raise SettingError(msg)
        if self.start is not None and self.start.architecture != self.architecture:
            msg = (
                f"the network to start from is {self.start.architecture}, to be trained is "
                f"{self.architecture}: they must be the same"
            )
            raise SettingError(msg)

    def train(
        self, batches: Callable[[int], Batch], score: Score | None = None, /
    ) -> TrainedNetwork:
        """Train one network.

        Parameters
        ----------
        batches : callable
            Makes batch k, from k alone; with workers it is sent to other
            processes.
        score : callable, optional
            Judges the network every `n_steps_per_score` steps. The best one
            is kept; without a score, the last.

        Returns
        -------
        TrainedNetwork
            On a processor bit for bit the same for the same settings, whether
            or not it was killed and resumed in between.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        TrainingError
            If the loss is no number any more.
        """
        return self._run(batches, score).result()

    def train_snapshots(
        self, batches: Callable[[int], Batch], score: Score | None = None, /
    ) -> tuple[TrainedNetwork, ...]:
        """Train an ensemble in one training: one member at the end of each cycle.

        Parameters
        ----------
        batches, score : callable
            As for `train`.

        Raises
        ------
        SettingError
            If the schedule is not "snapshots".
        """
        if self.training.schedule != "snapshots":
            msg = f'schedule={self.training.schedule!r} has no cycles: use "snapshots"'
            raise SettingError(msg)
        return self._run(batches, score).members()

    def untrained(self) -> TrainedNetwork:
        """Give the network with its first weights, for trials."""
        require_torch()
        machinery = Machinery("cpu", "float32", 1)
        with own_torch(machinery):
            return _Run(self, machinery, 0).result()

    def _run(self, batches: Callable[[int], Batch], score: Score | None) -> _Run:
        require_torch()
        lent = current_long_work()
        found = find_checkpoint(lent.folder, self.identity())
        machinery = _machinery(self.training, found)
        with own_torch(machinery):
            n_steps = int(found.numbers["n_steps"]) if found else self._number(batches, machinery)
            run = _Run(self, machinery, n_steps)
            if found is not None:
                run.go_on_from(found)
            if not run.end:
                run.go(batches, score)
            return run

    def _number(self, batches: Callable[[int], Batch], machinery: Machinery) -> int:
        """Tell how many steps to make, by the speed of some if by time alone."""
        if self.training.n_steps is not None:
            return self.training.n_steps
        learner = self.learner(machinery)
        with batches_ahead(batches, 0, n_workers=self.training.n_workers) as ahead:
            began = time.perf_counter()
            for step, batch in zip(range(_N_SLOW + _N_TIMED), ahead, strict=False):
                if step == _N_SLOW:
                    began = time.perf_counter()
                learner.learn(batch, step, 0.0)
            seconds = (time.perf_counter() - began) / _N_TIMED
        budget = 60 * float(self.training.max_minutes or 0) * (1 - _RESERVE)
        return max(1, int(budget / seconds))

    def learner(self, machinery: Machinery) -> Learner:
        """Make what learns, with its first weights."""
        from adatom.networks.learner import Learner

        learner = Learner(self.architecture, self.training, machinery, self.seed)
        if self.start is not None:
            learner.begin_with(self.start.tensors)
        return learner

    def identity(self) -> dict[str, Any]:
        """Give what makes this training this one, as JSON holds it."""
        training = asdict(self.training)
        # What it is computed with may change on the way: a resumed training may get more time.
        for name in ("device", "precision", "n_workers", "n_threads", "max_minutes"):
            del training[name]
        return {
            "architecture": asdict(self.architecture),
            "training": training,
            "seed": self.seed,
            "start": hash_of_tensors(self.start.tensors) if self.start else "",
            "trained_on": self.trained_on,
        }


def _machinery(training: Training, found: Checkpoint | None) -> Machinery:
    """Compute as the training was begun, where this machine can: bits depend on it."""
    here = choose_machinery(training)
    if found is None:
        return here
    before = Machinery(**found.numbers["machinery"])
    return before if before.device == here.device else here


class _Run:
    """A training on its way: what the trainer remembers from step to step."""

    def __init__(self, trainer: Trainer, machinery: Machinery, n_steps: int) -> None:
        self.trainer, self.machinery, self.n_steps = trainer, machinery, n_steps
        self.learner = trainer.learner(machinery)
        self.lent = current_long_work()
        self.step = 0
        self.end = ""
        self.earlier_seconds = 0.0
        self.sums: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self.scores: dict[str, float] = {}
        self.n_worse = 0
        self.best: dict[str, NDArray[Any]] = {}
        self.snapshots: list[dict[str, NDArray[Any]]] = []
        self._began = self._written = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the training began, times between a kill and a resumption left out."""
        return self.earlier_seconds + time.perf_counter() - self._began

    def go(self, batches: Callable[[int], Batch], score: Score | None) -> None:
        """Make steps until the training ends."""
        n_workers = self.trainer.training.n_workers
        with batches_ahead(batches, self.step, n_workers=n_workers) as ahead:
            for batch in ahead:
                self._one_step(batch)
                is_judged = (
                    self.step % self.trainer.training.n_steps_per_score == 0
                    or self.step == self.n_steps
                )
                if is_judged:
                    self._judge(score)
                is_due = time.perf_counter() - self._written > _SECONDS_PER_CHECKPOINT
                if is_judged or is_due:
                    self._write()
                if self.end:
                    return

    def _one_step(self, batch: Batch) -> None:
        training = self.trainer.training
        losses = self.learner.learn(
            batch, self.step, rate_of_step(training, self.step, self.n_steps)
        )
        self._add(losses)
        if training.schedule == "snapshots" and ends_cycle(training, self.step, self.n_steps):
            self.snapshots.append(self._averaged())
        self.step += 1
        told = {"loss": losses["loss"] / losses["n"]} if losses else {}
        best = {"best": self.scores["score"]} if self.scores else {}
        self.lent.tell(self.step, self.n_steps, self.seconds, {**told, **best})

    def _add(self, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def _averaged(self) -> dict[str, NDArray[Any]]:
        return _with_prefix(self.learner.state(), "average.")

    def _judge(self, score: Score | None) -> None:
        """Score the averaged weights, keep the best, and see whether it is time to end."""
        self._add(self.learner.look(self.step - 1))
        n = self.sums.pop("n", 0.0) or 1.0
        told = {"step": float(self.step), **{name: v / n for name, v in self.sums.items()}}
        self.sums = {}
        if score is not None:
            scores = {name: float(v) for name, v in score(self.learner.predictor()).items()}
            told |= scores
            # Comparison with a value that is no number is always false.
            if not self.scores or scores["score"] > self.scores["score"]:
                self.scores, self.best, self.n_worse = scores, self._averaged(), 0
            else:
                self.n_worse += 1
        self.history.append(told)
        self.end = self._reason()

    def _reason(self) -> str:
        training = self.trainer.training
        if self.step >= self.n_steps:
            return "all steps"
        if training.patience is not None and self.n_worse >= training.patience:
            return "no better score"
        if training.max_minutes is not None and self.seconds > 60 * training.max_minutes:
            return "time"
        return ""

    def _write(self) -> None:
        """Write everything that the next step depends on, if there is a folder for it."""
        if self.lent.folder is None:
            return
        self._add(self.learner.look(self.step - 1))
        tensors = self.learner.state()
        tensors |= {f"best.{name}": values for name, values in self.best.items()}
        for number, snapshot in enumerate(self.snapshots):
            tensors |= {f"snapshot{number}.{name}": values for name, values in snapshot.items()}
        numbers = {
            "step": self.step,
            "n_steps": self.n_steps,
            "end": self.end,
            "seconds": self.seconds,
            "sums": self.sums,
            "history": self.history,
            "scores": self.scores,
            "n_worse": self.n_worse,
            "n_snapshots": len(self.snapshots),
            "machinery": asdict(self.machinery),
        }
        write_checkpoint(self.lent.folder, Checkpoint(self.trainer.identity(), numbers, tensors))
        self._written = time.perf_counter()

    def go_on_from(self, found: Checkpoint) -> None:
        """Become what was written."""
        numbers = found.numbers
        self.step, self.end, self.n_worse = numbers["step"], numbers["end"], numbers["n_worse"]
        self.earlier_seconds = numbers["seconds"]
        self.sums, self.history, self.scores = (
            numbers["sums"], numbers["history"], numbers["scores"],
        )  # fmt: skip
        self.learner.set_state(found.tensors)
        self.best = _with_prefix(found.tensors, "best.")
        self.snapshots = [
            _with_prefix(found.tensors, f"snapshot{number}.")
            for number in range(numbers["n_snapshots"])
        ]
        if self.end == "time":
            # It was given more time since, or ends again at the next score.
            self.end = self._reason()

    def result(self) -> TrainedNetwork:
        """Give the best network, or the last one where none was judged."""
        return self._network(self.best or self._averaged(), self.scores)

    def members(self) -> tuple[TrainedNetwork, ...]:
        """Give the networks at the ends of the cycles."""
        return tuple(self._network(weights, {}) for weights in self.snapshots)

    def _network(
        self, tensors: dict[str, NDArray[Any]], scores: dict[str, float]
    ) -> TrainedNetwork:
        odd = [
            name for name, v in tensors.items() if v.dtype.kind == "f" and not np.isfinite(v).all()
        ]
        if odd:
            msg = f"the weights {odd[0]!r} are no numbers any more: try a smaller peak_rate"
            raise TrainingError(msg)
        trainer = self.trainer
        chosen = {"n_steps": self.n_steps, **asdict(self.machinery)}
        card = TrainingCard(
            trained_on=trainer.trained_on,
            training=_as_json({**asdict(trainer.training), **chosen}),
            seed=trainer.seed,
            n_steps=self.step,
            end=self.end,
            scores=scores,
            history=tuple(self.history),
            versions=_versions(),
            started_from=hash_of_tensors(trainer.start.tensors) if trainer.start else "",
        )
        tensors = dict(sorted(tensors.items()))
        return TrainedNetwork(
            trainer.architecture, tensors, replace(card, sha256=hash_of_tensors(tensors))
        )


def _with_prefix(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _as_json(settings: dict[str, Any]) -> dict[str, Any]:
    """Give settings as they come back from a file."""
    return dict(json.loads(json.dumps(settings)))


def _versions() -> dict[str, str]:
    torch = require_torch()
    return {"adatom": adatom.__version__, "torch": str(torch.__version__), "numpy": np.__version__}
