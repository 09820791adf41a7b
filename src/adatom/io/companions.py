"""All files that a reading depends on: the file itself, and what lies beside it."""

from __future__ import annotations

import re
from pathlib import Path

from adatom.io.sidecar import sidecar_of_file

# TIA splits a measurement: the header is in the .emi, the numbers are in .ser files.
_TIA = (".emi", ".ser")
# Other formats that keep what belongs together in files of one stem.
_OF_ONE_STEM = {
    ".mib": (".hdr",),
    ".rpl": (".raw",),
    ".spd": (".spc", ".ipr"),
    ".lsd": (".spc", ".csv"),
}
# Mass spectra: the XML says what the numbers in the .ibd are.
_IMZML = (".imzml", ".ibd")
# Direct Electron's cameras write one acquisition to several files.
_DIRECT_ELECTRON = re.compile(r"(?P<acquisition>\d{8}_\d+)_(.+_)?movie\.mrc")


def companion_files(path: str | Path, /) -> list[Path]:
    """List the files whose content a reading of `path` depends on, sorted.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of a zspy store.

    Returns
    -------
    list of Path
        For provenance and caches: the result of reading may change if one
        of these does.

    Examples
    --------
    >>> [file.name for file in companion_files("lattice.npy")]
    ['lattice.npy']
    """
    place = Path(path)
    if place.is_dir():
        return sorted(file for file in place.rglob("*") if file.is_file())
    files = {place}
    sidecar = sidecar_of_file(place)
    if sidecar is not None:
        files.add(sidecar)
    if place.suffix.lower() in _IMZML and place.parent.is_dir():
        files.update(
            other
            for other in place.parent.iterdir()
            if other.suffix.lower() in _IMZML and other.stem == place.stem
        )
    movie = _DIRECT_ELECTRON.fullmatch(place.name)
    if movie is not None:
        files.update(place.parent.glob(f"{movie['acquisition']}_*"))
    files.update(_of_one_stem(place))
    if place.suffix.lower() in _TIA:
        stem = place.stem.rpartition("_")[0] if place.suffix.lower() == ".ser" else place.stem
        files.update(
            other
            for other in place.parent.iterdir()
            if other.suffix.lower() in _TIA and stem and other.stem.startswith(stem)
        )
    return sorted(files)


def _of_one_stem(place: Path) -> list[Path]:
    """List what belongs to a header by its name."""
    ending = place.suffix.lower()
    if ending == ".tvips":
        return sorted(place.parent.glob(f"{place.stem[:-3]}[0-9][0-9][0-9]{place.suffix}"))
    if place.name.lower().endswith("_master.h5"):
        stem = place.name[: -len("_master.h5")]
        beside = place.with_name(f"{stem}.h5")
        frames = sorted(place.parent.glob(f"{stem}_*.h5"))
        return [beside, *frames] if beside.is_file() else frames
    if ending == ".xml":
        # EMPAD names its file of numbers in the header, always a .raw.
        return sorted(place.parent.glob("*.raw"))
    others = _OF_ONE_STEM.get(ending, ())
    found = [place.with_suffix(case(other)) for other in others for case in (str.lower, str.upper)]
    return [file for file in found if file.is_file()]
