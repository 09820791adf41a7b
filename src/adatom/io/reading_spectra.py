"""Read spectra that make no map, and force curves."""

from __future__ import annotations

from pathlib import Path

from adatom.io.choosing import chosen_part, chosen_signal
from adatom.io.draft import Draft
from adatom.io.guard import reading
from adatom.io.layout import spectra_layout
from adatom.io.opening import open_file
from adatom.io.signals import RawCurves
from adatom.io.spectra_kinds import spectra_from_draft
from adatom.schema import ForceCurves, Spectra


def read_spectra(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
) -> Spectra:
    """Read spectra, decays or curves: one, or several along a line, in time, or anywhere.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several;
        `read_contents` lists them.
    channel : str, optional
        Of complex numbers: "real", "imaginary", "magnitude" or "phase".

    Returns
    -------
    Spectra
        Of dask arrays, (site, energy or wavelength or bias ...), with y and
        x along ``site`` where the file tells them; of a streak image
        (time, wavelength). An array of two axes that nobody names is taken
        row by row.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no spectra, or
        several sets of them.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "spectra.npy"
    >>> np.save(file, np.zeros((4, 600), np.float32))
    >>> read_spectra(file).dims
    ('site', 'channel')
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        signal = chosen_signal(raw, dataset, ("spectra",))
        return spectra_from_draft(Draft(raw, signal, spectra_layout(signal)), channel=channel)


def read_force_curves(path: str | Path, /, *, dataset: str | None = None) -> ForceCurves:
    """Read force curves with their segments (approach, pause, retract).

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several.

    Returns
    -------
    ForceCurves
        Channels such as ``force`` (nN) and ``height`` (nm), of dask arrays
        (site, segment, sample), NaN beyond the end of a shorter segment.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no force curves.

    Examples
    --------
    >>> read_force_curves("map.jpk-force-map")  # doctest: +SKIP
    """
    from adatom.io.curves import force_curves_from_raw

    place = Path(path)
    with reading(place):
        raw = open_file(place)
        part = chosen_part(raw, dataset, ("force curves",))
        assert isinstance(part, RawCurves)  # noqa: S101 -- only these are of the kind
        return force_curves_from_raw(raw, part)
