"""Maps of pictures by a trained network in torch, on a GPU if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom.networks.torch_state import require_torch

if TYPE_CHECKING:
    from adatom.networks.learner import Predictor
    from adatom.networks.weights import TrainedNetwork


def predictor_of_network(network: TrainedNetwork, /, *, device: str = "cpu") -> Predictor:
    """Make what gives the maps of pictures.

    Parameters
    ----------
    network : TrainedNetwork
    device : {"cpu", "cuda"}
        Where it is computed.
    """
    require_torch()
    from adatom.networks.export import folded_network
    from adatom.networks.learner import Predictor

    return Predictor(folded_network(network).to(device), device)
