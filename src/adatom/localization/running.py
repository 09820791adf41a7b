"""An exported network run by ONNX Runtime, on pictures of any size in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.special import expit, softmax

from adatom.errors import SettingError
from adatom.numerics.executors import available_cores
from adatom.numerics.exported_network import check_exported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.exported_network import Card, ExportedNetwork

    Grid = NDArray[np.float32]

# Pixels of the picture that go through the network at once. On a CPU a
# network of width 32 takes 0.3 kB a pixel: 0.3 GB in all.
LARGEST_TILE: Final = 2**20
# A GPU has more memory, and rims computed twice cost it as much as others.
LARGEST_TILE_ON_GPU: Final = 2**23


class Maps(NamedTuple):
    """What a network says of a picture, per cell.

    Attributes
    ----------
    center : ndarray of float32, shape (y, x)
        Probability of belonging to a site.
    offset : ndarray of float32, shape (2, y, x)
        From the cell's center to its site, in cells.
    lattice : ndarray of float32, shape (y, x)
        Probability that there is a lattice here that can be analyzed.
    classes : ndarray of float32, shape (class, y, x)
        Probability of each class; none where the network has no classes.
    orientation : ndarray of float32, shape (0 or 2, y, x)
        Cosine and sine of the orientation times its symmetry.
    """

    center: Grid
    offset: Grid
    lattice: Grid
    classes: Grid
    orientation: Grid


@dataclass(frozen=True, eq=False)
class Runner:
    """A network ready to run.

    Attributes
    ----------
    card : Card
    session : onnxruntime.InferenceSession
    device : {"CPU", "GPU"}
        Where it runs.
    """

    card: Card
    session: Any
    device: str

    def maps(self, picture: Grid, /, *, largest_tile: int | None = None) -> Maps:
        """Give what the network says of a picture.

        A picture that is too large is cut into tiles that overlap by what a
        cell depends on: the result is the same as in one piece.

        Parameters
        ----------
        picture : ndarray of float32, shape (y, x)
            As `numerics.network_input.normalized_picture` gives it.
        largest_tile : int, optional
            Pixels that go through the network at once.
        """
        largest = largest_tile or (LARGEST_TILE if self.device == "CPU" else LARGEST_TILE_ON_GPU)
        stride = self.card.stride
        cells = tuple(-(-size // stride) for size in picture.shape)
        logits = np.empty((len(self.card.channels), *cells), dtype=np.float32)
        tiling = _tiling(picture.shape, largest, self.card)
        for rows, columns in product(tiling.rows, tiling.columns):
            part = self._run(picture[rows.taken, columns.taken])
            y, x = rows.cells(stride), columns.cells(stride)
            logits[:, y.whole, x.whole] = part[:, y.part, x.part]
        return _maps(logits, self.card)

    def _run(self, picture: Grid) -> Grid:
        multiple, stride = self.card.multiple, self.card.stride
        padding = [(0, -size % multiple) for size in picture.shape]
        padded = np.pad(picture, padding)[None, None]
        feed = {self.session.get_inputs()[0].name: padded}
        result = self.session.run(None, feed)[0]
        expected = (1, len(self.card.channels), *(size // stride for size in padded.shape[2:]))
        if result.shape != expected or result.dtype != np.float32:
            msg = (
                f"the network gives {result.dtype} of shape {result.shape} for a picture of shape "
                f"{picture.shape}, need float32 of shape {expected}: its card does not fit it"
            )
            raise SettingError(msg)
        return np.asarray(result[0])


def runner_of_network(network: ExportedNetwork, /) -> Runner:
    """Make a network ready to run: on a GPU where ONNX Runtime can, else on the CPU.

    Raises
    ------
    KindError
        If it is no exported network.
    SettingError
        If ONNX Runtime cannot run it.
    """
    check_exported(network)
    session = _session(network.graph)
    device = "GPU" if "CUDAExecutionProvider" in session.get_providers() else "CPU"
    return Runner(network.card, session, device)


# Frames of a movie and regions of an image ask for the same one again.
@lru_cache(maxsize=2)
def _session(graph: bytes) -> Any:  # noqa: ANN401 -- onnxruntime.InferenceSession
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Each output is summed by one thread, so that results do not depend on their number.
    options.intra_op_num_threads = _n_threads()
    options.inter_op_num_threads = 1
    # What one tile needed is given back before the next, which may be of another shape.
    options.enable_cpu_mem_arena = False
    # Threads that wait for work must not take the processor from others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    # Trying all algorithms for every new shape of a tile takes longer than it saves.
    wanted = {"CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC"}}
    there = onnxruntime.get_available_providers()
    providers: list[Any] = [pair for pair in wanted.items() if pair[0] in there]
    providers.append("CPUExecutionProvider")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # its exceptions have no common root of their own
        msg = f"ONNX Runtime {onnxruntime.__version__} cannot run the network: {error}"
        raise SettingError(msg) from error


def _n_threads() -> int:
    """Give the threads that a network may use: as many as other work of this process."""
    told = os.environ.get("DASK_NUM_WORKERS", "").strip()
    if not told:
        return available_cores()
    if not told.isdecimal() or int(told) < 1:
        msg = (
            f"the environment variable DASK_NUM_WORKERS is {told!r}, need a whole number of "
            "threads from 1 on, such as 4: unset it to use all processor cores"
        )
        raise SettingError(msg)
    return int(told)


class _Place(NamedTuple):
    """Cells of a tile that are kept: where they lie in the whole, and in the tile."""

    whole: slice
    part: slice


class _Stretch(NamedTuple):
    """One tile along one axis, in pixels: what it keeps, and what it takes to know that."""

    start: int
    stop: int
    taken: slice

    def cells(self, stride: int) -> _Place:
        first = self.taken.start // stride
        start, stop = self.start // stride, -(-self.stop // stride)
        return _Place(slice(start, stop), slice(start - first, stop - first))


class _Tiling(NamedTuple):
    rows: list[_Stretch]
    columns: list[_Stretch]

    @property
    def largest(self) -> int:
        """Pixels of the largest tile."""
        return max(map(_length, self.rows)) * max(map(_length, self.columns))

    @property
    def computed(self) -> int:
        """Pixels of all tiles, those in two of them twice."""
        return sum(map(_length, self.rows)) * sum(map(_length, self.columns))


def _tiling(shape: tuple[int, ...], largest: int, card: Card) -> _Tiling:
    """Cut both axes so that no tile is too large and as little as possible is computed twice."""
    # Tiles that are mostly rim are no use.
    least = max(4 * card.reach, 8 * card.multiple)
    cuts = [
        [list(_cut(size, count, card)) for count in range(1, -(-size // least) + 1)]
        for size in shape
    ]
    tilings = [_Tiling(rows, columns) for rows in cuts[0] for columns in cuts[1]]
    return min(tilings, key=lambda tiling: (max(tiling.largest, largest), tiling.computed))


def _length(stretch: _Stretch) -> int:
    return int(stretch.taken.stop) - int(stretch.taken.start)


def _cut(size: int, count: int, card: Card) -> Iterator[_Stretch]:
    """Cut one axis at multiples that all halvings of the network share."""
    blocks = -(-size // card.multiple)
    rim = -(-card.reach // card.multiple) * card.multiple
    edges = [min(size, card.multiple * round(k * blocks / count)) for k in range(count + 1)]
    for start, stop in pairwise(edges):
        if start < stop:
            yield _Stretch(start, stop, slice(max(0, start - rim), min(size, stop + rim)))


def _maps(logits: Grid, card: Card) -> Maps:
    n_classes = len(card.classes)
    # In place, since maps of a large picture take memory.
    center, lattice = (expit(logits[k], out=logits[k]) for k in (0, 3))
    classes = logits[4 : 4 + n_classes]
    if n_classes:
        classes = softmax(classes, axis=0)
    return Maps(center, logits[1:3], lattice, classes, logits[4 + n_classes :])
