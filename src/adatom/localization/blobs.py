"""Blobs: spots and dips of one size that stand out from what is around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.image_shifts import smoothed_with_share
from adatom.numerics.peaks import local_maxima, thin_out
from adatom.numerics.readers import reader_of
from adatom.numerics.residual_noise import expected_false, height_of_false, robust_sigma, roughness
from adatom.schema import (
    IMAGE,
    MOVIE,
    Image,
    Movie,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Contrast = Literal["bright", "dark", "both"]

# Full width at half height of a Gaussian over its standard deviation.
_FWHM: Final = 2.354820045
# What is around a blob: a Gaussian wider by this factor.
_AROUND: Final = 1.6
# Widths that are tried, in pixels, each larger than the one before by a root of two; up to
# this share of the shorter side, of which a frame holds some independent ones.
_NARROWEST: Final = 3.0
_WIDEST: Final = 0.25
_TRIED_ON: Final = 5
# Two blobs are not nearer to one another than this, in widths.
_APART: Final = 1.0
# A blob at the border is seen if this share of the weight of its window is.
_LEAST_SEEN: Final = 0.4


def find_blobs(
    picture: Image | Movie,
    /,
    *,
    width: Length | None = None,
    contrast: Contrast = "both",
    false: float = 0.05,
) -> Sites:
    """Find blobs of one width in an image or in every frame of a movie, each beyond noise.

    The difference of two Gaussians [1]_ answers to blobs of a width, and neither to
    shading nor to a lattice that is much finer. Its noise is told by the
    frame itself, robustly; how high chance reaches, by how rough that noise is.

    Parameters
    ----------
    picture : Image or Movie
        Read frame by frame; NaN: not measured, as at borders of registered frames.
    width : length, optional
        Full width at half height of the blobs; by default the one at which the
        strongest blob of a frame stands out most.
    contrast : {"bright", "dark", "both"}
        Which blobs are sought.
    false : float
        Expected number of blobs a frame that are noise.

    Returns
    -------
    Sites
        Of all frames, with ``frame``; ``significance`` in standard deviations of the noise,
        ``amplitude`` in the unit of the picture (of the difference, below zero for dark ones),
        ``score`` (1 less the number of noise maxima at least as high that a frame has).
        ``attrs``: ``width``, ``extent``, and how many frames had none in a note.

    Raises
    ------
    KindError
        If it is neither an image nor a movie, or nothing was measured.
    SettingError
        If the width is not between two pixels and half of the frame, or `false` not positive.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, Proc. R. Soc. Lond. B 207, 187 (1980).

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:64, :64]
    >>> noise = np.random.default_rng(0).normal(size=(64, 64))
    >>> image = image_from_array(noise - 4 * np.exp(-((y - 20) ** 2 + (x - 40) ** 2) / 18))
    >>> found = find_blobs(image, width="7 px")
    >>> found.y.values.round().tolist(), found.x.values.round().tolist()
    ([20.0], [40.0])
    """
    if IMAGE.fits(picture):
        movie = picture.expand_dims("frame")
    elif MOVIE.fits(picture):
        movie = picture
    else:
        msg = f"found {type(picture).__name__}, need an Image or a Movie"
        raise KindError(msg)
    if not false > 0:
        msg = f"{false=} must be positive: 0.05 allows one false blob in twenty frames"
        raise SettingError(msg)
    if contrast not in ("bright", "dark", "both"):
        msg = f'{contrast=} must be "bright", "dark" or "both"'
        raise SettingError(msg)
    sigma = _sigma(movie, width, contrast)
    found = [_blobs(_frame(movie, k), sigma, contrast, false) for k in range(len(movie))]
    numbers = movie.coords["frame"].values if "frame" in movie.coords else np.arange(len(movie))
    rows = np.concatenate(found)
    counts = [len(one) for one in found]
    steps, start = pixel_size(movie), extent(movie)
    sites = sites_from_positions(
        start[0] + rows[:, 0] * steps[0],
        start[2] + rows[:, 1] * steps[1],
        unit=space_unit(movie),
        frame=np.repeat(numbers, counts) if MOVIE.fits(picture) else None,
        extent=start,
    )
    sites["significance"] = ("site", rows[:, 2], {"units": "1"})
    sites["amplitude"] = ("site", rows[:, 3], {"units": str(movie.attrs.get("units", "1"))})
    sites["score"] = ("site", rows[:, 4], {"units": "1"})
    size = _FWHM * sigma * float(np.sqrt(steps[0] * steps[1]))
    sites.attrs["width"] = size
    n_with = int(np.count_nonzero(counts))
    add_note(
        sites,
        f"{len(rows)} blobs of {size:.3g} {space_unit(movie)} in {n_with} of {len(counts)} frames, "
        f"{sum(rows[:, 3] < 0)} of them dark; {false:g} a frame may be noise.",
    )
    return sites


def _frame(movie: Movie, number: int) -> Floats:
    box = (slice(number, number + 1), slice(0, movie.shape[1]))
    return np.asarray(reader_of(movie.data)(box)[0], dtype=np.float64)


def _sigma(movie: Movie, width: Length | None, contrast: Contrast) -> float:
    """Give the width to look for in pixels, as a standard deviation."""
    shorter = min(movie.shape[1:])
    if width is not None:
        size = float(np.sqrt(np.prod(pixel_size(movie))))
        value = length_from_setting(width, unit=space_unit(movie), pixel_size=size, name="width")
        if not 2 <= value / size <= shorter / 2:
            msg = (
                f"{width=} is {value / size:.3g} pixels: it must lie between two pixels and half "
                f"of the frame, {shorter / 2:g}"
            )
            raise SettingError(msg)
        return value / size / _FWHM
    n = len(movie)
    some = np.unique(np.linspace(0, n - 1, min(_TRIED_ON, n)).round().astype(int)).tolist()
    frames = [_frame(movie, k) for k in some]
    largest = max(_NARROWEST, _WIDEST * shorter)
    tried = _NARROWEST * 2 ** np.arange(0, np.log2(largest / _NARROWEST) + 1e-9, 0.5)
    best = (-np.inf, tried[0])
    for full in tried:
        heights = []
        for frame in frames:
            response, known = _response(frame, full / _FWHM)
            if known.any():
                level = robust_sigma(response[known])
                signed = _signed(response, contrast)
                heights.append(float(signed[known].max()) / max(level, 1e-300))
        if heights and float(np.median(heights)) > best[0]:
            best = float(np.median(heights)), full
    return float(best[1]) / _FWHM


def _signed(response: Floats, contrast: Contrast) -> Floats:
    if contrast == "both":
        return np.abs(response)
    return response if contrast == "bright" else -response


def _response(frame: Floats, sigma: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Take the difference of two Gaussians of what was measured, and tell where it is known."""
    measured = np.isfinite(frame)
    if not measured.any():
        return np.zeros(frame.shape), measured
    values = np.where(measured, frame - np.median(frame[measured]), np.nan)
    around, _ = smoothed_with_share(values, _AROUND * sigma)
    inside, share = smoothed_with_share(values, sigma)
    known = measured & (share >= _LEAST_SEEN)
    return np.where(known, inside - around, 0.0), known


