"""Results of steps, written to a folder and read back exactly, without pickle.

A folder holds ``result.json``, which says how the result is built, beside one
zarr group for every xarray object and one npy file for every plain array.
"""

from __future__ import annotations

import dataclasses
import json
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.errors import StoreError
from adatom.numerics.readers import DaskReader

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

FORMAT: Final = 1
"""Number of the layout; results of another layout are not read."""

# Arrays in memory are cut into chunks of about this size: small enough to
# stream, large enough that a folder does not fill with files.
_CHUNK_BYTES: Final = 16 * 2**20
# Lazy arrays up to this size come back in memory, larger ones lazily.
_LAZY_BYTES: Final = 64 * 2**20
_PLAIN: Final = (bool, int, float, str, type(None))


def write_result(result: object, folder: str | Path, /) -> None:
    """Write a result of any kind into a new folder.

    Parameters
    ----------
    result : object
        Any kind of data, a number, text, a plain array, or a list, tuple,
        dict, NamedTuple or dataclass of these. Dask arrays are streamed.
    folder : str or Path
        Made here; it must not exist.

    Raises
    ------
    StoreError
        If a part of the result cannot be written without pickle; the text
        names the part.
    """
    place = Path(folder)
    place.mkdir(parents=True)
    node = _write(result, place, "result")
    text = json.dumps({"format": FORMAT, "result": node}, indent=1)
    (place / "result.json").write_text(text, encoding="utf-8")


