"""Read whatever a file holds, as the kind that it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adatom.io.choosing import EITHER, kind_of_part, listed, part_of_name
from adatom.io.guard import read_error, reading
from adatom.io.opening import open_file
from adatom.io.reading import (
    read_diffraction_map,
    read_image,
    read_movie,
    read_spectral_map,
)
from adatom.io.reading_spectra import read_force_curves, read_spectra
from adatom.io.reading_tables import read_sites, read_structure, read_table
from adatom.schema import (
    DiffractionMap,
    ForceCurves,
    Image,
    Movie,
    Sites,
    Spectra,
    SpectralMap,
    Structure,
    Table,
)

if TYPE_CHECKING:
    from adatom.io.signals import RawFile, RawPart

_READERS: Final[dict[str, Callable[..., Any]]] = {
    "force curves": read_force_curves,
    "diffraction map": read_diffraction_map,
    "spectral map": read_spectral_map,
    "movie": read_movie,
    EITHER: read_movie,
    "image": read_image,
    "spectra": read_spectra,
    "structure": read_structure,
    "sites": read_sites,
    "table": read_table,
}
"""Readers by kind; of a file that holds several kinds the first of these is read."""

_WITHOUT_CHANNEL: Final = ("force curves", "structure", "sites", "table")


def read_data(
    path: str | Path, /, *, dataset: str | None = None, channel: str | None = None
) -> (
    Image | Movie | SpectralMap | DiffractionMap | Spectra | ForceCurves | Sites | Table | Structure
):
    """Read what a file holds, as the kind that it is.

    For a first look. Where the kind matters, as in a recipe, `read_image`
    and its siblings say which one is wanted, and take more settings.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several
        of the same kind; `read_contents` lists them. Of several kinds the
        richest is read: a map rather than the picture that comes with it.
    channel : str, optional
        Of a color picture whose colors differ: "red", "green", "blue",
        "alpha" or "luminance", or "color map" of false colors; of complex
        numbers "real", "imaginary",
        "magnitude" or "phase".

    Returns
    -------
    Image, Movie, SpectralMap, DiffractionMap, Spectra, ForceCurves, Sites, Table or Structure
        An array with three axes that nobody names is taken for a movie,
        which a note tells.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds several
        datasets.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "lattice.npy"
    >>> np.save(file, np.zeros((4, 6), np.float32))
    >>> read_data(file).dims
    ('y', 'x')
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        kind = _richest_kind(raw) if dataset is None else _kind(part_of_name(raw, dataset))
        if kind not in _READERS:
            reason = f"what its axes stand for is not told:\n{listed(raw, raw.parts)}\n"
            raise read_error(place, reason, f"Name its axes in {place.name}.json beside it")
        if channel is None:
            return _READERS[kind](place, dataset=dataset)  # type: ignore[no-any-return]
        if kind in _WITHOUT_CHANNEL:
            reason = f"{channel=} was asked for, but it holds {kind}"
            raise read_error(place, reason, "Leave channel out")
    return _READERS[kind](place, dataset=dataset, channel=channel)  # type: ignore[no-any-return]


def _kind(part: RawPart) -> str:
    return kind_of_part(part).removeprefix("color ")


def _richest_kind(raw: RawFile) -> str:
    """Name the richest kind; a color picture shows where the rest was measured."""
    measured = {kind_of_part(part) for part in raw.parts}
    kinds = measured & _READERS.keys() or {_kind(part) for part in raw.parts}
    return next((kind for kind in _READERS if kind in kinds), "")
