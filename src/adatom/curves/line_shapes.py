"""Line shapes and backgrounds under the names of lmfit, as formulas."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Role = Literal["line", "background"]

_ROOT_TWO_PI: Final = "2.5066282746310002"
_ROOT_TWO_LOG_TWO: Final = "1.1774100225154747"


class LineShape(NamedTuple):
    """A component of a model.

    Attributes
    ----------
    formula : str
        In ``x`` and the names of the parameters, without prefix.
    parameters : tuple of str
        In lmfit's order.
    role : {"line", "background"}
        How starting values are found.
    derived : mapping of str to str
        Formulas of what follows from the parameters.
    rules : tuple of str
        Bounds and constraints that hold unless the user says otherwise.
    """

    formula: str
    parameters: tuple[str, ...]
    role: Role
    derived: Mapping[str, str] = MappingProxyType({})
    rules: tuple[str, ...] = ()


_LINE: Final = ("amplitude", "center", "sigma")

LINE_SHAPES: Final[Mapping[str, LineShape]] = {
    "GaussianModel": LineShape(
        f"amplitude / ({_ROOT_TWO_PI} * sigma) * exp(-(x - center)**2 / (2 * sigma**2))",
        _LINE,
        "line",
        {
            "fwhm": "2.3548200450309493 * sigma",
            "height": f"amplitude / ({_ROOT_TWO_PI} * sigma)",
        },
    ),
    "LorentzianModel": LineShape(
        "amplitude * sigma / (pi * ((x - center)**2 + sigma**2))",
        _LINE,
        "line",
        {"fwhm": "2 * sigma", "height": "amplitude / (pi * sigma)"},
    ),
    "VoigtModel": LineShape(
        "amplitude * voigt(x - center, sigma, gamma)",
        (*_LINE, "gamma"),
        "line",
        {
            "fwhm": "1.0692 * gamma + sqrt(0.8664 * gamma**2 + 5.545083 * sigma**2)",
            "height": "amplitude * voigt(0, sigma, gamma)",
        },
        ("gamma = sigma",),
    ),
    "PseudoVoigtModel": LineShape(
        f"(1 - fraction) * amplitude * {_ROOT_TWO_LOG_TWO} / ({_ROOT_TWO_PI} * sigma)"
        " * exp(-0.6931471805599453 * (x - center)**2 / sigma**2)"
        " + fraction * amplitude * sigma / (pi * ((x - center)**2 + sigma**2))",
        (*_LINE, "fraction"),
        "line",
        {
            "fwhm": "2 * sigma",
            "height": f"(1 - fraction) * amplitude * {_ROOT_TWO_LOG_TWO}"
            f" / ({_ROOT_TWO_PI} * sigma) + fraction * amplitude / (pi * sigma)",
        },
        ("0 <= fraction <= 1",),
    ),
    "SkewedGaussianModel": LineShape(
        f"amplitude / ({_ROOT_TWO_PI} * sigma) * exp(-(x - center)**2 / (2 * sigma**2))"
        " * (1 + erf(gamma * (x - center) / (1.4142135623730951 * sigma)))",
        (*_LINE, "gamma"),
        "line",
    ),
    "BreitWignerModel": LineShape(
        "amplitude * (q * sigma / 2 + x - center)**2 / ((sigma / 2)**2 + (x - center)**2)",
        (*_LINE, "q"),
        "line",
    ),
    "ConstantModel": LineShape("c + 0 * x", ("c",), "background"),
    "LinearModel": LineShape("slope * x + intercept", ("slope", "intercept"), "background"),
    "QuadraticModel": LineShape("a * x**2 + b * x + c", ("a", "b", "c"), "background"),
    "ExponentialModel": LineShape(
        "amplitude * exp(-x / decay)", ("amplitude", "decay"), "background"
    ),
    "PowerLawModel": LineShape("amplitude * x**exponent", ("amplitude", "exponent"), "background"),
}
"""By lmfit's names of models."""
