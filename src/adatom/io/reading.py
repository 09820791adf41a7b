"""Read images, movies and spectral maps, and tell what files hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adatom.errors import ReadError
from adatom.io.calibration import space_steps
from adatom.io.draft import Draft
from adatom.io.formats import FAMILIES, open_file
from adatom.io.guard import check_plain, read_error, reading
from adatom.io.kinds import image_from_draft, map_from_draft, movie_from_draft
from adatom.io.labels import labels_from_draft
from adatom.io.layout import Layout, layout_of_signal
from adatom.schema import Image, Movie, SpectralMap, Table, table_from_columns
from adatom.units import Length

if TYPE_CHECKING:
    from adatom.io.signals import RawAxis, RawFile, RawSignal

_EITHER = "movie or spectral map"


def read_image(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    frame: int | None = None,
    pixel_size: Length | None = None,
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
        "alpha" or "luminance"; of complex numbers: "real", "imaginary",
        "magnitude" or "phase".
    frame : int, optional
        Which frame of a movie, counted from 0.
    pixel_size : length, optional
        Such as "0.02 nm"; takes the place of the scale in the file, which a
        note then tells. Without either, positions are in px.

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
        signal = _chosen(raw, dataset, ("image",) if frame is None else ("movie", _EITHER))
        layout = _image_layout(raw, signal, frame)
        draft = Draft(raw, signal, layout)
        return image_from_draft(draft, channel=channel, frame=frame, pixel_size=pixel_size)


def read_movie(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    pixel_size: Length | None = None,
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
        signal = _chosen(raw, dataset, ("movie", _EITHER))
        layout = layout_of_signal(signal, ndim=3)
        return movie_from_draft(Draft(raw, signal, layout), channel=channel, pixel_size=pixel_size)


def read_spectral_map(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    channel: str | None = None,
    pixel_size: Length | None = None,
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
    pixel_size : length, optional
        Such as "0.02 nm"; takes the place of the scale in the file, which a
        note then tells. Without either, positions are in px.

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
        signal = _chosen(raw, dataset, ("spectral map", _EITHER))
        layout = layout_of_signal(signal, ndim=3)
        return map_from_draft(Draft(raw, signal, layout), channel=channel, pixel_size=pixel_size)


def read_contents(path: str | Path, /) -> Table:
    """List what a file holds, without reading its arrays.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Table
        One row a dataset: ``name`` (for `dataset=`), ``kind``, ``shape``,
        ``axes``, ``units`` and ``scale`` of the axes as in the file,
        ``dtype``, and ``pixel_size`` as it will be read, with its unit, or
        "px". ``attrs`` hold ``source`` and ``format``.

    Raises
    ------
    ReadError
        If the file is damaged or of no known format.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "lattice.npy"
    >>> np.save(file, np.zeros((4, 6), np.float32))
    >>> table = read_contents(file)
    >>> table["kind"].item(), table["shape"].item()
    ('image', '4 x 6')
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        rows = [_row(signal) for signal in raw.signals]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    table = table_from_columns(columns)
    table.attrs.update(source=place.name, format=FAMILIES[raw.format_name].name)
    return table


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
        signal = _chosen(raw, dataset, ("image",))
        draft = Draft(raw, signal, layout_of_signal(signal))
        return labels_from_draft(draft, pixel_size=pixel_size)


def list_formats() -> Table:
    """List the formats that are read.

    Returns
    -------
    Table
        One row a format: ``name``, ``endings``, ``kinds`` and ``reader``.

    Examples
    --------
    >>> "DigitalMicrograph" in list_formats()["name"].values
    True
    """
    families = list(FAMILIES.values())
    return table_from_columns(
        {
            "name": [family.name for family in families],
            "endings": [family.endings for family in families],
            "kinds": [family.holds for family in families],
            "reader": [family.reader for family in families],
        }
    )


def _natural_layout(signal: RawSignal) -> Layout:
    """Find what a dataset is when nothing in particular is asked for."""
    layout = layout_of_signal(signal, ndim=2)
    return layout if layout.kind != "not understood" else layout_of_signal(signal, ndim=3)


def _kinds_of_signal(signal: RawSignal) -> set[str]:
    """Name everything that a dataset can be read as; (1, y, x) is an image and a movie."""
    return {layout_of_signal(signal, ndim=ndim).kind for ndim in (2, 3)}


