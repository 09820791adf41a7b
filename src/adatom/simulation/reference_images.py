"""Reference images by multislice: computed once, then read from a folder."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom import __version__
from adatom.errors import SettingError, WriteError
from adatom.numerics.whole_files import write_whole
from adatom.schema import add_note
from adatom.simulation.electron_waves import PeriodicImages, periodic_images
from adatom.simulation.multislice import (
    MultisliceSimulation,
    counted,
    expected_image,
    pixels_of_field,
)
from adatom.simulation.reference_structures import REFERENCES, VERSION, Reference, ReferenceName
from adatom.simulation.structure_boxes import Box, boxed
from adatom.units import Length

_SEED: Final = 1
_SOURCES: Final = ("atomic_potentials.py", "electron_waves.py", "optics.py")


class _Entry(NamedTuple):
    """What a reference is computed from, and the files in which it is kept."""

    name: str
    box: Box
    reference: Reference
    told: dict[str, Any]
    key: str


def simulate_reference_image(
    *,
    name: ReferenceName = "srtio3_100",
    detector: Literal["haadf", "abf"] = "haadf",
    pixel_size: Length = "0.015 nm",
    dose: float = 3e7,
    seed: int = 0,
    folder: str | None = None,
) -> MultisliceSimulation:
    """Simulate one image of the reference set, which is not made of Gaussians.

    The waves of a sample are propagated once, for both detectors, and kept in a
    folder; later calls read them there, in any pixel size and dose, also where
    abTEM is not installed. An entry is found by a key of its atoms, its settings,
    the code that propagates them and the version of abTEM; beside it
    stands the same as text, and ``manifest.json`` lists all.

    Parameters
    ----------
    name : {"graphene_si", "mos2", "srtio3_100", "srtio3_110", "gaas_110", "mgo_100"}
        Graphene with Si and a vacancy and one layer of MoS2 with
        sulfur vacancies at 60 kV, crystals 3 nm thick at 100 kV.
    detector : {"haadf", "abf"}
        High-angle dark field, atoms bright; annular bright field, atoms dark.
    pixel_size : length
        Of the image, 4 nm wide (graphene: 1.6 nm).
    dose : float
        Electrons per nm^2; the default is 60 pA for 18 microseconds on a pixel of
        0.015 nm. Infinite for no noise.
    seed : int
        Of the noise.
    folder : str, optional
        Where the set is kept; by default "adatom/multislice" in the folder in which
        the system caches files of the user.

    Returns
    -------
    MultisliceSimulation
        ``image``, ``truth`` and ``expected``.

    Raises
    ------
    MissingExtraError
        If the folder does not hold this entry, and abTEM is not installed.
    SettingError
        If the name or the detector is not known.
    WriteError
        If the folder cannot be written to.

    Examples
    --------
    >>> simulation = simulate_reference_image(name="mos2", detector="abf")  # doctest: +SKIP
    """
    if name not in REFERENCES:
        msg = f"{name=} is not in the reference set: use one of {', '.join(REFERENCES)}"
        raise SettingError(msg)
    if detector not in {"haadf", "abf"}:
        msg = f'{detector=} must be "haadf" or "abf"'
        raise SettingError(msg)
    if not dose > 0:
        msg = f"{dose=} must be more than 0 electrons per nm^2"
        raise SettingError(msg)
    reference = REFERENCES[name]
    side = f"{reference.field} nm"
    shape, step = pixels_of_field((side, side), pixel_size)
    entry = _entry(name, reference)
    images, note = _kept_images(entry, Path(folder) if folder else default_folder())
    number = 0 if detector == "haadf" else 1
    expected, truth = expected_image(
        images, entry.box, shape, step, number=number,
        optics=reference.bright if detector == "haadf" else reference.dark,
    )  # fmt: skip
    for made in (expected, truth):
        add_note(made, note)
    return counted(expected, truth, dose=dose, seed=seed)


def default_folder() -> Path:
    """Give the folder in which the set is kept if none is named."""
    home = Path.home()
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        caches = home / "Library" / "Caches"
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return caches / "adatom" / "multislice"


def _entry(name: str, reference: Reference) -> _Entry:
    """Tell what a reference is computed from; its key changes with any of it."""
    field = (reference.field, reference.field)
    box = boxed(reference.build(), field, reference.multislice.nanometers("margin"))
    # Sources, as in `recipes.code`: a change of these few files computes the set anew.
    folder = Path(__file__).parent
    sources = [(folder / name).read_bytes() for name in _SOURCES]
    told = {
        "name": name,
        "set": VERSION,
        "formula": box.atoms.get_chemical_formula(),  # type: ignore[no-untyped-call]
        "atoms": _digest_of_atoms(box),
        "detectors": [asdict(reference.bright), asdict(reference.dark)],
        "multislice": asdict(reference.multislice),
        "seed": _SEED,
        "code": hashlib.sha256(b"\n".join(sources)).hexdigest(),
    }
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return _Entry(name, box, reference, told, key[:16])


def _digest_of_atoms(box: Box) -> str:
    # To 1e-5 angstrom: the last digits of a sine differ between machines.
    numbers = [box.atoms.positions, np.asarray(box.atoms.cell)]
    rounded = [np.rint(part * 1e5).astype("<i8").tobytes() for part in numbers]
    elements = np.asarray(box.atoms.numbers, dtype="<i8").tobytes()
    return hashlib.sha256(b"".join([elements, *rounded])).hexdigest()


def _kept_images(entry: _Entry, folder: Path) -> tuple[PeriodicImages, str]:
    """Read an entry, or compute and keep it; the second is what happened, for the notes."""
    version = _abtem_version()
    # What was computed elsewhere serves where abTEM is not installed, the last one first.
    known = (
        [folder / f"{entry.name}-{entry.key}-abtem{version}.npz"]
        if version
        else sorted(
            folder.glob(f"{entry.name}-{entry.key}-abtem*.npz"),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
    )
    for path in known:
        found = _read(path)
        if found is not None:
            return found, f"multislice read from {path.name}"
    damaged = any(path.exists() for path in known)
    reference = entry.reference
    images = periodic_images(
        entry.box.atoms, [reference.bright, reference.dark], reference.multislice, seed=_SEED
    )
    path = folder / f"{entry.name}-{entry.key}-abtem{version}.npz"
    _write(path, images, entry.told | {"abtem": version, "adatom": __version__})
    found = _read(path)
    if found is None:
        msg = f"{path}: what was written is not what is read back; is the disk full?"
        raise WriteError(msg)
    what = ", in the place of a damaged file" if damaged else ""
    return found, f"multislice computed by {images.algorithm} and kept as {path.name}{what}"


def _abtem_version() -> str:
    try:
        return metadata.version("abtem")
    except metadata.PackageNotFoundError:
        return ""


def _read(path: Path) -> PeriodicImages | None:
    """Read an entry; None if there is none or its bytes are not those that were written."""
    sidecar = path.with_suffix(".json")
    try:
        told = json.loads(sidecar.read_text(encoding="utf-8"))
        if told["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            series, size, atoms = (arrays[key] for key in ("series", "size", "atoms"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    height, width = size.tolist()
    return PeriodicImages(series, (height, width), atoms, str(told["algorithm"]))


def _write(path: Path, images: PeriodicImages, told: dict[str, Any]) -> None:
    """Write arrays, then the text beside them that makes them valid, then the list of all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _npz(images))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        text = told | {"algorithm": images.algorithm, "sha256": digest}
        write_whole(path.with_suffix(".json"), _json(text))
        write_whole(path.parent / "manifest.json", _json(_manifest(path.parent)))
    except OSError as error:
        msg = f"{path.parent}: the reference set cannot be kept here: {error}. Name a folder="
        raise WriteError(msg) from error


def _npz(images: PeriodicImages) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    arrays: dict[str, NDArray[Any]] = {
        "series": images.series,
        "size": np.array(images.size),
        "atoms": images.atoms,
    }
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _json(told: dict[str, Any]) -> bytes:
    return (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()


def _manifest(folder: Path) -> dict[str, Any]:
    entries = {}
    for sidecar in sorted(folder.glob("*-abtem*.json")):
        # Another process may be writing its own.
        with suppress(OSError, ValueError):
            entries[sidecar.stem] = json.loads(sidecar.read_text(encoding="utf-8"))
    return {"set": VERSION, "entries": entries}
