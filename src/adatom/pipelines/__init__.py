"""Steps that join stages in a loop, such as training on images simulated meanwhile.

====================  =======================================================
``train_finder``      simulated images -> a network that finds sites
====================  =======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.pipelines.training import train_finder

__all__ = [
    "train_finder",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "train_finder": "training",
    },
)
