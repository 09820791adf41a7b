"""Simulated mass spectra as files of instruments."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
from written_sites import imzml_spectrum, imzml_text

from adatom.schema import Table

PIXEL = (
    '<cvParam cvRef="IMS" accession="IMS:1000046" name="pixel size (x)" value="50" '
    'unitAccession="UO:0000017" unitName="micrometer"/>'
)


def write_peaks(path: Path, peaks: Table) -> Path:
    """Write lists of peaks as processed imzML, pixels of 50 micrometers column by column."""
    identity = uuid.UUID(int=11)
    numbers = bytearray(identity.bytes)
    rows, columns = peaks["pixel_row"].values, peaks["pixel_column"].values
    masses, intensities = peaks["mass_to_charge"].values, peaks["intensity"].values
    order = np.lexsort((masses, rows, columns))
    places = np.column_stack([rows, columns])[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(places, axis=0) != 0).any(axis=1)])
    spectra = []
    for number, members in enumerate(np.split(order, starts[1:])):
        row, column = places[starts[number]]
        start = len(numbers)
        numbers += masses[members].astype("<f8").tobytes()
        place = (int(row) + 1, int(column) + 1)
        spectra.append(imzml_spectrum(number, place, len(members), start, len(numbers)))
        numbers += intensities[members].astype("<f4").tobytes()
    path.with_suffix(".ibd").write_bytes(numbers)
    path.write_text(imzml_text(spectra, identity=f"{{{identity}}}", pixel=PIXEL))
    return path
