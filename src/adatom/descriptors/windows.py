"""Fourier magnitudes of windows that slide over an image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.fft import fftfreq, rfft2, rfftfreq
from scipy.signal.windows import hann
from scipy.sparse import coo_array, csc_array, hstack

from adatom.descriptors.window_grid import (
    array_of_windows,
    features_of_windows,
    size_from_choice,
    standardize_windows,
    window_grids,
)
from adatom.errors import SettingError
from adatom.schema import IMAGE, Features, Image, Table, pixel_size, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Of lattices: a magnitude is the same at the opposite place, so odd orders vanish.
_SYMMETRIES: Final = (0, 2, 4, 6)


class _HalfPlane(NamedTuple):
    """Independent frequencies of a window, as places in its half transform."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    frequency_y: NDArray[np.float64]
    frequency_x: NDArray[np.float64]


def window_spectra(
    image: Image,
    choice: Table | None = None,
    /,
    *,
    size: Length | None = None,
    step: Length | None = None,
    shortest_period: Length | None = None,
    log1p: bool = False,
    oriented: bool = True,
    standardize: bool = False,
) -> Features:
    """Transform windows that slide over an image, and keep their magnitudes.

    Magnitudes do not depend on where the lattice lies in the window: the
    continuous translational symmetry of a crystal, with no atoms needed. Every
    window loses its mean and is apodized by a Hann window, so that its edges
    leave no streaks.

    Parameters
    ----------
    image : Image
        Numpy gives numpy; dask gives dask, of which every block reads the part
        of the image under its windows only. NaN: not measured.
    choice : Table, optional
        Of `pipelines.choose_window_size`: the size to take where `size` gives
        none, and then also its `shortest_period` where that gives none.
    size : length, optional
        Height and width of the windows. Take four lattice constants or more:
        peaks of a window of n periods are about 2/n of their frequency wide.
        With neither choice nor size the whole image is one window.
    step : length, optional
        Distance of windows. By default a quarter of `size`: apodized windows
        then overlap enough that every pixel counts nearly alike.
    shortest_period : length, optional
        Waves shorter than this are left out: beyond the finest reflection of
        the lattice there is only noise, in most of the features. By default
        all are kept, down to two pixels.
    log1p : bool
        Give log(1 + magnitude), which lifts weak reflections against strong
        ones. It depends on the scale of the image: bring the image to a noise
        of about one before.
    oriented : bool
        Whether a lattice that is turned is another one, as the grains of one phase
        are. If not, the magnitudes on every ring are replaced by the magnitudes
        of their angular Fourier coefficients of order 0, 2, 4 and 6, which no
        rotation changes [1]_: how strong the ring is, and how much of it has
        two-, four- and sixfold symmetry.
    standardize : bool
        Whether windows are brought to standard deviation 1 first, so that contrast,
        which differs from image to image, does not count.

    Returns
    -------
    Features
        Dims (y, x, feature); float32 for float32 images. ``y`` and ``x`` are the centers
        of the windows. The first and the last window are flush with the edges of
        the image; between them starts are rounded to pixels, so that steps
        differ by one pixel at most and none is longer than `step`.
        ``frequency_y``, ``frequency_x`` (feature) are in cycles per unit of
        space: the half plane that is independent, without zero. The magnitude
        of a wave of amplitude one is one, where it lies on a frequency. Windows
        with a NaN are NaN. If not `oriented`: ``frequency`` (feature) of the ring, and
        ``symmetry`` (feature), the order.

    Raises
    ------
    SettingError
        If a window has less than four pixels or is larger than the image, if
        `step` leaves gaps between windows, or `shortest_period` no wave.

    References
    ----------
    .. [1] J. Ponce and C. Singer, IEEE Trans. Image Process. 20, 3206 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> wave = np.cos(2 * np.pi * np.arange(64) / 8) * np.ones((64, 1))
    >>> spectra = window_spectra(image_from_array(wave, pixel_size="0.1 nm"), size="3.2 nm")
    >>> spectra.sizes["y"], spectra.sizes["feature"]
    (5, 513)
    >>> top = spectra.isel(feature=int(spectra[0, 0].argmax("feature")))
    >>> float(top.frequency_x), round(float(top[0, 0]), 3)
    (1.25, 1.0)
    """
    IMAGE.check(image, name="image")
    unit, pixels = space_unit(image), pixel_size(image)
    grids = window_grids(image, size_from_choice(choice, size), step)
    half_plane = _half_plane((grids[0].length, grids[1].length), pixels)
    if shortest_period is None and choice is not None and size is None:
        shortest_period = choice.attrs.get("shortest_period")
    if shortest_period is not None:
        half_plane = _longer_waves(half_plane, shortest_period, pixels, unit)
    frequency = {"units": f"1/{unit}"}
    coordinates: dict[str, Any] = {
        "frequency_y": ("feature", half_plane.frequency_y, frequency),
        "frequency_x": ("feature", half_plane.frequency_x, frequency),
    }
    harmonics, n_features = None, len(half_plane.row)
    if not oriented:
        rings = _rings(half_plane, (grids[0].length, grids[1].length), pixels)
        harmonics, n_features = rings.weights, rings.weights.shape[1]
        coordinates = {
            "frequency": ("feature", rings.frequency, frequency),
            "symmetry": ("feature", rings.order),
        }
    work = partial(
        _spectra_of_windows,
        half_plane=half_plane,
        log1p=log1p,
        harmonics=harmonics,
        standardize=standardize,
    )
    values = features_of_windows(image, grids, work, n_features)
    return array_of_windows(
        image,
        grids,
        values,
        coordinates,
        name="window_spectrum",
        units="1" if log1p or standardize else None,
    )


