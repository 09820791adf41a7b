"""One small call of every step, for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

EXAMPLES: Mapping[str, Callable[[], Example]] = {}
READERS: frozenset[str] = frozenset()


class Example(NamedTuple):
    """Data and settings of a call."""

    data: tuple[Any, ...]
    settings: Mapping[str, Any]
