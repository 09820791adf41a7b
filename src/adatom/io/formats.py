"""Which formats are read, by which module, and how each is told from the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal

from adatom.io.claims import (
    Beginning,
    Claim,
    anasys_document,
    archive_of,
    both,
    either,
    ending,
    hdf5_holding,
    hdf5_with,
    high_speed_afm,
    holds_at,
    igor_force_curve,
    igor_wave,
    member,
    never,
    picture_folder,
    r_data,
    says,
    starts_with,
    tif_with_tag,
    vasp_positions,
    written_zarr,
    xyz_atoms,
    zipped_nanonis,
    zipped_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from adatom.io.signals import RawFile

Proof = Literal["real files", "written files", "no files"]
"""What the tests of a reader read: files of instruments, files that the tests write, or none."""


@dataclass(frozen=True)
class Format:
    """A format: who claims which files, and who reads them.

    Attributes
    ----------
    name : str
        What it is called.
    endings : str
        Usual endings of its files, ".dm3 .dm4".
    holds : str
        Kinds of data that are read from it.
    reader : str
        Who does the work, for `adatom formats`.
    read : str or callable
        Module of this package whose ``read_parts(path, key)`` reads it, or,
        of other packages, a function ``(path) -> RawFile``.
    claims : callable
        Tells by its content whether a file is of this format.
    by_ending : bool
        Whether a file whose content nobody claims is tried by its ending.
    proof : {"real files", "written files", "no files"}
        What it is tested on.
    general : bool
        Whether it is asked after all others, as plain HDF5 is, since files
        of other formats look like it.
    last : bool
        Whether it is asked only if no other claims the file, as archives of
        files are.
    """

    name: str
    endings: str
    holds: str
    reader: str
    read: str | Callable[[Path], RawFile]
    claims: Claim = never
    by_ending: bool = False
    proof: Proof = "written files"
    general: bool = False
    last: bool = False


_ALL: Final = "image, movie, spectral map"
_RSCIIO: Final = "RosettaSciIO"

FORMATS: Final[dict[str, Format]] = {
    # What adatom writes.
    "adatom-netcdf": Format(
        "adatom netCDF", ".nc .h5", "everything but structures", "adatom, h5py", "written",
        hdf5_with("@adatom"),
    ),
    "adatom-zarr": Format(
        "adatom zarr", ".zarr", "everything but structures", "adatom, zarr", "written",
        written_zarr,
    ),
    "adatom-csv": Format(
        "adatom CSV", ".csv .tsv", "sites, table", "adatom, pandas", "written_tables",
        starts_with(b"# adatom {"),
    ),
    "parquet": Format(
        "Parquet", ".parquet", "sites, table", "pyarrow", "written_tables", starts_with(b"PAR1"),
    ),
    # Electron microscopy, most of it by RosettaSciIO.
    "dm": Format(
        "DigitalMicrograph", ".dm3 .dm4", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        starts_with(b"\x00\x00\x00\x03", b"\x00\x00\x00\x04"), proof="real files",
    ),
    "hspy": Format(
        "HyperSpy HDF5", ".hspy .hdf5", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        hdf5_with("@file_format", "Experiments"), proof="real files",
    ),
    "zspy": Format(
        "HyperSpy Zarr", ".zspy", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        either(member(".zgroup", "zarr.json"), lambda file: file.path.is_dir() and (
            (file.path / ".zgroup").exists() or (file.path / "zarr.json").exists())),
        by_ending=True, proof="real files",
    ),
    "emd": Format(
        "Velox, NCEM and Prismatic EMD, DE5", ".emd .de5", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        either(
            both(lambda file: file.is_hdf5, ending(".emd .de5")),
            hdf5_with("@version_major"),
            hdf5_with("Version", "Data"),
        ),
        proof="real files",
    ),
    "mrcz": Format(
        "MRCZ", ".mrcz", "image, movie", _RSCIIO, "rosetta",
        both(ending(".mrcz"), holds_at(208, b"MAP")),
    ),
    "mrc": Format(
        "MRC", ".mrc", "image, movie", _RSCIIO, "rosetta",
        holds_at(208, b"MAP ", b"MAP\x00"), by_ending=True, proof="real files",
    ),
    "ser": Format(
        "TIA", ".ser .emi", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        either(starts_with(b"II\x97\x01"), starts_with(b"JL")), by_ending=True,
        proof="real files",
    ),
    "blo": Format(
        "NanoMegas blockfile", ".blo", "diffraction map", _RSCIIO, "rosetta",
        starts_with(b"IMGBLO"), by_ending=True, proof="real files",
    ),
    "bruker": Format(
        "Bruker composite and spectrum", ".bcf .spx", "spectral map, image, spectra", _RSCIIO,
        "rosetta", either(starts_with(b"AAMVHFSS"), says("TRTSpectrum")), proof="real files",
    ),
    "delmic": Format(
        "Delmic (Odemis)", ".h5", "spectral map, image, spectra", _RSCIIO, "rosetta",
        hdf5_with("Acquisition0/ImageData/Image", "Acquisition0/SVIData"), proof="real files",
    ),
    "edax": Format(
        "EDAX", ".spd .spc .lsd", "spectral map, spectra", _RSCIIO, "rosetta",
        starts_with(b"MAPSPECTRA_DATA"), by_ending=True,
    ),
    "empad": Format(
        "EMPAD", ".xml", "diffraction map, movie", _RSCIIO, "rosetta",
        both(ending(".xml"), says("<raw_file")),
    ),
    "jeol": Format(
        "JEOL Analysis Station", ".asw .pts .img .map .eds", "image, spectral map, spectra",
        _RSCIIO, "rosetta",
        either(
            both(starts_with(b"\x34\0\0\0"), ending(".img .map")),
            both(starts_with(b"\x30\x01\0\0"), ending(".pts")),
            both(starts_with(b"\0\0\0\0"), ending(".asw")),
        ),
        by_ending=True, proof="no files",
    ),
    "mib": Format(
        "Quantum Detectors Merlin", ".mib", "diffraction map, movie", _RSCIIO, "rosetta",
        starts_with(b"MQ1,"), proof="real files",
    ),
    "phenom": Format(
        "Phenom Element Identification", ".elid", "image, spectra", _RSCIIO, "rosetta",
        by_ending=True, proof="no files",
    ),
    "prz": Format(
        "CEOS PantaRhei", ".prz", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        both(ending(".prz"), member("data.npy")),
    ),
    "ripple": Format(
        "Ripple (Lispix)", ".rpl", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        says("width", "height", "depth", "data-length"),
    ),
    "semper": Format(
        "Semper", ".unf", "image, movie", _RSCIIO, "rosetta", by_ending=True,
    ),
    "topspin": Format(
        "NanoMegas Topspin", ".app5", "diffraction map, image", _RSCIIO, "rosetta",
        both(lambda file: file.is_hdf5, ending(".app5")),
    ),
    "tvips": Format(
        "TVIPS stream", ".tvips", "movie", "adatom", "tvips", by_ending=True,
    ),
    # Spectra, light and X-rays.
    "hamamatsu": Format(
        "Hamamatsu streak image", ".img", "spectra", _RSCIIO, "rosetta",
        both(starts_with(b"IM"), says("[Application]")), proof="real files",
    ),
    "jobinyvon": Format(
        "Horiba LabSpec XML", ".xml", "spectral map, spectra", _RSCIIO, "rosetta",
        says("<LSX_"),
    ),
    "msa": Format(
        "EMSA/MAS spectrum", ".msa .emsa .ems .mas", "spectra", _RSCIIO, "rosetta",
        both(starts_with(b"#FORMAT"), says("EMSA")),
    ),
    "quadstar": Format(
        "Quadstar", ".sac .sbc", "spectra", _RSCIIO, "rosetta", by_ending=True,
    ),
    "sur": Format(
        "Digital Surf MountainsMap", ".sur .pro", "image, spectral map, spectra", _RSCIIO,
        "rosetta", starts_with(b"DIGITAL SURF", b"DSCOMPRESSED"), proof="real files",
    ),
    "trivista": Format(
        "TriVista", ".tvf", "spectra, spectral map", _RSCIIO, "rosetta",
        says("<XmlMain"), proof="no files",
    ),
    "wdf": Format(
        "Renishaw WiRE", ".wdf", "spectral map, image, spectra", _RSCIIO, "rosetta",
        starts_with(b"WDF1"), proof="real files",
    ),
    "netcdf": Format(
        "Classic netCDF (EELSLab and others)", ".nc", f"{_ALL}, spectra", "adatom, scipy",
        "netcdf", starts_with(b"CDF\x01", b"CDF\x02"),
    ),
    "arina": Format(
        "Dectris Arina", "_master.h5", "diffraction map, movie", "adatom, h5py", "arina",
        both(ending("_master.h5"), hdf5_with("entry/data")),
    ),
    # Logs of holders that heat, bias or flow.
    "dens": Format(
        "DENSsolutions heater log", ".dens", "table", _RSCIIO, "rosetta", says("Digiheater"),
    ),
    "impulse": Format(
        "DENSsolutions Impulse log", ".csv", "table", _RSCIIO, "rosetta",
        says("Experiment time", "TimeStamp"),
    ),
    "protochips": Format(
        "Protochips log", ".csv", "table", _RSCIIO, "rosetta",
        says("Time", "Notes", "Date (yyyy.mm.dd)"),
    ),
    "nexus": Format(
        "NeXus", ".nxs", f"{_ALL}, spectra", _RSCIIO, "rosetta",
        both(lambda file: file.is_hdf5, ending(".nxs")),
    ),
    # Force curves.
    "jpk": Format(
        "JPK force curves, maps and QI", ".jpk-force .jpk-force-map .jpk-qi-data .jpk-qi-series",
        "force curves", "adatom", "jpk", member("segment-header.properties"),
        proof="real files",
    ),
    "jpk-image": Format(
        "JPK image", ".jpk .jpk-qi-image .force", "image", "adatom, tifffile", "jpk_image",
        tif_with_tag(0x8046), proof="real files",
    ),
    "workshop": Format(
        "AFMWorkshop force curves", ".zip .csv", "force curves", "adatom", "workshop",
        either(says("Force-Distance Curve", "File Format:"), zipped_text("Force-Distance Curve")),
        proof="real files",
    ),
    "igor-force": Format(
        "Asylum force curve", ".ibw", "force curves", "adatom", "igor_force",
        igor_force_curve, proof="real files",
    ),
    "nanoscope-force": Format(
        "NanoScope force curve", ".001 .spm", "force curves", "adatom", "nanoscope_force",
        starts_with(b"\\*Force file list"), proof="real files",
    ),
    # Of pycroscopy, whose groups have names that movies of JPK have too.
    "nsid": Format(
        "NSID of sidpy", ".h5 .hdf5", f"{_ALL}, spectra", "adatom, h5py", "nsid",
        hdf5_holding("main_data_name", "data_type"), proof="real files",
    ),
    "usid": Format(
        "USID of pycroscopy", ".h5 .hdf5", f"{_ALL}, spectra", "adatom, h5py", "nsid",
        hdf5_holding("Position_Indices", "Spectroscopic_Indices"),
    ),
    # Scanning probes.
    "asd": Format(
        "HS-AFM", ".asd", "movie", "adatom", "asd", high_speed_afm, proof="real files",
    ),
    "nanoscope": Format(
        "NanoScope image", ".spm .001", "image", "adatom", "nanoscope",
        starts_with(b"\\*File list"),
    ),
    "anasys": Format(
        "Anasys document", ".axz .axd", "image, spectra", "adatom", "anasys",
        anasys_document, proof="real files",
    ),
    "h5-jpk": Format(
        "JPK movie", ".h5-jpk", "movie", "adatom, h5py", "jpk_movie",
        hdf5_with("Measurement_000"),
    ),
    "gwy": Format(
        "Gwyddion", ".gwy", "image", "adatom", "gwyddion",
        starts_with(b"GWYPGwyContainer", b"GWYOGwyContainer"), proof="real files",
    ),
    "ibw": Format(
        "Igor binary wave", ".ibw", "image, movie, spectra", "adatom", "igor_images",
        igor_wave, by_ending=True, proof="real files",
    ),
    "wsxm": Format(
        "WSxM", ".top .stp .cur", "image", "adatom", "wsxm",
        says("WSxM file copyright", "SxM Image file"), proof="real files",
    ),
    "nanonis-dat": Format(
        "Nanonis point spectroscopy", ".dat", "spectra", "adatom", "nanonis_points",
        starts_with(b"Experiment\t"), proof="real files",
    ),
    "nanonis-zip": Format(
        "Archive of Nanonis point spectroscopy", ".zip", "spectra", "adatom", "nanonis_points",
        zipped_nanonis, proof="real files",
    ),
    "3ds": Format(
        "Nanonis grid", ".3ds", "spectral map, image", "adatom", "nanonis_grid",
        starts_with(b"Grid dim="), proof="real files",
    ),
    "sxm": Format(
        "Nanonis scan", ".sxm", "image", "adatom", "nanonis",
        starts_with(b":NANONIS_VERSION:"), proof="real files",
    ),
    # Raman spectra as text.
    "witec-text": Format(
        "WITec table of spectra", ".txt", "spectral map, spectra", "adatom", "witec",
        lambda file: file.text.startswith("X-Axis\t"), proof="real files",
    ),
    # Of everyone.
    "npy": Format(
        "NumPy array", ".npy", f"{_ALL}, spectra", "adatom", "numpy_files",
        starts_with(b"\x93NUMPY"), proof="real files",
    ),
    "npz": Format(
        "NumPy archive", ".npz", f"{_ALL}, spectra", "adatom", "numpy_files",
        lambda file: bool(file.members) and all(n.endswith(".npy") for n in file.members),
        proof="real files",
    ),
    "r": Format(
        "R: hyperSpec, data frames, matrices", ".rda .RData .rds", "spectra, table, image",
        "rdata", "r_data", r_data, proof="real files",
    ),
    "mat": Format(
        "MATLAB up to version 7", ".mat", f"{_ALL}, spectra, table", "SciPy, adatom", "mat",
        holds_at(124, b"\x00\x01IM", b"\x01\x00MI"), by_ending=True, proof="real files",
    ),
    "mat73": Format(
        "MATLAB 7.3", ".mat", f"{_ALL}, spectra, table", "adatom, h5py", "mat",
        both(lambda file: file.is_hdf5, starts_with(b"MATLAB 7.3")),
    ),
    "picture": Format(
        "Picture", ".png .jpg .bmp .gif", "image", "Pillow", "pictures",
        starts_with(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8"),
        proof="real files",
    ),
    # Fluorescence lifetimes.
    "ptu": Format(
        "PicoQuant PTU", ".ptu", "spectral map", "ptufile", "flim", starts_with(b"PQTTTR"),
    ),
    "sdt": Format(
        "Becker & Hickl SDT", ".sdt", "spectral map, spectra", "sdtfile", "flim",
        both(holds_at(32, b"UU"), says("*IDENTIFICATION")),
    ),
    # Masses.
    "imzml": Format(
        "imzML", ".imzML .ibd", "spectral map, peak lists", "adatom", "imzml",
        both(says("<mzml"), either(says('"ims"'), says("imagingms"), ending(".imzml"))),
        by_ending=True, proof="real files",
    ),
    # Tables of sites, and structures.
    "trackmate": Format(
        "TrackMate session", ".xml", "sites", "adatom", "trackmate", says("<trackmate"),
    ),
    "trackmate-tracks": Format(
        "TrackMate tracks", ".xml", "sites", "adatom", "trackmate", says("<tracks", "<particle"),
    ),
    "boxes": Format(
        "VGG image annotator", ".json", "sites", "adatom", "boxes",
        both(starts_with(b"{"), either(says('"regions"', '"filename"'), says('"_via_'))),
        proof="real files",
    ),
    "cif": Format(
        "CIF", ".cif", "structure", "ASE", "structures",
        both(says("data_"), either(says("_cell_length_a"), ending(".cif"))), proof="real files",
    ),
    "poscar": Format(
        "POSCAR and CONTCAR of VASP", "POSCAR CONTCAR .poscar .vasp", "structure", "ASE",
        "structures", vasp_positions, proof="real files",
    ),
    "xyz": Format("XYZ and extended XYZ", ".xyz .extxyz", "structure", "ASE", "structures",
        xyz_atoms,
    ),
    "xsf": Format("XCrySDen", ".xsf", "structure", "ASE", "structures", by_ending=True),
    "cube": Format("Gaussian cube", ".cube", "structure", "ASE", "structures", by_ending=True),
    "pdb": Format("PDB", ".pdb", "structure", "ASE", "structures", by_ending=True),
    "csv": Format(
        "Table of text", ".csv .tsv .tab .txt .dat", "sites, table", "adatom, pandas",
        "csv_tables", by_ending=True, proof="real files",
    ),
    "mp4": Format(
        "MP4 and QuickTime video", ".mp4 .mov .m4v", "movie", "PyAV", "videos",
        holds_at(4, b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), proof="real files",
    ),
    "avi": Format(
        "AVI video", ".avi", "movie", "PyAV", "videos",
        both(starts_with(b"RIFF"), holds_at(8, b"AVI ")),
    ),
    "mkv": Format(
        "Matroska and WebM video", ".mkv .webm", "movie", "PyAV", "videos",
        starts_with(b"\x1aE\xdf\xa3"),
    ),
    "sequence": Format(
        "Folder of pictures", "", "movie", "adatom", "sequences", picture_folder,
        proof="real files", general=True,
    ),
    "tif": Format(
        "TIFF", ".tif .tiff", "image, movie", "RosettaSciIO, tifffile", "tif",
        starts_with(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), proof="real files",
        general=True,
    ),
    "graphene": Format(
        "AICrystallographer HDF5", ".hdf5", "image", "adatom, h5py", "hdf5",
        either(hdf5_with("nn_input"), hdf5_with("image_data", "metadata")), proof="real files",
    ),
    "hdf5": Format(
        "HDF5", ".h5 .hdf5", f"{_ALL}, spectra", "adatom, h5py", "hdf5",
        lambda file: file.is_hdf5, proof="real files", general=True,
    ),
    "zip": Format(
        "Zip archive of measurements", ".zip", "as its files", "adatom", "archives",
        archive_of(lambda file: bool(claimants(file))), proof="real files", last=True,
    ),
}  # fmt: skip
"""Formats by key; earlier ones are asked first."""


def claimants(beginning: Beginning, /) -> list[str]:
    """List the formats that claim a file, the surest first.

    Those whose content says so come before those that go by the ending, and
    particular formats before general ones. A claim that fails on a damaged
    file is no claim.
    """
    known = all_formats()
    by_content = [key for key, one in known.items() if not one.last and _claims(one, beginning)]
    by_ending = [
        key
        for key, one in known.items()
        if one.by_ending and key not in by_content and beginning.ends(one.endings)
    ]
    particular = [key for key in by_content if not known[key].general]
    general = [key for key in by_content if known[key].general]
    found = [*particular, *general, *by_ending]
    return found or [key for key, one in known.items() if one.last and _claims(one, beginning)]


def _claims(one: Format, beginning: Beginning) -> bool:
    try:
        return one.claims(beginning)
    # Claims open archives and HDF5 files, which raise anything at all if damaged.
    except Exception:  # noqa: BLE001
        return False


def all_formats() -> dict[str, Format]:
    """Give the formats of adatom and of installed packages, which go first."""
    from adatom.io.extensions import installed_formats

    return {**installed_formats(), **FORMATS}


def read_format(path: Path, key: str, /) -> RawFile:
    """Read the parts of a file as one format; arrays are read when they are needed."""
    read = all_formats()[key].read
    if callable(read):
        return read(path)
    found: RawFile = import_module(f"adatom.io.{read}").read_parts(path, key)
    return found
