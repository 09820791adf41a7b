"""The small network that names what stands in the middle of a patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from adatom.numerics.patch_grid import N_GRID, disc

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Layer = tuple[NDArray[np.float32], NDArray[np.float32], int, int]

# Distances between neighbors are known to a few percent, places to a fraction of a pixel.
_SCALE: Final = 0.05
_SHIFT: Final = 0.5
# Share of the patches that the edge of an image cuts: few in an image, but each may be the defect.
_AT_EDGE: Final = 0.25


def build_patch_network(n_classes: int, /, *, width: int) -> nn.Sequential:
    """Make a network from patches (patch, 1, 24, 24) to logits (patch, class, 1, 1).

    Three by three convolutions at full, half and a quarter of the resolution;
    then one over all that is left, which tells the middle from the rim: an
    average over the patch would not know whether the vacancy is at the site
    or next to it.

    Parameters
    ----------
    n_classes : int
    width : int
        Channels at full resolution; twice and four times as many below.
    """
    left = N_GRID // 4
    return nn.Sequential(
        *_block(1, width, 3, 1, 1),
        *_block(width, 2 * width, 3, 2, 1),
        *_block(2 * width, 4 * width, 3, 2, 1),
        *_block(4 * width, 4 * width, 3, 1, 1),
        *_block(4 * width, 4 * width, left, 1, 0),
        nn.Conv2d(4 * width, n_classes, 1),
    )


def _block(inside: int, outside: int, size: int, stride: int, pad: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inside, outside, size, stride, pad, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    ]


def onnx_from_patch_network(network: nn.Sequential, /, *, temperature: float = 1.0) -> bytes:
    """Write the network as ONNX: convolutions, into which normalizations are folded, and ReLU.

    Parameters
    ----------
    network : Sequential
        Of `build_patch_network`.
    temperature : float
        By which the logits are divided.
    """
    from onnx import TensorProto, helper, numpy_helper

    layers = _folded_layers(network, temperature)
    nodes, weights, at = [], [], "patch"
    for number, (kernel, bias, stride, pad) in enumerate(layers):
        names = [f"kernel{number}", f"bias{number}"]
        weights += [numpy_helper.from_array(v, n) for v, n in zip((kernel, bias), names)]
        last = number == len(layers) - 1
        out = "logits" if last else f"map{number}"
        nodes.append(
            helper.make_node("Conv", [at, *names], [out], strides=[stride, stride], pads=[pad] * 4)
        )
        at = out
        if not last:
            at = f"positive{number}"
            nodes.append(helper.make_node("Relu", [out], [at]))
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["patch", *shape])
        for name, shape in (
            ("patch", (1, N_GRID, N_GRID)),
            ("logits", (len(layers[-1][1]), 1, 1)),
        )
    ]
    graph = helper.make_graph(nodes, "patch_classifier", ports[:1], ports[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    # Of ONNX 1.12, which every ONNX Runtime that adatom works with reads.
    model.ir_version = 8
    return bytes(model.SerializeToString(deterministic=True))


def _folded_layers(network: nn.Sequential, temperature: float) -> list[Layer]:
    """Give kernel, bias, stride and padding of each convolution, normalization included."""
    layers: list[Layer] = []
    modules = list(network)
    for module, following in zip(modules, [*modules[1:], None]):
        if not isinstance(module, nn.Conv2d):
            continue
        kernel = module.weight.detach().double()
        count = kernel.shape[0]
        bias = torch.zeros(count, dtype=torch.float64)
        if module.bias is not None:
            bias = module.bias.detach().double() / temperature
            kernel = kernel / temperature
        if isinstance(following, nn.BatchNorm2d):
            mean, variance = following.running_mean, following.running_var
            assert mean is not None and variance is not None  # noqa: S101, PT018 -- it tracks them
            factor = following.weight.detach().double() / torch.sqrt(
                variance.double() + following.eps
            )
            kernel = kernel * factor[:, None, None, None]
            bias = following.bias.detach().double() - mean.double() * factor
        layers.append(
            (kernel.float().numpy(), bias.float().numpy(), module.stride[0], int(module.padding[0]))
        )
    return layers


def varied_patches(patches: Tensor, /, *, turns: bool, noise: float) -> Tensor:
    """Turn, mirror, shift, scale and cut patches, and add noise; by torch's random numbers.

    Parameters
    ----------
    patches : Tensor, shape (patch, row, column)
        On the grid.
    turns : bool
        By any angle, and mirrored; else shifts and scales alone.
    noise : float
        The largest, over the spread of a patch.

    Returns
    -------
    Tensor, shape (patch, 1, row, column)
        Each with the mean and the spread that patches on the grid have.
    """
    count = len(patches)
    grid = functional.affine_grid(
        _movements(count, turns=turns), [count, 1, N_GRID, N_GRID], align_corners=False
    )
    seen = functional.grid_sample(patches[:, None], grid, align_corners=False)
    seen = seen + noise * torch.rand(count, 1, 1, 1) * torch.randn_like(seen)
    weight = torch.from_numpy(disc()) * _kept_by_edge(count)
    total = weight.sum(dim=(2, 3), keepdim=True)
    seen = seen - (seen * weight).sum(dim=(2, 3), keepdim=True) / total
    spread = torch.sqrt((seen**2 * weight).sum(dim=(2, 3), keepdim=True) / total)
    return seen * weight / spread.clamp_min(torch.finfo(torch.float32).tiny)


def _movements(count: int, *, turns: bool) -> Tensor:
    """Draw matrices (patch, 2, 3) that say where each place of a patch is taken from."""
    angle = 2 * torch.pi * torch.rand(count) if turns else torch.zeros(count)
    mirror = torch.randint(2, (count,)) * 2 - 1 if turns else torch.ones(count)
    scale = 1 + _SCALE * (2 * torch.rand(count) - 1)
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    # A grid spans -1 to 1.
    shift = _SHIFT * 2 / N_GRID * (2 * torch.rand(2, count) - 1)
    rows = [
        torch.stack([mirror * cosine, -sine, shift[0]], dim=1),
        torch.stack([mirror * sine, cosine, shift[1]], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _kept_by_edge(count: int) -> Tensor:
    """Draw the edge of an image across some of the patches: 0 beyond it, which was not seen."""
    place = torch.arange(N_GRID) - (N_GRID - 1) / 2
    edge = torch.rand(count, 1) * N_GRID / 2
    edge[torch.rand(count) > _AT_EDGE] = N_GRID
    inside = (place < edge).float()
    side = torch.randint(4, (count,))
    inside = torch.where((side >= 2)[:, None], inside.flip(1), inside)
    down, across = inside[:, None, :, None], inside[:, None, None, :]
    return torch.where((side % 2 == 0)[:, None, None, None], down, across)
