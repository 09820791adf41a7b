"""Layers of a metal between two chalcogens, and what may stand in the place of their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adatom.defects.sheets import EXPONENT, atomic_number
from adatom.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMULA: Final = re.compile(r"([A-Z][a-z]?)([A-Z][a-z]?)2")

# In nm. W. G. Dawson and D. W. Bullett, J. Phys. C 20, 6159 (1987), and references there.
LATTICE_CONSTANTS: Final = {
    "MoS2": 0.316, "MoSe2": 0.329, "MoTe2": 0.352, "WS2": 0.3153, "WSe2": 0.328,
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """What may stand at one place, as the beam sees it.

    Attributes
    ----------
    name : str
        Of the defect that it makes; empty for the host's own column.
    atoms : tuple of str
        Elements that are there.
    n_missing : int
        Atoms of the host that are not.
    share : float
        Of such columns, expected beforehand.
    """

    name: str
    atoms: tuple[str, ...]
    n_missing: int
    share: float

    @property
    def label(self) -> str:
        """Its atoms as one word, "empty" for none: "S2", "SSe", "Mo"."""
        if not self.atoms:
            return "empty"
        one = sorted(set(self.atoms), key=self.atoms.index)
        return "".join(f"{a}{self.atoms.count(a) if self.atoms.count(a) > 1 else ''}" for a in one)


@dataclass(frozen=True)
class Layer:
    """A host such as MoS2."""

    name: str
    metal: str
    chalcogen: str

    @property
    def lattice_constant(self) -> float:
        """In nm; NaN where none is known here."""
        return LATTICE_CONSTANTS.get(self.name, float("nan"))

    def brightness(self, column: Column, exponent: float = EXPONENT, /) -> float:
        """Give how bright a column is beside the host's metal, by atomic numbers."""
        whole = sum(float(atomic_number(name)) ** exponent for name in column.atoms)
        return float(whole / float(atomic_number(self.metal)) ** exponent)


def layer_of_name(host: str, /) -> Layer:
    """Read the formula of a host.

    Examples
    --------
    >>> layer_of_name("WSe2")
    Layer(name='WSe2', metal='W', chalcogen='Se')
    """
    found = _FORMULA.fullmatch(host)
    if not found:
        msg = f"{host=} is no layer of a metal and two chalcogens: write it as 'MoS2' or 'WSe2'"
        raise SettingError(msg)
    metal, chalcogen = found.groups()
    for name in (metal, chalcogen):
        atomic_number(name)
    if chalcogen not in {"S", "Se", "Te"}:
        msg = f"{host=}: {chalcogen} is no chalcogen (S, Se, Te)"
        raise SettingError(msg)
    return Layer(host, metal, chalcogen)


# Expected beforehand, per place. Missing chalcogen is common, missing metal and antisites are
# rare (J. Hong et al., Nat. Commun. 6, 6293 (2015): 1e13, 1e12 and less per cm^2 of MoS2, that is
# 0.01 and 0.001 per place); elements that were told of may be as many as the host's.
_ONE_MISSING: Final = 0.01
_BOTH_MISSING: Final = 0.001
_METAL_MISSING: Final = 0.001
_ANTISITE: Final = 0.0003
_TOLD: Final = 0.05


def columns_of_layer(
    layer: Layer, metals: Sequence[str], chalcogens: Sequence[str], /
) -> tuple[list[Column], list[Column]]:
    """List what may stand at a place of the metal, and at one of the chalcogen; the host's first.

    Vacancies are "V_Mo", "V_S" (one atom of the column's two) and "V_S2"; other
    elements "W_Mo", "Se_S", "Se2_S2". Vanadium is put in parentheses, "(V)_Mo", as V is
    a vacancy.
    """
    host, own = layer.metal, layer.chalcogen
    on_metal = [
        Column("", (host,), 0, 1.0),
        *(Column(f"{_atom(one)}_{host}", (one,), 0, _TOLD) for one in metals),
        Column(f"V_{host}", (), 1, _METAL_MISSING),
        Column(f"{own}2_{host}", (own, own), 0, _ANTISITE),
    ]
    on_chalcogen = [
        Column("", (own, own), 0, 1.0),
        Column(f"V_{own}", (own,), 1, _ONE_MISSING),
        Column(f"V_{own}2", (), 2, _BOTH_MISSING),
        Column(f"{host}_{own}", (own, host), 0, _ANTISITE),
        Column(f"{host}_{own}2", (host,), 0, _ANTISITE),
    ]
    for one in chalcogens:
        on_chalcogen += [
            Column(f"{one}_{own}", (own, one), 0, _TOLD),
            Column(f"{one}2_{own}2", (one, one), 0, _TOLD),
        ]
    return on_metal, on_chalcogen


def _atom(element: str) -> str:
    return f"({element})" if element == "V" else element
