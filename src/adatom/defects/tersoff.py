"""A potential of carbon and silicon without electrons, for first looks and tests."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


class _Element(NamedTuple):
    """Parameters of one element, in eV and angstrom; names as in the paper."""

    A: float
    B: float
    lambda_: float
    mu: float
    beta: float
    n: float
    c: float
    d: float
    h: float
    R: float
    S: float


# J. Tersoff, Phys. Rev. B 39, 5566 (1989), table I; erratum 41, 3248 (1990).
_ELEMENTS: Final = {
    "C": _Element(
        1393.6, 346.74, 3.4879, 2.2119, 1.5724e-7, 0.72751, 3.8049e4, 4.3484, -0.57058, 1.8, 2.1
    ),
    "Si": _Element(
        1830.8, 471.18, 2.4799, 1.7322, 1.1e-6, 0.78734, 1.0039e5, 16.217, -0.59825, 2.7, 3.0
    ),
}
_CHI: Final = 0.9776
"""Strengthens or weakens the bond of C and Si."""


def tersoff_of_carbon_and_silicon(atoms: Atoms, /) -> Any:  # noqa: ANN401 -- of ASE, untyped
    """Give the Tersoff potential of SiC as an ASE calculator.

    Raises
    ------
    ValueError
        If there are other elements.
    """
    from ase.calculators.tersoff import Tersoff

    found: Any = atoms
    odd = sorted(set(found.symbols) - set(_ELEMENTS))
    if odd:
        msg = f"it knows {' and '.join(_ELEMENTS)}, found {', '.join(odd)}"
        raise ValueError(msg)
    return Tersoff(
        {triple: _parameters(*triple) for triple in product(sorted(set(found.symbols)), repeat=3)}
    )


def _parameters(first: str, second: str, third: str) -> Any:  # noqa: ANN401 -- of ASE, untyped
    """Mix the parameters of a triple: pair terms of the first two, cut off at the third."""
    from ase.calculators.tersoff import TersoffParameters

    one, two, three = _ELEMENTS[first], _ELEMENTS[second], _ELEMENTS[third]
    chi = 1.0 if first == second else _CHI
    # The pair terms of a triple are those of its first two atoms, the cutoff that of its outer two.
    inner, outer = np.sqrt(one.R * three.R), np.sqrt(one.S * three.S)
    return TersoffParameters(
        m=3.0,
        gamma=1.0,
        lambda3=0.0,
        c=one.c,
        d=one.d,
        h=one.h,
        n=one.n,
        beta=one.beta,
        lambda2=(one.mu + two.mu) / 2.0,
        B=chi * float(np.sqrt(one.B * two.B)),
        R=float(inner + outer) / 2.0,
        D=float(outer - inner) / 2.0,
        lambda1=(one.lambda_ + two.lambda_) / 2.0,
        A=float(np.sqrt(one.A * two.A)),
    )
