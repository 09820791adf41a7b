"""Arrays that stay in their file until they are indexed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LazyArray:
    """An array read when it is indexed, so that no file stays open.

    Attributes
    ----------
    shape : tuple of int
        As declared in the file, checked against its size.
    dtype : numpy.dtype
        Of what `read` gives.
    read : callable
        Gives the values at an index of numpy (integers, slices, Ellipsis). A
        plain function or a `functools.partial` of one, which can be sent to
        other processes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[Any], NDArray[Any]]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any index of numpy
        return np.asarray(self.read(index))


def rows_array(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    read_rows: Callable[[Sequence[int]], Iterable[NDArray[Any]]],
    /,
) -> LazyArray:
    """Make a lazy array of rows: frames of a movie, spectra of a map.

    Parameters
    ----------
    shape : tuple of int
        The first entry counts the rows.
    dtype : numpy.dtype
        Of the rows.
    read_rows : callable
        Gives the rows of some numbers one after the other, each of shape
        ``shape[1:]``; picklable. The file is opened once for all of them.
    """
    return LazyArray(
        shape, np.dtype(dtype), partial(_read_index, shape, np.dtype(dtype), read_rows)
    )


def _read_index(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    read_rows: Callable[[Sequence[int]], Iterable[NDArray[Any]]],
    index: Any,  # noqa: ANN401 -- any index of numpy
) -> NDArray[Any]:
    first, *rest = index if isinstance(index, tuple) else (index,)
    if first is Ellipsis:
        first, rest = slice(None), [Ellipsis, *rest]
    numbers = np.arange(shape[0])[first]
    if np.ndim(numbers) == 0:
        (row,) = read_rows([int(numbers)])
        one: NDArray[Any] = np.asarray(row, dtype)[tuple(rest)]
        return one
    # A view without memory, of which only the shape is wanted.
    inner = np.broadcast_to(np.bool_(False), shape[1:])[tuple(rest)].shape
    rows = np.empty((len(numbers), *inner), dtype)
    for place, row in enumerate(read_rows(numbers.tolist())):
        rows[place] = np.asarray(row, dtype)[tuple(rest)]
    return rows
