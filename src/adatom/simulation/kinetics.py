"""How defects move on a lattice, turn, change, appear and vanish: rates, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import expm

from adatom.errors import SettingError
from adatom.units import LENGTH, Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PER_CLASS = ("shares", "hops", "turns", "births", "deaths")


@dataclass(frozen=True)
class Kinetics:
    """Rates of everything that defects on a lattice do, all independent of the past.

    An empty tuple stands for zeros, of `shares` for equal ones. The default is like a
    sheet of WS2 under the beam: five classes, four transitions among them.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes.
    n_defects : int
        Defects at the start.
    shares : tuple of float
        In which proportion they belong to the classes.
    hops : tuple of float
        Of each class, rate at which a defect tries to hop to one of the neighboring
        places, in 1/s. It stays where the place is taken or there is none.
    turns : tuple of float
        Rate at which a defect turns to one of its other orientations, in 1/s.
    changes : tuple of tuple of float
        Rate at which a defect of the class of the row becomes one of that of the column, in
        1/s. The diagonal is 0.
    births : tuple of float
        How many defects of each class appear in the whole field, in 1/s.
    deaths : tuple of float
        Rate at which a defect vanishes, in 1/s.
    orientations : int
        How many each defect has: 3 at the sites of a 2H sheet (C3), 1 for none.
    anisotropy : float
        Diffusion along `fast_axis` over that across it. A hexagonal lattice allows up to 3 along
        any axis and any ratio along its rows.
    fast_axis : float
        In deg, from +x towards +y.
    closest : length
        Two defects are never nearer than this; d is the distance of neighboring places. By
        default a place and its neighbors hold one defect together, so that no two defects of
        a sheet share a column.
    """

    classes: tuple[str, ...] = (
        "Mo for W, S missing",
        "Mo for W, S2 missing",
        "W missing",
        "S2 for W",
        "W on W",
    )
    n_defects: int = 80
    shares: tuple[float, ...] = ()
    hops: tuple[float, ...] = (0.06, 0.06, 0.06, 0.06, 0.06)
    turns: tuple[float, ...] = (0.03, 0.03, 0.03, 0.03, 0.03)
    changes: tuple[tuple[float, ...], ...] = (
        (0.0, 0.03, 0.0, 0.0, 0.0),
        (0.02, 0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.03, 0.0),
        (0.0, 0.0, 0.015, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0),
    )
    births: tuple[float, ...] = ()
    deaths: tuple[float, ...] = ()
    orientations: int = 3
    anisotropy: float = 1.0
    fast_axis: float = 0.0
    closest: Length = "1.1 d"

    def __post_init__(self) -> None:
        count = len(self.classes)
        if not count or len(set(self.classes)) < count:
            msg = f"classes={self.classes}: give one name or more, each of its own"
            raise SettingError(msg)
        for name in _PER_CLASS:
            _check_rates(name, getattr(self, name), count)
        if self.changes and len(self.changes) != count:
            msg = f"changes has {len(self.changes)} rows, {count} classes need {count} (or none)"
            raise SettingError(msg)
        for number, row in enumerate(self.changes):
            _check_rates(f"changes[{number}]", row, count, needed=True)
            if row[number] != 0:
                msg = f"changes[{number}][{number}]={row[number]}: no class changes into itself"
                raise SettingError(msg)
        if self.shares and not sum(self.shares) > 0:
            msg = f"shares={self.shares} are all 0: leave them out for equal ones"
            raise SettingError(msg)
        if self.n_defects < 0 or self.orientations < 1:
            msg = f"n_defects={self.n_defects} must be 0 or more, {self.orientations=} 1 or more"
            raise SettingError(msg)
        if not self.anisotropy > 0:
            msg = f"anisotropy={self.anisotropy} is a ratio: more than 0, 1 for none"
            raise SettingError(msg)
        if LENGTH.check(self.closest, name="closest").value < 0:
            msg = f"closest={self.closest!r} must be 0 or more"
            raise SettingError(msg)

    def of_classes(self, name: str, /) -> Floats:
        """Give shares (summing to 1) or rates of all classes, zeros where none are told."""
        given = getattr(self, name)
        values = np.asarray(given or np.zeros(len(self.classes)), dtype=float)
        if name != "shares":
            return values
        values = values if given else np.ones(len(self.classes))
        return np.asarray(values / values.sum())

    def change_rates(self) -> Floats:
        """Give the rates (from, to) of changes, zeros on the diagonal."""
        count = len(self.classes)
        return np.asarray(self.changes or np.zeros((count, count)), dtype=float)


def _check_rates(name: str, rates: tuple[float, ...], count: int, *, needed: bool = False) -> None:
    if (rates or needed) and len(rates) != count:
        msg = f"{name} has {len(rates)} values, {count} classes need {count}"
        raise SettingError(msg)
    if not all(np.isfinite(rate) and rate >= 0 for rate in rates):
        msg = f"{name}={rates}: all must be 0 or more"
        raise SettingError(msg)


def rate_matrix(kinetics: Kinetics, /) -> Floats:
    """Give the generator (from, to) of changes, in 1/s; rows sum to 0, deaths are left out."""
    rates = kinetics.change_rates()
    return rates - np.diag(rates.sum(axis=1))


def transition_matrix(kinetics: Kinetics, time: float, /) -> Floats:
    """Give the probabilities (from, to) of classes after a time, of defects that survive it.

    Examples
    --------
    >>> kinetics = Kinetics(
    ...     ("a", "b"), hops=(), turns=(), changes=((0.0, 1.0), (0.0, 0.0))
    ... )
    >>> transition_matrix(kinetics, np.log(2)).round(6).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    survived = expm((rate_matrix(kinetics) - np.diag(kinetics.of_classes("deaths"))) * time)
    return np.asarray(survived / survived.sum(axis=1, keepdims=True))
