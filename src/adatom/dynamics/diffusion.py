"""D by several estimators, and what the motion is: free, confined, directed, anisotropic."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from adatom.dynamics.anisotropy import estimate_tensor
from adatom.dynamics.curvature import Confinement, estimate_confinement, estimate_exponent
from adatom.dynamics.displacements import squared_displacements
from adatom.dynamics.free_motion import DOUBT, FreeMotionTest, compare_with_free_motion
from adatom.dynamics.increments import (
    BOTH_AXES,
    CovarianceSums,
    Increments,
    covariance_sums,
    diffusion_from_covariance,
    error_from_covariance,
    increments_of,
    interval_from_theory,
)
from adatom.dynamics.lag_choice import LagChoice, choose_lag
from adatom.dynamics.lag_fits import (
    diffusion_from_lags,
    fit_lags,
    lengths_of,
    typical_length,
)
from adatom.dynamics.msd import ALL_CLASSES, tell_frame_time
from adatom.dynamics.resampling import NOT_KNOWN, Interval, studentized_interval
from adatom.dynamics.trajectories import Trajectories, trajectories_of
from adatom.dynamics.truncation import Truncation, estimate_truncation
from adatom.errors import AdatomWarning, SettingError, UnitError
from adatom.schema import Sites, Table, add_note, table_from_columns
from adatom.units import TIME, Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST_LAG: Final = 64


class Diffusion(NamedTuple):
    """Diffusion of all tracks and of each class, and of each track by itself."""

    classes: Table
    tracks: Table


def estimate_diffusion(
    tracks: Sites,
    /,
    *,
    by: str | None = None,
    frame_time: Time | None = None,
    exposure: Time | None = None,
    lag: int | Literal["auto"] = 1,
    seed: int = 0,
) -> Diffusion:
    """Estimate D of all tracks, of each class and of each track, and whether motion is free.

    Two estimators stand side by side. ``diffusion`` is by the covariance of
    increments [1]_: it needs no choice of lags, is unbiased whatever the
    localization error and blur, and takes gaps as they are.
    ``diffusion_lags`` is by least squares of mean squared displacements,
    weighted by their covariance under free motion, over as many lags as still
    better it. Where they disagree, motion is not free: so say ``free_p``,
    from correlations of increments that are not neighbors, and the exponent.
    Hops on a lattice are counted by `count_hops`.

    Parameters
    ----------
    tracks : Sites
        With ``frame`` and ``track`` along ``site``, drift taken off; sites with
        a negative track are left out.
    by : str, optional
        Variable along ``site`` that holds the class of each. Tracks are cut
        where it changes.
    frame_time : time, optional
        Time from frame to frame; by default that of ``time`` along the
        sites or of ``attrs["frame_time"]``. Without any D is per frame.
    exposure : time, optional
        Time that a frame is exposed for; by default none. D does not
        depend on it, the localization error does.
    lag : int or "auto"
        Frames of an increment. More than one where frames hold traces of
        earlier ones, as in compressed videos and averaged scans, or motion persists: D is
        too small at first. All starting frames are made use of. "auto" tests lags of 1, 2,
        4, ... by all tracks together and takes twice the shortest whose increments do not
        keep their direction; a note tells it, and ``attrs["lag"]``. Where one frame
        would have done, intervals are some 1.3 times as wide for that.
    seed : int
        Of the resampling.

    Returns
    -------
    classes : Table
        A row a class, ``class`` -1 first for all together: ``n_tracks``,
        ``n_increments``; ``diffusion`` with ``_error``, ``_low``, ``_high``, the
        interval of 95 % by studentized bootstrap over tracks, by theory
        for fewer than ten; ``diffusion_lags`` likewise, with ``n_lags``;
        ``localization_error`` with its interval, and ``offset``, what is left of
        4 s^2 - (4/3) D e at lag zero; ``free_p`` and ``motion``: "free",
        "confined", "persistent" or "not known"; ``exponent`` of
        A n^alpha + c; ``confinement_radius`` and ``confined_diffusion`` where
        motion is confined; ``diffusion_yy``, ``_xx``, ``_yx`` of the
        tensor, ``diffusion_major``, ``_minor``, ``major_angle`` in deg from +x
        towards +y, and ``isotropy_p``; ``share_near_limit`` of links.
    tracks : Table
        A row a track, over all classes: ``track``, ``n_sites``,
        ``n_increments``, ``diffusion`` with ``_error``, ``_low``, ``_high``, by theory
        for free motion; what ten increments cannot bound is infinite.

    Raises
    ------
    KindError
        If the sites have no frame or track, or a track is twice in a frame.
    SettingError
        If `by` is no variable of labels, or `lag` neither "auto" nor one or more.
    TooFewSitesError
        If no track has two sites.
    UnitError
        If frames are not in equal steps of time, or `exposure` is longer
        than a step or cannot be compared with it.

    Warns
    -----
    AdatomWarning
        If many links are nearly as long as the linker's ``search_range``
        (in ``attrs``): longer ones were lost, and D is too small.

    References
    ----------
    .. [1] C. L. Vestergaard, P. C. Blainey, H. Flyvbjerg, Phys. Rev. E 89, 022726 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> steps = np.random.default_rng(0).normal(size=(2, 50, 100))
    >>> y, x = np.cumsum(steps, axis=2).reshape(2, -1)
    >>> tracks = sites_from_positions(y, x, unit="nm", frame=np.tile(np.arange(100), 50))
    >>> tracks["track"] = ("site", np.repeat(np.arange(50), 100))
    >>> found = estimate_diffusion(tracks, frame_time="0.5 s").classes
    >>> found["diffusion"].values.round(2), found["diffusion"].units
    (array([1.]), 'nm^2/s')
    """
    if lag != "auto" and not (str(lag).isdecimal() and lag >= 1):
        msg = f'{lag=} must be 1 frame or more, or "auto"'
        raise SettingError(msg)
    whole = trajectories_of(tracks, frame_time=frame_time)
    limit = tracks.attrs.get("search_range")
    rng = np.random.default_rng(seed)
    choice = None
    if lag == "auto":
        choice = choose_lag(whole, rng)
        lag = choice.lag
    blur = _blur(exposure, whole) / lag
    groups = [_estimate(whole.with_steps_of(lag), ALL_CLASSES, blur, limit, rng)]
    names: list[str] = []
    if by is not None:
        parted = trajectories_of(tracks, by=by, frame_time=frame_time)
        names = [str(name) for name in parted.classes]
        for number in range(len(names)):
            part = parted.of_class(number).with_steps_of(lag)
            groups.append(_estimate(part, number, blur, limit, rng))
    classes = _table_of_classes(groups, whole, blur=blur, lag=lag)
    classes.attrs |= {"class_names": names, "blur": blur, "lag": lag, "seed": seed}
    _tell(classes, groups, exposure, whole.with_steps_of(lag), choice)
    return Diffusion(classes, _table_of_tracks(whole.with_steps_of(lag)))


class _Group(NamedTuple):
    number: int
    n_tracks: int
    n_increments: int
    diffusion: Interval
    by_lags: Interval
    n_lags: int
    squared_error: Interval
    free: FreeMotionTest
    motion: str
    exponent: Interval
    confinement: Confinement
    tensor: dict[str, Interval]
    principal: dict[str, float]
    truncation: Truncation


def _blur(exposure: Time | None, trajectories: Trajectories) -> float:
    """Give the blur R: a sixth of the exposure over the time between frames."""
    if exposure is None:
        return 0.0
    value, unit = TIME.check(exposure, name="exposure")
    seconds = value * (1e-9 if unit == "ns" else 1.0)
    if trajectories.frame_time is None:
        msg = f"{exposure=} needs the time between frames: give frame_time= too"
        raise UnitError(msg)
    if not 0 <= seconds <= trajectories.frame_time * (1 + 1e-6):
        msg = (
            f"{exposure=} is not between 0 and the time between frames, "
            f"{trajectories.frame_time:.4g} s"
        )
        raise UnitError(msg)
    return seconds / trajectories.frame_time / 6


def _estimate(
    trajectories: Trajectories,
    number: int,
    blur: float,
    limit: object,
    rng: np.random.Generator,
) -> _Group:
    step_time = trajectories.step
    increments = increments_of(trajectories)
    sums = covariance_sums(trajectories, increments)
    table = sums.table(BOTH_AXES)
    diffusion = _by_covariance(table, step_time, trajectories.n_phases, rng)
    squared_error = studentized_interval(
        table, error_from_covariance(step_time, blur, n_axes=2), rng
    )
    by_lags, n_lags = _by_lags(trajectories, diffusion, squared_error, blur, rng)
    free = compare_with_free_motion(trajectories, rng) if len(increments.step) else _UNTESTED
    motion = _motion(free)
    _, counts = lengths_of(trajectories)
    exponent, confinement = NOT_KNOWN, Confinement(NOT_KNOWN, NOT_KNOWN)
    if counts.sum():
        lags = squared_displacements(trajectories, n_lags=_longest(trajectories))
        exponent = estimate_exponent(lags, rng)
        if motion == "confined":
            confinement = estimate_confinement(lags, step_time, rng)
    tensor = estimate_tensor(sums, step_time, rng)
    return _Group(
        number,
        int((sums.increments > 0).sum()),
        len(increments.step),
        diffusion,
        by_lags,
        n_lags,
        squared_error,
        free,
        motion,
        exponent,
        confinement,
        tensor.components,
        {
            "diffusion_major": tensor.major,
            "diffusion_minor": tensor.minor,
            "major_angle": tensor.angle,
            "isotropy_p": tensor.p_value,
        },
        estimate_truncation(increments, limit, trajectories),
    )


_UNTESTED: Final = FreeMotionTest(np.nan, 0, 0)


def _motion(free: FreeMotionTest) -> str:
    if not np.isfinite(free.p_value):
        return "not known"
    if free.p_value >= DOUBT:
        return "free"
    return "confined" if free.sign < 0 else "persistent"


def _longest(trajectories: Trajectories) -> int:
    """Give a quarter of the frames of a typical track, where half of all frames are in longer."""
    return int(np.clip(typical_length(trajectories) // 4, 1, _LONGEST_LAG))


def _by_covariance(
    table: NDArray[np.float64], step_time: float, n_phases: int, rng: np.random.Generator
) -> Interval:
    found = studentized_interval(table, diffusion_from_covariance(step_time, n_axes=2), rng)
    if np.isfinite(found.low):
        return found
    error, low, high = _theory(table.sum(axis=0), found.value, step_time, n_phases)
    return Interval(found.value, float(error), float(low), float(high))


def _theory(
    table: NDArray[np.float64],
    diffusion: NDArray[np.float64] | float,
    step_time: float,
    n_phases: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    squares, _, _, pairs, frames = np.moveaxis(table, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_square = squares / (4 * step_time * frames)
    # As many increments as products tell of, of both axes.
    number = np.where(pairs > 0, 2 * (pairs + 1) / n_phases, np.nan)
    return interval_from_theory(np.asarray(diffusion), mean_square, number)


def _by_lags(
    trajectories: Trajectories,
    start: Interval,
    squared_error: Interval,
    blur: float,
    rng: np.random.Generator,
) -> tuple[Interval, int]:
    lengths = lengths_of(trajectories)
    if not len(lengths[0]) or not np.isfinite(start.value):
        return NOT_KNOWN, 0
    sums = squared_displacements(trajectories, n_lags=12, axes=False)
    squares, pairs = sums.squares[..., 0], sums.pairs
    offset = 4 * squared_error.value - 8 * blur * start.value * trajectories.step
    fit = fit_lags(
        squares.sum(axis=0), pairs.sum(axis=0), lengths, (start.value, offset), trajectories.step
    )
    n = len(fit.weights)
    if not n:
        return NOT_KNOWN, 0
    table = np.column_stack([squares[:, :n], pairs[:, :n]])
    found = studentized_interval(table, diffusion_from_lags(fit.weights), rng)
    if not np.isfinite(found.low):
        # Phases hold the same motion, and gaps were not reckoned with.
        expected = (lengths[0] - 1) @ lengths[1]
        error = fit.error * float(trajectories.n_phases * expected / pairs[:, 0].sum()) ** 0.5
        found = _interval_of_lags(
            fit.diffusion, error, float(squares[:, 0].sum() / pairs[:, 0].sum()), trajectories.step
        )
    return found, n


def _interval_of_lags(value: float, error: float, mean: float, step_time: float) -> Interval:
    """Give all D from which the fit is within 1.96 of the errors that D would have.

    Of the variance that of motion grows as D^2; the rest, of localization, stays. Their
    shares are those of the covariance estimator.
    """
    own = 4 * value**2
    share = own / (own + 2 * (mean / (4 * step_time)) ** 2)
    scatter = (1.96 * error) ** 2
    # (D - value)^2 = scatter (1 - share + share D^2 / value^2).
    curve = 1 - scatter * share / value**2
    if not (np.isfinite(curve) and curve > 0):
        return Interval(value, error, 0.0, np.inf)
    root = np.sqrt(value**2 - curve * (value**2 - scatter * (1 - share)))
    return Interval(value, error, max((value - root) / curve, 0.0), (value + root) / curve)


def _table_of_classes(
    groups: list[_Group], trajectories: Trajectories, *, blur: float, lag: int
) -> Table:
    columns: dict[str, list[float] | list[str]] = {}

    def put(name: str, value: Interval) -> None:
        for suffix, part in zip(("", "_error", "_low", "_high"), value, strict=True):
            columns.setdefault(name + suffix, []).append(part)  # type: ignore[arg-type]

    def put_one(name: str, value: float | str) -> None:
        columns.setdefault(name, []).append(value)  # type: ignore[arg-type]

    for group in groups:
        put_one("class", group.number)
        put_one("n_tracks", group.n_tracks)
        put_one("n_increments", group.n_increments)
        put("diffusion", group.diffusion)
        put("diffusion_lags", group.by_lags)
        put_one("n_lags", group.n_lags)
        put("localization_error", _root(group.squared_error))
        offset = 4 * group.squared_error.value
        offset -= 8 * blur * group.diffusion.value * trajectories.step * lag
        put_one("offset", offset)
        put_one("free_p", group.free.p_value)
        put_one("motion", group.motion)
        put("exponent", group.exponent)
        put("confinement_radius", group.confinement.radius)
        put("confined_diffusion", group.confinement.diffusion)
        for name, value in group.tensor.items():
            put(f"diffusion_{name}", value)
        for name, one in group.principal.items():
            put_one(name, one)
        put_one("share_near_limit", group.truncation.share)
    of_diffusion = f"{trajectories.unit}^2/{trajectories.time_unit}"
    units = {name: of_diffusion for name in columns if "diffusion" in name}
    units |= {
        name: trajectories.unit
        for name in columns
        if name.startswith(("localization_error", "confinement_radius"))
    }
    units |= {"major_angle": "deg", "offset": f"{trajectories.unit}^2"}
    return table_from_columns(columns, units=units)


def _root(squared: Interval) -> Interval:
    """Give the root of an estimate that may be below zero: no error is then seen."""
    value, low, high = (
        float(np.sqrt(max(part, 0.0))) if np.isfinite(part) else np.nan
        for part in (squared.value, squared.low, squared.high)
    )
    error = squared.error / (2 * value) if value > 0 else np.nan
    return Interval(value, error, low, high)


def _table_of_tracks(trajectories: Trajectories) -> Table:
    increments: Increments = increments_of(trajectories)
    sums: CovarianceSums = covariance_sums(trajectories, increments)
    table = sums.table(BOTH_AXES)
    value, _ = diffusion_from_covariance(trajectories.step, n_axes=2)(table)
    value = np.where(sums.pairs > 0, value, np.nan)
    error, low, high = _theory(table, value, trajectories.step, trajectories.n_phases)
    columns = {
        "track": trajectories.names,
        "n_sites": np.bincount(
            trajectories.track[trajectories.segment], minlength=len(trajectories.names)
        ),
        "n_increments": sums.increments.astype(np.int64),
        "diffusion": value,
        "diffusion_error": error,
        "diffusion_low": low,
        "diffusion_high": high,
    }
    unit = f"{trajectories.unit}^2/{trajectories.time_unit}"
    result = table_from_columns(columns, units={n: unit for n in columns if "diffusion" in n})
    tell_frame_time(result, trajectories)
    return result


def _tell(
    classes: Table,
    groups: list[_Group],
    exposure: Time | None,
    trajectories: Trajectories,
    choice: LagChoice | None,
) -> None:
    tell_frame_time(classes, trajectories)
    if choice is not None:
        add_note(classes, choice.in_words())
    if exposure is None:
        add_note(
            classes,
            "The exposure is not known: the localization error is what is left of it where "
            "motion during a frame blurs it. Give exposure= to part the two.",
        )
    first = groups[0]
    if first.motion == "not known":
        text = "Tracks are too few or too short for a test of free motion."
    elif first.motion == "free":
        text = (
            f"All tracks together are compatible with free motion (p = {first.free.p_value:.2g})."
        )
    else:
        text = f"Motion is not free (p = {first.free.p_value:.2g}): "
        if first.motion == "confined":
            text += "increments turn back, as in a cage or at traps. D is that of short times."
        else:
            text += (
                "increments keep their direction. Take drift off; where frames hold traces of "
                f"earlier ones, as in videos, try lag={4 * trajectories.n_phases}, "
                'or lag="auto".'
            )
    add_note(classes, text)
    if first.truncation.is_serious:
        text = first.truncation.in_words()
        add_note(classes, text)
        warnings.warn(text, AdatomWarning, stacklevel=3)
