"""Files -> kinds of data.

==================== ==================================================
`read_image`         an `Image` from any file that holds one
`read_movie`         a `Movie`, lazily
`read_spectral_map`  a `SpectralMap`, lazily
`read_label_image`   a class map drawn by an expert, as integers
`read_contents`      what a file holds, without reading its arrays
`list_formats`       which files are read, and by what
==================== ==================================================

Modules: `reading` holds these steps; `kinds` turns what a file holds into
kinds of data, in one place; `signals` is the form in between; `sniffing`
finds the format; `rosetta`, `tif`, `numpy_files`, `hdf5`, `pictures` read one
family each; `sidecar` reads calibrations that lie beside an array; `guard`
turns whatever goes wrong into one `ReadError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.io.reading import (
        list_formats,
        read_contents,
        read_image,
        read_label_image,
        read_movie,
        read_spectral_map,
    )

__all__ = [
    "list_formats",
    "read_contents",
    "read_image",
    "read_label_image",
    "read_movie",
    "read_spectral_map",
]

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "reading"))
