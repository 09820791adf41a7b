"""Tracks -> how sites move and what they turn into, how fast.

===========================  =====================================================================
``estimate_msd``             mean squared displacements at true lags, with their band
``estimate_diffusion``       D of all, of each class and track, and whether motion is free
``Diffusion``                what ``estimate_diffusion`` gives
``count_hops``               hops on a lattice, or between rests: rates, lengths, waits, D
``Hops``                     what ``count_hops`` gives
``estimate_mobility``        a map of local D
``Mobility``                 what ``estimate_mobility`` gives
``count_transitions``        tracks -> counts of transitions, each at its true lag
``estimate_transitions``     counts -> transition matrix and rates, with intervals
``transitions_from_matrix``  a matrix that is known without counts
``fit_hidden_states``        the matrix behind labels that are sometimes wrong
``HiddenStates``             what ``fit_hidden_states`` gives
``estimate_kinetics``        lifetimes, passages, spectrum; tests with verdicts in words
``Kinetics``                 what ``estimate_kinetics`` gives
``compare_rates_with_dose``  rates of several movies against their dose rates
===========================  =====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.dynamics.counting import count_transitions
    from adatom.dynamics.diffusion import Diffusion, estimate_diffusion
    from adatom.dynamics.dose import compare_rates_with_dose
    from adatom.dynamics.estimating import estimate_transitions, transitions_from_matrix
    from adatom.dynamics.hidden_states import HiddenStates, fit_hidden_states
    from adatom.dynamics.hops import Hops, count_hops
    from adatom.dynamics.kinetics import Kinetics, estimate_kinetics
    from adatom.dynamics.mobility import Mobility, estimate_mobility
    from adatom.dynamics.msd import estimate_msd

__all__ = [
    "Diffusion",
    "HiddenStates",
    "Hops",
    "Kinetics",
    "Mobility",
    "compare_rates_with_dose",
    "count_hops",
    "count_transitions",
    "estimate_diffusion",
    "estimate_kinetics",
    "estimate_mobility",
    "estimate_msd",
    "estimate_transitions",
    "fit_hidden_states",
    "transitions_from_matrix",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Diffusion": "diffusion",
        "HiddenStates": "hidden_states",
        "Hops": "hops",
        "Kinetics": "kinetics",
        "Mobility": "mobility",
        "compare_rates_with_dose": "dose",
        "count_hops": "hops",
        "count_transitions": "counting",
        "estimate_diffusion": "diffusion",
        "estimate_kinetics": "kinetics",
        "estimate_mobility": "mobility",
        "estimate_msd": "msd",
        "estimate_transitions": "estimating",
        "fit_hidden_states": "hidden_states",
        "transitions_from_matrix": "estimating",
    },
)
