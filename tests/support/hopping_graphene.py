"""Movies of graphene over which impurities hop, with all that is true of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from adatom.schema import Movie, image_from_array

Floats = NDArray[np.float64]


class HoppingMovie(NamedTuple):
    """A movie in px, where each impurity is, (frame, impurity, 2), and the hops of all."""

    movie: Movie
    place: Floats
    node: NDArray[np.int64]
    n_hops: int
    drift: Floats


def hopping_movie(
    *,
    n_frames: int = 40,
    size: int = 192,
    bond: float = 9.0,
    rotation: float = 17.0,
    rate: float = 0.2,
    n_impurities: int = 2,
    counts: float = 12.0,
    contrast: float = 4.0,
    drift: float = 1.5,
    contaminated: tuple[int, ...] = (),
    seed: int = 0,
) -> HoppingMovie:
    """Simulate impurities that hop to nearest neighbors `rate` times a frame.

    Columns are Gaussians of 0.33 bonds, `counts` high for carbon over a level of half as
    much; `drift` is the step of the lattice between frames in px. Contamination is a patch
    of cluttered blobs at the right border.
    """
    rng = np.random.default_rng(seed)
    nodes = _honeycomb(size, bond, np.radians(rotation))
    pairs = cKDTree(nodes).query_pairs(1.2 * bond, output_type="ndarray")
    neighbors: list[list[int]] = [[] for _ in nodes]
    for a, b in pairs:
        neighbors[a].append(int(b))
        neighbors[b].append(int(a))
    margin = 4 * bond
    inner = ((nodes > margin) & (nodes < size - margin)).all(axis=1)
    allowed: NDArray[np.bool_] = np.asarray(inner)
    steps = rng.normal(0, drift / np.sqrt(2), (n_frames, 2))
    steps[0] = 0
    # About where it was, so that impurities stay in the field.
    path = np.zeros((n_frames, 2))
    for k in range(1, n_frames):
        path[k] = 0.95 * path[k - 1] + steps[k]
    at = _starts(nodes, allowed, n_impurities, 5 * bond, rng)
    node = np.zeros((n_frames, n_impurities), dtype=np.int64)
    n_hops = 0
    for k in range(n_frames):
        for one in range(n_impurities):
            for _ in range(rng.poisson(rate) if k else 0):
                free = [
                    other
                    for other in neighbors[at[one]]
                    if allowed[other]
                    and all(
                        np.hypot(*(nodes[other] - nodes[at[rest]])) > 4 * bond
                        for rest in range(n_impurities)
                        if rest != one
                    )
                ]
                if free:
                    at[one] = free[rng.integers(len(free))]
                    n_hops += 1
        node[k] = at
    frames = np.zeros((n_frames, size, size), dtype=np.float32)
    width = 0.33 * bond
    peak = 2 * np.pi * width**2
    for k in range(n_frames):
        height = np.ones(len(nodes))
        height[node[k]] = contrast
        clear = 0.5 + peak * ndimage.gaussian_filter(
            _splat(nodes + path[k], height, size), width, mode="constant"
        )
        if k in contaminated:
            clear += _clutter(size, bond, rng)
        frames[k] = rng.poisson(counts * clear)
    movie = image_from_array(frames[0]).expand_dims(frame=n_frames).copy(data=frames)
    return HoppingMovie(movie, nodes[node] + path[:, None], node, n_hops, path)


def _honeycomb(size: int, bond: float, turn: float) -> Floats:
    a = bond * np.sqrt(3)
    first, second = a * np.array([0.0, 1.0]), a * np.array([np.sqrt(3) / 2, 0.5])
    n = int(2 * size / a)
    i, j = np.meshgrid(np.arange(-n, n), np.arange(-n, n), indexing="ij")
    corner = i[..., None] * first + j[..., None] * second
    whole = np.concatenate([corner, corner + (first + second) / 3]).reshape(-1, 2)
    c, s = np.cos(turn), np.sin(turn)
    places: Floats = whole @ np.array([[c, -s], [s, c]]) + size / 2
    pad = 3 * bond
    return np.asarray(places[((places > -pad) & (places < size + pad)).all(axis=1)])


def _starts(
    nodes: Floats, allowed: NDArray[np.bool_], n: int, apart: float, rng: np.random.Generator
) -> list[int]:
    chosen: list[int] = []
    for one in rng.permutation(np.flatnonzero(allowed)):
        if all(np.hypot(*(nodes[one] - nodes[other])) > apart for other in chosen):
            chosen.append(int(one))
        if len(chosen) == n:
            break
    return chosen


def _splat(places: Floats, height: Floats, size: int) -> Floats:
    """Share each column among the four pixels around it."""
    image = np.zeros((size, size))
    low = np.floor(places).astype(int)
    part = places - low
    for dy in (0, 1):
        for dx in (0, 1):
            index = low + np.array([dy, dx])
            share = height * np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1])
            inside = ((index >= 0) & (index < size)).all(axis=1)
            np.add.at(image, tuple(index[inside].T), share[inside])
    return image


def _clutter(size: int, bond: float, rng: np.random.Generator) -> Floats:
    patch = np.zeros((size, size))
    center = np.array([rng.uniform(0.3, 0.7) * size, size - bond])
    for _ in range(60):
        y, x = rng.normal(center, 2 * bond).round().astype(int)
        if 0 <= y < size and 0 <= x < size:
            patch[y, x] += 1.0
    width = 0.4 * bond
    blobs: Floats = ndimage.gaussian_filter(patch, width) * 2 * np.pi * width**2
    return blobs
