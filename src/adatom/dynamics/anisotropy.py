"""The tensor of diffusion, its axes, and whether motion is the same along all directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import fdtrc

from adatom.dynamics.increments import diffusion_from_covariance
from adatom.dynamics.resampling import FEWEST_TRACKS, NOT_KNOWN, Interval, studentized_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.increments import CovarianceSums

_AXES: Final = {"yy": (1.0, 0.0, 0.0), "xx": (0.0, 1.0, 0.0), "yx": (0.0, 0.0, 1.0)}


class DiffusionTensor(NamedTuple):
    """Components, principal values, and the test of isotropy.

    ``angle`` is that of the axis of fastest motion, in degrees from +x towards +y.
    """

    components: dict[str, Interval]
    major: float
    minor: float
    angle: float
    p_value: float


def estimate_tensor(
    sums: CovarianceSums, step_time: float, rng: np.random.Generator, /
) -> DiffusionTensor:
    """Estimate the tensor by the covariance of increments.

    Of scattered components the larger is always called major: whether they
    differ is told by the p value, of D_yy - D_xx and D_yx both being zero.
    """
    statistic = diffusion_from_covariance(step_time, n_axes=1)
    components = {}
    influence: dict[str, NDArray[np.float64]] = {}
    if not sums.pairs.any():
        return DiffusionTensor(dict.fromkeys(_AXES, NOT_KNOWN), *(np.nan,) * 4)
    for name, axes in _AXES.items():
        table = sums.table(np.array(axes))
        components[name] = studentized_interval(table, statistic, rng)
        influence[name] = table @ statistic(table.sum(axis=0))[1]
    yy, xx, yx = (components[name].value for name in _AXES)
    half = np.hypot((yy - xx) / 2, yx)
    angle = float(np.degrees(np.arctan2(2 * yx, xx - yy) / 2)) % 180
    return DiffusionTensor(
        components,
        major=(yy + xx) / 2 + half,
        minor=(yy + xx) / 2 - half,
        angle=angle,
        p_value=_isotropy(np.array([yy - xx, 2 * yx]), influence),
    )


def _isotropy(found: NDArray[np.float64], influence: dict[str, NDArray[np.float64]]) -> float:
    """Compare two components that are zero under isotropy with their scatter between tracks."""
    rows = np.column_stack([influence["yy"] - influence["xx"], 2 * influence["yx"]])
    rows = rows[np.any(rows != 0, axis=1)]
    n = len(rows)
    if n < FEWEST_TRACKS:
        return float("nan")
    covariance = rows.T @ rows * n / (n - 1)
    if not np.isfinite(covariance).all() or np.linalg.matrix_rank(covariance) < 2:
        return float("nan")
    distance = float(found @ np.linalg.solve(covariance, found))
    # Hotelling's test of a mean of n rows.
    return float(fdtrc(2, n - 2, distance * (n - 2) / (2 * (n - 1))))
