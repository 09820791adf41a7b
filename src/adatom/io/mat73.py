"""MATLAB files of version 7.3, which are HDF5 with all axes turned around."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from adatom.io.guard import check_size
from adatom.io.lazy import LazyArray
from adatom.io.mat_tree import Tree, add_number

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_NODES: Final = 500
_MAX_DEPTH: Final = 8
_COMPLEX: Final = ("real", "imag")


def read_tree(path: Path, /) -> Tree:
    """Read names, shapes and facts of everything in a file."""
    tree = Tree()
    with h5py.File(path, "r") as file:
        for name, item in file.items():
            # References of cells point into #refs#, objects lie in #subsystem#.
            if not name.startswith("#"):
                _add(tree, path, name, item, 0)
    return tree


def _class(item: Any) -> str:  # noqa: ANN401 -- of h5py
    found = item.attrs.get("MATLAB_class", b"")
    return found.decode() if isinstance(found, bytes) else str(found)


def _add(tree: Tree, path: Path, name: str, item: Any, depth: int) -> None:  # noqa: ANN401 -- of h5py
    known = len(tree.arrays) + len(tree.texts) + len(tree.numbers)
    if depth > _MAX_DEPTH or known > _MAX_NODES:
        note = "structs nested deeper, or with more fields, were not read"
        tree.notes.extend([note] if note not in tree.notes else [])
    elif isinstance(item, h5py.Group):
        if "MATLAB_sparse" in item.attrs:
            tree.notes.append(f"{name!r} was not read: it is a sparse matrix")
            return
        for key, inner in item.items():
            _add(tree, path, f"{name}.{key}", inner, depth + 1)
    elif item.attrs.get("MATLAB_empty", 0) or not isinstance(item, h5py.Dataset):
        return
    elif h5py.check_ref_dtype(item.dtype) is not None:
        _add_references(tree, path, name, item, depth)
    elif _class(item) == "char":
        check_size(path, item.shape, item.dtype.itemsize, stored=path.stat().st_size)
        codes = np.asarray(item[()]).T.reshape(-1)[:300]
        tree.texts[name] = "".join(chr(int(code)) for code in codes)
    elif item.dtype.kind in "biuf" or item.dtype.names == _COMPLEX:
        _add_numbers(tree, path, name, item)
    else:
        tree.notes.append(f"{name!r} was not read: its values are {item.dtype}")


def _add_references(tree: Tree, path: Path, name: str, item: h5py.Dataset, depth: int) -> None:
    """Follow the references of a cell, or of a field in an array of structs."""
    check_size(path, item.shape, item.dtype.itemsize, stored=path.stat().st_size)
    if item.size > _MAX_NODES:
        tree.notes.append(f"{name!r} was not read: it has {item.size} cells")
        return
    for number, reference in enumerate(np.asarray(item[()]).reshape(-1)):
        if reference:
            _add(tree, path, f"{name}[{number}]", item.file[reference], depth + 1)


def _add_numbers(tree: Tree, path: Path, name: str, item: h5py.Dataset) -> None:
    check_size(path, item.shape, item.dtype.itemsize, stored=path.stat().st_size)
    if item.size == 1 and not item.dtype.names:
        add_number(tree, name, float(np.asarray(item[()]).reshape(-1)[0]))
    elif item.size:
        shape = tuple(reversed(item.shape))
        dtype = np.dtype(np.complex128) if item.dtype.names else item.dtype
        tree.arrays[name] = LazyArray(shape, dtype, partial(_read, path, item.name, len(shape)))


def _read(path: Path, dataset: str, ndim: int, index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any
    """Read with the axes as in MATLAB, which are those of the file backwards."""
    parts = index if isinstance(index, tuple) else (index,)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts = (*parts[:at], *[slice(None)] * (ndim + 1 - len(parts)), *parts[at + 1 :])
    parts = (*parts, *[slice(None)] * (ndim - len(parts)))
    with h5py.File(path, "r") as file:
        stored = np.asarray(file[dataset][tuple(reversed(parts))])
    values = stored.transpose()
    return values["real"] + 1j * values["imag"] if values.dtype.names else values
