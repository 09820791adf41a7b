"""Small calls of the steps of local crystallography: windows."""

from __future__ import annotations

from collections.abc import Callable

from contract_example import Example

EXAMPLES: dict[str, Callable[[], Example]] = {}
