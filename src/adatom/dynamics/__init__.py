"""Tracks -> how defects move and what they turn into, how fast.

===========================  =====================================================================
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
    from adatom.dynamics.dose import compare_rates_with_dose
    from adatom.dynamics.estimating import estimate_transitions, transitions_from_matrix
    from adatom.dynamics.hidden_states import HiddenStates, fit_hidden_states
    from adatom.dynamics.kinetics import Kinetics, estimate_kinetics

__all__ = [
    "HiddenStates",
    "Kinetics",
    "compare_rates_with_dose",
    "count_transitions",
    "estimate_kinetics",
    "estimate_transitions",
    "fit_hidden_states",
    "transitions_from_matrix",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HiddenStates": "hidden_states",
        "Kinetics": "kinetics",
        "compare_rates_with_dose": "dose",
        "count_transitions": "counting",
        "estimate_kinetics": "kinetics",
        "estimate_transitions": "estimating",
        "fit_hidden_states": "hidden_states",
        "transitions_from_matrix": "estimating",
    },
)
