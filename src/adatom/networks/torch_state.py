"""torch with settings of our own while a network is trained, and as it was afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adatom.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from adatom.networks.settings import Training


def require_torch() -> ModuleType:
    """Import torch, or say how to get it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        msg = (
            f"networks are trained by torch, which cannot be imported ({error}): "
            "pip install 'adatom[train]'"
        )
        raise MissingExtraError(msg) from error
    return torch


def require_safetensors() -> ModuleType:
    """Import what reads and writes weights, or say how to get it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import safetensors.numpy
    except ImportError as error:
        msg = (
            f"weights are read and written by safetensors, which cannot be imported ({error}): "
            "pip install 'adatom[train]'"
        )
        raise MissingExtraError(msg) from error
    return safetensors


@dataclass(frozen=True)
class Machinery:
    """What a training is computed with, as far as its bits depend on it."""

    device: str
    """cpu or cuda."""
    precision: str
    """float32, bfloat16 or float16."""
    n_threads: int

    @property
    def is_mixed(self) -> bool:
        """Whether layers compute in less than float32."""
        return self.precision != "float32"


def choose_machinery(training: Training, /) -> Machinery:
    """Settle what the training leaves to be chosen on this machine.

    Raises
    ------
    SettingError
        If a GPU is asked for where there is none, or float16 of a processor.
    """
    from adatom.numerics.executors import available_cores

    torch = require_torch()
    has_gpu = torch.cuda.is_available()
    if training.device == "cuda" and not has_gpu:
        msg = 'device="cuda", but torch finds no GPU here: use device="auto", or install its build'
        raise SettingError(msg)
    device = "cuda" if has_gpu and training.device != "cpu" else "cpu"
    if training.precision == "float16" and device == "cpu":
        msg = 'precision="float16" is of GPUs: use "auto", "bfloat16" or "float32" on a processor'
        raise SettingError(msg)
    precision = training.precision
    if precision == "auto":
        if device == "cuda":
            precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        else:
            precision = "bfloat16" if _computes_bfloat16(torch) else "float32"
    return Machinery(device, precision, training.n_threads or available_cores())


def _computes_bfloat16(torch: ModuleType) -> bool:
    """Tell whether the processor has instructions for it; emulated it is slower than float32."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)


@contextmanager
def own_torch(machinery: Machinery, /) -> Iterator[None]:
    """Let torch compute as the training needs it, and leave no trace.

    On a processor only algorithms that give the same bits each time are
    used. Seeds, threads and choices of the caller are restored.
    """
    torch = require_torch()
    choices: Any = torch.backends.cudnn
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        choices.benchmark,
    )
    devices = range(torch.cuda.device_count()) if machinery.device == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            torch.set_num_threads(machinery.n_threads)
            torch.use_deterministic_algorithms(machinery.device == "cpu")
            choices.benchmark = machinery.device == "cuda"
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        choices.benchmark = before[3]
