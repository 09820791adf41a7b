"""Small files of the formats that everyone uses: arrays, pictures, tif, plain HDF5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from PIL import Image as Pillow

PIXELS: np.ndarray[Any, np.dtype[np.uint8]] = np.random.default_rng(3).integers(
    0, 200, (12, 10), np.uint8
)
"""An image that is like none of its mirror images."""


def write_npy(folder: Path) -> Path:
    """Write an image as an array."""
    path = folder / "image.npy"
    np.save(path, PIXELS.astype(np.float32))
    return path


def write_npz(folder: Path) -> Path:
    """Write an image and a movie as an archive of arrays."""
    path = folder / "arrays.npz"
    np.savez_compressed(path, image=PIXELS, movie=np.stack([PIXELS] * 3))
    return path


def write_tif(folder: Path) -> Path:
    """Write a stack of ImageJ with pixels of 0.5 nm."""
    path = folder / "stack.tif"
    stack = np.stack([PIXELS, PIXELS + 1])
    about = {"axes": "ZYX", "unit": "nm"}
    tifffile.imwrite(path, stack, imagej=True, resolution=(2.0, 2.0), metadata=about)
    return path


def write_picture(folder: Path) -> Path:
    """Write a grey png."""
    path = folder / "picture.png"
    Pillow.fromarray(PIXELS).save(path)
    return path


def write_graphene(folder: Path) -> Path:
    """Write an image with its scan size in nm as AICrystallographer does."""
    path = folder / "graphene.hdf5"
    with h5py.File(path, "w") as file:
        file["image_data"] = PIXELS.astype(np.float32)
        # Text of fixed length: the HDF5 library can hang on a damaged heap of texts.
        file["metadata"] = np.bytes_(b'{"scan size": "2"}')
    return path


def write_hdf5(folder: Path) -> Path:
    """Write a packed cube with dimension scales."""
    path = folder / "plain.h5"
    with h5py.File(path, "w") as file:
        cube = file.create_dataset("cube", data=np.stack([PIXELS] * 4), chunks=(1, 12, 10),
                                   compression="gzip")  # fmt: skip
        file["energy"] = np.arange(4.0)
        file["energy"].make_scale("energy")
        file["energy"].attrs["units"] = np.bytes_(b"eV")
        cube.dims[0].attach_scale(file["energy"])
    return path


COMMON: dict[str, Callable[[Path], Path]] = {
    "npy": write_npy,
    "npz": write_npz,
    "tif": write_tif,
    "picture": write_picture,
    "graphene": write_graphene,
    "hdf5": write_hdf5,
}
