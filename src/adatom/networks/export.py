"""A trained network as one file that runs without torch."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import adatom
from adatom.errors import KindError
from adatom.networks.architecture import MULTIPLE, Architecture
from adatom.networks.torch_state import require_torch
from adatom.networks.weights import TrainedNetwork, check_network
from adatom.numerics.exported_network import Card, ExportedNetwork
from adatom.numerics.heatmaps import STRIDE

if TYPE_CHECKING:
    from torch import nn

_OPSET: Final = 17
# Pixels beyond which no network of ours sees.
_FAR: Final = 512


def export_network(network: TrainedNetwork, /) -> ExportedNetwork:
    """Export a trained network to ONNX, in which the core of adatom runs it.

    Normalizations are folded into the convolutions before them, so that the
    graph is smaller and faster and gives the same maps to rounding. The same
    network gives the same bytes.

    Parameters
    ----------
    network : TrainedNetwork
        From `Trainer.train`, a pipeline that trains, or a file.

    Returns
    -------
    ExportedNetwork
        With a card of what its pictures must be and how its scores are read.

    Raises
    ------
    MissingExtraError
        If torch or onnx is not installed.
    KindError
        If it is no trained network.

    Examples
    --------
    >>> from adatom.networks import Architecture, Trainer
    >>> untrained = Trainer(Architecture(width=4)).untrained()
    >>> export_network(untrained).card.channels
    ('center', 'offset_y', 'offset_x', 'lattice')
    """
    check_network(network)
    card = network.card
    return ExportedNetwork.from_graph(
        _graph(network),
        Card(
            channels=network.architecture.channels,
            stride=STRIDE,
            multiple=MULTIPLE,
            reach=reach_of_network(network.architecture),
            distances=card.spacings,
            threshold=card.threshold,
            calibration=card.calibration,
            symmetry=network.architecture.symmetry,
            trained_on=card.trained_on or "{}",
            scores=dict(card.scores),
            version=adatom.__version__,
        ),
    )


def export_networks(networks: list[TrainedNetwork], /) -> list[ExportedNetwork]:
    """Export the members of an ensemble, each as `export_network` does.

    Parameters
    ----------
    networks : list of TrainedNetwork
        As `pipelines.train_ensemble` gives them.

    Returns
    -------
    list of ExportedNetwork
        For `localization.find_atoms_by_ensemble`.

    Raises
    ------
    KindError
        If it is no list of trained networks.

    Examples
    --------
    >>> from adatom.networks import Architecture, Trainer
    >>> members = [Trainer(Architecture(width=4), seed=seed).untrained() for seed in (1, 2)]
    >>> len(export_networks(members))
    2
    """
    _check_list(networks)
    return [export_network(network) for network in networks]


def _check_list(found: object) -> None:
    if not isinstance(found, list | tuple):
        msg = f"found {type(found).__name__}, need a list of networks"
        raise KindError(msg)


def _graph(network: TrainedNetwork) -> bytes:
    torch = require_torch()
    buffer = io.BytesIO()
    picture = torch.zeros(1, 1, 2 * MULTIPLE, 2 * MULTIPLE)
    any_size = {0: "batch", 2: "y", 3: "x"}
    with warnings.catch_warnings():
        # This exporter is said to be superseded; the other gives graphs of fixed size here.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            folded_network(network),
            (picture,),
            buffer,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["picture"],
            output_names=["maps"],
            dynamic_axes={"picture": any_size, "maps": any_size},
        )
    return buffer.getvalue()


def folded_network(network: TrainedNetwork, /) -> nn.Module:
    """Build the network at rest, each normalization joined to the convolution before it."""
    torch = require_torch()
    from torch.nn.utils import fuse_conv_bn_eval

    from adatom.networks.blocks import build_network

    built = build_network(network.architecture)
    built.load_state_dict({name: torch.from_numpy(v) for name, v in network.tensors.items()})
    built.eval()
    for block in [part for part in built.modules() if isinstance(part, torch.nn.Sequential)]:
        for place in range(len(block) - 1):
            before, after = block[place], block[place + 1]
            if isinstance(before, torch.nn.Conv2d) and isinstance(after, torch.nn.BatchNorm2d):
                block[place] = fuse_conv_bn_eval(before, after)
                block[place + 1] = torch.nn.Identity()
    return built


def reach_of_network(architecture: Architecture, /) -> int:
    """Give how many pixels away the picture still changes a cell of the maps.

    Seen by what flows back from a few rows of cells through weights that are
    all positive, which let through whatever can pass.

    Examples
    --------
    >>> from adatom.networks import Architecture
    >>> reach_of_network(Architecture(kind="unet", width=4))
    48
    """
    torch = require_torch()
    from adatom.networks.blocks import build_network

    # The smallest network of its kind reaches as far, and as far down as across.
    built = build_network(replace(architecture, width=4, classes=(), symmetry=0)).double().eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.fill_(1.0)
    picture = torch.ones(1, 1, 2 * _FAR, 2 * MULTIPLE, dtype=torch.double, requires_grad=True)
    rows = slice(_FAR // STRIDE, (_FAR + MULTIPLE) // STRIDE)
    with torch.enable_grad():
        built(picture)[:, :1, rows].sum().backward()
    assert picture.grad is not None  # noqa: S101 -- for the type checker
    seen = torch.nonzero(picture.grad[0, 0].sum(dim=1))
    farthest = max(_FAR - int(seen.min()), int(seen.max()) - (_FAR + MULTIPLE - 1))
    return -(-farthest // MULTIPLE) * MULTIPLE
