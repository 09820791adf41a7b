"""An image with Gaussians in windows of their own and a background of hats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import sparse, special
from scipy.spatial import cKDTree

from adatom.numerics.coloring import color_graph
from adatom.numerics.executors import each_in_threads
from adatom.numerics.gaussians import (
    AMPLITUDE,
    LOG_WIDTH,
    X,
    Y,
    gaussian_profiles,
    gaussian_windows,
)

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]

# Windows of a chunk stay in the processor's cache.
_CHUNK_PIXELS: Final = 60_000
# Rows of an image that one thread takes at a time.
_STRIP: Final = 128
# Where no pixel counts the background goes on as it was; elsewhere nothing is seen of this.
_STIFFNESS: Final = 1e-4


class Hats(NamedTuple):
    """Piecewise linear functions along y and x whose products carry the background."""

    along_y: Floats
    along_x: Floats


@dataclass
class Scene:
    """The image with a rim of padding, and the state of the model of it.

    Values are in heights of a typical site above `level`, so that
    amplitudes are near 1 and positive; lengths are in mean pixels from the
    first pixel of the padding.

    Attributes
    ----------
    image, usable : array, shape (row, column)
        Values, and 1.0 where they count.
    step : tuple of float
        Height and width of a pixel.
    start : array, shape (site, axis)
        Whence sites may go as far as `max_shift`.
    level, scale : float
        Values of the file are level + scale * values here.
    parameters : array, shape (site, 5)
        As in `gaussians`; the column of the background is not used.
    hats : Hats
    knots : array, shape (knot along y, knot along x)
        Height of each product of hats.
    lowest, highest : array, shape (axis,)
        Edges of the image without its padding.
    log_width, spread : float
        What is known of the logarithms of the widths from all sites.
    """

    image: Floats
    usable: Floats
    step: tuple[float, float]
    start: Floats
    max_shift: float
    level: float
    scale: float
    parameters: Floats
    hats: Hats
    knots: Floats
    lowest: Floats
    highest: Floats
    log_width: float
    spread: float


class Layout(NamedTuple):
    """Where every site's window lies, and which windows do not overlap.

    Attributes
    ----------
    row, column : array of int, shape (site,)
        First pixel of the window.
    shape : tuple of int
    edges : array of int, shape (edge, 2)
        Sites whose windows overlap.
    batches : list of list of array of int
        Sites whose windows do not overlap, so that all of them may be
        written at once; of each such set parts that stay in the cache.
    """

    row: Ints
    column: Ints
    shape: tuple[int, int]
    edges: Ints
    batches: list[list[Ints]]


def layout_windows(scene: Scene, side: float, /) -> Layout:
    """Center a window on every site and batch those that do not overlap."""
    h, w = (2 * int(np.ceil((side / step - 1) / 2)) + 1 for step in scene.step)
    n_rows, n_columns = scene.image.shape
    row, column = (
        np.clip(np.rint(scene.parameters[:, axis] / step).astype(np.intp) - size // 2, 0, limit)
        for axis, step, size, limit in (
            (Y, scene.step[0], h, n_rows - h),
            (X, scene.step[1], w, n_columns - w),
        )
    )
    tree = cKDTree(np.stack([row / h, column / w], axis=1))
    edges = tree.query_pairs(1 - 0.5 / max(h, w), p=np.inf, output_type="ndarray")
    color = color_graph(edges, len(row))
    batches = []
    for number in range(int(color.max()) + 1):
        members = np.flatnonzero(color == number)
        batches.append(np.array_split(members, -(-members.size // _per_chunk((h, w)))))
    return Layout(row, column, (h, w), edges, batches)


def _per_chunk(shape: tuple[int, int]) -> int:
    return max(1, _CHUNK_PIXELS // (shape[0] * shape[1]))


def chunks_of(layout: Layout, n_sites: int, /) -> list[slice]:
    """Cut sites in their order, for work that only reads."""
    per_chunk = _per_chunk(layout.shape)
    return [slice(first, first + per_chunk) for first in range(0, n_sites, per_chunk)]


def window_pixels(scene: Scene, layout: Layout, sites: Ints | slice, /) -> tuple[Floats, Floats]:
    """Give the places of the rows (site, row) and columns (site, column) of windows."""
    h, w = layout.shape
    rows = np.asarray((layout.row[sites, None] + np.arange(h)) * scene.step[0], dtype=np.float64)
    columns = np.asarray(
        (layout.column[sites, None] + np.arange(w)) * scene.step[1], dtype=np.float64
    )
    return rows, columns


def windows_of(image: Floats, layout: Layout, /) -> Floats:
    """View an image as the windows that begin at each pixel; writing goes through."""
    view: Floats = sliding_window_view(image, layout.shape, writeable=True)
    return view


def covered_pixels(scene: Scene, layout: Layout, /) -> Floats:
    """Give 1 to the usable pixels near sites: of others the model says nothing."""
    covered = np.zeros_like(scene.usable)
    for batch in chain.from_iterable(layout.batches):
        windows_of(covered, layout)[layout.row[batch], layout.column[batch]] = 1.0
    covered *= scene.usable
    return covered


def residual_of(scene: Scene, layout: Layout, /) -> Floats:
    """Subtract the background and all Gaussians from the image."""
    residual = np.empty_like(scene.image)
    windows = windows_of(residual, layout)
    across = scene.knots @ scene.hats.along_x.T

    def begin(rows: slice) -> None:
        np.matmul(scene.hats.along_y[rows], across, out=residual[rows])
        np.subtract(scene.image[rows], residual[rows], out=residual[rows])

    def subtract(part: Ints) -> None:
        parameters = scene.parameters[part]
        profiles = gaussian_profiles(parameters, *window_pixels(scene, layout, part))
        windows[layout.row[part], layout.column[part]] -= gaussian_windows(
            parameters[:, AMPLITUDE], profiles
        )

    n_rows = len(residual)
    each_in_threads(begin, [slice(first, first + _STRIP) for first in range(0, n_rows, _STRIP)])
    for batch in layout.batches:
        each_in_threads(subtract, batch)
    return residual


def parameters_in_windows(scene: Scene, layout: Layout, /) -> Floats:
    """Count the fitted parameters that took their share of the noise in each window.

    The four of a site count in the window of another by the share of its
    Gaussian that lies there.
    """
    pairs = np.concatenate([layout.edges, layout.edges[:, ::-1]])
    i, j = pairs[:, 0], pairs[:, 1]
    width = np.exp(scene.parameters[j, LOG_WIDTH]) * np.sqrt(2)
    share: Floats = np.ones(len(pairs), dtype=np.float64)
    for axis, begins, size, step in (
        (Y, layout.row, layout.shape[0], scene.step[0]),
        (X, layout.column, layout.shape[1], scene.step[1]),
    ):
        place: Floats = scene.parameters[j, axis]
        near = (begins[i] - 0.5) * step - place
        far: Floats = near + size * step
        share *= 0.5 * (special.erf(far / width) - special.erf(near / width))
    counted = np.bincount(i, share, minlength=len(scene.parameters))
    return 4 + 4 * counted.astype(np.float64)


def hats_along(n_pixels: int, pad: int, distance: float, /) -> Floats:
    """Place knots evenly on the unpadded axis, two or more; (pixel, knot)."""
    last = n_pixels - 1 - 2 * pad
    n_knots = 1 + max(1, round(last / distance))
    place = np.clip((np.arange(n_pixels) - pad) / max(last, 1), 0, 1) * (n_knots - 1)
    hats: Floats = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n_knots)))
    return hats


def background_of(scene: Scene, /) -> Floats:
    """Evaluate the background at every pixel."""
    background: Floats = scene.hats.along_y @ scene.knots @ scene.hats.along_x.T
    return background


def background_at_sites(scene: Scene, /) -> Floats:
    """Evaluate the background at the pixel of every site."""
    along = []
    for axis, step, hats in zip((Y, X), scene.step, scene.hats, strict=True):
        pixel = np.rint(scene.parameters[:, axis] / step).astype(np.intp)
        along.append(hats[np.clip(pixel, 0, len(hats) - 1)])
    background: Floats = np.sum((along[0] @ scene.knots) * along[1], axis=1)
    return background


def knot_curvature(scene: Scene, weight: Floats, /) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Give ``B^T W B`` of the background, and a hair of stiffness between its knots."""
    along_y, along_x = scene.hats
    k_y, k_x = along_y.shape[1], along_x.shape[1]
    number = np.arange(k_y * k_x).reshape(k_y, k_x)
    rows, columns, entries = [], [], []

    def add(first: Ints, second: Ints, values: Floats) -> None:
        rows.append(first.ravel())
        columns.append(second.ravel())
        entries.append(values.ravel())

    for i in (0, 1):
        inner = (along_y[:, : k_y - i] * along_y[:, i:]).T @ weight
        for j in (-1, 0, 1) if i else (0, 1):
            low, high = slice(0, k_x - abs(j)), slice(abs(j), k_x)
            left, right = (low, high) if j >= 0 else (high, low)
            block = inner @ (along_x[:, left] * along_x[:, right])
            add(number[: k_y - i, left], number[i:, right], block)
            if i or j:
                add(number[i:, right], number[: k_y - i, left], block)
    shape = (k_y * k_x, k_y * k_x)
    where = np.concatenate(rows), np.concatenate(columns)
    curvature = sparse.csr_array((np.concatenate(entries), where), shape=shape)
    one = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    other = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    bonds = sparse.csr_array((np.ones(one.size), (one, other)), shape=shape)
    laplacian = sparse.csgraph.laplacian(sparse.csr_array(bonds + bonds.T))
    stiffness = laplacian * (_STIFFNESS * float(curvature.diagonal().mean()))
    return curvature, sparse.csr_array(stiffness)


