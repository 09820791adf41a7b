"""Labeled pictures -> trained networks; needs torch (``pip install 'adatom[train]'``).

====================  =======================================================
``Architecture``      which network, how wide, with which heads
====================  =======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.networks.architecture import Architecture

__all__ = [
    "Architecture",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Architecture": "architecture",
    },
)
