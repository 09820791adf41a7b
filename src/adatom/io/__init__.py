"""Files -> kinds of data.

==================== ==================================================
`read_image`         an `Image` from any file that holds one
`read_movie`         a `Movie`, lazily
`read_spectral_map`  a `SpectralMap`, lazily
`read_label_image`   a class map drawn by an expert, as integers
`read_contents`      what a file holds, without reading its arrays
`list_formats`       which files are read, and by what
==================== ==================================================

Modules: `reading` holds these steps; `sniffing` and `formats` find the format;
`rosetta`, `tif`, `numpy_files`, `hdf5`, `pictures` read one family each into
the form of `signals`, `metadata` and `sidecar` add what is known beside the
numbers; `layout` tells y, x, frame and channel; `kinds` and `labels` make kinds
of data, with `calibration` for axes, `values` for numbers and `draft` for what
they share; `guard` turns whatever goes wrong into one `ReadError`;
`companions` lists the files that a reading depends on; `store` keeps results.
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
