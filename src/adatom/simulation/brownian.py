"""Particles that diffuse freely, as a tracker finds them: errors, blur, misses, false ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adatom.errors import SettingError
from adatom.schema import Sites, add_note, sites_from_positions
from adatom.simulation.kinetic_sites import seconds
from adatom.units import SPACE_UNITS, Length, Time, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Brownian:
    """Free particles, and what a tracker makes of them.

    Attributes
    ----------
    n_particles : int
        At the start, anywhere in the field. They leave it as they like and may come back.
    diffusion : tuple of float
        In the squared unit of the field per s; several are classes that share the particles
        evenly, numbered from 0.
    localization_error : length
        Standard deviation of the error of a position, per axis.
    exposure : float
        Share of the time of a frame during which it is exposed, 0 to 1: a position is the mean
        over the exposure.
    missed : float
        Probability that a particle in the field is not found in a frame.
    false : float
        How many false ones are found in a frame, on average.
    """

    n_particles: int = 200
    diffusion: tuple[float, ...] = (1.0,)
    localization_error: Length = "0 px"
    exposure: float = 0.0
    missed: float = 0.0
    false: float = 0.0

    def __post_init__(self) -> None:
        if self.n_particles < 1 or not self.diffusion or not min(self.diffusion) >= 0:
            msg = (
                f"n_particles={self.n_particles} must be 1 or more, and diffusion="
                f"{self.diffusion} one number or more, none under 0"
            )
            raise SettingError(msg)
        for name in ("exposure", "missed"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                msg = f"{name}={value} is a share or a probability: 0 to 1"
                raise SettingError(msg)
        if not self.false >= 0:
            msg = f"false={self.false} must be 0 or more"
            raise SettingError(msg)


def simulate_brownian(
    *,
    particles: Brownian = Brownian(),
    field: Length = "512 px",
    n_frames: int = 200,
    frame_time: Time = "1 s",
    seed: int = 0,
) -> Sites:
    """Simulate positions of free particles as found in a movie, with their true identity.

    The path between frames and its mean over the exposure are drawn together from their
    exact distribution, so that no step of time is made small.

    Parameters
    ----------
    particles : Brownian
        What moves, and how it is found.
    field : length
        Height and width; positions have its unit.
    n_frames : int
        Number of frames.
    frame_time : time
        From frame to frame.
    seed : int
        Of everything random.

    Returns
    -------
    Sites
        By frame, in no order within it: ``frame``, ``time`` in s, ``track`` (the particle; -1
        for false ones), ``class`` (which of the diffusion coefficients; -1 for false ones),
        ``true_y``, ``true_x`` (mean over the exposure, without error; NaN for false ones).
        ``attrs``: ``frame_time``, ``exposure`` and ``diffusion``.

    Raises
    ------
    SettingError
        If there is no frame or no field.

    Examples
    --------
    >>> found = simulate_brownian(particles=Brownian(n_particles=10), n_frames=5)
    >>> sorted(set(found["frame"].values.tolist()))
    [0, 1, 2, 3, 4]
    """
    unit = next((name for name in SPACE_UNITS if field.strip().endswith(name)), "nm")
    length = length_from_setting(field, unit=unit, name="field")
    if n_frames < 1 or not length > 0:
        msg = f"{n_frames=} must be 1 or more, {field=} more than 0"
        raise SettingError(msg)
    step = seconds(frame_time, name="frame_time")
    text = particles.localization_error
    # None is none in every unit.
    error = (
        0.0
        if float(text.split()[0]) == 0
        else length_from_setting(text, unit=unit, name="localization_error")
    )
    path_rng, find_rng = np.random.default_rng(seed).spawn(2)
    label = np.arange(particles.n_particles) % len(particles.diffusion)
    true = _paths(particles, label, length, n_frames, step, path_rng)
    measured = true + error * find_rng.standard_normal(true.shape)
    found = ((measured >= 0) & (measured < length)).all(axis=2)
    found &= find_rng.uniform(size=found.shape) >= particles.missed
    frame, track = np.nonzero(found)
    false = np.repeat(np.arange(n_frames), find_rng.poisson(particles.false, n_frames))
    place = np.concatenate([measured[found], find_rng.uniform(0, length, (len(false), 2))])
    frame = np.concatenate([frame, false])
    none = np.full(len(false), -1)
    # No finder lists particles by their identity.
    order = np.lexsort((find_rng.uniform(size=len(frame)), frame))
    sites = sites_from_positions(
        *place[order].T, unit=unit, frame=frame[order], extent=[0.0, length, 0.0, length]
    )
    sites = sites.assign_coords(time=("site", frame[order] * step, {"units": "s"}))
    sites["track"] = ("site", np.concatenate([track, none])[order])
    sites["class"] = ("site", np.concatenate([label[track], none])[order])
    exact = np.concatenate([true[found], np.full((len(false), 2), np.nan)])[order]
    for axis, name in enumerate(("true_y", "true_x")):
        sites[name] = ("site", exact[:, axis], {"units": unit})
    sites.attrs |= {
        "frame_time": step,
        "n_frames": n_frames,
        "exposure": particles.exposure * step,
        "localization_error": error,
        "diffusion": list(particles.diffusion),
    }
    add_note(sites, f"simulated: {particles.n_particles} free particles, {seed=}")
    return sites


def _paths(
    particles: Brownian,
    label: NDArray[np.int64],
    length: float,
    n_frames: int,
    step: float,
    rng: np.random.Generator,
) -> Floats:
    """Give the mean place during each exposure, (frame, particle, axis)."""
    shape = (n_frames, particles.n_particles, 2)
    open_, closed = particles.exposure * step, (1 - particles.exposure) * step
    spread = np.sqrt(2 * np.asarray(particles.diffusion))[label][:, None]
    moved = np.sqrt(open_) * rng.standard_normal(shape)
    # Given where it ends, the mean of a Brownian path lies half way, with variance t/12.
    mean = moved / 2 + np.sqrt(open_ / 12) * rng.standard_normal(shape)
    between = np.sqrt(closed) * rng.standard_normal(shape)
    ends = np.cumsum(moved + between, axis=0)
    start = rng.uniform(0, length, shape[1:])
    return np.asarray(start + spread * (ends - moved - between + mean))
