"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

==================  ==================================================
==================  ==================================================
"""

from __future__ import annotations

from adatom._lazy import lazy_names

__all__: list[str] = []

__getattr__, __dir__ = lazy_names(__name__, {})
