"""Read images, movies, spectral maps and diffraction maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adatom.errors import SettingError
from adatom.io.affine import Affine, corrected
from adatom.io.choosing import EITHER, chosen_part, chosen_signal
from adatom.io.draft import Draft
from adatom.io.folding import folded_signal
from adatom.io.guard import read_error, reading
from adatom.io.kinds import (
    diffraction_map_from_draft,
    image_from_draft,
    map_from_draft,
    movie_from_draft,
)
from adatom.io.labels import labels_from_draft
from adatom.io.layout import Layout, layout_of_signal
from adatom.io.opening import open_file
from adatom.io.peaks import map_from_peaks
from adatom.io.signals import RawPeaks, RawSignal
from adatom.schema import DiffractionMap, Image, Movie, SpectralMap
from adatom.units import Length

if TYPE_CHECKING:
    from adatom.io.signals import RawFile, RawPart


def read_image(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    frame: int | None = None,
    pixel_size: Length | None = None,
    affine: Affine | None = None,
) -> Image:
    """Read an image with its scale.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several
        images; `read_contents` lists them.
    channel : str, optional
        Of a color picture whose colors differ: "red", "green", "blue",
        "alpha" or "luminance"; of false colors "color map", places from 0 to 1
        along the known map that lies nearest to them, or the name of a map,
        "fire" or one of matplotlib; of complex numbers: "real", "imaginary",
        "magnitude" or "phase".
    frame : int, optional
        Which frame of a movie, counted from 0.
    pixel_size : length, optional
        Such as "0.02 nm"; takes the place of the scale in the file, which a
        note then tells. Without either, positions are in px.
    affine : tuple of four floats, optional
        yy, yx, xy, xx of the matrix from positions (y, x) of the file, or of
        `pixel_size`, to true ones; `localization.compare_scale` finds it. A
        diagonal changes pixel sizes only, any other lays the pixels anew.

    Returns
    -------
    Image
        In memory, in nm, mm or px. ``attrs`` hold ``source`` (name of the
        file), ``dataset`` where it holds several, what the file says of ``title``, ``instrument``,
        ``beam_energy`` (eV) and ``date``, and notes.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no image, or
        several.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "lattice.npy"
    >>> np.save(file, np.zeros((4, 6), np.float32))
    >>> image = read_image(file, pixel_size="20 pm")
    >>> image.x.units, image.x.values[1].round(3).item()
    ('nm', 0.02)
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        signal = chosen_signal(raw, dataset, ("image",) if frame is None else ("movie", EITHER))
        layout = _image_layout(raw, signal, frame)
        draft = Draft(raw, signal, layout)
        image = image_from_draft(draft, channel=channel, frame=frame, pixel_size=pixel_size)
        return corrected(image, affine)


def read_movie(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    pixel_size: Length | None = None,
    affine: Affine | None = None,
) -> Movie:
    """Read a movie, or any stack of images, without loading it.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several
        movies; `read_contents` lists them.
    channel : str, optional
        As of `read_image`.
    pixel_size : length, optional
        Such as "0.02 nm"; takes the place of the scale in the file, which a
        note then tells. Without either, positions are in px.
    affine : tuple of four floats, optional
        As of `read_image`.

    Returns
    -------
    Movie
        Of dask arrays, with ``time (frame)`` in s where the file has it.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no movie, or
        several.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "movie.npy"
    >>> np.save(file, np.zeros((3, 4, 6), np.float32))
    >>> read_movie(file).sizes["frame"]
    3
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        signal = chosen_signal(raw, dataset, ("movie", EITHER))
        layout = layout_of_signal(signal, ndim=3)
        movie = movie_from_draft(Draft(raw, signal, layout), channel=channel, pixel_size=pixel_size)
        return corrected(movie, affine)


def read_spectral_map(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    mass_tolerance: str | None = None,
    grid: str | None = None,
    pixel_size: Length | None = None,
    affine: Affine | None = None,
) -> SpectralMap:
    """Read a map with a spectrum, a curve or a decay at every pixel, without loading it.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several
        maps; `read_contents` lists them.
    channel : str, optional
        Of complex numbers: "real", "imaginary", "magnitude" or "phase".
    mass_tolerance : str, optional
        Of lists of peaks, as of mass spectra: the width of the bins in which
        peaks of like mass are summed, "0.1 Da" or "10 ppm" of the mass.
        Needed there, since masses of every pixel are its own; a few times
        the accuracy of the instrument is right.
    grid : str, optional
        How to fold a matrix that holds one spectrum a row (or a column)
        where the file has no map: rows, columns and the order of the
        pixels, "95 x 80 column-major" (MATLAB) or "95 x 80 row-major".
    pixel_size : length, optional
        Such as "0.02 nm"; takes the place of the scale in the file, which a
        note then tells. Without either, positions are in px.
    affine : tuple of four floats, optional
        As of `read_image`.

    Returns
    -------
    SpectralMap
        Of dask arrays, (y, x, energy or wavelength or bias ...) whatever the
        order in the file, the last axis rising.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no map, or
        several.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "map.npy"
    >>> np.save(file, np.zeros((4, 6, 100), np.float32))
    >>> read_spectral_map(file).dims
    ('y', 'x', 'channel')
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        kinds = ("spectral map", EITHER) if grid is None else ("spectra", "image")
        part = chosen_part(raw, dataset, kinds)
        if isinstance(part, RawPeaks):
            _refuse_channel(channel)
            found = map_from_peaks(raw, part, mass_tolerance=mass_tolerance, pixel_size=pixel_size)
        else:
            draft = _map_draft(raw, part, mass_tolerance, grid)
            found = map_from_draft(draft, channel=channel, pixel_size=pixel_size)
        return corrected(found, affine)


