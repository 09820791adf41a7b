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
    training : dict
        Settings, losses among them, with what was chosen by itself: steps, precision, device.
    seed : int
    n_steps : int
        Steps that were made.
    end : str
        Why the training ended: "all steps", "no better score" or "time".
    scores : dict
        Of the network on pictures that it was not trained on.
    strata : tuple of dict
        The same scores, apart for each class of noise.
    threshold : float
        Score above which a site counts: the one of the largest F1.
    calibration : tuple of (float, float)
        Knots (score, share of such sites that are right), both rising; none
        leaves scores as they are.
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
    seed: int = 0
    n_steps: int = 0
    end: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    strata: tuple[dict[str, Any], ...] = ()
    threshold: float = 0.5
    calibration: tuple[tuple[float, float], ...] = ()
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
        known = {part.name for part in fields(cls)}
        if not isinstance(card, dict) or set(card) != known:
            found = sorted(card) if isinstance(card, dict) else type(card).__name__
            msg = f"the card has {found}, need {sorted(known)}"
            raise StoreError(msg)
        parts = {key: _checked(key, value) for key, value in card.items()}
        return cls(**parts)


def _checked(key: str, value: Any) -> Any:  # noqa: ANN401 -- JSON
    """Give a part of a card in its type, whoever wrote it."""
    is_list = isinstance(value, list | tuple)
    if key == "spacings" and _is_pair(value):
        return tuple(map(float, value))
    if key == "calibration" and is_list and all(map(_is_pair, value)):
        return tuple(tuple(map(float, knot)) for knot in value)
    if key in ("strata", "history") and is_list and all(isinstance(part, dict) for part in value):
        return tuple(value)
    if key in ("seed", "n_steps") and type(value) is int:
        return value
    if key == "threshold" and _is_number(value):
        return float(value)
    if key in ("training", "scores", "versions") and isinstance(value, dict):
        return value
    if key in ("trained_on", "end", "started_from", "sha256") and isinstance(value, str):
        return value
    msg = f"{key} of the card is {value!r:.80}, which it cannot be"
    raise StoreError(msg)


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return type(value) in (int, float)
