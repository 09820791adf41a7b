"""Which orientation of a class is its first, and which classes a larger group would join."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.numerics.point_groups import product_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.clustering.turned_mixtures import TurnedFit
    from adatom.clustering.turned_models import TurnedMixtureModel
    from adatom.numerics.disc_harmonics import DiscHarmonics
    from adatom.numerics.turned_subspace import TurnedSubspace

    Floats = NDArray[np.float64]

_N_ANGLES: Final = 720
# Differences of directions below this are rounding.
_SAME_ANGLE: Final = 1e-4
# Another operation makes two classes alike if it takes away so much of their squared difference.
_EXPLAINED: Final = 0.9
# Operations as near to one of the group as this, in deg, are that one.
_OWN: Final = 10.0


def first_orientations(
    fit: TurnedFit,
    subspace: TurnedSubspace,
    waves: DiscHarmonics,
    matrices: Sequence[Floats],
    axis: float,
    /,
) -> tuple[TurnedFit, Floats]:
    """Turn every class so that its strongest departure lies nearest to +x.

    The departure is that from the mean of the class over all orientations;
    what the lattice around it has in common is not in it. Of two directions
    as near, the one towards +y is taken.

    Returns
    -------
    fit : TurnedFit
        The same mixture, with other first orientations.
    directions : ndarray, shape (class,)
        Of the departures, in deg from -180 to 180; NaN where there is none.
    """
    mixture = fit.mixture
    table = product_table(matrices)
    inverse = table.argmin(axis=1)
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    symmetry = list(mixture.symmetry)
    directions = np.full(len(means), np.nan)
    for k, mean in enumerate(mixture.means):
        if len(symmetry[k]) == len(matrices):
            continue
        departure = mean - mixture.operations.mean(axis=0) @ mean
        angle = _strongest(departure @ subspace.basis, waves) + axis
        turned = [_turned(angle, matrix) for matrix in matrices]
        g = min(
            range(len(matrices)),
            key=lambda g: (round(abs(turned[g]) / _SAME_ANGLE), turned[g] < 0, g),
        )
        operation = mixture.operations[g]
        means[k] = operation @ mean
        covariances[k] = operation @ covariances[k] @ operation.T
        symmetry[k] = tuple(sorted(int(table[table[g, h], inverse[g]]) for h in symmetry[k]))
        directions[k] = np.degrees(turned[g])
    turned_mixture = replace(
        mixture, means=means, covariances=covariances, symmetry=tuple(symmetry)
    )
    return fit._replace(mixture=turned_mixture), directions


def _turned(angle: float, matrix: Floats) -> float:
    y, x = matrix @ [np.sin(angle), np.cos(angle)]
    return float(np.arctan2(y, x))


def _strongest(coordinates: Floats, waves: DiscHarmonics) -> float:
    """Find the direction, in rad from the axis, of the largest value on all rings."""
    angle = 2 * np.pi * np.arange(_N_ANGLES) / _N_ANGLES
    picture = _on_rings(coordinates, waves, angle)
    return float(angle[int(np.abs(picture).max(axis=0).argmax())])


def _on_rings(coordinates: Floats, waves: DiscHarmonics, angle: Floats) -> Floats:
    """Give the values (ring, angle) that coordinates stand for."""
    picture = np.zeros((len(waves.radius), len(angle)))
    phase = waves.order[:, None] * angle
    # A real picture is c_0 + 2 Re sum c_m exp(i m t).
    part = np.where(waves.imaginary[:, None], -np.sin(phase), np.cos(phase))
    factor = coordinates / waves.weight * np.where(waves.order > 0, 2, 1)
    np.add.at(picture, waves.ring, factor[:, None] * part)
    return picture


def related_classes(
    model: TurnedMixtureModel, subspace: TurnedSubspace, waves: DiscHarmonics, /
) -> list[str]:
    """Tell of classes that an operation outside of the group makes alike."""
    n_fold, mirrored = int(model.symmetry[1]), model.symmetry.endswith("v")
    pictures = subspace.mean + model.means @ subspace.basis
    told = []
    for second in range(1, model.n_classes):
        for first in range(second):
            least = _apart(model, first, second)
            best, text = (1 - _EXPLAINED) * least, ""
            for reflected in (False,) if mirrored else (False, True):
                squares = _squares(pictures[first], pictures[second], waves, reflected=reflected)
                angles = 360.0 * np.arange(len(squares)) / len(squares)
                if not reflected:
                    period = 360.0 / n_fold
                    from_own = np.abs((angles + period / 2) % period - period / 2)
                    squares = np.where(from_own < _OWN, np.inf, squares)
                if squares.min() < best:
                    best = float(squares.min())
                    text = _words(first, second, float(angles[squares.argmin()]), reflected)
            if text:
                told.append(f"{text}: a larger group than {model.symmetry} may make them one class")
    return told


def _words(first: int, second: int, angle: float, reflected: bool) -> str:
    if reflected:
        return f"class {second} looks like class {first} mirrored"
    return f"class {second} looks like class {first} turned by {angle:.0f} deg"


def _apart(model: TurnedMixtureModel, first: int, second: int) -> float:
    away = model.operations @ model.means[second] - model.means[first]
    return float((away**2).sum(axis=1).min())


def _squares(first: Floats, second: Floats, waves: DiscHarmonics, *, reflected: bool) -> Floats:
    """Give the squared difference of two pictures for every angle by which the first is turned."""
    real = np.flatnonzero(~waves.imaginary & (waves.order > 0))
    one = first[real] + 1j * first[real + 1]
    other = second[real] + 1j * second[real + 1]
    if reflected:
        one = one.conj()
    orders = np.zeros(int(waves.order.max()) + 1, dtype=complex)
    np.add.at(orders, waves.order[real], one * other.conj())
    angle = 2 * np.pi * np.arange(_N_ANGLES // 2) / (_N_ANGLES // 2)
    overlap = (orders[:, None] * np.exp(-1j * np.arange(len(orders))[:, None] * angle)).real
    flat = waves.order == 0
    round_part = float(((first[flat] - second[flat]) ** 2).sum())
    lengths = float((np.abs(one) ** 2).sum() + (np.abs(other) ** 2).sum())
    return np.asarray(round_part + lengths - 2 * overlap.sum(axis=0))
