"""Mass spectra of imaging: imzML, the XML beside an .ibd file of numbers.

The format is described by A. Roempp et al., Methods Mol. Biol. 696, 205 (2011).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.imzml_header import (
    CENTROID,
    COUNTS,
    IDENTITY,
    INTENSITY,
    MZ,
    PIXEL_SIZES,
    PROFILE,
    Arrays,
    Header,
    header_of_file,
    number_of,
)
from adatom.io.lazy import LazyArray
from adatom.io.peaks import block_of_index
from adatom.io.signals import RawAxis, RawFile, RawPeaks, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# So much is read to find out whether all spectra share one axis.
_MAX_COMPARED: Final = 2**28


@dataclass(frozen=True)
class Stored:
    """Where the arrays of one sort, m/z or intensities, lie in the .ibd file."""

    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    encoded: NDArray[np.int64]
    dtype: str
    packed: bool


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the XML; spectra stay in the .ibd file until they are needed."""
    text, numbers = _pair(path)
    header = header_of_file(text)
    _check_pair(text, numbers, header)
    mz, intensity = (_stored(text, numbers, header.arrays[sort]) for sort in (MZ, INTENSITY))
    if (mz.lengths != intensity.lengths).any():
        raise read_error(text, "m/z and intensities differ in number", "Export it again")
    shape, index = _grid(text, header)
    space, notes = _space(header)
    metadata = _facts(header)
    if _share_one_axis(numbers, mz):
        axis = RawAxis("m/z", "Da", values=_array(numbers, mz, 0).astype(float), stored="signal")
        values = _map(numbers, intensity, shape, index)
        if len(index) < shape[0] * shape[1]:
            notes.append(f"{shape[0] * shape[1] - len(index)} pixels were not measured: NaN")
        signal = RawSignal(values, (*space, axis), path.stem, metadata=metadata, notes=tuple(notes))
        return RawFile(path, key, [signal])
    peaks = RawPeaks(
        mz.lengths,
        partial(_peaks, numbers, mz, intensity),
        RawAxis("m/z", "Da", stored="signal"),
        grid=shape,
        index=index,
        space=space,
        name=path.stem,
        metadata=metadata,
        notes=tuple(notes),
    )
    return RawFile(path, key, [peaks])


def _pair(path: Path) -> tuple[Path, Path]:
    """Give the XML and the file of numbers that belongs to it."""
    wanted = {"xml": ".imzml", "numbers": ".ibd"}
    beside = {
        what: next(
            (
                other
                for other in sorted(path.parent.iterdir())
                if other.suffix.lower() == ending and other.stem == path.stem
            ),
            None,
        )
        for what, ending in wanted.items()
    }
    if path.suffix.lower() == ".ibd":
        beside["numbers"] = path
    else:
        beside["xml"] = path
    for what, found in beside.items():
        if found is None:
            reason = f"the {wanted[what]} file that belongs to it is not beside it"
            remedy = f"Put {path.stem}{wanted[what]} of the same measurement into {path.parent}"
            raise read_error(path, reason, remedy)
    return beside["xml"], beside["numbers"]  # type: ignore[return-value]


def _check_pair(text: Path, numbers: Path, header: Header) -> None:
    """Make sure that the numbers are those of this XML."""
    said = header.settings.get(IDENTITY, {}).get("value", "")
    plain = said.strip("{}").replace("-", "").lower()
    with numbers.open("rb") as file:
        found = file.read(16).hex()
    if plain and plain != found:
        reason = f"{numbers.name} beside it is of another measurement (UUID {found}, not {plain})"
        raise read_error(text, reason, "Put the .ibd file that was written with it beside it")
    count = {len(header.places["x"]), *(len(one.offsets) for one in header.arrays.values())}
    if len(count) != 1:
        raise read_error(
            text, "some spectra lack an array", "The file may be cut off: copy it again"
        )
    if count == {0}:
        raise read_error(text, "it holds no spectra", "Check that the measurement was saved")


def _stored(text: Path, numbers: Path, arrays: Arrays) -> Stored:
    if len(arrays.forms) != 1:
        raise read_error(text, "its arrays are of several types", "Export it with one type")
    ((dtype, packed),) = arrays.forms
    offsets, lengths, encoded = (
        np.array(one, np.int64) for one in (arrays.offsets, arrays.lengths, arrays.encoded)
    )
    itemsize = np.dtype(dtype).itemsize
    size = numbers.stat().st_size
    if lengths.max() > max(size, 1) * 1100 or offsets.max() > size:
        reason = f"its header promises arrays beyond the {size} bytes of {numbers.name}"
        raise read_error(text, reason, "The .ibd file is cut off or damaged: copy it again")
    taken = encoded if packed else lengths * itemsize
    if (offsets + taken).max() > size or (packed and (taken < 0).any()):
        reason = f"its header promises arrays beyond the {size} bytes of {numbers.name}"
        raise read_error(text, reason, "The .ibd file is cut off or damaged: copy it again")
    if packed:
        check_size(numbers, (int(lengths.max()),), itemsize, stored=int(encoded.max()))
    return Stored(offsets, lengths, encoded, dtype, packed)


