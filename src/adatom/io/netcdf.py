"""Classic netCDF: arrays on named axes, and data cubes of EELSLab, the forerunner of HyperSpy."""

from __future__ import annotations

import io
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import check_plain, check_size, collected_chatter, read_error
from adatom.io.lazy import LazyArray
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal, axis_from_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_EELSLAB: Final = "data_cube"
# As EELSLab calls the axes of its cubes, which lie in the file in opposite order.
_EELSLAB_AXES: Final = {"image": ("z", "y", "x"), "spectrum": ("y", "x", "energy")}


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the headers of all variables that are not themselves an axis of others.

    RosettaSciIO reads cubes of EELSLab too, but runs text of the file as code.
    """
    with _opened(path) as file:
        header = raw_metadata({name: _plain(value) for name, value in file._attributes.items()})
        names = [name for name in file.variables if name not in file.dimensions]
        signals = [_signal(path, file, name, header) for name in names]
    if not signals:
        raise read_error(path, "it holds no variable", "Check that the measurement was saved")
    return RawFile(path, key, signals)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file that scipy would leave open if it is damaged."""
    from scipy.io import netcdf_file

    with collected_chatter(), _Bounded(io.FileIO(path)) as stream:
        yield netcdf_file(stream, "r", mmap=True)


class _Bounded(io.BufferedReader):
    """A file that takes no memory for what a damaged header says to read beyond its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > Path(str(self.name)).stat().st_size:
            msg = f"{size} bytes are to be read, more than there are"
            raise ValueError(msg)
        return super().read(size)


def _signal(path: Path, file: Any, name: str, header: dict[str, str]) -> RawSignal:  # noqa: ANN401
    variable = file.variables[name]
    dtype = np.dtype(variable.data.dtype)
    check_plain(path, dtype)
    check_size(path, variable.shape, dtype.itemsize, stored=path.stat().st_size, packed=False)
    cube = name == _EELSLAB
    shape = tuple(variable.shape[::-1] if cube else variable.shape)
    own = {key: _plain(value) for key, value in variable._attributes.items()}
    metadata = {"raw": {**header, **raw_metadata({name: own})}}
    return RawSignal(
        LazyArray(shape, dtype, partial(_read_variable, path, name, cube)),
        _eelslab_axes(file, own, len(shape)) if cube else _named_axes(file, variable.dimensions),
        path.stem if cube else name,
        unit=str(own.get("units", "")),
        metadata=metadata,
    )


def _read_variable(path: Path, name: str, turned: bool, index: Any) -> NDArray[Any]:  # noqa: ANN401
    with _opened(path) as file:
        values = file.variables[name].data
        return np.array((values.T if turned else values)[index])


def _named_axes(file: Any, dimensions: tuple[str, ...]) -> tuple[RawAxis, ...]:  # noqa: ANN401
    """Make axes of dimensions; a variable of the same name has the values."""
    axes = []
    for name in dimensions:
        along = file.variables.get(name)
        if along is None or along.data.dtype.kind not in "iuf" or along.data.ndim != 1:
            axes.append(RawAxis(name))
            continue
        unit = str(_plain(along._attributes.get("units", "")))
        axes.append(axis_from_values(name, unit, np.array(along.data, dtype=float)))
    return tuple(axes)


def _eelslab_axes(file: Any, own: dict[str, Any], ndim: int) -> tuple[RawAxis, ...]:  # noqa: ANN401
    kind = "image" if _plain(getattr(file, "type", "")) == "image" else "spectrum"
    return tuple(
        RawAxis(
            name,
            str(own.get(f"{name}_units", "")),
            float(own.get(f"{name}_scale", 1.0)),
            float(own.get(f"{name}_origin", 0.0)),
            stored=_stored(kind, name),
        )
        for name in _EELSLAB_AXES[kind][3 - ndim :]
    )


def _stored(kind: str, name: str) -> Any:  # noqa: ANN401 -- one of three words
    counted = {"z"} if kind == "image" else {"y", "x"}
    return "stack" if name in counted else "signal"


def _plain(value: object) -> Any:  # noqa: ANN401 -- whatever an attribute holds
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
