"""Files <-> kinds of data.

====================== ==================================================
`read_image`           an `Image` from any file that holds one
`read_movie`           a `Movie`, lazily
`read_spectral_map`    a `SpectralMap`, lazily
`read_diffraction_map` a `DiffractionMap` (4D-STEM), lazily
`read_spectra`         `Spectra`: alone, along a line, in time, anywhere
`read_force_curves`    `ForceCurves` in segments
`read_sites`           `Sites`: positions, boxes, tracks
`read_table`           a `Table`
`read_structure`       a `Structure`
`read_label_image`     a class map drawn by an expert, as integers
`read_data`            whatever a file holds, as the kind that it is
`read_contents`        what a file holds, without reading its arrays
`list_formats`         which files are read, and by what
`write_file`           data of any kind -> netCDF, zarr, hspy, tif, CSV ...
`read_network`         a network that finds atoms, from one file
`read_classifier`      a classifier of patches, from one file
====================== ==================================================

Modules: `reading`, `reading_spectra`, `reading_tables` and `contents` hold
these steps. `opening` opens a file as the first of the `formats` that claim it
(`claims`) and can read it; `sniffing` says what helps where none does;
`extensions` adds the formats of other packages. One module a family of formats
(`rosetta`, `tif`, `numpy_files`, `hdf5`, `pictures` ...) reads the parts of a
file into the forms of `signals`, with `lazy` arrays; `metadata` and `sidecar`
add what is known beside the numbers. `choosing` picks a part, `layout` tells y,
x, frame and channel; `kinds`, `spectra_kinds`, `curves`, `tables` and `labels`
make kinds of data, with `calibration` for axes, `values` for numbers and
`draft` for what they share. `guard` turns whatever goes wrong into one
`ReadError`; `companions` lists the files that a reading depends on; `store`
keeps results. `writing` writes files by the functions of `write_formats`;
`written` and `written_tables` read them back as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.io.any_file import read_data
    from adatom.io.contents import list_formats, read_contents
    from adatom.io.formats import Format
    from adatom.io.reading import (
        read_diffraction_map,
        read_image,
        read_label_image,
        read_movie,
        read_spectral_map,
    )
    from adatom.io.reading_networks import read_classifier, read_network
    from adatom.io.reading_spectra import read_force_curves, read_spectra
    from adatom.io.reading_tables import read_sites, read_structure, read_table
    from adatom.io.writing import write_file

__all__ = [
    "Format",
    "list_formats",
    "read_classifier",
    "read_contents",
    "read_data",
    "read_diffraction_map",
    "read_force_curves",
    "read_image",
    "read_label_image",
    "read_movie",
    "read_network",
    "read_sites",
    "read_spectra",
    "read_spectral_map",
    "read_structure",
    "read_table",
    "write_file",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Format": "formats",
        "list_formats": "contents",
        "read_classifier": "reading_networks",
        "read_contents": "contents",
        "read_data": "any_file",
        "read_diffraction_map": "reading",
        "read_force_curves": "reading_spectra",
        "read_image": "reading",
        "read_label_image": "reading",
        "read_movie": "reading",
        "read_network": "reading_networks",
        "read_sites": "reading_tables",
        "read_spectra": "reading_spectra",
        "read_spectral_map": "reading",
        "read_structure": "reading_tables",
        "read_table": "reading_tables",
        "write_file": "writing",
    },
)
