"""One shift for every frame: by pairs, then against the mean of all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.frame_sampling import Canvas, bounds_of, moved_piece
from adatom.numerics.image_shifts import (
    LEAST_OVERLAP,
    SURE,
    between_scales,
    binned,
    find_candidates,
    fine_step,
    lead_of,
    prepared,
    resolved,
    without_trend,
)
from adatom.numerics.readers import reader_of
from adatom.numerics.shift_paths import Pair, path_of_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.image_shifts import Prepared
    from adatom.schema import Movie

    Floats = NDArray[np.float64]

# Values of smoothed frames that are kept for the next round.
_HELD: Final = 12_000_000
# Pairs are compared at no more pixels than this along a side.
_COARSE_SIDE: Final = 256
# To which pairs are smoothed, in their pixels: the second for what is larger than a lattice.
_SCALES: Final = (1.0, 4.0)
# Of few frames each is compared with each, of more with these that follow.
_ALL_PAIRS: Final = 16
_LAGS: Final = (1, 2, 4)
_MANY: Final = 200
_FEWER_LAGS: Final = (1, 2)
# Shading is what is wider than this share of the shorter side.
_SHADING: Final = 0.25
# Smoothing that is tried, in pixels: the one with the least error is taken.
_WIDTHS: Final = (0.7, 1.2, 2.0, 3.5, 6.0, 10.0, 16.0)
_TRIED_ON: Final = 6
_MOST_RIVALS: Final = 4
_ROUNDS: Final = 5
_ROUNDS_OF_MANY: Final = 3
# No fit of a step is good for more than this, in pixels.
_LONGEST_STEP: Final = 3.0
# Of the canvas of all frames.
_LARGEST: Final = 40_000_000


class RigidShifts(NamedTuple):
    """Shifts of whole frames, in pixels.

    Attributes
    ----------
    shift, error : ndarray, shape (frame, 2)
        NaN of frames that were not found.
    score : ndarray, shape (frame,)
        Correlation with the mean of the others.
    margin : ndarray, shape (frame,)
        Standard deviations by which it fits better than the next best; NaN without a rival.
    rivals : ndarray, shape (rival, 2)
        Displacements that fit nearly alike in some frame, the most frequent first.
    width : float
        To which frames were smoothed.
    """

    shift: Floats
    error: Floats
    score: Floats
    margin: Floats
    rivals: Floats
    width: float

    @property
    def unsure(self) -> NDArray[np.bool_]:
        """Tell which frames another shift fits alike."""
        return np.asarray(self.margin < SURE)


class FrameReader:
    """Reads frames one at a time, as they are or between two length scales."""

    def __init__(self, movie: Movie) -> None:
        self.shape = movie.shape
        self._read = reader_of(movie.data)
        self.coarse = _SHADING * min(movie.shape[1:])
        self._held: dict[tuple[int, float], Floats] = {}

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def raw(self, number: int) -> Floats:
        """Read a frame."""
        box = (slice(number, number + 1), slice(0, self.shape[1]))
        return np.asarray(self._read(box)[0], dtype=np.float64)

    def flat(self, number: int, *, fine: float) -> Floats:
        """Read a frame, without its trend and smoothed to a width, NaN where not measured."""
        key = (number, fine)
        if key not in self._held:
            while (len(self._held) + 1) * self.shape[1] * self.shape[2] > _HELD:
                if not self._held:
                    break
                self._held.pop(next(iter(self._held)))
            self._held[key] = without_trend(self.raw(number), fine=fine)
        return self._held[key]


def register_rigidly(frames: FrameReader, *, reach: float | None) -> RigidShifts:
    """Find one shift for every frame, the first that is found being about zero."""
    shift, rivals = _coarse_path(frames, reach)
    known = np.flatnonzero(np.isfinite(shift).all(axis=1))
    if len(known) < 2:
        msg = (
            f"no two of {len(frames)} frames match: if they show one place, smooth or bin "
            "them, level their lines, or allow a larger max_shift"
        )
        raise KindError(msg)
    width = _best_width(frames, shift, known)
    return _against_mean(frames, shift, known, rivals, width)


def _coarse_path(frames: FrameReader, reach: float | None) -> tuple[Floats, list[Floats]]:
    factor = max(1, int(np.ceil(max(frames.shape[1:]) / _COARSE_SIDE)))
    n = len(frames)
    lags: tuple[int, ...] = _LAGS if n <= _MANY else _FEWER_LAGS
    if n <= _ALL_PAIRS:
        lags = tuple(range(1, n))
    held: dict[tuple[int, float], Prepared] = {}
    small: dict[int, Floats] = {}

    def at_scale(k: int, sigma: float) -> Prepared:
        if (k, sigma) not in held:
            held[k, sigma] = prepared(
                between_scales(small[k], fine=sigma, coarse=frames.coarse / factor)
            )
        return held[k, sigma]

    pairs = []
    for k in frames:
        small[k] = binned(frames.raw(k), factor)
        for old in [key for key in held if key[0] < k - max(lags)]:
            del held[old]
        small.pop(k - max(lags) - 1, None)
        for lag in (lag for lag in lags if lag <= k):
            within = np.inf if reach is None else (reach + 1) * lag / factor
            both = [
                find_candidates(
                    at_scale(k - lag, sigma), at_scale(k, sigma), reach=within, sigma=sigma
                )
                for sigma in _SCALES[:1]
            ]
            if both[0] is None or len(both[0].equal) > 1:
                sigma = _SCALES[1]
                both.append(
                    find_candidates(
                        at_scale(k - lag, sigma), at_scale(k, sigma), reach=within, sigma=sigma
                    )
                )
            found = resolved(*both) if len(both) > 1 else both[0]
            if found is not None:
                pairs.append(Pair(k - lag, k, found))
    if not pairs:
        return np.full((n, 2), np.nan), [np.empty((0, 2))] * n
    path = path_of_pairs(pairs, n)
    return path.shift * factor, [rivals * factor for rivals in path.rivals]


def _best_width(frames: FrameReader, shift: Floats, known: NDArray[np.intp]) -> float:
    """Choose the smoothing with which a few frames are placed most exactly."""
    some = known[np.unique(np.linspace(0, len(known) - 1, _TRIED_ON).round().astype(int))]
    best = (np.inf, _WIDTHS[0])
    for width in _WIDTHS:
        errors = []
        canvas = _canvas(frames, shift, some, width)
        for k in some:
            piece = moved_piece(frames.flat(k, fine=width), shift[k])
            found = fine_step(*canvas.others(piece))
            if found is not None:
                errors.append(np.sqrt(np.trace(found.covariance)))
        if errors and float(np.median(errors)) < best[0]:
            best = float(np.median(errors)), width
    return best[1]


def _canvas(frames: FrameReader, shift: Floats, known: NDArray[np.intp], width: float) -> Canvas:
    rows = np.ones((frames.shape[1], 1))
    bounds = np.array([bounds_of(frames.shape[1:], rows * shift[k]) for k in known])
    low, high = bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0)
    if int(np.prod(high - low)) > _LARGEST:
        size = (high - low).tolist()
        msg = (
            f"drift spans {size[0]} x {size[1]} pixels, more than fit in memory: cut the movie "
            "into parts, or give max_shift= if such a drift is not possible"
        )
        raise SettingError(msg)
    canvas = Canvas(low, high)
    for k in known:
        canvas.add(moved_piece(frames.flat(k, fine=width), shift[k]))
    return canvas


def _against_mean(
    frames: FrameReader,
    shift: Floats,
    known: NDArray[np.intp],
    rivals: list[Floats],
    width: float,
) -> RigidShifts:
    n = len(frames)
    shift = shift.copy()
    error, score, margin = np.full((n, 2), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    # With this damping two frames meet in the middle, and many move nearly all the way.
    damping = (len(known) - 1) / len(known)
    rounds = _ROUNDS if n <= _MANY else _ROUNDS_OF_MANY
    for number in range(rounds):
        canvas = _canvas(frames, shift, known, width)
        new = shift.copy()
        for k in known:
            flat = frames.flat(k, fine=width)
            piece = moved_piece(flat, shift[k])
            values, others = canvas.others(piece)
            if number == 1 and len(rivals[k]):
                jump, margin[k] = _tested(values, others, rivals[k])
                if jump.any():
                    new[k] = shift[k] + jump
                    continue
            found = fine_step(values, others, with_errors=number == rounds - 1)
            if found is None:
                continue
            step = damping * found.step
            new[k] = shift[k] + step * min(
                1.0, _LONGEST_STEP / max(float(np.linalg.norm(step)), 1e-9)
            )
            error[k], score[k] = np.sqrt(np.diag(found.covariance)), found.score
        shift = new
    shift[~np.isfinite(score)] = np.nan
    common = [one for k in known for one in rivals[k]]
    return RigidShifts(shift, error, score, margin, _frequent(common), width)


def _tested(values: Floats, others: Floats, rivals: Floats) -> tuple[Floats, float]:
    """Compare a shift with its rivals against the mean of all other frames.

    Gives the jump to the rival that fits better beyond doubt, or none, and by how
    much what is taken leads.
    """
    jump, least = np.zeros(2), np.inf
    for rival in rivals[:_MOST_RIVALS]:
        # At the rival the frame shows what the reference has there.
        away = _beside(others, rival)
        if away is None:
            continue
        known = np.isfinite(values) & np.isfinite(others) & np.isfinite(away)
        # Of a small part of the frame features that tell places apart are missing.
        if known.sum() < max(64, LEAST_OVERLAP * np.isfinite(values).sum()):
            continue
        lead = lead_of(
            np.where(known, values, 0.0),
            np.where(known, others, 0.0),
            np.where(known, away, 0.0),
            known,
        )
        if lead < least:
            least, jump = lead, rival if lead < -SURE else np.zeros(2)
    return jump, abs(least) if jump.any() else (least if np.isfinite(least) else np.nan)


def _beside(reference: Floats, rival: Floats) -> Floats | None:
    """Give the reference as it is a rival away, the rival made exact by the reference itself."""
    move = -np.asarray(rival, dtype=float)
    for _ in range(2):
        away = _on_grid(reference, move)
        found = fine_step(away, reference, with_errors=False)
        if found is None:
            return away
        step = found.step
        if np.linalg.norm(step) > 1.0:
            break
        move = move + step
    return _on_grid(reference, move)


def _on_grid(image: Floats, move: Floats) -> Floats:
    """Sample an image a move away, on its own grid, NaN beyond it."""
    piece = moved_piece(image, move)
    canvas = Canvas(np.zeros(2, dtype=int), np.array(image.shape))
    canvas.add(piece)
    return canvas.mean()


def _frequent(vectors: list[Floats]) -> Floats:
    """Give distinct vectors up to their sign, the most frequent first."""
    groups: list[list[Floats]] = []
    for vector in vectors:
        for group in groups:
            if min(np.linalg.norm(vector - group[0]), np.linalg.norm(vector + group[0])) < 3:
                group.append(vector if vector @ group[0] > 0 else -vector)
                break
        else:
            groups.append([vector])
    groups.sort(key=len, reverse=True)
    return np.array([np.mean(group, axis=0) for group in groups[:4]]).reshape(-1, 2)
