"""Small calls of the steps of local crystallography: films."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

EXAMPLES: dict[str, Callable[[], Example]] = {}
