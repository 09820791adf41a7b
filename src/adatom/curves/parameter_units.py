"""Units of the parameters of a model, from those of the axis and the curves."""

from __future__ import annotations

from typing import Final

from adatom.curves.models import CurveModel

# Powers of the units of (the curves, the axis) in each parameter.
_POWERS: Final = {
    "line": {
        "amplitude": (1, 1), "center": (0, 1), "sigma": (0, 1), "fraction": (0, 0), "q": (0, 0),
        "fwhm": (0, 1), "height": (1, 0),
    },
    "ConstantModel": {"c": (1, 0)},
    "LinearModel": {"slope": (1, -1), "intercept": (1, 0)},
    "QuadraticModel": {"a": (1, -2), "b": (1, -1), "c": (1, 0)},
    "ExponentialModel": {"amplitude": (1, 0), "decay": (0, 1)},
    "PowerLawModel": {"exponent": (0, 0)},
}  # fmt: skip
_EXCEPTIONS: Final = {
    ("VoigtModel", "gamma"): (0, 1),
    ("SkewedGaussianModel", "gamma"): (0, 0),
    ("BreitWignerModel", "amplitude"): (1, 0),
}


def units_of(model: CurveModel, axis_unit: str, value_unit: str, /) -> list[str]:
    """Give the unit of every reported parameter, "" where a formula does not tell it.

    Examples
    --------
    >>> from adatom.curves.models import model_from_text
    >>> units_of(model_from_text("LinearModel()"), "nm", "1")
    ['1/nm', '1']
    """
    found: dict[str, str] = {}
    for part in model.components:
        table = _POWERS["line" if part.shape.role == "line" else part.model]
        for name in (*part.shape.parameters, *part.shape.derived):
            powers = _EXCEPTIONS.get((part.model, name), table.get(name))
            if powers is not None:
                found[f"{part.prefix}{name}"] = _product(value_unit, axis_unit, *powers)
    found |= {f"{part.prefix}significance": "1" for part in model.lines}
    return [found.get(name, "") for name in model.reported]


def _product(value_unit: str, axis_unit: str, of_value: int, of_axis: int) -> str:
    """Write ``value^p axis^q``."""
    if of_value and not value_unit:
        return ""
    value = value_unit if of_value and value_unit != "1" else ""
    if of_axis == 0 or axis_unit in {"", "1"}:
        return value or "1"
    if axis_unit.startswith("1/"):
        axis_unit, of_axis = axis_unit[2:], -of_axis
    power = "" if abs(of_axis) == 1 else f"^{abs(of_axis)}"
    if of_axis > 0:
        return f"{value} {axis_unit}{power}".strip()
    return f"{value or '1'}/{axis_unit}{power}"