def _half_plane(shape: tuple[int, int], pixels: tuple[float, float]) -> _HalfPlane:
    frequency_y, frequency_x = np.meshgrid(
        fftfreq(shape[0], pixels[0]), rfftfreq(shape[1], pixels[1]), indexing="ij"
    )
    rows, columns = np.indices(frequency_y.shape)
    # In the columns that are their own mirror image, rows k and -k hold the same.
    own_mirror = (columns == 0) | (2 * columns == shape[1])
    independent = ~own_mirror | (rows <= shape[0] // 2)
    independent[0, 0] = False
    return _HalfPlane(
        rows[independent], columns[independent], frequency_y[independent], frequency_x[independent]
    )


def _longer_waves(
    half_plane: _HalfPlane, shortest: Length, pixels: tuple[float, float], unit: str
) -> _HalfPlane:
    period = length_from_setting(
        shortest, unit=unit, pixel_size=float(np.sqrt(np.prod(pixels))), name="shortest_period"
    )
    if not period > 0:
        msg = f"shortest_period={shortest!r} must be greater than zero"
        raise SettingError(msg)
    frequency = np.hypot(half_plane.frequency_y, half_plane.frequency_x)
    kept = frequency * period <= 1 + 1e-9
    if not kept.any():
        msg = (
            f"shortest_period={shortest!r} leaves no wave: the longest in a window is "
            f"{1 / frequency.min():.4g} {unit}"
        )
        raise SettingError(msg)
    row, column, frequency_y, frequency_x = half_plane
    return _HalfPlane(row[kept], column[kept], frequency_y[kept], frequency_x[kept])


class _Rings(NamedTuple):
    """Angular Fourier coefficients of rings, as weights of the magnitudes."""

    weights: csc_array
    """(wave, feature), complex: the mean over a ring, times a wave around it."""
    frequency: NDArray[np.float64]
    order: NDArray[np.int64]


def _rings(half_plane: _HalfPlane, shape: tuple[int, int], pixels: tuple[float, float]) -> _Rings:
    """Lay rings one resolution of the window apart; a wave counts in the two next to it."""
    _, _, frequency_y, frequency_x = half_plane
    width = 1 / min(n * pixel for n, pixel in zip(shape, pixels, strict=True))
    place = np.hypot(frequency_y, frequency_x) / width
    # Beyond the sides of the plane, in its corners, rings are no rings.
    inside = place <= 0.5 / max(pixels) / width
    number = np.arange(len(place))[inside]
    below = np.floor(place[inside]).astype(int)
    share = place[inside] - below
    angle = np.arctan2(frequency_y, frequency_x)[inside]
    n_rings = int(below.max(initial=0)) + 2
    rows, rings = np.concatenate([number, number]), np.concatenate([below, below + 1])
    shares = np.concatenate([1 - share, share])
    # A wave on a ring does not count on the next.
    some = shares > 0
    rows, rings, shares = rows[some], rings[some], shares[some]
    around_twice = np.concatenate([angle, angle])[some]
    total = np.bincount(rings, shares, n_rings)
    used = np.flatnonzero(total > 0)
    parts = []
    for order in _SYMMETRIES:
        # A half plane holds all: opposite waves are alike, and so are these of even order.
        around = shares * np.exp(1j * order * around_twice) / total[rings]
        parts.append(coo_array((around, (rows, rings)), (len(place), n_rings)).tocsc()[:, used])
    frequency = np.tile(used * width, len(_SYMMETRIES))
    return _Rings(hstack(parts, "csc"), frequency, np.repeat(_SYMMETRIES, len(used)))


def _spectra_of_windows(
    windows: NDArray[np.floating],
    half_plane: _HalfPlane,
    *,
    log1p: bool,
    harmonics: csc_array | None,
    standardize: bool,
) -> NDArray[np.floating]:
    rows, columns = windows.shape[2:]
    if standardize:
        standardize_windows(windows)
    taper = np.outer(hann(rows, sym=False), hann(columns, sym=False))
    taper /= taper.sum()
    # Without its tapered mean, a window leaks nothing into the lowest frequencies.
    windows -= (windows * taper.astype(windows.dtype)).sum(axis=(2, 3), keepdims=True)
    windows *= (2 * taper).astype(windows.dtype)
    half = rfft2(windows, axes=(2, 3))
    magnitude: NDArray[np.floating] = np.abs(half[..., half_plane.row, half_plane.column])
    if log1p:
        np.log1p(magnitude, out=magnitude)
    if harmonics is not None:
        rows = magnitude.reshape(-1, magnitude.shape[-1])
        around = np.abs(rows @ harmonics).astype(magnitude.dtype)
        return np.asarray(around.reshape(*magnitude.shape[:2], -1))
    return magnitude
