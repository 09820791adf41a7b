"""Formulas as text, evaluated with their derivatives for many curves at once.

Text comes from recipes and files of anyone: it is parsed, and what is not in
the lists below is refused; nothing is ever executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import scipy.special
from numpy.typing import NDArray

from adatom.errors import SettingError

Floats: TypeAlias = NDArray[np.float64]

# Far more than any formula on paper; both bound the depth of what is walked through.
_LONGEST: Final = 20_000
_DEEPEST: Final = 60


class Dual(NamedTuple):
    """A value and its derivatives by named parameters, all of shapes that broadcast."""

    value: Any
    slopes: Mapping[str, Any]


class _Function(NamedTuple):
    value: Callable[[Any], Any]
    slope: Callable[[Any, Any], Any]
    """Derivative from the argument and the value there."""


_TWO_OVER_ROOT_PI: Final = 2 / np.sqrt(np.pi)

_FUNCTIONS: Final[Mapping[str, _Function]] = {
    "exp": _Function(np.exp, lambda _u, f: f),
    "log": _Function(np.log, lambda u, _f: 1 / u),
    "sqrt": _Function(np.sqrt, lambda _u, f: 0.5 / f),
    "sin": _Function(np.sin, lambda u, _f: np.cos(u)),
    "cos": _Function(np.cos, lambda u, _f: -np.sin(u)),
    "tanh": _Function(np.tanh, lambda _u, f: 1 - f**2),
    "arctan": _Function(np.arctan, lambda u, _f: 1 / (1 + u**2)),
    "erf": _Function(scipy.special.erf, lambda u, _f: _TWO_OVER_ROOT_PI * np.exp(-(u**2))),
    "abs": _Function(np.abs, lambda u, _f: np.sign(u)),
}
VOIGT: Final = "voigt"
CONSTANTS: Final[Mapping[str, float]] = {"pi": float(np.pi)}
FUNCTIONS: Final = (*_FUNCTIONS, VOIGT)


@lru_cache(maxsize=256)
def parsed(text: str, /) -> ast.expr:
    """Parse a formula of numbers, names, ``+ - * / **`` and the functions of `FUNCTIONS`.

    Raises
    ------
    SettingError
        If there is anything else in it.

    Examples
    --------
    >>> ast.unparse(parsed("a*exp(-x/tau)"))
    'a * exp(-x / tau)'
    """
    tree = tree_of(text)
    _check(tree, text, 0)
    return tree


def tree_of(text: str, /) -> ast.expr:
    """Parse text as an expression of Python, without a look at what is in it."""
    if len(text) > _LONGEST:
        msg = f"the formula has {len(text)} characters, {_LONGEST} are the most"
        raise SettingError(msg)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        short = text if len(text) < 80 else f"{text[:77]}..."
        msg = f"{short!r} is no formula: write such as 'amp * exp(-x / tau) + c'"
        raise SettingError(msg) from error


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > _DEEPEST:
        msg = f"{text[:77]!r}... is nested more than {_DEEPEST} deep"
        raise SettingError(msg)
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            parts: list[ast.expr] = []
        case ast.Name(id=name) if name not in FUNCTIONS:
            parts = []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            parts = [operand]
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _BINARY:
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
            name in _FUNCTIONS and len(args) == 1
        ) or (name == VOIGT and len(args) == 3):
            parts = args
        case _:
            msg = (
                f"{ast.unparse(node)!r} has no place in {text!r}: a formula is made of numbers, "
                f"names, + - * / ** and {', '.join(FUNCTIONS)}"
            )
            raise SettingError(msg)
    for part in parts:
        _check(part, text, depth + 1)


def names_in(text: str, /) -> list[str]:
    """Give the names in a formula other than constants, in the order in which they appear."""
    found = [node.id for node in ast.walk(parsed(text)) if isinstance(node, ast.Name)]
    called = {
        node.func.id
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    unique = dict.fromkeys(name for name in found if name not in called and name not in CONSTANTS)
    return sorted(unique, key=lambda name: _first_place(text, name))


def _first_place(text: str, name: str) -> int:
    return min(
        node.col_offset
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Name) and node.id == name
    )


def evaluate(text: str, known: Mapping[str, Dual], /) -> Dual:
    """Evaluate a formula with the derivatives of what is known by forward differentiation.

    Examples
    --------
    >>> known = {"a": Dual(3.0, {"a": 1.0}), "x": Dual(np.array([1.0, 2.0]), {})}
    >>> made = evaluate("a * x**2", known)
    >>> made.value, made.slopes["a"]
    (array([ 3., 12.]), array([1., 4.]))
    """
    return _dual(parsed(text), known)


def _dual(node: ast.expr, known: Mapping[str, Dual]) -> Dual:
    match node:
        case ast.Constant(value=value):
            return Dual(float(value), {})  # type: ignore[arg-type]
        case ast.Name(id=name):
            return Dual(CONSTANTS[name], {}) if name in CONSTANTS else known[name]
        case ast.UnaryOp(op=op, operand=operand):
            part = _dual(operand, known)
            if isinstance(op, ast.UAdd):
                return part
            return Dual(-part.value, {name: -slope for name, slope in part.slopes.items()})
        case ast.BinOp(op=op, left=left, right=right):
            return _BINARY[type(op)](_dual(left, known), _dual(right, known))
        case ast.Call(func=ast.Name(id=name), args=args):
            parts = [_dual(part, known) for part in args]
            return _voigt(*parts) if name == VOIGT else _of_function(_FUNCTIONS[name], parts[0])
    raise AssertionError(ast.dump(node))


def _of_function(function: _Function, inner: Dual) -> Dual:
    value = function.value(inner.value)
    if not inner.slopes:
        return Dual(value, {})
    factor = function.slope(inner.value, value)
    return Dual(value, {name: factor * slope for name, slope in inner.slopes.items()})


def _chained(value: Any, *parts: tuple[Any, Mapping[str, Any]]) -> Dual:  # noqa: ANN401 -- arrays or floats
    """Sum ``factor * slope`` over the parts, name by name."""
    slopes: dict[str, Any] = {}
    for factor, inner in parts:
        for name, slope in inner.items():
            # Ones are frequent, and a product with one is a pass over all values.
            term = slope if _is_one(factor) else factor if _is_one(slope) else factor * slope
            slopes[name] = slopes[name] + term if name in slopes else term
    return Dual(value, slopes)


def _is_one(value: Any) -> bool:  # noqa: ANN401 -- arrays or floats
    return isinstance(value, float) and value == 1.0


def _added(a: Dual, b: Dual) -> Dual:
    return _chained(a.value + b.value, (1.0, a.slopes), (1.0, b.slopes))


def _subtracted(a: Dual, b: Dual) -> Dual:
    return _chained(a.value - b.value, (1.0, a.slopes), (-1.0, b.slopes))


def _multiplied(a: Dual, b: Dual) -> Dual:
    return _chained(a.value * b.value, (b.value, a.slopes), (a.value, b.slopes))


def _divided(a: Dual, b: Dual) -> Dual:
    value = np.divide(a.value, b.value)
    if not b.slopes:
        return _chained(value, (np.divide(1.0, b.value), a.slopes))
    inverse = np.divide(1.0, b.value)
    return _chained(value, (inverse, a.slopes), (-value * inverse, b.slopes))


def _raised(a: Dual, b: Dual) -> Dual:
    if not b.slopes and np.ndim(b.value) == 0:
        # Squares are by far the most frequent power, and a product is much faster.
        if b.value == 2:
            return _chained(a.value * a.value, (2 * a.value, a.slopes))
        lower = np.power(a.value, b.value - 1)
        return _chained(np.power(a.value, b.value), (b.value * lower, a.slopes))
    value = np.power(a.value, b.value)
    by_base = b.value * np.power(a.value, b.value - 1) if a.slopes else 0.0
    by_power = np.log(a.value) * value if b.slopes else 0.0
    return _chained(value, (by_base, a.slopes), (by_power, b.slopes))


def _voigt(x: Dual, sigma: Dual, gamma: Dual) -> Dual:
    """Give the Voigt profile of unit area by the Faddeeva function ``w`` [1]_.

    References
    ----------
    .. [1] G. P. M. Poppe and C. M. J. Wijers, ACM Trans. Math. Softw. 16, 38 (1990);
       ``w' = -2 z w + 2 i / sqrt(pi)``.
    """
    unit = 1 / (sigma.value * np.sqrt(2))
    z = (x.value + 1j * gamma.value) * unit
    w = scipy.special.wofz(z)
    height = unit / np.sqrt(np.pi)
    value = height * w.real
    slope = (-2 * z * w + 1j * _TWO_OVER_ROOT_PI) * height
    along = slope * unit
    return _chained(
        value,
        (along.real, x.slopes),
        (-(value + (slope * z).real) / sigma.value, sigma.slopes),
        (-along.imag, gamma.slopes),
    )


_BINARY: Final[Mapping[type[ast.operator], Callable[[Dual, Dual], Dual]]] = {
    ast.Add: _added,
    ast.Sub: _subtracted,
    ast.Mult: _multiplied,
    ast.Div: _divided,
    ast.Pow: _raised,
}
