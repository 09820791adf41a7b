"""Curves -> what they tell: models fitted, contacts and stiffness, loops, lifetimes.

==================  =================================================
``estimate_loops``  switching voltages and remanence of hysteresis loops
==================  =================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.curves.loops import estimate_loops

__all__ = [
    "estimate_loops",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "estimate_loops": "loops",
    },
)
