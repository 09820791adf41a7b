"""What a trained network says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from adatom.errors import StoreError
from adatom.numerics.network_input import SPACINGS


@dataclass(frozen=True)
class TrainingCard:
    """How a network came to be, and how good it is.

    Attributes
    ----------
    trained_on : str
        What its pictures were: JSON of the settings of the simulation, or
        words on a set of images.
    training, objective : dict
        Settings, with what was chosen by itself: steps, precision, device.
    seed : int
    n_steps : int
        Steps that were made.
    end : str
        Why the training ended: "all steps", "no better score" or "time".
    scores : dict
        Of the network on pictures that it was not trained on.
    strata : tuple of dict
        The same scores, apart for each class of noise.
    calibration : tuple of float
        Slope and shift that turn the logit of a score into the logit of the
        share of sites that are right.
    spacings : tuple of float
        Distances of neighboring atoms that it was made for, in pixels.
    history : tuple of dict
        Losses and scores over the steps.
    versions : dict
        Of adatom and of the libraries that it was trained with.
    started_from : str
        Hash of the network whose weights it began with; empty for fresh ones.
    sha256 : str
        Of its tensors.
    """

    trained_on: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    n_steps: int = 0
    end: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    strata: tuple[dict[str, Any], ...] = ()
    calibration: tuple[float, float] = (1.0, 0.0)
    spacings: tuple[float, float] = SPACINGS
    history: tuple[dict[str, float], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    started_from: str = ""
    sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the card as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, card: object, /) -> TrainingCard:
        """Make a card from what `to_json` gave.

        Raises
        ------
        StoreError
            If it is not the card of a network.
        """
        known = {part.name: part.default for part in fields(cls)}
        if not isinstance(card, dict) or set(card) != set(known):
            found = sorted(card) if isinstance(card, dict) else type(card).__name__
            msg = f"the card has {found}, need {sorted(known)}"
            raise StoreError(msg)
        parts = {key: _checked(key, value) for key, value in card.items()}
        return cls(**parts)


_NUMBERS = (int, float)


def _checked(key: str, value: Any) -> Any:  # noqa: ANN401 -- JSON
    """Give a part of a card in its type, whoever wrote it."""
    if key in ("calibration", "spacings"):
        is_pair = isinstance(value, list | tuple) and len(value) == 2
        if is_pair and all(type(number) in _NUMBERS for number in value):
            return tuple(map(float, value))
    elif key in ("strata", "history"):
        if isinstance(value, list | tuple) and all(isinstance(part, dict) for part in value):
            return tuple(value)
    elif key in ("seed", "n_steps"):
        if type(value) is int:
            return value
    elif key in ("training", "objective", "scores", "versions"):
        if isinstance(value, dict):
            return value
    elif isinstance(value, str):
        return value
    msg = f"{key} of the card is {value!r:.80}, which it cannot be"
    raise StoreError(msg)
