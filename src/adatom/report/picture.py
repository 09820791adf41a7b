"""A picture of a report, to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLER: Final = 0.8
"""Size on the page of what results were made from."""


@dataclass(frozen=True)
class Picture:
    """A picture to be drawn.

    Attributes
    ----------
    name : str
        Of its file, without ending.
    scale : float
        Size on the page: results are shown large, what they were made from
        smaller.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]
    scale: float = 1.0
