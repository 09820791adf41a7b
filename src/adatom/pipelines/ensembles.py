"""Training of several networks, to see where they agree."""

from __future__ import annotations

from typing import Final

from adatom.errors import SettingError
from adatom.networks import Architecture, Pictures, TrainedNetwork, Trainer, Training
from adatom.networks.torch_state import require_torch
from adatom.networks.weights import check_network
from adatom.numerics.long_work import current_long_work, lend_long_work
from adatom.pipelines.training import stream_of_images, train_finder, with_scores
from adatom.simulation import TrainingImages

_USUAL_NUMBER: Final = 4
# Seeds of members, far from one another: their images are all different.
_SEEDS_APART: Final = 1_000_003


def train_ensemble(
    network: TrainedNetwork | None = None,
    /,
    *,
    images: TrainingImages = TrainingImages(),  # noqa: B008 -- frozen
    architecture: Architecture | None = None,
    training: Training = Training(),  # noqa: B008 -- frozen
    pictures: Pictures = Pictures(),  # noqa: B008 -- frozen
    n_members: int | None = None,
    seed: int = 0,
) -> list[TrainedNetwork]:
    """Train several networks that find sites, each as `train_finder` does.

    Where networks that learned apart from one another agree, what they say
    does not depend on chance. Independent members take as many times as long
    as one network [1]_; with the schedule "snapshots" one training of the
    usual length gives all of them, which differ less [2]_.

    Parameters
    ----------
    network : TrainedNetwork, optional
        Whose weights every member begins with; fresh ones, of its own for
        each, by default.
    images : TrainingImages
        What is simulated.
    architecture : Architecture, optional
        Which network; as for `train_finder`.
    training : Training
        Of each member. With ``schedule="snapshots"``, of all: `n_cycles` is
        the number of members.
    pictures : Pictures
        Size of the crops, and how many images are judged.
    n_members : int, optional
        Of independent members 4 by default: the spread of fewer is hardly
        measured.
    seed : int
        The first member's; others follow from it.

    Returns
    -------
    list of TrainedNetwork
        Each with its scores in its card.

    Raises
    ------
    SettingError
        If there are fewer than two members, or not as many as snapshots.

    References
    ----------
    .. [1] B. Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474.
    .. [2] G. Huang et al., ICLR 2017, arXiv:1704.00109.

    Examples
    --------
    >>> members = train_ensemble(
    ...     images=TrainingImages(size=64),
    ...     architecture=Architecture(width=4),
    ...     training=Training(n_steps=2, batch_size=2, schedule="snapshots", n_cycles=2,
    ...                       n_warm_up=0),
    ...     pictures=Pictures(crop=32, n_judged=1),
    ... )
    >>> len(members)
    2
    """
    if network is not None:
        check_network(network)
    require_torch()
    is_snapshots = training.schedule == "snapshots"
    number = n_members
    if number is None:
        number = training.n_cycles if is_snapshots else _USUAL_NUMBER
    if number < 2 or (is_snapshots and number != training.n_cycles):
        msg = (
            f"{n_members=} with schedule={training.schedule!r} and n_cycles={training.n_cycles}: "
            "an ensemble has 2 members or more, snapshots as many as cycles"
        )
        raise SettingError(msg)
    if is_snapshots:
        return _snapshots(network, images, architecture, training, pictures, seed)
    folder = current_long_work().folder
    members = []
    for member in range(number):
        with lend_long_work(folder / f"member-{member}" if folder else None):
            members.append(
                train_finder(
                    network,
                    images=images,
                    architecture=architecture,
                    training=training,
                    pictures=pictures,
                    seed=seed + member * _SEEDS_APART,
                )
            )
    return members


def _snapshots(
    network: TrainedNetwork | None,
    images: TrainingImages,
    architecture: Architecture | None,
    training: Training,
    pictures: Pictures,
    seed: int,
) -> list[TrainedNetwork]:
    if architecture is None:
        architecture = Architecture() if network is None else network.architecture
    stream = stream_of_images(images, pictures, architecture, training, seed)
    trainer = Trainer(architecture, training, seed, network, stream.told())
    judge = stream.judge()
    return [with_scores(member, judge) for member in trainer.train_snapshots(stream, judge)]
