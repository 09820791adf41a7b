"""A shift for every line of a scan, smooth from line to line unless noise is too low for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import map_coordinates

from adatom.numerics.banded import banded_product, roughness_penalty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Columns that are left out in turn when the smoothness is chosen, so wide that the noise of
# one group, smooth as it is, says nothing of the next.
_GROUP: Final = 16
# Lines at which errors are worked out; in between they vary slowly.
_ERRORS_AT: Final = 24


class LineEquations(NamedTuple):
    """What a frame says of the shifts of its lines: normal equations, line by line.

    Attributes
    ----------
    normal : ndarray, shape (line, 2, 2)
        Over the variance of the noise.
    right : ndarray, shape (line, 2)
        For a step from the shifts so far.
    """

    normal: Floats
    right: Floats


def line_equations(
    frame: Floats, coefficients: Floats, lines: Floats, origin: NDArray[np.intp], /
) -> tuple[LineEquations, LineEquations, LineEquations] | None:
    """Compare a frame with the reference at the places that its lines show.

    Parameters
    ----------
    frame : ndarray, shape (y, x)
        NaN where not measured.
    coefficients : ndarray, shape (y, x)
        Of the spline through the reference, on the common grid.
    lines : ndarray, shape (line, 2)
        Shifts so far.
    origin : ndarray, shape (2,)
        Where the reference begins on the common grid.

    Returns
    -------
    tuple of three LineEquations
        Of all columns, of one half of them, and of the other half; None if nothing overlaps.
    """
    n_rows, n_columns = frame.shape
    at = np.stack(
        np.broadcast_arrays(
            (np.arange(n_rows) - lines[:, 0] - origin[0])[:, None],
            np.arange(n_columns) - lines[:, 1:] - origin[1],
        )
    )
    model = map_coordinates(coefficients, at, order=3, prefilter=False, mode="mirror")
    # Slopes along lines, and across them by the reference half a pixel up and down.
    half = np.zeros((2, 1, 1))
    half[0] = 0.5
    across = map_coordinates(coefficients, at + half, order=3, prefilter=False, mode="mirror")
    across -= map_coordinates(coefficients, at - half, order=3, prefilter=False, mode="mirror")
    along = np.gradient(model, axis=1)
    size = np.array(coefficients.shape)[:, None, None]
    known = np.isfinite(frame) & ((at >= 0) & (at <= size - 1)).all(axis=0)
    if known.sum() < 64:
        return None
    target, flat = frame[known], model[known]
    gain = float(np.cov(target, flat)[0, 1] / max(float(flat.var(ddof=1)), 1e-300))
    if not gain > 0:
        return None
    rest = np.where(known, frame - target.mean() - gain * (model - flat.mean()), 0.0)
    slopes = gain * np.where(known, np.stack([across, along]), 0.0)
    noise = float(rest[known].var()) * _correlated(rest, known)
    group = (np.arange(n_columns) // _GROUP) % 2
    out = []
    for columns in (slice(None), group == 0, group == 1):
        g, r = slopes[:, :, columns], rest[:, columns]
        normal = np.einsum("ayx,byx->yab", g, g) / noise
        # The frame shows the reference at r - shift: a farther shift lowers what stands upslope.
        out.append(LineEquations(normal, -np.einsum("ayx,yx->ya", g, r) / noise))
    return out[0], out[1], out[2]


def _correlated(rest: Floats, known: NDArray[np.bool_]) -> float:
    """Give over how many pixels of a line and of lines about it a residual is one, at least one."""
    power = float((rest**2).sum())
    total = 1.0
    for axis in (0, 1):
        span = 1.0
        for lag in range(1, 9):
            a = rest.take(range(rest.shape[axis] - lag), axis)
            b = rest.take(range(lag, rest.shape[axis]), axis)
            like = float((a * b).sum()) / max(power, 1e-300)
            if like < 0.05:
                break
            span += 2 * like
        total *= span
    del known
    return total


def smooth_steps(equations: LineEquations, lines: Floats, /, *, stiffness: float) -> Floats:
    """Give the step of every line that fits best while the shifts stay smooth, (line, 2)."""
    penalty = _penalty(len(lines))
    bands = _bands(equations.normal, penalty, stiffness)
    rough = np.column_stack([banded_product(penalty, lines[:, axis : axis + 1]) for axis in (0, 1)])
    right = equations.right - stiffness * rough
    return np.asarray(solveh_banded(bands, right.ravel(), lower=True)).reshape(-1, 2)


def line_errors(equations: LineEquations, /, *, stiffness: float) -> Floats:
    """Give the standard errors of the shifts of lines, (line, 2)."""
    n = len(equations.right)
    bands = _bands(equations.normal, _penalty(n), stiffness)
    at = np.unique(np.linspace(0, n - 1, min(_ERRORS_AT, n)).round().astype(int))
    errors = np.zeros((n, 2))
    for axis in (0, 1):
        units = np.zeros((2 * n, len(at)))
        units[2 * at + axis, np.arange(len(at))] = 1.0
        found = solveh_banded(bands, units, lower=True)
        here = np.sqrt(np.maximum(found[2 * at + axis, np.arange(len(at))], 0.0))
        errors[:, axis] = np.interp(np.arange(n), at, here)
    return errors


def gain_left_out(
    halves: tuple[LineEquations, LineEquations], lines: Floats, /, *, stiffness: float
) -> float:
    """Tell by how much shifts found from one half of the columns explain the other half."""
    gain = 0.0
    for fitted, tested in (halves, halves[::-1]):
        # Half of the columns know half as much.
        step = smooth_steps(fitted, lines, stiffness=stiffness / 2)
        gain += float((tested.right * step).sum())
        gain -= 0.5 * float(np.einsum("ya,yab,yb->", step, tested.normal, step))
    return gain


def _penalty(n: int) -> tuple[Floats, ...]:
    return roughness_penalty(np.arange(float(n)), order=2)


def _bands(normal: Floats, penalty: tuple[Floats, ...], stiffness: float) -> Floats:
    """Lay out the equations of both axes, interleaved, as the lower bands of one matrix."""
    n = len(normal)
    bands = np.zeros((2 * len(penalty) - 1, 2 * n))
    for k, band in enumerate(penalty):
        for axis in (0, 1):
            bands[2 * k, axis : 2 * (n - k) : 2] += stiffness * band
    bands[0, 0::2] += normal[:, 0, 0]
    bands[0, 1::2] += normal[:, 1, 1]
    bands[1, 0::2] += normal[:, 0, 1]
    # A line that shows nothing still has an equation; so has a frame without any.
    bands[0] += 1e-9 * max(float(bands[0].max()), 1e-300)
    return bands
