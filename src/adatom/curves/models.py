"""Models of curves from text: components, formulas, bounds and constraints."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from adatom.curves.expressions import CONSTANTS, Dual, Floats, evaluate, names_in, parsed, tree_of
from adatom.curves.line_shapes import LINE_SHAPES, LineShape
from adatom.errors import SettingError

AXIS: Final = "x"
_NAME: Final = r"[A-Za-z_]\w*"
_START: Final = re.compile(rf"\s*({_NAME})\s*~(.*)")
_CONSTRAINT: Final = re.compile(rf"\s*({_NAME})\s*=(?!=)(.*)")


class Component(NamedTuple):
    """A line shape or background of a model, and the prefix of its parameters."""

    prefix: str
    model: str

    @property
    def shape(self) -> LineShape:
        """What lmfit's name stands for."""
        return LINE_SHAPES[self.model]


@dataclass(frozen=True)
class CurveModel:
    """A curve as a formula of the measured axis and named parameters.

    Attributes
    ----------
    formula : str
        In ``x`` and `names`.
    names : tuple of str
        Parameters in the order of the formula.
    components : tuple of Component
        Those of lmfit's names in it.
    constraints : tuple of (str, str)
        Parameters that follow from others by a formula, each after those
        that it needs.
    derived : tuple of (str, str)
        What else follows: widths and heights of lines.
    bounds : tuple of (str, float, float)
        Lowest and highest values.
    starts : tuple of (str, float)
        Where the user says that the fit starts.
    guards : tuple of (str, float, float)
        Further bounds, beyond which a line is lost; see `guarded`.
    """

    formula: str
    names: tuple[str, ...]
    components: tuple[Component, ...] = ()
    constraints: tuple[tuple[str, str], ...] = ()
    derived: tuple[tuple[str, str], ...] = ()
    bounds: tuple[tuple[str, float, float], ...] = ()
    starts: tuple[tuple[str, float], ...] = ()
    guards: tuple[tuple[str, float, float], ...] = ()

    @property
    def free(self) -> tuple[str, ...]:
        """Parameters that are fitted."""
        bound = dict(self.constraints)
        return tuple(name for name in self.names if name not in bound)

    @property
    def lines(self) -> tuple[Component, ...]:
        """Components that are lines."""
        return tuple(part for part in self.components if part.shape.role == "line")

    @property
    def reported(self) -> tuple[str, ...]:
        """Parameters, what is derived of them, and how far lines rise above their errors."""
        derived = (name for name, _ in self.derived)
        return (*self.names, *derived, *(f"{part.prefix}significance" for part in self.lines))

    def known(self, values: Floats, /) -> dict[str, Dual]:
        """Give all parameters and what is derived, with their derivatives by the free ones.

        Parameters
        ----------
        values : array, shape (fit, free parameter)
        """
        known = {
            name: Dual(values[:, number, None], {name: 1.0})
            for number, name in enumerate(self.free)
        }
        for name, formula in (*self.constraints, *self.derived):
            known[name] = evaluate(formula, known)
        return known

    def curve(self, axis: Floats, values: Floats, /) -> Dual:
        """Evaluate the curves (fit, channel) of parameters (fit, free parameter)."""
        return evaluate(self.formula, {**self.known(values), AXIS: Dual(axis[None, :], {})})


def model_from_text(text: str, rules: Sequence[str] = (), /) -> CurveModel:
    """Make a model from lmfit's names and expressions, and from rules for its parameters.

    Parameters
    ----------
    text : str
        Such as ``GaussianModel(prefix='g_') + LinearModel(prefix='b_')`` or
        ``amp * exp(-x / tau) + c``.
    rules : sequence of str
        ``tau ~ 3`` starts there, ``0 < tau < 10`` bounds, ``b_slope = 0``
        fixes, and ``h_sigma = 2 * g_sigma`` constrains.

    Raises
    ------
    SettingError
        If a text is none of these, or names what the model has not.

    Examples
    --------
    >>> model_from_text("GaussianModel(prefix='g_') + c", ["g_sigma = 2"]).free
    ('g_amplitude', 'g_center', 'c')
    """
    expander = _Expander()
    try:
        formula = ast.unparse(expander.visit(tree_of(text)))
    except RecursionError as error:
        msg = f"{text[:40]!r}... is nested too deep"
        raise SettingError(msg) from error
    parsed(formula)
    found = names_in(formula)
    if not set(found) - {AXIS}:
        msg = f"model={text!r} has no parameters to fit"
        raise SettingError(msg)
    components = tuple(expander.components)
    listed = [f"{part.prefix}{name}" for part in components for name in part.shape.parameters]
    _check_unique(listed)
    names = [*listed, *(name for name in found if name not in {AXIS, *listed})]
    model = CurveModel(formula, tuple(names), components, derived=_derived(components, names))
    return _ruled(model, rules)


