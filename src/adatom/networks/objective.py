"""What a training minimizes: the losses of the maps, weighed and summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from adatom.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

    from adatom.networks.architecture import Architecture

Form = Literal["focal", "cross entropy"]


@dataclass(frozen=True)
class Objective:
    """Losses of the maps and their weights.

    The weights bring the parts to about one size late in a training, when
    the focal loss of cells that are judged well has become small.

    Attributes
    ----------
    form : {"focal", "cross entropy"}
        Of the loss of sites and classes; "focal" lets the few cells that are
        judged badly decide. Lattice is not rare, and its map is read as a
        probability: its loss is always the cross-entropy.
    gamma : float
        Of the focal loss: how strongly well-judged cells are discounted.
    center, overlap, offset, lattice, classes, turn : float
        Weights of: which cells belong to a site; their overlap (dice); where
        in its cell a site is; which parts are lattice; the class of a site;
        its orientation.
    class_weights : tuple of float
        One for each class, larger for rare ones; all the same by default.
    """

    form: Form = "focal"
    gamma: float = 2.0
    center: float = 4.0
    overlap: float = 0.5
    offset: float = 1.0
    lattice: float = 0.7
    classes: float = 2.0
    turn: float = 0.5
    class_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            msg = f"form={self.form!r} is not one of {', '.join(get_args(Form))}"
            raise SettingError(msg)
        weights = (
            self.center, self.overlap, self.offset, self.lattice, self.classes, self.turn,
        )  # fmt: skip
        if self.gamma < 0 or min(weights) < 0 or self.center == 0:
            msg = f"{self} must have weights and gamma of 0 or more, and a center above 0"
            raise SettingError(msg)

    @property
    def exponent(self) -> float:
        """Gamma of the losses: 0 makes a focal loss the cross-entropy."""
        return self.gamma if self.form == "focal" else 0.0


def loss_terms(
    maps: Tensor, batch: dict[str, Tensor], architecture: Architecture, objective: Objective, /
) -> dict[str, Tensor]:
    """Give the weighed losses of a batch by name; their sum is what is minimized.

    Parameters
    ----------
    maps : Tensor, shape (batch, channel, y, x)
        Of the network.
    batch : dict of Tensor
        The fields of a `Batch`.
    architecture : Architecture
        Tells the channels.
    objective : Objective
        Tells the weights.
    """
    from adatom.networks.losses import (
        dice_loss,
        focal_loss,
        multiclass_focal_loss,
        offset_loss,
        turn_loss,
    )

    weight, gamma = batch["weight"], objective.exponent
    center = maps[:, 0]
    terms = {
        "center": objective.center
        * focal_loss(center, batch["center"], gamma=gamma, weight=weight),
        "overlap": objective.overlap * dice_loss(center, batch["center"], weight=weight),
        "offset": objective.offset
        * offset_loss(maps[:, 1:3], batch["offset"], batch["center"] * weight),
        "lattice": objective.lattice
        * focal_loss(maps[:, 3], batch["lattice"], gamma=0.0, weight=weight),
    }
    n_classes = len(architecture.classes)
    if n_classes:
        weights = objective.class_weights
        terms["classes"] = objective.classes * multiclass_focal_loss(
            maps[:, 4 : 4 + n_classes],
            batch["number"],
            gamma=gamma,
            class_weight=maps.new_tensor(weights, dtype=center.dtype) if weights else None,
            weight=weight,
        )
    if architecture.symmetry:
        terms["turn"] = objective.turn * turn_loss(
            maps[:, 4 + n_classes :], batch["turn"], batch["center"] * weight
        )
    return terms
