"""MATLAB files up to version 7, by SciPy, and a way to 7.3.

The layout of version 5 is that of MathWorks' "MAT-File Format": every variable is
an element with its size, by which it is checked before SciPy reads it.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.io.guard import check_size, collected_chatter, read_error
from adatom.io.lazy import LazyArray
from adatom.io.mat_dataset import dataset_objects
from adatom.io.mat_tree import Tree, add_number, parts_of_tree
from adatom.io.signals import RawFile

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

_COMPRESSED: Final = 15
_MATRIX: Final = 14
# Classes of numbers -> type of the values.
_CLASSES: Final = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
    15: "u8",
}  # fmt: skip
_MAX_NODES: Final = 500
_MAX_DEPTH: Final = 8
_SMALL: Final = 2**20


class _Variable(NamedTuple):
    """The header of a variable."""

    name: str
    shape: tuple[int, ...]
    kind: int
    is_complex: bool
    is_logical: bool


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read names, shapes and facts; large arrays are read when they are needed."""
    if key == "mat73":
        from adatom.io.mat73 import read_tree

        return RawFile(path, key, _required(path, parts_of_tree(read_tree(path))))
    with path.open("rb") as file:
        head = file.read(128)
    # SciPy tells version 4 by a zero among the first four bytes.
    is_five = head[124:128] in {b"\x00\x01IM", b"\x01\x00MI"} and b"\0" not in head[:4]
    tree = _tree_of_five(path) if is_five else _tree_of_four(path)
    objects, rest = dataset_objects(tree)
    return RawFile(path, key, _required(path, [*objects, *parts_of_tree(rest)]))


def _required(path: Path, parts: list[Any]) -> list[Any]:
    if not parts:
        raise read_error(path, "it holds no arrays of numbers", "Save a matrix of numbers")
    return parts


def _tree_of_five(path: Path) -> Tree:
    variables = _variables(path)
    tree = Tree()
    small = []
    for variable in variables:
        dtype = _dtype(variable)
        size = int(np.prod(variable.shape, dtype=object)) * dtype.itemsize if dtype else 0
        if dtype is not None and size > _SMALL:
            read = partial(_read_variable, path, variable.name)
            tree.arrays[variable.name] = LazyArray(variable.shape, dtype, read)
        elif variable.name:
            small.append(variable.name)
    for name, value in _loaded(path, small).items():
        _add(tree, name, value, 0)
    return tree


def _tree_of_four(path: Path) -> Tree:
    """Read a file of version 4, in which matrices follow one another unpacked."""
    _check_four(path)
    tree = Tree()
    for name, value in _loaded(path, None).items():
        _add(tree, name, value, 0)
    return tree


def _check_four(path: Path) -> None:
    """Refuse a file whose headers promise more than follows, from one to the next."""
    stored = path.stat().st_size
    with path.open("rb") as file:
        while head := file.read(20):
            if len(head) < 20:
                raise read_error(path, "it ends within a header", "Copy it again")
            kind, rows, columns, is_complex, length = struct.unpack("<5i", head)
            if not 0 <= kind < 5000:
                kind, rows, columns, is_complex, length = struct.unpack(">5i", head)
            # The tens of the type tell how numbers are stored; names are short.
            size = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10)
            odd = not 0 <= kind < 5000 or kind // 100 % 10 or is_complex not in {0, 1}
            if odd or size is None or min(rows, columns) < 0 or not 0 < length <= 256:
                raise read_error(path, "it is no MATLAB file", "Save it anew in MATLAB")
            shape = (rows, columns, 1 + is_complex)
            check_size(path, shape, size, stored=stored - file.tell() - length, packed=False)
            file.seek(length + rows * columns * (1 + is_complex) * size, 1)


def _dtype(variable: _Variable) -> np.dtype[Any] | None:
    if variable.kind not in _CLASSES:
        return None
    if variable.is_logical:
        return np.dtype(np.uint8)
    plain = np.dtype(_CLASSES[variable.kind])
    if not variable.is_complex:
        return plain
    return np.dtype(np.complex64 if plain == np.float32 else np.complex128)