def _map_draft(raw: RawFile, part: RawPart, mass_tolerance: str | None, grid: str | None) -> Draft:
    assert isinstance(part, RawSignal)  # noqa: S101 -- all else that makes maps are peaks
    has_masses = any(axis.unit == "Da" for axis in part.axes)
    if mass_tolerance is not None and not has_masses:
        msg = f"{mass_tolerance=} is for mass spectra; {raw.path.name!r} has no axis of mass"
        raise SettingError(msg)
    signal = part if grid is None else folded_signal(raw.path, part, grid=grid)
    draft = Draft(raw, signal, layout_of_signal(signal, ndim=3))
    if mass_tolerance is not None:
        draft.notes.append(
            "all spectra share one axis of mass, which was kept: mass_tolerance was not needed"
        )
    return draft


def read_diffraction_map(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    pixel_size: Length | None = None,
    affine: Affine | None = None,
) -> DiffractionMap:
    """Read a map with a diffraction pattern at every pixel (4D-STEM), without loading it.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the dataset, needed where the file holds several
        maps; `read_contents` lists them.
    channel : str, optional
        Of complex numbers: "real", "imaginary", "magnitude" or "phase".
    pixel_size : length, optional
        Of the scan, such as "2 nm"; takes the place of the scale in the
        file, which a note then tells. Without either, positions are in px.
    affine : tuple of four floats, optional
        As of `read_image`.

    Returns
    -------
    DiffractionMap
        Of dask arrays, (y, x, k_y, k_x); the last two in 1/nm, deg or px.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no map, or
        several.

    Examples
    --------
    >>> read_diffraction_map("scan.blo")  # doctest: +SKIP
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        signal = chosen_signal(raw, dataset, ("diffraction map",))
        draft = Draft(raw, signal, layout_of_signal(signal, ndim=4))
        found = diffraction_map_from_draft(draft, channel=channel, pixel_size=pixel_size)
        return corrected(found, affine)


def read_label_image(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    pixel_size: Length | None = None,
) -> Image:
    """Read a class map drawn by an expert; every color or value becomes one label.

    Labels count from 0 in rising order of the values, of colors in rising
    order of red, then green, then blue, so that the same picture always
    gives the same labels.

    Parameters
    ----------
    path : str or Path
        Picture or array with one value or color for each class.
    dataset : str, optional
        As of `read_image`.
    pixel_size : length, optional
        As of `read_image`.

    Returns
    -------
    Image
        Integers; ``attrs["legend"]`` gives, by label, the value or the color
        as "#rrggbb" that stands for it in the file.

    Raises
    ------
    ReadError
        As of `read_image`, or if the picture has more than 256 values, as
        one saved as jpg or with smoothed edges has.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "drawn.npy"
    >>> np.save(file, np.array([[0, 0, 128], [0, 255, 128]], np.uint8))
    >>> labels = read_label_image(file)
    >>> labels.values.tolist(), labels.attrs["legend"]
    ([[0, 0, 1], [0, 2, 1]], ['0', '128', '255'])
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        signal = chosen_signal(raw, dataset, ("image",))
        draft = Draft(raw, signal, layout_of_signal(signal))
        return labels_from_draft(draft, pixel_size=pixel_size)


def _refuse_channel(channel: str | None) -> None:
    if channel is not None:
        msg = f"{channel=} is of complex numbers, but the file holds lists of peaks: leave it out"
        raise SettingError(msg)


def _image_layout(raw: RawFile, signal: RawSignal, frame: int | None) -> Layout:
    """Find the layout of an image, or of the stack from which one frame is taken."""
    if frame is None:
        return layout_of_signal(signal, ndim=2)
    layout = layout_of_signal(signal, ndim=3)
    number = signal.shape[layout.order[0]]
    if not 0 <= frame < number:
        reason = f"it has {number} frames, {frame=} is not among them"
        raise read_error(raw.path, reason, f"Frames count from 0 to {number - 1}")
    return layout
