"""Steps that join stages in a loop, such as training on images simulated meanwhile.

=========================  =======================================================
``train_finder``           simulated images -> a network that finds sites
``train_from_frame``       one labeled frame -> a network that finds its defects
``find_defects_in_movie``  such a network, every frame of a movie -> defects
``MovieDefects``           what ``find_defects_in_movie`` gives
=========================  =======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.pipelines.one_frame import MovieDefects, find_defects_in_movie, train_from_frame
    from adatom.pipelines.training import train_finder

__all__ = [
    "MovieDefects",
    "find_defects_in_movie",
    "train_finder",
    "train_from_frame",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "MovieDefects": "one_frame",
        "find_defects_in_movie": "one_frame",
        "train_finder": "training",
        "train_from_frame": "one_frame",
    },
)