def site_knot_curvature(
    scene: Scene, layout: Layout, weight: Floats, cut: Ints, pixel_weight: Floats, /
) -> sparse.csr_array:
    """Give ``J^T W B`` between sites and background, (4 * site, knot).

    Gaussians and hats are products along y and x, so that sums over a
    window are products of sums over its rows and columns.

    Parameters
    ----------
    weight : array, shape (site,)
        That of the pixels of a site on average.
    cut : array of int, shape (cut site,)
        Sites whose windows are not whole, for which `pixel_weight` is used.
    pixel_weight : array, shape (row, column)
    """
    parameters = scene.parameters
    profiles = gaussian_profiles(parameters, *window_pixels(scene, layout, slice(None)))
    sums, knots, cut_factors = [], [], []
    for hats, first, size, t, profile in (
        (scene.hats.along_y, layout.row, layout.shape[0], profiles.v, profiles.along_y),
        (scene.hats.along_x, layout.column, layout.shape[1], profiles.u, profiles.along_x),
    ):
        reached = _knots_in_windows(hats, first, size)
        pixel = first[:, None] + np.arange(size)
        powers = np.stack([profile, profile * t, profile * t * t], axis=1)
        near = hats[pixel[:, :, None], reached[:, None, :]]
        sums.append(np.matmul(powers, near))
        knots.append(reached)
        cut_factors.append(powers[cut][:, :, None, :] * np.swapaxes(near[cut], 1, 2)[:, None])
    s_y, s_x = sums[0][:, :, :, None], sums[1][:, :, None, :]
    amplitude = (weight * parameters[:, AMPLITUDE])[:, None, None]
    by_place = amplitude * np.exp(-parameters[:, LOG_WIDTH])[:, None, None]
    entries = np.empty((len(parameters), 4, s_y.shape[2], s_x.shape[3]))
    entries[:, 0] = weight[:, None, None] * s_y[:, 0] * s_x[:, 0]
    entries[:, 1] = by_place * s_y[:, 1] * s_x[:, 0]
    entries[:, 2] = by_place * s_y[:, 0] * s_x[:, 1]
    entries[:, 3] = amplitude * (s_y[:, 2] * s_x[:, 0] + s_y[:, 0] * s_x[:, 2])
    entries[cut] = _of_cut_sites(parameters[cut], layout, cut, cut_factors, pixel_weight)
    number = knots[0][:, :, None] * scene.knots.shape[1] + knots[1][:, None, :]
    columns = np.broadcast_to(number[:, None], entries.shape).ravel()
    first = np.arange(4 * len(parameters) + 1) * number[0].size
    shape = (4 * len(parameters), scene.knots.size)
    return sparse.csr_array((entries.ravel(), columns, first), shape=shape)


