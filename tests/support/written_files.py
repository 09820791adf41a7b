"""One small valid file of every format, written to its published layout, not by its reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from written_common import COMMON
from written_curves import CURVES
from written_dm import MICROGRAPHS
from written_probes import PROBES
from written_rosetta import ROSETTA_WRITERS
from written_sites import SITES
from written_spectra import SPECTRA

WRITERS: dict[str, Callable[[Path], Path]] = {
    **COMMON,
    **CURVES,
    **MICROGRAPHS,
    **PROBES,
    **SPECTRA,
    **SITES,
    **ROSETTA_WRITERS,
}
"""Key of the format -> writes a file into a folder and gives its path."""
