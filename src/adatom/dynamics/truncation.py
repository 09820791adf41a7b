"""Links that are nearly as long as the linker sought: longer ones were lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import brentq

from adatom.errors import UnitError
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from adatom.dynamics.increments import Increments
    from adatom.dynamics.trajectories import Trajectories

_NEAR: Final = 0.8
# Of free motion cut off where D loses a hundredth, so many links are near the limit.
_SERIOUS: Final = 0.015
_LEAST_LINKS: Final = 20


@dataclass(frozen=True)
class Truncation:
    """Share of links beyond 0.8 of the limit, and the share of D that is lost by it."""

    share: float
    lost: float

    @property
    def is_serious(self) -> bool:
        """Tell whether D is too small by more than a hundredth."""
        return bool(self.share > _SERIOUS)

    def in_words(self) -> str:
        """Say what it means and what to try."""
        return (
            f"{100 * self.share:.1f} % of the links are longer than {_NEAR:g} of the search range: "
            f"longer ones were lost, and D is too small, by some {100 * self.lost:.0f} % if motion "
            "is free. Link again with a longer search range, or faster frames"
        )


_UNLIMITED: Final = Truncation(np.nan, np.nan)


def estimate_truncation(
    increments: Increments, limit: object, trajectories: Trajectories, /
) -> Truncation:
    """Compare links from frame to frame with the search range, in the unit of the sites or a text.

    The squared length of a free step is exponential: cut off at the limit
    L^2 = x m, its mean m falls to m (1 - x / (e^x - 1)), from which x follows.
    """
    if limit is None or trajectories.n_phases > 1 or not (increments.frames == 1).any():
        return _UNLIMITED
    reach = _length(limit, trajectories.unit)
    steps = increments.step[increments.frames == 1]
    squares = (steps**2).sum(axis=1)
    if len(squares) < _LEAST_LINKS or not reach > 0:
        return _UNLIMITED
    share = float((squares > (_NEAR * reach) ** 2).mean())
    relative = float(squares.mean()) / reach**2
    # Of steps spread evenly over the disc, half: beyond that nothing can be told.
    if relative >= 0.49:
        return Truncation(share, 1.0)
    x = brentq(lambda x: 1 / x - 1 / np.expm1(x) - relative, 1e-3, 500.0)
    return Truncation(share, float(x / np.expm1(x)))


def _length(limit: object, unit: str) -> float:
    if isinstance(limit, str):
        setting: Length = limit
        return length_from_setting(setting, unit=unit, name="search_range of the tracks")
    try:
        return float(limit)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        msg = f"search_range of the tracks is {limit!r}, need a length in {unit}"
        raise UnitError(msg) from error
