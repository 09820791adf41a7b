"""What windows of an image are made of, wherever it lies in them: quantiles of local shapes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

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

    Floats = NDArray[np.floating]

# Order of the derivative along y, and along x.
_DERIVATIVES: Final = {
    "value": (0, 0),
    "y": (1, 0),
    "x": (0, 1),
    "yy": (2, 0),
    "yx": (1, 1),
    "xx": (0, 2),
}
_TURNED: Final = ("value", "slope", "bend", "saddle")
# A Gaussian of this share of a window leaves it some twenty independent values,
# (16 / 2 sqrt(pi))^2: of fewer, no quantile can be told.
_COARSEST: Final = 16
# The smallest thing that counts has so many pixels; less is a single pixel of noise.
_SMALLEST: Final = 4


class _Scale(NamedTuple):
    """Gaussian derivatives of one width along both axes, as matrices."""

    along_y: list[NDArray[np.float64]]
    along_x: list[NDArray[np.float64]]


def window_quantiles(
    image: Image,
    choice: Table | None = None,
    /,
    *,
    size: Length | None = None,
    step: Length | None = None,
    coarsest: Length | None = None,
    oriented: bool = True,
    standardize: bool = True,
) -> Features:
    """Tell what windows are made of, wherever it lies in them.

    A window is the set of the neighborhoods of its pixels. Each neighborhood
    is described by its Gaussian derivatives up to the second, at widths that
    double: its local jet [1]_. Of every derivative the quantiles over the
    window are given: how much there is of each local shape, not where.
    Fourier magnitudes do not depend on the place either, but they give away
    the phases, in which an edge, a vacancy or a fault differs from noise; and
    what one defect adds to them drowns in the reflections of its surroundings.

    The quantiles are evenly spaced in log-odds: a defect fills a small share of
    a window, a phase half of it, and the steps between all shares count
    alike. Differences of quantiles are distances between distributions, of
    which k-means may take means [2]_.

    Parameters
    ----------
    image : Image
        Numpy gives numpy; dask gives dask, of which every block reads the part
        of the image under its windows only. NaN: not measured.
    choice : Table, optional
        Of `pipelines.choose_window_size`: the size to take where `size` gives none.
    size : length, optional
        Height and width of the windows. By default the whole image is one
        window, as of patches cut by others.
    step : length, optional
        Distance of windows. By default a quarter of `size`.
    coarsest : length, optional
        Largest standard deviation of the Gaussians, which begin at one pixel
        and double. By default a 16th of the window: of wider ones, a window
        holds too few independent values for quantiles.
    oriented : bool
        Whether shapes that are turned are other shapes, as for the variants or
        twins of one crystal. If not, derivatives are replaced by what no
        rotation changes: the slope (length of the gradient), the bend (Laplacian)
        and the saddle (difference of the principal curvatures).
    standardize : bool
        Whether windows are brought to mean 0 and standard deviation 1 first, so
        that brightness and contrast, which thickness and focus change, do not
        count.

    Returns
    -------
    Features
        Dims (y, x, feature); ``y`` and ``x`` are the centers of the windows, as of
        `window_spectra`. ``scale`` (feature) is the standard deviation of the
        Gaussian, ``shape`` (feature) the derivative, multiplied by the scale as
        often as it derives [3]_, ``quantile`` (feature) the share of the window
        with less. Windows with a NaN are NaN, flat ones as well if standardized.

    Raises
    ------
    SettingError
        If a window has less than 16 pixels along a side or is larger than the
        image, `step` leaves gaps, or `coarsest` is below one pixel.

    References
    ----------
    .. [1] J. J. Koenderink and A. J. van Doorn, Biol. Cybern. 55, 367 (1987).
    .. [2] J. Rabin, G. Peyre, J. Delon, M. Bernot, Scale Space and Variational Methods,
       LNCS 6667, 435 (2012), eq. 3: in one dimension the Wasserstein distance is
       that of quantiles.
    .. [3] T. Lindeberg, Int. J. Comput. Vis. 30, 79 (1998), sec. 4.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:48, :48] * (2 * np.pi / 12)
    >>> lattice = image_from_array(np.cos(y) + np.cos(x), pixel_size="0.02 nm")
    >>> found = window_quantiles(lattice, size="0.64 nm", step="0.32 nm")
    >>> found.sizes["y"], sorted(set(found["shape"].values.tolist()))
    (2, ['value', 'x', 'xx', 'y', 'yx', 'yy'])
    """
    IMAGE.check(image, name="image")
    unit, pixels = space_unit(image), pixel_size(image)
    grids = window_grids(image, size_from_choice(choice, size), step)
    shape = (grids[0].length, grids[1].length)
    sigmas = _sigmas(shape, coarsest, pixels, unit)
    probabilities = _probabilities(shape)
    scales = [_Scale(*(_operators(n, sigma) for n in shape)) for sigma in sigmas]
    work = partial(
        _quantiles_of_windows,
        scales=scales,
        probabilities=probabilities,
        oriented=oriented,
        standardize=standardize,
    )
    names = list(_DERIVATIVES) if oriented else list(_TURNED)
    coordinates = np.meshgrid(
        np.array(sigmas) * float(np.sqrt(np.prod(pixels))), names, probabilities, indexing="ij"
    )
    scale, derivative, quantile = (part.ravel() for part in coordinates)
    columns = {
        "scale": ("feature", scale.astype(float), {"units": unit}),
        "shape": ("feature", derivative),
        "quantile": ("feature", quantile.astype(float)),
    }
    values = features_of_windows(image, grids, work, len(scale))
    return array_of_windows(
        image, grids, values, columns, name="window_quantile", units="1" if standardize else None
    )


def _sigmas(
    shape: tuple[int, int], coarsest: Length | None, pixels: tuple[float, float], unit: str
) -> list[float]:
    """Give widths in pixels that double from one on."""
    if min(shape) < _COARSEST:
        msg = (
            f"windows are {shape[0]} x {shape[1]} pixels: quantiles of local shapes need "
            f"{_COARSEST} or more along a side"
        )
        raise SettingError(msg)
    most = min(shape) / _COARSEST
    if coarsest is not None:
        pixel = float(np.sqrt(np.prod(pixels)))
        length = length_from_setting(coarsest, unit=unit, pixel_size=pixel, name="coarsest")
        most = length / pixel
        if not 1 <= most <= min(shape) / 4:
            msg = (
                f"{coarsest=} is {most:.3g} pixels, it must be 1 to a quarter of the window, "
                f"{min(shape) / 4:.3g}"
            )
            raise SettingError(msg)
    return [float(2**k) for k in range(int(np.log2(most) + 1e-9) + 1)]


def _probabilities(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Space quantiles evenly, by about one, in the logarithm of the odds."""
    furthest = np.log(shape[0] * shape[1] / _SMALLEST - 1)
    odds = np.exp(np.linspace(-furthest, furthest, 2 * round(furthest) + 1))
    return np.asarray(odds / (1 + odds))