def _chosen(raw: RawFile, dataset: str | None, kinds: tuple[str, ...]) -> RawSignal:
    """Choose the dataset that is asked for, or the only one of the kind."""
    if dataset is not None:
        signal = _named(raw, dataset)
        if not _kinds_of_signal(signal) & set(kinds):
            raise _wrong_kind(raw, [signal], kinds)
        return signal
    fitting = [signal for signal in raw.signals if _kinds_of_signal(signal) & set(kinds)]
    if not fitting:
        raise _wrong_kind(raw, list(raw.signals), kinds)
    pictures = [signal for signal in fitting if _is_picture(signal)]
    if len(fitting) > 1 and len(pictures) == 1:
        others = ", ".join(repr(signal.name) for signal in fitting if signal is not pictures[0])
        note = f"{pictures[0].name!r} was read; {others} of the same file are columns of numbers"
        return replace(pictures[0], notes=(*pictures[0].notes, note))
    if len(fitting) > 1:
        reason = f"it holds {len(fitting)} datasets of this kind:\n{_listed(raw, fitting)}\n"
        remedy = f"Choose one, such as dataset={fitting[0].name!r}"
        raise read_error(raw.path, reason, remedy)
    return fitting[0]


def _is_picture(signal: RawSignal) -> bool:
    """Tell a picture from coordinates and the like, which come as two to four columns."""
    named = any(axis.name or axis.unit for axis in signal.axes)
    rows, *columns = signal.shape
    return named or signal.colors != () or len(columns) != 1 or columns[0] > 4 or rows == columns[0]


def _named(raw: RawFile, dataset: str) -> RawSignal:
    for signal in raw.signals:
        if signal.name == dataset:
            return signal
    if dataset.strip().isdecimal() and int(dataset) < len(raw.signals):
        return raw.signals[int(dataset)]
    reason = f"it holds no {dataset=}, but\n{_listed(raw, list(raw.signals))}\n"
    raise read_error(raw.path, reason, "Choose one by name or number")


def _listed(raw: RawFile, signals: list[RawSignal]) -> str:
    """Write one line a dataset, for messages."""
    lines = []
    for signal in signals[:20]:
        row = _row(signal)
        number = next(i for i, other in enumerate(raw.signals) if other is signal)
        axes = f", axes {row['axes']}" if row["axes"].strip(", ") else ""
        units = f" [{row['units']}]" if row["units"].strip(", ") else ""
        what = f"{row['kind']}, {row['shape']} {row['dtype']}"
        lines.append(f"  {number}: {signal.name!r}, {what}{axes}{units}")
    if len(signals) > 20:
        lines.append(f"  and {len(signals) - 20} more")
    return "\n".join(lines)


_READERS = {
    "image": "read_image",
    "movie": "read_movie, or one frame of it with read_image(..., frame=0)",
    "spectral map": "read_spectral_map",
    _EITHER: "read_movie, read_image(..., frame=0) or read_spectral_map",
}


def _wrong_kind(raw: RawFile, signals: list[RawSignal], kinds: tuple[str, ...]) -> ReadError:
    if all(layout_of_signal(signal).kind == "not numbers" for signal in signals):
        check_plain(raw.path, signals[0].dtype)
    wanted = kinds[0]
    found = [_natural_layout(signal).kind for signal in signals]
    reason = f"it holds no {wanted}, but\n{_listed(raw, signals)}\n"
    readers = dict.fromkeys(_READERS[kind] for kind in found if kind in _READERS)
    remedy = (
        f"Read it with {', or '.join(readers)}; if its axes are something else, name them in "
        f"{raw.path.name}.json beside it"
        if readers
        else "Spectra alone and data of four or more dimensions are not read yet"
    )
    return read_error(raw.path, reason, remedy)


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


def _row(signal: RawSignal) -> dict[str, str]:
    layout = _natural_layout(signal)
    kind = f"color {layout.kind}" if signal.colors else layout.kind
    return {
        "name": signal.name,
        "kind": kind,
        "shape": " x ".join(map(str, signal.shape)),
        "dtype": str(signal.dtype),
        "axes": ", ".join(axis.name for axis in signal.axes),
        "units": ", ".join(axis.unit for axis in signal.axes),
        "scale": ", ".join(_scale(axis) for axis in signal.axes),
        "pixel_size": _pixel_size(signal, layout),
    }


def _scale(axis: RawAxis) -> str:
    return f"{axis.scale:.6g}" if axis.values is None else "not uniform"


def _pixel_size(signal: RawSignal, layout: Layout) -> str:
    """Write the pixel size as it will be read."""
    first = {"image": 0, "movie": 1, "spectral map": 0}.get(layout.kind)
    if first is None:
        return ""
    (y, y_unit), (x, x_unit) = (
        space_steps(signal.axes[i]) for i in layout.order[first : first + 2]
    )
    if not y_unit or y_unit != x_unit:
        return "px"
    y, x = abs(y), abs(x)
    return f"{y:.6g} {y_unit}" if y == x else f"{y:.6g} x {x:.6g} {y_unit}"
