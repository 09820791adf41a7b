"""A small call of a step, for the contract."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Example(NamedTuple):
    """Data and settings of a call."""

    data: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = MappingProxyType({})