def _blobs(frame: Floats, sigma: float, contrast: Contrast, false: float) -> Floats:
    """Find blobs of a frame: rows of y, x in pixels, significance, amplitude and score."""
    response, known = _response(frame, sigma)
    if known.sum() < 16:
        return np.empty((0, 5))
    level = robust_sigma(response[known])
    if not level > 0:
        return np.empty((0, 5))
    z = response / level
    rough = roughness(z, known)
    # Both signs are counted by the formula; of one there is half.
    allowed = false if contrast == "both" else 2 * false
    least = height_of_false(float(known.sum()), rough, false=allowed)
    signed = np.where(known, _signed(z, contrast), 0.0)
    at = local_maxima(signed, above=least)
    at = at[thin_out(at, signed[tuple(at.T)], distance=_APART * _FWHM * sigma)]
    height = signed[tuple(at.T)]
    chance = expected_false(height, float(known.sum()), rough)
    if contrast != "both":
        chance = chance / 2
    place = at + _summits(signed, at)
    return np.column_stack(
        [place, height, response[tuple(at.T)], np.clip(1 - chance, 0.0, 1.0)]
    ).reshape(-1, 5)


def _summits(signed: Floats, at: NDArray[np.intp]) -> Floats:
    """Find maxima between pixels, by parabolas along both axes."""
    away = np.zeros(at.shape)
    for axis, size in enumerate(signed.shape):
        step = np.zeros(2, dtype=int)
        step[axis] = 1
        inside = (at[:, axis] > 0) & (at[:, axis] < size - 1)
        some = at[inside]
        before, here, after = (signed[tuple((some + k * step).T)] for k in (-1, 0, 1))
        bend = before - 2 * here + after
        ratio = np.divide(before - after, 2 * bend, out=np.zeros(len(some)), where=bend < 0)
        away[inside, axis] = np.clip(ratio, -0.5, 0.5)
    return away
