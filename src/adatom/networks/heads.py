"""A trained network that is to say more than before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from adatom.networks.torch_state import require_torch
from adatom.networks.weights import TrainedNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence


def network_with_classes(
    network: TrainedNetwork, classes: Sequence[str], /, *, seed: int = 0
) -> TrainedNetwork:
    """Give a network other classes to tell apart; what it knows otherwise stays.

    Parameters
    ----------
    network : TrainedNetwork
        Classes of the same name keep their weights.
    classes : sequence of str
        Names, two or more, or none.
    seed : int
        Of the first weights of new classes.
    """
    if tuple(classes) == network.architecture.classes:
        return network
    require_torch()
    from adatom.networks.blocks import build_network

    architecture = replace(network.architecture, classes=tuple(classes))
    fresh = build_network(architecture, seed=seed).state_dict()
    tensors = dict(network.tensors)
    before = {name: place for place, name in enumerate(network.architecture.channels)}
    for part in ("heads.weight", "heads.bias"):
        values = fresh[part].numpy().copy()
        for place, name in enumerate(architecture.channels):
            if name in before:
                values[place] = network.tensors[part][before[name]]
        tensors[part] = values
    return TrainedNetwork(architecture, tensors, network.card)
