"""Round Gaussians in small windows of an image: models, normal equations, overlaps."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

AMPLITUDE, Y, X, LOG_WIDTH, BACKGROUND = range(5)
"""Columns of the parameters of a Gaussian on a constant background."""
N_PARAMETERS: Final = 5
# Of a curvature above its diagonal.
_ROW, _COLUMN = np.triu_indices(N_PARAMETERS, 1)


class Profiles(NamedTuple):
    """A Gaussian along the rows and columns of its window.

    A round Gaussian is the product of its two profiles, which makes its
    exponentials cost as much as a line and its normal equations a few
    small matrix products.

    Attributes
    ----------
    v, u : arrays, shape (site, row) and (site, column)
        Distance of the pixels from the center over the width.
    along_y, along_x : arrays, shape (site, row) and (site, column)
        The Gaussian's factors, 1 at the center.
    """

    v: Floats
    u: Floats
    along_y: Floats
    along_x: Floats


def gaussian_profiles(parameters: Floats, rows: Floats, columns: Floats, /) -> Profiles:
    """Evaluate Gaussians at the `rows` (site, row) and `columns` (site, column) of windows."""
    inverse_width = np.exp(-parameters[:, LOG_WIDTH, None])
    v = (rows - parameters[:, Y, None]) * inverse_width
    u = (columns - parameters[:, X, None]) * inverse_width
    return Profiles(v, u, np.exp(-0.5 * v * v), np.exp(-0.5 * u * u))


def gaussian_windows(amplitude: Floats, profiles: Profiles, /) -> Floats:
    """Multiply out Gaussians, without background, as windows (site, row, column)."""
    along_y = amplitude[:, None] * profiles.along_y
    windows: Floats = along_y[:, :, None] * profiles.along_x[:, None, :]
    return windows


def gaussian_gradient(parameters: Floats, profiles: Profiles, weighted: Floats, /) -> Floats:
    """Give ``J^T W r`` of Gaussians on constant backgrounds, (site, 5).

    Parameters
    ----------
    parameters : array, shape (site, 5)
        Amplitude, y, x, logarithm of the width, background.
    profiles : Profiles
        Of these parameters.
    weighted : array, shape (site, row, column)
        Data minus model, times the inverse variance of the data.
    """
    along_y = _powers(profiles.v, profiles.along_y, 3)
    along_x = _powers(profiles.u, profiles.along_x, 3)
    moments = np.matmul(np.matmul(along_y, weighted), np.swapaxes(along_x, 1, 2))
    amplitude = parameters[:, AMPLITUDE]
    by_place = amplitude * np.exp(-parameters[:, LOG_WIDTH])
    gradient = np.empty((len(parameters), N_PARAMETERS))
    gradient[:, AMPLITUDE] = moments[:, 0, 0]
    gradient[:, Y] = by_place * moments[:, 1, 0]
    gradient[:, X] = by_place * moments[:, 0, 1]
    gradient[:, LOG_WIDTH] = amplitude * (moments[:, 2, 0] + moments[:, 0, 2])
    gradient[:, BACKGROUND] = np.sum(weighted, axis=(1, 2))
    return gradient


def gaussian_curvature(parameters: Floats, profiles: Profiles, weight: Floats, /) -> Floats:
    """Give ``J^T W J`` of Gaussians on constant backgrounds, (site, 5, 5).

    Parameters
    ----------
    parameters : array, shape (site, 5)
    profiles : Profiles
        Of these parameters.
    weight : array, shape (site, row, column)
        Inverse variance of the data.
    """
    along_y, along_x = (
        np.concatenate(
            [_powers(t, along * along, 5), _powers(t, along, 3), np.ones_like(along)[:, None]],
            axis=1,
        )
        for t, along in ((profiles.v, profiles.along_y), (profiles.u, profiles.along_x))
    )
    moments = np.matmul(np.matmul(along_y, weight), np.swapaxes(along_x, 1, 2))
    amplitude = parameters[:, AMPLITUDE]
    by_place = amplitude * np.exp(-parameters[:, LOG_WIDTH])
    return _curvature(moments, amplitude, by_place)


def _powers(t: Floats, profile: Floats, n_powers: int) -> Floats:
    """Stack profile times t^0, t^1 ... as (site, power, pixel)."""
    powers = np.empty((t.shape[0], n_powers, t.shape[1]))
    powers[:, 0] = profile
    for power in range(1, n_powers):
        np.multiply(powers[:, power - 1], t, out=powers[:, power])
    return powers


def _curvature(moments: Floats, amplitude: Floats, by_place: Floats) -> Floats:
    m, n = moments[:, :5, :5], moments[:, 5:8, 5:8]
    upper = np.empty((len(moments), N_PARAMETERS, N_PARAMETERS))
    upper[:, AMPLITUDE, AMPLITUDE] = m[:, 0, 0]
    upper[:, AMPLITUDE, Y] = by_place * m[:, 1, 0]
    upper[:, AMPLITUDE, X] = by_place * m[:, 0, 1]
    upper[:, AMPLITUDE, LOG_WIDTH] = amplitude * (m[:, 2, 0] + m[:, 0, 2])
    upper[:, AMPLITUDE, BACKGROUND] = n[:, 0, 0]
    upper[:, Y, Y] = by_place**2 * m[:, 2, 0]
    upper[:, Y, X] = by_place**2 * m[:, 1, 1]
    upper[:, Y, LOG_WIDTH] = amplitude * by_place * (m[:, 3, 0] + m[:, 1, 2])
    upper[:, Y, BACKGROUND] = by_place * n[:, 1, 0]
    upper[:, X, X] = by_place**2 * m[:, 0, 2]
    upper[:, X, LOG_WIDTH] = amplitude * by_place * (m[:, 2, 1] + m[:, 0, 3])
    upper[:, X, BACKGROUND] = by_place * n[:, 0, 1]
    upper[:, LOG_WIDTH, LOG_WIDTH] = amplitude**2 * (m[:, 4, 0] + 2 * m[:, 2, 2] + m[:, 0, 4])
    upper[:, LOG_WIDTH, BACKGROUND] = amplitude * (n[:, 2, 0] + n[:, 0, 2])
    upper[:, BACKGROUND, BACKGROUND] = moments[:, 8, 8]
    upper[:, _COLUMN, _ROW] = upper[:, _ROW, _COLUMN]
    return upper


def gaussian_jacobian(parameters: Floats, profiles: Profiles, /) -> Floats:
    """Give the derivative of Gaussians and background, (site, row, column, 5)."""
    shape = gaussian_windows(np.ones(len(parameters)), profiles)
    amplitude = parameters[:, AMPLITUDE, None, None]
    by_place = amplitude * np.exp(-parameters[:, LOG_WIDTH, None, None])
    v, u = profiles.v[:, :, None], profiles.u[:, None, :]
    columns = (
        shape,
        by_place * v * shape,
        by_place * u * shape,
        amplitude * (v * v + u * u) * shape,
        np.ones_like(shape),
    )
    return np.stack(columns, axis=-1)


def gaussian_overlaps(first: Floats, second: Floats, /) -> Floats:
    """Give ``J_i^T J_j`` of pairs of Gaussians over the whole plane.

    The product of two Gaussians is a Gaussian between them, so that every
    entry is a product of two closed integrals along y and x. Pixels have
    unit area and are smaller than the Gaussians, the sum over them is then
    the integral.

    Parameters
    ----------
    first, second : array, shape (pair, 4 or 5)

    Returns
    -------
    array, shape (pair, 4, 4)
    """
    widths = np.exp(first[:, LOG_WIDTH]), np.exp(second[:, LOG_WIDTH])
    along_y = _integrals(first[:, Y], second[:, Y], *widths)
    along_x = _integrals(first[:, X], second[:, X], *widths)
    moments = along_y[:, :, None, None] * along_x[None, None]
    return _overlaps_of_moments(moments, first, second)


def gaussian_overlaps_in_windows(
    first: Floats, second: Floats, own: Profiles, other: Profiles, weight: Floats, /
) -> Floats:
    """Give ``J_i^T W J_j`` of pairs of Gaussians, summed over pixels of a window.

    Parameters
    ----------
    first, second : array, shape (pair, 4 or 5)
    own, other : Profiles
        Of the first and of the second in the same windows.
    weight : array, shape (pair, row, column)

    Returns
    -------
    array, shape (pair, 4, 4)
    """
    along_y, along_x = (
        (_powers(t, along, 3)[:, :, None] * _powers(s, beside, 3)[:, None]).reshape(
            len(first), 9, t.shape[1]
        )
        for t, along, s, beside in (
            (own.v, own.along_y, other.v, other.along_y),
            (own.u, own.along_x, other.u, other.along_x),
        )
    )
    moments = np.matmul(np.matmul(along_y, weight), np.swapaxes(along_x, 1, 2))
    return _overlaps_of_moments(
        np.moveaxis(moments, 0, -1).reshape(3, 3, 3, 3, len(first)), first, second
    )


def _overlaps_of_moments(moments: Floats, first: Floats, second: Floats) -> Floats:
    """Combine sums of v^k v'^l u^m u'^n g g', (3, 3, 3, 3, pair), to (pair, 4, 4)."""
    # Powers of v and u that make up the derivative after each parameter.
    terms = {AMPLITUDE: [(0, 0)], Y: [(1, 0)], X: [(0, 1)], LOG_WIDTH: [(2, 0), (0, 2)]}
    overlaps = np.zeros((len(first), 4, 4))
    for a, own in terms.items():
        for b, others in terms.items():
            for v, u in own:
                for other_v, other_u in others:
                    overlaps[:, a, b] += moments[v, other_v, u, other_u]
    for gaussians, axis in ((first, 2), (second, 1)):
        amplitude = gaussians[:, AMPLITUDE]
        by_place = amplitude * np.exp(-gaussians[:, LOG_WIDTH])
        factor = np.stack([np.ones_like(amplitude), by_place, by_place, amplitude], axis=1)
        overlaps *= np.expand_dims(factor, axis)
    return overlaps


def _integrals(place: Floats, other: Floats, width: Floats, other_width: Floats) -> Floats:
    """Integrate v^k v'^l g g' along one axis, for k and l from 0 to 2."""
    square = width**2 + other_width**2
    between = (place * other_width**2 + other * width**2) / square
    narrow = width * other_width / np.sqrt(square)
    a, c = (between - place) / width, narrow / width
    b, d = (between - other) / other_width, narrow / other_width
    moments = np.empty((3, 3, len(place)))
    moments[0, 0] = 1
    moments[1, 0], moments[0, 1] = a, b
    moments[1, 1] = a * b + c * d
    moments[2, 0], moments[0, 2] = a * a + c * c, b * b + d * d
    moments[2, 1] = moments[2, 0] * b + 2 * a * c * d
    moments[1, 2] = moments[0, 2] * a + 2 * b * c * d
    moments[2, 2] = (
        a * a * b * b + a * a * d * d + b * b * c * c + 4 * a * b * c * d + 3 * c * c * d * d
    )
    moments *= np.sqrt(2 * np.pi) * narrow * np.exp(-((place - other) ** 2) / (2 * square))
    return moments
