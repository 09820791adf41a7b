"""Young's modulus from indentation, by the contact mechanics of Hertz, Sneddon and DMT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from adatom.curves.adhesion import adhesion_of
from adatom.curves.contact import FAULTS
from adatom.errors import SettingError
from adatom.numerics.force_curves import measures_by_curves, needed_channels, segment_number
from adatom.schema import FORCE_CURVES, Features, ForceCurves, add_note
from adatom.units import ANGLE, Angle, Length, length_from_setting

Array = NDArray[np.float64]

# nN / nm^2 are GPa.
_KPA: Final = 1e6
_LEAST_SAMPLES: Final = 10
# Beyond this ratio of contact to cantilever the depth is a small difference of large numbers:
# on simulated curves the modulus is right to a few per cent at fifty, and a third low at two
# hundred.
_STIFFEST: Final = 100.0
_MOST_SAMPLES: Final = 1000
_ROUNDS: Final = 8
# Golden section: thirty steps narrow a bracket to one in a million.
_STEPS: Final = 40
_GOLDEN: Final = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Tip:
    """Geometry of the end of a tip.

    Attributes
    ----------
    shape : {"sphere", "cone", "pyramid"}
        A paraboloid, good for spheres to a depth of a third of the radius;
        a cone; or a pyramid of four sides.
    radius : length
        Of the sphere.
    half_angle : angle
        Of the cone to its axis; of the pyramid between its axis and a face.
    """

    shape: Literal["sphere", "cone", "pyramid"] = "sphere"
    radius: Length = "20 nm"
    half_angle: Angle = "18 deg"

    @property
    def power(self) -> float:
        """Exponent of the depth."""
        return 1.5 if self.shape == "sphere" else 2.0

    def factor(self, poisson_ratio: float, /) -> float:
        """Give force over modulus (nN/GPa) at a depth of 1 nm."""
        if self.shape == "sphere":
            radius = length_from_setting(self.radius, unit="nm", name="radius")
            if not radius > 0:
                msg = f"radius={self.radius!r} must be above zero"
                raise SettingError(msg)
            shape = 4 / 3 * float(np.sqrt(radius))
        else:
            angle, _ = ANGLE.check(self.half_angle, name="half_angle")
            if not 0 < angle < 90:
                msg = f"half_angle={self.half_angle!r} must be between 0 and 90 deg"
                raise SettingError(msg)
            tangent = float(np.tan(np.deg2rad(angle)))
            shape = (2 / np.pi if self.shape == "cone" else 0.7453) * tangent
        return shape / (1 - poisson_ratio**2)


def fit_indentation(
    curves: ForceCurves,
    /,
    *,
    tip: Tip,
    poisson_ratio: float = 0.5,
    adhesion: bool = False,
    max_depth: Length | None = None,
    segment: str = "approach",
) -> Features:
    """Fit Young's modulus to the part of every curve that is in contact.

    ``F = E / (1 - nu^2) * c * depth^p - F_ad`` with c = 4/3 sqrt(R), p = 3/2
    of a sphere [1]_, c = 2/pi tan(alpha), p = 2 of a cone [2]_, and c =
    0.7453 tan(alpha), p = 2 of a pyramid [3]_. The depth counts from a
    contact that is fitted too, beginning at that of the separation. With
    adhesion, F_ad is the pull-off force of the same segment [4]_ (DMT: stiff
    samples, small tips, weak adhesion).

    Noise of the deflection moves force and depth together, so that samples
    on a stiff contact are scattered more about the law: they are weighted
    by ``1 / (1 + slope / k)`` (effective variance [5]_).

    Parameters
    ----------
    curves : ForceCurves
        With ``force`` and ``separation``, baseline taken off. Numpy gives
        numpy; dask gives dask.
    tip : Tip
        From the maker or from a test grating; the modulus of a sphere goes
        with one over the root of its radius.
    poisson_ratio : float
        A half is that of rubber and cells, which keep their volume; 0.3 to
        0.4 of polymers and metals.
    adhesion : bool
        DMT instead of Hertz, of spheres only: with ``segment="retract"``.
    max_depth : length, optional
        Such as "200 nm", a tenth of the thickness of a thin sample at most;
        by default all of the contact.
    segment : str
        The approach, unless adhesion is fitted.

    Returns
    -------
    Features
        Last dim ``measure``: ``young_modulus`` and ``young_modulus_error``
        (kPa; of the fit alone, with the fitted contact and the correlation
        of the noise: errors of spring constant and tip come on top and are
        larger), ``contact_offset`` (nm, by which the fitted contact lies
        above the one of the separation), ``depth`` (nm, the largest that
        was fitted), ``explained`` (share of the variance of the force), and ``fault``,
        as of `find_contact`. Where the contact is more than a hundred times
        stiffer than the cantilever there is no modulus, fault 4, "too stiff".

    Raises
    ------
    KindError
        If there is no force or separation.
    SettingError
        If tip or Poisson ratio are impossible, if adhesion is asked of a tip
        that is no sphere, or there is no such segment.

    Examples
    --------
    >>> import xarray as xr
    >>> separation = np.linspace(50.0, -40.0, 181)
    >>> force = 4 / 3 * 0.001 / 0.75 * 100**0.5 * np.clip(-separation, 0, None)**1.5
    >>> dims = ("site", "segment", "sample")
    >>> curves = xr.Dataset(
    ...     {"separation": (dims, separation[None, None], {"units": "nm"}),
    ...      "force": (dims, force[None, None], {"units": "nN"})},
    ...     coords={"segment": ["approach"]})
    >>> found = fit_indentation(curves, tip=Tip(radius="100 nm"))
    >>> found.sel(measure="young_modulus").values.round(3)
    array([1000.])

    References
    ----------
    .. [1] H. Hertz, J. reine angew. Math. 92, 156 (1882).
    .. [2] I. N. Sneddon, Int. J. Eng. Sci. 3, 47 (1965).
    .. [3] G. G. Bilodeau, J. Appl. Mech. 59, 519 (1992).
    .. [4] B. V. Derjaguin, V. M. Muller, Yu. P. Toporov, J. Colloid Interface Sci. 53, 314 (1975).
    .. [5] J. Orear, Am. J. Phys. 50, 912 (1982).
    """
    FORCE_CURVES.check(curves)
    needed_channels(curves, "force", by="correction.correct_deflection")
    needed_channels(curves, "separation", by="correction.correct_separation")
    if not 0 <= poisson_ratio <= 0.5:
        msg = f"{poisson_ratio=} must be from 0 to 0.5"
        raise SettingError(msg)
    if adhesion and tip.shape != "sphere":
        msg = f"adhesion=True is the law of a sphere (DMT), the tip is a {tip.shape}"
        raise SettingError(msg)
    factor, power = tip.factor(poisson_ratio), tip.power
    deepest = np.inf if max_depth is None else _depth(max_depth)
    number = segment_number(curves, segment)
    spring = float(curves.attrs.get("spring_constant", np.inf))

    def work(separations: Array, forces: Array) -> list[float]:
        x, y = separations[number], forces[number]
        known = np.isfinite(x) & np.isfinite(y)
        return _modulus(x[known], y[known], factor, power, spring, deepest, adhesion)

    units = {
        "young_modulus": "kPa",
        "young_modulus_error": "kPa",
        "contact_offset": "nm",
        "depth": "nm",
        "explained": "1",
        "fault": "1",
    }
    result = measures_by_curves(curves, ("separation", "force"), work, units, name="indentation")
    result.attrs["faults"] = list(FAULTS)
    law = "DMT" if adhesion else "Hertz" if tip.shape == "sphere" else "Sneddon"
    size = f"radius {tip.radius}" if tip.shape == "sphere" else f"half angle {tip.half_angle}"
    add_note(result, f"{law}, {tip.shape} of {size}, Poisson ratio {poisson_ratio:g}.")
    return result


def _depth(text: Length) -> float:
    depth = length_from_setting(text, unit="nm", name="max_depth")
    if not depth > 0:
        msg = f"max_depth={text!r} must be above zero"
        raise SettingError(msg)
    return depth


def _modulus(
    separation: Array,
    force: Array,
    factor: float,
    power: float,
    spring: float,
    deepest: float,
    adhesion: bool,
) -> list[float]:
    if not separation.size:
        return [*[np.nan] * 5, float(FAULTS.index("no contact"))]
    pull = 0.0
    if adhesion:
        pull = max(0.0, adhesion_of(separation, force)[0])
    x, y = _contact_part(separation, force + pull, deepest, pull)
    if len(x) < _LEAST_SAMPLES:
        return [*[np.nan] * 5, float(FAULTS.index("too few samples"))]
    reach = max(float(-x.min()), float(np.ptp(x)) / 2)
    weights = np.ones(len(x))
    offset, scale = 0.0, 0.0
    for _ in range(_ROUNDS):
        before = scale
        offset, scale = _best_offset(x, y, weights, power, reach)
        depth = np.clip(offset - x, 0, None)
        # The slope of the law over the spring constant: how noise of the deflection counts twice.
        weights = 1 / (1 + scale * power * depth ** (power - 1) / spring)
        if abs(scale - before) <= 1e-6 * abs(scale):
            break
    if not scale > 0:
        return [*[np.nan] * 5, float(FAULTS.index("no contact"))]
    depth = np.clip(offset - x, 0, None)
    left = y - scale * depth**power
    error = _error(depth, left, weights, scale, power)
    total = float(((y - y.mean()) ** 2).sum())
    explained = 1 - float(left @ left) / total if total > 0 else np.nan
    deepest_here = float(depth.max())
    contact_stiffness = scale * power * deepest_here ** (power - 1)
    if contact_stiffness > _STIFFEST * spring:
        fault = float(FAULTS.index("too stiff"))
        return [np.nan, np.nan, offset, deepest_here, explained, fault]
    to_kpa = _KPA / factor
    return [scale * to_kpa, error * to_kpa, offset, deepest_here, explained, 0.0]


def _contact_part(x: Array, y: Array, deepest: float, pull: float) -> tuple[Array, Array]:
    """Give samples in contact and as many before it, averaged to a thousand at most."""
    low = max(float(x.min()), -deepest)
    stop = -low / 2
    if pull > 0:
        # With adhesion only what presses: where the tip hangs on, the force follows no law.
        hangs = x[y <= pull]
        stop = float(hangs.min()) if hangs.size else stop
    used = (x >= low) & (x <= stop)
    order = np.argsort(-x[used], kind="stable")
    x, y = x[used][order], y[used][order]
    group = -(-len(x) // _MOST_SAMPLES)
    if group > 1:
        whole = len(x) // group * group
        x, y = (part[-whole:].reshape(-1, group).mean(axis=1) for part in (x, y))
    return x, y


def _best_offset(
    x: Array, y: Array, weights: Array, power: float, reach: float
) -> tuple[float, float]:
    """Find the contact of least squares; the scale of the law follows from it."""

    def scale_at(offset: float) -> tuple[float, float]:
        shape = weights * np.clip(offset - x, 0, None) ** power
        squares = float(shape @ shape)
        scale = max(float(shape @ (weights * y)) / squares, 0.0) if squares > 0 else 0.0
        left = weights * y - scale * shape
        return float(left @ left), scale

    # A coarse grid first, since the misfit need not have one minimum only.
    grid = np.linspace(-0.9 * reach, reach, 39)
    costs = [scale_at(float(place))[0] for place in grid]
    best = int(np.argmin(costs))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    for _ in range(_STEPS):
        one, other = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if scale_at(one)[0] < scale_at(other)[0]:
            high = other
        else:
            low = one
    offset = (low + high) / 2
    return offset, scale_at(offset)[1]


def _error(depth: Array, left: Array, weights: Array, scale: float, power: float) -> float:
    """Give the standard error of the scale from the curvature of the weighted misfit."""
    inside = depth > 0
    by_scale = weights * depth**power
    by_offset = np.zeros(len(depth))
    by_offset[inside] = weights[inside] * scale * power * depth[inside] ** (power - 1)
    curvature = np.array([[by_scale @ by_scale, by_scale @ by_offset],
                          [by_scale @ by_offset, by_offset @ by_offset]])  # fmt: skip
    determinant = float(np.linalg.det(curvature))
    if not determinant > 0:
        return float("nan")
    off = weights * left
    varied = float(off @ off)
    correlation = float(off[1:] @ off[:-1]) / varied if varied > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.99)
    variance = varied / max(len(off) - 2, 1) * (1 + correlation) / (1 - correlation)
    return float(np.sqrt(variance * curvature[1, 1] / determinant))
