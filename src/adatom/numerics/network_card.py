"""The card of an exported network: what it takes and gives, and what is known of it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from adatom.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS: Final = ("center", "offset_y", "offset_x", "lattice")
"""Maps that every network gives, in this order."""

FORMAT: Final = 1
"""Number of the card's layout."""

_LARGEST_SIZE: Final = 4096
_MOST_CHANNELS: Final = 256


@dataclass(frozen=True)
class Card:
    """What an exported network takes and gives, and what is known of it.

    Attributes
    ----------
    channels : tuple of str
        Names of its maps, in their order: "center", "offset_y", "offset_x",
        "lattice", then "class:<name>" for every class, then "cos", "sin" if
        it gives an orientation.
    stride : int
        Pixels of the picture per cell of the maps.
    multiple : int
        Rows and columns of a picture must be multiples of this.
    reach : int
        Pixels of the picture, to every side, beyond which nothing changes a
        cell: half of the receptive field. Tiles overlap by it.
    distances : tuple of two floats
        Least and largest distance between neighboring atoms, in pixels of
        the picture, that it was trained on.
    threshold : float
        Of the probability of a center, above which there is an atom.
    calibration : tuple of (float, float)
        Knots (probability of a center, share of such sites that are true),
        both rising, between which scores are interpolated; none leaves the
        probability as it is.
    symmetry : int
        Orientations are given modulo 360 deg / symmetry; 0 without them.
    trained_on : str
        The manifest of the training, as JSON.
    scores : mapping of str to float
        What it reached on images kept aside, such as "f1".
    version : str
        Of adatom, by which it was exported.
    hash : str
        SHA-256 of the graph, hexadecimal; `ExportedNetwork.from_graph`
        writes it.
    """

    channels: tuple[str, ...] = CHANNELS
    stride: int = 2
    multiple: int = 16
    reach: int = 128
    distances: tuple[float, float] = (6.0, 14.0)
    threshold: float = 0.5
    calibration: tuple[tuple[float, float], ...] = ()
    symmetry: int = 0
    trained_on: str = "{}"
    scores: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
    hash: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be used in a prediction."""
        wrong = _wrong_with(self)
        if wrong:
            msg = f"the card of a network is odd: {'; '.join(wrong)}"
            raise SettingError(msg)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it tells apart, none if it does not."""
        return tuple(
            name.removeprefix("class:") for name in self.channels if name.startswith("class:")
        )

    def to_json(self) -> str:
        """Give the card as text."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, /) -> Card:
        """Make the card again from its text.

        Raises
        ------
        SettingError
            If it is no card of this layout, or says what no network can.
        """
        try:
            told = json.loads(text)
            stated = told.pop("format")
            if stated != FORMAT:
                msg = f"it is of layout {stated}, this version of adatom reads layout {FORMAT}"
                raise SettingError(msg)
            odd = sorted(set(told) - {part.name for part in fields(cls)})
            if odd:
                msg = f"it has {', '.join(odd)}, which no card has"
                raise SettingError(msg)
            return cls(**{name: _frozen(value) for name, value in told.items()})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            msg = f"the card of the network cannot be read: {error}"
            raise SettingError(msg) from error


def _frozen(value: Any) -> Any:  # noqa: ANN401 -- whatever JSON holds
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _wrong_with(card: Card) -> list[str]:
    """List what a prediction could not work with."""
    wrong = _wrong_sizes(card)
    texts = ("trained_on", "version", "hash")
    wrong += [f"{name} must be text" for name in texts if not _is_text(getattr(card, name))]
    wrong += _wrong_distances(card.distances) + _wrong_calibration(card.calibration)
    if not (_is_number(card.threshold) and 0 < card.threshold < 1):
        wrong.append(f"threshold={card.threshold!r} must lie between 0 and 1")
    if not _are_scores(card.scores):
        wrong.append(f"scores={card.scores!r} must be names with numbers")
    return wrong + _wrong_channels(card.channels, has_orientation=bool(card.symmetry))


def _wrong_sizes(card: Card) -> list[str]:
    wrong = []
    for name in ("stride", "multiple", "reach", "symmetry"):
        value = getattr(card, name)
        if type(value) is not int or not 0 <= value <= _LARGEST_SIZE:
            wrong.append(f"{name}={value!r} must be a whole number from 0 to {_LARGEST_SIZE}")
    if not wrong and (
        card.stride not in {1, 2, 4, 8} or card.multiple < 1 or card.multiple % card.stride
    ):
        wrong.append(
            f"stride={card.stride} must be 1, 2, 4 or 8, and multiple={card.multiple} a multiple "
            "of it"
        )
    return wrong


def _wrong_distances(stated: object) -> list[str]:
    match stated:
        case (low, high) if _is_number(low) and _is_number(high) and 1 <= low < high <= 1000:
            return []
    return [f"distances={stated!r} must be two rising lengths in pixels"]


def _wrong_calibration(stated: object) -> list[str]:
    if not isinstance(stated, tuple) or not all(map(_is_knot, stated)):
        return ["calibration must be pairs of numbers from 0 to 1"]
    if any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(stated)):
        return ["the pairs of the calibration must rise"]
    return []


def _is_knot(knot: object) -> bool:
    return (
        isinstance(knot, tuple)
        and len(knot) == 2
        and all(_is_number(value) and 0 <= value <= 1 for value in knot)
    )


def _wrong_channels(names: object, *, has_orientation: bool) -> list[str]:
    if not isinstance(names, tuple) or not all(map(_is_text, names)):
        return ["channels must be names"]
    classes = tuple(name for name in names if name.startswith("class:"))
    expected = CHANNELS + classes + (("cos", "sin") if has_orientation else ())
    if names != expected or len(set(names)) != len(names):
        expectation = f"{', '.join(CHANNELS)}, then class:<name>, then cos, sin with a symmetry"
        return [f"channels={names} must be {expectation}"]
    if len(names) > _MOST_CHANNELS:
        return [f"{len(names)} channels are more than the {_MOST_CHANNELS} that are run"]
    return []


def _are_scores(stated: object) -> bool:
    return isinstance(stated, dict) and all(
        _is_text(name) and _is_number(value) for name, value in stated.items()
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> TypeGuard[float]:
    # Comparisons with NaN are false.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
