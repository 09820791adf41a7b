"""How windows of an image look from every direction: Radon transforms and Zernike moments."""

from __future__ import annotations

from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from scipy.fft import fft2, fftfreq
from scipy.sparse import coo_array, csc_array

from adatom.descriptors.window_grid import (
    array_of_windows,
    features_of_windows,
    size_from_choice,
    window_grids,
)
from adatom.errors import SettingError
from adatom.schema import IMAGE, Features, Image, Table, pixel_size, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.descriptors.window_grid import Grid

    Floats = NDArray[np.floating]

# Of a polynomial of higher order, the outermost ring is thinner than the pixels of a small window.
_HIGHEST: Final = 20


def window_projections(
    image: Image,
    choice: Table | None = None,
    /,
    *,
    size: Length | None = None,
    step: Length | None = None,
    n_angles: int = 36,
    oriented: bool = True,
) -> Features:
    """Project windows that slide over an image along every direction, and tell how rugged they are.

    Along a row of atoms, a lamella or a fault the projection (Radon transform)
    has deep valleys, along any other direction it is flat. Its standard
    deviation, direction by direction, does not depend on where the rows
    lie [1]_: few numbers, which know of directions and nothing of distances.

    Parameters
    ----------
    image : Image
        Numpy gives numpy; dask gives dask, of which every block reads the part
        of the image under its windows only. NaN: not measured.
    choice : Table, optional
        Of `pipelines.choose_window_size`: the size to take where `size` gives none.
    size : length, optional
        Height and width of the windows. By default the whole image is one.
    step : length, optional
        Distance of windows. By default a quarter of `size`.
    n_angles : int
        Directions in half a turn. 36 are 5 deg apart, which a window of some 24
        pixels resolves.
    oriented : bool
        Whether a pattern that is turned is another one. If not, the magnitudes of
        the Fourier transform over the angle are given, which a turn does not change.

    Returns
    -------
    Features
        Dims (y, x, feature), in the unit of the image, as of `window_spectra`.
        ``angle`` (feature): the direction of the rows, from +x towards +y, in deg. If
        not `oriented`: ``symmetry`` (feature), from 0 on in steps of two.

    Raises
    ------
    SettingError
        If `n_angles` is less than 4, a window has less than four pixels or is
        larger than the image, or `step` leaves gaps.

    References
    ----------
    .. [1] S. Tabbone, L. Wendling and J.-P. Salmon, Comput. Vis. Image Underst. 102, 42 (2006),
       eq. 5.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:64, :64]
    >>> stripes = image_from_array(np.cos(y / 2), pixel_size="0.1 nm")
    >>> found = window_projections(stripes, size="3.2 nm", n_angles=12)
    >>> found["angle"].values[found[0, 0].argmax("feature")]
    np.float64(0.0)
    """
    IMAGE.check(image, name="image")
    if n_angles < 4:
        msg = f"{n_angles=} must be 4 or more, or rows of atoms fall between the directions"
        raise SettingError(msg)
    grids = window_grids(image, size_from_choice(choice, size), step)
    angles: NDArray[np.float64] = np.arange(n_angles) * np.float64(180.0 / n_angles)
    matrix, weight = _projection(grids, pixel_size(image), angles)
    work = partial(_ruggedness, matrix=matrix, weight=weight, n_angles=n_angles, oriented=oriented)
    if oriented:
        columns: dict[str, Any] = {"angle": ("feature", angles, {"units": "deg"})}
    else:
        columns = {"symmetry": ("feature", 2 * np.arange(n_angles // 2 + 1))}
    values = features_of_windows(image, grids, work, n_angles if oriented else n_angles // 2 + 1)
    return array_of_windows(image, grids, values, columns, name="window_projection")


def _projection(
    grids: tuple[Grid, Grid], pixels: tuple[float, float], angles: NDArray[np.float64]
) -> tuple[csc_array, NDArray[np.float64]]:
    """Give the projections as weights (pixel, line of an angle), and the window's own weights."""
    y, x, radius = _disc(grids, pixels)
    # As wide at all angles, and without edges.
    weight = np.where(radius < 1, np.cos(np.pi / 2 * np.minimum(radius, 1)) ** 2, 0.0)
    line = max(pixels)
    half = min(grid.length * pixel for grid, pixel in zip(grids, pixels, strict=True)) / 2
    n_lines = 2 * int(np.ceil(half / line)) + 2
    inside = np.flatnonzero(weight > 0)
    rows, columns, shares = [], [], []
    for number, angle in enumerate(np.deg2rad(angles)):
        # Distance from the line through the middle along this direction.
        place = (y * np.cos(angle) - x * np.sin(angle))[inside] / line + n_lines / 2 - 0.5
        below = np.floor(place).astype(int)
        for at, share in ((below, 1 - (place - below)), (below + 1, place - below)):
            rows.append(inside)
            columns.append(number * n_lines + np.clip(at, 0, n_lines - 1))
            shares.append(share * weight[inside])
    shape = (len(weight), len(angles) * n_lines)
    joined = (np.concatenate(rows), np.concatenate(columns))
    matrix = coo_array((np.concatenate(shares), joined), shape).tocsc()
    return matrix, weight / weight.sum()


def _ruggedness(
    windows: Floats,
    matrix: csc_array,
    weight: NDArray[np.float64],
    n_angles: int,
    *,
    oriented: bool,
) -> Floats:
    rows = windows.reshape(-1, matrix.shape[0])
    rows = rows - (rows @ weight.astype(rows.dtype))[:, None]
    lines = (rows @ matrix.astype(rows.dtype)).reshape(len(rows), n_angles, -1)
    # Of the mean along a line, so that it does not depend on the size of the window.
    norm = (matrix.sum(axis=0) ** 2).reshape(n_angles, -1).sum(axis=1)
    rugged = np.sqrt((lines**2).sum(axis=2) / norm.astype(rows.dtype))
    if not oriented:
        rugged = np.abs(np.fft.rfft(rugged, axis=1)).astype(windows.dtype) / n_angles
    return np.asarray(rugged.reshape(*windows.shape[:2], -1))


def window_moments(
    image: Image,
    choice: Table | None = None,
    /,
    *,
    size: Length | None = None,
    step: Length | None = None,
    shortest_period: Length | None = None,
    highest_order: int = 10,
    of: Literal["spectrum", "image"] = "spectrum",
) -> Features:
    """Describe windows that slide over an image by the magnitudes of their Zernike moments.

    Zernike polynomials are orthogonal on a disc, and a rotation changes only the
    phases of their moments [1]_: magnitudes do not know how a pattern is turned,
    and some tens of them tell what it is.

    Parameters
    ----------
    image : Image
        Numpy gives numpy; dask gives dask, of which every block reads the part
        of the image under its windows only. NaN: not measured.
    choice : Table, optional
        Of `pipelines.choose_window_size`: the size to take where `size` gives none.
    size : length, optional
        Height and width of the windows. By default the whole image is one.
    step : length, optional
        Distance of windows. By default a quarter of `size`.
    shortest_period : length, optional
        Of the spectrum: the rim of the disc. By default two pixels.
    highest_order : int
        Of the polynomials. Ten gives 35 moments (21 of a spectrum), with details of a
        tenth of the diameter.
    of : {"spectrum", "image"}
        The spectrum of a window does not depend on where a lattice lies in it either.
        The image itself is for windows around something, as patches are.

    Returns
    -------
    Features
        Dims (y, x, feature), as of `window_spectra`; ``order`` and ``symmetry`` (feature),
        n and m of the polynomial. Of a spectrum those of odd order vanish and are left out.

    Raises
    ------
    SettingError
        If `highest_order` is not 2 to 20, a window has less than four pixels or is
        larger than the image, `step` leaves gaps, or `shortest_period` no wave.

    References
    ----------
    .. [1] A. Khotanzad and Y. H. Hong, IEEE Trans. Pattern Anal. Mach. Intell. 12, 489 (1990),
       eq. 5.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:64, :64]
    >>> image = image_from_array(np.cos(y) + np.cos(x), pixel_size="0.1 nm")
    >>> window_moments(image, size="3.2 nm").sizes["feature"]
    21
    """
    IMAGE.check(image, name="image")
    if not 2 <= highest_order <= _HIGHEST:
        msg = f"{highest_order=} must be 2 to {_HIGHEST}"
        raise SettingError(msg)
    if of not in {"spectrum", "image"}:
        msg = f"{of=} is not known: use 'spectrum' or 'image'"
        raise SettingError(msg)
    grids = window_grids(image, size_from_choice(choice, size), step)
    pixels = pixel_size(image)
    if of == "spectrum":
        rim = 2 * max(pixels)
        if shortest_period is not None:
            pixel = float(np.sqrt(np.prod(pixels)))
            rim = length_from_setting(
                shortest_period, unit=space_unit(image), pixel_size=pixel, name="shortest_period"
            )
            if not rim > 0:
                msg = f"{shortest_period=} must be greater than zero"
                raise SettingError(msg)
        frequency = [fftfreq(grid.length, pixel) for grid, pixel in zip(grids, pixels, strict=True)]
        y, x = (part.ravel() * rim for part in np.meshgrid(*frequency, indexing="ij"))
    else:
        y, x, _ = _disc(grids, pixels)
        half = min(grid.length * pixel for grid, pixel in zip(grids, pixels, strict=True)) / 2
        y, x = y / half, x / half
    orders = _orders(highest_order, even=of == "spectrum")
    weights = _zernike(y, x, orders)
    if not weights.any():
        msg = f"{shortest_period=} leaves no wave: the longest in a window is longer"
        raise SettingError(msg)
    work = partial(_moments_of_windows, weights=weights, of_spectrum=of == "spectrum")
    columns = {
        "order": ("feature", np.array([n for n, _ in orders])),
        "symmetry": ("feature", np.array([m for _, m in orders])),
    }
    values = features_of_windows(image, grids, work, len(orders))
    return array_of_windows(image, grids, values, columns, name="window_moment")


def _orders(highest: int, *, even: bool) -> list[tuple[int, int]]:
    return [
        (n, m)
        for n in range(0, highest + 1, 2 if even else 1)
        for m in range(n % 2, n + 1, 2)
        # The first moment of an image is its mean.
        if even or n > 0
    ]


def _zernike(
    y: NDArray[np.float64], x: NDArray[np.float64], orders: list[tuple[int, int]]
) -> NDArray[np.complex128]:
    """Give the conjugate polynomials (pixel, moment), normalized for means over the disc."""
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    inside = radius <= 1
    found = np.zeros((len(y), len(orders)), dtype=np.complex128)
    for number, (n, m) in enumerate(orders):
        radial = sum(
            (-1) ** k
            * factorial(n - k)
            / (factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k))
            * radius ** (n - 2 * k)
            for k in range((n - m) // 2 + 1)
        )
        found[:, number] = np.where(inside, (n + 1) * radial * np.exp(-1j * m * angle), 0)
    return found / max(int(inside.sum()), 1)


def _moments_of_windows(
    windows: Floats, weights: NDArray[np.complex128], *, of_spectrum: bool
) -> Floats:
    if of_spectrum:
        rows, columns = windows.shape[2:]
        taper = np.outer(np.hanning(rows + 1)[:-1], np.hanning(columns + 1)[:-1])
        taper /= taper.sum()
        windows -= (windows * taper.astype(windows.dtype)).sum(axis=(2, 3), keepdims=True)
        values = np.abs(fft2(windows * (2 * taper).astype(windows.dtype), axes=(2, 3)))
    else:
        values = windows - windows.mean(axis=(2, 3), keepdims=True)
    flat = values.reshape(*values.shape[:2], -1)
    parts = [flat @ part.astype(windows.dtype) for part in (weights.real, weights.imag)]
    return np.asarray(np.hypot(*parts))


def _disc(
    grids: tuple[Grid, Grid], pixels: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give y and x from the middle of a window, and the radius of the largest disc in it as 1."""
    offsets = [
        (np.arange(grid.length) - (grid.length - 1) / 2) * pixel
        for grid, pixel in zip(grids, pixels, strict=True)
    ]
    y, x = (part.ravel() for part in np.meshgrid(*offsets, indexing="ij"))
    half = min(grid.length * pixel for grid, pixel in zip(grids, pixels, strict=True)) / 2
    return y, x, np.hypot(y, x) / half
