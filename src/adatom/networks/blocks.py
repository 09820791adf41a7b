"""The network itself: from a picture to maps of half its resolution."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from adatom.networks.architecture import Architecture

# At an eighth of the resolution these see 8, 16, 32 and 64 pixels of the picture far.
_DILATIONS: Final = (1, 2, 4, 8)
# Share of cells that belong to a site, as a fresh network says it everywhere.
_FIRST_SHARE: Final = 0.15


class SiteNetwork(nn.Module):
    """Encoder and decoder with skips; its first step halves the resolution.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture, /) -> None:
        super().__init__()
        width = architecture.width
        self.stem = nn.Sequential(
            convolution(1, width, kernel=5, stride=2), convolution(width, width)
        )
        self.down = nn.Sequential(
            convolution(width, 2 * width, stride=2), convolution(2 * width, 2 * width)
        )
        self.deep = convolution(2 * width, 4 * width, stride=2)
        self.bottom = (
            Pyramid(4 * width) if architecture.kind == "pyramid" else _plain_bottom(4 * width)
        )
        self.up = nn.Sequential(
            convolution(6 * width, 2 * width), convolution(2 * width, 2 * width)
        )
        self.top = nn.Sequential(convolution(3 * width, width), convolution(width, width))
        self.heads = nn.Conv2d(width, len(architecture.channels), 1)
        with torch.no_grad():
            assert self.heads.bias is not None  # noqa: S101 -- for the type checker
            self.heads.bias.zero_()
            self.heads.bias[0] = math.log(_FIRST_SHARE / (1 - _FIRST_SHARE))

    def forward(self, picture: Tensor) -> Tensor:
        """Give maps (batch, channel, y / 2, x / 2) of pictures (batch, 1, y, x)."""
        half = self.stem(picture)
        quarter = self.down(half)
        eighth = self.bottom(self.deep(quarter))
        quarter = self.up(torch.cat([_doubled(eighth), quarter], dim=1))
        half = self.top(torch.cat([_doubled(quarter), half], dim=1))
        maps: Tensor = self.heads(half)
        return maps


class Pyramid(nn.Module):
    """Convolutions of several dilations side by side, then joined."""

    def __init__(self, channels: int, /) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            convolution(channels, channels // 2, dilation=step) for step in _DILATIONS
        )
        self.join = convolution(len(_DILATIONS) * channels // 2, channels, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """Give features of the same shape."""
        joined: Tensor = self.join(torch.cat([branch(features) for branch in self.branches], 1))
        return joined


def build_network(architecture: Architecture, /, *, seed: int = 0) -> SiteNetwork:
    """Make a network with fresh weights; those of one seed are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SiteNetwork(architecture)


def convolution(
    before: int, after: int, /, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolve, normalize by the batch, and cut below zero."""
    return nn.Sequential(
        nn.Conv2d(
            before,
            after,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            bias=False,
        ),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def _plain_bottom(channels: int) -> nn.Sequential:
    return nn.Sequential(convolution(channels, channels), convolution(channels, channels))


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
