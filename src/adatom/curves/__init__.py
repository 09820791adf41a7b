"""Curves -> what they tell: models fitted, contacts and stiffness, loops, lifetimes.

=======================  ====================================================
``find_contact``         where the tip meets the sample, of force curves
``estimate_sensitivity`` nm per volt, from force curves on a stiff sample
``estimate_adhesion``    pull-off force and energy of force curves
``estimate_stiffness``   slope in contact
``fit_indentation``      Young's modulus by Hertz, Sneddon or DMT
``features_from_curves`` force curves on one axis of separation
``map_from_sites``       features of sites that fill a grid, as a map
``estimate_loops``       switching voltages and remanence of hysteresis loops
``estimate_gap``         where dI/dV begins on either side of zero bias
``Tip``                  settings of the end of a tip
=======================  ====================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.curves.adhesion import estimate_adhesion, estimate_stiffness
    from adatom.curves.contact import estimate_sensitivity, find_contact
    from adatom.curves.gaps import estimate_gap
    from adatom.curves.indentation import Tip, fit_indentation
    from adatom.curves.loops import estimate_loops
    from adatom.curves.resampling import features_from_curves, map_from_sites

__all__ = [
    "Tip",
    "estimate_adhesion",
    "estimate_gap",
    "estimate_loops",
    "estimate_sensitivity",
    "estimate_stiffness",
    "features_from_curves",
    "find_contact",
    "fit_indentation",
    "map_from_sites",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Tip": "indentation",
        "estimate_adhesion": "adhesion",
        "estimate_gap": "gaps",
        "estimate_loops": "loops",
        "estimate_sensitivity": "contact",
        "estimate_stiffness": "adhesion",
        "features_from_curves": "resampling",
        "find_contact": "contact",
        "fit_indentation": "indentation",
        "map_from_sites": "resampling",
    },
)
