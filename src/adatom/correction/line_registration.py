"""One shift for every line of every frame, against the mean of all other frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.numerics.frame_sampling import Canvas, bounds_of, spline_of, warped_piece, without_gaps
from adatom.numerics.line_shifts import (
    LineEquations,
    gain_left_out,
    line_equations,
    line_errors,
    smooth_steps,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.correction.rigid_registration import FrameReader, RigidShifts

    Floats = NDArray[np.float64]

_ROUNDS: Final = 5
# Stiffness of the paths, in pixels^-2 line^3: from free lines to nearly straight paths.
_STIFFNESSES: Final = tuple(10.0**power for power in range(10))
_CHOSEN_BY: Final = 8


def register_lines(frames: FrameReader, rigid: RigidShifts, /) -> tuple[list[Floats], list[Floats]]:
    """Find shifts and errors (line, axis) of every frame; NaN of frames that were not found."""
    n_lines = frames.shape[1]
    known = np.flatnonzero(np.isfinite(rigid.shift).all(axis=1))
    paths = {int(k): np.tile(rigid.shift[k], (n_lines, 1)) for k in known}
    stiffness: float | None = None
    for number in range(_ROUNDS):
        canvas = _canvas(frames, paths, rigid.width)
        equations = {k: _equations(frames, canvas, k, paths[k], rigid.width) for k in paths}
        usable = {k: found for k, found in equations.items() if found is not None}
        if not usable:
            msg = "no frame overlaps the mean of the others: take method='rigid'"
            raise KindError(msg)
        if number <= 1:
            stiffness = _chosen_stiffness(usable, paths)
        assert stiffness is not None  # noqa: S101 -- for the type checker
        for k, (whole, _, _) in usable.items():
            step = smooth_steps(whole, paths[k], stiffness=stiffness)
            paths[k] = paths[k] + np.clip(step, -2.0, 2.0)
        _straighten(paths)
    errors = {k: line_errors(whole, stiffness=stiffness) for k, (whole, _, _) in usable.items()}  # type: ignore[arg-type]
    nothing = np.full((n_lines, 2), np.nan)
    first = paths[min(paths)].mean(axis=0)
    return (
        [paths[k] - first if k in paths else nothing for k in frames],
        [errors.get(k, nothing) for k in frames],
    )


def _canvas(frames: FrameReader, paths: dict[int, Floats], width: float) -> Canvas:
    bounds = np.array([bounds_of(frames.shape[1:], path) for path in paths.values()])
    canvas = Canvas(bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0))
    for k, path in paths.items():
        canvas.add(warped_piece(frames.flat(k, fine=width), path))
    return canvas


def _equations(
    frames: FrameReader, canvas: Canvas, k: int, path: Floats, width: float
) -> tuple[LineEquations, LineEquations, LineEquations] | None:
    flat = frames.flat(k, fine=width)
    piece = warped_piece(flat, path)
    _, others = canvas.others(piece)
    filled, _ = without_gaps(others)
    return line_equations(flat, spline_of(filled), path, np.array(piece.origin))


def _chosen_stiffness(
    usable: dict[int, tuple[LineEquations, LineEquations, LineEquations]],
    paths: dict[int, Floats],
) -> float:
    """Choose the stiffness at which one half of the columns best foretells the other."""
    keys = list(usable)
    some = [keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, _CHOSEN_BY).astype(int))]
    gains = [
        sum(gain_left_out(usable[k][1:], paths[k], stiffness=stiffness) for k in some)
        for stiffness in _STIFFNESSES
    ]
    return _STIFFNESSES[int(np.argmax(gains))]


def _straighten(paths: dict[int, Floats]) -> None:
    """Take off, in place, what all paths share from line to line: nothing tells it."""
    common = np.mean([path - path.mean(axis=0) for path in paths.values()], axis=0)
    for k, path in paths.items():
        paths[k] = path - common