def read_result(folder: str | Path, /) -> Any:  # noqa: ANN401 -- whatever was written
    """Read what `write_result` wrote.

    Arrays that were lazy and are larger than 64 MiB come back lazy, all
    others in memory.

    Parameters
    ----------
    folder : str or Path
        As given to `write_result`.

    Raises
    ------
    StoreError
        If the folder holds no result, or one of another layout.
    """
    place = Path(folder)
    try:
        described = json.loads((place / "result.json").read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            msg = (
                f"{place} is written in layout {described['format']}, this version reads layout "
                f"{FORMAT}: run the recipe again"
            )
            raise StoreError(msg)
        return _read(described["result"], place)
    except StoreError:
        raise
    except (OSError, KeyError, ValueError, TypeError) as error:
        msg = f"{place} holds no readable result ({error}): run the recipe again"
        raise StoreError(msg) from error


def _write(value: object, folder: Path, name: str) -> dict[str, Any]:
    """Write `value` and describe it; `name` is its place, for files and messages."""
    # The exact types: a subclass (an enumeration, say) would come back as its base.
    if type(value) in _PLAIN:
        return {"is": "plain", "value": value}
    if type(value) is bytes:
        return {"is": "bytes", **_write_numpy(np.frombuffer(value, np.uint8), folder, name)}
    if isinstance(value, xr.Dataset):
        return {"is": "dataset", **_write_dataset(value, folder, name)}
    if isinstance(value, xr.DataArray):
        return {"is": "array", **_write_array(value, folder, name)}
    if isinstance(value, np.generic):
        return {"is": "scalar", **_write_numpy(np.asarray(value), folder, name)}
    if isinstance(value, np.ndarray):
        return {"is": "numpy", **_write_numpy(value, folder, name)}
    if _is_record(value):
        return {"is": "record", **_write_record(value, folder, name)}
    if type(value) in (list, tuple):
        parts = [_write(part, folder, f"{name}.{k}") for k, part in enumerate(value)]  # type: ignore[arg-type,var-annotated]
        return {"is": type(value).__name__, "parts": parts}
    if type(value) is dict:
        keys = [_write(key, folder, f"{name}.key{k}") for k, key in enumerate(value)]
        parts = [_write(part, folder, f"{name}.{k}") for k, part in enumerate(value.values())]
        return {"is": "dict", "keys": keys, "parts": parts}
    if _is_structure(value):
        return {"is": "structure", **_write_structure(value, folder, name)}
    msg = (
        f"{name} is {type(value).__module__}.{type(value).__qualname__}, which cannot be stored: "
        "give arrays, numbers, text, xarray objects, or dataclasses and NamedTuples of these"
    )
    raise StoreError(msg)


def _read(node: Mapping[str, Any], folder: Path) -> Any:  # noqa: ANN401 -- whatever was written
    what = node["is"]
    if what == "plain":
        return node["value"]
    if what == "bytes":
        return _read_numpy(node, folder).tobytes()
    if what == "dataset":
        return _read_dataset(node, folder)
    if what == "array":
        return _read_array(node, folder)
    if what == "numpy":
        return _read_numpy(node, folder)
    if what == "scalar":
        return _read_numpy(node, folder)[()]
    if what == "record":
        return _read_record(node, folder)
    if what in ("list", "tuple"):
        parts = [_read(part, folder) for part in node["parts"]]
        return parts if what == "list" else tuple(parts)
    if what == "dict":
        keys = [_read(key, folder) for key in node["keys"]]
        return dict(zip(keys, [_read(part, folder) for part in node["parts"]], strict=True))
    if what == "structure":
        return _read_structure(node, folder)
    msg = f"{folder} holds a part of unknown sort {what!r}: it was written by a newer version"
    raise StoreError(msg)


# Records: dataclasses and NamedTuples, field by field.


def _is_record(value: object) -> bool:
    named = isinstance(value, tuple) and hasattr(value, "_fields")
    return named or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _field_names(record: object) -> tuple[str, ...]:
    if isinstance(record, tuple):
        return tuple(record._fields)  # type: ignore[attr-defined]
    fields = dataclasses.fields(record)  # type: ignore[arg-type]
    return tuple(part.name for part in fields if part.init)


def _write_record(record: object, folder: Path, name: str) -> dict[str, Any]:
    cls = type(record)
    if "<locals>" in cls.__qualname__:
        msg = f"{name} is of class {cls.__qualname__}, made inside a function: move it to a module"
        raise StoreError(msg)
    fields = {
        key: _write(getattr(record, key), folder, f"{name}.{key}") for key in _field_names(record)
    }
    return {"class": f"{cls.__module__}:{cls.__qualname__}", "fields": fields}


def _read_record(node: Mapping[str, Any], folder: Path) -> Any:  # noqa: ANN401 -- any record
    module, _, path = str(node["class"]).partition(":")
    cls = _record_class(module, path)
    return cls(**{key: _read(part, folder) for key, part in node["fields"].items()})


def _record_class(module: str, path: str) -> type:
    """Find the class of a record; only classes that steps may return are built."""
    if not _is_trusted(module):
        msg = (
            f"a stored result names class {path!r} of module {module!r}, which belongs neither to "
            "adatom nor to an installed package of steps"
        )
        raise StoreError(msg)
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        msg = f"a stored result needs class {path!r} of {module!r}, which is not there any more"
        raise StoreError(msg) from error
    is_class = isinstance(found, type)
    if not is_class or not (dataclasses.is_dataclass(found) or hasattr(found, "_fields")):
        msg = f"{module}:{path} is neither a dataclass nor a NamedTuple"
        raise StoreError(msg)
    return found  # type: ignore[no-any-return]


def _is_trusted(module: str) -> bool:
    root = module.partition(".")[0]
    if root == "adatom":
        return True
    from importlib.metadata import entry_points

    return root in {point.module.partition(".")[0] for point in entry_points(group="adatom.steps")}


# Plain arrays.


def _write_numpy(values: NDArray[Any], folder: Path, name: str) -> dict[str, Any]:
    if values.dtype.hasobject:
        msg = f"{name} is an array of Python objects: give it a dtype of numbers or text"
        raise StoreError(msg)
    file = f"{name}.npy"
    np.save(folder / file, values, allow_pickle=False)
    return {"file": file}


def _read_numpy(node: Mapping[str, Any], folder: Path) -> NDArray[Any]:
    values: NDArray[Any] = np.load(folder / node["file"], allow_pickle=False)
    return values


# xarray objects. Written variable by variable rather than by xarray's own
# writer, which follows the CF conventions and turns an axis in "s" into time
# deltas and booleans into bytes.


def _write_array(array: xr.DataArray, folder: Path, name: str) -> dict[str, Any]:
    variable = "values" if array.name is None else str(array.name)
    while variable in array.coords:
        variable = f"{variable}_"
    node = _write_dataset(array.to_dataset(name=variable), folder, name)
    return {**node, "variable": variable, "name": array.name}


def _read_array(node: Mapping[str, Any], folder: Path) -> xr.DataArray:
    variable: xr.DataArray = _read_dataset(node, folder)[node["variable"]]
    return variable.rename(node["name"])


def _write_dataset(data: xr.Dataset, folder: Path, name: str) -> dict[str, Any]:
    import zarr

    file = f"{name}.zarr"
    group = zarr.open_group(folder / file, mode="w-", zarr_format=3)
    group.attrs.put(_checked_attrs(data.attrs, name))
    variables = []
    lazy: list[tuple[Any, Any]] = []
    for key, variable in data.variables.items():
        if not isinstance(key, str) or "/" in key or key.startswith("__"):
            msg = f"{name} has a variable {key!r}: names of variables are text without '/'"
            raise StoreError(msg)
        if isinstance(data.indexes.get(key), _multi_index()):
            msg = f"{name} has a multi-index {key!r}: call reset_index({key!r}) first"
            raise StoreError(msg)
        variables.append(_write_variable(group, key, variable, f"{name}.{key}", lazy))
    if lazy:
        import dask.array as da

        # In one pass, since lazy variables of one dataset mostly share work.
        da.store([source for source, _ in lazy], [target for _, target in lazy], lock=False)
    return {"file": file, "variables": variables, "coordinates": [str(key) for key in data.coords]}


def _multi_index() -> type:
    import pandas as pd

    return pd.MultiIndex


def _write_variable(
    group: Any,  # noqa: ANN401 -- zarr.Group, loaded late
    key: str,
    variable: xr.Variable,
    name: str,
    lazy: list[tuple[Any, Any]],
) -> dict[str, Any]:
    is_lazy = variable.chunks is not None
    dtype = variable.dtype
    values: Any = variable.data if is_lazy else variable.values
    node: dict[str, Any] = {"name": key, "dtype": dtype.str, "lazy": is_lazy}
    if dtype.kind in "UO":
        node["dtype"], values = dtype.str, _codes_from_text(np.asarray(values), name)
    elif dtype.kind in "mM":
        values = values.view(np.int64)
    elif dtype.kind not in "biufc":
        msg = f"{name} has dtype {dtype}, which cannot be stored: make it numbers or text"
        raise StoreError(msg)
    dims = [str(dim) for dim in variable.dims]
    chunks = _chunk_shape(values.shape, values.dtype.itemsize)
    target = group.create_array(
        key,
        shape=values.shape,
        dtype=values.dtype,
        chunks=chunks,
        dimension_names=[*dims, "character"] if dtype.kind in "UO" else dims,
        attributes=_checked_attrs(variable.attrs, name),
        # Else chunks full of -0.0 would come back as 0.0.
        config={"write_empty_chunks": True},
    )
    if is_lazy and dtype.kind not in "UO":
        if not _write_by_rows(values, target):
            lazy.append((values.rechunk(chunks), target))
    else:
        target[...] = values
    return node


def _write_by_rows(values: Any, target: Any) -> bool:  # noqa: ANN401 -- dask and zarr arrays
    """Write an array that is cut so across its rows that dask would hold all of it at once."""
    n_lead = len(values.shape) - 1
    if n_lead < 1 or target.chunks[-1] < values.shape[-1]:
        return False
    edges = [range(0, size, step) for size, step in zip(values.shape, target.chunks)][:n_lead]
    boxes = [
        tuple(
            slice(start, min(start + step, size))
            for start, step, size in zip(starts, target.chunks, values.shape)
        )
        for starts in product(*edges)
    ]
    read = DaskReader(values)
    if all(read.holds(box) for box in boxes):
        return False
    for box in boxes:
        target[box] = read(box)
    return True


def _chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Cut along the first axes only, from shape and dtype alone."""
    chunks = [max(size, 1) for size in shape]
    for axis in range(len(chunks)):
        rest = itemsize * int(np.prod(chunks[axis + 1 :], dtype=np.int64))
        chunks[axis] = min(chunks[axis], max(1, _CHUNK_BYTES // rest))
        if chunks[axis] > 1:
            break
    return tuple(chunks)


def _codes_from_text(values: NDArray[Any], name: str) -> NDArray[np.uint32]:
    """Spell text as code points, for which zarr has a stable layout."""
    odd = [item for item in values.ravel().tolist() if not isinstance(item, str)]
    if odd:
        msg = f"{name} holds Python objects such as {odd[0]!r}: make them numbers or text"
        raise StoreError(msg)
    text = np.ascontiguousarray(values.astype(np.str_))
    width = max(text.dtype.itemsize // 4, 1)
    return text.view(np.uint32).reshape(*values.shape, width)


def _text_from_codes(codes: NDArray[np.uint32], dtype: np.dtype[Any]) -> NDArray[Any]:
    width = codes.shape[-1]
    text = np.ascontiguousarray(codes).view(f"<U{width}").reshape(codes.shape[:-1])
    return text.astype(dtype)


def _checked_attrs(attrs: Mapping[Hashable, Any], name: str) -> dict[str, Any]:
    """Give the attributes if they come back the same from JSON."""
    for key, value in attrs.items():
        if not isinstance(key, str) or not _is_json(value):
            msg = (
                f"attrs[{key!r}] of {name} is {type(value).__name__}: attrs hold only what JSON "
                "can hold (text, bool, int, float, lists and dicts of these)"
            )
            raise StoreError(msg)
    return {str(key): value for key, value in attrs.items()}


def _is_json(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(_is_json(part) for part in value)
    return isinstance(value, _PLAIN)


def _read_dataset(node: Mapping[str, Any], folder: Path) -> xr.Dataset:
    import zarr

    group = zarr.open_group(folder / node["file"], mode="r")
    coordinates = set(node["coordinates"])
    parts = {part["name"]: _read_variable(group, part) for part in node["variables"]}
    return xr.Dataset(
        {key: variable for key, variable in parts.items() if key not in coordinates},
        coords={key: variable for key, variable in parts.items() if key in coordinates},
        attrs=dict(group.attrs),
    )


def _read_variable(group: Any, node: Mapping[str, Any]) -> xr.Variable:  # noqa: ANN401 -- zarr.Group
    source = group[node["name"]]
    dtype = np.dtype(node["dtype"])
    dims = list(source.metadata.dimension_names or ())
    values: Any
    if dtype.kind in "UO":
        dims, values = dims[:-1], _text_from_codes(source[...], dtype)
    elif node["lazy"] and source.nbytes > _LAZY_BYTES:
        import dask.array as da

        values = da.from_zarr(source)  # type: ignore[no-untyped-call]
    else:
        values = source[...]
    if dtype.kind in "mM":
        values = values.view(dtype)
    elif values.dtype != dtype:
        values = values.astype(dtype)
    return xr.Variable(dims, values, dict(source.attrs))


# Structures: arrays exactly, and an extxyz file beside them for other programs.


def _is_structure(value: object) -> bool:
    return any(f"{c.__module__}.{c.__name__}" == "ase.atoms.Atoms" for c in type(value).__mro__)


def _write_structure(atoms: Any, folder: Path, name: str) -> dict[str, Any]:  # noqa: ANN401
    if atoms.calc is not None:
        msg = f"{name} has a calculator: keep its results in atoms.info and set atoms.calc = None"
        raise StoreError(msg)
    from ase.io import write

    # Text of extxyz rounds positions to eight decimals, hence the arrays as well.
    write(folder / f"{name}.extxyz", atoms, format="extxyz")
    parts = {
        "arrays": dict(atoms.arrays),
        "cell": np.asarray(atoms.cell),
        "pbc": np.asarray(atoms.pbc),
        "info": dict(atoms.info),
        "constraints": [constraint.todict() for constraint in atoms.constraints],
    }
    return {"parts": {key: _write(part, folder, f"{name}.{key}") for key, part in parts.items()}}


def _read_structure(node: Mapping[str, Any], folder: Path) -> Any:  # noqa: ANN401 -- ase.Atoms
    from ase import Atoms
    from ase.constraints import dict2constraint

    parts = {key: _read(part, folder) for key, part in node["parts"].items()}
    arrays = parts["arrays"]
    atoms = Atoms(
        numbers=arrays["numbers"],
        positions=arrays["positions"],
        cell=parts["cell"],
        pbc=parts["pbc"],
        info=parts["info"],
        constraint=[dict2constraint(described) for described in parts["constraints"]],
    )
    for key, values in arrays.items():
        if key not in ("numbers", "positions"):
            atoms.set_array(key, values)  # type: ignore[no-untyped-call]
    return atoms