def _operators(n_pixels: int, sigma: float) -> list[NDArray[np.float64]]:
    """Give Gaussian derivatives of order 0, 1, 2 along an axis as matrices.

    Borders are mirrored. Values are taken twice a `sigma`: closer ones repeat
    what these tell.
    """
    step = max(1, int(sigma) // 2)
    every = slice((n_pixels - 1) % step // 2, None, step)
    unit = np.eye(n_pixels)
    # As matrices, filters of many small windows are products, exact to the border.
    return [
        (sigma**order * gaussian_filter1d(unit, sigma, axis=0, order=order, mode="reflect"))[every]
        for order in range(3)
    ]


def _quantiles_of_windows(
    windows: Floats,
    scales: list[_Scale],
    probabilities: NDArray[np.float64],
    *,
    oriented: bool,
    standardize: bool,
) -> Floats:
    dtype = windows.dtype
    if standardize:
        standardize_windows(windows)
    found = []
    for scale in scales:
        rows = [part.astype(dtype) @ windows for part in scale.along_y]
        columns = [part.T.astype(dtype) for part in scale.along_x]
        shapes: dict[str, Floats] = {
            name: rows[i] @ columns[j] for name, (i, j) in _DERIVATIVES.items()
        }
        seen = shapes if oriented else _without_direction(shapes)
        found += [_quantiles(values, probabilities) for values in seen.values()]
    return np.concatenate(found, axis=-1)


def _without_direction(jet: dict[str, Floats]) -> dict[str, Floats]:
    slope = np.hypot(jet["y"], jet["x"])
    saddle = np.hypot(jet["yy"] - jet["xx"], 2 * jet["yx"])
    return dict(zip(_TURNED, (jet["value"], slope, jet["yy"] + jet["xx"], saddle), strict=True))


def _quantiles(values: Floats, probabilities: NDArray[np.float64]) -> Floats:
    """Interpolate between sorted values, window by window."""
    rows = values.reshape(*values.shape[:2], -1)
    # A sort of its own: numpy's quantiles take several times as long on many rows.
    rows.sort(axis=-1)
    place = probabilities * (rows.shape[-1] - 1)
    below = np.floor(place).astype(int)
    share = (place - below).astype(values.dtype)
    above = np.minimum(below + 1, rows.shape[-1] - 1)
    return np.asarray(rows[..., below] * (1 - share) + rows[..., above] * share)
