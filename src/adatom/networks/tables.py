"""The card of a trained network as tables."""

from __future__ import annotations

import numpy as np

from adatom.errors import KindError
from adatom.networks.weights import TrainedNetwork, check_network
from adatom.schema import Table, table_from_columns


def table_from_training(network: TrainedNetwork, /) -> Table:
    """Give the losses and scores of a training, step by step.

    Parameters
    ----------
    network : TrainedNetwork
        With a history in its card.

    Returns
    -------
    Table
        One row each time it was scored: ``step``, the mean ``loss`` since the
        score before and its parts (``center``, ``overlap``, ``offset``,
        ``lattice``), and the scores, such as ``f1`` and ``rmse``.

    Raises
    ------
    KindError
        If it was never trained.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from adatom.networks import Architecture, Trainer
    >>> network = Trainer(Architecture(width=4)).untrained()
    >>> card = replace(network.card, history=({"step": 10, "loss": 0.5},))
    >>> table_from_training(replace(network, card=card))["loss"].values
    array([0.5])
    """
    check_network(network)
    history = network.card.history
    if not history:
        msg = "the card of this network holds no history: it was never trained"
        raise KindError(msg)
    names = list(dict.fromkeys(name for row in history for name in row))
    columns = {name: np.array([float(row.get(name, np.nan)) for row in history]) for name in names}
    return table_from_columns({**columns, "step": columns["step"].astype(np.int64)})
