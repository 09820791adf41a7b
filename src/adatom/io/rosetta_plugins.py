"""What is to be known of each plugin of RosettaSciIO before it may open a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adatom.io.rosetta_checks import (
    check_blockfile,
    check_empad,
    check_hdf5,
    check_markup,
    check_members,
    check_merlin,
    check_mrc,
    check_renishaw,
    check_ripple,
    check_ser,
    check_spectra_of_edax,
    check_zipped_zarr,
)

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Plugin:
    """A plugin, and how it is to be used.

    Attributes
    ----------
    module : str
        Of the package rsciio.
    lazy : bool
        Whether it can leave arrays in their file.
    settings : mapping
        Of its ``file_reader``: everything in the file, nothing converted.
    check : callable, optional
        Compares what a header promises with the size of the file, before the
        plugin takes memory for it; gives what is to be told.
    plain : bool
        Whether numbers lie in the file as they are, so that no array can be
        larger than it.
    table : bool
        Whether its signals are columns of one table: logs of heating holders.
    turned : bool
        Whether it gives the axes in the opposite order of the array.
    starts : mapping
        Factors to offsets that it leaves in other units than the steps.
    """

    module: str
    lazy: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Path], str | None] | None = None
    plain: bool = False
    table: bool = False
    turned: bool = False
    starts: Mapping[str, float] = field(default_factory=dict)


PLUGINS: Final[Mapping[str, Plugin]] = {
    "dm": Plugin("digitalmicrograph"),
    "hspy": Plugin("hspy"),
    "zspy": Plugin("zspy", check=check_zipped_zarr),
    "emd": Plugin("emd"),
    "mrc": Plugin("mrc", check=check_mrc),
    # It turns steps from m and 1/m to nm and 1/nm, but not where the axes start.
    "ser": Plugin("tia", check=check_ser, starts={"nm": 1e9, "1 / nm": 1e-9}),
    "tif": Plugin("tiff"),
    "blo": Plugin("blockfile", check=check_blockfile, plain=True),
    "bruker": Plugin("bruker"),
    "delmic": Plugin("delmic", lazy=False, settings={"signal": "all"}, check=check_hdf5),
    "dens": Plugin("dens", lazy=False, table=True),
    "sur": Plugin("digitalsurf", lazy=False),
    "edax": Plugin("edax", check=check_spectra_of_edax, plain=True),
    "empad": Plugin("empad", check=check_empad),
    "hamamatsu": Plugin("hamamatsu", lazy=False),
    "impulse": Plugin("impulse", lazy=False, table=True),
    # Counts of a pixel and channel may exceed 255, the largest by default.
    "jeol": Plugin("jeol", settings={"SI_dtype": "uint16", "read_em_image": True}),
    "jobinyvon": Plugin("jobinyvon", lazy=False, check=check_markup),
    "mrcz": Plugin("mrcz", lazy=False, check=check_mrc),
    "msa": Plugin("msa", lazy=False),
    "nexus": Plugin("nexus", settings={"nxdata_only": True}, check=check_hdf5),
    # Packed arrays are not where it looks for lazy ones.
    "prz": Plugin("pantarhei", lazy=False, check=check_members),
    "phenom": Plugin("phenom", lazy=False),
    "protochips": Plugin("protochips", lazy=False, table=True),
    "quadstar": Plugin("quadstar", lazy=False),
    "mib": Plugin("quantumdetector", check=check_merlin, plain=True),
    "wdf": Plugin("renishaw", lazy=False, check=check_renishaw),
    "ripple": Plugin("ripple", check=check_ripple),
    "semper": Plugin("semper", lazy=False, turned=True),
    "topspin": Plugin("topspin", lazy=False, settings={"show_progressbar": False},
                      check=check_hdf5),
    "trivista": Plugin("trivista", lazy=False, check=check_markup),
}  # fmt: skip
"""Plugins by the key of their format."""
