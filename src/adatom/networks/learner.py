"""A network that learns: weights, their running average, and the optimizer, in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from adatom.errors import TrainingError
from adatom.networks.blocks import build_network
from adatom.networks.objective import loss_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from adatom.networks.architecture import Architecture
    from adatom.networks.settings import Training
    from adatom.networks.torch_state import Machinery
    from adatom.numerics.heatmaps import Batch

    Tensors = dict[str, Tensor]
    Arrays = dict[str, NDArray[Any]]

_MOMENTS: Final = ("exp_avg", "exp_avg_sq")
# The average forgets the first, useless weights quickly.
_AVERAGE_RISE: Final = 10.0
# Scale of losses with which float16 begins; torch's own choice is as large as it will go.
_FIRST_SCALE: Final = 2.0**12
_PICTURES_AT_ONCE: Final = 8
# On a GPU each look at a loss waits for all that was asked of it.
_STEPS_PER_LOOK: Final = 25


class Learner:
    """One training in progress.

    Parameters
    ----------
    architecture : Architecture
    training : Training
    machinery : Machinery
        What it computes with.
    seed : int
        Of the first weights, and of whatever chance a layer takes.
    """

    def __init__(
        self,
        architecture: Architecture,
        training: Training,
        machinery: Machinery,
        seed: int,
    ) -> None:
        self.architecture, self.training = architecture, training
        self.machinery, self.seed = machinery, seed
        self.network = self._built()
        self.average = _copies(self.network.state_dict())
        self.optimizer = _optimizer(self.network, training)
        self._scaler = torch.amp.GradScaler(
            machinery.device, init_scale=_FIRST_SCALE, enabled=machinery.precision == "float16"
        )
        self._losses: dict[str, Tensor] = {}
        self._n_losses = 0
        self._first_unseen = 0

    def _built(self) -> nn.Module:
        network = build_network(self.architecture, seed=self.seed)
        return network.to(self.machinery.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def learn(self, batch: Batch, step: int, rate: float) -> dict[str, float]:
        """Make a step; give the losses of the steps since they were last looked at, summed.

        Raises
        ------
        TrainingError
            If a loss is no number.
        """
        # The chance that a layer takes depends on seed and step alone.
        torch.manual_seed(_mixed(self.seed, step))
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        tensors = self._tensors(batch)
        with self._arithmetic():
            maps = self.network(tensors["picture"])
        terms = loss_terms(maps.float(), tensors, self.architecture, self.training.objective)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.training.max_gradient)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self._follow(step)
        self._keep({"loss": loss, **terms})
        if self.machinery.device == "cpu" or (step + 1) % _STEPS_PER_LOOK == 0:
            return self.look(step, batch)
        return {}

    def look(self, step: int, batch: Batch | None = None) -> dict[str, float]:
        """Give the sums of losses since the last look, and how many they are of."""
        sums = {name: float(value) for name, value in self._losses.items()}
        if not np.isfinite(list(sums.values())).all():
            raise TrainingError(_cause(sums, self._first_unseen, step, batch))
        sums["n"] = float(self._n_losses)
        self._losses, self._n_losses, self._first_unseen = {}, 0, step + 1
        return sums

    def _keep(self, losses: Mapping[str, Tensor]) -> None:
        for name, value in losses.items():
            known = self._losses.get(name)
            self._losses[name] = value.detach() if known is None else known + value.detach()
        self._n_losses += 1

    def _tensors(self, batch: Batch) -> Tensors:
        is_gpu = self.machinery.device == "cuda"
        tensors = {}
        for name, values in batch._asdict().items():
            tensor = torch.from_numpy(np.ascontiguousarray(values))
            if is_gpu:
                tensor = tensor.pin_memory().to(self.machinery.device, non_blocking=True)
            tensors[name] = tensor
        tensors["picture"] = tensors["picture"].contiguous(memory_format=torch.channels_last)
        return tensors

    def _arithmetic(self) -> torch.autocast:
        return torch.autocast(
            self.machinery.device,
            dtype=getattr(torch, self.machinery.precision),
            enabled=self.machinery.is_mixed,
        )

    def _follow(self, step: int) -> None:
        """Bring the average toward the weights."""
        share = min(self.training.average, (1 + step) / (_AVERAGE_RISE + step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                average = self.average[name]
                if average.dtype.is_floating_point:
                    average.lerp_(value, 1 - share)
                else:
                    average.copy_(value)

    def predictor(self, weights: Mapping[str, Tensor] | None = None) -> Predictor:
        """Give what predicts with the averaged weights, or with given ones."""
        network = self._built()
        network.load_state_dict(dict(self.average if weights is None else weights))
        return Predictor(network, self.machinery.device)

    def state(self) -> Arrays:
        """Give all tensors that the next step depends on."""
        arrays = _arrays(self.network.state_dict(), "network.")
        arrays |= _arrays(self.average, "average.")
        for name, parameter in self.network.named_parameters():
            moments = self.optimizer.state.get(parameter)
            if moments:
                arrays |= _arrays({**moments}, f"optimizer.{name}.")
        if self._scaler.is_enabled():
            arrays["scaler"] = np.array(
                [self._scaler.get_scale(), self._scaler.state_dict()["_growth_tracker"]]
            )
        return arrays

    def set_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave."""
        self.network.load_state_dict(_tensors_of(arrays, "network."))
        for name, value in _tensors_of(arrays, "average.").items():
            self.average[name].copy_(value)
        for name, parameter in self.network.named_parameters():
            moments = _tensors_of(arrays, f"optimizer.{name}.")
            if moments:
                self.optimizer.state[parameter] = {
                    key: (
                        torch.zeros_like(parameter).copy_(value)
                        if key in _MOMENTS
                        else value.to(parameter.device)
                    )
                    for key, value in moments.items()
                }
        if self._scaler.is_enabled() and "scaler" in arrays:
            scale, tracker = arrays["scaler"].tolist()
            told = {**self._scaler.state_dict(), "scale": scale, "_growth_tracker": int(tracker)}
            self._scaler.load_state_dict(told)

    def begin_with(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the weights of a trained network instead of fresh ones."""
        self.network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in arrays.items()})
        self.average = _copies(self.network.state_dict())


class Predictor:
    """Maps of pictures by a network at rest: plain arrays in and out.

    Parameters
    ----------
    network : torch.nn.Module
    device : str
    """

    def __init__(self, network: nn.Module, device: str, /) -> None:
        self.network, self.device = network.eval(), device

    def __call__(self, pictures: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Give the maps (batch, channel, y / 2, x / 2) of pictures (batch, 1, y, x)."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pictures), _PICTURES_AT_ONCE):
                part = torch.from_numpy(pictures[start : start + _PICTURES_AT_ONCE])
                part = part.to(self.device, memory_format=torch.channels_last)
                parts.append(self.network(part).float().contiguous().cpu().numpy())
        return np.concatenate(parts)


def _optimizer(network: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Make AdamW; what is added or scales, not weighs, does not decay."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": training.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    # One pass over all weights, not one for each of the optimizer's ten operations.
    return torch.optim.AdamW(groups, lr=training.peak_rate, betas=(0.9, 0.99), fused=True)


def _mixed(seed: int, step: int) -> int:
    """Give a seed of its own to every step of every training."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0] >> 1)


def _copies(tensors: Mapping[str, Tensor]) -> Tensors:
    return {name: value.detach().clone() for name, value in tensors.items()}


def _arrays(tensors: Mapping[str, Tensor], prefix: str) -> Arrays:
    return {
        f"{prefix}{name}": value.detach().contiguous().cpu().numpy().copy()
        for name, value in tensors.items()
    }


def _tensors_of(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Tensors:
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(values))
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


def _cause(sums: Mapping[str, float], first: int, step: int, batch: Batch | None) -> str:
    """Say what is wrong where a loss is no number."""
    steps = f"step {step}" if first >= step else f"one of steps {first} to {step}"
    if batch is not None:
        for name, values in batch._asdict().items():
            if not np.isfinite(values).all():
                return f"the {name} of the batch of {steps} holds values that are no numbers"
    told = ", ".join(f"{name} {value:.4g}" for name, value in sums.items())
    return (
        f"the loss of {steps} is no number any more ({told}): the training ran away. "
        "Try a smaller peak_rate, a longer n_warm_up, or precision='float32'"
    )
