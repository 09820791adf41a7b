"""How a network is trained, said without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from adatom.errors import SettingError
from adatom.networks.objective import Objective

Schedule = Literal["one cycle", "cosine", "snapshots"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Device = Literal["auto", "cpu", "cuda"]

# The rate rises from, and falls to, these shares of its peak.
_FIRST_SHARE: Final = 1 / 25
_LAST_SHARE: Final = 1e-3
_SHARE_OF_RISE: Final = 0.3


@dataclass(frozen=True)
class Training:
    """Settings of a training.

    Attributes
    ----------
    n_steps : int or None
        Batches to learn from. None: as many as fit into `max_minutes`, told
        by the speed of the first steps; the number is kept in the card, and
        given as `n_steps` makes the same network again.
    max_minutes : float or None
        The training ends at the next score after this time, however far it
        is; its card says so. None: no limit.
    batch_size : int
        Pictures a batch; 8 crops of 128 pixels hold some thousand atoms,
        enough for a steady gradient.
    peak_rate : float
        Largest learning rate.
    schedule : {"one cycle", "cosine", "snapshots"}
        "one cycle" rises over 30 % of the steps and falls to nearly nothing
        [1]_, the fastest way to a good network; "cosine" rises over
        `n_warm_up` steps only and falls along a cosine, which is gentler on
        a network that is trained already; "snapshots" falls along
        `n_cycles` cosines, each of which ends in a member of an ensemble
        [2]_, eq. 2.
    n_warm_up : int
        Steps of "cosine" and "snapshots" over which the rate first rises.
    n_cycles : int
        Cycles of "snapshots".
    weight_decay : float
        Of AdamW [3]_; biases and normalizations are left out.
    max_gradient : float
        Gradients longer than this are shortened to it.
    average : float
        Share of the running average of the weights that each step keeps.
        Scores, cards and exports are of the average, which is better than
        the last step and steadier.
    n_steps_per_score : int
        Steps from score to score.
    patience : int or None
        The training ends after this many scores without a better one.
        None: never, as the best network is often the one at the end of the
        schedule.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Of the arithmetic of the layers; weights stay float32. "auto" takes
        bfloat16 where the processor or the GPU computes with it.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU if there is one.
    n_workers : int
        Processes that make batches ahead; 0 makes them in between. The
        network does not depend on it.
    n_threads : int or None
        Of torch on a processor; by default all cores. On a machine with much
        else to do fewer are faster, since they wait for one another.
    objective : Objective
        Losses and their weights.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, arXiv:1708.07120, fig. 1.
    .. [2] G. Huang et al., ICLR 2017, arXiv:1704.00109.
    .. [3] I. Loshchilov and F. Hutter, ICLR 2019, arXiv:1711.05101, alg. 2.
    """

    n_steps: int | None = 6000
    max_minutes: float | None = None
    batch_size: int = 8
    peak_rate: float = 2e-3
    schedule: Schedule = "one cycle"
    n_warm_up: int = 200
    n_cycles: int = 1
    weight_decay: float = 1e-2
    max_gradient: float = 1.0
    average: float = 0.998
    n_steps_per_score: int = 250
    patience: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    n_workers: int = 0
    n_threads: int | None = None
    objective: Objective = field(default_factory=Objective)

    def __post_init__(self) -> None:
        self._check_choices()
        if self.n_steps is None and self.max_minutes is None:
            msg = "give n_steps= or max_minutes=: a training without either would never end"
            raise SettingError(msg)
        least = {
            "n_steps": 1, "batch_size": 1, "n_warm_up": 0, "n_cycles": 1, "n_steps_per_score": 1,
            "patience": 1, "n_workers": 0, "n_threads": 1,
        }  # fmt: skip
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                msg = f"{name}={value!r} must be {low} or more"
                raise SettingError(msg)
        if self.n_steps is not None and self.n_steps - _n_rise(self, self.n_steps) < self.n_cycles:
            msg = f"n_steps={self.n_steps} are too few for n_cycles={self.n_cycles}: take more"
            raise SettingError(msg)
        for name in ("max_minutes", "peak_rate", "max_gradient"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                msg = f"{name}={value!r} must be a positive number"
                raise SettingError(msg)
        if not 0 <= self.average < 1 or not 0 <= self.weight_decay < 1:
            msg = f"average={self.average} and weight_decay={self.weight_decay} must be in [0, 1)"
            raise SettingError(msg)

    def _check_choices(self) -> None:
        for name, choices in (
            ("schedule", get_args(Schedule)),
            ("precision", get_args(Precision)),
            ("device", get_args(Device)),
        ):
            if getattr(self, name) not in choices:
                msg = f"{name}={getattr(self, name)!r} is not one of {', '.join(choices)}"
                raise SettingError(msg)
        if (self.schedule == "snapshots") != (self.n_cycles > 1):
            msg = (
                f"n_cycles={self.n_cycles} with schedule={self.schedule!r}: "
                '"snapshots" needs 2 cycles or more, and no other schedule has any'
            )
            raise SettingError(msg)


def rate_of_step(training: Training, step: int, n_steps: int, /) -> float:
    """Give the learning rate of a step, a function of nothing else.

    Parameters
    ----------
    training : Training
        Tells the schedule.
    step : int
        From 0 on.
    n_steps : int
        Steps of the whole training.

    Examples
    --------
    >>> training = Training(schedule="cosine", n_warm_up=2, peak_rate=1.0)
    >>> [round(rate_of_step(training, step, 6), 3) for step in range(6)]
    [0.52, 1.0, 0.854, 0.5, 0.147, 0.001]
    """
    n_rise = _n_rise(training, n_steps)
    if step < n_rise:
        share = (step + 1) / n_rise
        return training.peak_rate * (_FIRST_SHARE + share * (1 - _FIRST_SHARE))
    start, end = _cycle(training, step - n_rise, n_steps - n_rise)
    place, length = step - n_rise - start + 1, end - start
    fall = (1 + math.cos(math.pi * place / length)) / 2
    return training.peak_rate * (_LAST_SHARE + fall * (1 - _LAST_SHARE))


def ends_cycle(training: Training, step: int, n_steps: int, /) -> bool:
    """Tell whether a cycle of the schedule "snapshots" ends with this step."""
    n_rise = _n_rise(training, n_steps)
    return (
        step >= n_rise and step + 1 - n_rise == _cycle(training, step - n_rise, n_steps - n_rise)[1]
    )


def _cycle(training: Training, place: int, n_fall: int) -> tuple[int, int]:
    """Give the first step of the cycle that a step of the falls is in, and that of the next."""
    ends = [n_fall * (number + 1) // training.n_cycles for number in range(training.n_cycles)]
    end = next(end for end in ends if place < end)
    return ([0, *ends][ends.index(end)], end)


def _n_rise(training: Training, n_steps: int) -> int:
    """Give the steps over which the rate first rises."""
    if training.schedule == "one cycle":
        return min(round(_SHARE_OF_RISE * n_steps), n_steps // 2)
    return min(training.n_warm_up, n_steps // 2)
