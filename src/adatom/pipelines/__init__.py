"""Steps that join stages in a loop, such as training on images simulated meanwhile.

====================  =======================================================
====================  =======================================================
"""

from __future__ import annotations

from adatom._lazy import lazy_names

__all__: list[str] = []

__getattr__, __dir__ = lazy_names(__name__, {})
