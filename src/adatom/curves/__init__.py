"""Curves -> what they tell: models fitted, contacts and stiffness, loops, lifetimes.

==========================  ==================================================
``find_contact``            where the tip meets the sample, of force curves
``estimate_sensitivity``    nm per volt, from force curves on a stiff sample
``estimate_adhesion``       pull-off force and energy of force curves
``estimate_stiffness``      slope in contact
``fit_indentation``         Young's modulus by Hertz, Sneddon or DMT
``features_from_curves``    force curves on one axis of separation
``map_from_sites``          features of sites that fill a grid, as a map
``estimate_loops``          switching voltages and remanence of hysteresis loops
``estimate_gap``            where dI/dV begins on either side of zero bias
``fit_model``               a user's model at every place, started at classes
``locate_line``             position, width and height of the highest line
``Tip``                     settings of the end of a tip
``estimate_response``       the instrument response, from how decays rise
``fit_decay_tails``         lifetimes from what follows the peak
``fit_decays``              lifetimes with the instrument response, shared or not
``decays_from_fit``         the decays that a fit expects
``decays_from_streak``      a streak image as decays
``phasors_from_decays``     every decay as a point of the phasor plot
``lifetimes_from_phasors``  lifetimes by phase and by modulation
``fractions_from_phasors``  fractions of two known lifetimes
``image_from_parameters``   the map of one fitted parameter
``ModelFit``                what ``fit_model`` gives
``DecayFit``                what fits of decays give
==========================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.curves.adhesion import estimate_adhesion, estimate_stiffness
    from adatom.curves.contact import estimate_sensitivity, find_contact
    from adatom.curves.decay_fits import fit_decay_tails, fit_decays
    from adatom.curves.decay_results import DecayFit
    from adatom.curves.fitted_decays import decays_from_fit
    from adatom.curves.gaps import estimate_gap
    from adatom.curves.indentation import Tip, fit_indentation
    from adatom.curves.line_positions import locate_line
    from adatom.curves.loops import estimate_loops
    from adatom.curves.maps import image_from_parameters
    from adatom.curves.model_fits import ModelFit, fit_model
    from adatom.curves.phasors import (
        fractions_from_phasors,
        lifetimes_from_phasors,
        phasors_from_decays,
    )
    from adatom.curves.resampling import features_from_curves, map_from_sites
    from adatom.curves.responses import estimate_response
    from adatom.curves.streaks import decays_from_streak

__all__ = [
    "DecayFit",
    "ModelFit",
    "Tip",
    "decays_from_fit",
    "decays_from_streak",
    "estimate_adhesion",
    "estimate_gap",
    "estimate_loops",
    "estimate_response",
    "estimate_sensitivity",
    "estimate_stiffness",
    "features_from_curves",
    "find_contact",
    "fit_decay_tails",
    "fit_decays",
    "fit_indentation",
    "fit_model",
    "fractions_from_phasors",
    "image_from_parameters",
    "lifetimes_from_phasors",
    "locate_line",
    "map_from_sites",
    "phasors_from_decays",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DecayFit": "decay_results",
        "ModelFit": "model_fits",
        "Tip": "indentation",
        "decays_from_fit": "fitted_decays",
        "decays_from_streak": "streaks",
        "estimate_adhesion": "adhesion",
        "estimate_gap": "gaps",
        "estimate_loops": "loops",
        "estimate_response": "responses",
        "estimate_sensitivity": "contact",
        "estimate_stiffness": "adhesion",
        "features_from_curves": "resampling",
        "find_contact": "contact",
        "fit_decay_tails": "decay_fits",
        "fit_decays": "decay_fits",
        "fit_indentation": "indentation",
        "fit_model": "model_fits",
        "fractions_from_phasors": "phasors",
        "image_from_parameters": "maps",
        "lifetimes_from_phasors": "phasors",
        "locate_line": "line_positions",
        "map_from_sites": "resampling",
        "phasors_from_decays": "phasors",
    },
)
