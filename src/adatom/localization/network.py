"""Atoms of an image as a network sees them, at the scale that it knows best."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import NoLatticeError, SettingError
from adatom.localization.heads import SiteHeads, heads_at_cells
from adatom.localization.leaving_out import (
    ANALYZED,
    NOT_MEASURED,
    reasons_of_view,
    shares_in_words,
)
from adatom.localization.network_scale import NetworkScale, find_network_scale
from adatom.localization.seeing import (
    LEAST_CONFIDENCE,
    View,
    verdict_of_view,
    view_of_image,
)
from adatom.numerics.memory import memory_of_machine
from adatom.numerics.network_input import resampled_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.running import Runner

    Grid = NDArray[np.float32]

# Steps of pixels that differ by less than this are as good as equal.
_SQUARE = 0.01
# Bytes a pixel of the picture: copies while it is normalized, maps, and reasons.
_BYTES = 60


class Squared(NamedTuple):
    """Pixels made square.

    Attributes
    ----------
    pixels : ndarray of float32, shape (y, x)
    usable : ndarray of bool, shape (y, x)
    factors : tuple of float
        Square pixels per pixel, down and across.
    """

    pixels: Grid
    usable: NDArray[np.bool_]
    factors: tuple[float, float]


class Prediction(NamedTuple):
    """What a network says of an image, in pixels of the image.

    Attributes
    ----------
    position : ndarray, shape (site, 2)
        Row and column of all sites, also of those where nothing is analyzed.
    score : ndarray, shape (site,)
        Probability that the site is true.
    analyzed : ndarray of bool, shape (site,)
        Whether the site lies in a lattice that can be analyzed.
    spacing : float
        Between neighbors, in mean pixels.
    reason : ndarray of int8, shape (y, x)
        Numbers of `leaving_out.REASONS`.
    scale : NetworkScale
        At which the network looked.
    heads : SiteHeads
        Class and orientation of all sites.
    """

    position: NDArray[np.float64]
    score: NDArray[np.float64]
    analyzed: NDArray[np.bool_]
    spacing: float
    reason: NDArray[np.int8]
    scale: NetworkScale
    heads: SiteHeads


def squared_pixels(
    pixels: Grid, usable: NDArray[np.bool_], step: tuple[float, float], /
) -> Squared:
    """Resample pixels that are longer than wide, or wider than long, to square ones."""
    unit = float(np.sqrt(step[0] * step[1]))
    if abs(step[0] / step[1] - 1) < _SQUARE:
        return Squared(pixels, usable, (1.0, 1.0))
    square, factors = resampled_picture(pixels, (step[0] / unit, step[1] / unit))
    known = resampled_picture(usable.astype(np.float32), factors).picture > 0.5
    return Squared(square, known, factors)


def predict_sites_of_pixels(
    pixels: Grid,
    usable: NDArray[np.bool_],
    runner: Runner,
    /,
    *,
    step: tuple[float, float],
    spacing: float | None = None,
    scale: NetworkScale | None = None,
    told_where: bool = False,
) -> Prediction:
    """Find the scale, look at the whole image, and say what is left out.

    Parameters
    ----------
    pixels : ndarray of float32, shape (y, x)
        Finite; atoms are bright.
    usable : ndarray of bool, shape (y, x)
        False where nothing was measured.
    runner : Runner
    step : tuple of float
        Size of a pixel down and across; the network is given square ones.
    spacing : float, optional
        Between neighbors, in mean pixels, where it is known.
    scale : NetworkScale, optional
        Where it is known, as from another frame of a movie: whether there is a
        lattice is judged by this image all the same.
    told_where : bool
        Whether `usable` are regions that somebody chose: then all of them is
        analyzed, and the network has no say in what is left out.

    Raises
    ------
    NoLatticeError
        If the network sees no lattice that it knows at any scale.
    SettingError
        If the picture at that scale is larger than the memory.
    """
    square = squared_pixels(pixels, usable, step)
    settled = scale or find_network_scale(square.pixels, square.usable, runner, spacing=spacing)
    _check_memory(square.pixels.shape, settled.factor)
    view = view_of_image(square.pixels, square.usable, runner, factor=settled.factor)
    if scale is not None:
        verdict = verdict_of_view(view, runner, square.pixels.shape)
        settled = scale._replace(confidence=verdict.confidence)
    _check_seen(view, settled)
    if told_where:
        reason = np.where(square.usable, ANALYZED, NOT_MEASURED).astype(np.int8)
    else:
        reason = reasons_of_view(view, square.pixels, square.usable, stride=runner.card.stride)
    row, column = np.rint(view.position).astype(int).T
    analyzed = reason[row, column] == ANALYZED
    if not analyzed.any():
        msg = (
            f"the network finds {len(analyzed)} sites, but sees a lattice around none of them: "
            f"{shares_in_words(reason)}; {_WHAT_TO_TRY}"
        )
        raise NoLatticeError(msg)
    position = (view.position + 0.5) / np.array(square.factors) - 0.5
    return Prediction(
        np.clip(position, 0, np.array(pixels.shape) - 1),
        view.score,
        analyzed,
        view.spacing,
        reason[np.ix_(*_nearest(pixels.shape, reason.shape, square.factors))],
        settled,
        heads_at_cells(view.maps, view.in_cells(runner.card.stride)),
    )


def _check_memory(shape: tuple[int, ...], factor: float) -> None:
    """Refuse a picture that the machine cannot hold: where atoms are few pixels apart it is large.

    Tiles bound what the network takes, not what its picture and its maps do.
    """
    rows, columns = (round(size * factor) for size in shape)
    needed, there = _BYTES * rows * columns, memory_of_machine()
    if needed > there:
        msg = (
            f"for the network {shape[0]} x {shape[1]} pixels are to become {rows} x {columns}, "
            f"{factor:.3g} for each, which takes some {needed / 1e9:.3g} GB of memory, this "
            f"machine has {there / 1e9:.3g} GB: cut the image into parts, such as "
            'image.isel(y=slice(0, 1024), x=slice(0, 1024)), or use method="classical"; if a '
            "spacing is told, is its unit right?"
        )
        raise SettingError(msg)


_WHAT_TO_TRY = (
    'if atoms can be seen, give their distance as spacing=, try contrast="dark", average frames, '
    'or use method="classical"'
)


def _check_seen(view: View, scale: NetworkScale) -> None:
    # One site has no spacing, from which all that is left out would be told.
    if np.isfinite(view.spacing) and not scale.confidence < LEAST_CONFIDENCE:
        return
    where = (
        f"at any of {scale.n_tried} scales (confidence {scale.confidence:.2f}, need "
        f"{LEAST_CONFIDENCE})"
        if scale.n_tried
        else "at the scale that spacing= tells; is it that of neighbors, in the right unit?"
    )
    msg = f"the network sees no lattice that it knows {where}: {_WHAT_TO_TRY}"
    raise NoLatticeError(msg)


def _nearest(
    shape: tuple[int, ...], square: tuple[int, ...], factors: tuple[float, float]
) -> list[NDArray[np.intp]]:
    return [
        np.clip(((np.arange(size) + 0.5) * factor).astype(np.intp), 0, count - 1)
        for size, count, factor in zip(shape, square, factors, strict=True)
    ]
