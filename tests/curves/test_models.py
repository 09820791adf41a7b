"""Models from text: what they may hold, and that nothing in them is executed."""

from __future__ import annotations

import re

import lmfit
import numpy as np
import pytest

from adatom.curves.expressions import Dual, evaluate
from adatom.curves.line_shapes import LINE_SHAPES
from adatom.curves.models import model_from_text
from adatom.errors import SettingError

POINTS = {
    "amplitude": 3.0, "center": 4.0, "sigma": 1.3, "gamma": 0.7, "fraction": 0.3, "q": 2.0,
    "c": 1.5, "slope": 0.2, "intercept": 3.0, "a": 0.3, "b": 0.2, "decay": 3.0, "exponent": -1.2,
}  # fmt: skip
X = np.linspace(1.0, 10.0, 19)


@pytest.mark.parametrize("name", sorted(LINE_SHAPES))
def test_shapes_are_those_of_lmfit_and_their_derivatives_exact(name: str) -> None:
    shape = LINE_SHAPES[name]
    theirs = getattr(lmfit.models, name)()
    told = theirs.make_params(**{key: POINTS[key] for key in shape.parameters})
    if "gamma" in told:
        told["gamma"].set(expr="", value=POINTS["gamma"])
    known = {key: Dual(POINTS[key], {key: 1.0}) for key in shape.parameters} | {"x": Dual(X, {})}
    ours = evaluate(shape.formula, known)
    np.testing.assert_allclose(ours.value, theirs.eval(told, x=X), rtol=1e-9)
    for key, formula in shape.derived.items():
        # lmfit writes its factors with seven digits.
        assert evaluate(formula, known).value == pytest.approx(told[key].value, rel=1e-5)
    for key in shape.parameters:
        step = 1e-6
        sides = [
            evaluate(shape.formula, known | {key: Dual(POINTS[key] + sign * step, {})}).value
            for sign in (1, -1)
        ]
        numeric = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(
            np.broadcast_to(ours.slopes[key], X.shape), numeric, rtol=1e-5, atol=1e-8
        )


@pytest.mark.parametrize(
    "formula",
    [
        *("exp(-a * x)", "log(a + x)", "sqrt(a * x)", "sin(a * x)", "cos(a * x)", "tanh(a * x)"),
        *(
            "arctan(a * x)",
            "erf(a * x)",
            "abs(a - x)",
            "x**a",
            "a**x",
            "(a * x)**2.5",
            "-x / a",
            "+a",
        ),
    ],
)
def test_derivatives_of_functions_are_exact(formula: str) -> None:
    ours = evaluate(formula, {"a": Dual(0.7, {"a": 1.0}), "x": Dual(X, {})})
    sides = [
        evaluate(formula, {"a": Dual(0.7 + d, {}), "x": Dual(X, {})}).value for d in (1e-6, -1e-6)
    ]
    numeric = np.broadcast_to((sides[0] - sides[1]) / 2e-6, X.shape)
    np.testing.assert_allclose(np.broadcast_to(ours.slopes["a"], X.shape), numeric, 1e-5, 1e-8)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') * a",
        "x.real * a",
        "a[0]",
        "(lambda: a)()",
        "[a for a in x]",
        "a if x else c",
        "a and x",
        "'s' * 3",
        "f'{a}'",
        "(a := 3) * x",
        "True * a",
        "exp + a",
        "exp(x, a)",
        "exp(x=a)",
        "eval('a')",
        "a @ x",
        "a; x",
        "a = x",
        "-" * 5000 + "a",
        "+".join(["a"] * 500),
        "a" * 30_000,
        "",
        "GaussianModel(prefix='g' + 'h')",
        "GaussianModel(3)",
        "GaussianModel(prefix='__class__.')",
    ],
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        model_from_text(text)


def test_huge_powers_cost_nothing() -> None:
    assert model_from_text("a * 9**9**9**9").free == ("a",)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("g_centre ~ 3", "names 'g_centre', the model has .* did you mean 'g_center'?"),
        ("g_center ~ g_sigma", "must have numbers where it has g_sigma"),
        ("g_center == 3", "is no rule for a parameter"),
        ("3 < g_center > 1", "is no rule for a parameter"),
        ("g_center < g_sigma", "is no rule for a parameter"),
        ("g_sigma = g_sigma + 1", "constraints of g_sigma need one another"),
        ("g_sigma = __import__('os')", "has no place in"),
        ("5 < g_sigma < 3", "leave no room"),
    ],
)
def test_rules_that_cannot_be_kept_say_why(rule: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        model_from_text("GaussianModel(prefix='g_')", [rule])


def test_rules_are_sorted_into_starts_bounds_and_constraints() -> None:
    model = model_from_text(
        "GaussianModel(prefix='g_') + VoigtModel(prefix='v_') + c",
        ["g_center ~ 5.2e2", "10 > g_sigma >= 1", "v_sigma = 2 * g_sigma", "c = -3"],
    )
    assert dict(model.starts) == {"g_center": 520.0}
    assert model.bounds == (("g_sigma", 1.0, 10.0),)
    assert [name for name, _ in model.constraints] == ["v_sigma", "c", "v_gamma"]
    assert model.free == ("g_amplitude", "g_center", "g_sigma", "v_amplitude", "v_center")


def test_a_rule_for_the_gamma_of_voigt_sets_it_free() -> None:
    assert "gamma" not in model_from_text("VoigtModel()").free
    assert "gamma" in model_from_text("VoigtModel()", ["gamma > 0"]).free


def test_a_model_unknown_here_is_named() -> None:
    with pytest.raises(SettingError, match=re.escape("did you mean GaussianModel?")):
        model_from_text("GausianModel()")


def test_two_components_need_prefixes() -> None:
    with pytest.raises(SettingError, match="give each a prefix"):
        model_from_text("GaussianModel() + GaussianModel()")


def test_starts_beside_constraints_are_refused() -> None:
    with pytest.raises(SettingError, match="neither start nor bounds"):
        model_from_text("a * x + b", ["a = 2 * b", "a ~ 3"])
