"""Small files of spectra, written to the published layouts without adatom's readers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

Array = np.ndarray[Any, Any]
# 2 rows, 3 columns, 4 channels: no two numbers alike, no axis like another.
CUBE: Array = np.arange(24.0).reshape(2, 3, 4) ** 2


def write_mat(folder: Path, **variables: Any) -> Path:
    """Write a packed file of version 5."""
    path = folder / "cube.mat"
    scipy.io.savemat(path, variables or {"cube": CUBE}, do_compression=True)
    return path


def write_mat73(folder: Path, **variables: Any) -> Path:
    """Write a file of version 7.3: HDF5 behind a block of 512 bytes, axes turned around."""
    path = folder / "cube73.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_group("#refs#")
        for name, value in (variables or {"cube": CUBE}).items():
            _put(file, references, name, value)
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as block:
        block.write(text)
    return path


def _put(group: h5py.Group, references: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, dict):
        inner = group.create_group(name)
        inner.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, one in value.items():
            _put(inner, references, key, one)
    elif isinstance(value, list):
        found = []
        for one in value:
            key = f"r{len(references)}"
            _put(references, references, key, one)
            found.append(references[key].ref)
        cells = group.create_dataset(name, (len(found), 1), dtype=h5py.ref_dtype)
        cells[:, 0] = found
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    elif isinstance(value, str):
        codes = np.array([[ord(letter)] for letter in value], np.uint16)
        group[name] = codes
        group[name].attrs["MATLAB_class"] = np.bytes_("char")
    else:
        stored = np.atleast_2d(np.asarray(value)).T
        if stored.dtype.kind == "c":
            pairs = np.zeros(stored.shape, [("real", "f8"), ("imag", "f8")])
            pairs["real"], pairs["imag"] = stored.real, stored.imag
            stored = pairs
        group[name] = stored
        group[name].attrs["MATLAB_class"] = np.bytes_("double")


def write_nsid(folder: Path, *, odd_unit: str = "m") -> Path:
    """Write a map and an image as pyNSID does: x first, each beside its scales."""
    path = folder / "scan.h5"
    scales = {
        "x": (np.arange(3) * 2e-9, "m", "SPATIAL"),
        "y": (np.arange(2) * 1e-9, "m", "SPATIAL"),
        "Voltage": (np.array([0.0, 1.0, 0.0, -1.0]), "V", "SPECTRAL"),
    }
    with h5py.File(path, "w") as file:
        turned = CUBE.transpose(1, 0, 2)
        _main(file, "Channel_0", turned, scales, "Piezoresponse", "pm", {})
        two = {name: scales[name] for name in "xy"}
        height = turned[..., 0].astype(np.float32) * 1e-9
        _main(file, "Channel_1", height, two, "Height", "m", {})
        _main(
            file, "Channel_2", turned[..., 1], two, "Phase", "deg", {"x": odd_unit, "y": odd_unit}
        )
    return path


def _main(
    file: h5py.File,
    name: str,
    values: Array,
    scales: dict[str, tuple[Array, str, str]],
    quantity: str,
    unit: str,
    units: dict[str, str],
) -> None:
    group = file.create_group(f"Measurement_000/{name}/{name}")
    group.attrs["pyNSID_version"] = "0.0.7"
    main = group.create_dataset(name, data=values)
    main.attrs.update(
        main_data_name="generic", data_type="IMAGE", quantity=quantity, units=unit,
        modality="generic", source="generic",
    )  # fmt: skip
    for number, (dim, (along, own, kind)) in enumerate(scales.items()):
        group[dim] = along
        group[dim].attrs.update(units=units.get(dim, own), dimension_type=kind, name=dim)
        group[dim].make_scale(dim)
        main.dims[number].label = dim
        main.dims[number].attach_scale(group[dim])


def write_usid(folder: Path, *, shuffled: bool = False) -> Path:
    """Write a main dataset: rows with x fastest, columns along a bias."""
    path = folder / "usid.h5"
    y, x = (index.reshape(-1) for index in np.indices((2, 3)))
    order = np.array([3, 0, 5, 1, 4]) if shuffled else np.arange(6)
    with h5py.File(path, "w") as file:
        group = file.create_group("Measurement_000/Channel_000")
        main = group.create_dataset("Raw_Data", data=CUBE.reshape(6, 4)[order])
        main.attrs.update(quantity="Current", units="pA")
        positions = np.stack([x, y], axis=1)[order]
        tables = {
            "Position_Indices": positions.astype(np.uint32),
            "Position_Values": (positions * [2.0, 1.0]).astype(np.float32),
            "Spectroscopic_Indices": np.arange(4, dtype=np.uint32)[None],
            "Spectroscopic_Values": np.array([[-1.0, 0, 1, 2]], np.float32),
        }
        for name, table in tables.items():
            stored = group.create_dataset(name, data=table)
            names, units = (["X", "Y"], ["nm", "nm"]) if "Pos" in name else (["Bias"], ["V"])
            stored.attrs["labels"] = np.array(names, dtype="S")
            stored.attrs["units"] = np.array(units, dtype="S")
            main.attrs[name] = stored.ref
    return path


def write_witec_text(folder: Path, *, units: bool = True, columns: str = "") -> Path:
    """Write a table of a map of 2 x 3 pixels, x fastest."""
    names = columns.split() or [f"Map_F({x}/{y})" for y in range(2) for x in range(3)]
    lines = ["\t".join(["X-Axis", *names])]
    if units:
        lines.append("\t".join(["rel. 1/cm", *["CCD cts"] * len(names)]))
    for channel, shift in enumerate((100.0, 101.5, 102.9, 104.2)):
        row = CUBE.reshape(6, 4)[: len(names), channel]
        lines.append("\t".join([f" {shift:.5E}", *(f" {value:.5E}" for value in row)]))
    path = folder / "map.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def _symbol(name: str) -> bytes:
    return struct.pack(">ii", 1, 0x40009) + struct.pack(">i", len(name)) + name.encode()


def write_r(folder: Path) -> Path:
    """Write a matrix as R's save() does, in XDR (R Internals, section 1.8), unpacked."""
    values = struct.pack(">i", 6) + np.arange(6.0).astype(">f8").tobytes()
    dim = struct.pack(">i", 0x402) + _symbol("dim") + struct.pack(">iiii", 13, 2, 2, 3)
    end = struct.pack(">i", 254)
    # A number of type 14 with attributes, under a tag of a pairlist.
    matrix = struct.pack(">i", 14 | 0x200) + values + dim + end
    body = struct.pack(">i", 0x402) + _symbol("m") + matrix + end
    path = folder / "matrix.rda"
    path.write_bytes(b"RDX2\nX\n" + struct.pack(">iii", 2, 0x030602, 0x020300) + body)
    return path


SPECTRA: dict[str, Callable[[Path], Path]] = {
    "mat": write_mat,
    "mat73": write_mat73,
    "nsid": write_nsid,
    "usid": write_usid,
    "witec-text": write_witec_text,
    "r": write_r,
}
