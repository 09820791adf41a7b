"""A small call of the step that finds impurities in movies."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example
from hopping_graphene import hopping_movie

EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.find_impurities_in_movie": lambda: Example(
        (hopping_movie(n_frames=3, size=128, n_impurities=1).movie,)
    ),
}