def _grid(text: Path, header: Header) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """Give rows and columns of the map, and the place of each spectrum in it."""
    z, y, x = (np.array(header.places[name], np.int64) for name in ("z", "y", "x"))
    if (z != z[0]).any():
        raise read_error(text, "it has several slices (z)", "Export one slice a file")
    counts = {name: number_of(header.settings, accession) for name, accession in COUNTS.items()}
    # Indices count from 1; files that count from 0 are met as well.
    first = min(1, int(y.min()), int(x.min()))
    y, x = y - first, x - first
    rows = max(int(counts["y"] or 0), int(y.max()) + 1)
    columns = max(int(counts["x"] or 0), int(x.max()) + 1)
    if min(y.min(), x.min()) < 0 or rows * columns > max(10**6, 1000 * len(y)):
        reason = f"{len(y)} spectra lie on a grid of {rows} x {columns} pixels"
        raise read_error(text, reason, "Its positions are damaged: export it again")
    index = y * columns + x
    if len(np.unique(index)) != len(index):
        reason = "several spectra are of the same pixel"
        raise read_error(text, reason, "Export one spectrum a pixel")
    return (rows, columns), index


def _space(header: Header) -> tuple[tuple[RawAxis, RawAxis], list[str]]:
    sizes = {name: number_of(header.settings, accession) for name, accession in PIXEL_SIZES.items()}
    units = {
        name: header.settings.get(accession, {}).get("unitName", "")
        for name, accession in PIXEL_SIZES.items()
    }
    notes: list[str] = []
    if sizes["x"] is None:
        return (RawAxis("y", stored="stack"), RawAxis("x", stored="stack")), notes
    if sizes["y"] is None:
        notes.append("the file gives the size of pixels along x only: they were taken as square")
        sizes["y"], units["y"] = sizes["x"], units["x"]
    if not units["x"]:
        notes.append("the size of pixels has no unit in the file: micrometer, as the format says")
    axes = [
        RawAxis(name, units[name] or "micrometer", float(sizes[name] or 1.0), stored="stack")
        for name in ("y", "x")
    ]
    return (axes[0], axes[1]), notes


def _facts(header: Header) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if header.date:
        facts["date"] = header.date
    groups = [header.settings, *header.groups.values()]
    if any(CENTROID in one for one in groups):
        facts["spectra"] = "centroids"
    elif any(PROFILE in one for one in groups):
        facts["spectra"] = "profiles"
    return facts


def _share_one_axis(numbers: Path, mz: Stored) -> bool:
    """Tell whether all spectra have the same m/z, by their place in the file or by comparing."""
    if (mz.lengths != mz.lengths[0]).any() or not mz.lengths[0]:
        return False
    if (mz.offsets == mz.offsets[0]).all():
        return True
    if int(mz.lengths.sum()) * np.dtype(mz.dtype).itemsize > _MAX_COMPARED:
        return False
    with numbers.open("rb") as file:
        first = _decoded(file, mz, 0)
        return all(
            np.array_equal(_decoded(file, mz, number), first) for number in range(len(mz.lengths))
        )


def _decoded(file: IO[bytes], stored: Stored, number: int) -> NDArray[Any]:
    length = int(stored.lengths[number])
    needed = length * np.dtype(stored.dtype).itemsize
    file.seek(int(stored.offsets[number]))
    if stored.packed:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(file.read(int(stored.encoded[number])), max(needed, 1))
    else:
        content = file.read(needed)
    if len(content) != needed:
        msg = f"spectrum {number} has {len(content)} bytes, {needed} are needed"
        raise ValueError(msg)
    return np.frombuffer(content, stored.dtype)


def _array(numbers: Path, stored: Stored, number: int) -> NDArray[Any]:
    with numbers.open("rb") as file:
        return _decoded(file, stored, number)


def _peaks(
    numbers: Path, mz: Stored, intensity: Stored, number: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    with numbers.open("rb") as file:
        return _decoded(file, mz, number), _decoded(file, intensity, number)


def _map(
    numbers: Path, intensity: Stored, shape: tuple[int, int], index: NDArray[np.int64]
) -> LazyArray:
    """Make the lazy map of spectra that share one axis."""
    grid = np.full(shape[0] * shape[1], -1, np.int64)
    grid[index] = np.arange(len(index))
    dtype = np.dtype(intensity.dtype).newbyteorder("=")
    if len(index) < len(grid) and dtype.kind != "f":
        # NaN stands for pixels that were not measured.
        dtype = np.dtype(np.float64)
    full = (*shape, int(intensity.lengths[0]))
    read = partial(_spectra, numbers, intensity)
    return LazyArray(full, dtype, partial(block_of_index, grid.reshape(shape), full, dtype, read))


def _spectra(numbers: Path, stored: Stored, wanted: NDArray[np.int64]) -> Any:  # noqa: ANN401 -- iterator
    with numbers.open("rb") as file:
        for number in wanted.tolist():
            yield _decoded(file, stored, number)
