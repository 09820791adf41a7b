"""Tracks of known diffusion: free, confined, hopping, with error, blur and gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.schema import Sites, sites_from_positions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def tracks_of(
    positions: NDArray[np.float64], /, *, keep: ArrayLike | None = None, unit: str = "nm"
) -> Sites:
    """Make tracks of positions (track, frame, axis), of those kept, in an order mixed up."""
    n_tracks, n_frames = positions.shape[:2]
    kept = np.ones((n_tracks, n_frames), bool) if keep is None else np.asarray(keep)
    track, frame = np.nonzero(kept)
    order = np.random.default_rng(0).permutation(len(track))
    track, frame = track[order], frame[order]
    y, x = positions[track, frame].T
    sites = sites_from_positions(y, x, unit=unit, frame=frame)
    sites["track"] = ("site", track)
    return sites


def free_walks(
    n_tracks: int,
    n_frames: int,
    rng: np.random.Generator,
    /,
    *,
    diffusion: ArrayLike = 1.0,
    error: float = 0.0,
    exposure: float = 0.0,
) -> NDArray[np.float64]:
    """Walk freely: positions (track, frame, axis), with frames one apart.

    Parameters
    ----------
    diffusion : array_like
        One for all, or (axis,).
    error : float
        Localization error of an axis.
    exposure : float
        From the beginning of each frame, 0 to 1: the mean position over it is seen.
    """
    root = np.sqrt(2 * np.asarray(diffusion, dtype=float))
    shape = (n_tracks, n_frames, 2)
    first = rng.normal(size=shape) * np.sqrt(exposure)
    rest = rng.normal(size=shape) * np.sqrt(1 - exposure)
    # Of motion over a time e the mean has a third of its variance, and half its covariance.
    mean = first / 2 + rng.normal(size=shape) * np.sqrt(exposure / 12)
    start = np.cumsum(first + rest, axis=1) - (first + rest)
    return np.asarray((start + mean) * root + error * rng.normal(size=shape))


def persistent_walks(
    n_tracks: int, n_frames: int, rng: np.random.Generator, /, *, memory: float, error: float = 0.0
) -> NDArray[np.float64]:
    """Walk with velocities that forget over so many frames (Ornstein-Uhlenbeck), D = 1.

    Positions and velocities are drawn exactly from frame to frame.
    """
    kept = np.exp(-1 / memory)
    spread = np.array(
        [
            [2 - 4 * memory * (1 - kept) + memory * (1 - kept**2), (1 - kept) ** 2],
            [(1 - kept) ** 2, (1 - kept**2) / memory],
        ]
    )
    root = np.linalg.cholesky(spread)
    velocity = rng.normal(size=(n_tracks, 2)) / np.sqrt(memory)
    place = np.zeros((n_tracks, 2))
    walks = np.empty((n_tracks, n_frames, 2))
    for frame in range(n_frames):
        walks[:, frame] = place
        drawn = rng.normal(size=(n_tracks, 2, 2)) @ root.T
        place = place + memory * (1 - kept) * velocity + drawn[..., 0]
        velocity = kept * velocity + drawn[..., 1]
    return walks + error * rng.normal(size=walks.shape)


def blended_walks(
    n_tracks: int, n_frames: int, rng: np.random.Generator, /, *, kept: float, error: float = 0.0
) -> NDArray[np.float64]:
    """Walk freely with D = 1, each frame keeping a share of what the one before showed."""
    walks = free_walks(n_tracks, n_frames + 40, rng)
    for frame in range(1, walks.shape[1]):
        walks[:, frame] = kept * walks[:, frame - 1] + (1 - kept) * walks[:, frame]
    walks = walks[:, 40:]
    return walks + error * rng.normal(size=walks.shape)


def confined_walks(
    n_tracks: int, n_frames: int, rng: np.random.Generator, /, *, diffusion: float, radius: float
) -> NDArray[np.float64]:
    """Walk in a disc with a hard wall, in twenty steps a frame."""
    angle, size = rng.uniform(0, 2 * np.pi, n_tracks), radius * np.sqrt(rng.uniform(size=n_tracks))
    place = np.column_stack([size * np.sin(angle), size * np.cos(angle)])
    frames = np.empty((n_tracks, n_frames, 2))
    for number in range(n_frames):
        frames[:, number] = place
        for _ in range(20):
            place = place + rng.normal(0, np.sqrt(2 * diffusion / 20), place.shape)
            far = np.hypot(*place.T)
            beyond = far > radius
            place[beyond] *= ((2 * radius - far[beyond]) / far[beyond])[:, None]
    return frames


def lattice_walks(
    n_tracks: int, n_frames: int, rng: np.random.Generator, /, *, rate: float, error: float
) -> NDArray[np.float64]:
    """Hop on a square lattice of spacing one, `rate` times a frame, at any time."""
    hops = rng.poisson(rate, size=(n_tracks, n_frames))
    steps = np.zeros((n_tracks, n_frames, 2))
    to = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    for times in range(1, int(hops.max()) + 1):
        moves = hops >= times
        steps[moves] += to[rng.integers(4, size=int(moves.sum()))]
    place = np.cumsum(steps, axis=1)
    return np.asarray(place + error * rng.normal(size=place.shape))
