"""Frames of a movie as images, read one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from adatom.numerics.readers import reader_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adatom.schema import Image, Movie


def images_of_movie(
    movie: Movie, numbers: Sequence[int] | None = None, /
) -> Iterator[tuple[int, int, Image]]:
    """Read frames one by one: the place of each in the movie, its number, and the image.

    Chunks of a lazy movie are computed once, and let go.
    """
    read = reader_of(movie.data)
    place = {dim: movie.coords[dim] for dim in ("y", "x")}
    names = movie.coords["frame"].values if "frame" in movie.coords else np.arange(len(movie))
    for k in range(movie.sizes["frame"]) if numbers is None else numbers:
        # The last axis is always read whole.
        values = np.asarray(read((slice(k, k + 1), slice(0, movie.shape[1]))))[0]
        image = xr.DataArray(values, dims=("y", "x"), coords=place, attrs=dict(movie.attrs))
        yield k, int(names[k]), image
