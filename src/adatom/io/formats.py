"""Which families of files are read, and by which module."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from adatom.io.guard import read_error, reading
from adatom.io.sidecar import with_sidecar
from adatom.io.sniffing import family_of_file

if TYPE_CHECKING:
    from pathlib import Path

    from adatom.io.signals import RawFile


@dataclass(frozen=True)
class Family:
    """A family of formats.

    Attributes
    ----------
    name : str
        What it is called.
    endings : str
        Usual endings of its files.
    holds : str
        Kinds of data that are read from it.
    module : str
        Module of this package whose ``read_signals(path, family)`` reads it.
    reader : str
        Who does the work, for `adatom formats`.
    """

    name: str
    endings: str
    holds: str
    module: str
    reader: str


_ALL: Final = "image, movie, spectral map"

FAMILIES: Final = {
    "dm": Family("DigitalMicrograph", ".dm3 .dm4", _ALL, "rosetta", "RosettaSciIO"),
    "hspy": Family("HyperSpy HDF5", ".hspy .hdf5", _ALL, "rosetta", "RosettaSciIO"),
    "zspy": Family("HyperSpy Zarr", ".zspy", _ALL, "rosetta", "RosettaSciIO"),
    "emd": Family("Velox, NCEM and Prismatic EMD", ".emd", _ALL, "rosetta", "RosettaSciIO"),
    "mrc": Family("MRC", ".mrc", "image, movie", "rosetta", "RosettaSciIO"),
    "ser": Family("TIA", ".ser .emi", _ALL, "rosetta", "RosettaSciIO"),
    "tif": Family("TIFF", ".tif .tiff", "image, movie", "tif", "RosettaSciIO, tifffile"),
    "npy": Family("NumPy array", ".npy", _ALL, "numpy_files", "adatom"),
    "npz": Family("NumPy archive", ".npz", _ALL, "numpy_files", "adatom"),
    "hdf5": Family("HDF5", ".h5 .hdf5", _ALL, "hdf5", "adatom, h5py"),
    "graphene": Family("AICrystallographer HDF5", ".hdf5", "image", "hdf5", "adatom, h5py"),
    "picture": Family("Picture", ".png .jpg", "image", "pictures", "Pillow"),
}


def open_file(path: str | Path, /) -> RawFile:
    """Find out what a file holds; arrays are read when they are needed."""
    from pathlib import Path

    place = Path(path)
    family = family_of_file(place)
    if family == "hdf5":
        with reading(place):
            family = import_module("adatom.io.hdf5").dialect_of_file(place)
    with reading(place):
        module = import_module(f"adatom.io.{FAMILIES[family].module}")
        found: RawFile = with_sidecar(module.read_signals(place, family))
        if all(0 in signal.shape for signal in found.signals):
            raise read_error(place, "it holds no numbers", "Check that the measurement was saved")
    return found
