"""Labeled pictures -> trained networks; needs torch (``pip install 'adatom[train]'``).

===========================  ==================================================
``Architecture``             which network, how wide, with which heads
``labels_from_periodicity``  where one frame violates its own periodicity
===========================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.networks.architecture import Architecture
    from adatom.networks.periodicity import PeriodicityLabels, labels_from_periodicity

__all__ = [
    "Architecture",
    "PeriodicityLabels",
    "labels_from_periodicity",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Architecture": "architecture",
        "PeriodicityLabels": "periodicity",
        "labels_from_periodicity": "periodicity",
    },
)