def _of_cut_sites(
    parameters: Floats, layout: Layout, cut: Ints, factors: list[Floats], weight: Floats
) -> Floats:
    """Sum over the pixels that count, (site, 4, knot along y, knot along x).

    Parameters
    ----------
    factors : list of array, shape (site, power, knot, pixel)
        Gaussian times powers times hats, along y and x.
    """
    (n_cut, _, k_y, _), k_x = factors[0].shape, factors[1].shape[2]
    along_y, along_x = (f.reshape(n_cut, 3 * f.shape[2], f.shape[3]) for f in factors)
    windows = windows_of(weight, layout)
    moments = np.empty((n_cut, 3, k_y, 3, k_x))
    for chunk in chunks_of(layout, n_cut):
        here = windows[layout.row[cut[chunk]], layout.column[cut[chunk]]]
        product = np.matmul(np.matmul(along_y[chunk], here), np.swapaxes(along_x[chunk], 1, 2))
        moments[chunk] = product.reshape(-1, 3, k_y, 3, k_x)
    amplitude = parameters[:, AMPLITUDE, None, None]
    by_place = amplitude * np.exp(-parameters[:, LOG_WIDTH, None, None])
    entries = np.empty((n_cut, 4, k_y, k_x))
    entries[:, 0] = moments[:, 0, :, 0]
    entries[:, 1] = by_place * moments[:, 1, :, 0]
    entries[:, 2] = by_place * moments[:, 0, :, 1]
    entries[:, 3] = amplitude * (moments[:, 2, :, 0] + moments[:, 0, :, 2])
    return entries


def _knots_in_windows(hats: Floats, first: Ints, size: int) -> Ints:
    """List the knots whose hats reach into windows, as many for every window."""
    n_knots = hats.shape[1]
    lowest = np.argmax(hats > 0, axis=1)
    highest = n_knots - 1 - np.argmax(hats[:, ::-1] > 0, axis=1)
    low, high = lowest[first], highest[first + size - 1]
    n_reached = min(n_knots, int(np.max(high - low)) + 1)
    reached: Ints = np.minimum(low, n_knots - n_reached)[:, None] + np.arange(n_reached)
    return reached