def _loaded(path: Path, names: list[str] | None) -> dict[str, Any]:
    from scipy.io import loadmat

    if names is not None and not names:
        return {}
    # Numbers come as MATLAB had them: sizes stored as bytes would overflow when multiplied.
    with collected_chatter() as lines:
        found = loadmat(str(path), variable_names=names, mat_dtype=True)
    if any("imaginary" in line for line in lines):
        # With types of MATLAB SciPy loses what is imaginary.
        found = loadmat(str(path), variable_names=names)
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _read_variable(path: Path, name: str, index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any index
    values: NDArray[Any] = np.asarray(_loaded(path, [name])[name][index])
    return values


def _variables(path: Path) -> list[_Variable]:
    """Read the headers of all variables, and refuse sizes that cannot be."""
    stored = path.stat().st_size
    found = []
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        while tag := file.read(8):
            if len(tag) < 8:
                break
            kind, size = struct.unpack(f"{order}II", tag)
            start = file.tell()
            check_size(path, (size,), 1, stored=stored - start, packed=False)
            variable = _variable(path, file, order, kind, size)
            if variable is not None:
                found.append(variable)
            file.seek(start + size)
    if not found:
        raise read_error(path, "it holds no variables", "Check how it was saved")
    return found


def _variable(path: Path, file: BinaryIO, order: str, kind: int, size: int) -> _Variable | None:
    head = file.read(min(size, 4096))
    if kind == _COMPRESSED:
        # What is packed begins with type and size of what comes out.
        head = zlib.decompressobj().decompress(head, 4096)
        kind, inner = struct.unpack_from(f"{order}II", head)
        check_size(path, (inner,), 1, stored=size)
        head = head[8:]
    if kind != _MATRIX or len(head) < 32:
        return None
    flags, _ = struct.unpack_from(f"{order}II", head, 8)
    (n_bytes,) = struct.unpack_from(f"{order}I", head, 20)
    shape = struct.unpack_from(f"{order}{min(n_bytes, 256) // 4}i", head, 24)
    if any(length < 0 for length in shape):
        raise read_error(path, f"a variable has shape {shape}", "The file is damaged: copy it")
    at = 24 + -(-n_bytes // 8) * 8
    name = _name(head, at, order)
    class_number = flags & 0xFF
    if class_number in _CLASSES:
        # Whole numbers may be stored in fewer bytes than their class has.
        check_size(path, shape, 1, stored=size)
    return _Variable(name, shape, class_number, bool(flags & 0x800), bool(flags & 0x200))


def _name(head: bytes, at: int, order: str) -> str:
    """Read a name; up to four letters stand in the tag itself."""
    if len(head) < at + 8:
        return ""
    first, length = struct.unpack_from(f"{order}II", head, at)
    if first >> 16:
        return head[at + 4 : at + 4 + (first >> 16)].decode("latin-1")
    return head[at + 8 : at + 8 + length].decode("latin-1")


def _add(tree: Tree, name: str, value: Any, depth: int) -> None:  # noqa: ANN401 -- of SciPy
    """Put a value into the tree: numbers, texts, the fields of structs, the entries of cells."""
    known = len(tree.arrays) + len(tree.texts) + len(tree.numbers)
    if depth > _MAX_DEPTH or known > _MAX_NODES:
        note = "structs nested deeper, or with more fields, were not read"
        tree.notes.extend([note] if note not in tree.notes else [])
        return
    if not isinstance(value, np.ndarray):
        # Sparse matrices are what is left.
        tree.notes.append(f"{name!r} was not read: it is a {type(value).__name__}")
    elif type(value).__name__ in {"MatlabOpaque", "MatlabFunction"}:
        tree.notes.append(f"{name!r} was not read: it is an object of a MATLAB class")
    elif value.dtype.names:
        for number, record in enumerate(value.reshape(-1, order="F")):
            place = name if value.size == 1 else f"{name}[{number}]"
            for key in value.dtype.names:
                _add(tree, f"{place}.{key}", record[key], depth + 1)
    elif value.dtype == object:
        for number, entry in enumerate(value.reshape(-1, order="F")):
            _add(tree, f"{name}[{number}]", entry, depth + 1)
    else:
        _add_plain(tree, name, value)


def _add_plain(tree: Tree, name: str, value: NDArray[Any]) -> None:
    if value.dtype.kind == "U":
        text = re.sub(r"\s+", " ", " ".join(map(str, value.reshape(-1)))).strip()
        if text:
            tree.texts[name] = text[:300]
    elif value.dtype.kind not in "biufc":
        tree.notes.append(f"{name!r} was not read: its values are {value.dtype}")
    elif value.size == 1 and value.dtype.kind != "c":
        add_number(tree, name, float(value.reshape(-1)[0]))
    elif value.size:
        tree.arrays[name] = value
