"""Defects against the ideal crystal: found, named, kept in a library, computed.

===================  =============================================================
``compare_defects``  how far the atoms of defects are from one another
``Defects``          defects, the atoms of each, and the bonds between these
===================  =============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.records import Defects
    from adatom.defects.similarity import compare_defects

__all__ = [
    "Defects",
    "compare_defects",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Defects": "records",
        "compare_defects": "similarity",
    },
)
