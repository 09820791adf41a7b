"""Defects against the ideal crystal: found, named, kept in a library, computed.

===================  =============================================================
``Defects``          defects, the atoms of each, and the bonds between these
``ClassCard``        a class of defects as an atlas shows it, with ``Estimate``, ``Drawing``,
                     ``Computed``
===================  =============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.class_cards import ClassCard, Computed, Drawing, Estimate
    from adatom.defects.records import Defects

__all__ = [
    "ClassCard",
    "Computed",
    "Defects",
    "Drawing",
    "Estimate",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassCard": "class_cards",
        "Computed": "class_cards",
        "Defects": "records",
        "Drawing": "class_cards",
        "Estimate": "class_cards",
    },
)
