"""How many frames and defects, and which dose, a diffusion coefficient or a rate asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from adatom.errors import SettingError
from adatom.numerics.intervals import NORMAL_95
from adatom.schema import Table, table_from_columns
from adatom.simulation.kinetic_sites import seconds
from adatom.units import LENGTH, Length, Time

# Beyond this many changes or hops in a frame too many are followed by another unseen.
_FAST: Final = 0.2
_MOST: Final = 10**9


@dataclass(frozen=True)
class PlannedMovie:
    """A movie to be taken, and what is expected to happen in it.

    Attributes
    ----------
    n_frames, n_defects : int
        Length of the tracks in frames, and how many there are.
    frame_time : time
        From frame to frame.
    exposure : float
        Share of it during which a frame is exposed, 0 to 1.
    diffusion : float
        Expected, in nm^2/s.
    hop_length : length
        Of hops on a lattice, in nm: 0.3153 nm in WS2; "0 nm" for free diffusion.
    localization_error : length
        Standard deviation of a position, per axis, in nm.
    rate : float
        Expected rate of one transition, in 1/s.
    share : float
        Share of the defects that are of the class that it leaves.
    """

    n_frames: int = 100
    n_defects: int = 80
    frame_time: Time = "1 s"
    exposure: float = 0.2
    diffusion: float = 1.5e-3
    hop_length: Length = "0.3153 nm"
    localization_error: Length = "0.01 nm"
    rate: float = 0.02
    share: float = 0.2

    def __post_init__(self) -> None:
        if self.n_frames < 3 or self.n_defects < 1:
            msg = f"n_frames={self.n_frames} must be 3 or more, n_defects={self.n_defects} 1"
            raise SettingError(msg)
        for name in ("diffusion", "rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                msg = f"{name}={value} must be more than 0: what is never seen cannot be planned"
                raise SettingError(msg)
        if not (0 <= self.exposure <= 1 and 0 < self.share <= 1):
            msg = f"exposure={self.exposure} and share={self.share} are shares: 0 to 1"
            raise SettingError(msg)
        for name in ("hop_length", "localization_error"):
            value, unit = LENGTH.check(getattr(self, name), name=name)
            if unit != "nm" or value < 0:
                msg = f"{name}={getattr(self, name)!r} must be 0 or more, in nm"
                raise SettingError(msg)

    @property
    def step(self) -> float:
        """Time from frame to frame, in s."""
        return seconds(self.frame_time, name="frame_time")

    @property
    def hops(self) -> float:
        """Hops of a defect from frame to frame; infinite where it diffuses freely."""
        length = LENGTH.check(self.hop_length, name="hop_length").value
        return 4 * self.diffusion * self.step / length**2 if length else math.inf

    @property
    def noise(self) -> float:
        """Squared localization error over D and the time of a frame."""
        error = LENGTH.check(self.localization_error, name="localization_error").value
        return error**2 / (self.diffusion * self.step)


def plan_movie(
    *,
    movie: PlannedMovie = PlannedMovie(),
    diffusion_error: float = 0.1,
    rate_error: float = 0.2,
) -> Table:
    """Tell how many frames, how many defects and which dose a result asks for.

    Errors are relative half widths of intervals of 95 %. That of a rate is 1.96 / sqrt(n) for n
    events. That of D is from displacements by the covariance estimator, which knows neither
    localization error nor blur beforehand [1]_, with what hops on a lattice add to the
    variance of a free walk (1 / number of hops); or by counting hops that are all seen.

    Parameters
    ----------
    movie : PlannedMovie
        What is to be taken, and what is expected: of the order of a first, short movie.
    diffusion_error, rate_error : float
        Within which D, and the rate, are to be known: 0.1 for 10 %.

    Returns
    -------
    Table
        One row for each ``quantity``: "D from displacements", "D from hops" (on a lattice) and
        "rate". ``error`` of the movie as planned and the one asked for (``target``);
        ``events``: displacements, hops or changes seen; ``frames_needed`` with as many defects,
        ``defects_needed`` in as many frames; ``dose_factor``, by which the dose may fall (or must
        rise) so that the localization error just allows the target (NaN: it is not the dose
        that decides); ``verdict``, all of it in words.

    Raises
    ------
    SettingError
        If an error is not between 0 and 1.

    Examples
    --------
    >>> plan = plan_movie(movie=PlannedMovie(n_frames=100, n_defects=80))
    >>> print(plan["verdict"].values[-1])
    rate: 32 changes give it within 35 %, 20 % need 302 frames or 243 defects

    References
    ----------
    .. [1] C. L. Vestergaard, P. C. Blainey and H. Flyvbjerg, Phys. Rev. E 89, 022726 (2014),
       variance of the covariance-based estimator, per axis.
    """
    for name, value in (("diffusion_error", diffusion_error), ("rate_error", rate_error)):
        if not 0 < value < 1:
            msg = f"{name}={value} is a relative error: more than 0, less than 1, as 0.1"
            raise SettingError(msg)
    rows = [_of_displacements(movie, diffusion_error)]
    if math.isfinite(movie.hops):
        rows.append(_of_hops(movie, diffusion_error))
    rows.append(_of_rate(movie, rate_error))
    columns = {name: [getattr(row, name) for row in rows] for name in _Row._fields}
    units = dict.fromkeys(("error", "target", "dose_factor"), "1")
    return table_from_columns(columns, units=units)


class _Row(NamedTuple):
    quantity: str
    error: float
    target: float
    events: float
    frames_needed: int
    defects_needed: int
    dose_factor: float
    verdict: str


def displacement_error(movie: PlannedMovie, /, *, n_frames: int, noise: float) -> float:
    """Give the relative standard error of D by the covariance estimator, both axes pooled.

    Parameters
    ----------
    movie : PlannedMovie
        Expected motion, exposure and number of tracks.
    n_frames : int
        Length of each track.
    noise : float
        Squared localization error over D and the time of a frame.
    """
    n = n_frames - 1
    # Blur takes from the variance of a displacement what noise adds: R of an even exposure is 1/6.
    ratio = noise - movie.exposure / 3
    per_axis = (6 + 4 * ratio + 2 * ratio**2) / n + 4 * (1 + ratio) ** 2 / n**2
    # Displacements of few hops have heavier tails than those of a free walk.
    return math.sqrt((per_axis / 2 + 1 / (movie.hops * n)) / movie.n_defects)


def _of_displacements(movie: PlannedMovie, target: float) -> _Row:
    def error(n_frames: int, noise: float = movie.noise) -> float:
        return NORMAL_95 * displacement_error(movie, n_frames=n_frames, noise=noise)

    now = error(movie.n_frames)
    factor = math.nan
    if error(movie.n_frames, 0.0) <= target:
        # Shot noise: the squared localization error falls as one over the dose.
        factor = movie.noise / _largest(lambda noise: error(movie.n_frames, noise) <= target)
    words = f"D from displacements: {_known(movie, now)}"
    frames, defects = _frames(error, target), _defects(movie, now, target)
    words += _needs(target, frames, defects) if now > target else ""
    if 0 < factor <= 1:
        words += f"; for D alone {_percent(factor)} of the dose would do"
    elif factor > 1:
        words += f", or {factor:.2g} times the dose"
    elif now > target:
        words += ", no dose makes up for them"
    steps = float((movie.n_frames - 1) * movie.n_defects)
    return _Row("D from displacements", now, target, steps, frames, defects, factor, words)


def _of_hops(movie: PlannedMovie, target: float) -> _Row:
    def error(n_frames: int) -> float:
        return NORMAL_95 / math.sqrt(movie.hops * (n_frames - 1) * movie.n_defects)

    now = error(movie.n_frames)
    hops = movie.hops * (movie.n_frames - 1) * movie.n_defects
    words = f"D from hops: {hops:.0f} hops give it within {_percent(now)}"
    frames, defects = _frames(error, target), _defects(movie, now, target)
    words += _needs(target, frames, defects) if now > target else ""
    if movie.hops > _FAST:
        words += (
            f"; but {movie.hops:.2g} hops a frame hide one another: count them only "
            f"with frames of {_FAST / movie.hops * movie.step:.2g} s or less"
        )
    return _Row("D from hops", now, target, hops, frames, defects, math.nan, words)


def _of_rate(movie: PlannedMovie, target: float) -> _Row:
    each = movie.rate * movie.share * movie.n_defects * movie.step

    def error(n_frames: int) -> float:
        return NORMAL_95 / math.sqrt(each * (n_frames - 1))

    now, events = error(movie.n_frames), each * (movie.n_frames - 1)
    words = f"rate: {events:.0f} changes give it within {_percent(now)}"
    frames, defects = _frames(error, target), _defects(movie, now, target)
    words += _needs(target, frames, defects) if now > target else ""
    if movie.rate * movie.step > _FAST:
        words += (
            f"; but {movie.rate * movie.step:.2g} changes a frame hide one another: take "
            f"frames of {_FAST / movie.rate:.2g} s or less"
        )
    return _Row("rate", now, target, events, frames, defects, math.nan, words)


def _known(movie: PlannedMovie, error: float) -> str:
    return f"{movie.n_defects} defects in {movie.n_frames} frames give it within {_percent(error)}"


def _needs(target: float, frames: int, defects: int) -> str:
    return f", {_percent(target)} need {frames} frames or {defects} defects"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _frames(error: Callable[[int], float], target: float) -> int:
    """Find the fewest frames whose error is small enough; errors fall with frames."""
    low, high = 2, 3
    while error(high) > target and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if error(middle) > target else (low, middle)
    return high


def _defects(movie: PlannedMovie, error: float, target: float) -> int:
    return math.ceil(movie.n_defects * (error / target) ** 2 - 1e-9)


def _largest(holds: Callable[[float], bool]) -> float:
    """Find the largest noise for which something still holds, to 1e-6 of it."""
    low, high = 0.0, 1e-3
    while holds(high) and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return max(low, 1e-12)
