"""Curves -> what they tell: models fitted, contacts and stiffness, loops, lifetimes.

==============================  ==================================================
``estimate_response``           the instrument response, from how decays rise
``fit_decay_tails``             lifetimes from what follows the peak
``fit_decays``                  lifetimes with the instrument response, shared or not
``decays_from_fit``             the decays that a fit expects
``decays_from_streak``          a streak image as decays
``phasors_from_decays``         every decay as a point of the phasor plot
``lifetimes_from_phasors``      lifetimes by phase and by modulation
``fractions_from_phasors``      fractions of two known lifetimes
``image_from_parameters``       the map of one fitted parameter
``DecayFit``                    what fits of decays give
==============================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.curves.decay_fits import fit_decay_tails, fit_decays
    from adatom.curves.decay_results import DecayFit
    from adatom.curves.fitted_decays import decays_from_fit
    from adatom.curves.maps import image_from_parameters
    from adatom.curves.phasors import (
        fractions_from_phasors,
        lifetimes_from_phasors,
        phasors_from_decays,
    )
    from adatom.curves.responses import estimate_response
    from adatom.curves.streaks import decays_from_streak

__all__ = [
    "DecayFit",
    "decays_from_fit",
    "decays_from_streak",
    "estimate_response",
    "fit_decay_tails",
    "fit_decays",
    "fractions_from_phasors",
    "image_from_parameters",
    "lifetimes_from_phasors",
    "phasors_from_decays",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DecayFit": "decay_results",
        "decays_from_fit": "fitted_decays",
        "decays_from_streak": "streaks",
        "estimate_response": "responses",
        "fit_decay_tails": "decay_fits",
        "fit_decays": "decay_fits",
        "fractions_from_phasors": "phasors",
        "image_from_parameters": "maps",
        "lifetimes_from_phasors": "phasors",
        "phasors_from_decays": "phasors",
    },
)
