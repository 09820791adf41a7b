"""Values that name their file when damage shows up only as they are computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.io.guard import reading
from adatom.io.lazy import LazyArray
from adatom.io.signals import RawSignal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adatom.io.signals import RawPart


def guarded_part(path: Path, part: RawPart, /) -> RawPart:
    """Let lazy values of a part raise nothing but `ReadError` when they are computed."""
    if not isinstance(part, RawSignal):
        return part
    values = part.values
    if isinstance(values, LazyArray):
        return replace(part, values=replace(values, read=partial(_call, path, values.read)))
    return replace(part, values=_guarded_dask(path, values)) if _is_dask(values) else part


def _is_dask(values: Any) -> bool:  # noqa: ANN401 -- any array
    return hasattr(values, "__dask_graph__")


def _call(path: Path, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    with reading(path):
        return function(*args, **kwargs)


def _guarded_dask(path: Path, array: Any) -> Any:  # noqa: ANN401 -- dask
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    graph = array.__dask_graph__()
    layers = {name: _guarded_layer(path, graph, name) for name in graph.layers}
    return da.Array(  # type: ignore[no-untyped-call]
        HighLevelGraph(layers, graph.dependencies),
        array.name,
        array.chunks,
        dtype=array.dtype,
        meta=array._meta,
    )


def _guarded_layer(path: Path, graph: Any, name: str) -> Any:  # noqa: ANN401 -- of dask
    """Guard a layer of a graph; the many slices of one source are left to be made when needed."""
    from dask._task_spec import convert_legacy_graph
    from dask.array.optimization import GETTERS
    from dask.blockwise import Blockwise
    from dask.highlevelgraph import MaterializedLayer

    layer = graph.layers[name]
    if isinstance(layer, Blockwise) and layer.task.func in GETTERS:
        return layer
    known = set(layer.get_output_keys())
    known.update(*(graph.layers[one].get_output_keys() for one in graph.dependencies[name]))
    nodes = convert_legacy_graph(dict(layer), known)
    return MaterializedLayer({key: _guarded_node(path, node) for key, node in nodes.items()})


def _guarded_node(path: Path, node: Any) -> Any:  # noqa: ANN401 -- of dask
    """Guard a node; dask fuses slices into its own getters, so these stay as they are."""
    from dask._task_spec import DataNode, Task
    from dask.array.optimization import GETTERS

    if isinstance(node, DataNode):
        return DataNode(node.key, _guarded_source(path, node.value))
    # Lists and the like are tasks that do nothing.
    if type(node) is not Task:
        return node
    args = [_guarded_node(path, arg) for arg in node.args]
    if node.func in GETTERS:
        return Task(node.key, node.func, _guarded_source(path, args[0]), *args[1:], **node.kwargs)
    return Task(node.key, partial(_call, path, node.func), *args, **node.kwargs)


def _guarded_source(path: Path, value: Any) -> Any:  # noqa: ANN401 -- any argument
    """Guard what getters index: datasets of HDF5 and zarr."""
    # Types of numbers have these attributes too.
    is_type = isinstance(value, type | np.ndarray)
    is_source = hasattr(value, "shape") and hasattr(value, "dtype") and not is_type
    return _Source(path, value) if is_source else value


@dataclass(frozen=True)
class _Source:
    path: Path
    values: Any

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.values.shape
        return shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        kind: np.dtype[Any] = self.values.dtype
        return kind

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 -- any index of numpy
        with reading(self.path):
            return np.asarray(self.values[index])
