"""Steps that join stages in a loop, such as training on images simulated meanwhile.

============================  =================================================================
``train_finder``              simulated images -> a network that finds sites
``train_particle_finder``     simulated particles -> a network that tells where they point
``train_ensemble``            the same several times, to see where networks agree
``train_on_labels``           a network and a few labeled images -> a network of one's own
``Labels``                    how labeled images are used
``compare_finder``            a labeled image -> what a network finds in it, and what it misses
``train_from_frame``          one labeled frame -> a network that finds its defects
``find_defects_in_movie``     such a network, every frame of a movie -> defects
``MovieDefects``              what ``find_defects_in_movie`` gives
``find_departures_in_movie``  every frame of a movie -> where it departs from its lattice
``MovieDepartures``           what ``find_departures_in_movie`` gives
``choose_window_size``        an image -> the size of windows at which its map is stable
============================  =================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.pipelines.departures import MovieDepartures, find_departures_in_movie
    from adatom.pipelines.ensembles import train_ensemble
    from adatom.pipelines.fine_tuning import Labels, train_on_labels
    from adatom.pipelines.judging import compare_finder
    from adatom.pipelines.one_frame import MovieDefects, find_defects_in_movie, train_from_frame
    from adatom.pipelines.particles import train_particle_finder
    from adatom.pipelines.training import train_finder
    from adatom.pipelines.window_size import choose_window_size

__all__ = [
    "Labels",
    "MovieDefects",
    "MovieDepartures",
    "choose_window_size",
    "compare_finder",
    "find_defects_in_movie",
    "find_departures_in_movie",
    "train_ensemble",
    "train_finder",
    "train_from_frame",
    "train_on_labels",
    "train_particle_finder",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Labels": "fine_tuning",
        "MovieDefects": "one_frame",
        "MovieDepartures": "departures",
        "choose_window_size": "window_size",
        "compare_finder": "judging",
        "find_defects_in_movie": "one_frame",
        "find_departures_in_movie": "departures",
        "train_ensemble": "ensembles",
        "train_finder": "training",
        "train_from_frame": "one_frame",
        "train_on_labels": "fine_tuning",
        "train_particle_finder": "particles",
    },
)
