"""Sites over frames: linked to tracks, with their drift and how far the links can be trusted.

==========================  ================================================================
``link_sites``              sites of a movie to tracks, by the cheapest exclusive assignment
``remove_drift``            take off what all sites move together
``assess_links``            which links are doubtful, and how many are wrong
``count_sightings``         how often each track was seen, and how it scatters
``find_merges_and_splits``  tracks that end in the middle of another, or begin there
``DriftRemoval``            what `remove_drift` gives
``LinkQuality``             what `assess_links` gives
==========================  ================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.tracking.assessing import LinkQuality, assess_links
    from adatom.tracking.drift import DriftRemoval, remove_drift
    from adatom.tracking.linking import link_sites
    from adatom.tracking.merging import find_merges_and_splits
    from adatom.tracking.sightings import count_sightings

__all__ = [
    "DriftRemoval",
    "LinkQuality",
    "assess_links",
    "count_sightings",
    "find_merges_and_splits",
    "link_sites",
    "remove_drift",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DriftRemoval": "drift",
        "LinkQuality": "assessing",
        "assess_links": "assessing",
        "find_merges_and_splits": "merging",
        "count_sightings": "sightings",
        "link_sites": "linking",
        "remove_drift": "drift",
    },
)
