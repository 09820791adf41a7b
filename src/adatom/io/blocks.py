"""Blocks of numbers that lie in one piece in a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.io.guard import check_size
from adatom.io.lazy import LazyArray

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stored_block(
    path: Path,
    offset: int,
    shape: tuple[int, ...],
    dtype: str | np.dtype[Any],
    /,
    *,
    flipped: tuple[int, ...] = (),
    scale: float | None = None,
    add: float = 0.0,
) -> LazyArray:
    """Make a lazy array of a block, after comparing its size with the file's.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    offset : int
        Where the block begins.
    shape : tuple of int
        As declared; the last dimension runs fastest.
    dtype : str or numpy.dtype
        Of the stored numbers, with their byte order.
    flipped : tuple of int
        Dimensions that the file stores from their end.
    scale, add : float
        Values are ``stored * scale + add``, in float64; by default they
        stay as they are.
    """
    kind = np.dtype(dtype)
    left = path.stat().st_size - offset
    check_size(path, (max(offset, 0),), 1, stored=path.stat().st_size, packed=False)
    check_size(path, shape, kind.itemsize, stored=left, packed=False)
    given = kind if scale is None else np.dtype(np.float64)
    return LazyArray(
        shape, given, partial(_read_block, path, offset, shape, kind, flipped, scale, add)
    )


def _read_block(
    path: Path,
    offset: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    flipped: tuple[int, ...],
    scale: float | None,
    add: float,
    index: Any,  # noqa: ANN401 -- any index of numpy
) -> NDArray[Any]:
    # Mapped, so that rows that are not asked for are not read.
    stored = np.memmap(path, dtype, mode="r", offset=offset, shape=shape)
    values: NDArray[Any] = np.array(np.flip(stored, flipped)[index])
    return values if scale is None else values * scale + add
