"""Principal components of patches in all orientations of a point group, and how it acts on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.linalg

from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.noise_rank import n_components_above_noise
from adatom.numerics.parallel_analysis import parallel_analysis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.disc_harmonics import DiscHarmonics

    Floats = NDArray[np.float64]
    Complex = NDArray[np.complex128]

# Components beyond so many are not judged: a mixture has no more anyway.
_MOST_JUDGED: Final = 64


class TurnedSubspace(NamedTuple):
    """A subspace that turns and mirrors of a group map onto itself.

    Attributes
    ----------
    basis : ndarray, shape (component, coordinate)
        Orthonormal, in coordinates of `DiscHarmonics` about the mirror axis.
    mean : ndarray, shape (coordinate,)
        Of the patches in all orientations; it has the symmetry of the group.
    variances : ndarray, shape (component,)
        Of the patches in all orientations.
    operations : ndarray, shape (operation, component, component)
        Orthogonal: the scores of a patch after each operation, from those
        before. As of `point_groups.group_matrices`, the identity first.
    noise : float
        Mean variance of what was left out, per coordinate.
    """

    basis: Floats
    mean: Floats
    variances: Floats
    operations: Floats
    noise: float


class _Component(NamedTuple):
    """One or two axes that the group keeps together."""

    variance: float
    axes: Floats
    turn: int
    """One step of the group turns two axes by so many steps. A single axis: other than zero, it is
    reversed."""
    odd: bool
    """A single axis that mirrors reverse."""


def turned_subspace(
    waves: DiscHarmonics,
    mean: Floats,
    covariance: Floats,
    n_rows: int,
    /,
    *,
    group: str,
    n_most: int,
) -> TurnedSubspace:
    """Find the principal components of patches in all orientations of a group.

    No patch is turned: averaged over the group, the covariance falls apart
    into one block for every irreducible representation. The waves of order m
    with the same m modulo n are multiplied by the same phase, so that the
    components found within one such set are exactly kept by the group [1]_.

    Parameters
    ----------
    waves : DiscHarmonics
        About the mirror axis, if the group has mirrors.
    mean, covariance : ndarray
        Of the coordinates of the patches as they are.
    n_rows : int
        Patches that they come from.
    group : str
        In Schoenflies' name: "C3", "C3v" ...
    n_most : int
        Keep no more components than this, one more where a pair would be cut.

    References
    ----------
    .. [1] The averaging is that of Z. Zhao and A. Singer, J. Opt. Soc. Am. A 30, 871 (2013),
       for all rotations, here for a finite group.
    """
    n_fold, mirrored = int(group[1]), group.endswith("v")
    second = covariance + np.outer(mean, mean)
    common = _common_part(waves, mean, n_fold, mirrored)
    found: list[_Component] = []
    with single_threaded_blas():
        for turn in range(n_fold // 2 + 1):
            kept = np.minimum(waves.order % n_fold, -waves.order % n_fold) == turn
            if 0 < turn < n_fold / 2:
                found += _pairs(waves, second, np.flatnonzero(kept), turn, n_fold, mirrored)
                continue
            about = second - np.outer(common, common) if turn == 0 else second
            parts = [kept & ~waves.imaginary, kept & waves.imaginary] if mirrored else [kept]
            for odd, part in enumerate(parts):
                found += _singles(about, np.flatnonzero(part), turn, odd=bool(odd))
    found.sort(key=lambda one: -one.variance)
    n_kept = _n_components(found, waves, n_rows * n_fold * (1 + mirrored), n_most)
    kept_ones, rest = found[:n_kept], found[n_kept:]
    n_rest = sum(len(one.axes) for one in rest)
    return TurnedSubspace(
        np.concatenate([one.axes for one in kept_ones]),
        common,
        np.concatenate([np.full(len(one.axes), one.variance) for one in kept_ones]),
        _operations(kept_ones, n_fold, mirrored),
        sum(one.variance * len(one.axes) for one in rest) / max(n_rest, 1),
    )


def _common_part(waves: DiscHarmonics, mean: Floats, n_fold: int, mirrored: bool) -> Floats:
    """Average a mean over the group."""
    kept = waves.order % n_fold == 0
    if mirrored:
        kept &= ~waves.imaginary
    return np.where(kept, mean, 0.0)


def _pairs(
    waves: DiscHarmonics,
    second: Floats,
    kept: NDArray[np.intp],
    turn: int,
    n_fold: int,
    mirrored: bool,
) -> list[_Component]:
    """Find components among waves that a turn multiplies by a phase, or by its conjugate."""
    real = kept[~waves.imaginary[kept]]
    imaginary = real + 1
    # Where it is the conjugate, conjugate waves have the phase itself.
    sign = np.where(waves.order[real] % n_fold == turn, 1.0, -1.0)
    both = np.outer(sign, sign)
    hermitian = second[np.ix_(real, real)] + both * second[np.ix_(imaginary, imaginary)]
    if not mirrored:
        across = second[np.ix_(imaginary, real)]
        hermitian = hermitian + 1j * (sign[:, None] * across - sign * across.T)
    values, vectors = scipy.linalg.eigh(hermitian)
    found = []
    for value, vector in zip(values[::-1], vectors.T[::-1], strict=True):
        largest = vector[np.abs(vector).argmax()]
        u = vector * (np.abs(largest) / largest)
        axes = np.zeros((2, len(waves.order)))
        axes[0, real], axes[0, imaginary] = u.real, sign * u.imag
        axes[1, real], axes[1, imaginary] = -u.imag, sign * u.real
        found.append(_Component(max(float(value) / 2, 0.0), axes, turn, odd=False))
    return found


def _singles(second: Floats, kept: NDArray[np.intp], turn: int, *, odd: bool) -> list[_Component]:
    """Find components that a turn keeps or reverses."""
    if not len(kept):
        return []
    values, vectors = scipy.linalg.eigh(second[np.ix_(kept, kept)])
    found = []
    for value, vector in zip(values[::-1], vectors.T[::-1], strict=True):
        axes = np.zeros((1, len(second)))
        axes[0, kept] = vector * np.sign(vector[np.abs(vector).argmax()])
        found.append(_Component(max(float(value), 0.0), axes, turn, odd))
    return found


def _n_components(found: list[_Component], waves: DiscHarmonics, n_rows: int, n_most: int) -> int:
    """Count the components above the noise by both reckonings, two coordinates at least."""
    sizes = np.array([len(one.axes) for one in found])
    variances = np.repeat([one.variance for one in found], sizes)
    axes = np.concatenate([one.axes for one in found[:_MOST_JUDGED]])
    total = np.zeros(len(waves.order))
    for one in found:
        total += one.variance * (one.axes**2).sum(axis=0)
    judged = parallel_analysis(variances[: len(axes)], axes, total, n_rows).n_components
    above = min(judged, n_components_above_noise(variances, n_rows), n_most)
    ends = np.cumsum(sizes)
    return int(np.searchsorted(ends, min(max(above, 2), ends[-1]))) + 1


def _operations(found: list[_Component], n_fold: int, mirrored: bool) -> Floats:
    turns = []
    for step in range(n_fold):
        blocks = []
        for one in found:
            if len(one.axes) == 1:
                blocks.append(np.array([[(-1.0) ** step if one.turn else 1.0]]))
                continue
            # s -> exp(-i turn alpha) s, in real and imaginary part.
            angle = 2 * np.pi * one.turn * step / n_fold
            cosine, sine = np.cos(angle), np.sin(angle)
            blocks.append(np.array([[cosine, sine], [-sine, cosine]]))
        turns.append(scipy.linalg.block_diag(*blocks))
    if not mirrored:
        return np.array(turns)
    mirror = np.concatenate(
        [[1.0, -1.0] if len(one.axes) == 2 else [-1.0 if one.odd else 1.0] for one in found]
    )
    return np.array(turns + [turn * mirror for turn in turns])
