"""Curves -> what they tell: models fitted, contacts and stiffness, loops, lifetimes.

===============  ==================================================
``fit_model``    a user's model at every place, started at classes
``locate_line``  position, width and height of the highest line
``ModelFit``     what ``fit_model`` gives
===============  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.curves.line_positions import locate_line
    from adatom.curves.model_fits import ModelFit, fit_model

__all__ = [
    "ModelFit",
    "fit_model",
    "locate_line",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ModelFit": "model_fits",
        "fit_model": "model_fits",
        "locate_line": "line_positions",
    },
)