def _check_unique(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = (
            f"two components of the model have a parameter {twice[0]!r}: give each a prefix, "
            "as in GaussianModel(prefix='g1_') + GaussianModel(prefix='g2_')"
        )
        raise SettingError(msg)


def _derived(components: Sequence[Component], taken: list[str]) -> tuple[tuple[str, str], ...]:
    made = [
        (f"{part.prefix}{name}", prefixed(formula, part.prefix))
        for part in components
        for name, formula in part.shape.derived.items()
    ]
    return tuple((name, formula) for name, formula in made if name not in taken)


def prefixed(formula: str, prefix: str) -> str:
    """Put a prefix before every parameter of a formula."""
    return ast.unparse(_Prefixer(prefix).visit(tree_of(formula)))


class _Prefixer(ast.NodeTransformer):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def visit_Name(self, node: ast.Name) -> ast.Name:
        kept = node.id == AXIS or node.id in CONSTANTS
        return node if kept else ast.Name(f"{self.prefix}{node.id}", ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.Call:
        args: list[ast.expr] = [self.visit(part) for part in node.args]
        return ast.Call(node.func, args, [])


class _Expander(ast.NodeTransformer):
    """Puts the formulas of components where they are called."""

    def __init__(self) -> None:
        self.components: list[Component] = []

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not (isinstance(node.func, ast.Name) and node.func.id.endswith("Model")):
            return ast.Call(node.func, [self.visit(part) for part in node.args], node.keywords)
        name = node.func.id
        if name not in LINE_SHAPES:
            close = difflib.get_close_matches(name, LINE_SHAPES, 1)
            hint = f", did you mean {close[0]}?" if close else ": write it as a formula of x"
            msg = f"there is no {name} among {', '.join(LINE_SHAPES)}{hint}"
            raise SettingError(msg)
        component = Component(_prefix(node), name)
        self.components.append(component)
        return tree_of(prefixed(component.shape.formula, component.prefix))


def _prefix(node: ast.Call) -> str:
    match node:
        case ast.Call(args=[], keywords=[]):
            return ""
        case ast.Call(
            args=[], keywords=[ast.keyword(arg="prefix", value=ast.Constant(value=str() as text))]
        ) if re.fullmatch(_NAME, text):
            return text
    msg = f"{ast.unparse(node)!r} takes a prefix and no more, as in GaussianModel(prefix='g_')"
    raise SettingError(msg)


def _ruled(model: CurveModel, rules: Sequence[str]) -> CurveModel:
    starts: dict[str, float] = {}
    bounds: dict[str, tuple[float, float]] = {}
    constraints: dict[str, str] = {}
    for rule in rules:
        _read_rule(rule, model, starts, bounds, constraints)
    own = {*starts, *bounds, *constraints}
    for part in model.components:
        for rule in part.shape.rules:
            text = prefixed_rule(rule, part.prefix)
            # A rule of the shape holds where the user says nothing of that parameter.
            if not any(re.search(rf"\b{re.escape(name)}\b", _target(text)) for name in own):
                _read_rule(text, model, starts, bounds, constraints)
    both = sorted(set(constraints) & (set(starts) | set(bounds)))
    if both:
        msg = f"{both[0]!r} follows from a constraint, and so has neither start nor bounds"
        raise SettingError(msg)
    ruled = replace(
        model,
        constraints=_in_order(constraints),
        bounds=tuple((name, *ends) for name, ends in bounds.items()),
        starts=tuple(starts.items()),
    )
    if not ruled.free:
        msg = "all parameters of the model are fixed: leave one free to fit"
        raise SettingError(msg)
    return ruled


def prefixed_rule(rule: str, prefix: str) -> str:
    """Put a prefix before every name of a rule."""
    return re.sub(rf"(?<![\w.]){_NAME}", lambda found: prefix + found.group(), rule)


def _target(rule: str) -> str:
    return rule.partition("=")[0] if _CONSTRAINT.fullmatch(rule) else rule


def _read_rule(
    rule: str,
    model: CurveModel,
    starts: dict[str, float],
    bounds: dict[str, tuple[float, float]],
    constraints: dict[str, str],
) -> None:
    """Sort a rule into what it is about."""
    if match := _START.fullmatch(rule):
        starts[_of_model(match[1], model, rule)] = _number(match[2], rule)
    elif match := _CONSTRAINT.fullmatch(rule):
        name = _of_model(match[1], model, rule)
        for other in names_in(match[2]):
            _of_model(other, model, rule)
        constraints[name] = match[2].strip()
    else:
        name, low, high = _bounds(rule)
        old = bounds.get(_of_model(name, model, rule), (-math.inf, math.inf))
        bounds[name] = (max(low, old[0]), min(high, old[1]))
        if not bounds[name][0] < bounds[name][1]:
            msg = f"the bounds of {name!r} leave no room: {bounds[name]}"
            raise SettingError(msg)


def _of_model(name: str, model: CurveModel, rule: str) -> str:
    if name not in model.names:
        close = difflib.get_close_matches(name, model.names, 1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        msg = f"{rule!r} names {name!r}, the model has {', '.join(model.names)}{hint}"
        raise SettingError(msg)
    return name


def _number(text: str, rule: str) -> float:
    if names_in(text):
        msg = f"{rule!r} must have numbers where it has {', '.join(names_in(text))}"
        raise SettingError(msg)
    return float(evaluate(text, {}).value)


def _bounds(rule: str) -> tuple[str, float, float]:
    """Read ``name > 0``, ``510 < name < 530`` and the like."""
    tree = tree_of(rule)
    if isinstance(tree, ast.Compare):
        parts = [tree.left, *tree.comparators]
        rising = all(isinstance(op, ast.Lt | ast.LtE) for op in tree.ops)
        falling = all(isinstance(op, ast.Gt | ast.GtE) for op in tree.ops)
        named = {k: part.id for k, part in enumerate(parts) if isinstance(part, ast.Name)}
        if (rising or falling) and len(named) == 1 and len(parts) <= 3:
            (place, name), *_ = named.items()
            ends = [-math.inf, math.inf]
            for k, part in enumerate(parts):
                if k != place:
                    ends[(k > place) == rising] = _number(ast.unparse(part), rule)
            return name, ends[0], ends[1]
    msg = (
        f"{rule!r} is no rule for a parameter: write 'center ~ 520' to start there, "
        "'510 < center < 530' to bound, 'slope = 0' to fix, 'g2_sigma = g1_sigma' to constrain"
    )
    raise SettingError(msg)


def _in_order(constraints: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Sort constraints so that each needs only what stands before it."""
    waiting, ordered = dict(constraints), []
    while waiting:
        ready = [n for n, text in waiting.items() if not set(names_in(text)) & set(waiting)]
        if not ready:
            msg = f"the constraints of {', '.join(waiting)} need one another"
            raise SettingError(msg)
        ordered += [(name, waiting.pop(name)) for name in ready]
    return tuple(ordered)


def guarded(model: CurveModel, axis: Floats, /) -> CurveModel:
    """Keep the lines on the axis, no narrower than a tenth of a channel, no wider than ten axes.

    Where the user bounds a parameter, that bound holds alone.
    """
    low, high = float(axis.min()), float(axis.max())
    narrow = (high - low) / (10 * (len(axis) - 1))
    ends = {"center": (low, high), "sigma": (narrow, 10 * (high - low))}
    told = {name for name, _, _ in model.bounds}
    guards = [
        (f"{part.prefix}{name}", *ends[name])
        for part in model.lines
        for name in ends
        if f"{part.prefix}{name}" not in told
    ]
    return replace(model, guards=tuple(guards))


def limits(model: CurveModel, /) -> tuple[Floats, Floats]:
    """Give the lowest and highest values of the free parameters."""
    known = {name: (low, high) for name, low, high in (*model.bounds, *model.guards)}
    ends = [known.get(name, (-math.inf, math.inf)) for name in model.free]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])
