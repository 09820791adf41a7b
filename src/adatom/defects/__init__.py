"""Defects against the ideal crystal: found, named, kept in a library, computed.

===================  =============================================================
``Defects``          defects, the atoms of each, and the bonds between these
===================  =============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.records import Defects

__all__ = [
    "Defects",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Defects": "records",
    },
)
